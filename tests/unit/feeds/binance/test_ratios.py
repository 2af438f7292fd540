"""Rows of the long/short ratio: first what the windows reach over, then the newest of every five minutes."""

import asyncio
import contextlib
import itertools
import json
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from bot.clock import ManualClock
from bot.feeds.binance.ratios import ROW_MS, RatioPoller
from bot.feeds.client import Priority
from bot.feeds.gate import Failure
from bot.model.ports import PollNeed
from bot.model.updates import FeedStatus, History

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def need(row, *, window_ms=HOUR_MS, oi_usd=1e6, watched=False, trading=True):
    return PollNeed(row, f"S{row}USDT", 1e6, oi_usd, None, watched, trading, long_short_window_ms=window_ms)


class World:
    """A venue that publishes rows `lag_ms` after their time."""

    def __init__(self, n=3):
        self.clock = ManualClock(wall_ms=1_767_225_660_000)
        self.symbols = [f"S{i}USDT" for i in range(n)]
        self.calls = []
        self.puts = []
        self.lag_ms = 2000
        self.failure = None
        self.refused = {}
        self.oldest_ms = 0
        self.poller = RatioPoller(
            client=self, clock=self.clock, rows=self, sink=self, venue_now=self.clock.wall_ms
        )  # fmt: skip

    generation = 1

    def row(self, symbol):
        return self.symbols.index(symbol) if symbol in self.symbols else None

    def instruments(self):
        return []

    def put(self, update):
        self.puts.append(update)

    async def get(self, request, *, priority, attempts=3):
        query = {key: values[0] for key, values in parse_qs(urlsplit(request.target).query).items()}
        symbol, limit = query["symbol"], int(query["limit"])
        self.calls.append((self.clock.wall_ms(), symbol, limit, priority))
        assert request.pool == "data"
        await self.clock.sleep(0.1)
        if symbol in self.refused:
            return self.refused[symbol]
        newest_ms = (self.clock.wall_ms() - self.lag_ms) // ROW_MS * ROW_MS
        newest_ms = min(newest_ms, int(query.get("endTime", newest_ms)))
        times = [newest_ms - k * ROW_MS for k in range(limit - 1, -1, -1)]
        rows = [{"symbol": symbol, "longShortRatio": "1.5", "timestamp": t} for t in times if t >= self.oldest_ms]
        return json.dumps(rows).encode()

    def rows_of(self, row):
        return [t for u in self.puts if isinstance(u, History) and u.row == row for t in u.time_ms.tolist()]

    def statuses(self):
        return [(u.live, u.reason) for u in self.puts if isinstance(u, FeedStatus)]


