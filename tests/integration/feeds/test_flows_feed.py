"""Liquidations, bars of volume and top-trader ratios from the simulated venue, on one fast clock."""

import itertools
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from bot.clock import SystemClock
from bot.model.ports import PollNeed
from bot.model.updates import Bars, Liquidations
from bot.sim.venue import Venue
from tests.integration.feeds.world import Engine, feed_of, running, until

pytestmark = pytest.mark.integration

FOR_EVER_S = 1e6
"""A fault that the test ends itself, whenever it has seen enough."""

MINUTE_MS = 60_000
HOUR_MS = 3_600_000


class Flows(Engine):
    """An engine whose rules read flows of some symbols."""

    def __init__(self, *, flow_ms: int = 0, long_short_ms: int = 0, symbols: set[str] | None = None) -> None:
        super().__init__()
        self.flow_ms, self.long_short_ms, self.symbols = flow_ms, long_short_ms, symbols
        self.liquidations: list[Liquidations] = []
        self.bars: dict[str, dict[tuple[int, int], tuple[float, float]]] = defaultdict(dict)
        self.live: dict[str, list[int]] = defaultdict(list)
        """Closes of the bars that the stream brought."""

    def put(self, update) -> None:
        super().put(update)
        if isinstance(update, Liquidations):
            self.liquidations.append(update)
        elif isinstance(update, Bars):
            symbol = self.name(int(update.rows[0]))
            assert (np.diff(update.close_ms) > 0).all()
            for close_ms, volume, taker in zip(update.close_ms, update.volume, update.taker_buy, strict=True):
                assert 0 <= taker <= volume
                self.bars[symbol].setdefault((update.span_ms, int(close_ms)), (float(volume), float(taker)))
            if len(update.rows) == 1:
                self.live[symbol].append(int(update.close_ms[0]))

    def needs(self) -> list[PollNeed]:
        needs = []
        for row, i in self.rows.instruments():
            need = PollNeed(row, i.symbol, 0.0, 0.0, None, watched=False, trading=i.is_trading)
            if self.symbols is None or i.symbol in self.symbols:
                need = replace(need, flow_window_ms=self.flow_ms, long_short_window_ms=self.long_short_ms)
            needs.append(need)
        return needs

    def minutes(self, symbol: str) -> list[int]:
        return sorted(close_ms for span_ms, close_ms in self.bars[symbol] if span_ms == MINUTE_MS)

    def is_whole(self, symbol: str) -> bool:
        """Whether no minute is missing between the first and the last."""
        return {b - a for a, b in itertools.pairwise(self.minutes(symbol))} == {MINUTE_MS}


async def test_bars_come_from_stream_and_history_agree_with_the_venue_and_leave_no_minute_out() -> None:
    clock = SystemClock(speed=20)
    async with Venue(clock=clock, seed=5, n_instruments=60, script=False) as venue:
        engine = Flows(flow_ms=24 * HOUR_MS)
        feed = feed_of(venue, engine)
        async with running(feed) as lag:
            await until(
                lambda: len(engine.trading()) > 50 and all(len(engine.live[s]) >= 2 for s in engine.trading()),
                clock,
                seconds=400,
            )
            await until(
                lambda: feed.history.volumes.pending == 0 and all(map(engine.is_whole, engine.trading())),
                clock,
                seconds=100,
            )
            trading = engine.trading()
            stats = venue.stats()
            for symbol in trading:
                assert len(engine.minutes(symbol)) >= 99
                fives = sorted(close_ms for span_ms, close_ms in engine.bars[symbol] if span_ms == 5 * MINUTE_MS)
                # Asked for within two seconds of a bar's end, that bar is left out as not settled.
                opened_ms = fives[0] - 5 * MINUTE_MS
                assert fives[-1] - opened_ms >= 24 * HOUR_MS
            symbol = min(trading)
            row = venue.market.rows[symbol]
            for close_ms in engine.live[symbol]:
                told = venue.market.bars(row, np.array([close_ms - MINUTE_MS]), MINUTE_MS, close_ms)
                volume, taker = engine.bars[symbol][MINUTE_MS, close_ms]
                assert volume == pytest.approx(told.volume[0], abs=1e-4)
                assert taker == pytest.approx(told.taker_buy[0], abs=1e-4)
        assert feed.klines.counters.rows_bad == 0
        assert stats["n_429"] == stats["n_418"] == 0
        assert stats["max_used_weight"] <= 1200
        if lag.is_small:
            assert engine.said("klines") == [True]
            assert feed.history.given_up == 0


