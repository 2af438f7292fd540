"""Windows over whole arrays of history: rows are grid points, columns instruments, each row's window ends at it.

Everything is exact in the same sense as at single ticks, and depends on nothing but the points of the window and where
it lies in time: sums are taken over blocks as long as the window, cut at whole multiples of it, so that a run gives the
same numbers however it is cut into pieces. No window is ever the difference of two long sums.

Arrays come with rows before those that are asked for (`lead` of them); how many a function needs is said beside it.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from bot.market.sums import FLAT, KNOWN_SHARE
from bot.market.trends import MIN_POINTS, NO_MEAN, correlation
from bot.model.updates import F64, Mask

_WEAK: Final = 1e-8
"""A variance below this share of the squared distance to what it was counted from has lost too many digits."""
_GATHERED: Final = 1 << 20
"""Points looked at in one piece where windows are computed one by one."""
_LAGS_PER_COUNT: Final = 255
_MANY: Final = 100
"""Points of a window from which on a block is gone through at once rather than row by row (measured)."""


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Points of one series, the oldest first. `value` has the shape (lead + T, N), NaN is unknown."""

    value: F64
    first: int
    """Number of the first row on the grid."""
    lead: int
    is_whole: bool
    """Whether every point is known."""

    @classmethod
    def of(cls, value: F64, first: int, lead: int) -> "Stretch":
        return cls(value, first, lead, is_known_all(value))


def is_known_all(value: F64) -> bool:
    """Whether no number is missing."""
    return bool(np.isfinite(value.sum()) or np.isfinite(value).all())


def enough(points: Stretch, n: int) -> Mask | None:
    """Where now and 80 % of the points are known; None for everywhere. Needs n rows of lead."""
    if points.is_whole and points.lead >= n - 1:
        return None
    known = np.isfinite(points.value)
    needed = int(np.ceil(KNOWN_SHARE * n))
    return (moving_count(known, n, points.lead) >= needed) & known[points.lead :]


def moving_count(mask: Mask, n: int, lead: int) -> "npt.NDArray[np.int32]":
    """How many of the last n rows are true; rows before the first are not. Shape (T, N)."""
    total = np.zeros((len(mask) + 1, mask.shape[1]), dtype=np.int32)
    np.cumsum(mask, axis=0, dtype=np.int32, out=total[1:])
    n_rows = len(mask) - lead
    found: npt.NDArray[np.int32] = total[lead + 1 :].copy()
    skipped = max(0, n - 1 - lead)
    found[skipped:] -= total[lead + 1 + skipped - n : len(mask) + 1 - n] if skipped < n_rows else 0
    return found


# -- extrema ---------------------------------------------------------------------------------------------------------


def extremum(points: Stretch, n: int, *, highest: bool) -> F64:
    """Highest or lowest of the known points of each window, NaN where none is. Needs n - 1 rows of lead."""
    better = np.maximum if highest else np.minimum
    worst = -np.inf if highest else np.inf
    value = points.value if points.is_whole else np.where(np.isnan(points.value), worst, points.value)
    value = value[max(0, points.lead - n + 1) :]
    # Of twice as many points at each turn; what is read and what is written take turns too.
    other, spare = np.empty_like(value), np.empty_like(value)
    reach = 1
    while reach < n:
        back = min(reach, n - reach)
        other[:back] = value[:back]
        better(value[back:], value[:-back], out=other[back:])
        value, other, spare, reach = other, spare, other, reach + back
    found: F64 = value[min(points.lead, n - 1) :]
    return found if points.is_whole else np.where(np.isfinite(found), found, np.nan)


# -- sums ------------------------------------------------------------------------------------------------------------


