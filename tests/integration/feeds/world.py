"""What the tests of the whole feed share: an engine as far as the feed can see it, a store, and waiting."""

import asyncio
import contextlib
import random

from bot.clock import Clock
from bot.feeds.binance.feed import BinanceFeed
from bot.market.universe import Universe
from bot.model.ports import PollNeed
from bot.model.updates import (
    FeedStatus,
    History,
    InstrumentChange,
    InstrumentList,
    MarkPrices,
    OpenInterest,
    Progress,
    Tickers,
)
from bot.sim.venue import Venue
from bot.storage.memory import MemoryKeyValues


class Engine:
    """What the engine does with updates, as far as the feed can see it: rows, and what came."""

    def __init__(self) -> None:
        self.universe = Universe()
        self.rows = self.universe.venue("binance")
        self.updates: list = []
        self.oi: dict[str, list[OpenInterest]] = {}
        self.history: dict[tuple[str, str], list[History]] = {}
        self.priced: set[str] = set()
        self.status: list[FeedStatus] = []
        self.progress: dict[str, Progress] = {}

    def put(self, update) -> None:
        names = {row: i.symbol for row, i in self.rows.instruments()} if isinstance(update, MarkPrices) else {}
        match update:
            case InstrumentList():
                self.universe.apply_list(update.venue, update.instruments)
            case InstrumentChange():
                self.universe.apply_change(update.instrument)
            case OpenInterest():
                self.oi.setdefault(self.name(update.row), []).append(update)
            case History():
                self.history.setdefault((self.name(update.row), update.series), []).append(update)
            case MarkPrices():
                self.priced |= {names[row] for row in update.rows.tolist()}
            case FeedStatus():
                self.status.append(update)
            case Progress():
                self.progress[update.task] = update
        if not isinstance(update, MarkPrices | Tickers):
            self.updates.append(update)

    def name(self, row: int) -> str:
        instrument = self.universe.at(row)
        assert instrument is not None
        return instrument.symbol

    def trading(self) -> set[str]:
        return {i.symbol for _, i in self.rows.instruments() if i.is_trading}

    def needs(self) -> list[PollNeed]:
        return []

    def statuses(self, feed: str) -> list[FeedStatus]:
        return [s for s in self.status if s.feed == feed]

    def said(self, feed: str) -> list[bool]:
        return [s.live for s in self.statuses(feed)]

    def is_live(self, feed: str) -> bool:
        return self.said(feed)[-1:] == [True]

    def is_lost(self, feed: str) -> bool:
        return self.said(feed)[-1:] == [False]


def feed_of(venue: Venue, engine: Engine, store: MemoryKeyValues | None = None, **kwargs) -> BinanceFeed:
    arguments = {
        "rest_url": venue.rest_url,
        "stream_url": venue.stream_url,
        "weight_share": 0.5,
        "clock": venue.clock,
        "rows": engine.rows,
        "plan": engine,
        "sink": engine,
        "store": store or MemoryKeyValues(),
        "rng": random.Random(1),
        "venue_now": venue.clock.wall_ms,
    }
    return BinanceFeed(**{**arguments, **kwargs})


class Lag:
    """How late the loop came at its worst. On a busy machine a fast clock outruns it: calls time out and streams fall silent,
    and what is told of that is right. Where it kept up, nothing of the kind may be told.
    """

    SMALL_S = 5.0

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.worst_s = 0.0

    @property
    def is_small(self) -> bool:
        return self.worst_s < self.SMALL_S

    async def run(self) -> None:
        while True:
            slept_ms = self._clock.monotonic_ms()
            await self._clock.sleep(0.25)
            self.worst_s = max(self.worst_s, (self._clock.monotonic_ms() - slept_ms) / 1000 - 0.25)


@contextlib.asynccontextmanager
async def running(feed: BinanceFeed):
    lag = Lag(feed._clock)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run()) for run in (feed.run, lag.run)]
        try:
            yield lag
        finally:
            for task in tasks:
                task.cancel()


async def until(condition, clock, *, seconds: float) -> None:
    """Wait for a condition; a busy machine gets several times as long."""
    for _ in range(int(seconds * 16)):
        if condition():
            return
        await clock.sleep(0.25)
    raise AssertionError(f"not within {seconds} s: {condition}")
