import json
from itertools import pairwise

import pytest

from bot.chat.access import (
    CHAT_PER_MINUTE,
    REFUSALS_PER_HOUR,
    Gate,
    Incoming,
    Verdict,
)
from bot.chat.rights import RATES
from bot.model.members import Role

OWNER, STRANGER, GROUP, OTHER_GROUP = 71, 99, -100_500, -100_600
NOW_MS = 1_767_225_600_000
DAY_MS = 86_400_000
USER_PER_MINUTE = RATES[Role.OWNER]


def gate() -> Gate:
    return Gate(owner_id=OWNER, chat_ids=[GROUP])


@pytest.mark.promise("P12")
@pytest.mark.parametrize(
    ("user_id", "chat_id", "is_private", "is_odd", "verdict"),
    [
        (OWNER, OWNER, True, False, Verdict.ANSWER),
        (OWNER, GROUP, False, False, Verdict.ANSWER),
        (OWNER, OTHER_GROUP, False, False, Verdict.IGNORE),
        (STRANGER, GROUP, False, False, Verdict.ANSWER),
        (STRANGER, STRANGER, True, False, Verdict.REFUSE),
        (STRANGER, OTHER_GROUP, False, False, Verdict.IGNORE),
        (OWNER, OWNER, True, True, Verdict.IGNORE),
        (OWNER, GROUP, False, True, Verdict.IGNORE),
        (STRANGER, GROUP, False, True, Verdict.IGNORE),
        (STRANGER, STRANGER, True, True, Verdict.IGNORE),
        (None, GROUP, False, False, Verdict.IGNORE),
        (OWNER, None, False, False, Verdict.IGNORE),
        # A chat may carry the owner's number without being the owner's private chat.
        (STRANGER, OWNER, False, False, Verdict.IGNORE),
    ],
)
def test_who_is_answered_where(user_id, chat_id, is_private, is_odd, verdict):
    assert gate().decide(Incoming(user_id, chat_id, is_private, is_odd), now_ms=NOW_MS) is verdict


@pytest.mark.promise("P12")
@pytest.mark.parametrize("user_id", [OWNER, STRANGER])
@pytest.mark.parametrize(("chat_id", "is_private"), [(GROUP, False), (STRANGER, True)])
def test_without_an_owner_nobody_is_answered(user_id, chat_id, is_private):
    closed = Gate(owner_id=None, chat_ids=[GROUP])
    assert closed.decide(Incoming(user_id, chat_id, is_private), now_ms=NOW_MS) is Verdict.IGNORE


def test_a_stranger_is_refused_once_a_day_even_over_a_restart():
    first = gate()
    stranger = Incoming(STRANGER, STRANGER, is_private=True)
    assert first.decide(stranger, now_ms=NOW_MS) is Verdict.REFUSE
    assert first.decide(stranger, now_ms=NOW_MS + 1) is Verdict.IGNORE
    second = gate()
    second.load_refusals(first.dump_refusals())
    assert second.decide(stranger, now_ms=NOW_MS + DAY_MS - 1) is Verdict.IGNORE
    assert second.decide(stranger, now_ms=NOW_MS + DAY_MS) is Verdict.REFUSE


@pytest.mark.parametrize("text", [None, "", "{", "[1]", '{"a": 1}', '{"1": "x"}', '{"1": null}'])
def test_a_damaged_memory_of_refusals_is_as_good_as_none(text):
    fresh = gate()
    fresh.load_refusals(text)
    assert json.loads(fresh.dump_refusals()) == {}


def test_a_crowd_of_strangers_is_refused_so_many_times_an_hour():
    crowd = gate()
    verdicts = [crowd.decide(Incoming(i, i, is_private=True), now_ms=NOW_MS) for i in range(1_000, 6_000)]
    assert verdicts.count(Verdict.REFUSE) == REFUSALS_PER_HOUR
    assert set(verdicts) == {Verdict.REFUSE, Verdict.IGNORE}


