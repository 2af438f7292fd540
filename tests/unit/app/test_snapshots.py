"""When windows are put down, whether they are taken up, and that a bad disk is told once and stops nothing."""

import asyncio
import os

import numpy as np
import pytest
import structlog

from bot.app.snapshots import MAX_AGE_MS, Snapshots
from bot.clock import SystemClock
from bot.engine.engine import Engine
from bot.engine.inputs import Listed, Placed
from bot.history import snapshot
from bot.model.updates import InstrumentChange, InstrumentList, MarkPrices

T0 = 1_767_225_600_000
RULES = "- {id: a, when: 'pct(price, 5m) > 5%'}\n"


class World:
    """An engine that ticks once a second, and who keeps its windows."""

    def __init__(self, path, rules, instruments):
        self.path = path
        self.rules = rules
        self.instruments = instruments
        self.now = T0
        self.journal = []
        self.start()

    def start(self):
        self.engine = Engine(self.rules)
        self.keeper = Snapshots(self.engine, self.path, SystemClock(), journal=self)

    def restored(self, path, digest, at_ms):
        self.journal.append((path, digest, at_ms))

    def list(self):
        self.engine.consume(Listed(InstrumentList("binance", tuple(self.instruments)), self.now))

    async def run(self, seconds):
        for _ in range(seconds):
            self.now += 1_000
            n = len(self.instruments)
            at = np.full(n, self.now, dtype=np.int64)
            price = 100 + np.sin(self.now / 1e5 + np.arange(n))
            self.engine.consume(MarkPrices(np.arange(n, dtype=np.int32), price, price, price * 1e-6, at, at, 0.0))
            self.engine.consume(Placed(0, 1e6, self.now, self.now, 15_000))
            self.engine.tick(self.now)
            self.keeper.ticked(self.now)
            await self.settled()

    async def settled(self):
        assert await self.keeper.written(10)

    def on_disk(self):
        return snapshot.read(self.path).state


@pytest.fixture
def world(tmp_path, rules_of, perpetual):
    made = World(tmp_path / "snapshot" / "windows.ois", rules_of(RULES), [perpetual("A"), perpetual("B")])
    made.list()
    return made


@pytest.fixture
def told():
    with structlog.testing.capture_logs() as lines:
        yield lambda: [line["event"] for line in lines]


async def test_a_whole_copy_in_the_first_minute_then_what_came_each_minute_then_a_whole_copy_again(world, told):
    sizes, files = [], []
    for _ in range(17):
        await world.run(60)
        assert world.now - world.on_disk().now_ms < 60_000
        sizes.append(world.path.stat().st_size)
        files.append(world.path.stat().st_ino)
    grew = np.diff(sizes)
    assert len(set(files)) == 2
    assert (grew > 0).sum() == 15
    assert max(grew) < sizes[0]
    assert told() == []


async def test_a_young_snapshot_is_taken_up_and_noted_in_the_journal(world, told):
    await world.run(100)
    kept = world.on_disk()
    world.start()
    await world.keeper.load()
    world.now = kept.now_ms + MAX_AGE_MS
    world.keeper.time_known(world.now)
    assert len(world.engine.market.universe) == 2
    assert world.engine.now_ms == kept.now_ms
    assert world.journal == [(world.path, snapshot.read(world.path).digest, world.now)]
    assert told() == ["snapshot.restored"]


@pytest.mark.parametrize(("age_ms", "event"), [(MAX_AGE_MS + 1, "too_old"), (-10_001, "set_aside")])
async def test_one_too_old_or_of_the_future_is_not(world, told, age_ms, event):
    await world.run(100)
    at_ms = world.on_disk().now_ms + age_ms
    world.start()
    await world.keeper.load()
    world.keeper.time_known(at_ms)
    assert told() == [f"snapshot.{event}"]
    assert not len(world.engine.market.universe)
    assert world.path.exists() is (event == "too_old")
    world.now = at_ms
    world.list()
    await world.run(60)
    assert world.now - world.on_disk().now_ms < 60_000


async def test_none_is_normal_and_a_damaged_one_is_set_aside(world, told):
    await world.keeper.load()
    world.keeper.time_known(world.now)
    assert told() == []
    world.path.parent.mkdir()
    world.path.write_bytes(b"nonsense")
    await world.keeper.load()
    world.keeper.time_known(world.now)
    assert told() == ["snapshot.set_aside"]
    assert [p.read_bytes() for p in world.path.parent.iterdir()] == [b"nonsense"]


async def test_a_snapshot_of_other_windows_is_set_aside(world, told):
    await world.run(100)
    world.engine = Engine(world.rules, dtype="float64")
    keeper = Snapshots(world.engine, world.path, SystemClock())
    await keeper.load()
    keeper.time_known(world.now)
    assert told() == ["snapshot.set_aside"]


async def test_a_disk_that_takes_nothing_is_told_once_and_again_when_it_does(world, told):
    world.path.parent.write_text("a file where the folder should be")
    await world.run(200)
    assert told() == ["snapshot.not_written"]
    world.path.parent.unlink()
    await world.run(120)
    assert told() == ["snapshot.not_written", "snapshot.recovered"]
    assert world.now - world.on_disk().now_ms < 60_000


async def test_an_append_that_fails_leaves_the_last_whole_state_and_is_followed_by_a_whole_copy(world, told):
    await world.run(100)
    before = world.path.read_bytes()
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, world.keeper._writer._file._file.fileno())
    os.close(full)
    await world.run(60)
    assert world.path.read_bytes() == before
    assert told() == ["snapshot.not_written"]
    await world.run(60)
    assert told() == ["snapshot.not_written", "snapshot.recovered"]
    assert world.now - world.on_disk().now_ms < 60_000


async def test_a_slow_disk_keeps_no_tick_waiting_and_the_copy_waits(world, told, tmp_path):
    writer = world.keeper._writer
    release = asyncio.Event()
    loop = asyncio.get_running_loop()
    held = asyncio.run_coroutine_threadsafe
    take = writer._take

    def slowly(parts):
        held(release.wait(), loop).result(20)
        take(parts)

    writer._take = slowly
    for _ in range(120):
        world.now += 1_000
        world.engine.tick(world.now)
        world.keeper.ticked(world.now)
    assert told() == ["snapshot.not_written"]
    release.set()
    await world.settled()
    world.keeper.ticked(world.now)
    assert told() == ["snapshot.not_written", "snapshot.recovered"]


async def test_news_of_instruments_in_the_middle_of_a_copy_begin_it_anew(world, perpetual):
    await world.run(29)
    world.now += 1_000
    world.engine.tick(world.now)
    world.keeper.ticked(world.now)
    world.engine.consume(Listed(InstrumentChange(perpetual("NEW")), world.now))
    await world.run(1)
    assert not world.path.exists()
    await world.run(4)
    assert len(world.on_disk().head.instruments) == 3


@pytest.mark.parametrize("seconds", [10, 45])
async def test_at_stop_everything_is_written(world, seconds):
    await world.run(seconds)
    world.keeper.finish()
    await world.settled()
    assert world.on_disk().now_ms == world.now
