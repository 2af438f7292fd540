"""Running sums over the past points of windows, from which mean and deviation come in a few operations.

A window of n points is now and the n - 1 grid points before the newest. The sums are over those past points; when the
grid moves on by one, one row enters and one leaves. Values are shifted by a reference per instrument, so that nothing
cancels, and the sums are computed afresh a few columns at a time, so that rounding cannot build up.
"""

from collections.abc import Sequence
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
MAX_STEPS: Final = 600
"""A gap of more grid points than this is cheaper to compute afresh."""
_WEAK: Final = 1e-7
_RESIDUE: Final = 1e-9
_FLOOR_EVERY: Final = 16


class RunningSums:
    """Sums of (gauge, n points) pairs over one tier; of the first `n_square` also the sums of squares."""

    def __init__(self, tier: Tier, pairs: Sequence[tuple[int, int]], n_square: int, n_rows: int) -> None:
        self._tier = tier
        self._n_square = n_square
        self._gauge = np.array([g for g, _ in pairs], dtype=np.int64)
        self._n = np.array([n for _, n in pairs], dtype=np.int64)
        self._needed = (KNOWN_SHARE * self._n)[:, None]
        # What has been in a window stays in it for n steps, so that it is seen once in half of them.
        self._floor_every = max(1, min(int(self._n.min()) // 2, _FLOOR_EVERY))
        self._gauges = tuple(sorted({g for g, _ in pairs}))
        self._of_gauge = {g: np.flatnonzero(self._gauge == g) for g in self._gauges}
        self._at: int | None = None
        """Newest grid point that the sums belong to."""
        self._seen = -1
        self._steps = 0
        self._rebased = 0
        self._allocate(n_rows)

    def _allocate(self, n_rows: int) -> None:
        shape = (len(self._n), n_rows)
        self._sum = np.zeros(shape)
        self._square = np.zeros((self._n_square, n_rows))
        self._floor = np.zeros((self._n_square, n_rows))
        """Variance below which what is left of the sums is the rounding of what has left the window."""
        self._per_point = (_RESIDUE / self._n[: self._n_square])[:, None]
        self._count = np.zeros(shape)
        self.reference = np.zeros(shape)
        """What `now` and `mean` are relative to. Shape (n_pairs, n_rows)."""
        self._twice = np.zeros(shape)
        self.flat = np.zeros(shape)
        """A deviation above this is movement, whatever the mean: twice what counts as flat around the reference."""
        self._is_referenced = np.zeros(shape, dtype=np.bool_)
        self._all_referenced = False
        self._share = np.full(shape, np.nan)
        """1 / points, now included; NaN where too few of them are known."""
        self.now = np.empty(shape)
        """The newest level less the reference, after `compute`."""
        self.mean = np.empty(shape)
        """Of the points less the reference; NaN is unknown."""
        self.variance = np.empty((self._n_square, n_rows))
        """The population's, of the first `n_square` pairs."""
        self._change, self._both = np.empty(shape), np.empty((self._n_square, n_rows))
        self._in, self._out = np.empty(shape, dtype=self._tier.dtype), np.empty(shape, dtype=self._tier.dtype)

    # -- keeping up ----------------------------------------------------------------------------------------------

    def catch_up(self, level: F64, dirty: dict[int, set[int]]) -> None:
        """Follow the tier to its newest row. `level` has the shape (n_gauges, n_rows)."""
        newest, n_rows = self._tier.newest, level.shape[1]
        if newest is None:
            return
        # A row that leaves has to be in the ring still.
        reach = min(MAX_STEPS, int((self._tier.slots[self._gauge] - self._n).min()) - 1)
        stale = self._at is None or self._seen != self._tier.n_rebuilt or newest - self._at > reach
        if stale or self._sum.shape[1] != n_rows:
            if self._sum.shape[1] != n_rows:
                self._allocate(n_rows)
            self._at, self._seen = newest, self._tier.n_rebuilt
            for gauge in self._gauges:
                self._rebuild(gauge, np.arange(n_rows), level)
            return
        assert self._at is not None
        for number in range(self._at + 1, newest + 1):
            self._step(number)
        self._steps += newest - self._at
        self._at = newest
        if dirty or not self._all_referenced:
            self._mend(level, dirty)
        if self._steps >= _REBASE_EVERY:
            self._steps = 0
            self._rebase(level)

    def _mend(self, level: F64, dirty: dict[int, set[int]]) -> None:
        """Columns that were patched, and those that are known for the first time and need a reference."""
        for gauge in self._gauges:
            fresh = np.isfinite(level[gauge]) & ~self._is_referenced[self._of_gauge[gauge][0]]
            columns = {*dirty.get(gauge, ()), *np.flatnonzero(fresh).tolist()}
            if columns:
                self._rebuild(gauge, np.array(sorted(columns)), level)

    def _step(self, number: int) -> None:
        tier = self._tier
        base, slots = tier.base[self._gauge], tier.slots[self._gauge]
        entering, leaving = base + (number - 1) % slots, base + (number - self._n) % slots
        tier.value.take(entering, axis=0, out=self._in, mode="clip")
        tier.value.take(leaving, axis=0, out=self._out, mode="clip")
        change, both, n = self._change, self._both, self._n_square
        if not (tier.whole[entering].all() and tier.whole[leaving].all()):
            self._step_over_gaps()
            return
        np.subtract(self._in, self._out, out=change, dtype=np.float64)
        self._sum += change
        if n:
            # x² - y² = (x - y)(x + y): one product less, and smaller numbers.
            np.add(self._in[:n], self._out[:n], out=both, dtype=np.float64)
            both -= self._twice[:n]
            both *= change[:n]
            self._square += both
            if number % self._floor_every == 0:
                self._raise_floor()

    def _step_over_gaps(self) -> None:
        enters, leaves, n = self._in - self.reference, self._out - self.reference, self._n_square
        unknown_in, unknown_out = np.isnan(enters), np.isnan(leaves)
        enters[unknown_in] = 0.0
        leaves[unknown_out] = 0.0
        if not np.array_equal(unknown_in, unknown_out):
            self._count += unknown_out
            self._count -= unknown_in
            self._weigh()
        self._sum += enters - leaves
        if n:
            self._square += (enters[:n] - leaves[:n]) * (enters[:n] + leaves[:n])
            self._raise_floor()

    def _raise_floor(self) -> None:
        np.multiply(self._square, self._per_point, out=self._both)
        np.maximum(self._floor, self._both, out=self._floor)

    def _weigh(self) -> None:
        n = self._count + 1.0
        self._share = np.where(n >= self._needed, 1.0 / n, np.nan)

    def _rebuild(self, gauge: int, columns: "npt.NDArray[np.intp]", level: F64) -> None:
        """Compute the sums of some columns afresh from the ring, around a new reference."""
        assert self._at is not None
        pairs = self._of_gauge[gauge]
        newest = level[gauge, columns]
        known = np.isfinite(newest)
        reference = np.where(known, newest, self.reference[pairs[0], columns])
        where = np.ix_(pairs, columns)
        self.reference[where] = reference
        self._twice[where] = 2 * reference
        self.flat[where] = 2 * FLAT * np.abs(reference)
        self._is_referenced[where] |= known
        self._all_referenced = bool(self._is_referenced.all())
        longest = int(self._n[pairs].max())
        for some, past in self._tier.blocks(gauge, self._at - longest + 1, longest - 1, columns):
            self._sum_up(some, self.reference[pairs[0], some], pairs, past)
        self._weigh()

    def _sum_up(self, columns: "npt.NDArray[np.intp]", reference: F64, pairs: I64, past: Any) -> None:
        shifted = past[::-1] - reference
        known = np.isfinite(shifted)
        shifted = np.where(known, shifted, 0.0)
        sums, counts = np.cumsum(shifted, axis=0), np.cumsum(known, axis=0)
        squares = np.cumsum(shifted * shifted, axis=0)
        for pair in pairs:
            last = int(self._n[pair]) - 2
            self._sum[pair, columns] = sums[last] if last >= 0 else 0.0
            self._count[pair, columns] = counts[last] if last >= 0 else 0
            if pair < self._n_square:
                self._square[pair, columns] = squares[last] if last >= 0 else 0.0
                self._floor[pair, columns] = self._square[pair, columns] * self._per_point[pair]

    def _rebase(self, level: F64) -> None:
        n_rows = level.shape[1]
        n_chunks = -(-n_rows // _REBASE_COLUMNS)
        turn, self._rebased = self._rebased, (self._rebased + 1) % (n_chunks * len(self._gauges))
        gauge, chunk = self._gauges[turn % len(self._gauges)], turn // len(self._gauges)
        first = chunk * _REBASE_COLUMNS
        self._rebuild(gauge, np.arange(first, min(first + _REBASE_COLUMNS, n_rows)), level)

    # -- reading -------------------------------------------------------------------------------------------------

    def compute(self, level: F64) -> None:
        """Set `now`, `mean` and `variance` of each window, now included."""
        weak = self._compute(level)
        if weak is None or not weak.any():
            return
        # Where the mean is far from the reference beside the deviation, or much more has been in the window than is
        # left, too many digits have cancelled out.
        for gauge in self._gauges:
            pairs = self._of_gauge[gauge]
            columns = np.flatnonzero(weak[pairs[pairs < self._n_square]].any(axis=0))
            if len(columns):
                self._rebuild(gauge, columns, level)
        self._compute(level)
        np.maximum(self.variance, 0.0, out=self.variance)

    def _compute(self, level: F64) -> "npt.NDArray[np.bool_] | None":
        n, now, mean, variance = self._n_square, self.now, self.mean, self.variance
        level.take(self._gauge, axis=0, out=now, mode="clip")
        now -= self.reference
        np.add(self._sum, now, out=mean)
        mean *= self._share
        if not n:
            return None
        np.multiply(now[:n], now[:n], out=variance)
        variance += self._square
        variance *= self._share[:n]
        square = np.multiply(mean[:n], mean[:n], out=self._both)
        variance -= square
        square *= _WEAK
        np.maximum(square, self._floor, out=square)
        weak: npt.NDArray[np.bool_] = variance < square
        return weak