async def test_without_a_need_there_is_no_connection_and_no_call() -> None:
    clock = SystemClock(speed=20)
    async with Venue(clock=clock, seed=5, n_instruments=20, script=False) as venue:
        engine = Flows()
        feed = feed_of(venue, engine)
        async with running(feed):
            await until(feed.poller.swept.is_set, clock, seconds=60)
            await clock.sleep(60)
            assert not any("@kline" in stream for c in venue.hub.clients.values() for stream in c.streams)
            requests = venue.stats()["requests"]
        assert "/fapi/v1/klines" not in requests
        assert "/futures/data/topLongShortPositionRatio" not in requests
        assert not engine.bars


async def test_subscriptions_follow_needs_that_change_while_running() -> None:
    clock = SystemClock(speed=20)
    async with Venue(clock=clock, seed=5, n_instruments=40, script=False) as venue:
        engine = Flows(flow_ms=HOUR_MS, symbols={"BTCUSDT", "币安人生USDT"})

        def streams() -> set[str]:
            return {s for c in venue.hub.clients.values() for s in c.streams if s.endswith("@kline_1m")}

        async with running(feed_of(venue, engine)):
            await until(lambda: streams() == {"btcusdt@kline_1m", "币安人生usdt@kline_1m"}, clock, seconds=60)
            await until(lambda: engine.live["币安人生USDT"], clock, seconds=90)
            engine.symbols = {"ETHUSDT", "BTCUSDT"}
            await until(lambda: streams() == {"ethusdt@kline_1m", "btcusdt@kline_1m"}, clock, seconds=90)
            await until(lambda: engine.live["ETHUSDT"] and len(engine.minutes("ETHUSDT")) >= 98, clock, seconds=150)
            engine.flow_ms = 0
            await until(lambda: len(venue.hub.clients) == 1, clock, seconds=90)


async def test_a_gap_after_a_cut_connection_is_filled() -> None:
    clock = SystemClock(speed=20)
    async with Venue(clock=clock, seed=5, n_instruments=40, script=False) as venue:
        engine = Flows(flow_ms=HOUR_MS)
        feed = feed_of(venue, engine)
        async with running(feed):
            await until(
                lambda: len(engine.trading()) > 30 and all(engine.live[s] for s in engine.trading()), clock, seconds=300
            )
            venue.fault("silence", seconds=FOR_EVER_S, stream="@kline_1m")
            venue.fault("timeout", seconds=FOR_EVER_S, stream="/fapi/v1/klines")
            await clock.sleep(100)
            venue.hub.reset_all()
            await until(lambda: engine.is_lost("klines"), clock, seconds=60)
            await clock.sleep(80)
            venue.heal()
            await until(lambda: engine.is_live("klines"), clock, seconds=300)
            since_ms = clock.wall_ms()
            await until(lambda: all(engine.minutes(s)[-1] > since_ms for s in engine.trading()), clock, seconds=200)
            await until(
                lambda: feed.history.volumes.pending == 0 and all(map(engine.is_whole, engine.trading())),
                clock,
                seconds=100,
            )


async def test_a_subscription_that_the_venue_forgot_is_stood_in_for_and_made_again() -> None:
    clock = SystemClock(speed=20)
    async with Venue(clock=clock, seed=5, n_instruments=20, script=False) as venue:
        venue.fault("deaf", seconds=FOR_EVER_S, stream="ethusdt@kline_1m")
        engine = Flows(flow_ms=HOUR_MS, symbols={"BTCUSDT", "ETHUSDT"})
        async with running(feed_of(venue, engine)):
            await until(lambda: len(engine.live["BTCUSDT"]) >= 4, clock, seconds=330)
            await until(
                lambda: engine.minutes("BTCUSDT")[-1] - engine.minutes("ETHUSDT")[-1] <= 2 * MINUTE_MS,
                clock,
                seconds=60,
            )
            streamed = {
                f"{s}@kline_1m"
                for c in venue.hub.clients.values()
                for s in ("ethusdt",)
                if f"{s}@kline_1m" in c.streams
            }
            assert streamed == set()
            venue.heal()
            await until(
                lambda: any("ethusdt@kline_1m" in c.streams for c in venue.hub.clients.values()), clock, seconds=400
            )