@contextlib.asynccontextmanager
async def running(world):
    task = asyncio.create_task(world.poller.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def world():
    return World()


async def test_only_those_whose_rules_need_it_are_asked_about(world):
    world.poller.want([need(0), need(1, window_ms=0), need(2, trading=False)])
    async with running(world):
        await world.clock.advance(700)
    assert {symbol for _, symbol, _, _ in world.calls} == {"S0USDT"}


async def test_at_first_the_window_then_a_row_every_five_minutes_soon_after_it_is_there(world):
    world.poller.want([need(0)])
    async with running(world):
        await world.clock.advance(5)
        now_ms = world.clock.wall_ms()
        times = world.rows_of(0)
        assert now_ms - times[0] >= HOUR_MS + ROW_MS
        assert [n for _, _, n, _ in world.calls] == [16]
        await world.clock.advance(3600)
    times = sorted(set(world.rows_of(0)))
    assert {b - a for a, b in itertools.pairwise(times)} == {ROW_MS}
    assert times[-1] > now_ms + 3600_000 - 2 * ROW_MS
    assert len(world.calls) == 13
    for at_ms, _, n, priority in world.calls[1:]:
        assert (n, priority) == (3, Priority.POLL)
        assert 5000 <= at_ms % ROW_MS <= 8000
    assert world.calls[0][3] is Priority.BACKGROUND
    assert world.statuses() == [(True, "polling 1 instruments")]


async def test_a_window_of_days_is_fetched_in_pages_without_a_hole(world):
    world.poller.want([need(0, window_ms=7 * DAY_MS)])
    async with running(world):
        await world.clock.advance(20)
    times = sorted(set(world.rows_of(0)))
    assert {b - a for a, b in itertools.pairwise(times)} == {ROW_MS}
    assert times[-1] - times[0] >= 7 * DAY_MS
    assert [n for _, _, n, _ in world.calls][:4] == [500, 500, 500, 500]
    assert len(world.calls) == 5
    world.poller.want([need(0, window_ms=HOUR_MS)])
    world.poller.want([need(0, window_ms=7 * DAY_MS)])
    async with running(world):
        await world.clock.advance(20)
    assert len(world.calls) == 5, "what is known is not asked again"


async def test_a_window_that_grows_asks_for_the_older_rows_only(world):
    world.poller.want([need(0)])
    async with running(world):
        await world.clock.advance(5)
        n_rows = len(world.rows_of(0))
        world.poller.want([need(0, window_ms=DAY_MS)])
        await world.clock.advance(5)
    times = world.rows_of(0)
    assert len(world.calls) == 2
    assert max(times[n_rows:]) <= min(times[:n_rows])
    assert max(times) - min(times) >= DAY_MS


async def test_a_symbol_that_left_and_came_back_gets_its_window_anew(world):
    world.poller.want([need(0)])
    async with running(world):
        await world.clock.advance(5)
        world.poller.want([need(0)])
        await world.clock.advance(5)
        assert len(world.calls) == 1
        world.poller.want([replace(need(0), row=7)])
        await world.clock.advance(5)
    assert [n for _, _, n, _ in world.calls] == [16, 16]


async def test_a_coin_younger_than_the_window_ends_the_search_for_older_rows(world):
    world.oldest_ms = world.clock.wall_ms() - 2 * HOUR_MS
    world.poller.want([need(0, window_ms=7 * DAY_MS)])
    async with running(world):
        await world.clock.advance(250)
    assert len(world.calls) <= 6


async def test_while_the_venue_is_late_one_call_at_a_time_finds_out_for_all():
    world = World(50)
    world.poller.want([need(n) for n in range(50)])
    async with running(world):
        await world.clock.advance(30)
        assert len(world.calls) == 50
        world.lag_ms = 65_000
        await world.clock.advance(299 - world.clock.wall_ms() / 1000 % 300)
        n = len(world.calls)
        await world.clock.advance(60)
        assert 5 <= len(world.calls) - n <= 7
        await world.clock.advance(30)
        assert len({symbol for _, symbol, _, _ in world.calls[n:]}) == 50
        assert len(world.calls) - n <= 60


async def test_watched_ones_go_first_then_the_large():
    world = World(20)
    world.poller.want([need(n, oi_usd=float(n), watched=n == 3) for n in range(20)])
    async with running(world):
        await world.clock.advance(10)
    assert [s for _, s, _, _ in world.calls] == ["S3USDT", *(f"S{n}USDT" for n in range(19, -1, -1) if n != 3)]


async def test_a_hole_after_an_outage_is_filled(world):
    world.poller.want([need(0)])
    async with running(world):
        await world.clock.advance(5)
        world.refused["S0USDT"] = Failure("unreachable", "down")
        await world.clock.advance(1500)
        assert world.statuses()[-1] == (False, "the venue publishes no new rows")
        world.refused.clear()
        await world.clock.advance(60)
        assert world.statuses()[-1][0]
    times = sorted(set(world.rows_of(0)))
    assert {b - a for a, b in itertools.pairwise(times)} == {ROW_MS}


async def test_a_refused_symbol_is_left_alone_for_a_round_and_harms_nobody(world):
    world.refused["S0USDT"] = Failure("unknown_symbol", "no such symbol")
    world.poller.want([need(0), need(1)])
    async with running(world):
        await world.clock.advance(3000)
    assert [s for _, s, _, _ in world.calls].count("S0USDT") <= 11
    assert len(set(world.rows_of(1))) >= 16 + 9


async def test_a_venue_that_refuses_all_of_them_is_told_at_once_and_asked_rarely():
    world = World(5)
    world.refused = {s: Failure("bad_request", "HTTP 401: API-key format invalid.") for s in world.symbols}
    world.poller.want([need(n) for n in range(5)])
    async with running(world):
        await world.clock.advance(10)
        assert world.statuses() == [(False, "HTTP 401: API-key format invalid.")]
        await world.clock.advance(600)
        assert len(world.calls) <= 20
        world.refused.clear()
        await world.clock.advance(400)
    assert world.statuses()[-1][0]


async def test_a_ban_is_told_at_once(world):
    world.poller.want([need(0)])
    async with running(world):
        await world.clock.advance(5)
        world.failure = Failure("ban", "banned this address until 12:00")
        await world.clock.advance(2)
        assert world.statuses()[-1] == (False, "banned this address until 12:00")
        world.failure = None
        await world.clock.advance(2)
        assert world.statuses()[-1][0]
        world.failure = Failure("ban", "again")
        await world.clock.advance(2)
        world.poller.want([])
        await world.clock.advance(2)
        assert world.statuses()[-1] == (True, "no rule needs it")


async def test_after_the_windows_were_emptied_everything_is_asked_again(world):
    world.poller.want([need(0)])
    async with running(world):
        await world.clock.advance(5)
        world.clock._wall0_ms -= HOUR_MS
        world.poller.start_afresh()
        await world.clock.advance(305)
    assert [n for _, _, n, _ in world.calls] == [16, 16, 3]


async def test_unreadable_answers_are_survived(world):
    async def broken(request, *, priority, attempts=3):
        world.calls.append(request)
        return b'{"code":0}'

    world.get = broken
    world.poller.want([need(0)])
    async with running(world):
        await world.clock.advance(100)
    assert 3 <= len(world.calls) <= 6
    assert world.poller.n_failures == len(world.calls)
