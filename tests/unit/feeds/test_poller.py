import asyncio
import contextlib

import pytest

from bot.clock import ManualClock
from bot.feeds.gate import Failure
from bot.feeds.poller import OpenInterestPoller, Polling, Sample
from bot.model.instrument import Instrument
from bot.model.ports import PollNeed
from bot.model.updates import FeedStatus, OpenInterest, Progress

BAN = Failure("ban", "fapi.example banned this address until 12:00 UTC", 1)
DOWN = Failure("unreachable", "fapi.example refused the connection")


def instrument(symbol: str, status: str = "TRADING") -> Instrument:
    return Instrument("binance", symbol, "perpetual", symbol.removesuffix("USDT"), "USDT", status)


class World:
    """Rows, needs, venue and sink around a poller."""

    def __init__(self, n: int = 10, *, per_minute: float = 1000.0) -> None:
        self.clock = ManualClock()
        self.symbols = [f"S{i}USDT" for i in range(n)]
        self.generation = 1
        self.down: Failure | None = None
        self.refused: dict[str, Failure] = {}
        self.venue_ms = 1000
        self.polls: list[tuple[float, str]] = []
        self.puts: list = []
        self.gaps: list[str] = []
        self.n_drops = 0
        self.budget = per_minute
        self.poller = OpenInterestPoller(
            clock=self.clock,
            rows=self,
            sink=self,
            needs=lambda: [PollNeed(i, s, 1e6, 1e6, None, False, True) for i, s in enumerate(self.symbols)],
            fetch=self.fetch,
            polling=lambda: Polling(self.budget, max(self.budget, 600.0)),
            failure=lambda: self.down,
            on_gap=self.gaps.append,
            on_drop=self.dropped,
        )

    def dropped(self) -> None:
        self.n_drops += 1

    def row(self, symbol: str) -> int | None:
        return self.symbols.index(symbol) if symbol in self.symbols else None

    def instruments(self):
        return [(i, instrument(s)) for i, s in enumerate(self.symbols)]

    def put(self, update) -> None:
        self.puts.append(update)

    async def fetch(self, symbol: str):
        self.polls.append((self.clock.monotonic_ms() / 1000.0, symbol))
        venue_ms = self.venue_ms
        await self.clock.sleep(0.05)
        if self.down is not None:
            return self.down
        return self.refused.get(symbol) or Sample(100.0, venue_ms, venue_ms)

    def of(self, kind) -> list:
        return [update for update in self.puts if isinstance(update, kind)]

    @property
    def said(self) -> list[bool]:
        return [status.live for status in self.of(FeedStatus)]

    async def pass_(self, seconds: float) -> None:
        while seconds > 0:
            await self.clock.advance(min(1.0, seconds))
            seconds -= 1.0


@contextlib.asynccontextmanager
async def running(world: World, *, order=None):
    task = asyncio.create_task(world.poller.run())
    if order is not False:
        world.poller.begin(range(len(world.symbols)) if order is None else order)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_it_begins_with_a_sweep_in_the_given_order_and_is_live_after_it() -> None:
    world = World(30)
    async with running(world, order=range(29, -1, -1)):
        await world.pass_(10)
        assert [s for _, s in world.polls[:30]] == [f"S{i}USDT" for i in range(29, -1, -1)]
        assert world.poller.swept.is_set()
        assert world.said == [True]
        progress = world.of(Progress)
        assert (progress[-1].done, progress[-1].total) == (30, 30)


async def test_nothing_is_polled_before_it_begins() -> None:
    world = World()
    async with running(world, order=False):
        await world.pass_(120)
        assert world.polls == []
        assert world.said == []


async def test_a_sample_carries_the_interval_of_its_schedule_and_the_time_of_its_answer() -> None:
    world = World(100, per_minute=100.0)
    async with running(world):
        await world.pass_(60)
        samples = world.of(OpenInterest)
        assert {s.interval_ms for s in samples} <= set(range(15_000, 120_001))
        assert all(
            s.received_ms == pytest.approx(at * 1000.0 + 50) for s, (at, _) in zip(samples, world.polls, strict=False)
        )
        assert len({s.received_ms for s in samples}) > 90


