"""A lane tells everything once, in order, and stops for nobody but its own destination."""

import asyncio
import itertools
from dataclasses import replace

import pytest

from bot.clock import ManualClock
from bot.delivery.destination import TargetGone, Unlayable
from bot.delivery.lanes import Lanes
from bot.errors import StorageError
from bot.model.outbox import Delivered, Kept, Rejected, RetryLater
from bot.model.outbox_ports import Commit


async def test_a_firing_is_a_new_message(room, make):
    await room.commit(make.row())
    assert room.main.told == [("fire", "new", None)]
    assert (await room.outbox.counts())["delivered"] == 1


async def test_updates_reply_to_the_firing_and_the_end_edits_it(room, make):
    fire = make.row()
    await room.commit(fire)
    await room.clock.advance(60)
    await room.commit(make.row("escalate", n=1, after_s=60))
    await room.clock.advance(60)
    await room.commit(make.row("repeat", n=2, after_s=120))
    await room.commit(make.row("end", after_s=180))
    assert room.main.told == [
        ("fire", "new", None),
        ("escalate", "reply", "101"),
        ("repeat", "reply", "101"),
        ("end", "edit", "101"),
    ]
    assert room.main.orders[-1].fire == fire.view, "the end shows again what the firing said"


async def test_a_firing_whose_end_already_waits_is_one_message(room, make):
    await room.commit(make.row(), make.row("escalate", n=1, after_s=5), make.row("end", after_s=9))
    assert room.main.told == [("end", "new", None)]
    assert len(room.main.orders[0].rows) == 3
    assert (await room.outbox.counts())["delivered"] == 3


async def test_of_several_waiting_updates_only_the_newest_is_sent(room, make):
    await room.commit(make.row())
    await room.commit(make.row("escalate", n=1, after_s=5), make.row("escalate", n=2, after_s=6))
    assert room.main.told == [("fire", "new", None), ("escalate", "reply", "101")]
    assert (await room.outbox.counts())["delivered"] == 3


async def test_an_end_waits_for_its_firing_that_is_being_retried(room, make):
    room.main.script = [RetryLater(5.0, "busy")]
    await room.commit(make.row())
    await room.commit(make.row("end", after_s=2))
    assert room.main.told == [("fire", "new", None)]
    await room.clock.advance(4.9)
    assert len(room.main.told) == 1
    await room.clock.advance(0.2)
    assert room.main.told[1:] == [("end", "new", None)], "one message that tells both"


async def test_an_end_whose_firing_was_refused_is_a_message_of_its_own(room, make):
    room.main.script = [Rejected("text refused")]
    fire = make.row()
    await room.commit(fire)
    await room.commit(make.row("end", after_s=2))
    assert room.main.told == [("fire", "new", None), ("end", "new", None)]
    assert room.main.orders[1].fire == fire.view
    [buried] = await room.outbox.buried()
    assert (buried.row, buried.reason) == (fire, "text refused")


async def test_a_destination_without_message_ids_gets_new_messages(room, make):
    room.main.script = [Delivered(None), Delivered(None)]
    await room.commit(make.row())
    await room.commit(make.row("end", after_s=2))
    assert room.main.told[1] == ("end", "new", None)


async def test_failures_back_off_and_success_starts_over(room, make):
    room.main.script = [RetryLater(0, "down")] * 4
    await room.commit(make.row())
    times = [room.clock.monotonic_ms()]
    while len(room.main.orders) < 5:
        await room.clock.advance(0.5)
        if len(room.main.orders) > len(times):
            times.append(room.clock.monotonic_ms())
    gaps = [round((b - a) / 1000) for a, b in itertools.pairwise(times)]
    assert gaps == [2, 4, 8, 16]
    assert len({o.rows[0].view.short_id for o in room.main.orders}) == 1, "every attempt shows the same id"
    assert room.lanes.status()[0].delivered == 1


