"""All leaves that rules look at, over one block of bars after another: each for all closes and instruments at once."""

from collections.abc import Iterable
from typing import Final

import numpy as np

from bot.market.bar_series import BarSeries
from bot.market.flows import KNOWN_SHARE
from bot.market.rolling import (
    Moments,
    Stretch,
    correlations,
    enough,
    extremum,
    is_known_all,
    moments,
    moving_count,
    moving_sum,
    places_among,
    scores_among,
    slopes,
)
from bot.market.series import (
    DAY_MS,
    ENDS,
    EXTREMA,
    FLOWS,
    HOUR_MS,
    MINUTE_MS,
    MOMENTS,
    POSITIVE,
    Grids,
    Leaf,
)
from bot.market.sums import FLAT
from bot.model.updates import F64, I64

_LEAD_OF_SUMS: Final = 2
"""Sums are taken over blocks as long as the window, of which the oldest may begin that much before it."""

MIN_PAST: Final = 2
"""Points that a window needs to have a past."""


def is_on_grid(step_ms: int) -> bool:
    """Whether the five-minute grid of long windows consists of closes of such bars."""
    week_ms = Grids.of(step_ms).week_ms
    return week_ms % step_ms == 0


def leads_of(leaves: Iterable[Leaf], step_ms: int) -> dict[str, int]:
    """How many rows before a block each series is needed for."""
    leads: dict[str, int] = {}
    for leaf in leaves:
        for series in filter(None, (leaf.series, leaf.other)):
            leads[series] = max(leads.get(series, 0), _lead(leaf, step_ms))
    return leads


