"""The whole feed against the simulated venue, both on one fast clock."""

from collections import Counter

import numpy as np
import pytest

from bot.clock import SystemClock
from bot.feeds.binance.feed import BinanceFeed
from bot.model.updates import (
    FeedStatus,
    InstrumentList,
    OpenInterest,
    Progress,
    VenueTime,
)
from bot.sim.venue import Venue
from bot.storage.memory import MemoryKeyValues
from tests.integration.feeds.world import Engine, feed_of, running, until

pytestmark = pytest.mark.integration

FOR_EVER_S = 1e6
"""A fault that the test ends itself, whenever it has seen enough."""


def prices_pending(feed: BinanceFeed) -> int:
    return feed.history.prices.pending + feed.history.open_interest.pending


async def test_a_start_fills_every_row_in_the_documented_order_within_half_of_the_weight() -> None:
    clock = SystemClock(speed=20)
    async with Venue(clock=clock, seed=5, n_instruments=120, script=False) as venue:
        engine = Engine()
        feed = feed_of(venue, engine)
        async with running(feed) as lag:
            await until(feed.poller.swept.is_set, clock, seconds=40)
            trading = engine.trading()
            assert set(engine.oi) == trading
            swept = [update.row for update in engine.updates if isinstance(update, OpenInterest)]
            await until(
                lambda: len(engine.history) >= 2 * len(trading) and prices_pending(feed) == 0, clock, seconds=120
            )
            stats = venue.stats()
        assert len(trading) >= 110
        assert engine.priced >= trading
        assert {name for name, series in engine.history if series == "oi"} == trading
        assert {name for name, series in engine.history if series == "price"} == trading
        for (_, series), filled in engine.history.items():
            assert len(filled) == (1 if series == "oi" else 2)
            assert all((np.diff(h.time_ms) > 0).all() for h in filled)
        assert stats["n_429"] == stats["n_418"] == 0
        assert 0 < stats["max_used_weight"] <= 1200
        assert stats["max_data_5m"] <= 900
        kinds = [type(update) for update in engine.updates if not isinstance(update, Progress | FeedStatus)]
        assert kinds[:2] == [VenueTime, InstrumentList]
        volumes = [feed._volumes[row] for row in swept]
        assert sum(a < b for a, b in zip(volumes, volumes[8:], strict=False)) == 0  # largest first, up to concurrency
        if lag.is_small:
            assert engine.said("open interest") == [True]
            assert engine.said("mark price") == [True]
        for task in ("instruments", "open interest", "open interest history", "price history"):
            assert engine.progress[task].done == engine.progress[task].total
        assert Counter(u.interval_ms >= 15_000 for us in engine.oi.values() for u in us) == {
            True: sum(map(len, engine.oi.values()))
        }


async def test_a_ban_costs_one_call_is_told_and_waited_out_and_a_restart_inside_it_sends_nothing() -> None:
    clock, store = SystemClock(speed=10), MemoryKeyValues()
    async with Venue(clock=clock, seed=5, n_instruments=60, script=False) as venue:
        engine = Engine()
        feed = feed_of(venue, engine, store)
        async with running(feed):
            await until(lambda: engine.is_live("open interest"), clock, seconds=40)
            venue.fault("418", seconds=70)
            await until(lambda: feed.client.failure is not None and feed.client.failure.is_pause, clock, seconds=20)
            await until(lambda: engine.is_lost("open interest"), clock, seconds=20)
            assert "banned this address until" in engine.statuses("open interest")[-1].reason
            assert feed.banned_until_ms is not None
        # One call learns of the ban; on a busy machine others may have been on their way already, never more after it.
        learned = venue.stats()["n_in_ban"]
        assert 1 <= learned <= 8
        again = Engine()
        feed = feed_of(venue, again, store)
        async with running(feed):
            await until(lambda: again.is_lost("open interest"), clock, seconds=20)
            # The list of the last run gives names to what streams in.
            await until(lambda: len(again.priced) >= 59, clock, seconds=20)
            await clock.sleep(10)
            assert venue.stats()["n_in_ban"] == learned
            await until(lambda: again.is_live("open interest"), clock, seconds=120)
        assert venue.stats()["n_in_ban"] == learned