async def test_the_pause_that_was_asked_for_holds_the_whole_lane(room, make):
    room.main.script = [RetryLater(30.0, "429")]
    await room.commit(make.row())
    await room.commit(make.row(symbol="ETHUSDT"))
    await room.clock.advance(29.9)
    assert len(room.main.orders) == 1
    await room.clock.advance(0.2)
    assert len(room.main.orders) == 3


async def test_one_poisoned_message_does_not_stop_the_others(room, make):
    """Its own backoff grows while the lane goes on."""
    others = [make.row(symbol=f"C{n}USDT") for n in range(20)]

    async def send(order, real=room.main.send):
        if order.rows[0].view.symbol == "BTCUSDT":
            room.main.orders.append(order)
            return RetryLater(0, "500")
        return await real(order)

    room.main.send = send
    await room.commit(make.row(), *others)
    await room.clock.advance(30)
    assert (await room.outbox.counts()) == {"waiting": 1, "sending": 0, "delivered": 20, "buried": 0}


async def test_ambiguous_outcomes_are_counted_and_tried_again(room, make):
    room.main.script = [RetryLater(1.0, "no answer", ambiguous=True)]
    await room.commit(make.row())
    await room.clock.advance(2)
    [status] = room.lanes.status()
    assert (status.ambiguous, status.retried, status.delivered) == (1, 1, 1)


async def test_a_dead_destination_keeps_its_rows_and_is_revived(room, make):
    room.main.script = [Rejected("blocked", destination_dead=True)]
    await room.commit(make.row())
    await room.commit(make.row(symbol="ETHUSDT"))
    await room.clock.advance(3600)
    assert len(room.main.orders) == 1, "nothing more is sent to it"
    assert room.lanes.status()[0].dead_reason == "blocked"
    assert (await room.outbox.counts())["waiting"] == 2
    room.lanes.revive("main")
    await room.clock.advance(1)
    assert (await room.outbox.counts())["delivered"] == 2
    assert room.lanes.status()[0].dead_reason is None


async def test_rows_older_than_a_day_are_buried_not_sent(room, make):
    room.main.script = [Rejected("blocked", destination_dead=True)]
    await room.commit(make.row())
    await room.clock.advance(25 * 3600)
    room.lanes.revive("main")
    await room.clock.advance(1)
    assert len(room.main.orders) == 1
    [buried] = await room.outbox.buried()
    assert buried.reason == "older than 24 hours"


async def test_a_missing_target_falls_back_to_a_new_message(room, make):
    await room.commit(make.row())
    room.main.script = [TargetGone("deleted")]
    await room.commit(make.row("end", after_s=60))
    assert room.main.told[1:] == [("end", "edit", "101"), ("end", "new", None)]


@pytest.mark.parametrize(("kind", "listed"), [("update", []), ("escalate", [("escalate", "older than 24 hours")])])
async def test_an_end_is_told_however_old_what_waits_before_it_is(room, make, kind, listed):
    """A chat that was blocked for more than a day, while its alert fired. Nobody misses new figures of then."""
    await room.commit(make.row())
    room.main.script = [Rejected("blocked", destination_dead=True)]
    await room.commit(make.row(kind, n=1, after_s=0))
    await room.clock.advance(25 * 3_600)
    await room.commit(make.row("end", after_s=25 * 3_600))
    room.lanes.revive("main")
    await room.clock.advance(60)
    assert room.main.told[-1] == ("end", "edit", "101")
    assert [(one.row.kind, one.reason) for one in await room.outbox.entries(["buried"], limit=9)] == listed
    assert sum("could not be told" in note for note in room.main.notes) == len(listed)
    assert room.lanes.status()[0].buried == len(listed)
    assert (await room.outbox.counts())["waiting"] == 0


