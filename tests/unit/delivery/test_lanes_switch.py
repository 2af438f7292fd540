"""Destinations that come, go or lead elsewhere while the lanes run."""

import asyncio
from dataclasses import replace

import pytest

from bot.delivery.destination import Unlayable
from bot.delivery.lanes import LAST_ATTEMPT_S, LEAVE_S
from bot.delivery.notices import Notice
from bot.errors import StorageError
from bot.model.outbox import RetryLater


@pytest.fixture
def left():
    return []


@pytest.fixture
def switch(room, left):
    async def note(destination):
        left.append(destination.name)

    def do(made=(), gone=()):
        room.lanes.switch(made, gone, on_left=note)

    return do


async def counts(room):
    return {state: n for state, n in (await room.outbox.counts()).items() if n}


async def test_a_new_destination_is_told_from_now_on(room, make, scripted, switch):
    new = scripted("new")
    switch([new])
    await room.commit(make.row(destination="new"), make.row())
    assert new.told == room.main.told == [("fire", "new", None)]


async def test_what_may_go_at_once_goes_and_the_rest_stays_in_the_outbox(room, make, scripted, switch, left):
    room.main.wait_s = 3_600.0  # a pace that does not let it go
    await room.commit(make.row())
    switch(gone=["main"])
    await room.clock.advance(LEAVE_S + 1)

    assert room.main.told == []
    assert left == ["main"]
    assert room.lanes.names == ()
    await room.commit(make.row(symbol="ETHUSDT"))
    await room.clock.advance(120)
    assert await counts(room) == {"waiting": 2}

    back = scripted("main")
    switch([back])
    await room.clock.advance(60)
    assert sum(len(order.rows) for order in back.orders) == 2


async def test_an_attempt_under_way_may_end_before_the_destination_is_closed(room, make, switch, left):
    room.main.hang.clear()
    await room.commit(make.row())
    switch(gone=["main"])
    await room.clock.advance(LEAVE_S + 1)
    assert left == []
    room.main.hang.set()
    await room.clock.advance(1)
    assert left == ["main"]
    assert await counts(room) == {"delivered": 1}


async def test_one_that_hangs_is_left_all_the_same_in_the_end(room, make, switch, left):
    room.main.hang.clear()
    await room.commit(make.row())
    switch(gone=["main"])
    await room.clock.advance(LEAVE_S + LAST_ATTEMPT_S + 1)
    assert left == ["main"]


async def test_a_destination_that_leads_elsewhere_begins_when_the_old_one_has_ended(room, make, scripted, switch, left):
    room.main.hang.clear()
    await room.commit(make.row())
    second, third = scripted("main"), scripted("main")
    switch([second])
    switch([third])
    await room.commit(make.row(symbol="ETHUSDT"))
    await room.clock.advance(5)
    assert second.told == third.told == []
    room.main.hang.set()
    await room.clock.advance(35)

    assert len(room.main.told) == 1
    assert second.told == []
    assert third.told == [("fire", "new", None)]
    assert sorted(left) == ["main", "main"]
    assert await counts(room) == {"delivered": 2}


async def test_what_only_the_old_lane_knew_is_told_by_the_new_one(room, make, scripted, switch):
    room.main.wait_s = 3_600.0
    room.lanes.offer([make.row()])
    await room.clock.advance(1)
    new = scripted("main")
    switch([new])
    await room.clock.advance(5)
    assert len(new.told) == 1


async def test_hundreds_of_switches_leave_no_task_behind(room, make, scripted, switch):
    await room.clock.advance(1)
    n_tasks = len(asyncio.all_tasks())
    for _ in range(300):
        switch([scripted("main"), scripted("other")])
        await room.clock.advance(0.1)
        switch(gone=["other"])
        await room.clock.advance(0.1)
    await room.clock.advance(LEAVE_S + LAST_ATTEMPT_S + 1)
    assert len(asyncio.all_tasks()) <= n_tasks + 1
    assert len(room.lanes._tasks) == 1
    assert not room.lanes._before
    assert not room.lanes._gone


