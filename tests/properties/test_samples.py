"""Whatever the samples' order, gaps and validities, a window means what the plain loops say. Drawn so that it shrinks."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.engine import Engine
from bot.engine.inputs import Listed, Samples
from bot.model.updates import InstrumentList
from tests.properties.streams import T0, Pair, Tolerance, perpetual, rules_using, value_of

FUNCTIONS = ("pct", "delta", "avg", "min", "max", "std", "zscore", "percentile", "slope")
EXPRS = [value_of(f"{name}(price, {w})") for name in FUNCTIONS for w in ("1s", "3s", "30s", "1m", "5m", "2h")]
EXPRS += [
    value_of(s) for s in ("price", "age(price)", "zscore(pct(price, 5m), 15m)", "percentile(pct(price, 5m), 15m)")
]
RULES = rules_using(EXPRS)

samples = st.lists(
    st.tuples(
        st.integers(0, 400_000),  # when, after T0
        st.one_of(st.sampled_from([1.0, 1.1]), st.floats(0.5, 2.0)),
        st.sampled_from([2_000, 10_000, 90_000, 450_000]),
    ),
    max_size=40,
)


@settings(max_examples=100, deadline=None)
@given(
    samples=samples,
    ticks=st.lists(st.integers(0, 450_000), min_size=1, max_size=8),
    as_history=st.booleans(),
    step_ms=st.sampled_from([1_000, 60_000]),
    tolerance=st.sampled_from([Tolerance(1e-6), Tolerance(1e-9)]),
)
def test_samples_late_early_and_twice(samples, ticks, as_history, step_ms, tolerance):
    """Ticks fall anywhere; values are compared after each."""
    pair = Pair(RULES, step_ms=step_ms, dtype="float32" if tolerance.relative > 1e-9 else "float64")
    pair.listing(["A", "B"], T0)
    pair.tick(T0)
    pending = list(samples)
    for tick in sorted(ticks):
        now = T0 + tick
        # Everything stamped up to now may have arrived by now, in whatever order it was drawn.
        arrived = [s for s in pending if T0 + s[0] <= now]
        pending = [s for s in pending if T0 + s[0] > now]
        for at, value, valid_ms in arrived:
            if as_history:
                pair.history("A", "price", [(T0 + at, value)], valid_ms)
            else:
                pair.samples("price", {"A": (T0 + at, value)}, valid_ms=valid_ms, interval_ms=1_000)
        pair.tick(now)
        found = pair.differences(EXPRS, tolerance)
        assert not found, "\n".join(found)


@settings(max_examples=40, deadline=None)
@given(
    columns=st.lists(
        st.tuples(st.integers(0, 30_000), st.floats(0.5, 2.0), st.floats(0.5, 2.0)), min_size=1, max_size=20
    )
)
def test_a_batch_with_mixed_times_equals_its_samples_one_by_one(columns):
    """One message whose rows carry different times says the same as single samples do."""
    engines = [Engine(RULES, dtype="float64") for _ in range(2)]
    rows = np.array([0, 1], dtype=np.int32)
    for engine in engines:
        engine.consume(Listed(InstrumentList("binance", (perpetual("A"), perpetual("B"))), T0))
        engine.tick(T0)
    for at, a, b in columns:
        times, values = np.array([T0 + at, T0 + at + 1_700]), np.array([a, b])
        engines[0].consume(Samples("price", rows, times, values, 5_000, 1_000))
        for i in range(2):
            engines[1].consume(Samples("price", rows[i : i + 1], times[i : i + 1], values[i : i + 1], 5_000, 1_000))
    for now_ms in range(T0 + 32_000, T0 + 40_000, 1_700):
        for engine in engines:
            engine.tick(now_ms)
        for expr in EXPRS:
            np.testing.assert_array_equal(engines[0].values(expr), engines[1].values(expr))