def test_one_user_gets_twenty_a_minute_and_is_told_once():
    busy = gate()
    owner = Incoming(OWNER, OWNER, is_private=True)
    verdicts = [busy.decide(owner, now_ms=NOW_MS) for _ in range(USER_PER_MINUTE + 5)]
    assert verdicts.count(Verdict.ANSWER) == USER_PER_MINUTE
    assert verdicts[USER_PER_MINUTE:] == [Verdict.SLOW_DOWN, *[Verdict.IGNORE] * 4]
    assert busy.decide(owner, now_ms=NOW_MS + 3_000) is Verdict.ANSWER
    assert busy.decide(owner, now_ms=NOW_MS + 3_001) is Verdict.IGNORE, "once a minute at most"


def test_who_goes_on_too_fast_is_told_once_a_minute_in_each_chat():
    busy = gate()
    here, there = Incoming(OWNER, OWNER, is_private=True), Incoming(OWNER, GROUP, is_private=False)
    told = [ms for ms in range(0, 300_000, 500) if busy.decide(here, now_ms=NOW_MS + ms) is Verdict.SLOW_DOWN]
    assert len(told) == 5
    assert min(after - before for before, after in pairwise(told)) >= 60_000
    verdicts = [busy.decide(there, now_ms=NOW_MS + 300_000 + ms) for ms in range(0, 10_000, 500)]
    assert verdicts.count(Verdict.SLOW_DOWN) == 1


def test_a_clock_that_went_back_keeps_nobody_from_being_told():
    busy = gate()
    owner = Incoming(OWNER, OWNER, is_private=True)
    for at_ms in (NOW_MS, NOW_MS - DAY_MS):
        verdicts = [busy.decide(owner, now_ms=at_ms) for _ in range(USER_PER_MINUTE + 5)]
        assert verdicts.count(Verdict.SLOW_DOWN) == 1
        busy.decide(owner, now_ms=at_ms + 3_000)


def test_whoever_presses_too_fast_sees_it_each_time_that_one_was_answered():
    busy = gate()
    press = Incoming(OWNER, OWNER, is_private=True, is_press=True)
    told = [ms for ms in range(0, 60_000, 500) if busy.decide(press, now_ms=NOW_MS + ms) is Verdict.SLOW_DOWN]
    assert len(told) > 10


def test_one_chat_gets_sixty_a_minute_from_all_together():
    busy = gate()
    verdicts = [busy.decide(Incoming(i, GROUP, is_private=False), now_ms=NOW_MS) for i in range(CHAT_PER_MINUTE + 20)]
    assert verdicts.count(Verdict.ANSWER) == CHAT_PER_MINUTE
    assert verdicts.count(Verdict.SLOW_DOWN) == 1


def test_a_clock_that_jumps_back_locks_nobody_out():
    busy = gate()
    owner = Incoming(OWNER, OWNER, is_private=True)
    for _ in range(USER_PER_MINUTE):
        busy.decide(owner, now_ms=NOW_MS)
    busy.decide(owner, now_ms=NOW_MS - DAY_MS)
    assert busy.decide(owner, now_ms=NOW_MS - DAY_MS + 60_000) is Verdict.ANSWER


def test_what_was_ignored_is_reported_once_an_hour_by_reason():
    quiet = gate()
    assert quiet.report(now_ms=NOW_MS) is None
    quiet.decide(Incoming(STRANGER, OTHER_GROUP, is_private=False), now_ms=NOW_MS)
    assert quiet.report(now_ms=NOW_MS) == {"unlisted_chat": 1}
    for _ in range(3):
        quiet.decide(Incoming(STRANGER, GROUP, is_private=False, is_odd=True), now_ms=NOW_MS)
    assert quiet.report(now_ms=NOW_MS + 3_599_999) is None
    assert quiet.report(now_ms=NOW_MS + 3_600_000) == {"odd": 3}


def test_memory_of_users_is_bounded():
    crowded = Gate(owner_id=OWNER, chat_ids=[GROUP])
    for i in range(5_000):
        crowded.decide(Incoming(i, GROUP, is_private=False), now_ms=NOW_MS + i * 10_000)
    assert len(crowded._buckets) <= 1_000
