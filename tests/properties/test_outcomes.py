"""Later moves and matched random moments, against a slow and plain computation."""

import math
import statistics

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.history.chance import Matched, compare
from bot.history.outcomes import CAP, DAY_MS, HOUR_MS, Moments, Prices, after, lately, moves

STEP_MS = 900_000
START_MS = 1_770_000_000_000 // DAY_MS * DAY_MS + 3 * HOUR_MS


@st.composite
def runs(draw: st.DrawFn) -> tuple[Prices, Moments]:
    n_rows = draw(st.integers(8, 400))
    n_columns = draw(st.integers(1, 3))
    generator = np.random.default_rng(draw(st.integers(0, 10_000)))
    close = 100 * np.exp(np.cumsum(generator.normal(0, 0.01, (n_rows, n_columns)), axis=0))
    close[generator.random((n_rows, n_columns)) < draw(st.sampled_from([0.0, 0.1, 0.6]))] = math.nan
    n = draw(st.integers(1, 20))
    row = np.sort(generator.integers(0, n_rows, n))
    times = START_MS + STEP_MS * np.arange(n_rows)
    moments = Moments(row, generator.integers(-1, n_columns, n))
    return Prices(times, STEP_MS, close), moments


def at(prices: Prices, row: int, column: int) -> float:
    """The newest close that still speaks."""
    for back in (0, 1):
        if row - back >= 0 and math.isfinite(prices.close[row - back, column]):
            return float(prices.close[row - back, column])
    return math.nan


def moved(prices: Prices, row: int, column: int, steps: int) -> float:
    if row + steps >= len(prices.close_ms):
        return math.nan
    if column >= 0:
        return at(prices, row + steps, column) / at(prices, row, column) - 1
    each = [moved(prices, row, c, steps) for c in range(prices.close.shape[1])]
    known = [m for m in each if math.isfinite(m)]
    return sum(known) / len(known) if len(known) >= max(1, len(each) / 2) else math.nan


@settings(max_examples=40, deadline=None)
@given(runs(), st.sampled_from([900_000, HOUR_MS]))
def test_moves_and_random_moments_are_those_of_a_plain_loop(run: tuple[Prices, Moments], after_ms: int) -> None:
    prices, moments = run
    steps = after_ms // STEP_MS
    may = (np.arange(len(prices.close_ms)) % 7 != 0) & (np.arange(len(prices.close_ms)) >= 3)
    found = after(prices, moments, after_ms, lambda _column: may.copy())
    hours = prices.close_ms % DAY_MS // HOUR_MS
    values, means = [], []
    for row, column, move in zip(moments.row.tolist(), moments.column.tolist(), found.move.tolist(), strict=True):
        expected = moved(prices, row, column, steps)
        np.testing.assert_allclose(move, expected, rtol=1e-9)
        mine = set(moments.row[moments.column == column].tolist())
        eligible = [t for t in range(len(hours)) if may[t] or t in mine]
        later = {t: moved(prices, t, column, steps) for t in eligible}
        known = [abs(m) for m in later.values() if math.isfinite(m)]
        usual = statistics.median(known) if known else math.nan
        if not math.isfinite(expected) or not usual:
            continue
        sizes = [min(abs(m) / usual, CAP) for t, m in later.items() if math.isfinite(m) and hours[t] == hours[row]]
        values.append(min(abs(expected) / usual, CAP))
        means.append(sum(sizes) / len(sizes))
    whole = compare(found.sizes, n_draws=10)
    assert whole.n == len(values) == int(found.fired_bins.sum())
    if values:
        np.testing.assert_allclose(whole.at_firings, sum(values) / len(values), rtol=1e-9)
        np.testing.assert_allclose(whole.at_random, sum(means) / len(means), rtol=1e-9)
        np.testing.assert_allclose(found.random_bins.sum(), len(values))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 150))
def test_nothing_later_than_a_moment_reaches_how_much_moved_lately(seed: int, cut: int) -> None:
    generator = np.random.default_rng(seed)
    price = 100 * np.exp(np.cumsum(generator.normal(0, 0.01, 200)))
    other = price.copy()
    other[cut + 1 :] = generator.uniform(1, 1_000, len(price) - cut - 1)
    np.testing.assert_array_equal(lately(price, 4, STEP_MS)[: cut + 1], lately(other, 4, STEP_MS)[: cut + 1])


def test_lately_is_a_mean_over_a_day() -> None:
    price = 100 * np.exp(np.cumsum(np.random.default_rng(5).normal(0, 0.01, 300)))
    price[40:60] = math.nan
    change = moves(price, 4)
    found = lately(price, 4, STEP_MS)
    for t in (96, 150, 299):
        known = [abs(change[s - 4]) for s in range(max(4, t - 95), t + 1) if math.isfinite(change[s - 4])]
        np.testing.assert_allclose(found[t], sum(known) / len(known), rtol=1e-9)
    assert math.isnan(found[30]), "less than half a day is known"


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(2, 8))
def test_draws_of_blocks_are_those_of_a_plain_loop(seed: int, n: int, n_blocks: int) -> None:
    generator = np.random.default_rng(seed)
    n_cells = 3
    count = generator.integers(1, 20, (n_blocks, n_cells)).astype(np.float64)
    matched = Matched(
        value=generator.normal(1, 1, n),
        cell=generator.integers(0, n_cells, n),
        block=generator.integers(0, n_blocks, n),
        total=generator.normal(1, 0.3, (n_blocks, n_cells)) * count,
        count=count,
    )
    n_draws = 40
    found = compare(matched, seed=seed, n_draws=n_draws)
    expected = []
    draws = np.random.default_rng(seed).multinomial(n_blocks, [1 / n_blocks] * n_blocks, size=n_draws)
    for weights in draws.tolist():
        fired, random = [], []
        for value, cell, block in zip(matched.value, matched.cell, matched.block, strict=True):
            total = sum(w * matched.total[b, cell] for b, w in enumerate(weights))
            number = sum(w * matched.count[b, cell] for b, w in enumerate(weights))
            fired += [value] * weights[block]
            random += [total / number] * weights[block] if weights[block] else []
        if fired:
            expected.append(sum(fired) / len(fired) - sum(random) / len(random))
    if found.n_blocks > 1 and len(expected) > 1:
        np.testing.assert_allclose(found.error, np.std(expected), rtol=1e-6, atol=1e-12)
