import asyncio
import contextlib
import itertools
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from bot.clock import ManualClock
from bot.feeds.binance.warm import HistoryFiller
from bot.feeds.client import Priority
from bot.feeds.gate import Failure
from bot.model.ports import PollNeed
from bot.model.updates import Bars, History, Progress

MINUTE_MS = 60_000


def need(row: int, *, oi_usd: float = 1e6, watched: bool = False, trading: bool = True, flow_ms: int = 0) -> PollNeed:
    return PollNeed(row, f"S{row}USDT", 1e6, oi_usd, None, watched, trading, flow_window_ms=flow_ms)


class World:
    """A client that answers in the venue's form, and what came of it."""

    def __init__(self, n: int = 5, **kwargs) -> None:
        self.clock = ManualClock()
        self.symbols = [f"S{i}USDT" for i in range(n)]
        self.refusals: dict[str, list[Failure]] = {}
        self.calls: list[tuple[str, str, int]] = []
        self.closes: list[tuple[str, int]] = []
        self.ends: list[int] = []
        self.priorities: set[Priority] = set()
        self.puts: list = []
        self.n_eased = 0
        self.latency_s = 0.1
        self.paused_until_ms: int | None = None
        self.filler = HistoryFiller(
            client=self,
            clock=self.clock,
            rows=self,
            sink=self,
            venue_now=self.clock.wall_ms,
            on_ease=self.ease,
            on_bars=lambda symbol, close_ms: self.closes.append((symbol, close_ms)),
            **kwargs,
        )

    generation = 1

    def ease(self) -> None:
        self.n_eased += 1

    def row(self, symbol: str) -> int | None:
        return self.symbols.index(symbol) if symbol in self.symbols else None

    def put(self, update) -> None:
        self.puts.append(update)

    async def get(self, request, *, priority, attempts=3):
        query = {key: values[0] for key, values in parse_qs(urlsplit(request.target).query).items()}
        symbol = query["symbol"]
        what = "oi" if "openInterestHist" in request.path else query["interval"]
        if request.path == "/fapi/v1/klines":
            what = f"volume {what}"
            self.ends.append(int(query.get("endTime", 0)))
        self.calls.append((symbol, what, int(query["limit"])))
        self.priorities.add(priority)
        await self.clock.sleep(self.latency_s)
        if self.refusals.get(symbol):
            return self.refusals[symbol].pop(0)
        now_ms = self.clock.wall_ms()
        if what == "oi":
            rows = [
                f'{{"symbol":"{symbol}","sumOpenInterest":"10","sumOpenInterestValue":"9","timestamp":{now_ms - ago}}}'
                for ago in (600_000, 300_000)
            ]
        elif what.startswith("volume"):
            step = MINUTE_MS if what == "volume 1m" else 5 * MINUTE_MS
            last = now_ms // step * step
            rows = [f'[{last - ago * step},"1","1","1","2","9",0,"{100 + ago}",3,"4","50","0"]' for ago in (3, 2, 1, 0)]
        else:
            step = MINUTE_MS if what == "1m" else 5 * MINUTE_MS
            rows = [f'[{now_ms - ago * step},"1","1","1","2","0"]' for ago in (3, 2, 1, 0)]
        return f"[{','.join(rows)}]".encode()

    def history(self, series: str) -> list[History]:
        return [u for u in self.puts if isinstance(u, History) and u.series == series]


