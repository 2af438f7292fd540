"""Running sums over the past points of windows, from which mean, deviation and score come in a few operations.

A window of n points is now and the n - 1 grid points before the newest. The sums are over those past points; when the
grid moves on by one, one row enters and one leaves. Values are shifted by a reference per instrument, so that nothing
cancels, and the sums are computed afresh a few columns at a time, so that rounding cannot build up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bot.market.tier import Tier
from bot.model.updates import F64, I64

KNOWN_SHARE: Final = 0.8
FLAT: Final = 1e-9
"""A standard deviation below this share of the level is rounding, not movement: the series is flat."""
_REBASE_COLUMNS: Final = 8
_REBASE_EVERY: Final = 16
_MAX_STEPS: Final = 600
"""A gap of more grid points than this is cheaper to compute afresh."""
_CHUNK: Final = 64
_WEAK: Final = 1e-7


@dataclass(frozen=True, slots=True)
class Moments:
    """What a window knows of its points, now included. Shapes (n_pairs, n_rows); NaN is unknown."""

    mean: F64
    """Less the reference of the series."""
    variance: F64
    now: F64
    """The newest level less the reference."""


class RunningSums:
    """Sums of (gauge, n points) pairs over one tier."""

    def __init__(self, tier: Tier, pairs: Sequence[tuple[int, int]], n_rows: int) -> None:
        self.pairs = tuple(pairs)
        self._tier = tier
        self._gauge = np.array([g for g, _ in pairs], dtype=np.int64)
        self._n = np.array([n for _, n in pairs], dtype=np.int64)
        self._needed = (KNOWN_SHARE * self._n)[:, None]
        self._gauges = tuple(sorted({g for g, _ in pairs}))
        self._of_gauge = {g: np.flatnonzero(self._gauge == g) for g in self._gauges}
        self._at: int | None = None
        """Newest grid point that the sums belong to."""
        self._seen = -1
        self._steps = 0
        self._rebased = 0
        self._allocate(n_rows)

    def _allocate(self, n_rows: int) -> None:
        shape = (len(self.pairs), n_rows)
        self._sum = np.zeros(shape)
        self._square = np.zeros(shape)
        self._count = np.zeros(shape)
        self._reference = np.zeros((int(self._gauge.max()) + 1, n_rows))
        self._pair_reference = np.zeros(shape)
        self._share = np.zeros(shape)
        """1 / points, now included; NaN where too few of them are known."""
        self._enters, self._leaves, self._both = np.empty(shape), np.empty(shape), np.empty(shape)
        self._row = np.empty(shape, dtype=self._tier.dtype)
        self._is_referenced = np.zeros((len(self._reference), n_rows), dtype=np.bool_)

    # -- keeping up ----------------------------------------------------------------------------------------------

    def catch_up(self, level: F64, dirty: dict[int, set[int]]) -> None:
        """Follow the tier to its newest row. `level` has the shape (n_gauges, n_rows)."""
        newest = self._tier.newest
        if newest is None:
            return
        n_rows = level.shape[1]
        if (
            self._at is None
            or self._seen != self._tier.n_rebuilt
            or newest - self._at > _MAX_STEPS
            or self._sum.shape[1] != n_rows
        ):
            if self._sum.shape[1] != n_rows:
                self._allocate(n_rows)
            self._at, self._seen = newest, self._tier.n_rebuilt
            for gauge in self._gauges:
                self._rebuild(gauge, np.arange(n_rows), level)
            return
        for number in range(self._at + 1, newest + 1):
            self._step(number)
        if newest > self._at:
            self._steps += newest - self._at
            self._at = newest
        for gauge in self._gauges:
            if columns := dirty.get(gauge):
                self._rebuild(gauge, np.array(sorted(columns)), level)
            fresh = np.isfinite(level[gauge]) > self._is_referenced[gauge]
            if fresh.any():
                self._rebuild(gauge, np.flatnonzero(fresh), level)
        if self._steps >= _REBASE_EVERY:
            self._steps = 0
            self._rebase(level)

    def _step(self, number: int) -> None:
        tier = self._tier
        entering = tier.base[self._gauge] + (number - 1) % tier.slots[self._gauge]
        leaving = tier.base[self._gauge] + (number - self._n) % tier.slots[self._gauge]
        is_whole = bool(tier.whole[entering].all() and tier.whole[leaving].all())
        enters, leaves, both = self._enters, self._leaves, self._both
        np.take(tier.value, entering, axis=0, out=self._row, mode="clip")
        np.subtract(self._row, self._pair_reference, out=enters)
        np.take(tier.value, leaving, axis=0, out=self._row, mode="clip")
        np.subtract(self._row, self._pair_reference, out=leaves)
        if not is_whole:
            unknown_in, unknown_out = np.isnan(enters), np.isnan(leaves)
            enters[unknown_in] = 0.0
            leaves[unknown_out] = 0.0
            if not np.array_equal(unknown_in, unknown_out):
                self._count += unknown_out
                self._count -= unknown_in
                self._weigh()
        # x² - y² = (x - y)(x + y): one product less, and smaller numbers.
        np.add(enters, leaves, out=both)
        np.subtract(enters, leaves, out=enters)
        self._sum += enters
        np.multiply(enters, both, out=both)
        self._square += both

    def _weigh(self) -> None:
        n = self._count + 1.0
        self._share = np.where(n >= self._needed, 1.0 / n, np.nan)

    def _rebuild(self, gauge: int, columns: "npt.NDArray[np.intp]", level: F64) -> None:
        """Compute the sums of some columns afresh from the ring, around a new reference."""
        assert self._at is not None
        newest = level[gauge, columns]
        known = np.isfinite(newest)
        self._is_referenced[gauge, columns] |= known
        self._reference[gauge, columns] = np.where(known, newest, self._reference[gauge, columns])
        pairs = self._of_gauge[gauge]
        self._pair_reference[np.ix_(pairs, columns)] = self._reference[gauge, columns]
        longest = int(self._n[pairs].max())
        if longest > 1:
            past = self._tier.rows(gauge, self._at - longest + 1, longest - 1)
            for start in range(0, len(columns), _CHUNK):
                self._sum_up(gauge, columns[start : start + _CHUNK], pairs, past)
        self._weigh()

    def _sum_up(self, gauge: int, columns: "npt.NDArray[np.intp]", pairs: I64, past: Any) -> None:
        shifted = past[::-1, columns] - self._reference[gauge, columns]
        known = np.isfinite(shifted)
        shifted = np.where(known, shifted, 0.0)
        sums, squares = np.cumsum(shifted, axis=0), np.cumsum(shifted * shifted, axis=0)
        counts = np.cumsum(known, axis=0)
        for pair in pairs:
            last = int(self._n[pair]) - 2
            self._sum[pair, columns] = sums[last] if last >= 0 else 0.0
            self._square[pair, columns] = squares[last] if last >= 0 else 0.0
            self._count[pair, columns] = counts[last] if last >= 0 else 0

    def _rebase(self, level: F64) -> None:
        n_rows = level.shape[1]
        n_chunks = -(-n_rows // _REBASE_COLUMNS)
        turn, self._rebased = self._rebased, (self._rebased + 1) % (n_chunks * len(self._gauges))
        gauge, chunk = self._gauges[turn % len(self._gauges)], turn // len(self._gauges)
        first = chunk * _REBASE_COLUMNS
        self._rebuild(gauge, np.arange(first, min(first + _REBASE_COLUMNS, n_rows)), level)

    # -- reading -------------------------------------------------------------------------------------------------

    def moments(self, level: F64) -> Moments:
        """Mean and population variance of each pair's window, now included."""
        found = self._moments(level)
        # Where the mean is far from the reference beside the deviation, too many digits have cancelled out.
        weak = found.variance < found.mean * found.mean * _WEAK
        if not weak.any():
            return found
        for gauge in self._gauges:
            columns = np.flatnonzero(weak[self._of_gauge[gauge]].any(axis=0))
            if len(columns):
                self._rebuild(gauge, columns, level)
        return self._moments(level)

    def _moments(self, level: F64) -> Moments:
        now = level[self._gauge]
        now -= self._pair_reference
        mean = self._sum + now
        mean *= self._share
        variance = now * now
        variance += self._square
        variance *= self._share
        variance -= mean * mean
        np.maximum(variance, 0.0, out=variance)
        return Moments(mean, variance, now)

    @property
    def reference(self) -> F64:
        """What the numbers of `Moments` are relative to. Shape (n_pairs, n_rows)."""
        return self._pair_reference

    @property
    def known(self) -> F64:
        """1 where 80 % of the points are known if now is, else NaN. Shape (n_pairs, n_rows)."""
        return np.where(np.isnan(self._share), np.nan, 1.0)