async def test_news_that_wait_in_a_destination_that_is_taken_out_are_told_elsewhere(room, scripted, switch):
    room.main.wait_s = 3_600.0
    room.lanes.notices.tell(Notice("A title", "Some text."))
    await room.clock.advance(1)
    new = scripted("new")
    switch([new], gone=["main"])
    await room.clock.advance(LEAVE_S + 1)
    assert (room.main.notes, new.notes) == ([], ["A title: Some text."])
    room.lanes.notices.look_again()


async def test_news_that_wait_in_one_that_is_replaced_are_told_by_its_heir(room, scripted, switch):
    room.main.wait_s = 3_600.0
    room.lanes.notices.tell(Notice("A title", "Some text."))
    await room.clock.advance(1)
    heir = scripted("main")
    switch([heir])
    await room.clock.advance(LAST_ATTEMPT_S + 1)
    assert (room.main.notes, heir.notes) == ([], ["A title: Some text."])


@pytest.mark.promise("P3")
async def test_what_the_old_lane_told_from_memory_is_not_told_again_by_the_new_one(room, make, scripted, switch):
    fire, end = make.row(), make.row("end", after_s=60)
    room.lanes.offer([fire])
    await room.clock.advance(1)
    assert room.main.told == [("fire", "new", None)]
    new = scripted("main")
    switch([new])
    await room.clock.advance(1)
    await room.commit(fire)
    await room.clock.advance(60)
    assert new.told == []
    assert await counts(room) == {"delivered": 1}
    room.lanes.offer([end])
    await room.clock.advance(1)
    assert new.told == [("end", "edit", "101")]


@pytest.mark.promise("P3")
async def test_one_that_is_taken_out_and_comes_back_at_once_tells_all_once(room, make, scripted, switch):
    real = room.outbox.waiting

    async def waiting(*args, **kwargs):
        found = await real(*args, **kwargs)
        await room.clock.sleep(0.01)  # as a database takes
        return found

    room.outbox.waiting = waiting
    room.main.wait_s = 2.0
    await room.commit(make.row())
    switch(gone=["main"])
    back = scripted("main")
    back.wait_s = 2.0
    switch([back])
    room.main.wait_s = back.wait_s = 0.0
    await room.clock.advance(10)
    assert len(room.main.told) + len(back.told) == 1


@pytest.mark.promise("P3")
async def test_one_that_comes_back_before_it_has_left_knows_what_it_told_from_memory(room, make, scripted, switch):
    fire = make.row()
    room.lanes.offer([fire])
    await room.clock.advance(1)
    room.main.hang.clear()
    await room.commit(make.row(symbol="ETHUSDT"))
    switch(gone=["main"])
    await room.clock.advance(1)
    back = scripted("main")
    switch([back])
    await room.commit(fire)
    room.main.hang.set()
    await room.clock.advance(60)
    assert room.main.told == [("fire", "new", None)] * 2
    assert back.told == []
    assert await counts(room) == {"delivered": 2}


async def test_one_that_comes_and_goes_while_it_leaves_tells_all_once(room, make, scripted, switch, left):
    room.main.hang.clear()
    await room.commit(make.row())
    for _ in range(3):
        switch(gone=["main"])
        back = scripted("main")
        switch([back])
        await room.commit(make.row(symbol="ETHUSDT"))
    room.main.hang.set()
    await room.clock.advance(60)
    assert len(room.main.told) + len(back.told) == 2
    assert left == ["main"] * 3
    assert not room.lanes._leaving
    assert not room.lanes._before


