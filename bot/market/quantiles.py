"""How unusual now is among its own past: percentiles, and scores of changes on the five-minute grid.

A percentile is the share of past points below now, ties half. The points of `pct(s, v)` lie on the five-minute grid;
they are computed once, when the grid moves on, and a tick only places now among them.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bot.market.sums import FLAT, KNOWN_SHARE
from bot.market.tier import Tier, Values
from bot.model.updates import F64

THEN_SHARE: Final = 3
_CHUNK: Final = 128


def percentile(pieces: "tuple[Values | F64, ...]", now: F64, n_points: int) -> F64:
    """Share of the known past points below now, in percent. `pieces` have the shape (any, n_rows), NaN unknown."""
    n_rows = len(now)
    below = np.zeros(n_rows, dtype=np.int64)
    ties = np.zeros(n_rows, dtype=np.int64)
    known = np.zeros(n_rows, dtype=np.int64)
    for piece in pieces:
        level = now.astype(piece.dtype)
        for start in range(0, len(piece), _CHUNK):
            part = piece[start : start + _CHUNK]
            lower = _count(np.less(part, level))
            below += lower
            ties += _count(np.less_equal(part, level)) - lower
            known += _count(part == part)  # noqa: PLR0124, false for NaN alone
    # Now is a point of the window too, though not one it is compared with.
    enough = (known > 0) & (known + 1 >= KNOWN_SHARE * n_points) & np.isfinite(now)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(enough, 100.0 * (below + ties / 2) / known, np.nan)


def _count(mask: "npt.NDArray[np.bool_]") -> Any:
    return np.add.reduce(mask.view(np.uint8), axis=0, dtype=np.uint8).astype(np.int64)


class Changes:
    """The past points of `pct(series, v)` over a window, on the five-minute grid."""

    def __init__(self, tier: Tier, gauge: int, window_ms: int, inner_ms: int) -> None:
        self._tier = tier
        self._gauge = gauge
        self._n = window_ms // tier.step_ms
        self._lag = inner_ms // tier.step_ms
        self._inner_ms = inner_ms
        self._at: int | None = None
        self._seen = -1
        self._points: F64 = np.zeros((0, 0))
        """Ring over grid points."""
        self._count = self._mean = self._square = np.zeros(0)

    @property
    def nbytes(self) -> int:
        return int(self._points.nbytes)

    def catch_up(self, n_rows: int, dirty: dict[int, set[int]]) -> None:
        """Follow the tier to its newest row."""
        newest = self._tier.newest
        size = self._n - 1
        if newest is None or self._n < 2:
            return
        if self._at is None or self._seen != self._tier.n_rebuilt or self._points.shape[1] != n_rows:
            self._points = np.full((size, n_rows), np.nan)
            self._at, self._seen = newest - size, self._tier.n_rebuilt
        columns = dirty.get(self._gauge)
        if newest == self._at and not columns:
            return
        if columns:
            some = np.array(sorted(columns))
            for number in range(max(newest - size, 0), newest):
                self._points[number % size, some] = self._change(number)[some]
        for number in range(max(self._at, newest - size), newest):
            self._points[number % size] = self._change(number)
        self._at = newest
        self._sum_up()

    def _change(self, number: int) -> F64:
        """`pct` at one grid point. Shape (n_rows,)."""
        values, ages = self._tier.ends(self._gauge, np.array([number - self._lag, number]))
        then, now = values.astype(np.float64)
        known = (ages[0] * THEN_SHARE <= self._inner_ms) & (ages[0] <= self._tier.max_age_ms)
        with np.errstate(divide="ignore", invalid="ignore"):
            change = now / np.where(known, then, np.nan) - 1.0
        return np.where(np.isfinite(change), change, np.nan)

    def _sum_up(self) -> None:
        known = np.isfinite(self._points)
        points = np.where(known, self._points, 0.0)
        self._count = known.sum(axis=0).astype(np.float64)
        n = np.maximum(self._count, 1.0)
        self._mean = points.sum(axis=0) / n
        deviation = np.where(known, points - self._mean, 0.0)
        self._square = (deviation * deviation).sum(axis=0)

    def zscore(self, now: F64) -> F64:
        """How many deviations now lies from the mean of all points, now included."""
        if not len(self._count):
            return np.full_like(now, np.nan)
        n = self._count + 1.0
        off = now - self._mean
        mean = self._mean + off / n
        variance = (self._square + off * off * self._count / n) / n
        std = np.sqrt(variance)
        known = (n >= KNOWN_SHARE * self._n) & (std > FLAT)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(known, (now - mean) / std, np.nan)

    def percentile(self, now: F64) -> F64:
        """Share of the past points below now, in percent."""
        if not len(self._count):
            return np.full_like(now, np.nan)
        return percentile((self._points,), now, self._n)
