"""What a ring says of grid points, read in the ways there are: they agree, also where it wraps and where it does not reach."""

import numpy as np
import pytest

from bot.market.series import INDEX
from bot.market.tier import Tier

PRICE, OI = INDEX["price"], INDEX["oi"]
N_ROWS, N_SLOTS, STEP_MS = 300, 40, 60_000
LAST = 1_000


@pytest.fixture(params=[0, 7, N_SLOTS - 1])
def tier(request):
    made = Tier(step_ms=STEP_MS, slots={"price": N_SLOTS, "oi": 10}, n_rows=N_ROWS, dtype=np.dtype("f4"))
    rng = np.random.default_rng(7)
    made.newest = LAST + request.param
    made.value[:] = rng.random(made.value.shape)
    made.value[rng.random(made.value.shape) < 0.2] = np.nan
    return made


@pytest.mark.parametrize("back", [1, 5, N_SLOTS, N_SLOTS + 9])
def test_all_ways_to_read_it_agree(tier, back):
    first, n = tier.newest - back + 1, back + 3
    numbers = np.arange(first, first + n)
    rows = tier.rows(PRICE, first, n)
    assert rows.shape == (n, N_ROWS)
    assert np.isnan(rows[back:]).all(), "nothing is known of what comes"
    np.testing.assert_array_equal(np.concatenate(tier.pieces(PRICE, first, n)), rows)
    np.testing.assert_array_equal(tier.ends(PRICE, numbers)[0], rows)
    np.testing.assert_array_equal(tier.known(PRICE, numbers), np.isfinite(rows))
    columns = np.array([3, 299, 4, 128])
    np.testing.assert_array_equal(tier.block(PRICE, first, n, columns), rows[:, columns])
    np.testing.assert_array_equal(tier.column(PRICE, first, n, 128), rows[:, 128])


def test_what_the_ring_holds_is_not_copied(tier):
    pieces = tier.pieces(PRICE, tier.newest - N_SLOTS + 1, N_SLOTS)
    assert sum(len(piece) for piece in pieces) == N_SLOTS
    assert all(np.shares_memory(piece, tier.value) for piece in pieces)


def test_an_empty_ring_knows_nothing():
    made = Tier(step_ms=STEP_MS, slots={"price": N_SLOTS}, n_rows=4, dtype=np.dtype("f4"))
    assert not made.known(PRICE, np.arange(9)).any()
    assert np.isnan(made.block(PRICE, 0, 9, np.array([1]))).all()
    assert np.isnan(np.concatenate(made.pieces(PRICE, 0, 9))).all()
