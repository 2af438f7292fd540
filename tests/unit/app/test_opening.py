"""What may pass is waited for and said once; what will not is raised; on a manual clock."""

import asyncio

import pytest

from bot.app import opening
from bot.app.opening import RETRY_S, open_patiently
from bot.clock import ManualClock
from bot.errors import StorageError


class Room:
    def __init__(self, monkeypatch, tmp_path):
        self.clock = ManualClock()
        self.stop = asyncio.Event()
        self.errors = []
        self.n_tries = 0
        self.said = []
        self.path = tmp_path / "oibot.db"
        monkeypatch.setattr(opening, "open_database", self.open)

    async def open(self, path, *, now_ms, clock, backups):
        self.n_tries += 1
        if self.errors:
            raise self.errors.pop(0)
        return "opened"

    async def say(self, notice):
        self.said.append(notice.title)

    def start(self):
        return asyncio.create_task(
            open_patiently(self.path, backups=self.path.parent, clock=self.clock, stop=self.stop, say=self.say)
        )


@pytest.fixture
async def room(monkeypatch, tmp_path):
    return Room(monkeypatch, tmp_path)


async def test_a_sound_database_is_opened_without_a_word(room):
    assert await room.start() == "opened"
    assert room.said == []


async def test_a_lock_is_waited_for_and_both_ends_are_said_once(room):
    room.errors = [StorageError("database is locked")] * 5
    task = room.start()
    await room.clock.advance(4 * RETRY_S + 1)
    assert not task.done()
    assert room.said == ["The database cannot be opened"]
    await room.clock.advance(RETRY_S)
    assert await task == "opened"
    assert room.said == ["The database cannot be opened", "The database is open again"]
    assert room.n_tries == 6


async def test_what_will_not_pass_is_raised_at_once(room):
    room.errors = [StorageError("schema 999", may_pass=False)]
    with pytest.raises(StorageError, match="schema 999"):
        await room.start()
    assert room.said == []


async def test_a_stop_ends_the_waiting(room):
    room.errors = [StorageError("full")] * 99
    task = room.start()
    await room.clock.advance(25)
    room.stop.set()
    await room.clock.advance(0)
    assert await task is None
