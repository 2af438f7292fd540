"""The past asked of the venue: what is asked, what comes into the store, and what a refusal costs."""

import asyncio
import json
from random import Random
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from bot.app.history_fill import CALLS_BESIDE, Filler, FillError
from bot.clock import ManualClock
from bot.feeds.transport import Answer
from bot.history.store import Store
from bot.model.history import BAR_MS
from bot.storage.memory import MemoryKeyValues
from bot.storage.memory_history import MemoryHistoryIndex
from tests.support.bars import DAY_MS, known_cells, minutes, rows_of

KEY = "binance:AUSDT"
BOOK = "feeds.binance.rest"
FIVE = 300_000


def price(open_ms):
    return round(100 + (open_ms // BAR_MS % 1_000) / 100, 2)


class Host:
    """A venue that knows everything of one contract, for as long as it likes to answer."""

    def __init__(self, clock, *, onboard_days=400):
        self.clock = clock
        self.onboard_days = onboard_days
        self.calls = []
        self.refuse = {}

    async def open(self): ...

    async def close(self): ...

    async def get(self, target):
        url = urlsplit(target)
        params = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.calls.append((self.clock.wall_ms(), url.path, params))
        await self.clock.sleep(0.02)
        if url.path in self.refuse:
            return self.refuse[url.path]
        found = getattr(self, url.path.rsplit("/", 1)[1])(params)
        return Answer(200, {"X-MBX-USED-WEIGHT-1M": "10"}, json.dumps(found).encode())

    def time(self, _):
        return {"serverTime": self.clock.wall_ms() + 5_000}

    def exchangeInfo(self, _):
        onboard = self.clock.wall_ms() - self.onboard_days * DAY_MS
        symbol = {"baseAsset": "A", "quoteAsset": "USDT", "status": "TRADING", "contractType": "PERPETUAL"}
        return {"symbols": [{"symbol": "AUSDT", "underlyingType": "COIN", "onboardDate": onboard, **symbol}]}

    def _times(self, params, step_ms, most):
        assert int(params["limit"]) <= most
        first, last = int(params["startTime"]), int(params["endTime"])
        times = range(-(-first // step_ms) * step_ms, min(last, self.clock.wall_ms()) + 1, step_ms)
        return list(times)[: int(params["limit"])]

    def markPriceKlines(self, params):
        assert int(params["limit"]) < 500
        return [
            [
                t,
                str(price(t)),
                str(price(t) + 1),
                str(price(t) - 1),
                str(price(t) + 0.5),
                "0",
                t + 59_999,
                "0",
                60,
                "0",
                "0",
                "0",
            ]
            for t in self._times(params, BAR_MS, 499)
        ]

    def klines(self, params):
        return [
            [t, "1", "1", "1", "1", "9", t + 59_999, "400", 7, "3", "100", "0"]
            for t in self._times(params, BAR_MS, 499)
        ]

    def openInterestHist(self, params):
        if int(params["startTime"]) < self.clock.wall_ms() - 30 * DAY_MS:
            raise AssertionError("asked further back than 30 days")
        return [{"sumOpenInterest": str(t // FIVE), "timestamp": t} for t in self._times(params, FIVE, 500)]

    def topLongShortPositionRatio(self, params):
        return [{"longShortRatio": "1.5", "timestamp": t} for t in self._times(params, FIVE, 500)]

    def fundingRate(self, _):
        eight = 8 * 3_600_000
        last = self.clock.wall_ms() // eight
        return [{"fundingRate": "0.0001", "fundingTime": k * eight + 3} for k in range(last - 99, last + 1)]


class World:
    def __init__(self, folder, **options):
        self.clock = ManualClock()
        self.host = Host(self.clock, **options)
        self.store = Store(folder, MemoryHistoryIndex())
        self.values = MemoryKeyValues()
        self.told = []

    def filler(self, *, is_beside=False):
        return Filler(
            self.store,
            base_url="http://fapi.example",
            clock=self.clock,
            values=self.values,
            is_beside=is_beside,
            weight_share=0.5,
            random=Random(1),
            transport=self.host,
        )

    async def filled(self, days, *, is_beside=False, is_stopped=lambda: False):
        async def job():
            async with self.filler(is_beside=is_beside) as filler:
                (instrument,) = await filler.instruments()
                return await filler.fill(instrument, days, tell=lambda *n: self.told.append(n), is_stopped=is_stopped)

        return await self.run(job())

    async def run(self, job):
        task = asyncio.create_task(job)
        for _ in range(20_000):
            if task.done():
                break
            await self.clock.advance(0.5)
        return await task

    def paths(self):
        return [path.rsplit("/", 1)[1] for _, path, _ in self.host.calls]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


async def test_two_days_come_whole_with_every_series_at_its_own_time(world):
    done = await world.filled(2)
    assert done.problem == ""
    assert done.n_rows == {"price": 2_880, "volume": 2_880, "oi": 576, "long_short": 576, "funding": 6}
    assert world.told[-1] == (done.n_calls, done.n_calls)
    found = known_cells(world.store, [KEY], world.clock.wall_ms() - 3 * DAY_MS, world.clock.wall_ms() + DAY_MS)
    closes = sorted(close for _, close in found)
    assert closes == list(range(closes[0], closes[0] + 2_880 * BAR_MS, BAR_MS))
    assert world.clock.wall_ms() - closes[-1] < 2 * BAR_MS
    for close in closes:
        bar = found[KEY, close]
        at = price(close - BAR_MS)
        assert (bar["open"], bar["high"], bar["low"], bar["close"]) == (at, at + 1, at - 1, at + 0.5)
        assert (bar["volume"], bar["taker_buy"]) == (400.0, 0.25)
        assert ("oi" in bar) == (close % FIVE == 0)
        if "oi" in bar:
            assert (bar["oi"], bar["oi_ms"], bar["oi_valid_ms"]) == (close // FIVE, close, 450_000)
    assert world.store.instruments([KEY])[0].onboard_ms > 0
    assert {part.kind for part in world.store.index.parts()} == {"fill"}


async def test_what_is_known_is_not_asked_for_again(world):
    await world.filled(1)
    n = len(world.host.calls)
    done = await world.filled(1)
    # A minute or two have passed, and fundings are one call.
    assert len(world.host.calls) - n <= 2 + 3 + 2
    assert done.n_rows["funding"] == 3


async def test_only_a_hole_is_asked_for(world):
    now = world.clock.wall_ms() // BAR_MS * BAR_MS
    first = now // BAR_MS - 1_440
    seen = minutes(KEY, 0, 1_440, volume=1.0, long_short=1.0, oi=5.0, oi_ms=1.0, oi_valid_ms=1.0)
    cells = {(KEY, (first + k + 1) * BAR_MS): bar for k, bar in enumerate(seen.values()) if not 600 <= k < 660}
    world.store.add(rows_of(cells), source="live")
    done = await world.filled(1)
    assert done.n_rows["price"] in range(60, 63)
    (call,) = [
        params for _, path, params in world.host.calls if path.endswith("markPriceKlines") and int(params["limit"]) > 2
    ]
    assert int(call["limit"]) == 60
    found = known_cells(world.store, [KEY], now - DAY_MS, now)
    assert len(found) == 1_440
    # What the bot saw itself still counts.
    assert found[KEY, (first + 10) * BAR_MS] == cells[KEY, (first + 10) * BAR_MS]


async def test_open_interest_is_asked_for_as_far_back_as_there_is_any(world):
    done = await world.filled(33)
    assert done.problem == ""
    assert done.n_rows["price"] == 33 * 1_440
    assert 29 * 288 < done.n_rows["oi"] < 30 * 288


async def test_nothing_is_asked_from_before_a_contract_was_there(tmp_path):
    world = World(tmp_path, onboard_days=1)
    done = await world.filled(30)
    assert done.n_rows["price"] == pytest.approx(1_440, abs=2)


async def test_a_ban_ends_it_at_once_keeps_what_came_and_is_remembered(world):
    until_ms = world.clock.wall_ms() + 600_000
    body = b'{"code":-1003,"msg":"Way too many requests; IP(1.2.3.4) banned until %d."}' % until_ms
    world.host.refuse["/futures/data/openInterestHist"] = Answer(418, {"Retry-After": "600"}, body)
    done = await world.filled(1)
    assert "banned this address until" in done.problem
    assert done.n_rows == {"price": 1_440, "volume": 1_440}
    assert len(known_cells(world.store, [KEY], until_ms - 2 * DAY_MS, until_ms)) == 1_440
    n = len(world.host.calls)
    with pytest.raises(FillError, match="banned this address until"):
        await world.filled(1)
    assert len(world.host.calls) == n


async def test_beside_a_bot_it_writes_nothing_into_its_books_and_leaves_it_its_calls(world):
    begun = world.clock.wall_ms()
    await world.filled(30, is_beside=True)
    assert BOOK not in world.values._values
    data = [at for at, path, _ in world.host.calls if path.startswith("/futures/data")]
    assert max(sum(1 for t in data if start <= t < start + 300_000) for start in data) <= CALLS_BESIDE
    weight = [at for at, path, _ in world.host.calls if path.startswith("/fapi/v1/") and "funding" not in path]
    assert max(sum(2 for t in weight if start <= t < start + 60_000) for start in weight) <= 0.2 * 2_400
    assert world.clock.wall_ms() > begun


def used(clock, n):
    """The book of one that has just used much."""
    second, minute = clock.wall_ms() // 1_000, clock.wall_ms() // 60_000
    return json.dumps({"minute": minute, "own": 1_100, "calls": {"data": [[second, n]]}, "pause": {}})


async def test_beside_a_bot_that_uses_its_part_of_the_limits_it_uses_its_own(world):
    await world.values.put(BOOK, used(world.clock, 800))
    begun_ms = world.clock.wall_ms()
    done = await world.filled(1, is_beside=True)
    assert done.n_rows["oi"] == 288
    assert world.clock.wall_ms() - begun_ms < 30_000
    assert json.loads(await world.values.get(BOOK))["calls"] == {"data": [[begun_ms // 1_000, 800]]}


async def test_beside_a_bot_twice_it_remembers_what_it_used_itself(world):
    await world.values.put(f"{BOOK}.beside", used(world.clock, CALLS_BESIDE))
    begun_ms = world.clock.wall_ms()
    await world.filled(1, is_beside=True)
    assert world.clock.wall_ms() - begun_ms > 250_000


async def test_beside_a_bot_it_obeys_the_pause_that_the_bot_was_told(world):
    until_ms = world.clock.wall_ms() + 600_000
    body = b'{"code":-1003,"msg":"Way too many requests; IP(1.2.3.4) banned until %d."}' % until_ms
    world.host.refuse["/futures/data/openInterestHist"] = Answer(418, {"Retry-After": "600"}, body)
    await world.filled(1)
    with pytest.raises(FillError, match="banned this address until"):
        await world.filled(1, is_beside=True)


async def test_stopped_it_keeps_what_came_and_goes_on_from_there(world):
    n = 0

    def is_stopped():
        nonlocal n
        n += 1
        return n > 3

    done = await world.filled(2, is_stopped=is_stopped)
    assert (done.problem, done.n_rows) == ("stopped", {"price": 3 * 499})
    done = await world.filled(2)
    assert done.n_rows["price"] == pytest.approx(2_880 - 3 * 499, abs=2)


async def test_an_answer_that_is_none_is_said(world):
    world.host.refuse["/fapi/v1/klines"] = Answer(200, {}, b'{"code":-1,"msg":"oops"}')
    done = await world.filled(0.1)
    assert "expected an array: the answer of klines" in done.problem
    assert done.n_rows == {"price": 144}


def test_rows_are_read_one_by_one():
    from bot.feeds.binance import bars

    good = [60_000, "1", "2", "0.5", "1.5", "0", 119_999, "10", 1, "0", "20", "0"]
    body = json.dumps(
        [good, ["x"], [], [120_000, "-1", "2", "1", "1"], [180_001, "1", "1", "1", "1"], [240_000, "1", "1", "1", "1"]]
    )
    found = bars.parse_mark_bars(body.encode(), KEY, now_ms=290_000)
    assert found.close_ms.tolist() == [120_000]
    assert {n: c.tolist() for n, c in found.columns.items()} == {"open": [1], "high": [2], "low": [0.5], "close": [1.5]}
    traded = bars.parse_traded_bars(json.dumps([good, [60_000]]).encode(), KEY, now_ms=290_000)
    assert traded.columns["volume"].tolist() == [10.0]
    assert traded.columns["taker_buy"].tolist() == [1.0]
    nothing = bars.parse_traded_bars(json.dumps([[*good[:7], "0", 0, "0", "0", "0"]]).encode(), KEY, now_ms=290_000)
    assert np.isnan(nothing.columns["taker_buy"]).all()


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("/fapi/v1/time", b'{"serverTime":"soon"}', "expected epoch milliseconds in `serverTime` of time, found"),
        ("/fapi/v1/time", b"[]", "expected"),
        ("/fapi/v1/exchangeInfo", b'{"symbols":[]}', "expected contracts in `symbols` of exchangeInfo, found none"),
        ("/fapi/v1/exchangeInfo", b'{"code":0,"msg":"no"}', "expected"),
    ],
)
async def test_answers_that_cannot_be_read_end_it_with_what_was_found_and_what_to_do(world, path, body, told):
    world.host.refuse[path] = Answer(200, {}, body)
    with pytest.raises(FillError) as found:
        await world.filled(1)
    assert str(found.value).startswith(f"history fill: {told}")
    assert str(found.value).endswith("; check OIBOT_BINANCE__REST_URL")
