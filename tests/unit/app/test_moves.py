"""Groups that became supergroups are followed: routes, stored things, numbers; over restarts and new settings too."""

import json

import pytest

from bot.app.moves import KEY, Moves
from bot.errors import StorageError
from bot.model.news import ChatMoved
from bot.storage.memory import MemoryKeyValues

OLD, NEW = -5, -1005


class Stored:
    def __init__(self):
        self.calls = []
        self.is_broken = False

    async def move(self, old, new):
        if self.is_broken:
            raise StorageError("full")
        self.calls.append(("move", old, new))

    async def rename(self, old, new):
        self.calls.append(("rename", old, new))


@pytest.fixture
def values():
    return MemoryKeyValues()


@pytest.fixture
def stored():
    return Stored()


async def test_everything_follows_at_once_and_the_owner_hears_of_it(values, stored):
    moves, heard, seen = await Moves.load(values, stored), [], []
    await moves.settle({"telegram:-5": "telegram:-5", "telegram:7": "telegram"}, ["telegram", "telegram:-5"])
    moves.report = heard.append
    moves.listeners.append(lambda old, new: seen.append((old, new)))
    for _ in range(3):
        await moves.moved(OLD, NEW)
    assert moves.by_chat["telegram:-1005"] == "telegram:-5"
    assert (moves.now(OLD), moves.now(NEW), moves.now(7)) == (NEW, NEW, 7)
    assert (moves.before(NEW), moves.before(7)) == (OLD, 7)
    assert stored.calls == [("move", "telegram:-5", "telegram:-1005")]
    assert seen == [(OLD, NEW)]
    assert heard == [ChatMoved(OLD, NEW)]


async def test_after_a_restart_the_settings_may_name_the_old_number(values, stored):
    await (await Moves.load(values, stored)).moved(OLD, NEW)
    moves, by_chat = await Moves.load(values, stored), {"telegram:-5": "telegram:-5"}
    await moves.settle(by_chat, ["telegram:-5"])
    assert by_chat["telegram:-1005"] == "telegram:-5"
    assert moves.now(OLD) == NEW
    assert "rename" not in {call[0] for call in stored.calls}


async def test_or_the_new_one_and_what_waits_for_the_old_name_is_told_by_the_new(values, stored):
    await (await Moves.load(values, stored)).moved(OLD, NEW)
    moves, by_chat = await Moves.load(values, stored), {"telegram:-1005": "telegram:-1005"}
    renamed = []
    moves.followers.append(lambda *names: renamed.append(names))
    await moves.settle(by_chat, ["telegram:-1005"])
    assert stored.calls[-1] == ("rename", "telegram:-5", "telegram:-1005")
    assert renamed == [("telegram:-5", "telegram:-1005")], "what is kept for it follows"
    assert by_chat == {"telegram:-1005": "telegram:-1005"}


async def test_what_the_disk_does_not_take_is_stored_at_the_next_start(values, stored):
    stored.is_broken = True
    moves = await Moves.load(values, stored)
    await moves.moved(OLD, NEW)
    assert moves.now(OLD) == NEW, "it follows all the same"
    stored.is_broken = False
    await Moves.load(values, stored)
    assert stored.calls == [("move", "telegram:-5", "telegram:-1005")]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', '{"1": []}', "7"])
async def test_a_memory_without_sense_is_none(values, stored, text):
    await values.put(KEY, text)
    moves = await Moves.load(values, stored)
    assert moves.now(OLD) == OLD


async def test_a_circle_ends(values, stored):
    await values.put(KEY, json.dumps({"1": 2, "2": 1}))
    assert (await Moves.load(values, stored)).now(1) in {1, 2}