async def test_of_what_is_refused_together_the_owner_hears_of_what_is_listed_alone(room, make):
    symbols = [f"C{n:03}USDT" for n in range(8)]
    await room.commit(*(make.row(symbol=symbol) for symbol in symbols))
    await room.clock.advance(100)
    figures, end = (
        make.row("update", n=1, symbol=symbols[5], after_s=100),
        make.row("end", symbol=symbols[6], after_s=100),
    )
    room.main.script = [Rejected("a word")]
    await room.commit(figures, end)
    assert [one.row for one in await room.outbox.entries(["buried"], limit=9)] == [end]
    [note] = room.main.notes
    assert note.startswith(f"main: something could not be told: #{end.view.short_id}: a word")


async def test_refused_markup_is_sent_once_as_plain_text_then_buried(room, make):
    room.main.script = [Unlayable("bad html"), Unlayable("bad text too")]
    await room.commit(make.row())
    await room.clock.advance(60)
    assert [o.plain for o in room.main.orders] == [False, True]
    assert (await room.outbox.counts())["buried"] == 1
    room.main.script = [Unlayable("bad html")]
    await room.commit(make.row(symbol="ETHUSDT"))
    assert [o.plain for o in room.main.orders[2:]] == [False, True]
    assert (await room.outbox.counts())["delivered"] == 1
    room.main.script = []
    await room.commit(make.row(symbol="SOLUSDT"))
    [lane] = room.lanes.status()
    assert lane.plain == 2, "counted once a message, refused again or not"


async def test_an_attempt_that_raises_is_tried_again(room, make):
    room.main.script = [RuntimeError("bug")]
    await room.commit(make.row())
    await room.clock.advance(10)
    assert (await room.outbox.counts())["delivered"] == 1


async def test_an_attempt_that_hangs_is_given_up_as_ambiguous(room, make):
    room.main.hang.clear()
    await room.commit(make.row())
    await room.clock.advance(61)
    assert room.lanes.status()[0].ambiguous == 1
    room.main.hang.set()
    await room.clock.advance(60)
    assert (await room.outbox.counts())["delivered"] == 1


async def test_a_hanging_destination_delays_no_other(make, rooms):
    async with rooms(("main", "side")).running() as room:
        room.main.hang.clear()
        await room.commit(make.row(), make.row(destination="side"))
        assert room.destinations["side"].told == [("fire", "new", None)]


async def test_the_own_limit_is_waited_for_before_a_row_is_claimed(room, make):
    room.main.wait_s = 5.0
    await room.commit(make.row())
    assert room.main.orders == []
    assert (await room.outbox.counts())["waiting"] == 1
    await room.commit(make.row("end", after_s=1))
    room.main.wait_s = 0.0
    await room.clock.advance(5)
    assert room.main.told == [("end", "new", None)], "what was claimed late is told as it is by then"


async def test_critical_alerts_go_first(room, make):
    room.main.wait_s = 1.0
    await room.commit(make.row(), make.row(symbol="ETHUSDT", severity="critical"))
    room.main.wait_s = 0.0
    await room.clock.advance(1)
    assert [o.rows[0].view.symbol for o in room.main.orders] == ["ETHUSDT", "BTCUSDT"]


async def test_what_was_under_way_at_a_kill_is_sent_again_after_the_start(make, rooms):
    room = rooms()
    async with room.running():
        room.main.hang.clear()
        await room.commit(make.row())
    assert (await room.outbox.counts())["sending"] == 1
    room.main.hang.set()
    async with room.running():
        await room.clock.advance(1)
    assert (await room.outbox.counts())["delivered"] == 1
    assert len(room.main.orders) == 2


async def test_with_a_full_disk_it_sends_once_and_notes_it_later(room, make):
    full = True
    real = {name: getattr(room.outbox, name) for name in ("begin", "settle")}

    def guard(name):
        async def act(*args, **kwargs):
            if full:
                raise StorageError("disk full")
            return await real[name](*args, **kwargs)

        return act

    for name in real:
        setattr(room.outbox, name, guard(name))
    await room.commit(make.row(), make.row(symbol="ETHUSDT"))
    await room.clock.advance(60)
    assert [o.rows[0].view.symbol for o in room.main.orders] == ["BTCUSDT", "ETHUSDT"]
    full = False
    await room.clock.advance(10)
    assert len(room.main.orders) == 2
    assert (await room.outbox.counts())["delivered"] == 2


