"""Engine, routing, muting and SQLite together: a silence over a restart, and what is told when it ends."""

import asyncio
import contextlib

import pytest

from bot.app.committer import Committer
from bot.app.live import Live
from bot.app.mutes import Mutes
from bot.app.routing import Routes
from bot.clock import ManualClock
from bot.engine.engine import Engine
from bot.market.mailbox import Mailbox
from bot.model.silence import Silence
from bot.model.updates import InstrumentList
from bot.storage.alerts import SqliteAlertStore
from bot.storage.database import open_database
from bot.storage.outbox import SqliteOutbox
from tests.support.middle import RunningMiddle

T0 = 1_767_225_600_000
RULES = "- {id: level, when: price >= 100, cooldown: 0s}\n- {id: loud, when: price >= 200, severity: critical}\n"


class Run(RunningMiddle):
    """One run of the bot's middle over a database."""

    def __init__(self, clock, path, rules, instruments):
        self.clock, self.path, self.rules, self.instruments = clock, path, rules, instruments
        self.woken = []

    async def __aenter__(self):
        opened = await open_database(self.path, now_ms=self.clock.wall_ms())
        assert opened.damage is None
        self.database = opened.database
        self.alerts, self.outbox = SqliteAlertStore(self.database), SqliteOutbox(self.database)
        self.mutes = await Mutes.load(self.database)
        self.mailbox = Mailbox()
        self.committer = committer = Committer(self.alerts, self.clock)
        self.live = Live(
            engine=Engine(self.rules, records=await self.alerts.load()),
            mailbox=self.mailbox,
            clock=self.clock,
            committer=committer,
            routes=Routes.of(["console"]),
            on_rows=self.woken.append,
            muting=self.mutes.muting,
        )
        self.tasks = [asyncio.create_task(self.live.run()), asyncio.create_task(committer.run())]
        self.mailbox.put(InstrumentList("binance", tuple(self.instruments)))
        return self

    async def push(self, *prices):
        self.put_prices(*prices)
        await self.settle(1.0)

    async def silence(self, **changes):
        one = Silence(
            **({"id": "s-1", "starts_ms": T0, "ends_ms": T0 + 60_000, "author": "t", "created_ms": T0} | changes)
        )
        assert await self.mutes.store.add(one)
        self.mutes.muting.add(one)

    async def told(self):
        rows = await self.outbox.waiting("console", now_ms=1 << 50, limit=99)
        return [(r.kind.value, r.view.rule_id, r.view.base) for r in rows]

    async def states(self):
        return {state: n for state, n in (await self.outbox.counts()).items() if n}


@pytest.fixture
def run(tmp_path, rules_of, perpetual):
    clock = ManualClock(wall_ms=T0)
    coins = [perpetual(base) for base in ("A", "B", "C")]

    @contextlib.asynccontextmanager
    async def start():
        async with Run(clock, tmp_path / "oibot.db", rules_of(RULES), coins) as made:
            yield made

    return start


async def test_what_fires_in_a_silence_is_told_once_after_it_though_the_bot_restarts(run):
    async with run() as bot:
        await bot.silence()
        await bot.push(99, 99, 99)
        await bot.push(101, 101, 99)
        assert await bot.told() == []
        assert await bot.states() == {"muted": 2}
    async with run() as bot:
        assert bot.mutes.muting.n_kept == 2
        await bot.push(101, 99, 99)  # B ends
        await bot.push(101, 99, 99)
        assert await bot.told() == []
        assert await bot.states() == {"muted": 3}
    async with run() as bot:
        await bot.push(101, 99, 101)  # C fires after the restart, still silenced
        await bot.settle(60)
        await bot.push(101, 99, 101)
        assert sorted(await bot.told()) == [("fire", "level", "A"), ("fire", "level", "C"), ("summary", "", "")]
        assert await bot.states() == {"waiting": 3, "folded": 2}
        assert bot.woken, "the lanes are woken"
        (row,) = [r for r in await bot.outbox.waiting("console", now_ms=1 << 50, limit=99) if r.kind == "summary"]
        assert [(m.title, m.n, [coin for coin, _ in m.named]) for m in row.view.missed] == [("level", 1, ["B"])]
    async with run() as bot:
        await bot.push(99, 99, 99)
        await bot.push(99, 99, 99)
        told = await bot.told()
        assert sorted(told) == [
            ("end", "level", "A"),
            ("end", "level", "C"),
            ("fire", "level", "A"),
            ("fire", "level", "C"),
            ("summary", "", ""),
        ]


async def test_muting_changes_no_transition(run):
    async with run() as bot:
        await bot.silence(severities=("info", "warning"))
        for prices in ((99, 99, 99), (101, 250, 99), (99, 250, 101)):
            await bot.push(*prices)
        transitions = [(t.rule_id, t.symbol, t.state.value) for t in reversed(await bot.alerts.transitions())]
        assert transitions == [
            ("level", "AUSDT", "firing"),
            ("level", "BUSDT", "firing"),
            ("loud", "BUSDT", "firing"),
            ("level", "AUSDT", "resolved"),
            ("level", "CUSDT", "firing"),
        ]
        assert await bot.told() == [("fire", "loud", "B")]


async def test_a_silence_that_is_ended_tells_within_two_ticks(run):
    async with run() as bot:
        await bot.silence()
        await bot.push(99, 99, 99)
        await bot.push(101, 99, 99)
        await bot.mutes.store.expire("s-1", at_ms=bot.live.venue_now())
        bot.mutes.muting.expire("s-1", bot.live.venue_now())
        await bot.settle(2.0)
        assert await bot.told() == [("fire", "level", "A")]
