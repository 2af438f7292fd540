from random import Random

import pytest

from bot.feeds.calls import VenueError
from bot.feeds.gate import Failure, Gate
from bot.feeds.trouble import Trouble, TroubleKind

NOW_MS = 1_767_225_600_000


def refusal(kind, *, until_ms=None, retry_after_s=None) -> VenueError:
    return VenueError(kind=kind, until_ms=until_ms, retry_after_s=retry_after_s, code=None, text="HTTP 4xx")


def gate(host: str = "fapi.example") -> Gate:
    return Gate(host=host, random=Random(1), longest_ban_s=3 * 86_400.0)


def test_it_starts_with_one_call_at_a_time_until_one_is_answered() -> None:
    it = gate()
    assert it.is_trying
    it.answered(NOW_MS)
    assert not it.is_trying


@pytest.mark.parametrize(("retry_after_s", "pause_s"), [(None, 61), (7.0, 8), (0.0, 1)])
def test_429_pauses_for_retry_after_or_a_minute(retry_after_s, pause_s) -> None:
    it = gate()
    failure = it.refused(refusal("limit", retry_after_s=retry_after_s), NOW_MS, NOW_MS)
    assert it.wait_ms(NOW_MS) == pause_s * 1000
    assert failure.is_pause
    assert it.is_trying


@pytest.mark.parametrize(
    ("until_s", "retry_after_s", "pause_s"),
    [
        (None, None, 601),
        (120, None, 121),
        (None, 300.0, 301),
        (120, 300.0, 301),
        (400, 300.0, 401),
        (-5, None, 601),
        (10 * 86_400, None, 601),
    ],
)
def test_a_ban_is_waited_out_to_the_later_of_what_was_told(until_s, retry_after_s, pause_s) -> None:
    it = gate()
    until_ms = None if until_s is None else NOW_MS + until_s * 1000
    failure = it.refused(refusal("ban", until_ms=until_ms, retry_after_s=retry_after_s), NOW_MS, NOW_MS)
    assert it.wait_ms(NOW_MS) == pause_s * 1000
    assert it.banned_until_ms(NOW_MS) == NOW_MS + pause_s * 1000
    assert it.banned_until_ms(NOW_MS + pause_s * 1000) is None
    assert "banned this address until 20" in failure.text


def test_the_end_of_a_ban_is_dated_by_the_venues_clock_when_ours_is_wrong() -> None:
    it = gate()
    wrong_now_ms = NOW_MS - 86_400_000
    it.refused(refusal("ban", until_ms=NOW_MS + 120_000), wrong_now_ms, NOW_MS)
    assert it.wait_ms(wrong_now_ms) == 121_000


@pytest.mark.parametrize("kind", ["region", "firewall"])
def test_451_and_403_are_tried_once_an_hour(kind) -> None:
    it = gate()
    failure = it.refused(refusal(kind, retry_after_s=1.0), NOW_MS, NOW_MS)
    assert it.wait_ms(NOW_MS) == 3_600_000
    assert "once an hour" in failure.text


def test_answers_to_calls_sent_before_a_pause_do_not_end_it() -> None:
    it = gate()
    it.refused(refusal("ban"), NOW_MS, NOW_MS)
    it.answered(NOW_MS + 50)
    it.refused(refusal("limit", retry_after_s=1.0), NOW_MS + 60, NOW_MS + 60)
    it.refused(refusal("unknown_symbol"), NOW_MS + 70, NOW_MS + 70)
    assert it.wait_ms(NOW_MS + 100) == 601_000 - 100
    assert it.failure is not None
    assert it.failure.kind == "ban"


def test_refusals_that_concern_one_call_count_as_reached() -> None:
    it = gate()
    failure = it.refused(refusal("not_trading"), NOW_MS, NOW_MS)
    assert not it.is_trying
    assert it.failure is None
    assert not failure.is_passing
    assert not failure.is_pause


def test_failures_in_a_row_lead_to_growing_pauses_of_at_most_thirty_seconds() -> None:
    it, now_ms, pauses = gate(), float(NOW_MS), []
    for _ in range(60):
        it.unreachable(Trouble(TroubleKind.REFUSED, "x refused the connection"), now_ms)
        pauses.append(it.wait_ms(now_ms))
        now_ms += it.wait_ms(now_ms)
    assert pauses[:2] == [0, 0]
    assert max(pauses) <= 30_000
    assert sum(pauses[-20:]) / 20 > 8000
    it.answered(now_ms)
    it.unreachable(Trouble(TroubleKind.REFUSED, "x refused the connection"), now_ms)
    assert it.wait_ms(now_ms) == 0


def test_server_errors_pause_like_an_unreachable_host() -> None:
    it = gate()
    failures = [it.refused(refusal("server"), NOW_MS, NOW_MS) for _ in range(3)]
    assert all(isinstance(f, Failure) and f.is_passing for f in failures)
    assert it.wait_ms(NOW_MS) > 0


def test_bans_and_limits_survive_a_restart() -> None:
    it = gate()
    it.refused(refusal("ban", retry_after_s=300.0), NOW_MS, NOW_MS)
    stored = it.state(NOW_MS + 1000)
    again = gate()
    again.restore(stored, NOW_MS + 2000)
    assert again.wait_ms(NOW_MS + 2000) == 299_000
    assert again.banned_until_ms(NOW_MS + 2000) == NOW_MS + 301_000


@pytest.mark.parametrize("kind", ["region", "firewall"])
def test_the_hour_after_451_and_403_is_kept_over_a_restart(kind) -> None:
    it = gate()
    text = it.refused(refusal(kind), NOW_MS, NOW_MS).text
    again = gate()
    again.restore(it.state(NOW_MS + 1000), NOW_MS + 60_000)
    assert again.wait_ms(NOW_MS + 60_000) == 3_540_000
    assert again.failure == Failure(kind, text, NOW_MS + 3_600_000)
    assert again.banned_until_ms(NOW_MS + 60_000) is None


def test_what_another_host_asked_for_and_failures_that_may_pass_are_not_kept() -> None:
    it = gate()
    it.refused(refusal("region"), NOW_MS, NOW_MS)
    other = gate("demo-fapi.example")
    other.restore(it.state(NOW_MS), NOW_MS)
    assert other.wait_ms(NOW_MS) == 0
    it = gate()
    for _ in range(9):
        it.refused(refusal("server"), NOW_MS, NOW_MS)
    again = gate()
    again.restore(it.state(NOW_MS), NOW_MS)
    assert again.wait_ms(NOW_MS) == 0


def test_a_stored_ban_that_is_over_or_absurd_does_not_stop_us() -> None:
    it = gate()
    it.refused(refusal("ban"), NOW_MS, NOW_MS)
    stored = it.state(NOW_MS)
    late = gate()
    late.restore(stored, NOW_MS + 700_000)
    assert late.wait_ms(NOW_MS + 700_000) == 0
    early = gate()
    early.restore(stored, NOW_MS - 400 * 86_400_000)
    assert early.wait_ms(NOW_MS - 400 * 86_400_000) == 3 * 86_400_000


@pytest.mark.parametrize("kind", ["region", "firewall"])
def test_after_a_start_with_a_clock_far_behind_the_hour_stays_an_hour(kind) -> None:
    it = gate()
    it.refused(refusal(kind), NOW_MS, NOW_MS)
    early_ms = NOW_MS - 400 * 86_400_000
    early = gate()
    early.restore(it.state(NOW_MS), early_ms)
    assert early.wait_ms(early_ms) == 3_600_000
