"""The daily work on a manual clock, over a real file."""

import asyncio
import threading

import pytest

from bot.app import upkeep as module
from bot.app.upkeep import DAY_MS, Upkeep
from bot.clock import ManualClock
from bot.delivery.notices import said
from bot.model.alert import State, Transition
from bot.model.outbox_ports import Commit
from bot.storage import copies
from bot.storage.alerts import SqliteAlertStore
from bot.storage.database import open_database

HOUR_S = 3_600


class World:
    def __init__(self, database, folder, keep):
        self.clock = ManualClock()
        self.folder = folder
        self.told = []
        self.database = database
        self.upkeep = Upkeep(
            database=database,
            folder=folder,
            keep=keep,
            clock=self.clock,
            venue_now=self.clock.wall_ms,
            tell=lambda words: self.told.append(said(words)),
        )

    @property
    def made(self):
        return [copy.number for copy in copies.listed(self.folder)]

    async def hours(self, n):
        """Let time pass; what runs in threads is waited for."""
        for _ in range(n):
            await self.clock.advance(HOUR_S)
            for _ in range(500):
                await asyncio.sleep(0.002)
                if self.clock._sleepers:
                    break


@pytest.fixture
async def make(tmp_path):
    opened = await open_database(tmp_path / "oibot.db", now_ms=1)
    tasks = []

    def start(keep=3):
        world = World(opened.database, tmp_path / "backups", keep)
        tasks.append(asyncio.create_task(world.upkeep.run()))
        return world

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await opened.database.close()


async def test_one_a_day_and_the_oldest_go(make):
    world = make()
    await world.hours(1)
    assert world.made == [1]
    await world.hours(22)
    assert world.made == [1]
    await world.hours(4 * 24)
    assert world.made == [3, 4, 5]
    assert world.upkeep.text().endswith("3 kept")
    assert world.told == []


async def test_restarts_neither_put_it_off_nor_repeat_it(make):
    world = make()
    await world.hours(1)
    again = make()
    again.clock = world.clock
    for _ in range(2):
        again = make()
        await again.hours(2)
    assert again.made == [1]


async def test_a_backup_of_a_clock_that_ran_ahead_puts_nothing_off(make):
    world = make()
    world.folder.mkdir()
    (world.folder / "oibot-000004-20991231T000000Z.db").write_bytes(b"")
    await world.hours(1)
    assert world.made == [4, 5]
    await world.hours(10)
    assert world.made == [4, 5]


async def test_none_wanted_none_made(make):
    world = make(keep=0)
    await world.hours(48)
    assert world.made == []
    assert world.upkeep.text() == ""


async def test_a_failure_is_said_once_and_tried_every_hour(make, monkeypatch):
    world = make()
    monkeypatch.setattr(copies, "SPARE_BYTES", 10**18)
    await world.hours(5)
    assert [n.title for n in world.told] == ["The backup failed"]
    assert "free some space" in world.told[0].text
    assert "The last backup failed" in world.upkeep.lines()[0]
    assert world.upkeep.text() == "none yet"
    monkeypatch.setattr(copies, "SPARE_BYTES", 0)
    await world.hours(1)
    assert [n.title for n in world.told] == ["The backup failed", "Backups work again"]
    assert world.upkeep.lines() == ()
    assert world.made == [1]


async def test_what_is_old_goes_every_day(make):
    world = make(keep=0)
    store = SqliteAlertStore(world.database)
    now_ms = world.clock.wall_ms()
    ages = (1, 29, 31)
    await store.commit(
        Commit((), tuple(Transition("r", "v", "S", State.FIRING, now_ms - d * DAY_MS, 1.0, f"{d}") for d in ages), ())
    )
    await world.hours(1)
    assert [t.key for t in await store.transitions()] == ["1", "29"]
    await world.hours(48)
    assert [t.key for t in await store.transitions()] == ["1"]


async def test_a_stop_in_the_middle_of_a_backup_ends_it(make, monkeypatch):
    world = make()
    interrupted = []
    real = copies.copy

    def slow(source, target, *, on_open):
        class Watched:
            def __init__(self, connection):
                self.connection = connection

            def interrupt(self):
                interrupted.append(True)
                self.connection.interrupt()

        def hold(connection):
            on_open(Watched(connection))
            begun.set()
            connection.set_progress_handler(lambda: 0 if not interrupted else 1, 10)
            asyncio.run(asyncio.sleep(0.3))

        real(source, target, on_open=hold)

    begun = threading.Event()
    monkeypatch.setattr(module.copies, "copy", slow)
    task = asyncio.create_task(world.upkeep.back_up())
    await asyncio.to_thread(begun.wait, 5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert interrupted == [True]
    for _ in range(500):
        await asyncio.sleep(0.01)
        if not list(world.folder.iterdir()):
            break
    assert list(world.folder.iterdir()) == []


async def test_a_stop_while_the_copy_is_checked_is_a_stop_and_no_fault(make, monkeypatch):
    """Its connection is closed by then, which is nothing to complain about."""
    world, checking, go_on = make(), threading.Event(), threading.Event()

    def check(path, *, shown=None):
        checking.set()
        assert go_on.wait(30)

    monkeypatch.setattr(copies, "inspect", check)
    task = asyncio.create_task(world.upkeep.back_up())
    assert await asyncio.to_thread(checking.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
