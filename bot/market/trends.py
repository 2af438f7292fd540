"""Slopes and correlations, kept as running sums over the past points of windows.

Both need few rules, so each window has its own small set of sums; they follow the grid row by row like the others, and
are computed afresh a few columns at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from bot.market.series import HOUR_MS
from bot.market.sums import FLAT, KNOWN_SHARE, MAX_STEPS
from bot.market.tier import Tier
from bot.model.updates import F64

MIN_POINTS: Final = 3
NO_MEAN: Final = 1e-18
"""A mean whose square is below this share of the mean square counts as zero."""
_REBASE_COLUMNS: Final = 8
_REBASE_EVERY: Final = 16


@dataclass(slots=True)
class _Sums:
    """Additive features of one window: shape (n_features, n_rows), and what they are relative to."""

    total: F64
    reference: F64
    origin: "npt.NDArray[np.int64]"
    """Grid point that counts as place 0, per instrument."""


class Trends:
    """`slope` and `corr` windows over one tier; `other` is -1 for a slope."""

    def __init__(self, tier: Tier, windows: Sequence[tuple[int, int, int]]) -> None:
        """`windows`: (gauge, other gauge or -1, n points)."""
        self.windows = tuple(windows)
        self._tier = tier
        # A row that leaves, and for changes the one before it, have to be in the ring still.
        held = min(int(tier.slots[g]) - n for a, b, n in self.windows for g in (a, b) if g >= 0)
        self._reach = min(MAX_STEPS, held - 2)
        self._sums: list[_Sums] = []
        self._at: int | None = None
        self._seen = -1
        self._steps = 0
        self._rebased = 0

    def catch_up(self, level: F64, dirty: dict[int, set[int]]) -> None:
        """Follow the tier: sums hold the rows before the newest."""
        newest, n_rows = self._tier.newest, level.shape[1]
        if newest is None:
            return
        if (
            self._at is None
            or self._seen != self._tier.n_rebuilt
            or newest - self._at > self._reach
            or self._sums[0].total.shape[1] != n_rows
        ):
            self._at, self._seen = newest, self._tier.n_rebuilt
            self._sums = [self._fresh(n_rows) for _ in self.windows]
            for i in range(len(self.windows)):
                self._rebuild(i, np.arange(n_rows), level)
            return
        for number in range(self._at + 1, newest + 1):
            for i, window in enumerate(self.windows):
                self._sums[i].total += self._features(i, number - 1) - self._features(i, self._oldest(window, number))
        self._steps += newest - self._at
        self._at = newest
        for i, (gauge, other, _) in enumerate(self.windows):
            if columns := dirty.get(gauge, set()) | dirty.get(other, set()):
                self._rebuild(i, np.array(sorted(columns)), level)
        if self._steps >= _REBASE_EVERY:
            self._steps = 0
            self._rebase(level)

    def _rebase(self, level: F64) -> None:
        n_rows = level.shape[1]
        n_chunks = -(-n_rows // _REBASE_COLUMNS)
        turn, self._rebased = self._rebased, (self._rebased + 1) % (n_chunks * len(self.windows))
        first = turn // len(self.windows) * _REBASE_COLUMNS
        self._rebuild(turn % len(self.windows), np.arange(first, min(first + _REBASE_COLUMNS, n_rows)), level)

    @staticmethod
    def _fresh(n_rows: int) -> _Sums:
        return _Sums(np.zeros((6, n_rows)), np.zeros(n_rows), np.zeros(n_rows, dtype=np.int64))

    @staticmethod
    def _oldest(window: tuple[int, int, int], newest: int) -> int:
        """Row whose features leave when the grid moves on to `newest`: a point, or the younger end of a pair."""
        return newest - window[2] + (window[1] >= 0)

    def _features(self, i: int, number: int, columns: "npt.NDArray[np.intp] | slice" = slice(None)) -> F64:
        """What one row adds to the sums, zero where it is not known. Shape (6, n_rows)."""
        gauge, other, _ = self.windows[i]
        if other < 0:
            sums = self._sums[i]
            place = (number - sums.origin[columns]).astype(np.float64)
            value = self._tier.rows(gauge, number, 1)[0][columns] - sums.reference[columns]
            return _slope_features(place, value)
        first, second = (self._tier.rows(g, number - 1, 2)[:, columns].astype(np.float64) for g in (gauge, other))
        return _corr_features(first, second)

    def _rebuild(self, i: int, columns: "npt.NDArray[np.intp]", level: F64) -> None:
        assert self._at is not None
        gauge, other, n = self.windows[i]
        sums = self._sums[i]
        newest = level[gauge, columns]
        sums.reference[columns] = np.where(np.isfinite(newest), newest, sums.reference[columns])
        sums.origin[columns] = self._at
        first = self._oldest(self.windows[i], self._at) + 1
        if other < 0:
            place = np.arange(first - self._at, 0, dtype=np.float64)[:, None]
            for some, past in self._tier.blocks(gauge, first, n - 1, columns):
                value = past - sums.reference[some]
                sums.total[:, some] = _slope_features(np.broadcast_to(place, value.shape), value).sum(axis=1)
            return
        of_both = (self._tier.blocks(g, first - 1, n - 1, columns) for g in (gauge, other))
        for (some, past), (_, past_of_other) in zip(*of_both, strict=True):
            features = _corr_features(past.astype(np.float64), past_of_other.astype(np.float64), all_pairs=True)
            sums.total[:, some] = features.sum(axis=1)

    # -- reading -------------------------------------------------------------------------------------------------

    def value(self, i: int, level: F64) -> F64:
        """Slope per hour over the mean, or the correlation of changes, of one window with now."""
        return self._slope(i, level) if self.windows[i][1] < 0 else self._corr(i, level)

    def _slope(self, i: int, level: F64) -> F64:
        gauge, _, n = self.windows[i]
        sums = self._sums[i]
        assert self._at is not None
        now = level[gauge] - sums.reference
        place = (self._at - sums.origin).astype(np.float64)
        count, s_j, s_jj, s_x, s_jx, s_xx = sums.total + _slope_features(place, now)
        with np.errstate(all="ignore"):
            per_step = (count * s_jx - s_j * s_x) / (count * s_jj - s_j * s_j)
            off = s_x / count
            mean = sums.reference + off
            slope = per_step * (HOUR_MS / self._tier.step_ms) / mean
            size = s_xx / count + sums.reference * (2 * off + sums.reference)
        known = np.isfinite(now) & (count >= KNOWN_SHARE * n) & (count >= MIN_POINTS)
        # Of points around zero the mean is rounding, and nothing can be said relative to it.
        known &= mean * mean > NO_MEAN * size
        return np.where(known, slope, np.nan)

    def _corr(self, i: int, level: F64) -> F64:
        gauge, other, n = self.windows[i]
        assert self._at is not None
        pair = []
        for g in (gauge, other):
            before = self._tier.rows(g, self._at - 1, 1)[0].astype(np.float64)
            pair.append(np.stack([before, level[g]]))
        total = self._sums[i].total + _corr_features(pair[0], pair[1])
        known = np.isfinite(level[gauge]) & np.isfinite(level[other])
        return correlation(total, known & (total[0] >= KNOWN_SHARE * (n - 1)))


def correlation(total: F64, known: "npt.NDArray[np.bool_]") -> F64:
    """Pearson's, from count and sums of x, y, xx, yy, xy; unknown where either is flat."""
    count, s_x, s_y, s_xx, s_yy, s_xy = total
    with np.errstate(all="ignore"):
        var_x, var_y = s_xx / count - (s_x / count) ** 2, s_yy / count - (s_y / count) ** 2
        covariance = s_xy / count - s_x * s_y / count**2
        result = np.clip(covariance / np.sqrt(var_x * var_y), -1.0, 1.0)
        moves = (var_x > FLAT * FLAT) & (var_y > FLAT * FLAT)
    return np.where(known & moves & (count >= MIN_POINTS), result, np.nan)


def _slope_features(place: F64, value: F64) -> F64:
    known = np.isfinite(value)
    x, j = np.where(known, value, 0.0), np.where(known, place, 0.0)
    return np.stack([known.astype(np.float64), j, j * j, x, j * x, x * x])


def _corr_features(first: F64, second: F64, *, all_pairs: bool = False) -> F64:
    """Of changes from each row to the next; for two rows the one change alone, shape (6, n_rows)."""
    with np.errstate(all="ignore"):
        x, y = first[1:] / first[:-1] - 1.0, second[1:] / second[:-1] - 1.0
    known = np.isfinite(x) & np.isfinite(y)
    x, y = np.where(known, x, 0.0), np.where(known, y, 0.0)
    features = np.stack([known.astype(np.float64), x, y, x * x, y * y, x * y])
    return features if all_pairs else features[:, 0]