async def test_an_outbox_that_cannot_be_read_is_asked_again(room, make):
    real, fails = room.outbox.waiting, [StorageError("locked")]

    async def waiting(*args, **kwargs):
        if fails:
            raise fails.pop()
        return await real(*args, **kwargs)

    room.outbox.waiting = waiting
    await room.commit(make.row())
    await room.clock.advance(6)
    assert (await room.outbox.counts())["delivered"] == 1


async def test_drain_waits_for_what_may_go_now_and_then_begins_nothing_more(room, make):
    room.main.hang.clear()
    await room.commit(make.row())
    drain = asyncio.create_task(room.lanes.drain(5.0))
    await room.clock.advance(1)
    assert not drain.done()
    room.main.hang.set()
    await room.clock.advance(0)
    assert await drain is True
    await room.commit(make.row(symbol="ETHUSDT"))
    await room.clock.advance(60)
    assert len(room.main.orders) == 1


async def test_drain_gives_up_in_time_and_does_not_wait_for_pauses(room, make):
    room.main.script = [RetryLater(3000.0, "429")]
    await room.commit(make.row())
    assert await room.lanes.drain(5.0) is True, "a long pause is not waited for"


@pytest.mark.promise("P13")
async def test_drain_gives_up_on_a_hung_attempt(room, make):
    room.main.hang.clear()
    await room.commit(make.row())
    drain = asyncio.create_task(room.lanes.drain(5.0))
    await room.clock.advance(5.1)
    assert await drain is False


async def test_draining_lanes_that_never_ran_returns_at_once(make, rooms):
    assert await rooms().lanes.drain(5.0) is True


async def test_rows_that_the_database_did_not_take_are_told_from_memory_once(room, make):
    fire, end = make.row(), make.row("end", after_s=60)
    room.lanes.offer([fire, make.row(destination="nowhere")])
    await room.clock.advance(0)
    room.lanes.offer([end])
    await room.clock.advance(0)
    assert room.main.told == [("fire", "new", None), ("end", "edit", "101")]
    assert room.main.orders[1].fire == fire.view
    await room.commit(fire, end)
    await room.clock.advance(60)
    assert len(room.main.orders) == 2, "taken at last, they are recognised"
    assert (await room.outbox.counts())["delivered"] == 2
    assert (await room.outbox.message_of(fire.key, "fire", "main")).provider_id == "101"


async def test_an_offered_row_that_was_stored_before_its_turn_is_told_once(room, make):
    room.main.wait_s = 1.0
    room.lanes.offer([make.row()])
    await room.commit(make.row())
    room.main.wait_s = 0.0
    await room.clock.advance(60)
    assert len(room.main.orders) == 1
    assert (await room.outbox.counts())["delivered"] == 1


async def test_an_offered_row_is_retried_like_any_other(room, make):
    room.main.script = [RetryLater(3.0, "busy"), Rejected("dead", destination_dead=True)]
    room.lanes.offer([make.row()])
    await room.clock.advance(2.9)
    assert len(room.main.orders) == 1
    await room.clock.advance(0.2)
    assert len(room.main.orders) == 2
    room.lanes.revive("main")
    await room.clock.advance(1)
    assert room.lanes.status()[0].delivered == 1


async def test_rows_committed_without_a_notice_are_found_all_the_same(room, make):
    await room.store.commit(Commit((), (), (make.row(),)))
    await room.clock.advance(31)
    assert len(room.main.orders) == 1