async def test_950_instruments_stay_within_the_polls_per_minute_and_none_waits_over_its_interval() -> None:
    world = World(950, per_minute=1000.0)
    async with running(world):
        await world.pass_(420)
        later = [(at, s) for at, s in world.polls if at > 120]
        assert len(later) <= 5 * 1000 + 50
        last: dict[str, float] = {}
        gaps = []
        for at, symbol in later:
            if symbol in last:
                gaps.append(at - last[symbol])
            last[symbol] = at
        assert len(last) == 950
        assert max(gaps) <= 125


async def test_an_answer_older_than_the_last_is_dropped_and_an_equal_one_is_a_sample() -> None:
    world = World(1)
    async with running(world):
        await world.pass_(20)
        n = len(world.of(OpenInterest))
        world.venue_ms -= 1
        await world.pass_(60)
        assert len(world.of(OpenInterest)) == n
        assert world.poller.counters.older >= 3
        world.venue_ms += 1
        await world.pass_(60)
        assert len(world.of(OpenInterest)) >= n + 3


async def test_when_the_venues_clock_went_back_its_answers_count_again_at_once() -> None:
    world = World(1)
    world.venue_ms += 3_600_000
    async with running(world):
        await world.pass_(20)
        world.venue_ms -= 3_600_000
        world.poller.start_afresh()
        n = len(world.of(OpenInterest))
        await world.pass_(60)
        assert len(world.of(OpenInterest)) >= n + 3
        assert world.poller.counters.older == 0
        assert world.said == [True]


async def test_an_answer_that_was_under_way_when_the_venues_clock_went_back_is_dropped() -> None:
    world = World(1)
    world.venue_ms += 3_600_000
    async with running(world):
        await world.clock.advance(0.01)
        assert len(world.polls) == 1
        world.poller.start_afresh()
        world.venue_ms -= 3_600_000
        await world.pass_(30)
        assert {u.venue_ms for u in world.of(OpenInterest)} == {1000}


async def test_a_contract_that_does_not_trade_is_left_alone_until_the_list_says_it_does() -> None:
    world = World(5)
    async with running(world):
        await world.pass_(5)
        world.refused["S2USDT"] = Failure("not_trading", "fapi.example: HTTP 400")
        await world.pass_(40)
        world.polls.clear()
        await world.pass_(120)
        assert world.n_drops == 1
        assert "S2USDT" not in {s for _, s in world.polls}
        world.poller.listed([instrument(s, "SETTLING" if s == "S2USDT" else "TRADING") for s in world.symbols])
        await world.pass_(60)
        assert "S2USDT" not in {s for _, s in world.polls}
        world.refused.clear()
        world.poller.listed([instrument(s) for s in world.symbols])
        await world.pass_(60)
        assert "S2USDT" in {s for _, s in world.polls}


async def test_an_unknown_symbol_is_left_alone_until_the_list_changes() -> None:
    world = World(5)
    world.poller.listed([instrument(s) for s in world.symbols])
    async with running(world):
        world.refused["S2USDT"] = Failure("unknown_symbol", "fapi.example: HTTP 400")
        await world.pass_(40)
        world.polls.clear()
        world.poller.listed([instrument(s) for s in world.symbols])
        await world.pass_(60)
        assert "S2USDT" not in {s for _, s in world.polls}
        world.poller.listed([instrument(s) for s in [*world.symbols, "NEWUSDT"]])
        await world.pass_(60)
        assert "S2USDT" in {s for _, s in world.polls}


async def test_a_listing_that_is_polled_before_the_venue_knows_it_everywhere_is_tried_again_by_the_hour() -> None:
    """The list that brought it came while the poll was on its way, and may be the last one that changes for days."""
    world = World(5)
    world.poller.listed([instrument(s) for s in world.symbols])
    async with running(world):
        await world.pass_(5)
        world.symbols.append("NEWUSDT")
        world.generation += 1
        world.refused["NEWUSDT"] = Failure("unknown_symbol", "fapi.example: HTTP 400")
        while ("NEWUSDT" not in {s for _, s in world.polls}) and world.clock.monotonic_ms() < 200_000:
            await world.clock.advance(0.01)
        world.poller.listed([instrument(s) for s in world.symbols])
        await world.pass_(5)
        world.refused.clear()
        world.polls.clear()
        await world.pass_(3_600)
        assert "NEWUSDT" not in {s for _, s in world.polls}
        world.poller.listed([instrument(s) for s in world.symbols])
        await world.pass_(60)
        assert "NEWUSDT" in {s for _, s in world.polls}


