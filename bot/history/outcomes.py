"""What prices did after moments: later moves in units of the instrument's usual move, at firings and at random moments.

Nothing of this is seen by a rule. A moment's price is the close of the bar at which an alert fired; what follows is read
at whole bars after it. Moments whose later price is not known are left out, never guessed.

Every moment of an instrument at the same hour of day counts as a random moment, the firings among them: to leave out
the time before a move would already use what came later.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bot.history.chance import Matched
from bot.model.updates import F64, I32, I64, Mask

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
HORIZONS_MS: Final = (900_000, HOUR_MS, 4 * HOUR_MS, DAY_MS)
CAP: Final = 8.0
"""A larger move counts as so many usual ones, so that one crash cannot decide."""
BINS: Final = 40
"""Of the distribution of sizes, from 0 to `CAP`."""
MIN_BLOCKS_IN_SPAN: Final = 30
_KNOWN_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """Closes of some instruments on one grid without holes."""

    close_ms: I64
    """Shape (T,)."""
    step_ms: int
    close: F64
    """Shape (T, N). NaN where unknown."""

    def column(self, place: int) -> F64:
        """As a rule would read it: a bar speaks for one more bar. -1: none, the market has no price."""
        close = np.where(self.close[:, place] > 0, self.close[:, place], np.nan)
        filled = close.copy()
        filled[1:] = np.where(np.isnan(close[1:]), close[:-1], close[1:])
        return filled


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Firings of one rule as places in `Prices`."""

    row: I64
    """Shape (n,), into the grid."""
    column: I64
    """Into the instruments; -1 for the whole market."""


@dataclass(frozen=True, slots=True, eq=False)
class After:
    """What followed the firings of a rule after one length of time."""

    after_ms: int
    block_ms: int
    move: F64
    """Shape (n,), the relative change of price; NaN where it is not known (yet)."""
    size: F64
    """The absolute move in units of the instrument's usual move over that time, not capped."""
    sizes: Matched
    signed: Matched
    """The move with its sign, in the same units."""
    adjusted: Matched
    """The absolute move in units of how much the instrument had moved in the 24 h before."""
    fired_bins: F64
    """How many firings had a size within each bin."""
    random_bins: F64
    """How many would have at random moments."""


def horizons(step_ms: int) -> tuple[int, ...]:
    """Those that bars of that step can tell."""
    return tuple(h for h in HORIZONS_MS if h >= step_ms and h % step_ms == 0)