@pytest.mark.promise("P3")
async def test_one_that_comes_back_after_it_has_left_knows_what_it_told_from_memory(room, make, scripted, switch, left):
    fire = make.row()
    room.lanes.offer([fire])
    await room.clock.advance(1)
    switch(gone=["main"])
    await room.clock.advance(1)
    assert left == ["main"]
    await room.commit(fire)
    back = scripted("main")
    switch([back])
    await room.clock.advance(10)
    assert (len(room.main.told), back.told) == (1, [])
    assert await counts(room) == {"delivered": 1}


@pytest.mark.promise("P4")
async def test_one_that_left_while_nothing_could_be_noted_tells_ends_when_it_is_back(
    room, make, scripted, switch, left
):
    real = room.outbox.settle

    async def settle(*args, **kwargs):
        raise StorageError("disk full")

    room.outbox.settle = settle
    await room.commit(make.row())
    switch(gone=["main"])
    await room.clock.advance(LEAVE_S + LAST_ATTEMPT_S)
    assert left == ["main"]
    room.outbox.settle = real
    await room.commit(make.row("end", after_s=60))
    back = scripted("main")
    switch([back])
    await room.clock.advance(10)
    assert back.told == [("end", "edit", "101")]
    assert await counts(room) == {"delivered": 2}


@pytest.mark.promise("P3")
async def test_what_waited_in_memory_when_it_left_is_told_from_the_database(room, make, scripted, switch, left):
    room.main.wait_s = 3_600.0
    buried, told = make.row(), make.row(symbol="ETHUSDT")
    room.lanes.offer([buried, told])
    switch(gone=["main"])
    await room.clock.advance(LEAVE_S + LAST_ATTEMPT_S)
    assert left == ["main"]
    await room.commit(buried, told)
    await room.outbox.bury([buried.id], "by hand", now_ms=0)
    back = scripted("main")
    switch([back])
    await room.clock.advance(30)
    assert [order.rows for order in back.orders] == [(told,)]


@pytest.mark.promise("P4")
async def test_the_rows_of_the_old_lane_come_before_those_that_came_since(room, make, scripted, switch):
    room.main.wait_s = 3_600.0
    room.lanes.offer([make.row()])
    await room.clock.advance(1)
    new = scripted("main")
    switch([new])
    room.lanes.offer([make.row("end", after_s=60)])
    await room.clock.advance(5)
    assert [[str(row.kind) for row in order.rows] for order in new.orders] == [["fire", "end"]]


async def test_what_the_old_lane_could_not_note_is_noted_by_the_new_one(room, make, scripted, switch):
    real = room.outbox.settle

    async def settle(*args, **kwargs):
        raise StorageError("disk full")

    room.outbox.settle = settle
    await room.commit(make.row())
    assert await counts(room) == {"sending": 1}
    new = scripted("main")
    switch([new])
    await room.clock.advance(30)
    room.outbox.settle = real
    await room.commit(make.row("end", after_s=60))
    await room.clock.advance(10)
    assert await counts(room) == {"delivered": 2}
    assert new.told == [("end", "edit", "101")]


class Slow:
    """Takes nearly a minute to refuse our markup, so that plain text is tried when nobody waits any more."""

    def __init__(self, inner, clock):
        self._inner = inner
        self._clock = clock

    def __getattr__(self, name):
        return getattr(self._inner, name)

    async def send(self, order):
        await self._inner.send(order)
        await self._clock.sleep(50)
        return Unlayable("markup")


@pytest.mark.promise("P1")
async def test_an_attempt_that_is_broken_off_is_made_again_by_the_new_lane(room, make, scripted, switch):
    inner, new = scripted("slow"), scripted("slow")
    switch([Slow(inner, room.clock)])
    await room.clock.advance(0)
    await room.commit(make.row(destination="slow"))
    switch([new])
    await room.clock.advance(LAST_ATTEMPT_S + 10)
    assert len(inner.orders) == 2
    assert new.told == [("fire", "new", None)]
    assert new.orders[0].repeated
    assert await counts(room) == {"delivered": 1}