@pytest.mark.promise("P18")
async def test_a_jump_of_the_wall_clock_neither_stalls_nor_buries(room, make):
    room.main.script = [RetryLater(5.0, "busy")]
    await room.commit(make.row())
    for jump_ms in (-86_400_000, 3 * 86_400_000):
        room.clock.jump_ms = jump_ms
        await room.commit(make.row(symbol=f"J{jump_ms}USDT"))
    await room.clock.advance(10)
    assert await room.outbox.counts() == {"waiting": 0, "sending": 0, "delivered": 3, "buried": 0}


async def test_a_wrong_wall_clock_at_the_start_buries_nothing_when_venue_time_is_known(make, rooms):
    room = rooms()
    room.clock = ManualClock(wall_ms=make.FIRED_MS + 5 * 86_400_000)
    room.lanes = Lanes(
        outbox=room.outbox, destinations=[room.main], clock=room.clock, venue_now=lambda: make.FIRED_MS + 1000
    )
    async with room.running():
        await room.commit(make.row())
    assert (await room.outbox.counts())["delivered"] == 1


async def test_lanes_start_though_the_outbox_cannot_be_recovered_yet(make, rooms):
    room = rooms()
    fails = [StorageError("disk full")] * 2
    real = room.outbox.recover

    async def recover(**kwargs):
        if fails:
            raise fails.pop()
        return await real(**kwargs)

    room.outbox.recover = recover
    async with room.running():
        await room.commit(make.row())
        assert len(room.main.orders) == 1
        await room.clock.advance(20)
    assert not fails


@pytest.mark.promise("P4")
async def test_an_end_from_memory_waits_for_a_firing_that_waits_in_the_database(room, make):
    room.main.script = [RetryLater(5.0, "busy")]
    await room.commit(make.row())
    room.lanes.offer([make.row("end", after_s=60), make.row(symbol="ETHUSDT")])
    await room.clock.advance(60)
    told = [(o.rows[-1].view.symbol, str(o.rows[-1].kind), str(o.form)) for o in room.main.orders]
    assert [one for one in told if one[0] == "BTCUSDT"] == [
        ("BTCUSDT", "fire", "new"),
        ("BTCUSDT", "fire", "new"),
        ("BTCUSDT", "end", "edit"),
    ]
    assert told.count(("ETHUSDT", "fire", "new")) == 1


async def test_an_acknowledgement_edits_the_firing_alone_and_the_end_comes_after(room, make):
    fire = make.row()
    await room.commit(fire, make.row("ack", n=1, after_s=1))
    await room.commit(make.row("escalate", n=1, after_s=2), make.row("ack", n=2, after_s=3))
    await room.commit(make.row("end", after_s=4))
    assert room.main.told == [
        ("fire", "new", None),
        ("ack", "edit", "101"),
        ("escalate", "reply", "101"),
        ("ack", "edit", "101"),
        ("end", "edit", "101"),
    ]
    assert room.main.orders[1].fire == fire.view


async def test_an_acknowledgement_that_waits_with_the_end_is_told_by_it(room, make):
    await room.commit(make.row())
    await room.commit(make.row("ack", n=1, after_s=3), make.row("end", after_s=4))
    assert room.main.told == [("fire", "new", None), ("end", "edit", "101")]


async def test_a_summary_is_a_message_of_its_own(room, make):
    await room.commit(make.row("summary"))
    assert room.main.told == [("summary", "new", None)]


async def test_a_kept_row_is_not_sent_until_it_is_released_however_old_it_is(room, make):
    fire = make.row()
    await room.store.commit(Commit((), (), (), kept=(Kept(fire, "silence s-1", 1),)))
    room.lanes.notify()
    await room.clock.advance(30 * 3_600)
    assert room.main.told == []
    freed = replace(fire, created_ms=room.clock.wall_ms())
    await room.store.commit(Commit((), (), (), released=(freed,)))
    room.lanes.notify()
    await room.clock.advance(0)
    assert room.main.told == [("fire", "new", None)]
    assert (await room.outbox.counts())["delivered"] == 1
