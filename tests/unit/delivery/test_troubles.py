"""Dead destinations, pauses and the owner: what is remembered, who is told, how often."""

import json

import pytest

from bot.clock import ManualClock
from bot.delivery.lane_memory import LaneMemory, recall, remember
from bot.delivery.life import wish_key
from bot.delivery.manners import Manners
from bot.delivery.notices import Notice
from bot.errors import StorageError
from bot.model.outbox import Rejected, RetryLater
from bot.storage.memory import MemoryKeyValues

DEAD = Rejected("blocked", destination_dead=True)


async def test_the_owner_is_told_once_on_a_destination_that_lives(rooms, make):
    async with rooms(("main", "side"), preferred=("main", "side")).running() as room:
        room.main.script = [DEAD]
        await room.commit(make.row())
        await room.clock.advance(7_200)
        side = room.destinations["side"]
        [note] = side.notes
        assert note.startswith(
            "main takes no messages any more: blocked. What it missed is kept. It is tried again when "
        )
        assert note.endswith(" or by /revive main.")
        assert room.main.notes == []


async def test_who_cannot_be_told_of_a_death_is_told_when_one_lives_again(rooms, make):
    async with rooms(("main", "side")).running() as room:
        room.main.script, room.destinations["side"].script = [DEAD], [DEAD]
        await room.commit(make.row(destination="side"), make.row())
        assert room.lanes.status()[0].dead_reason
        assert room.lanes.status()[1].dead_reason
        room.lanes.revive("side")
        await room.clock.advance(1)
        notes = room.destinations["side"].notes
        assert len(notes) == 1
        assert notes[0].startswith("main takes no messages")


@pytest.mark.promise("P10")
async def test_a_dead_destination_stays_dead_over_a_restart_and_the_owner_is_not_told_again(rooms, make, keep):
    room = rooms(("main", "side"), store=keep)
    async with room.running():
        room.main.script = [DEAD]
        await room.commit(make.row())
    assert len(room.destinations["side"].notes) == 1
    room.restart()
    async with room.running():
        await room.commit(make.row(symbol="ETHUSDT"))
        await room.clock.advance(3_600)
        assert len(room.main.orders) == 1
        assert room.lanes.status()[0].dead_reason == "blocked"
        assert len(room.destinations["side"].notes) == 1
        room.lanes.revive("main")
        await room.clock.advance(1)
        assert (await room.outbox.counts())["waiting"] == 0
    room.restart()
    async with room.running():
        assert room.lanes.status()[0].dead_reason is None, "its life is remembered too"


async def test_another_address_or_secret_is_another_life(rooms, make, keep):
    room = rooms(store=keep)
    async with room.running():
        room.main.script = [DEAD]
        await room.commit(make.row())
    stored = json.loads(await keep.get("delivery.lane.main"))
    await keep.put("delivery.lane.main", json.dumps(stored | {"fingerprint": "of before"}))
    room.restart()
    async with room.running():
        await room.clock.advance(1)
        assert (await room.outbox.counts())["delivered"] == 1


async def test_a_wish_left_in_the_store_revives(rooms, make, keep):
    async with rooms(store=keep).running() as room:
        room.main.script = [DEAD]
        await room.commit(make.row())
        await room.clock.advance(60)
        assert room.lanes.dead() == {"main": "blocked"}
        await keep.put(wish_key("main"), "1")
        await room.clock.advance(60)
        assert room.lanes.dead() == {}
        assert (await room.outbox.counts())["delivered"] == 1
        room.main.script = [DEAD]
        await room.commit(make.row(symbol="ETHUSDT"))
        await room.clock.advance(120)
        assert room.lanes.dead() == {"main": "blocked"}, "a wish holds once"


@pytest.mark.promise("P10")
async def test_a_changed_secret_revives_without_a_restart(rooms, make, scripted):
    anew = scripted("main")
    asked = []

    async def renew(name):
        asked.append(name)
        return anew if len(asked) == 3 else None

    async with rooms(renew=renew).running() as room:
        room.main.script = [DEAD]
        await room.commit(make.row())
        await room.clock.advance(45)
        assert room.lanes.dead()
        await room.clock.advance(60)
        assert room.lanes.dead() == {}
        assert [len(sink.orders) for sink in (room.main, anew)] == [1, 1]
        await room.commit(make.row(symbol="ETHUSDT"))
        assert len(anew.orders) == 2
        assert asked == ["main"] * 3, "a living one is not asked for"


