"""Trouble with what is stored is said once, and once that it is over; on a manual clock."""

import asyncio
from dataclasses import dataclass

import pytest

from bot.app.storage_watch import StorageWatch
from bot.clock import ManualClock
from bot.delivery.notices import Notices, said
from bot.errors import StorageError
from bot.storage.database import Trouble
from bot.texts import speaking


@dataclass
class Behind:
    behind_s: float = 0.0
    n_waiting: int = 0
    n_lost: int = 0

    @property
    def is_behind(self):
        return self.behind_s > 0


class Heard:
    def __init__(self):
        self.told = []
        self.words = []

    def tell(self, words):
        self.words.append(words)
        self.told.append(said(words))

    def look_again(self):
        pass

    @property
    def titles(self):
        return [n.title for n in self.told]


class World:
    def __init__(self):
        self.clock = ManualClock()
        self.trouble = Trouble()
        self.committer = Behind()
        self.heard = Heard()
        self.disk_error = None
        self.watch = StorageWatch(
            trouble=self.trouble,
            committer=self.committer,
            probe=self.probe,
            notices=self.heard,
            clock=self.clock,
        )

    def fail(self, reason):
        self.trouble.n_failed += 1
        self.trouble.reason = reason

    async def probe(self):
        if self.disk_error:
            self.fail(self.disk_error)
            raise StorageError(self.disk_error)


@pytest.fixture
async def world():
    made = World()
    task = asyncio.create_task(made.watch.run())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


DOWN, UP = "Nothing can be stored", "Storing works again"


async def test_a_healthy_database_says_nothing(world):
    await world.clock.advance(3_600)
    assert world.heard.told == []
    assert world.watch.lines() == ()


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("commit: database or disk is full", "free some space"),
        ("commit: database is locked", "another program holds the database"),
        ("commit: attempt to write a readonly database", "read-only"),
        ("commit: disk I/O error", "the disk reports errors"),
        ("commit: the disk does not answer", "does not answer"),
        ("commit: something new", "something new"),
    ],
)
async def test_trouble_is_said_once_in_plain_words_and_so_is_its_end(world, reason, words):
    world.disk_error = reason
    world.fail(reason)
    await world.clock.advance(600)
    assert world.heard.titles == [DOWN]
    assert words in world.heard.told[0].text
    assert words in world.watch.lines()[0]
    world.disk_error = None
    await world.clock.advance(40)
    assert world.heard.titles == [DOWN, UP]
    assert "10m" in world.heard.told[1].text
    assert "Nothing is lost" in world.heard.told[1].text
    assert world.watch.lines() == ()
    await world.clock.advance(3_600)
    assert len(world.heard.told) == 2


async def test_a_commit_that_hangs_is_trouble_though_nothing_failed(world):
    for n in range(30):
        world.committer.behind_s = n
        await world.clock.advance(1)
    assert world.heard.titles == [DOWN]
    assert "does not answer" in world.heard.told[0].text
    world.committer.behind_s = 0
    await world.clock.advance(30)
    assert world.heard.titles == [DOWN, UP]


async def test_a_short_wait_of_the_committer_is_none(world):
    world.committer.behind_s = 5
    await world.clock.advance(5)
    world.committer.behind_s = 0
    await world.clock.advance(60)
    assert world.heard.told == []


async def test_it_is_not_over_while_changes_wait(world):
    world.fail("full")
    world.committer.behind_s, world.committer.n_waiting = 3, 7
    await world.clock.advance(100)
    assert world.heard.titles == [DOWN]
    assert "7 changes wait" in world.watch.lines()[0]


async def test_what_comes_and_goes_is_not_told_every_time(world):
    for _ in range(6):
        world.fail("locked")
        await world.clock.advance(30)
    assert world.heard.titles == [DOWN, UP]
    world.disk_error = "locked"
    world.fail("locked")
    await world.clock.advance(90)
    assert world.heard.titles == [DOWN, UP, DOWN], "but what lasts is"


async def test_damage_stays_until_the_next_start(world):
    world.fail("commit: database disk image is malformed")
    world.trouble.damage = world.trouble.reason
    await world.clock.advance(3_600)
    assert world.heard.titles == [DOWN]
    assert "restart the bot" in world.heard.told[0].text
    assert "damaged" in world.watch.lines()[0]


async def test_what_was_lost_is_said_at_the_end(world):
    world.fail("full")
    world.committer.n_lost = 3
    await world.clock.advance(60)
    assert "3 changes did not fit" in world.heard.told[1].text


def test_the_watch_needs_no_more_of_notices_than_it_has():
    assert {"tell", "look_again"} <= set(dir(Notices))


async def test_it_is_put_into_words_where_it_is_told(world):
    world.fail("commit: database or disk is full")
    await world.clock.advance(1)
    world.committer.n_lost = 3
    await world.clock.advance(60)
    with speaking("zh"):
        down, up = map(said, world.heard.words)
    assert (down.title, up.title) == ("无法存储任何内容", "存储已恢复")
    assert down.text.startswith("原因：磁盘已满；请腾出空间。")
    assert up.text.endswith("3 项更改内存放不下，不在历史中。")
