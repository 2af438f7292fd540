"""The whole feed, as far as no socket is needed."""

import asyncio
import contextlib
import json
import random
from urllib.parse import parse_qs, urlsplit

import pytest

from bot.clock import ManualClock
from bot.feeds.binance.backlog import Backlog
from bot.feeds.binance.feed import BinanceFeed
from bot.feeds.transport import Answer
from bot.market.universe import Universe
from bot.model.instrument import Instrument
from bot.model.ports import PollNeed
from bot.model.updates import InstrumentChange, InstrumentList, OpenInterest, Tickers
from bot.storage.memory import MemoryKeyValues

HOUR_MS = 3_600_000
SYMBOLS = ("BTCUSDT", "ETHUSDT")


class Host:
    """Answers about open interest with its own time, about all else as it is told."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.ahead_ms = 0
        self.wrong_ms: list[int] = []
        """By how much the next answers are dated ahead of the clock."""
        self.banned = False
        self.halted: set[str] = set()
        self.paths: list[str] = []
        self.bodies: dict[str, object] = {"/fapi/v1/time": {"serverTime": clock.wall_ms()}}

    def now_ms(self) -> int:
        return self.clock.wall_ms() + self.ahead_ms

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def get(self, target: str) -> Answer:
        path = urlsplit(target).path
        self.paths.append(path)
        if self.banned:
            return Answer(418, {"Retry-After": "3600"}, b"")
        if path != "/fapi/v1/openInterest":
            written = json.dumps(self.bodies.get(path, [])).encode()
            await self.clock.sleep(0.05)
            return Answer(200, {}, written)
        (symbol,) = parse_qs(urlsplit(target).query)["symbol"]
        if symbol in self.halted:
            return Answer(
                400, {}, b'{"code":-4108,"msg":"Symbol is on delivering or delivered or settling or closed."}'
            )
        wrong_ms = self.wrong_ms.pop() if self.wrong_ms else 0
        body = {"symbol": symbol, "openInterest": "10", "time": self.now_ms() + wrong_ms}
        await self.clock.sleep(0.05)
        return Answer(200, {}, json.dumps(body).encode())


class World:
    """Rows, needs and sink of a feed."""

    def __init__(self, store: MemoryKeyValues | None = None) -> None:
        self.clock = ManualClock()
        self.universe = Universe()
        self.flow_ms = 0
        self.host = Host(self.clock)
        self.puts: list = []
        self.feed = BinanceFeed(
            rest_url="http://fapi.example",
            stream_url="ws://fstream.example",
            weight_share=0.5,
            clock=self.clock,
            rows=self,
            plan=self,
            sink=self,
            store=store or MemoryKeyValues(),
            rng=random.Random(1),
            venue_now=self.host.now_ms,
            transport=self.host,
        )

    def put(self, update) -> None:
        self.puts.append(update)
        if isinstance(update, InstrumentList):
            self.universe.apply_list("binance", update.instruments)
        elif isinstance(update, InstrumentChange):
            self.universe.apply_change(update.instrument)

    @property
    def generation(self) -> int:
        return self.universe.generation

    def row(self, symbol: str) -> int | None:
        return self.universe.row(f"binance:{symbol}")

    def instruments(self):
        return list(self.universe.items())

    def list(self) -> None:
        contracts = tuple(Instrument("binance", s, "perpetual", s[:3], "USDT", "TRADING") for s in SYMBOLS)
        self.universe.apply_list("binance", contracts)

    def needs(self):
        return [
            PollNeed(n, i.symbol, 1e6, 1e6, None, False, True, flow_window_ms=self.flow_ms)
            for n, i in self.universe.items()
            if self.flow_ms
        ]

    async def pass_(self, seconds: int) -> None:
        for _ in range(seconds):
            await self.clock.advance(1.0)

    async def ask(self, question) -> None:
        task = asyncio.create_task(question)
        await self.pass_(5)
        await task

    def n_samples(self) -> int:
        return sum(isinstance(update, OpenInterest) for update in self.puts)


@contextlib.asynccontextmanager
async def polling(world: World):
    world.list()
    async with world.feed.client:
        task = asyncio.create_task(world.feed.poller.run())
        world.feed.poller.begin(range(len(SYMBOLS)))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_when_the_venues_clock_went_back_open_interest_goes_on() -> None:
    world = World()
    world.host.ahead_ms = HOUR_MS
    async with polling(world):
        await world.pass_(40)
        assert world.n_samples() > 0
        world.host.ahead_ms = 0
        world.feed.windows_emptied()
        n = world.n_samples()
        await world.pass_(60)
        assert world.n_samples() >= n + 4


async def test_a_single_answer_from_the_future_does_not_end_the_polls_of_its_contract() -> None:
    world = World()
    world.host.wrong_ms = [24 * HOUR_MS]
    async with polling(world):
        await world.pass_(60)
    assert world.feed.poller.counters.older == 0
    dated = [update.venue_ms for update in world.puts if isinstance(update, OpenInterest)]
    assert sum(at_ms > world.clock.wall_ms() for at_ms in dated) == 1, (
        "who places them in time sees what the venue said"
    )


LISTED = [
    {"symbol": s, "baseAsset": s[:3], "quoteAsset": "USDT", "contractType": "PERPETUAL", "status": "TRADING"}
    for s in SYMBOLS
]


async def test_after_a_restart_funding_intervals_are_those_of_the_last_run_from_the_first_list_on() -> None:
    store = MemoryKeyValues()
    told = []
    for answer in ([{"symbol": "ETHUSDT", "fundingIntervalHours": 4}], []):
        world = World(store)
        world.host.bodies["/fapi/v1/exchangeInfo"] = {"symbols": LISTED}
        world.host.bodies["/fapi/v1/fundingInfo"] = answer
        async with world.feed.client:
            await world.ask(world.feed._begin())
        lists = [update for update in world.puts if isinstance(update, InstrumentList)]
        told.append([[i.funding_interval_h for i in update.instruments] for update in lists])
    assert told == [[[8.0, 8.0], [8.0, 4.0]], [[8.0, 4.0]]]


async def test_during_a_ban_bars_are_followed_by_the_list_of_the_last_run() -> None:
    world = World()
    world.flow_ms = HOUR_MS
    world.list()
    world.host.banned = True
    async with world.feed.client:
        begin = asyncio.create_task(world.feed._begin())
        follow = asyncio.create_task(world.feed._follow_needs())
        await world.pass_(10)
        assert world.feed.klines.n_wanted == 2
        assert len(world.host.paths) == 1
        for task in (begin, follow):
            task.cancel()
        await asyncio.gather(begin, follow, return_exceptions=True)


@pytest.mark.parametrize("status", ["BREAK", None])
async def test_a_start_while_nothing_trades_or_nothing_is_listed_asks_again(status) -> None:
    world = World()
    contract = {"symbol": "BTCUSDT", "baseAsset": "BTC", "quoteAsset": "USDT", "contractType": "PERPETUAL"}
    halted = [] if status is None else [contract | {"status": status}]
    world.host.bodies["/fapi/v1/exchangeInfo"] = {"symbols": halted}
    async with world.feed.client:
        task = asyncio.create_task(world.feed._begin())
        try:
            await world.pass_(120)
            assert 3 <= world.host.paths.count("/fapi/v1/exchangeInfo") <= 20
            world.host.bodies["/fapi/v1/exchangeInfo"] = {"symbols": [contract | {"status": "TRADING"}]}
            await world.pass_(60)
            assert task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert [i.symbol for _, i in world.instruments()] == ["BTCUSDT"]


async def test_a_list_without_contracts_ends_none() -> None:
    world = World()
    world.list()
    world.host.bodies["/fapi/v1/exchangeInfo"] = {"symbols": []}
    async with world.feed.client:
        await world.ask(world.feed.listing.ask())
    assert len(world.instruments()) == 2
    assert world.feed.listing.is_due.is_set(), "it is asked again soon"


def news(symbol: str, status: str) -> InstrumentChange:
    return InstrumentChange(Instrument("binance", symbol, "perpetual", symbol[:3], "USDT", status))


@pytest.mark.parametrize("waits_for", ["/fapi/v1/exchangeInfo", "/fapi/v1/fundingInfo"])
async def test_a_list_undoes_no_news_that_came_while_it_or_the_funding_intervals_were_on_their_way(waits_for) -> None:
    """One contract is settled, another one listed; the list was written before."""
    world = World()
    world.list()
    world.host.bodies["/fapi/v1/exchangeInfo"] = {"symbols": LISTED}
    world.host.bodies["/fapi/v1/fundingInfo"] = [{"symbol": "BTCUSDT", "fundingIntervalHours": 4}]
    async with world.feed.client:
        task = asyncio.create_task(world.feed.listing.keep())
        world.feed.listing.is_due.set()
        while waits_for not in world.host.paths:
            await world.clock.advance(0.01)
        for change in (news("ETHUSDT", "CLOSE"), news("NEWUSDT", "TRADING")):
            world.feed._tap.put(change)
        world.host.bodies["/fapi/v1/exchangeInfo"] = {"symbols": [*LISTED[:1], LISTED[0] | {"symbol": "NEWUSDT"}]}
        for _ in range(60):
            await world.clock.advance(1.0)
            assert {i.symbol for _, i in world.instruments()} == {"BTCUSDT", "NEWUSDT"}
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    hours = {i.symbol: i.funding_interval_h for _, i in world.instruments()}
    assert hours == {"BTCUSDT": 4.0, "NEWUSDT": 8.0}
    assert world.host.paths.count("/fapi/v1/exchangeInfo") == 2


async def test_a_contract_that_is_refused_again_shortly_after_the_list_is_asked_about_later_and_not_never() -> None:
    """The list goes on calling it trading; what the venue refuses for some minutes is polled again within ten."""
    world = World()
    world.host.bodies["/fapi/v1/exchangeInfo"] = {"symbols": LISTED}
    world.host.halted = {"BTCUSDT"}
    async with polling(world):
        world.feed._ready.set()
        tasks = [asyncio.create_task(run()) for run in (world.feed._begin_and_refresh, world.feed._stand_in)]
        await world.pass_(120)
        asked = world.host.paths.count("/fapi/v1/exchangeInfo")
        world.host.halted.clear()
        world.puts.clear()
        await world.pass_(480)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert asked == 1
    assert {update.row for update in world.puts if isinstance(update, OpenInterest)} == {0, 1}


async def test_a_contract_that_left_during_an_outage_does_not_cost_the_others_their_gap() -> None:
    world = World()
    world.host.bodies["/fapi/v1/premiumIndex"] = [
        {"symbol": s, "markPrice": "1", "time": world.clock.wall_ms()} for s in SYMBOLS
    ]
    async with world.feed.client:
        for listed in (LISTED, LISTED[:1]):
            world.host.bodies["/fapi/v1/exchangeInfo"] = {"symbols": listed}
            await world.ask(world.feed.listing.ask())
            await world.ask(world.feed._prices_over_rest())
            await world.pass_(600)
    assert world.feed.history.prices.pending == 1


async def test_the_table_of_volumes_is_asked_before_what_is_known_of_a_quiet_contract_expires() -> None:
    world = World()
    async with world.feed.client:
        await world.ask(world.feed._volumes_over_rest())
        world.feed._ready.set()
        task = asyncio.create_task(world.feed._stand_in())
        for _ in range(2 * 360 - 1):
            await world.clock.advance(10.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert world.host.paths.count("/fapi/v1/ticker/24hr") == 4


async def test_the_volume_of_a_contract_that_nobody_traded_for_long_is_as_new_as_the_table() -> None:
    world = World()
    world.list()
    asked_ms = world.host.now_ms()
    world.host.bodies["/fapi/v1/ticker/24hr"] = [
        {"symbol": s, "quoteVolume": "5", "closeTime": asked_ms - quiet_ms}
        for s, quiet_ms in zip(SYMBOLS, (100, 3 * HOUR_MS), strict=True)
    ]
    async with world.feed.client:
        await world.ask(world.feed._volumes_over_rest())
    (tickers,) = (update for update in world.puts if isinstance(update, Tickers))
    assert tickers.volume_24h.tolist() == [5.0, 5.0]
    assert [0 <= at_ms - asked_ms <= 5_000 for at_ms in tickers.event_ms.tolist()] == [True, True]


async def test_windows_that_were_emptied_are_filled_at_once() -> None:
    world = World()
    world.flow_ms = HOUR_MS
    world.list()
    world.host.bodies["/fapi/v1/exchangeInfo"] = {"symbols": LISTED}
    async with world.feed.client:
        world.feed.poller.swept.set()
        world.feed._ready.set()
        parts = (world.feed._warm_start, world.feed._stand_in, world.feed._begin_and_refresh)
        tasks = [asyncio.create_task(run()) for run in parts]
        await world.pass_(5)
        world.feed.history.prices = Backlog("price history", world)
        world.host.paths.clear()
        world.feed.windows_emptied()
        await world.pass_(8)
        assert world.feed.history.prices.pending == 4
        assert "/fapi/v1/ticker/24hr" in world.host.paths, "volumes of what nobody trades come with the table alone"
        assert "/fapi/v1/exchangeInfo" in world.host.paths, "no clock saw the hours between two lists"
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