def _lead(leaf: Leaf, step_ms: int) -> int:
    if leaf.series in FLOWS:
        # What happened last is the amount of a bar or, of liquidations, of a minute.
        longest = DAY_MS if leaf.function == "ratio" else leaf.window_ms or MINUTE_MS
        return _LEAD_OF_SUMS * -(-longest // step_ms) + 1
    if is_long(leaf):
        return leaf.inner_ms // step_ms
    n = leaf.window_ms // step_ms
    if leaf.function in MOMENTS or leaf.function in {"slope", "corr"}:
        return _LEAD_OF_SUMS * n + 1
    return n


def is_long(leaf: Leaf) -> bool:
    """Whether the points lie on the grid of five minutes and only now is read at the tick."""
    return leaf.window_ms > DAY_MS or bool(leaf.inner_ms)


class BarWindows:
    """The leaves of one rule set. A window shorter than a bar is unknown."""

    def __init__(self, leaves: Iterable[Leaf], series: BarSeries) -> None:
        self.leaves = tuple(sorted(leaves))
        self._series = series
        self._grids = Grids.of(series.step_ms)
        self._pasts = {
            (leaf.series, leaf.inner_ms): _Past(series, leaf.series, leaf.inner_ms)
            for leaf in self.leaves
            if is_long(leaf)
        }
        for leaf in self.leaves:
            if is_long(leaf):
                past = self._pasts[leaf.series, leaf.inner_ms]
                past.reach = max(past.reach, leaf.window_ms // self._grids.week_ms)
        self._memo: dict[Leaf, F64] = {}
        self._moments: dict[tuple[str, int], Moments] = {}

    def take(self) -> None:
        """The series moved on to another block."""
        self._memo.clear()
        self._moments.clear()
        with np.errstate(all="ignore"):
            for past in self._pasts.values():
                past.take()

    def value(self, leaf: Leaf) -> F64:
        """A leaf at each close of the block. Shape (T, N), not to be written."""
        found = self._memo.get(leaf)
        if found is None:
            with np.errstate(all="ignore"):
                found = self._memo[leaf] = self._value(leaf)
        return found

    def _value(self, leaf: Leaf) -> F64:
        series = self._series
        if leaf.series in FLOWS:
            return self._flow(leaf)
        if not leaf.window_ms:
            return series.now(leaf.series)
        n = leaf.window_ms // series.step_ms
        if n < 1 or (is_long(leaf) and leaf.window_ms < self._grids.week_ms):
            return np.full((len(series.close_ms), series.n_columns), np.nan)
        if is_long(leaf):
            return self._over_past(leaf)
        if leaf.function in ENDS:
            return self._ends(leaf, n)
        points = series.points(leaf.series)
        if leaf.function == "corr":
            return self._corr(leaf, points, n)
        if leaf.function == "slope":
            return slopes(points, n, HOUR_MS / series.step_ms)
        if leaf.function == "percentile":
            at = np.arange(len(series.close_ms)) + points.lead - 1
            return places_among(series.now(leaf.series), points.value, at, n)
        found = self._over_points(leaf, points, n)
        known = enough(points, n)
        return found if known is None else np.where(known, found, np.nan)

    def _ends(self, leaf: Leaf, n: int) -> F64:
        now, then = self._series.now(leaf.series), self._series.then(leaf.series, n, leaf.window_ms)
        if leaf.function == "delta":
            return now - then
        change = now / then
        change -= 1.0
        if leaf.series not in POSITIVE:
            change[~np.isfinite(change)] = np.nan
        return change

    def _corr(self, leaf: Leaf, points: Stretch, n: int) -> F64:
        other = self._series.points(leaf.other)
        lead = min(points.lead, other.lead)
        return correlations(_cut(points, lead), _cut(other, lead), n)

    def _over_points(self, leaf: Leaf, points: Stretch, n: int) -> F64:
        """Without a look at how many points are known."""
        if leaf.function in EXTREMA:
            return extremum(points, n, highest=leaf.function == "max")
        found = self._moments.get((leaf.series, n))
        if found is None:
            found = self._moments[leaf.series, n] = moments(points, n)
        if leaf.function == "avg":
            return found.mean
        std = np.sqrt(found.variance)
        if leaf.function == "std":
            return std
        now = points.value[points.lead :]
        return np.where(std > FLAT * np.abs(found.mean), (now - found.mean) / std, np.nan)

    def _over_past(self, leaf: Leaf) -> F64:
        past = self._pasts[leaf.series, leaf.inner_ms]
        n = leaf.window_ms // self._grids.week_ms
        now = self.value(Leaf("pct" if leaf.inner_ms else "now", leaf.series, leaf.inner_ms))
        if n < MIN_PAST:
            return np.full(now.shape, np.nan)
        if leaf.function == "percentile":
            return places_among(now, past.points, past.at, n)
        if leaf.function == "zscore":
            return scores_among(now, past.moments(n - 1), past.at - past.lead, n, is_relative=not leaf.inner_ms)
        raise TypeError(f"no such function over more than a day: {leaf!r}")

    # -- flows ---------------------------------------------------------------------------------------------------

    def _flow(self, leaf: Leaf) -> F64:
        if leaf.function == "now":
            if leaf.series != "volume":
                return self._sum(leaf.series, MINUTE_MS)
            amount, _, lead = self._series.flow(leaf.series)
            return np.where(np.isnan(amount[lead:]), amount[lead - 1 : -1], amount[lead:])
        total = self._sum(leaf.series, leaf.window_ms)
        if leaf.function == "sum":
            return total
        ratio = total / (self._sum(leaf.series, DAY_MS) * (leaf.window_ms / DAY_MS))
        return np.where(np.isfinite(ratio), ratio, np.nan)

    def _sum(self, flow: str, window_ms: int) -> F64:
        """Amount of the bars whose close lies in the window. Of liquidations every bar has to be known."""
        key = Leaf("sum", flow, window_ms)
        found = self._memo.get(key)
        if found is None:
            amount, first, lead = self._series.flow(flow)
            step_ms = self._series.step_ms
            n = -(-window_ms // step_ms)
            if is_known_all(amount) and lead >= n - 1:
                found = moving_sum(amount, first, lead, n)
            else:
                known = np.isfinite(amount)
                total = moving_sum(np.where(known, amount, 0.0), first, lead, n)
                count = moving_count(known, n, lead)
                is_known = count * step_ms >= KNOWN_SHARE * window_ms if flow == "volume" else count == n
                found = np.where(is_known, total, np.nan)
            self._memo[key] = found
        return found


class _Past:
    """Points of one series, or of its changes, on the grid of five minutes."""

    def __init__(self, series: BarSeries, name: str, inner_ms: int) -> None:
        self._series = series
        self._name = name
        self._inner_ms = inner_ms
        self.reach = 0
        """How many points the longest window has."""
        self.points: F64 = np.zeros((0, series.n_columns))
        self.at: I64 = np.zeros(0, dtype=np.int64)
        """For each close of the block, where the newest point before the one under way lies among `points`."""
        self.lead = 0
        """The first of them."""
        self._first: int | None = None
        self._moments: dict[int, Moments] = {}

    def take(self) -> None:
        """The points that the closes of the block bring."""
        self._moments.clear()
        series = self._series
        week_ms = Grids.of(series.step_ms).week_ms
        number = series.close_ms // week_ms
        rows = np.flatnonzero(series.close_ms % week_ms == 0)
        values = series.now(self._name)[rows]
        if self._inner_ms:
            then = series.then(self._name, self._inner_ms // series.step_ms, self._inner_ms)[rows]
            values = values / then - 1.0
            values = np.where(np.isfinite(values), values, np.nan)
        n_kept = _LEAD_OF_SUMS * self.reach + 2
        if self._first is None:
            self._first = int(number[0]) + (0 if len(rows) and rows[0] == 0 else 1) - n_kept
            self.points = np.full((n_kept, series.n_columns), np.nan)
        dropped = max(0, len(self.points) - n_kept)
        self.points = np.concatenate([self.points[dropped:], values])
        self._first += dropped
        self.at = number - 1 - self._first
        self.lead = int(self.at[0])

    def moments(self, n: int) -> Moments:
        """Of the n points that end at each point from `lead` on."""
        found = self._moments.get(n)
        if found is None:
            assert self._first is not None
            stop = int(self.at[-1]) + 1
            found = self._moments[n] = moments(Stretch.of(self.points[:stop], self._first, self.lead), n)
        return found


def _cut(points: Stretch, lead: int) -> Stretch:
    skipped = points.lead - lead
    return Stretch(points.value[skipped:], points.first + skipped, lead, points.is_whole)
