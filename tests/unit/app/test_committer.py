"""The committer on a manual clock: order, patience, what it keeps and what it must leave out."""

import asyncio
import dataclasses

import pytest

from bot.app import committer as module
from bot.app.committer import Committer, merged
from bot.clock import ManualClock
from bot.errors import StorageError
from bot.model.alert import AlertRecord, State, TellKind, Transition
from bot.model.outbox import Fold, OutboxRow
from bot.model.outbox_ports import Commit
from bot.model.view import AlertView
from bot.storage.memory import MemoryAlertStore, MemoryOutbox

VIEW = AlertView("r", "R", "S", "v", "B", "info", "id", "fire", 1, 1, "c", "x", 1.0, False)


def change(n, *, instrument="v:S"):
    return Commit(
        (AlertRecord("r", instrument, "c", State.FIRING, fired_ms=n),),
        (Transition("r", "v", "S", State.FIRING, n, 1.0, f"k{n}"),),
        (OutboxRow(f"row{n}", f"k{n}", TellKind.FIRE, "main", "info", n, VIEW),),
    )


class Disk(MemoryAlertStore):
    """A store that fails while `error` is set."""

    def __init__(self):
        super().__init__(MemoryOutbox())
        self.error = None
        self.poison = None
        self.n_commits = 0

    async def commit(self, change):
        self.n_commits += 1
        if self.poison is not None and change.records and change.records[0].fired_ms == self.poison[0]:
            raise self.poison[1]
        if self.error is not None:
            raise self.error
        await super().commit(change)


@pytest.fixture
async def room():
    clock, disk = ManualClock(), Disk()
    made = Committer(disk, clock)
    task = asyncio.create_task(made.run())
    yield clock, disk, made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def commit(clock, committer, what, *, seconds=0.0):
    task = asyncio.create_task(committer.commit(what))
    await clock.advance(seconds)
    return await task


async def test_what_waited_for_the_disk_is_stored_whole_and_in_order(room):
    clock, disk, committer = room
    disk.error = StorageError("commit: database or disk is full")
    assert not await commit(clock, committer, change(1), seconds=2.1)
    for n in range(2, 6):
        assert not await commit(clock, committer, change(n))
    assert committer.is_behind
    assert committer.behind_s == pytest.approx(0.1)
    await clock.advance(60)
    disk.error = None
    await clock.advance(5)
    assert not committer.is_behind
    assert [r.fired_ms for r in await disk.load()] == [5]
    assert [t.at_ms for t in await disk.transitions()] == [5, 4, 3, 2, 1]
    assert await commit(clock, committer, change(6))


async def test_a_day_without_a_disk_is_kept_small_and_loses_no_newest(room, monkeypatch):
    clock, disk, committer = room
    monkeypatch.setattr(module, "MAX_WAITING", 20)
    monkeypatch.setattr(module, "MAX_ROWS", 50)
    disk.error = StorageError("full")
    await commit(clock, committer, change(0), seconds=2.1)
    for n in range(1, 200):
        await commit(clock, committer, change(n))
        assert committer.n_waiting <= 21
    disk.error, before = None, disk.n_commits
    await clock.advance(5)
    assert disk.n_commits - before < 25
    assert [r.fired_ms for r in await disk.load()] == [199]
    stored = [r.created_ms for r in await disk._outbox.waiting("main", now_ms=0, limit=1_000)]
    assert len(stored) + committer.n_lost == 200
    assert stored[0] == 0, "the one that was being written was never touched"
    assert stored[1:] == list(range(200 - len(stored) + 1, 200))


async def test_what_mutes_or_folds_is_never_put_together_with_others(room, monkeypatch):
    clock, disk, committer = room
    monkeypatch.setattr(module, "MAX_WAITING", 10)
    disk.error = StorageError("full")
    await commit(clock, committer, change(0), seconds=2.1)
    folding = dataclasses.replace(change(5), folded=(Fold("k1", "main", "row5"),))
    for what in (*map(change, range(1, 5)), folding, *map(change, range(6, 11))):
        await commit(clock, committer, what)
    assert [len(c.rows) for c in committer._waiting] == [1, 4, 1, 4, 1]
    assert committer._waiting[2] is folding
    for n in range(11, 40):
        await commit(clock, committer, dataclasses.replace(change(n), folded=folding.folded))
        assert committer.n_waiting <= 10
    assert committer.n_lost > 0


@pytest.mark.parametrize("error", [StorageError("a view", may_pass=False), OverflowError("too large")])
async def test_a_change_that_can_never_be_stored_does_not_hold_up_those_behind_it(room, error):
    clock, disk, committer = room
    disk.poison = (2, error)
    assert await commit(clock, committer, change(1))
    assert not await commit(clock, committer, change(2)), "it has to be told from memory"
    assert await commit(clock, committer, change(3))
    assert committer.n_lost == 1
    assert not committer.is_behind
    assert [t.at_ms for t in await disk.transitions()] == [3, 1]


def test_of_many_changes_the_newest_record_counts_and_the_oldest_rows_go(monkeypatch):
    monkeypatch.setattr(module, "MAX_ROWS", 3)
    monkeypatch.setattr(module, "MAX_TRANSITIONS", 4)
    one, lost = merged([change(n, instrument=f"v:{n % 2}") for n in range(6)])
    assert lost == 5
    assert [(r.instrument, r.fired_ms) for r in one.records] == [("v:0", 4), ("v:1", 5)]
    assert [t.at_ms for t in one.transitions] == [2, 3, 4, 5]
    assert [r.created_ms for r in one.rows] == [3, 4, 5]


class Slow(Disk):
    """Takes so many seconds for each change."""

    def __init__(self, clock):
        super().__init__()
        self.clock = clock
        self.takes_s = 0.0

    async def commit(self, change):
        await self.clock.sleep(self.takes_s)
        await super().commit(change)


@pytest.fixture
async def slow():
    clock = ManualClock()
    disk = Slow(clock)
    made = Committer(disk, clock)
    task = asyncio.create_task(made.run())
    yield clock, disk, made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.promise("P3")
async def test_what_is_stored_is_said_to_be_whatever_waits_behind_it(slow):
    """The lanes find it in the database: told from memory as well, it would be told twice."""
    clock, disk, committer = slow
    disk.takes_s = 1.5
    first = asyncio.create_task(committer.commit(change(1)))
    await clock.advance(0.5)
    second = asyncio.create_task(committer.commit(change(2)))
    await clock.advance(1.1)
    assert first.done()
    assert await first is True
    await clock.advance(0.8)
    assert not second.done()
    await clock.advance(0.2)
    assert await second is False, "two seconds are over"
    assert committer.is_behind
    await clock.advance(1.0)
    assert not committer.is_behind


@pytest.mark.promise("P4")
async def test_who_waits_goes_on_before_who_comes_when_it_is_late(slow):
    """The end of an alert that was handed over later is not told from memory before its firing."""
    clock, disk, committer = slow
    disk.takes_s = 60.0
    told = []

    async def hand_over(n):
        if not await committer.commit(change(n)):
            told.append(n)

    tasks = [asyncio.create_task(hand_over(1))]
    await clock.advance(1.5)
    tasks.append(asyncio.create_task(hand_over(2)))
    await clock.advance(0.6)
    tasks.append(asyncio.create_task(hand_over(3)))
    await clock.advance(0)
    assert told == [1, 2, 3]
    await asyncio.gather(*tasks)