@contextlib.asynccontextmanager
async def running(world: World):
    task = asyncio.create_task(world.filler.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_watched_ones_go_first_then_the_largest_and_minutes_before_five_minutes() -> None:
    world = World(12)
    needs = [need(i, oi_usd=float(i), watched=i == 3) for i in range(12)]
    async with running(world):
        world.filler.plan(needs)
        await world.clock.advance(30)
    order = ["S3USDT", *(f"S{i}USDT" for i in range(11, -1, -1) if i != 3)]
    assert [s for s, what, _ in world.calls if what == "oi"] == order
    assert [s for s, what, _ in world.calls if what == "1m"] == order
    assert [s for s, what, _ in world.calls if what == "5m"] == order
    whats = [what for _, what, _ in world.calls if what != "oi"]
    assert whats == ["1m"] * 12 + ["5m"] * 12
    assert {(what, limit) for _, what, limit in world.calls} == {("oi", 292), ("1m", 99), ("5m", 290)}
    assert world.priorities == {Priority.BACKGROUND}


async def test_history_comes_ascending_with_its_row_and_without_the_running_bar() -> None:
    world = World(3)
    async with running(world):
        world.filler.plan([need(2)])
        await world.clock.advance(5)
    (oi,) = world.history("oi")
    minutes, fives = world.history("price")
    assert (oi.row, minutes.row, oi.valid_ms, minutes.valid_ms, fives.valid_ms) == (2, 2, 450_000, 90_000, 450_000)
    assert len(minutes.time_ms) == 3
    assert (np.diff(minutes.time_ms) == MINUTE_MS).all()


async def test_five_minute_bars_are_fetched_only_where_over_ninety_minutes_are_needed() -> None:
    world = World(3, lookback_ms=lambda n: 4 * 3_600_000 if n.row == 1 else 90 * MINUTE_MS)
    async with running(world):
        world.filler.plan([need(i) for i in range(3)])
        await world.clock.advance(10)
    assert [s for s, what, _ in world.calls if what == "5m"] == ["S1USDT"]


async def test_each_thing_is_asked_for_once_however_often_it_is_planned() -> None:
    world = World(3)
    async with running(world):
        for _ in range(3):
            world.filler.plan([need(i) for i in range(3)])
            await world.clock.advance(10)
    assert len(world.calls) == len(set(world.calls)) == 9


async def test_what_does_not_trade_has_no_past_to_fetch_and_a_listing_gets_its_own_start() -> None:
    world = World(3)
    async with running(world):
        world.filler.plan([need(0), need(1, trading=False)])
        await world.clock.advance(10)
        assert {s for s, _, _ in world.calls} == {"S0USDT"}
        world.filler.plan([need(0), need(1), need(2)])
        await world.clock.advance(10)
    assert [s for s, _, _ in world.calls].count("S0USDT") == 3
    assert {s for s, _, _ in world.calls} == {"S0USDT", "S1USDT", "S2USDT"}


async def test_failures_that_pass_are_tried_again_five_times_and_pauses_for_ever() -> None:
    world = World(3)
    world.refusals = {
        "S0USDT": [Failure("unreachable", "down")] * 4,
        "S1USDT": [Failure("server", "fails")] * 100,
        "S2USDT": [Failure("ban", "banned", 1)] * 12,
    }
    async with running(world):
        world.filler.plan([need(i) for i in range(3)])
        await world.clock.advance(60)
    assert {h.row for h in world.history("oi")} == {0, 2}
    assert world.filler.given_up == 3
    assert [s for s, what, _ in world.calls if what == "oi"].count("S1USDT") == 5
    assert world.filler.prices.pending == world.filler.open_interest.pending == 0


async def test_a_refused_symbol_is_asked_again_after_the_next_list() -> None:
    world = World(1)
    world.refusals = {"S0USDT": [Failure("not_trading", "HTTP 400")] * 3}
    async with running(world):
        world.filler.plan([need(0)])
        await world.clock.advance(10)
        world.filler.plan([need(0)])
        await world.clock.advance(10)
        assert len(world.calls) == 3
        world.filler.listed(frozenset({"S0USDT"}))
        world.filler.plan([need(0)])
        await world.clock.advance(10)
    assert len(world.calls) == 6
    assert len(world.history("price")) == 2


async def test_a_symbol_that_left_and_came_back_starts_afresh() -> None:
    world = World(2)
    async with running(world):
        world.filler.plan([need(0), need(1)])
        await world.clock.advance(10)
        world.filler.listed(frozenset({"S1USDT"}))
        world.filler.plan([need(0), need(1)])
        await world.clock.advance(10)
    assert [s for s, _, _ in world.calls].count("S0USDT") == 6
    assert [s for s, _, _ in world.calls].count("S1USDT") == 3


async def test_a_gap_is_filled_by_as_many_bars_as_it_needs() -> None:
    world = World(1)
    async with running(world):
        world.filler.refill_prices(["S0USDT"], 45_000.0)
        world.filler.refill_open_interest("S0USDT")
        await world.clock.advance(5)
        assert set(world.calls) == {("S0USDT", "1m", 3), ("S0USDT", "oi", 292)}
        world.calls.clear()
        world.filler.refill_prices(["S0USDT"], 3 * 3_600_000.0)
        await world.clock.advance(5)
    assert set(world.calls) == {("S0USDT", "1m", 99), ("S0USDT", "5m", 38)}


async def test_a_gap_that_waits_for_the_end_of_a_ban_is_asked_for_as_far_back_as_it_lies_by_then() -> None:
    world = World(6)
    async with running(world):
        world.paused_until_ms = 1
        world.filler.refill_prices(world.symbols, 45_000.0)
        world.filler.refill_volume("S0USDT", 80_000.0)
        world.filler.refill_open_interest("S0USDT")
        await world.clock.advance(20 * 60)
        assert world.calls == []
        world.paused_until_ms = None
        await world.clock.advance(5)
    expected = {(s, "1m", 23) for s in world.symbols}
    assert set(world.calls) == expected | {("S0USDT", "volume 1m", 24), ("S0USDT", "oi", 292 + 4)}


async def test_what_waited_for_days_is_asked_for_as_far_as_the_venue_answers() -> None:
    world = World(1)
    world.filler.refill_prices(["S0USDT"], 45_000.0)
    await world.clock.advance(2 * 86_400)
    async with running(world):
        await world.clock.advance(5)
    assert world.calls == [("S0USDT", "1m", 1000)]


async def test_a_longer_gap_widens_what_waits_and_a_shorter_one_does_not() -> None:
    world = World(1)
    async with running(world):
        world.paused_until_ms = 1
        world.filler.refill_volume("S0USDT", 80_000.0)
        world.filler.refill_volume("S0USDT", 30 * 60_000.0)
        world.filler.refill_volume("S0USDT", 80_000.0)
        await world.clock.advance(2)
        world.paused_until_ms = None
        await world.clock.advance(5)
    assert world.calls == [("S0USDT", "volume 1m", 32)]
    assert world.filler.volumes.pending == 0


async def test_a_gap_that_is_told_while_a_call_is_under_way_is_asked_for_after_it() -> None:
    world = World(1)
    world.latency_s = 5.0
    async with running(world):
        world.filler.refill_prices(["S0USDT"], 45_000.0)
        await world.clock.advance(1)
        world.filler.refill_prices(["S0USDT"], 10 * 60_000.0)
        await world.clock.advance(20)
    assert world.calls == [("S0USDT", "1m", 3), ("S0USDT", "1m", 12)]
    told = [p for p in world.puts if isinstance(p, Progress)]
    assert (told[-1].done, told[-1].total) == (2, 2)


async def test_a_start_in_the_queue_for_minutes_costs_no_more_than_one_unit_of_weight() -> None:
    world = World(1)
    async with running(world):
        world.paused_until_ms = 1
        world.filler.plan([need(0)])
        await world.clock.advance(7 * 60)
        world.paused_until_ms = None
        await world.clock.advance(5)
    assert ("S0USDT", "1m", 99) in world.calls


async def test_longer_windows_that_wait_in_the_queue_for_minutes_cost_no_more_than_one_unit_of_weight() -> None:
    world = World(1)
    async with running(world):
        world.filler.plan([need(0)])
        await world.clock.advance(5)
        world.calls.clear()
        world.paused_until_ms = 1
        world.filler.refill_longer(frozenset({"price"}))
        await world.clock.advance(7 * 60)
        world.paused_until_ms = None
        await world.clock.advance(5)
    assert [what for what in world.calls if what[1] == "1m"] == [("S0USDT", "1m", 99)]


async def test_progress_ends_at_its_total_and_load_changes_are_told() -> None:
    world = World(60)
    async with running(world):
        world.filler.plan([need(i) for i in range(60)])
        assert world.filler.is_urgent
        await world.clock.advance(60)
        assert not world.filler.is_busy
    for task, total in (("open interest history", 60), ("price history", 120)):
        told = [p for p in world.puts if isinstance(p, Progress) and p.task == task]
        assert told[-1].done == told[-1].total == total
        assert [p.done for p in told] == sorted(p.done for p in told)
    assert world.n_eased == 3  # minutes begin, minutes over, all over


async def test_a_job_under_way_when_it_was_cancelled_is_done_in_the_next_run() -> None:
    world = World(1)
    world.latency_s = 5.0
    async with running(world):
        world.filler.plan([need(0)])
        await world.clock.advance(1)
    assert world.history("oi") == []
    async with running(world):
        await world.clock.advance(20)
    assert len(world.history("oi")) == 1
    assert len(world.history("price")) == 2


async def test_an_instrument_that_is_gone_by_then_is_passed_over() -> None:
    world = World(2)
    async with running(world):
        world.filler.plan([need(0), need(1)])
        world.symbols = ["S0USDT"]
        await world.clock.advance(10)
    assert {h.row for h in world.history("oi")} == {0}
    assert world.filler.prices.pending == 0


async def test_after_the_windows_were_emptied_everything_is_asked_again() -> None:
    world = World(2)
    needs = [need(0), need(1)]
    async with running(world):
        world.filler.plan(needs)
        await world.clock.advance(30)
        n = len(world.calls)
        world.filler.plan(needs)
        await world.clock.advance(30)
        assert len(world.calls) == n
        world.filler.start_afresh()
        world.filler.plan(needs)
        await world.clock.advance(30)
    assert len(world.calls) == 2 * n


DAY_MS = 86_400_000


async def test_volume_is_fetched_only_for_those_whose_rules_need_it_and_as_far_back_as_they_reach() -> None:
    world = World(4)
    async with running(world):
        needs = [need(0), need(1, flow_ms=90 * MINUTE_MS), need(2, flow_ms=DAY_MS), need(3, flow_ms=7 * DAY_MS)]
        for _ in range(2):
            world.filler.plan(needs)
            await world.clock.advance(30)
    asked = [(s, what, n) for s, what, n in world.calls if what.startswith("volume")]
    assert [s for s, _, _ in asked].count("S0USDT") == 0
    assert [(w, n) for s, w, n in asked if s == "S1USDT"] == [("volume 1m", 99)]
    assert [(w, n) for s, w, n in asked if s == "S2USDT"] == [("volume 1m", 99), ("volume 5m", 290)]
    pages = [n for s, w, n in asked if s == "S3USDT" and w == "volume 5m"]
    assert pages == [290, 499, 499, 499, 499]
    ends = [end for end in world.ends if end]
    steps = {(a - b) // (5 * MINUTE_MS) for a, b in itertools.pairwise(ends)}
    assert steps == {499}, "each page ends where the one after it begins"
    assert sum(pages) * 5 * MINUTE_MS >= 7 * DAY_MS
    assert [w for _, w, _ in asked][:3] == ["volume 1m"] * 3, "minutes of all come before five minutes of any"


async def test_volume_bars_are_closed_ones_and_the_newest_is_told() -> None:
    world = World(2)
    await world.clock.advance(3)
    async with running(world):
        world.filler.plan([need(1, flow_ms=3_600_000)])
        await world.clock.advance(5)
    (bars,) = [u for u in world.puts if isinstance(u, Bars)]
    assert (set(bars.rows.tolist()), bars.span_ms) == ({1}, MINUTE_MS)
    assert (np.diff(bars.close_ms) == MINUTE_MS).all()
    assert bars.close_ms[-1] + 2000 <= world.clock.wall_ms()
    assert bars.volume.tolist() == [103.0, 102.0, 101.0]
    assert bars.taker_buy.tolist() == [50.0] * 3
    assert world.closes == [("S1USDT", int(bars.close_ms[-1]))]


async def test_a_window_that_grows_asks_for_the_rest() -> None:
    world = World(1)
    async with running(world):
        for window_ms in (3_600_000, 4 * 3_600_000, DAY_MS, 2 * DAY_MS):
            world.filler.plan([need(0, flow_ms=window_ms)])
            await world.clock.advance(10)
    assert [(w, n) for _, w, n in world.calls if w.startswith("volume")] == [
        ("volume 1m", 99), ("volume 5m", 290), ("volume 5m", 499),
    ]  # fmt: skip


async def test_a_gap_of_volume_is_filled_by_as_many_bars_as_it_needs() -> None:
    world = World(1)
    async with running(world):
        world.filler.refill_volume("S0USDT", 4 * MINUTE_MS)
        world.filler.refill_volume("S0USDT", 4 * MINUTE_MS)
        await world.clock.advance(5)
        assert world.calls == [("S0USDT", "volume 1m", 6)]
        world.calls.clear()
        world.filler.refill_volume("S0USDT", 5 * 3_600_000)
        await world.clock.advance(5)
    assert set(world.calls) == {("S0USDT", "volume 1m", 99), ("S0USDT", "volume 5m", 62)}


async def test_missing_volume_takes_its_share_of_the_budget_like_missing_prices() -> None:
    world = World(60)
    async with running(world):
        for i in range(60):
            world.filler.refill_volume(f"S{i}USDT", 1000)
        assert world.filler.is_busy
        assert not world.filler.is_urgent, "polling has a third only while prices are missing"
        await world.clock.advance(60)
        assert not world.filler.is_busy


async def test_after_a_restart_only_the_gap_is_asked_for() -> None:
    """Ten minutes missing of the first, nothing of the second, everything of the third, two hours of the fourth."""
    missing = {0: 10 * MINUTE_MS, 1: 0, 2: 1 << 60, 3: 120 * MINUTE_MS}
    world = World(4, missing_ms=lambda row, _series, within_ms: min(missing[row], within_ms))
    async with running(world):
        world.filler.plan([need(row, flow_ms=86_400_000) for row in range(4)])
        world.filler.plan([need(row, flow_ms=86_400_000) for row in range(4)])
        await world.clock.advance(30)
    asked = {row: sorted((what, limit) for s, what, limit in world.calls if s == f"S{row}USDT") for row in range(4)}
    assert asked[0] == [("1m", 14), ("oi", 6), ("volume 1m", 14)]
    assert asked[1] == []
    assert asked[2] == [("1m", 99), ("5m", 290), ("oi", 292), ("volume 1m", 99), ("volume 5m", 290)]
    assert asked[3] == [("1m", 99), ("5m", 28), ("oi", 28), ("volume 1m", 99), ("volume 5m", 28)]


async def test_pages_of_longer_windows_are_asked_for_as_far_as_they_reach_a_hole() -> None:
    week_ms = 7 * 86_400_000
    world = World(1, missing_ms=lambda _row, _series, within_ms: min(within_ms, 3 * 86_400_000))
    async with running(world):
        world.filler.plan([replace(need(0), price_window_ms=week_ms)])
        await world.clock.advance(30)
    assert [limit for _, what, limit in world.calls if what == "5m"] == [290, 499, 499]


async def test_after_the_windows_were_emptied_what_was_held_is_asked_for() -> None:
    held = [0]
    world = World(1, missing_ms=lambda _row, _series, within_ms: within_ms - held[0])
    async with running(world):
        held[0] = 1 << 60
        world.filler.plan([need(0)])
        await world.clock.advance(5)
        assert world.calls == []
        held[0] = 0
        world.filler.start_afresh()
        world.filler.plan([need(0)])
        await world.clock.advance(5)
    assert len(world.calls) == 3


async def test_where_no_size_is_known_after_windows_were_emptied_the_order_is_that_of_before() -> None:
    world = World(3)
    async with running(world):
        world.filler.plan([need(i, oi_usd=float(i + 1)) for i in range(3)])
        await world.clock.advance(10)
        world.filler.start_afresh()
        world.calls.clear()
        world.filler.plan([need(i, oi_usd=unknown) for i, unknown in enumerate((0.0, float("nan"), 0.0))])
        await world.clock.advance(10)
    assert [s for s, what, _ in world.calls if what == "oi"] == ["S2USDT", "S1USDT", "S0USDT"]


@pytest.mark.parametrize("is_seen", [False, True])
async def test_a_symbol_that_left_by_an_event_and_came_back_starts_afresh_whatever_lists_said(is_seen) -> None:
    """A list names also what is settled: its status alone says that it is gone."""
    world = World(2)
    back = need(0) if is_seen else replace(need(0), row=7)
    async with running(world):
        world.filler.plan([need(0), need(1)])
        await world.clock.advance(10)
        if is_seen:
            world.filler.plan([need(1)])
        world.filler.listed(frozenset(world.symbols))
        world.filler.plan([back, need(1)])
        await world.clock.advance(10)
    assert [s for s, _, _ in world.calls].count("S0USDT") == 6
    assert [s for s, _, _ in world.calls].count("S1USDT") == 3


@pytest.mark.parametrize("series", ["volume", "price", "oi"])
async def test_a_gap_of_days_is_filled_as_far_back_as_windows_reach(series) -> None:
    """As where a contract was in no scope for days, or the network was away."""
    missing_ms = [1 << 60]
    world = World(2, missing_ms=lambda row, _series, within_ms: min(within_ms, missing_ms[0]) if row == 0 else 0)
    window = {"volume": "flow_window_ms", "price": "price_window_ms", "oi": "oi_window_ms"}[series]
    what = {"volume": "volume 5m", "price": "5m", "oi": "oi"}[series]
    needs = [replace(need(row), **{window: 7 * DAY_MS}) for row in range(2)]
    async with running(world):
        world.filler.plan(needs)
        await world.clock.advance(30)
        for gap_ms, n_pages in ((DAY_MS // 2, 0), (3 * DAY_MS, 2)):
            world.calls.clear()
            missing_ms[0] = gap_ms
            for symbol in world.symbols:
                if series == "volume":
                    world.filler.refill_volume(symbol, gap_ms)
                elif series == "price":
                    world.filler.refill_prices([symbol], gap_ms)
                else:
                    world.filler.refill_open_interest(symbol)
            for _ in range(2):
                world.filler.plan(needs)
                await world.clock.advance(30)
            pages = [s for s, w, limit in world.calls if w == what and limit == 499]
            assert pages == ["S0USDT"] * n_pages
