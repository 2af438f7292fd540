"""The fast windows mean what the plain loops say, whatever the samples' order, gaps and validities."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.market.market import Market
from bot.market.series import INDEX, Leaf, Needs
from bot.market.slow import SlowSeries, SlowWindows
from bot.market.view import View
from bot.model.instrument import Instrument
from bot.model.updates import History, InstrumentList

T0 = 1_767_225_600_000
WINDOWS_MS = (1_000, 3_000, 30_000, 60_000, 300_000, 2 * 3_600_000)
FUNCTIONS = ("pct", "delta", "avg", "min", "max", "std", "zscore")
PRICE = INDEX["price"]
LEAVES = [Leaf(name, "price", w) for name in FUNCTIONS for w in WINDOWS_MS]

samples = st.lists(
    st.tuples(
        st.integers(0, 400_000),  # when, after T0
        st.floats(0.5, 2.0),
        st.sampled_from([2_000, 10_000, 90_000, 450_000]),
    ),
    max_size=40,
)


def new_market(step_ms: int, dtype: str) -> Market:
    market = Market(step_ms=step_ms, needs=Needs.of(LEAVES), dtype=dtype)
    market.apply_instruments(
        InstrumentList("t", tuple(Instrument("t", s, "perpetual", s, "USDT", "TRADING") for s in "AB")), T0
    )
    return market


@settings(max_examples=150, deadline=None)
@given(
    samples=samples,
    ticks=st.lists(st.integers(0, 450_000), min_size=1, max_size=12),
    as_history=st.booleans(),
    step_ms=st.sampled_from([1_000, 60_000]),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_every_window_function_equals_its_slow_twin(samples, ticks, as_history, step_ms, dtype):
    """Samples come late, early, twice; ticks fall anywhere; values are compared after each tick."""
    market = new_market(step_ms, dtype)
    slow = SlowSeries(dtype)
    windows = SlowWindows(slow, run_step_ms=step_ms)
    now = T0
    market.advance(now)
    pending = list(samples)
    for tick in sorted(ticks):
        now = T0 + tick
        # Everything stamped up to now may have arrived by now, in whatever order it was drawn.
        arrived = [s for s in pending if T0 + s[0] <= now]
        pending = [s for s in pending if T0 + s[0] > now]
        for at, value, valid in arrived:
            slow.put(T0 + at, value, valid)
            if as_history:
                market.apply_history(History(0, "price", np.array([T0 + at]), np.array([value]), valid))
            else:
                market.gauges.put(PRICE, np.array([0], dtype=np.int32), np.array([T0 + at]), np.array([value]), valid)
        market.advance(now)
        view = View(market, [market.moment(now)])
        out = np.empty((len(market.windows.leaves), market.n_rows))
        market.compute(now, out)
        for window_ms in WINDOWS_MS:
            for name in FUNCTIONS:
                want = getattr(windows, name)(now, window_ms)
                leaf = Leaf(name, "price", window_ms)
                for fast in (out[market.windows.row_of[leaf], 0], view.leaf(leaf)[0, 0]):
                    assert same(float(fast), want, name), (name, window_ms, fast, want, now - T0)
        assert math.isnan(view.pct("price", 60_000)[0, 1])


def same(fast: float, want: float, name: str) -> bool:
    if math.isnan(fast) or math.isnan(want):
        return math.isnan(fast) and math.isnan(want)
    if name in {"min", "max"}:
        return fast == want
    return fast == pytest.approx(want, rel=1e-9, abs=1e-9 if name != "zscore" else 1e-6)


@settings(max_examples=60, deadline=None)
@given(
    columns=st.lists(
        st.tuples(st.integers(0, 30_000), st.floats(0.5, 2.0), st.floats(0.5, 2.0)), min_size=1, max_size=20
    )
)
def test_a_batch_with_mixed_times_equals_its_samples_one_by_one(columns):
    """One message whose rows carry different event times writes the same rows as single samples do."""
    batch, single = new_market(1_000, "float64"), new_market(1_000, "float64")
    rows = np.array([0, 1], dtype=np.int32)
    for market in (batch, single):
        market.advance(T0)
    for at, a, b in columns:
        times = np.array([T0 + at, T0 + at + 1_700])
        batch.gauges.put(PRICE, rows, times, np.array([a, b]), 5_000)
        for i, value in enumerate((a, b)):
            single.gauges.put(PRICE, rows[i : i + 1], times[i : i + 1], np.array([value]), 5_000)
    for market in (batch, single):
        market.advance(T0 + 40_000)
    numbers = T0 // 1_000 + np.arange(0, 41)
    got, want = (m.tiers[0].ends(PRICE, numbers) for m in (batch, single))
    np.testing.assert_array_equal(got[0], want[0])
    np.testing.assert_array_equal(got[1], want[1])