async def test_a_refused_region_is_tried_once_and_told_in_plain_words() -> None:
    clock = SystemClock(speed=30)
    async with Venue(clock=clock, seed=5, n_instruments=20, script=False) as venue:
        venue.fault("451", seconds=10_000)
        engine = Engine()
        feed = feed_of(venue, engine)
        async with running(feed):
            await until(lambda: engine.said("open interest") == [False], clock, seconds=20)
            await clock.sleep(60)
            assert "does not serve this location" in engine.statuses("open interest")[-1].reason
            assert feed.client.counters.requests == 1


async def test_without_rest_at_the_start_it_keeps_trying_and_starts_when_rest_is_back() -> None:
    clock = SystemClock(speed=20)
    async with Venue(clock=clock, seed=5, n_instruments=20, script=False) as venue:
        venue.fault("500", seconds=FOR_EVER_S)
        engine = Engine()
        feed = feed_of(venue, engine)
        async with running(feed):
            await until(lambda: engine.said("open interest") == [False], clock, seconds=35)
            assert feed.client.counters.requests < 40
            venue.heal()
            await until(lambda: engine.is_live("open interest"), clock, seconds=120)


async def test_while_the_price_stream_is_silent_rest_stands_in() -> None:
    clock = SystemClock(speed=10)
    async with Venue(clock=clock, seed=5, n_instruments=30, script=False) as venue:
        engine = Engine()
        feed = feed_of(venue, engine)
        async with running(feed):
            await until(lambda: engine.is_live("mark price") and engine.trading(), clock, seconds=40)
            venue.fault("silence", seconds=FOR_EVER_S, stream="!markPrice@arr@1s")
            await until(lambda: engine.is_lost("mark price"), clock, seconds=20)
            engine.priced.clear()
            await until(lambda: engine.priced >= engine.trading(), clock, seconds=20)
            venue.heal()
            await until(lambda: engine.is_live("mark price"), clock, seconds=60)


async def test_after_an_outage_of_prices_the_gap_is_filled_from_bars() -> None:
    clock = SystemClock(speed=20)
    async with Venue(clock=clock, seed=5, n_instruments=20, script=False) as venue:
        engine = Engine()
        feed = feed_of(venue, engine)
        async with running(feed):
            await until(lambda: engine.history and prices_pending(feed) == 0, clock, seconds=200)
            venue.fault("silence", seconds=FOR_EVER_S)
            venue.fault("timeout", seconds=FOR_EVER_S)
            await clock.sleep(80)
            engine.history.clear()
            venue.heal()
            await until(lambda: {n for n, s in engine.history if s == "price"} >= engine.trading(), clock, seconds=120)
            now_ms = clock.wall_ms()
            newest = [h[-1].time_ms[-1] for (_, series), h in engine.history.items() if series == "price"]
            assert all(now_ms - t < 180_000 for t in newest)


async def test_a_halted_contract_is_not_polled_until_it_trades_and_a_listing_gets_its_own_start() -> None:
    clock = SystemClock(speed=20)
    async with Venue(clock=clock, seed=5, n_instruments=30, script=False) as venue:
        engine = Engine()
        feed = feed_of(venue, engine)
        async with running(feed) as lag:
            await until(lambda: engine.history and prices_pending(feed) == 0, clock, seconds=200)
            symbol = sorted(engine.trading())[3]
            venue.lifecycle.halt(symbol)
            await until(lambda: symbol not in engine.trading(), clock, seconds=60)
            await clock.sleep(20)
            n_polls = len(engine.oi[symbol])
            await clock.sleep(60)
            assert len(engine.oi[symbol]) == n_polls
            venue.lifecycle.resume(symbol)
            await until(lambda: len(engine.oi[symbol]) > n_polls, clock, seconds=120)
            before = engine.trading()
            venue.lifecycle.list_coin("NEWCOIN", 2.0)
            await until(lambda: engine.trading() - before, clock, seconds=120)
            (new,) = engine.trading() - before
            await until(lambda: new in engine.oi, clock, seconds=120)
            await until(lambda: prices_pending(feed) == 0, clock, seconds=120)
            assert feed.history.given_up == 0 or not lag.is_small
            assert venue.stats()["n_429"] == 0
