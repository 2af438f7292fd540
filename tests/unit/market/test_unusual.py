"""How unusual a move is, against a slow reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.market.market import Market
from bot.market.unusual import smaller_share
from bot.model.instrument import Instrument
from bot.model.updates import InstrumentList

T0 = 1_767_225_600_000
MINUTE_MS = 60_000
N_MINUTES = 1_441


def market_of(prices):
    """`prices`: (minutes, instruments), the last one at T0; NaN is missing."""
    market = Market(step_ms=1_000)
    instruments = tuple(
        Instrument("binance", f"C{n}USDT", "perpetual", f"C{n}", "USDT", "TRADING") for n in range(prices.shape[1])
    )
    market.apply_instruments(InstrumentList("binance", instruments), T0 - len(prices) * MINUTE_MS)
    for k, row in enumerate(prices):
        at_ms = T0 - (len(prices) - 1 - k) * MINUTE_MS
        known = np.flatnonzero(np.isfinite(row)).astype(np.int32)
        times = np.full(len(known), at_ms, dtype=np.int64)
        market.apply_samples("price", known, times, row[known], valid_ms=59_000, interval_ms=MINUTE_MS)
        market.advance(at_ms)
    return market


def slow(prices, window, change):
    """The same from plain numbers: `window` in minutes."""
    stored = prices.astype(np.float32).astype(np.float64)
    past = []
    last = len(prices) - 1
    n = (1440 - window) // 5
    for k in range(1, n + 1):
        now, then = last - 5 * k, last - 5 * k - window
        if then >= 0:
            past.append(abs(np.float32(stored[now]) / np.float32(stored[then]) - 1))
    known = [x for x in past if np.isfinite(x)]
    if len(known) < 0.8 * n or not np.isfinite(change):
        return None
    return (sum(x < abs(change) for x in known) + 0.5 * sum(x == abs(change) for x in known)) / len(known)


@settings(deadline=None, max_examples=15)
@given(
    seed=st.integers(0, 2**32 - 1),
    window=st.sampled_from([1, 5, 15, 60, 240, 719]),
    missing=st.sampled_from([0.0, 0.05, 0.3]),
    change=st.floats(-0.05, 0.05),
)
def test_the_share_is_that_of_the_plain_definition(seed, window, missing, change):
    rng = np.random.default_rng(seed)
    prices = 100 * np.exp(np.cumsum(rng.normal(0, 0.002, (N_MINUTES, 2)), axis=0))
    prices[rng.random(prices.shape) < missing] = np.nan
    rows = np.array([1, 0])
    found = smaller_share(market_of(prices), "price", window * MINUTE_MS, T0, rows, np.array([change, change]))
    for value, row in zip(found, rows, strict=True):
        expected = slow(prices[:, row], window, change)
        assert (expected is None and np.isnan(value)) or value == pytest.approx(expected, abs=0.004)


def test_a_flat_series_has_nothing_unusual():
    market = market_of(np.full((N_MINUTES, 1), 5.0))
    assert smaller_share(market, "price", 900_000, T0, np.array([0]), np.array([0.0])).tolist() == [0.5]


@pytest.mark.parametrize("window_ms", [30_000, 13 * 3_600_000, 86_400_000])
def test_of_a_day_too_short_for_the_window_nothing_is_said(window_ms):
    market = market_of(np.full((N_MINUTES, 1), 5.0))
    assert np.isnan(smaller_share(market, "price", window_ms, T0, np.array([0]), np.array([0.1])))