def block_of(span_ms: int, after_ms: int) -> int:
    """Length of the blocks of time that are drawn together: whole days, twice what is looked ahead, longer in a long run."""
    days = max(1, 2 * after_ms // DAY_MS, span_ms // DAY_MS // MIN_BLOCKS_IN_SPAN)
    return days * DAY_MS


def moves(price: F64, steps: int) -> F64:
    """Relative change from each row to the one `steps` later, shape as `price`; NaN where either is unknown."""
    found = np.full_like(price, np.nan)
    if 0 < steps < len(price):
        found[:-steps] = price[steps:] / price[:-steps] - 1
    return found


def lately(price: F64, steps: int, step_ms: int) -> F64:
    """How much the price had moved over `steps` rows, on average over the 24 h up to each row (those moves complete by then).

    NaN where less than half of them are known.
    """
    change = np.full_like(price, np.nan)
    change[steps:] = np.abs(price[steps:] / price[:-steps] - 1) if 0 < steps < len(price) else np.nan
    known = np.isfinite(change)
    day = DAY_MS // step_ms
    total = np.concatenate([[0.0], np.cumsum(np.where(known, change, 0.0))])
    number = np.concatenate([[0], np.cumsum(known)])
    end = np.arange(1, len(price) + 1)
    begin = np.maximum(0, end - day)
    n = number[end] - number[begin]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (total[end] - total[begin]) / n
    return np.where((n >= day * _KNOWN_SHARE) & (mean > 0), mean, np.nan)


@dataclass(slots=True)
class _Cells:
    """Sums per block and cell, one instrument after another."""

    n_blocks: int
    total: list[F64]
    count: list[F64]
    value: list[F64]
    cell: list[I64]
    block: list[I64]
    n_cells: int = 0

    @classmethod
    def empty(cls, n_blocks: int) -> "_Cells":
        return cls(n_blocks, [], [], [], [], [])

    def add(self, values: F64, rows: I64, block: I64, hour: I64) -> None:
        """Values of all moments of one instrument (NaN: none), and which of them are firings."""
        fired = rows[np.isfinite(values[rows])]
        hours = np.unique(hour[fired])
        if not len(hours):
            return
        known = np.flatnonzero(np.isfinite(values) & np.isin(hour, hours))
        places = block[known] * len(hours) + np.searchsorted(hours, hour[known])
        size = self.n_blocks * len(hours)
        shape = (self.n_blocks, len(hours))
        self.total.append(np.bincount(places, values[known], size).reshape(shape).astype(np.float64))
        self.count.append(np.bincount(places, minlength=size).reshape(shape).astype(np.float64))
        self.value.append(values[fired])
        self.cell.append(self.n_cells + np.searchsorted(hours, hour[fired]))
        self.block.append(block[fired])
        self.n_cells += len(hours)

    def matched(self) -> Matched:
        if not self.value:
            none = np.zeros(0, dtype=np.int64)
            return Matched(np.zeros(0), none, none, np.zeros((self.n_blocks, 0)), np.zeros((self.n_blocks, 0)))
        return Matched(
            np.concatenate(self.value),
            np.concatenate(self.cell),
            np.concatenate(self.block),
            np.hstack(self.total),
            np.hstack(self.count),
        )


Eligible = Callable[[int], Mask]
"""By column (-1: the market): at which rows of the grid the rule could have fired. Shape (T,)."""


def after(prices: Prices, moments: Moments, after_ms: int, eligible: Eligible) -> After:
    """What followed one rule's firings. Raises `ValueError` for a time that is no multiple of the step."""
    if after_ms % prices.step_ms or after_ms < prices.step_ms:
        raise ValueError(f"expected a multiple of the step of {prices.step_ms} ms, found {after_ms}")
    return _gathered(prices, [(moments, eligible)], (after_ms,))[0][0]


def all_after(prices: Prices, watched: Sequence[tuple[Moments, Eligible]]) -> list[list[After]]:
    """For each rule, and every length of time that the bars can tell and the run is long enough for."""
    span_ms = int(prices.close_ms[-1] - prices.close_ms[0])
    return _gathered(prices, watched, tuple(h for h in horizons(prices.step_ms) if h < span_ms))


def _gathered(
    prices: Prices, watched: Sequence[tuple[Moments, Eligible]], spans_ms: Sequence[int]
) -> list[list[After]]:
    """Instrument by instrument, so that what is the same for all rules is computed once and forgotten."""
    made = [[_Gathering(prices, moments, span_ms) for span_ms in spans_ms] for moments, _ in watched]
    places = np.unique(np.concatenate([moments.column for moments, _ in watched])) if watched else ()
    for place in map(int, places):
        look = _Later(prices, place)
        for (moments, eligible), gatherings in zip(watched, made, strict=True):
            mine = np.flatnonzero(moments.column == place)
            if not len(mine):
                continue
            may = eligible(place)
            # A firing is a moment at which the rule could fire, whatever is said of it.
            may[moments.row[mine]] = True
            for gathering in gatherings:
                gathering.take(mine, may, look)
    return [[gathering.after() for gathering in gatherings] for gatherings in made]


class _Gathering:
    """One rule, one length of time."""

    def __init__(self, prices: Prices, moments: Moments, after_ms: int) -> None:
        times = prices.close_ms
        self._moments, self._after_ms, self._steps = moments, after_ms, after_ms // prices.step_ms
        self._block_ms = block_of(int(times[-1] - times[0]), after_ms)
        self._block = (times - int(times[0]) // DAY_MS * DAY_MS) // self._block_ms
        self._hour = times % DAY_MS // HOUR_MS
        self._sizes, self._signed, self._adjusted = (_Cells.empty(int(self._block[-1]) + 1) for _ in range(3))
        n = len(moments.row)
        self._move, self._size = np.full(n, np.nan), np.full(n, np.nan)
        self._fired_bins, self._random_bins = np.zeros(BINS), np.zeros(BINS)

    def take(self, mine: I64, may: Mask, look: "_Later") -> None:
        """The firings `mine` of one instrument among the moments at which the rule may fire."""
        rows, block, hour = self._moments.row[mine], self._block, self._hour
        later, before = look.moved(self._steps)
        self._move[mine] = later[rows]
        later = np.where(may, later, np.nan)
        usual = _usual(later)
        self._size[mine] = np.abs(later[rows]) / usual
        shown = np.clip(later / usual, -CAP, CAP)
        size = np.abs(shown)
        self._sizes.add(size, rows, block, hour)
        self._signed.add(shown, rows, block, hour)
        self._adjusted.add(np.minimum(np.abs(later) / before, CAP), rows, block, hour)
        _bin(size, rows, hour, self._fired_bins, self._random_bins)

    def after(self) -> After:
        return After(
            self._after_ms,
            self._block_ms,
            self._move,
            self._size,
            self._sizes.matched(),
            self._signed.matched(),
            self._adjusted.matched(),
            self._fired_bins,
            self._random_bins,
        )


class _Later:
    """Later moves of one instrument (-1: of the market), and how large they would be had it gone on as in the day before."""

    def __init__(self, prices: Prices, place: int) -> None:
        self._prices = prices
        self._columns = [prices.column(place)] if place >= 0 else []
        self._n_least = max(1.0, prices.close.shape[1] * _KNOWN_SHARE)
        self._moved: dict[int, F64] = {}
        self._lately: dict[int, F64] = {}

    def moved(self, steps: int) -> tuple[F64, F64]:
        short = max(1, min(steps, HOUR_MS // self._prices.step_ms))
        if steps not in self._moved:
            self._moved[steps] = self._mean(lambda price: moves(price, steps))
        if short not in self._lately:
            self._lately[short] = self._mean(lambda price: lately(price, short, self._prices.step_ms))
        return self._moved[steps], self._lately[short] * (steps / short) ** 0.5

    def _mean(self, of: Callable[[F64], F64]) -> F64:
        if self._columns:
            return of(self._columns[0])
        total, number = np.zeros((2, len(self._prices.close_ms)))
        for one in range(self._prices.close.shape[1]):
            found = of(self._prices.column(one))
            known = np.isfinite(found)
            total += np.where(known, found, 0.0)
            number += known
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(number >= self._n_least, total / number, np.nan)


def _usual(later: F64) -> float:
    """Median absolute move; NaN where nothing is known or nothing moves."""
    known = np.abs(later[np.isfinite(later)])
    middle = float(np.median(known)) if len(known) else 0.0
    return middle if middle > 0 else float("nan")


def _bin(size: F64, rows: I64, hour: I64, fired_bins: F64, random_bins: F64) -> None:
    """Count firings by size, and as many random moments of the same hours."""
    known = np.flatnonzero(np.isfinite(size))
    bins: I32 = np.minimum(size[known] * (BINS / CAP), BINS - 1).astype(np.int32)
    table = np.bincount(hour[known] * BINS + bins, minlength=24 * BINS).reshape(24, BINS).astype(np.float64)
    fired = rows[np.isfinite(size[rows])]
    n_in = np.bincount(hour[fired], minlength=24)
    for one in np.flatnonzero(n_in).tolist():
        random_bins += n_in[one] * table[one] / table[one].sum()
    at = np.minimum(size[fired] * (BINS / CAP), BINS - 1).astype(np.int32)
    fired_bins += np.bincount(at, minlength=BINS)
