"""A database that is slow, full, or not to be read, at any moments, with destinations that are replaced meanwhile: every firing is
told, no end before it, and twice only where nobody could know.
"""

import asyncio
import contextlib
import random
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.clock import ManualClock
from bot.delivery.destination import TargetGone
from bot.delivery.lanes import Lanes
from bot.delivery.manners import Manners
from bot.delivery.markup import to_plain
from bot.errors import StorageError
from bot.model.alert import TellKind
from bot.model.outbox import Delivered, Rejected, RetryLater
from bot.model.outbox_ports import Commit
from bot.storage.memory import MemoryAlertStore, MemoryKeyValues, MemoryOutbox
from tests.properties.test_what_arrives import ENDS, START_MS, Chat, row_of

READS = frozenset({"waiting", "message_of", "rows_of", "later_of", "row_of", "next_due_ms"})
WRITES = frozenset({"begin", "settle"})
REFUSALS = (
    frozenset(), frozenset(), WRITES, READS | WRITES, frozenset({"rows_of"}), frozenset({"settle"}), frozenset({"waiting"})
)  # fmt: skip
ANSWERS = (*["ok"] * 6, "later", "lost", "unsaid", "slow", "gone", "refused")
LASTS_S = 310


class World:
    """One chat behind destinations that come and go, and a database that fails by name."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.clock = ManualClock(wall_ms=START_MS)
        self.outbox = MemoryOutbox()
        self.store = MemoryAlertStore(self.outbox)
        self.refuses = frozenset()
        for name in READS | WRITES:
            setattr(self.outbox, name, self._guarded(name, getattr(self.outbox, name)))
        self.is_well = False
        self.taken = []
        self.n_doubtful = 0
        self.n = 0
        manners = Manners(per_minute=self.random.choice([4, 20]))
        self.lanes = Lanes(
            outbox=self.outbox, destinations=[Sink(self)], clock=self.clock, manners=manners, store=MemoryKeyValues()
        )

    def _guarded(self, name, real):
        async def act(*args, **kwargs):
            if name in self.refuses:
                raise StorageError(name)
            return await real(*args, **kwargs)

        return act

    def rows(self):
        """Second and row of everything that happens."""
        found = []
        for i in range(self.random.randint(1, 25)):
            fired = self.random.choice([0, 0, 1, 5, 30])
            times = sorted(self.random.randint(fired, 200) for _ in range(self.random.randint(0, 3)))
            severity = self.random.choice(["info", "warning", "warning", "critical"])
            rule = self.random.choice(["surge", "surge", "flush", "a-7q4mk2px"])
            happens = [(fired, "fire", 0)]
            happens += [(at, self.random.choice(["escalate", "update", "ack"]), n) for n, at in enumerate(times, 1)]
            if self.random.random() < 0.7:
                happens.append((self.random.randint(max([fired, *times]), 300), "end", 0))
            found += [(at, row_of(f"C{i}", kind, n, at, severity, rule)) for at, kind, n in happens]
        return sorted(found, key=lambda one: one[0])

    async def play(self, rows):
        """All of it, then half an hour in which nothing is wrong."""
        behind, is_down = [], False
        for at in range(LASTS_S):
            if self.random.random() < 0.03:
                self.refuses = self.random.choice(REFUSALS)
            is_down ^= self.random.random() < 0.04
            if self.random.random() < 0.02:
                self.lanes.switch([Sink(self)], (), on_left=_left)
            now = tuple(row for when, row in rows if when == at)
            if not is_down:
                await self._store(behind)
            if now and is_down:
                behind.append(now)
                self.lanes.offer(now)
            elif now:
                await self._store([now])
            self.lanes.notify()
            await self.clock.advance(1)
        self.refuses, self.is_well = frozenset(), True
        await self._store(behind)
        for _ in range(30):
            await self.clock.advance(60)

    async def _store(self, changes):
        while changes:
            await self.store.commit(Commit((), (), changes.pop(0)))


class Sink(Chat):
    """One destination; what it takes the world keeps."""

    def __init__(self, world):
        super().__init__(())
        self._world = world

    async def send(self, order):
        world = self._world
        world.n += 1
        kind = "ok" if world.is_well else world.random.choice(ANSWERS)
        if kind == "slow":
            await world.clock.sleep(world.random.choice([3, 20]))
        match kind:
            case "later":
                return RetryLater(1.0, "busy")
            case "gone" if order.edits:
                return TargetGone("deleted")
            # Firings are told in halves then; ends have none, and are buried.
            case "refused" if _n_new(order) > 2:
                return Rejected("a word")
            case "lost" | "unsaid":
                world.n_doubtful += len({row.key for row in order.rows})
                if kind == "unsaid":
                    world.taken.append(order)
                return RetryLater(1.0, "no answer", ambiguous=True)
        world.taken.append(order)
        return Delivered(str(world.n))


def _n_new(order):
    return 0 if order.edits else len({row.key for row in order.rows if row.kind is TellKind.FIRE})


def _shows_end(order, short_id):
    return any(short_id in text and "✅" in text for text in to_plain(order.composed()).split("\n"))


async def _left(_destination):
    pass


async def played(seed):
    world = World(seed)
    rows = world.rows()
    lanes = asyncio.create_task(world.lanes.run())
    await world.play(rows)
    lanes.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await lanes
    return world, rows, await world.outbox.counts()


@pytest.mark.promise("P14")
@pytest.mark.promise("P4")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 1 << 32))
def test_whatever_the_database_does_every_firing_is_told_once_and_before_its_end(seed):
    world, rows, counts = asyncio.run(played(seed))
    assert (counts["waiting"], counts["sending"]) == (0, 0)
    fired, ended, n_told = {}, {}, Counter()
    for n, order in enumerate(world.taken):
        with_end = {row.key for row in order.rows if row.kind in ENDS}
        late = [row for row in order.rows if row.key in ended and row.key not in with_end]
        if late and late[0].kind is TellKind.FIRE:
            # Told again, or a message about many that is brought up to date: it knows of the end.
            assert not order.edits or all(_shows_end(order, row.view.short_id) for row in late)
        else:
            assert not late, "nothing follows an end"
        assert not to_plain(order.composed()).startswith("✅ 0 ")
        for row in order.rows:
            if row.kind is TellKind.FIRE and not order.edits:
                n_told[row.key] += 1
                fired.setdefault(row.key, n)
            elif row.kind in ENDS:
                ended.setdefault(row.key, n)
    for _, row in rows:
        assert row.kind is not TellKind.FIRE or n_told[row.key], "every firing is told"
        assert row.kind not in ENDS or fired[row.key] <= ended[row.key], "every end is told, and after its firing"
    assert sum(n - 1 for n in n_told.values()) <= world.n_doubtful, "twice only where nobody could know"