async def test_a_ban_is_told_at_once_and_recovery_when_polls_are_answered_again() -> None:
    world = World(20)
    async with running(world):
        await world.pass_(20)
        world.down = BAN
        await world.pass_(3)
        assert world.said == [True, False]
        assert world.of(FeedStatus)[-1].reason == BAN.text
        await world.pass_(120)
        assert world.said == [True, False]
        world.down = None
        await world.pass_(40)
        assert world.said == [True, False, True]


async def test_the_feed_is_lost_when_the_median_instrument_is_older_than_two_and_a_half_polls() -> None:
    world = World(20)  # all at 15 s
    async with running(world):
        await world.pass_(30)
        world.down = DOWN
        await world.pass_(22)
        assert world.said == [True]
        await world.pass_(25)
        assert world.said == [True, False]
        assert world.of(FeedStatus)[-1].reason == DOWN.text
        world.down = None
        await world.pass_(30)
        assert world.said == [True, False, True]


async def test_health_is_unknown_until_the_sweep_is_over_then_young_then_late() -> None:
    world = World(20)  # all at 15 s
    assert world.poller.health().lateness is None
    async with running(world):
        await world.pass_(60)
        found = world.poller.health()
        assert found.n_polled == 20
        assert found.lateness is not None
        assert found.lateness <= 1.2
        assert found.cycle_s == pytest.approx(15.0, abs=1.5)
        world.down = DOWN
        await world.pass_(25)
        assert (world.poller.health().lateness or 0) > 2.0 - 0.5
        await world.pass_(20)
        assert (world.poller.health().lateness or 0) > 2.0


async def test_a_few_instruments_without_answers_do_not_make_it_late() -> None:
    world = World(20)
    for i in range(3):
        world.refused[f"S{i}USDT"] = Failure("server", "fapi.example fails (HTTP 500)")
    async with running(world):
        await world.pass_(200)
        assert (world.poller.health().lateness or 9) <= 1.2
        for i in range(3, 6):
            world.refused[f"S{i}USDT"] = Failure("server", "fapi.example fails (HTTP 500)")
        await world.pass_(200)
        assert (world.poller.health().lateness or 0) > 2.0


async def test_one_instrument_without_answers_is_no_loss_of_the_feed() -> None:
    world = World(20)
    world.refused["S3USDT"] = Failure("server", "fapi.example fails (HTTP 500)")
    async with running(world):
        await world.pass_(200)
        assert world.said == [True]
        assert world.poller.counters.failures >= 10


async def test_rest_that_never_answers_is_told_before_anything_was_polled() -> None:
    world = World()
    world.down = DOWN
    async with running(world, order=False):
        await world.pass_(10)
        assert world.said == []
        await world.pass_(10)
        assert [s.reason for s in world.of(FeedStatus)] == [DOWN.text]


async def test_a_gap_of_over_seven_and_a_half_minutes_is_reported_for_each_symbol_once() -> None:
    world = World(4)
    async with running(world):
        await world.pass_(20)
        world.down = DOWN
        await world.pass_(400)
        world.down = None
        await world.pass_(60)
        assert world.gaps == []
        world.down = DOWN
        await world.pass_(480)
        world.down = None
        await world.pass_(60)
        assert sorted(world.gaps) == world.symbols


async def test_a_listing_is_polled_soon_and_a_symbol_that_left_no_more() -> None:
    world = World(5)
    async with running(world):
        await world.pass_(30)
        world.symbols = ["NEWUSDT", *world.symbols[1:]]
        world.generation += 1
        world.polls.clear()
        await world.pass_(30)
        polled = {s for _, s in world.polls}
        assert "NEWUSDT" in polled
        assert "S0USDT" not in polled


async def test_it_can_be_run_again_after_it_was_cancelled() -> None:
    world = World(5)
    async with running(world):
        await world.pass_(30)
    async with running(world, order=False):
        n = len(world.of(OpenInterest))
        await world.pass_(60)
        assert len(world.of(OpenInterest)) > n
