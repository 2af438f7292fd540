"""Since when a destination fails, and how long what is told took: what health and metrics are told of a lane."""

from bot.model.outbox import Rejected, RetryLater

BUSY = RetryLater(5.0, "HTTP 500")


def status(room):
    (found,) = room.lanes.status()
    return found


async def test_it_fails_from_the_first_attempt_until_one_arrives(room, make):
    room.main.script = [BUSY] * 20
    await room.commit(make.row())
    assert status(room).failing_s == 0
    await room.clock.advance(400)
    assert 390 <= status(room).failing_s <= 400
    room.main.script = []
    await room.clock.advance(300)
    assert status(room).failing_s == 0
    assert status(room).told == 1
    assert status(room).latency_s.count == 1
    assert status(room).latency_s.total >= 400


async def test_it_does_not_fail_for_ever_over_what_need_not_be_told_any_more(room, make):
    room.main.script = [BUSY, Rejected("text refused")]
    await room.commit(make.row())
    await room.clock.advance(3_600)
    assert len(room.main.orders) == 2
    assert status(room).failing_s == 0


async def test_a_failure_that_is_still_to_be_made_good_counts_while_nothing_is_tried(room, make):
    room.main.script = [RetryLater(1_000.0, "HTTP 429")]
    await room.commit(make.row())
    await room.clock.advance(900)
    assert status(room).failing_s >= 899


async def test_a_firing_that_arrives_at_once_took_no_time(room, make):
    await room.commit(make.row())
    found = status(room)
    assert (found.told, found.latency_s.count, found.latency_s.total) == (1, 1, 0.0)
    await room.commit(make.row("end", after_s=60))
    assert status(room).told == 1


async def test_a_lane_turns_also_when_nothing_happens(room):
    for _ in range(10):
        await room.clock.advance(60)
        assert status(room).turned_s <= 31


async def test_before_it_runs_it_never_turned(rooms):
    assert status(rooms()).turned_s is None
