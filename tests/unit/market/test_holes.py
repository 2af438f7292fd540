"""How far back the past has to be asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.market.holes import RECENT, RUN, Holes, oldest_hole
from bot.market.market import Market
from bot.market.series import Leaf, Needs
from bot.model.updates import Bars, History, InstrumentList

T0 = 1_767_225_600_000
MINUTE_MS = 60_000


def slowly(known):
    """Oldest first."""
    n = len(known)
    for i in range(n):
        run = next((k for k in range(n - i) if known[i + k]), n - i)
        if run >= RUN or (run and i >= n - RECENT):
            return n - i
    return 0


@given(st.lists(st.booleans(), max_size=40))
def test_it_is_what_a_slow_search_finds(known):
    assert oldest_hole(np.array(known, dtype=np.bool_).reshape(-1, 1)).tolist() == [slowly(known)]


@pytest.fixture
def market(perpetual):
    made = Market(needs=Needs.of([Leaf("sum", "volume", 3_600_000), Leaf("avg", "taker_buy", 3_600_000)]))
    made.apply_instruments(InstrumentList("binance", tuple(perpetual(b) for b in "ABC")), T0)
    return made


def test_a_market_tells_for_each_instrument_and_anew_each_minute(market):
    holes = Holes(market)
    market.advance(T0)
    assert holes.missing_ms(1, "price", 90 * MINUTE_MS) == 90 * MINUTE_MS
    times = np.arange(T0 - 100 * MINUTE_MS, T0 + 1, MINUTE_MS)
    market.apply_history(History(1, "price", times, np.full(len(times), 5.0), 90_000))
    market.advance(T0 + MINUTE_MS)
    assert holes.missing_ms(1, "price", 90 * MINUTE_MS) == 0
    assert holes.missing_ms(1, "price", 86_400_000) == 86_400_000
    assert holes.missing_ms(0, "price", 90 * MINUTE_MS) == 90 * MINUTE_MS
    assert holes.missing_ms(99, "price", 7) == 7
    market.advance(T0 + 20 * MINUTE_MS)
    assert holes.missing_ms(1, "price", 90 * MINUTE_MS) == 19 * MINUTE_MS


def test_what_was_found_at_other_times_is_not_kept(market):
    """Windows differ, and each answer is about all instruments."""
    holes = Holes(market)
    for minute in range(10):
        market.advance(T0 + minute * MINUTE_MS)
        assert holes.missing_ms(1, "price", (90 + minute) * MINUTE_MS) == (90 + minute) * MINUTE_MS
        assert holes.missing_ms(1, "oi", 90 * MINUTE_MS) == 90 * MINUTE_MS
    assert len(holes._seen) == 2


def test_bars_count_as_held_where_volume_and_the_takers_share_are(market):
    holes = Holes(market)
    market.advance(T0)
    closes = np.arange(T0 - 100 * MINUTE_MS, T0 + 1, MINUTE_MS)
    for row, share in ((0, 0.5), (1, np.nan)):
        amounts = np.full(len(closes), 10.0)
        rows = np.full(len(closes), row, dtype=np.int32)
        market.apply_bars(Bars(rows, closes, amounts, amounts * share, MINUTE_MS, 0.0))
    assert holes.missing_ms(0, "volume", 50 * MINUTE_MS) == 0
    assert holes.missing_ms(1, "volume", 50 * MINUTE_MS) == 50 * MINUTE_MS


def test_beyond_a_day_five_minutes_count(perpetual):
    market = Market(needs=Needs.of([Leaf("zscore", "oi", 172_800_000)]))
    market.apply_instruments(InstrumentList("binance", (perpetual("A"),)), T0)
    market.advance(T0)
    holes = Holes(market)
    assert holes.missing_ms(0, "oi", 172_800_000) == 172_800_000
    times = np.arange(T0 - 172_800_000, T0 + 1, 300_000)
    old = times[times < T0 - 100_000_000]
    market.apply_history(History(0, "oi", old, np.full(len(old), 5.0), 450_000))
    market.advance(T0 + 60_000)
    assert holes.missing_ms(0, "oi", 172_800_000) == pytest.approx(100_000_000, abs=400_000)
    assert holes.missing_ms(0, "oi", 86_400_000) == 86_400_000
    market.apply_history(History(0, "oi", times, np.full(len(times), 5.0), 450_000))
    market.advance(T0 + 120_000)
    assert holes.missing_ms(0, "oi", 172_800_000) == 0


def test_what_is_not_held_at_all_is_missing():
    assert Holes(Market()).missing_ms(0, "volume", 7) == 7


def test_windows_that_were_emptied_within_the_minute_are_looked_at_anew(market):
    holes = Holes(market)
    times = np.arange(T0 - 100 * MINUTE_MS, T0 + 1, MINUTE_MS)
    market.advance(T0)
    market.apply_history(History(1, "price", times, np.full(len(times), 5.0), 90_000))
    market.advance(T0 + MINUTE_MS)
    assert holes.missing_ms(1, "price", 90 * MINUTE_MS) == 0
    market.reset(T0 + MINUTE_MS)
    market.advance(T0 + MINUTE_MS)
    assert holes.missing_ms(1, "price", 90 * MINUTE_MS) == 90 * MINUTE_MS


def test_windows_that_grew_within_the_minute_are_looked_at_anew(market):
    leaf = Leaf("sum", "volume", 600_000)
    market.fit(Needs.of([leaf]))
    holes = Holes(market)
    times = np.arange(T0 - 11 * MINUTE_MS, T0 + 1, MINUTE_MS)
    ones = np.ones(len(times))
    market.apply_bars(Bars(np.full(len(times), 1, np.int32), times, ones, ones, MINUTE_MS, 0.0))
    assert holes.missing_ms(1, "volume", 99 * MINUTE_MS) == 0, "no more is held"
    market.fit(Needs.of([Leaf("sum", "volume", 3_600_000)]))
    assert holes.missing_ms(1, "volume", 99 * MINUTE_MS) > 40 * MINUTE_MS
