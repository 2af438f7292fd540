"""What is planted is found, and what is noise is called so about as often as it should be."""

import numpy as np
import pytest

from bot.history.chance import LEVEL, compare, student
from bot.history.outcomes import DAY_MS, HOUR_MS, Moments, Prices, all_after

STEP_MS = 1_800_000
START_MS = 1_769_904_000_000
PER_DAY = DAY_MS // STEP_MS
N_CONTRACTS = 8
N_RUNS = 60


def market(generator, n_days, *, pushes=(), size=0.0):
    """Closes of contracts that move together in part, with calm and wild days. `pushes`: (row, contract) after which the price is
    driven by `size` usual moves over an hour, up or down.
    """
    n = n_days * PER_DAY
    wild = np.zeros(n)
    for t in range(1, n):
        wild[t] = 0.97 * wild[t - 1] + generator.normal(0, 0.12)
    step = 3e-3 * np.exp(wild)
    together, alone = generator.normal(0, 1, (n, 1)), generator.normal(0, 1, (n, N_CONTRACTS))
    change = step[:, None] * (0.7 * together + 0.7 * alone)
    for row, contract in pushes:
        change[row + 1 : row + 3, contract] += generator.choice([-1, 1]) * size * step[row] / 2
    return Prices(START_MS + STEP_MS * np.arange(n), STEP_MS, 100 * np.exp(np.cumsum(change, axis=0)))


def crowds(generator, n_days, n_crowds=16):
    """Firings as they come: several contracts at about the same time."""
    rows, columns = [], []
    for at in generator.integers(PER_DAY, n_days * PER_DAY - 8, n_crowds):
        for contract in generator.choice(N_CONTRACTS, generator.integers(1, 6), replace=False):
            rows.append(int(at + generator.integers(0, 6)))
            columns.append(int(contract))
    return Moments(np.array(rows), np.array(columns))


def looks(prices, moments):
    everywhere = np.arange(len(prices.close_ms)) >= PER_DAY
    (found,) = all_after(prices, [(moments, lambda _column: everywhere.copy())])
    return [(one.after_ms, compare(one.sizes, n_draws=300), compare(one.signed, n_draws=300)) for one in found]


def test_noise_is_called_chance_about_as_often_as_the_level_says():
    n_looks = n_beyond = n_verdicts = 0
    for seed in range(N_RUNS):
        generator = np.random.default_rng(seed)
        found = [c for _, *both in looks(market(generator, 28), crowds(generator, 28)) for c in both if c.is_enough]
        n_looks += len(found)
        n_beyond += sum(c.sign(1) != 0 for c in found)
        n_verdicts += any(c.sign(len(found)) for c in found)
    assert n_looks > 4 * N_RUNS
    # The looks of one run depend on each other, so the bound is a loose one.
    assert n_beyond / n_looks <= 2 * (1 - LEVEL)
    assert n_verdicts / N_RUNS <= 2 * (1 - LEVEL)


def test_a_planted_move_is_found_after_the_hour_in_which_it_happens():
    n_found = 0
    for seed in range(20):
        generator = np.random.default_rng(seed)
        moments = crowds(generator, 28, n_crowds=24)
        pushes = list(zip(moments.row.tolist(), moments.column.tolist(), strict=True))
        found = looks(market(generator, 28, pushes=pushes, size=5.0), moments)
        n = sum(c.is_enough for _, *both in found for c in both)
        hour = next(size for after_ms, size, _ in found if after_ms == HOUR_MS)
        n_found += hour.sign(n) == 1
    assert n_found >= 18


def test_what_every_day_brings_at_that_hour_is_no_merit_of_a_rule():
    """At noon prices jump, and the rule fires at noon: nothing is left beside random moments of the same hour."""
    generator = np.random.default_rng(3)
    n_days = 40
    n = n_days * PER_DAY
    change = generator.normal(0, 1e-3, (n, N_CONTRACTS))
    noon = np.arange(n) % PER_DAY == PER_DAY // 2
    change[noon] *= 10
    prices = Prices(START_MS + STEP_MS * np.arange(n), STEP_MS, 100 * np.exp(np.cumsum(change, axis=0)))
    rows = np.flatnonzero(noon)[2:-1:2] - 1
    moments = Moments(rows, generator.integers(0, N_CONTRACTS, len(rows)))
    (found,) = all_after(prices, [(moments, lambda _column: np.ones(n, dtype=bool))])
    hour = next(one for one in found if one.after_ms == HOUR_MS)
    compared = compare(hour.sizes)
    assert compared.at_firings > 3, "they are large"
    assert compared.sign() == 0, "and no larger than at that hour of other days"


def test_firings_of_one_day_are_one_event():
    generator = np.random.default_rng(5)
    prices = market(generator, 28)
    rows = np.sort(generator.integers(10 * PER_DAY, 10 * PER_DAY + 6, 40))
    for _, *both in looks(prices, Moments(rows, generator.integers(0, N_CONTRACTS, 40))):
        for compared in both:
            assert compared.n == 40
            assert not compared.is_enough
            assert compared.interval() == (-np.inf, np.inf)
            assert compared.sign() == 0


@pytest.mark.parametrize(("freedom", "exact"), [(4, 2.776), (5, 2.571), (10, 2.228), (30, 2.042), (1_000, 1.962)])
def test_intervals_are_as_wide_as_the_table_of_student_says(freedom, exact):
    assert student(0.95, freedom) == pytest.approx(exact, rel=0.01)


def test_the_same_seed_gives_the_same_answer():
    generator = np.random.default_rng(1)
    prices, moments = market(generator, 28), crowds(generator, 28)
    assert [c.error for _, *both in looks(prices, moments) for c in both] == [
        c.error for _, *both in looks(prices, moments) for c in both
    ]
