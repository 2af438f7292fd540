"""Noise is a pure function with the promised moments."""

import numpy as np

from bot.sim import noise


def test_the_same_place_has_the_same_value_alone_or_in_an_array():
    positions = np.arange(-500, 500)
    together = noise.normal(12345, positions)
    alone = [float(noise.normal(12345, int(p))) for p in positions]
    np.testing.assert_array_equal(together, alone)


def test_keys_and_positions_broadcast():
    keys = np.array([1, 2, 3], dtype=np.uint64)
    assert noise.uniform(keys, 7).shape == (3,)
    assert noise.uniform(keys[:, None], np.arange(5)).shape == (3, 5)


def test_moments():
    values = noise.normal(noise.key_of("moments"), np.arange(200_000))
    assert abs(values.mean()) < 0.01
    assert abs(values.std() - 1) < 0.01
    flat = noise.uniform(9, np.arange(200_000))
    assert 0 <= flat.min() < flat.max() < 1
    assert abs(flat.mean() - 0.5) < 0.005
    assert abs(np.corrcoef(values[1:], values[:-1])[0, 1]) < 0.01


def test_smooth_noise_meets_its_knots_and_runs_straight_between():
    at = noise.smooth(5, [0, 250, 500, 1000], 1000)
    assert at[1] == (0.75 * at[0] + 0.25 * at[3])
    assert at[2] == (at[0] + at[3]) / 2


def test_keys_differ_and_are_stable():
    assert noise.key_of(1, "BTCUSDT") == noise.key_of(1, "BTCUSDT")
    assert noise.key_of(1, "BTCUSDT") != noise.key_of(2, "BTCUSDT")
    assert 0 <= noise.key_of("x") < 2**63