class Blocks:
    """How rows fall into blocks of n, cut at whole multiples of n. Needs 2 n rows of lead."""

    def __init__(self, first: int, n_rows: int, lead: int, n: int) -> None:
        self.n = n
        begin = (first + lead - n + 1) // n * n
        """The block in which the oldest window begins."""
        self._skip = begin - first
        end = -(-(first + n_rows) // n) * n
        self.n_blocks = (end - begin) // n
        self._n_rows = n_rows
        self._lead = lead
        self.begin = begin

    def cut(self, rows: "npt.NDArray[np.generic]", fill: float = 0.0) -> F64:
        """Rows as blocks, shape (n_blocks, n, N); `fill` where there are none."""
        out: F64 = np.full((self.n_blocks * self.n, rows.shape[1]), fill)
        source = rows[max(0, self._skip) :]
        at = max(0, -self._skip)
        out[at : at + len(source)] = source
        return out.reshape(self.n_blocks, self.n, rows.shape[1])

    def before(self, rows: F64) -> F64:
        """The row before each block; NaN where there is none. Shape (n_blocks, N)."""
        at = self._skip + np.arange(self.n_blocks) * self.n - 1
        inside = (at >= 0) & (at < len(rows))
        return np.where(inside[:, None], rows[np.clip(at, 0, len(rows) - 1)], np.nan)

    def back(self, blocks: F64) -> F64:
        """The rows that are asked for, of blocks with a value for each row. Shape (T, N)."""
        flat = blocks.reshape(-1, blocks.shape[2])
        start = self._lead - self._skip
        return flat[start : start + self._n_rows - self._lead]

    def spread(self, per_block: F64) -> F64:
        """One value for each block, for each row that is asked for. Shape (T, N)."""
        return np.repeat(per_block, self.n, axis=0)[
            self._lead - self._skip : self._lead - self._skip + self._n_rows - self._lead
        ]


def prefix(blocks: F64) -> F64:
    """Sums from each block's begin to each row."""
    if blocks.shape[1] >= _MANY:
        return np.add.accumulate(blocks, axis=1)
    out = blocks.copy()
    for i in range(1, blocks.shape[1]):
        np.add(out[:, i - 1], blocks[:, i], out=out[:, i])
    return out


def suffix(blocks: F64) -> F64:
    """Sums from behind each row to the end of its block: what a window that ends in the next block takes of this one."""
    out = np.zeros_like(blocks)
    if blocks.shape[1] >= _MANY:
        np.add.accumulate(blocks[:, :0:-1], axis=1, out=out[:, -2::-1])
        return out
    for i in range(blocks.shape[1] - 2, -1, -1):
        np.add(out[:, i + 1], blocks[:, i + 1], out=out[:, i])
    return out


def shifted(blocks: F64) -> F64:
    """Each block's successor gets its values; the first has none."""
    out = np.zeros_like(blocks)
    out[1:] = blocks[:-1]
    return out


def moving_sum(rows: F64, first: int, lead: int, n: int) -> F64:
    """Sum of the last n rows, without gaps. Shape (T, N)."""
    if n == 1:
        return rows[lead:]
    cut = Blocks(first, len(rows), lead, n)
    blocks = cut.cut(rows)
    total = prefix(blocks)
    total[1:] += suffix(blocks)[:-1]
    return cut.back(total)


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Count, mean and population variance of the known points of each window. Shape (T, N) each."""

    count: F64
    mean: F64
    variance: F64


def moments(points: Stretch, n: int) -> Moments:
    """Of each window, however many of its points are known. Needs 2 n rows of lead."""
    cut = Blocks(points.first, len(points.value), points.lead, n)
    value = cut.cut(points.value, np.nan)
    reference = _reference(cut, points, value)
    off = value - reference[:, None]
    known = np.isfinite(off)
    if not known.all():
        off[~known] = 0.0
    step = np.zeros_like(reference)
    step[1:] = reference[:-1] - reference[1:]
    square = off * off
    count = cut.back(_both(known.astype(np.float64)))
    old_count, old_sum = (shifted(suffix(a)) for a in (known.astype(np.float64), off))
    total = cut.back(prefix(off) + old_sum + old_count * step[:, None])
    squares = cut.back(
        prefix(square) + shifted(suffix(square)) + 2.0 * step[:, None] * old_sum + old_count * (step * step)[:, None]
    )
    with np.errstate(all="ignore"):
        away = total / count
        variance = squares / count - away * away
        mean = cut.spread(reference) + away
        step_of = cut.spread(step)
        weak = variance <= _WEAK * (away * away + step_of * step_of)
    if weak.any():
        _mend(points, n, weak & (count > 0), mean, variance)
    return Moments(count, mean, np.maximum(variance, 0.0))


def _reference(cut: Blocks, points: Stretch, blocks: F64) -> F64:
    """What each block is counted from: the point before it, else its first known one, else 0."""
    reference = cut.before(points.value)
    missing = ~np.isfinite(reference)
    if missing.any():
        known = np.isfinite(blocks)
        first = np.take_along_axis(blocks, known.argmax(axis=1)[:, None], axis=1)[:, 0]
        reference = np.where(missing, np.where(known.any(axis=1), first, 0.0), reference)
    return reference


def _both(blocks: F64) -> F64:
    total = prefix(blocks)
    total[1:] += suffix(blocks)[:-1]
    return total


def _mend(points: Stretch, n: int, weak: Mask, mean: F64, variance: F64) -> None:
    """Windows in which too many digits were lost, one by one; those that are flat without looking at all points."""
    same = flat(points, n)
    is_flat = weak & same
    mean[is_flat] = points.value[points.lead :][is_flat]
    variance[is_flat] = 0.0
    at, column = np.nonzero(weak & ~same)
    per_piece = max(1, _GATHERED // n)
    for start in range(0, len(at), per_piece):
        piece = slice(start, start + per_piece)
        rows = points.lead + at[piece, None] - np.arange(n - 1, -1, -1)
        inside = rows >= 0
        found = np.where(inside, points.value[np.maximum(rows, 0), column[piece, None]], np.nan)
        known = np.isfinite(found)
        count = known.sum(axis=1)
        newest = found[np.arange(len(found)), n - 1 - known[:, ::-1].argmax(axis=1)]
        off = np.where(known, found - newest[:, None], 0.0)
        away = off.sum(axis=1) / count
        mean[at[piece], column[piece]] = newest + away
        apart = np.where(known, off - away[:, None], 0.0)
        variance[at[piece], column[piece]] = (apart * apart).sum(axis=1) / count


def flat(points: Stretch, n: int) -> Mask:
    """Windows whose points are all known and all equal. Needs n - 1 rows of lead."""
    value = points.value
    changed = np.zeros(value.shape, dtype=np.int64)
    moved = value[1:] != value[:-1]
    np.multiply(moved, np.arange(1, len(value))[:, None], out=changed[1:])
    np.maximum.accumulate(changed, axis=0, out=changed)
    begin = np.arange(points.lead - n + 1, len(value) - n + 1)[:, None]
    return (changed[points.lead :] <= begin) & (begin >= 0) & np.isfinite(value[points.lead :])


# -- trends ----------------------------------------------------------------------------------------------------------


def slopes(points: Stretch, n: int, per_hour: float) -> F64:
    """Least squares per hour over the mean; `per_hour`: steps in an hour. NaN where it is not known. Needs 2 n rows."""
    cut = Blocks(points.first, len(points.value), points.lead, n)
    value = cut.cut(points.value, np.nan)
    reference = _reference(cut, points, value)
    x = value - reference[:, None]
    known = np.isfinite(x)
    x = np.where(known, x, 0.0)
    count = known.astype(np.float64)
    place = np.arange(n, dtype=np.float64)[None, :, None] * count
    features = (count, place, place * place, x, place * x, x * x)
    new = [prefix(f) for f in features]
    old = [shifted(suffix(f)) for f in features]
    step = np.zeros_like(reference)
    step[1:] = reference[:-1] - reference[1:]
    d = step[:, None]
    c, j, jj, s, js, ss = old
    # Counted from the begin of the new block, and from its reference.
    moved = (
        c,
        j - n * c,
        jj - 2 * n * j + n * n * c,
        s + c * d,
        js - n * s + d * (j - n * c),
        ss + 2 * d * s + c * d * d,
    )
    total = [cut.back(a + b) for a, b in zip(new, moved, strict=True)]
    s_n, s_j, s_jj, s_x, s_jx, s_xx = total
    origin = cut.spread(reference)
    with np.errstate(all="ignore"):
        per_step = (s_n * s_jx - s_j * s_x) / (s_n * s_jj - s_j * s_j)
        off = s_x / s_n
        mean = origin + off
        slope = per_step * per_hour / mean
        size = s_xx / s_n + origin * (2 * off + origin)
    known_now = np.isfinite(points.value[points.lead :]) & (s_n >= KNOWN_SHARE * n) & (s_n >= MIN_POINTS)
    known_now &= mean * mean > NO_MEAN * size
    slope[flat(points, n)] = 0.0
    return np.where(known_now, slope, np.nan)


def correlations(first: Stretch, second: Stretch, n: int) -> F64:
    """Of the changes from each point to the next. Needs 2 n rows of lead."""
    with np.errstate(all="ignore"):
        x, y = (np.full(s.value.shape, np.nan) for s in (first, second))
        x[1:] = first.value[1:] / first.value[:-1] - 1.0
        y[1:] = second.value[1:] / second.value[:-1] - 1.0
    both = np.isfinite(x) & np.isfinite(y)
    x, y = np.where(both, x, 0.0), np.where(both, y, 0.0)
    features = (both.astype(np.float64), x, y, x * x, y * y, x * y)
    if n < MIN_POINTS:
        return np.full_like(x[first.lead :], np.nan)
    total = np.stack([moving_sum(f, first.first, first.lead, n - 1) for f in features])
    now = np.isfinite(first.value[first.lead :]) & np.isfinite(second.value[first.lead :])
    return correlation(total, now & (total[0] >= KNOWN_SHARE * (n - 1)))


# -- quantiles -------------------------------------------------------------------------------------------------------


def ranks(*parts: F64) -> "list[npt.NDArray[np.signedinteger]]":
    """Place of each value among all values of its column over all parts; equals share one, unknown ones are last."""
    every = np.concatenate(parts)
    order = np.argsort(every, axis=0)
    ordered = np.take_along_axis(every, order, axis=0)
    grows = np.zeros(every.shape, dtype=np.int32)
    # NaN differs from itself, so that unknown ones rise; they are set last below.
    grows[1:] = ordered[1:] != ordered[:-1]
    np.cumsum(grows, axis=0, out=grows)
    found = np.empty_like(grows)
    np.put_along_axis(found, order, grows, axis=0)
    dtype = np.dtype(np.int16) if len(every) < np.iinfo(np.int16).max else np.dtype(np.int32)
    found[~np.isfinite(every)] = np.iinfo(dtype).max
    small: npt.NDArray[np.signedinteger] = found.astype(dtype)
    starts = np.cumsum([0, *(len(p) for p in parts)])
    return [small[a:b] for a, b in pairwise(starts)]


def places_among(now: F64, past: F64, at: "npt.NDArray[np.int64]", n: int) -> F64:
    """Percentile of each row of `now` among the n - 1 rows of `past` that end at row `at` of it (included).

    `at` has the shape (T,). Of the known ones, ties half; NaN where too few are known.
    """
    if n < 2:
        return np.full(now.shape, np.nan)
    level, old = ranks(now, past)
    is_run = len(at) > 0 and bool((np.diff(at) == 1).all()) and int(at[0]) >= n - 2
    lower, equal = (np.zeros(now.shape, dtype=np.int32) for _ in range(2))
    count = moving_count(np.isfinite(past), n - 1, 0)[np.maximum(at, 0)]
    for start in range(0, n - 1, _LAGS_PER_COUNT):
        below, upto = (np.zeros(now.shape, dtype=np.uint8) for _ in range(2))
        held = np.empty(now.shape, dtype=np.bool_)
        for lag in range(start, min(start + _LAGS_PER_COUNT, n - 1)):
            if is_run:
                other = old[at[0] - lag : at[-1] - lag + 1]
            else:
                row = at - lag
                other = old[np.maximum(row, 0)]
                if row.min() < 0:
                    other[row < 0] = np.iinfo(old.dtype).max
            np.less(other, level, out=held)
            below += held.view(np.uint8)
            np.less_equal(other, level, out=held)
            upto += held.view(np.uint8)
        lower += below
        equal += upto
        equal -= below
    known = np.isfinite(now) & (count > 0) & (count + 1 >= KNOWN_SHARE * n)
    with np.errstate(all="ignore"):
        return np.where(known, 100.0 * (lower + equal / 2) / count, np.nan)


def scores_among(now: F64, past: Moments, at: "npt.NDArray[np.int64]", n: int, *, is_relative: bool) -> F64:
    """How many deviations each row of `now` lies from the mean of a window's past points and itself.

    `past`: of the n - 1 points that end at each row; `at`, shape (T,), which of those rows belongs to each of `now`.
    `is_relative`: whether what counts as flat depends on the level.
    """
    held = past.count[at]
    count = held + 1.0
    before = np.where(held > 0, past.mean[at], now)
    off = now - before
    mean = before + off / count
    old = np.where(held > 0, past.variance[at], 0.0) * held
    with np.errstate(all="ignore"):
        std = np.sqrt((old + off * off * held / count) / count)
        floor = FLAT * np.abs(mean) if is_relative else FLAT
        known = (count >= KNOWN_SHARE * n) & (std > floor) & np.isfinite(now)
        return np.where(known, (now - mean) / std, np.nan)
