"""Since when a stream of rare events is heard without a gap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.feeds.frames import StreamSpec
from bot.feeds.sparse import SparseWatch
from bot.feeds.trouble import Trouble, TroubleKind

SPEC = StreamSpec("!force", "liquidations", 300.0, is_sparse=True)
REFUSED = Trouble(TroubleKind.REFUSED, "h refused the connection")


@pytest.fixture
def watch():
    return SparseWatch(SPEC, now_ms=0.0)


def told(statuses):
    return [(s.live, s.since_ms) for s in statuses]


def carried(watch, connection, at_ms):
    """A connection that delivers and that the venue says carries the stream."""
    return watch.listed(connection, {"!force"}, at_ms - 10.0) + watch.heard(connection, "mark", at_ms)


def test_data_of_other_streams_and_the_venues_list_together_make_it_live(watch):
    assert watch.heard(1, "mark", 1000.0) == []
    assert told(watch.listed(1, {"mark", "!force"}, 1200.0)) == [(True, 1200.0)]
    assert watch.is_live
    assert watch.heard(1, "mark", 2000.0) == watch.check(2100.0, None) == []


def test_the_list_alone_proves_nothing(watch):
    assert watch.listed(1, {"!force"}, 1000.0) == []
    assert watch.check(5000.0, None) == []
    assert told(watch.heard(1, "mark", 6000.0)) == [(True, 6000.0)]


def test_the_first_event_is_proof_without_a_list(watch):
    assert told(watch.heard(1, "!force", 3000.0)) == [(True, 3000.0)]


def test_a_stream_that_the_venue_does_not_list_is_lost_after_its_limit(watch):
    watch.listed(1, {"mark"}, 500.0)
    for second in range(1, 301):
        watch.heard(1, "mark", second * 1000.0)
        assert watch.check(second * 1000.0, None) == []
    watch.heard(1, "mark", 301_001.0)
    (status,) = watch.check(301_002.0, None)
    assert (status.live, status.since_ms) == (False, 1000.0)
    assert "neither lists" in status.reason
    assert watch.check(302_000.0, None) == []


def test_a_broken_connection_loses_it_at_its_last_frame_and_the_next_brings_it_back(watch):
    carried(watch, 1, 1000.0)
    watch.heard(1, "mark", 9000.0)
    assert told(watch.gone(1, "broke off", 9800.0)) == [(False, 9000.0)]
    assert watch.check(10_000.0, REFUSED) == []
    assert told(carried(watch, 2, 12_000.0)) == [(True, 12_000.0)]


def test_a_renewed_connection_leaves_no_gap(watch):
    carried(watch, 1, 1000.0)
    assert carried(watch, 2, 60_000.0) == []
    watch.heard(1, "mark", 61_000.0)
    assert watch.gone(1, "replaced", 61_500.0) == []
    assert watch.is_live
    assert told(watch.gone(2, "broke off", 90_000.0)) == [(False, 60_000.0)]


def test_a_successor_that_came_too_late_leaves_a_gap_of_just_that_long(watch):
    carried(watch, 1, 1000.0)
    assert carried(watch, 2, 8000.0) == []
    assert told(watch.gone(1, "broke off", 8500.0)) == [(False, 1000.0), (True, 8000.0)]


def test_a_half_open_connection_covers_nothing_after_its_last_frame(watch):
    carried(watch, 1, 1000.0)
    assert watch.check(11_000.0, None) == []
    assert told(watch.check(11_001.0, None)) == [(False, 1000.0)]
    assert told(watch.heard(1, "mark", 30_000.0)) == [(True, 30_000.0)]


def test_a_pause_that_nobody_looked_at_is_a_gap_all_the_same(watch):
    carried(watch, 1, 1000.0)
    assert told(watch.heard(1, "mark", 20_000.0)) == [(False, 1000.0), (True, 20_000.0)]


def test_silence_of_the_whole_market_beyond_the_limit_is_a_loss_that_only_an_event_ends(watch):
    carried(watch, 1, 1000.0)
    watch.heard(1, "!force", 5000.0)
    for second in range(6, 306):
        watch.heard(1, "mark", second * 1000.0)
        assert watch.check(second * 1000.0, None) == []
    (status,) = watch.check(305_001.0, None)
    assert (status.live, status.since_ms, "5 min" in status.reason) == (False, 5000.0, True)
    assert carried(watch, 2, 306_000.0) == [], "a new connection that is as silent is no proof"
    assert watch.gone(1, "replaced", 308_000.0) == []
    assert told(watch.heard(2, "!force", 400_000.0)) == [(True, 400_000.0)]


def test_before_the_first_connection_the_reason_is_told_once(watch):
    assert [s.reason for s in watch.check(100.0, REFUSED)] == [REFUSED.text]
    assert watch.check(200.0, Trouble(TroubleKind.NAME, "no name")) == []


STEPS = st.lists(
    st.tuples(st.sampled_from(["data", "event", "list", "gone", "check"]), st.integers(1, 3), st.integers(1, 9000)),
    max_size=80,
)


@given(STEPS)
def test_what_is_called_live_was_carried_all_the_time(steps):
    """Against a slow reading: a live stretch lies in the union of what single connections carried."""
    watch = SparseWatch(SPEC, now_ms=0.0)
    now_ms, live_since, stretches = 0.0, None, []
    frames: dict[int, list[float]] = {}
    carried_from: dict[int, float] = {}
    subscribed: set[int] = set()
    covered: list[tuple[float, float]] = []

    def frame(number):
        times = frames.setdefault(number, [])
        if number in carried_from and now_ms - times[-1] <= 10_000.0:
            covered.append((times[-1], now_ms))
        times.append(now_ms)
        if number in subscribed:
            carried_from[number] = now_ms

    for what, number, wait_ms in steps:
        now_ms += wait_ms
        statuses = []
        if what == "data":
            frame(number)
            statuses = watch.heard(number, "mark", now_ms)
        elif what == "event":
            frame(number)
            subscribed.add(number)
            carried_from[number] = now_ms
            statuses = watch.heard(number, "!force", now_ms)
        elif what == "list":
            subscribed.add(number)
            if frames.get(number):
                carried_from.setdefault(number, now_ms)
            statuses = watch.listed(number, {"!force"}, now_ms)
        elif what == "gone":
            for known in (frames, carried_from):
                known.pop(number, None)
            subscribed.discard(number)
            statuses = watch.gone(number, "gone", now_ms)
        else:
            statuses = watch.check(now_ms, None)
        for status in statuses:
            assert status.live is (live_since is None), "each change is told once"
            assert status.since_ms <= now_ms
            if status.live:
                live_since = status.since_ms
            else:
                stretches.append((live_since, status.since_ms))
                live_since = None
    for start, end in stretches:
        at = start
        while at < end:
            reach = max((b for a, b in covered if a <= at < b), default=None)
            assert reach is not None, (at, end, covered)
            at = reach


def test_a_connection_may_follow_once_the_old_one_has_delivered_beside_it(watch):
    carried(watch, 1, 1000.0)
    watch.heard(1, "mark", 60_000.0)
    assert not watch.may_follow(2, 1)
    carried(watch, 2, 60_500.0)
    assert not watch.may_follow(2, 1), "an event in between would have come by neither"
    watch.heard(1, "mark", 61_000.0)
    assert watch.may_follow(2, 1)
    assert watch.gone(1, "replaced", 61_000.0) == []


def test_any_connection_may_follow_one_that_carried_nothing(watch):
    watch.heard(1, "mark", 1000.0)
    carried(watch, 2, 2000.0)
    assert watch.may_follow(2, 1)
    assert watch.may_follow(2, 7)