async def test_a_lane_that_crashes_in_an_attempt_makes_it_again(room, make):
    real, crashes = room.outbox.begin, [RuntimeError("a fault of ours")]

    async def begin(message):
        await real(message)
        if crashes:
            raise crashes.pop()

    room.outbox.begin = begin
    await room.commit(make.row())
    assert await counts(room) == {"sending": 1}
    await room.clock.advance(20)
    assert await counts(room) == {"delivered": 1}


@pytest.mark.promise("P18")
@pytest.mark.parametrize("jump_ms", [-86_400_000, 86_400_000])
async def test_a_wall_clock_that_was_set_does_not_stall_the_new_lane(room, make, scripted, switch, jump_ms):
    room.main.script = [RetryLater(60.0, "busy")]
    await room.commit(make.row())
    room.clock.jump_ms = jump_ms
    new = scripted("main")
    switch([new])
    await room.clock.advance(59)
    assert new.orders == []
    await room.clock.advance(30)
    assert new.told == [("fire", "new", None)]


@pytest.mark.promise("P18")
async def test_a_wall_clock_that_was_set_before_attempts_are_recovered_does_not_stall_them(make, rooms):
    room = rooms()
    room.main.hang.clear()
    async with room.running():
        await room.commit(make.row())
    room.main.hang.set()
    room.restart()
    room.clock.jump_ms = 86_400_000
    async with room.running():
        await room.clock.advance(60)
    assert await counts(room) == {"delivered": 1}


@pytest.fixture
def elsewhere(scripted):
    """A destination of the same name that leads to another chat."""

    class Elsewhere(scripted):
        fingerprint = "there"

    return Elsewhere


async def ends_there(room, make, new, many):
    """What is sent to another chat when alerts end that were told in the first one."""
    now_ms = make.FIRED_MS + 120_000
    await room.commit(*(make.row("end", symbol=symbol, after_s=120) for symbol in many))
    await room.clock.advance(120)
    later = replace(make.row(symbol="LATERUSDT"), created_ms=now_ms)
    later = replace(later, view=replace(later.view, fired_ms=now_ms, at_ms=now_ms))
    await room.commit(later)
    await room.clock.advance(11)
    end = make.row("end", symbol="LATERUSDT", after_s=130)
    await room.commit(replace(end, view=replace(end.view, fired_ms=now_ms)))
    await room.clock.advance(11)
    return new.told


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize("n", [1, 6])
async def test_a_message_of_another_chat_is_never_edited_here(rooms, make, elsewhere, keep, is_restarted, n):
    """It has a number that something else may have here."""
    room = rooms(store=keep)
    many = [f"C{i}USDT" for i in range(n)]
    new = elsewhere()
    async with room.running():
        await room.commit(*(make.row(symbol=symbol) for symbol in many))
        await room.clock.advance(40)
        if not is_restarted:
            room.lanes.switch([new], (), on_left=left_behind)
            await room.clock.advance(1)
            told = await ends_there(room, make, new, many)
    if is_restarted:
        room.destinations = {"main": new}
        room.restart()
        async with room.running():
            told = await ends_there(room, make, new, many)
    *ends, fire, end = told
    assert ends
    assert {(kind, form, target) for kind, form, target in ends} == {("end", "new", None)}
    assert fire == ("fire", "new", None)
    assert end == ("end", "edit", str(100 + len(told) - 1))


async def left_behind(_destination):
    pass


async def test_a_message_of_before_a_group_became_another_is_never_edited_in_the_new_one(rooms, make, elsewhere, keep):
    room, moving = rooms(store=keep), elsewhere()
    room.destinations = {"main": moving}
    room.restart()
    async with room.running():
        await room.commit(make.row())
        moving.fingerprint = "the supergroup"
        await room.clock.advance(1)
        await room.commit(make.row("end", after_s=60))
    assert moving.told == [("fire", "new", None), ("end", "new", None)]
