"""Noise as a pure function of (key, position): any point can be asked for without the points before it.

All functions are deterministic on every machine: integer hashing (splitmix64) and NumPy's Philox generator.
"""

import hashlib
from typing import cast

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
U64 = npt.NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)
_LANE = np.uint64(0xFFFF)


def key_of(*parts: object) -> int:
    """Return a 63-bit key for any printable parts."""
    digest = hashlib.sha256(":".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def hashed(keys: npt.ArrayLike, positions: npt.ArrayLike) -> U64:
    """Return 64 well-mixed bits for each pair (broadcast)."""
    with np.errstate(over="ignore"):
        x = np.asarray(keys, dtype=np.uint64) + np.asarray(positions, dtype=np.int64).astype(np.uint64) * _GOLDEN
        x = x + _GOLDEN
        x = (x ^ (x >> np.uint64(30))) * _M1
        x = (x ^ (x >> np.uint64(27))) * _M2
        return cast("U64", x ^ (x >> np.uint64(31)))


def uniform(keys: npt.ArrayLike, positions: npt.ArrayLike) -> F64:
    """Return numbers in [0, 1)."""
    return (hashed(keys, positions) >> np.uint64(11)).astype(np.float64) / 2.0**53


def normal(keys: npt.ArrayLike, positions: npt.ArrayLike) -> F64:
    """Return roughly normal numbers (mean 0, deviation 1, bounded by 3.5): the sum of four 16-bit lanes."""
    x = hashed(keys, positions)
    total = np.zeros(x.shape)
    for shift in (0, 16, 32, 48):
        total += ((x >> np.uint64(shift)) & _LANE).astype(np.float64)
    return (total / 65536.0 - 2.0) * float(np.sqrt(3.0))


def smooth(keys: npt.ArrayLike, t_ms: npt.ArrayLike, period_ms: int) -> F64:
    """Return normal noise that moves linearly between knots `period_ms` apart."""
    t = np.asarray(t_ms, dtype=np.int64)
    knot = t // period_ms
    share = (t - knot * period_ms) / period_ms
    return normal(keys, knot) * (1.0 - share) + normal(keys, knot + 1) * share


def generator(key: int, position: int) -> np.random.Generator:
    """Return a fresh generator for one block of draws."""
    return np.random.Generator(np.random.Philox(key=np.array([key, position], dtype=np.uint64)))


def reverting_level(key: int, day: int, deviation: float, memory: float) -> float:
    """Return the level of a mean-reverting daily walk on that day: a 60-term moving average of hashed shocks."""
    lags = np.arange(60)
    return float(deviation * np.dot(memory**lags, normal(key, day - lags)))