async def test_liquidations_are_heard_once_each_and_over_a_renewal_without_a_gap() -> None:
    clock = SystemClock(speed=20)
    async with Venue(clock=clock, seed=5, n_instruments=120, script=False) as venue:
        engine = Flows()
        feed = feed_of(venue, engine)
        async with running(feed) as lag:
            await until(lambda: engine.is_live("liquidations"), clock, seconds=60)
            live = engine.statuses("liquidations")[0]
            assert 0 < live.since_ms <= live.received_ms
            await until(lambda: len(engine.liquidations) >= 3, clock, seconds=200)
            feed.stream._renew_at_ms = 0.0
            await until(lambda: feed.stream.counters.renewals >= 1, clock, seconds=60)
            await until(lambda: len(engine.liquidations) >= 8, clock, seconds=400)
            assert engine.said("liquidations") == [True] or not lag.is_small
        keys = [(u.rows[0], u.event_ms[0]) for u in engine.liquidations]
        assert len(keys) == len(set(keys))
        assert all((u.usd > 0).all() for u in engine.liquidations)


async def test_a_cut_connection_loses_liquidations_from_its_last_frame_on() -> None:
    clock = SystemClock(speed=20)
    async with Venue(clock=clock, seed=5, n_instruments=40, script=False) as venue:
        engine = Flows()
        feed = feed_of(venue, engine)
        async with running(feed) as lag:
            await until(lambda: engine.is_live("liquidations"), clock, seconds=60)
            await clock.sleep(5)
            await until(lambda: engine.is_live("liquidations"), clock, seconds=60)
            n_before, heard_ms = len(engine.statuses("liquidations")), max(feed.protocol.last_frame_ms.values())
            cut_ms = clock.monotonic_ms()
            venue.hub.reset_all()
            await until(lambda: len(engine.statuses("liquidations")) >= n_before + 2, clock, seconds=60)
            lost, back = engine.statuses("liquidations")[n_before : n_before + 2]
            assert (lost.live, back.live) == (False, True)
            # What was sent before the cut may still be read after it.
            assert heard_ms <= lost.since_ms <= cut_ms + 1000 + lag.worst_s * 1000
            assert lost.since_ms < back.since_ms <= back.received_ms
            if lag.is_small:
                assert "closed" in lost.reason or "broke off" in lost.reason
                assert engine.said("mark price") == [True], "to a gauge it was no loss"


async def test_a_venue_that_forgot_the_subscription_never_makes_it_live() -> None:
    clock = SystemClock(speed=30)
    async with Venue(clock=clock, seed=5, n_instruments=20, script=False) as venue:
        venue.fault("deaf", seconds=FOR_EVER_S, stream="!forceOrder@arr")
        engine = Flows()
        feed = feed_of(venue, engine)
        async with running(feed) as lag:
            await until(lambda: engine.is_live("mark price"), clock, seconds=60)
            await clock.sleep(60)
            assert engine.said("liquidations") == [] or not lag.is_small
            await until(lambda: engine.said("liquidations") == [False], clock, seconds=300)
            attempts = feed.stream.counters.attempts
            await clock.sleep(280)
            assert engine.said("liquidations") == [False], "nothing of it came"
            if lag.is_small:
                assert feed.stream.counters.attempts <= attempts + 1, "no storm for one quiet stream"
                assert engine.said("mark price") == [True]
            venue.heal()
            await until(lambda: engine.is_live("liquidations"), clock, seconds=400)


async def test_ratios_come_with_their_past_and_then_every_five_minutes_within_the_pool() -> None:
    clock = SystemClock(speed=30)
    async with Venue(clock=clock, seed=5, n_instruments=60, script=False) as venue:
        engine = Flows(long_short_ms=4 * HOUR_MS)
        feed = feed_of(venue, engine)
        async with running(feed) as lag:
            await until(lambda: engine.is_live("long/short"), clock, seconds=100)

            def newest(symbol: str) -> int:
                return max((int(h.time_ms[-1]) for h in engine.history.get((symbol, "long_short"), [])), default=0)

            def all_newer_than(ms: int) -> bool:
                return all(newest(s) > ms for s in engine.trading())

            await until(lambda: all_newer_than(0), clock, seconds=200)
            for _ in range(2):
                seen_ms = max(map(newest, engine.trading()))
                await until(lambda ms=seen_ms: all_newer_than(ms), clock, seconds=400)
                late_ms = clock.wall_ms() - max(map(newest, engine.trading()))
                assert late_ms < 150_000 or not lag.is_small, "before the last row expires"
            stats = venue.stats()
        assert {name for name, series in engine.history if series == "long_short"} == engine.trading()
        for (_, series), found in engine.history.items():
            if series == "long_short":
                times = np.unique(np.concatenate([h.time_ms for h in found]))
                assert set(np.diff(times)) == {300_000}
                assert times[-1] - times[0] >= 4 * HOUR_MS
                assert found[0].valid_ms == 450_000
        assert stats["n_429"] == 0
        assert stats["max_data_5m"] <= 900
        assert feed.ratios.n_failures == 0 or not lag.is_small