async def test_a_pause_that_was_asked_for_is_kept_over_a_restart(rooms, make, keep):
    room = rooms(store=keep)
    async with room.running():
        room.main.held = 100.0
        room.main.script = [RetryLater(600.0, "429")]
        await room.commit(make.row())
        await room.commit(make.row(symbol="ETHUSDT"))
    room.main.held = 0.0
    await room.clock.advance(50)
    room.restart()
    async with room.running():
        assert 49 < room.main.held <= 51, "so is that of all"
        await room.clock.advance(540)
        assert len(room.main.orders) == 1
        await room.clock.advance(20)
        assert (await room.outbox.counts())["waiting"] == 0


async def test_a_remembered_pause_is_never_longer_than_an_hour(keep):
    await remember(keep, "x", LaneMemory(paused_until_ms=10**15, held_until_ms=10**15))
    assert (await recall(keep, "x")).pauses_s(0) == (3_600.0, 3_600.0)
    assert (await recall(keep, "x")).pauses_s(10**16) == (0.0, 0.0)


@pytest.mark.parametrize("stored", ["", "{", "[]", "7", '{"paused_until_ms": "x"}', '{"told_today": 7}', '{"dead": 7}'])
async def test_a_memory_without_sense_is_none(stored, keep):
    await keep.put("delivery.lane.x", stored)
    assert (await recall(keep, "x")).dead_reason is None


async def test_a_database_that_takes_nothing_costs_only_the_memory(rooms, make):
    class Broken(MemoryKeyValues):
        async def get(self, key):
            raise StorageError("locked")

        async def put(self, key, value):
            raise StorageError("full")

    async with rooms(("main", "side"), store=Broken()).running() as room:
        room.main.script = [DEAD]
        await room.commit(make.row(), make.row(destination="side"))
        await room.clock.advance(60)
        assert len(room.destinations["side"].orders) == 1
        assert len(room.destinations["side"].notes) == 1


async def test_what_is_buried_is_told_to_the_owner_at_most_once_an_hour(rooms, make):
    async with rooms(manners=Manners(at_once=100)).running() as room:
        room.main.script = [Rejected("text refused")] * 5
        await room.commit(*(make.row(symbol=f"C{n}USDT") for n in range(5)))
        assert len(room.main.notes) == 1
        assert room.main.notes[0].startswith("main: something could not be told: #")
        assert ": text refused. " in room.main.notes[0]
        await room.clock.advance(3_601)
        room.main.script = [Rejected("text refused")]
        await room.commit(make.row(symbol="D0USDT", after_s=3_601))
        assert len(room.main.notes) == 2


async def test_a_note_is_tried_until_it_arrives(room):
    answers = [RetryLater(1.0, "down"), RetryLater(1.0, "down")]
    real = room.main.send

    async def send(order):
        return answers.pop() if answers else await real(order)

    room.main.send = send
    room.lanes.notices.tell(Notice("Something", "it happened"))
    await room.clock.advance(10)
    assert room.main.notes == ["Something: it happened"]


@pytest.mark.promise("P9")
async def test_a_hanging_chat_costs_the_others_nothing(rooms, make):
    """p99 from commit to arrival in 20 healthy chats, beside one that hangs 30 s per call, on virtual time."""

    async def waits(hangs):
        names = tuple(f"chat{n}" for n in range(21))
        async with rooms(names, manners=Manners(at_once=1000, per_minute=1000)).running() as room:
            found = []
            for n, sink in enumerate(room.destinations.values()):
                _slow(sink, room.clock, 30.0 if hangs and n == 0 else 0.2, found if n else [])
            for tick in range(100):
                rows = [make.row(symbol=f"C{tick}USDT", destination=name, after_s=tick) for name in names]
                await room.commit(*rows)
                await room.clock.advance(1)
            await room.clock.advance(60)
        assert len(found) == 2_000
        return sorted(found)[int(0.99 * len(found))]

    assert await waits(hangs=True) <= 1.2 * await waits(hangs=False)


def _slow(sink, clock: ManualClock, seconds, found):
    real = sink.send

    async def send(order):
        await clock.sleep(seconds)
        found.extend(clock.wall_ms() - row.created_ms for row in order.rows)
        return await real(order)

    sink.send = send
