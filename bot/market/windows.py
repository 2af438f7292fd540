"""All leaves that loaded rules need, computed at each tick, in batches by function and grid.

The same function on the same grid is one batch, whichever rules and series ask for it: its rows are fetched in one
operation and computed in a few more. `View` computes the same one by one, for questions that no rule asks.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from bot.market.extrema import Extrema, newest_wins
from bot.market.gauges import Newest
from bot.market.quantiles import THEN_SHARE, Changes, percentile
from bot.market.series import ENDS, EXTREMA, FLOWS, INDEX, MOMENTS, OI, OI_USD, POSITIVE, PRICE, TRENDS, Leaf
from bot.market.sums import FLAT, RunningSums
from bot.market.tier import Tier
from bot.market.trends import Trends
from bot.model.updates import F64

NOTHING_DIRTY: Final[dict[int, set[int]]] = {}


def level_of(now: F64, dtype: "npt.DTypeLike") -> F64:
    """Newest values rounded as rings store them, so that a flat series moves by exactly nothing."""
    level: F64 = now.astype(dtype).astype(np.float64)
    level[OI_USD] = (level[PRICE] * level[OI]).astype(dtype)
    return level


class _Ends:
    """`pct` or `delta` of many windows on one grid."""

    def __init__(self, tier: Tier, leaves: Sequence[tuple[int, Leaf]], function: str) -> None:
        # Series that cannot be zero first: behind them nothing needs to be looked at again.
        ordered = sorted(leaves, key=lambda x: x[1].series not in POSITIVE)
        self._n_sound = sum(leaf.series in POSITIVE for _, leaf in ordered)
        self._tier = tier
        self._is_pct = function == "pct"
        self._out = np.array([row for row, _ in ordered])
        self._gauge = np.array([INDEX[leaf.series] for _, leaf in ordered])
        self._n = np.array([leaf.window_ms // tier.step_ms for _, leaf in ordered])
        limit_ms = np.array([leaf.window_ms // THEN_SHARE for _, leaf in ordered])
        self._limit = np.minimum(limit_ms, tier.max_age_ms) // tier.unit_ms
        self._buffer = np.empty((len(ordered), 0), dtype=tier.dtype)

    def compute(self, level: F64, out: F64) -> None:
        tier = self._tier
        if tier.newest is None:
            return
        rows = tier.base[self._gauge] + (tier.newest - self._n) % tier.slots[self._gauge]
        if self._buffer.shape[1] != level.shape[1]:
            self._buffer = np.empty((len(rows), level.shape[1]), dtype=tier.dtype)
        then = np.take(tier.value, rows, axis=0, out=self._buffer, mode="clip")
        for j in np.flatnonzero((tier.worst[rows] > self._limit) | (self._n < 1)):
            too_old = tier.age[rows[j]] > self._limit[j]
            then[j, too_old if self._n[j] else slice(None)] = np.nan
        result = level[self._gauge]
        if self._is_pct:
            result /= then
            result -= 1.0
            if self._n_sound < len(rows):
                unsound = result[self._n_sound :]
                unsound[~np.isfinite(unsound)] = np.nan
        else:
            result -= then
        out[self._out] = result


class _Averages:
    """`avg`, `std` and `zscore` on one grid, from the same running sums."""

    def __init__(self, tier: Tier, leaves: Sequence[tuple[int, Leaf]], n_rows: int) -> None:
        pairs = sorted({_pair(leaf, tier) for _, leaf in leaves})
        self._sums = RunningSums(tier, pairs, n_rows)
        place = {pair: i for i, pair in enumerate(pairs)}
        self._parts = {
            name: [(row, place[_pair(leaf, tier)]) for row, leaf in leaves if leaf.function == name] for name in MOMENTS
        }
        self._out = {name: np.array([row for row, _ in part]) for name, part in self._parts.items()}
        self._place = {name: np.array([p for _, p in part]) for name, part in self._parts.items()}
        self._gauge = np.array([g for g, _ in pairs])

    def compute(self, level: F64, now: F64, dirty: dict[int, set[int]], out: F64) -> None:
        self._sums.catch_up(level, dirty)
        found = self._sums.moments(level)
        if len(at := self._place["avg"]):
            mean = found.mean[at] + self._sums.reference[at]
            newest = level[self._gauge[at]]
            same = mean == newest
            out[self._out["avg"]] = np.where(same, now[self._gauge[at]], mean) if same.any() else mean
        if len(at := self._place["std"]):
            out[self._out["std"]] = np.sqrt(found.variance[at])
        if len(at := self._place["zscore"]):
            mean, std = found.mean[at], np.sqrt(found.variance[at])
            score = found.now[at] - mean
            score /= std
            mean += self._sums.reference[at]
            np.abs(mean, out=mean)
            mean *= FLAT
            score[~(std > mean)] = np.nan
            out[self._out["zscore"]] = score


class _Peaks:
    """`min` or `max` on one grid. Whether enough points are known is counted by sums of their own."""

    def __init__(self, tier: Tier, leaves: Sequence[tuple[int, Leaf]], n_rows: int, counts: "_Counts") -> None:
        self._highest = leaves[0][1].function == "max"
        pairs = [_pair(leaf, tier) for _, leaf in leaves]
        self._extrema = Extrema(tier, pairs, n_rows, highest=self._highest)
        self._counts = counts
        self._place = counts.places(pairs)
        self._out = np.array([row for row, _ in leaves])
        self._gauge = np.array([g for g, _ in pairs])

    @property
    def nbytes(self) -> int:
        return self._extrema.nbytes

    def compute(self, level: F64, now: F64, dirty: dict[int, set[int]], out: F64) -> None:
        self._extrema.catch_up(level.shape[1], dirty)
        past = self._extrema.past()
        result = newest_wins(past, level[self._gauge], now[self._gauge], highest=self._highest)
        unknown = self._counts.unknown(self._place, now[self._gauge])
        if unknown is not None:
            result[unknown] = np.nan
        out[self._out] = result


class _Counts:
    """How many past points of windows are known, for windows without sums."""

    def __init__(self, tier: Tier, pairs: Sequence[tuple[int, int]]) -> None:
        self._tier = tier
        self._pairs = sorted(set(pairs))
        self._where = {pair: i for i, pair in enumerate(self._pairs)}
        self._gauge = np.array([g for g, _ in self._pairs])
        self._n = np.array([n for _, n in self._pairs])
        self._count = np.zeros((len(self._pairs), 0), dtype=np.int32)
        self._enough = np.zeros((len(self._pairs), 0), dtype=np.bool_)
        self._all_enough = False
        self._at: int | None = None
        self._seen = -1

    def places(self, pairs: Sequence[tuple[int, int]]) -> "npt.NDArray[np.int64]":
        return np.array([self._where[pair] for pair in pairs])

    def catch_up(self, n_rows: int, dirty: dict[int, set[int]]) -> None:
        tier = self._tier
        newest = tier.newest
        if newest is None:
            return
        if (
            self._at is None
            or self._seen != tier.n_rebuilt
            or newest - self._at > 600
            or self._count.shape[1] != n_rows
        ):
            self._count = np.zeros((len(self._pairs), n_rows), dtype=np.int32)
            self._at, self._seen = newest, tier.n_rebuilt
            for i in range(len(self._pairs)):
                self._recount(i, slice(None))
            self._judge()
            return
        changed = False
        for number in range(self._at + 1, newest + 1):
            entering = tier.base[self._gauge] + (number - 1) % tier.slots[self._gauge]
            leaving = tier.base[self._gauge] + (number - self._n) % tier.slots[self._gauge]
            if not (tier.whole[entering].all() and tier.whole[leaving].all()):
                self._count += np.isfinite(tier.value[entering])
                self._count -= np.isfinite(tier.value[leaving])
                changed = True
        self._at = newest
        for i, (gauge, _) in enumerate(self._pairs):
            if columns := dirty.get(gauge):
                self._recount(i, np.array(sorted(columns)))
                changed = True
        if changed:
            self._judge()

    def _recount(self, i: int, columns: "slice | npt.NDArray[np.intp]") -> None:
        gauge, n = self._pairs[i]
        assert self._at is not None
        if n > 1:
            past = self._tier.rows(gauge, self._at - n + 1, n - 1)[:, columns]
            self._count[i, columns] = np.isfinite(past).sum(axis=0)

    def _judge(self) -> None:
        self._enough = self._count + 1 >= 0.8 * self._n[:, None]
        self._all_enough = bool(self._enough.all())

    def unknown(self, places: "npt.NDArray[np.int64]", now: F64) -> "npt.NDArray[np.bool_] | None":
        """Cells where now or too many points are unknown; None for nowhere."""
        missing = np.isnan(now)
        if self._enough.shape[1] != now.shape[1]:
            return np.ones(now.shape, dtype=np.bool_)
        if self._all_enough and not missing.any():
            return None
        unknown: npt.NDArray[np.bool_] = missing | ~self._enough[places]
        return unknown


def _pair(leaf: Leaf, tier: Tier) -> tuple[int, int]:
    return INDEX[leaf.series], leaf.window_ms // tier.step_ms


class Windows:
    """The leaves of one rule set over the gauges of one market. Flows are added by the market."""

    def __init__(self, leaves: Sequence[Leaf], tier_of: "dict[Leaf, Tier]", n_rows: int) -> None:
        """`tier_of`: the tier of each leaf that has a window over gauges."""
        self.leaves = tuple(leaves)
        self.row_of = {leaf: i for i, leaf in enumerate(self.leaves)}
        by: dict[tuple[Tier, str], list[tuple[int, Leaf]]] = {}
        for row, leaf in enumerate(self.leaves):
            tier = tier_of.get(leaf)
            # A window shorter than the run's step has no points.
            if tier is not None and leaf.window_ms >= tier.step_ms:
                kind = "moments" if leaf.function in MOMENTS and not leaf.inner_ms else leaf.function
                by.setdefault((tier, "of changes" if leaf.inner_ms else kind), []).append((row, leaf))
        self._tiers = tuple({tier for tier, _ in by})
        self._ends = [_Ends(t, group, f) for (t, f), group in by.items() if f in ENDS]
        self._averages = [(t, _Averages(t, group, n_rows)) for (t, f), group in by.items() if f == "moments"]
        self._counts: dict[Tier, _Counts] = {}
        self._peaks: list[tuple[Tier, _Peaks]] = []
        for tier in self._tiers:
            pairs = [_pair(leaf, t) for (t, f), group in by.items() if t is tier and f in EXTREMA for _, leaf in group]
            if pairs:
                self._counts[tier] = _Counts(tier, pairs)
        for (tier, function), group in by.items():
            if function in EXTREMA:
                self._peaks.append((tier, _Peaks(tier, group, n_rows, self._counts[tier])))
        self._trends: list[tuple[Tier, Trends, list[int]]] = []
        for tier in self._tiers:
            chosen = [(row, leaf) for (t, f), group in by.items() if t is tier and f in TRENDS for row, leaf in group]
            if chosen:
                windows = [(*_pair(x, tier), INDEX[x.other] if x.other else -1) for _, x in chosen]
                trends = Trends(tier, [(g, other, n) for g, n, other in windows])
                self._trends.append((tier, trends, [row for row, _ in chosen]))
        self._percentiles = [(t, x) for (t, f), group in by.items() if f == "percentile" for x in group]
        self._changes = [
            (t, x, Changes(t, INDEX[x[1].series], x[1].window_ms, x[1].inner_ms))
            for (t, f), group in by.items()
            if f == "of changes"
            for x in group
        ]
        bare = [(row, leaf) for row, leaf in enumerate(self.leaves) if not leaf.window_ms and leaf.series not in FLOWS]
        self._bare_out = np.array([row for row, _ in bare], dtype=np.int64)
        self._bare_gauge = np.array([INDEX[leaf.series] for _, leaf in bare], dtype=np.int64)

    @property
    def nbytes(self) -> int:
        return sum(p.nbytes for _, p in self._peaks) + sum(c.nbytes for _, _, c in self._changes)

    def compute(self, newest: Newest, now_ms: int, out: F64) -> None:
        """Values of all leaves over gauges at now, into the rows of `out`, shape (n_leaves, n_rows); NaN is unknown.

        The tiers have to be written up to now.
        """
        now = newest.now(now_ms)
        out[:] = np.nan
        if len(self._bare_out):
            out[self._bare_out] = now[self._bare_gauge]
        if not self._tiers:
            return
        level = level_of(now, self._tiers[0].dtype)
        n_rows = level.shape[1]
        with np.errstate(all="ignore"):
            for ends in self._ends:
                ends.compute(level, out)
            for tier, averages in self._averages:
                averages.compute(level, now, tier.dirty, out)
            for tier, counts in self._counts.items():
                counts.catch_up(n_rows, tier.dirty)
            for tier, peaks in self._peaks:
                peaks.compute(level, now, tier.dirty, out)
            self._compute_rare(level, out)
        for tier in self._tiers:
            if tier.dirty:
                tier.dirty = {}

    def _compute_rare(self, level: F64, out: F64) -> None:
        n_rows = level.shape[1]
        for tier, trends, rows in self._trends:
            trends.catch_up(level, tier.dirty)
            if tier.newest is not None:
                for i, row in enumerate(rows):
                    out[row] = trends.value(i, level)
        for tier, (row, leaf) in self._percentiles:
            gauge, n = _pair(leaf, tier)
            if tier.newest is not None:
                past = tier.rows(gauge, tier.newest - n + 1, n - 1)
                out[row] = percentile((past,), level[gauge], n)
        for tier, (row, leaf), changes in self._changes:
            changes.catch_up(n_rows, tier.dirty)
            inner = out[self.row_of[Leaf("pct", leaf.series, leaf.inner_ms)]]
            out[row] = changes.zscore(inner) if leaf.function == "zscore" else changes.percentile(inner)
