"""All leaves that loaded rules need, computed at each tick, in batches by function and grid.

The same function on the same grid is one batch, whichever rules and series ask for it: its rows are fetched in one
operation and computed in a few more. `View` computes the same one by one, for questions that no rule asks.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt

from bot.market.counts import Counts
from bot.market.extrema import Extrema
from bot.market.gauges import Newest
from bot.market.quantiles import THEN_SHARE, Changes, percentile
from bot.market.series import ENDS, EXTREMA, FLOWS, INDEX, MOMENTS, OI, OI_USD, POSITIVE, PRICE, QUANTILES, TRENDS, Leaf
from bot.market.shelf import Shelf
from bot.market.sums import FLAT, RunningSums
from bot.market.tier import Tier, Values
from bot.market.trends import Trends
from bot.model.updates import F64


def levels_of(now: F64, dtype: "npt.DTypeLike") -> tuple[F64, Values]:
    """Newest values rounded as rings store them, so that a flat series moves by exactly nothing; also in the rings' type."""
    rounded: Values = now.astype(dtype)
    level: F64 = rounded.astype(np.float64)
    rounded[OI_USD] = level[PRICE] * level[OI]
    level[OI_USD] = rounded[OI_USD]
    return level, rounded


@dataclass(frozen=True, slots=True, eq=False)
class Tick:
    """What all batches of one tick share: the newest values. Arrays of shape (n_gauges, n_rows)."""

    now: F64
    level: F64
    rounded: Values
    """The level in the type of the rings."""
    is_known: "npt.NDArray[np.bool_]"
    """Per gauge: whether every instrument is known now."""


def tick_of(newest: Newest, now_ms: int, dtype: "npt.DTypeLike") -> Tick:
    """The newest values at now."""
    now = newest.now(now_ms)
    level, rounded = levels_of(now, dtype)
    return Tick(now, level, rounded, ~np.isnan(np.add.reduce(now, axis=1)))


class _Ends:
    """`pct` or `delta` of many windows on one grid."""

    def __init__(self, tier: Tier, leaves: Sequence[Leaf], rows: slice) -> None:
        self._n_sound = sum(leaf.series in POSITIVE for leaf in leaves)
        self._tier = tier
        self._is_pct = leaves[0].function == "pct"
        self._rows = rows
        self._gauge = np.array([INDEX[leaf.series] for leaf in leaves])
        # The product of two has no ring of its own unless other functions look at it: its factors are read instead.
        product = self._gauge == OI_USD if "oi_usd" not in tier.names else np.zeros(len(leaves), dtype=np.bool_)
        self._products = np.flatnonzero(product)
        self._ring = np.where(product, PRICE, self._gauge)
        self._n = np.array([leaf.window_ms // tier.step_ms for leaf in leaves])
        limit_ms = np.array([leaf.window_ms // THEN_SHARE for leaf in leaves])
        self._limit = np.minimum(limit_ms, tier.max_age_ms) // tier.unit_ms
        self._buffer = np.empty((len(leaves), 0), dtype=tier.dtype)

    def compute(self, tick: Tick, out: F64) -> None:
        tier = self._tier
        if tier.newest is None:
            return
        rows = tier.base[self._ring] + (tier.newest - self._n) % tier.slots[self._ring]
        if self._buffer.shape[1] != out.shape[1]:
            self._buffer = np.empty((len(rows), out.shape[1]), dtype=tier.dtype)
        then = tier.value.take(rows, axis=0, out=self._buffer, mode="clip")
        too_old = tier.worst[rows] > self._limit
        if too_old.any():
            for j in np.flatnonzero(too_old):
                then[j, tier.age[rows[j]] > self._limit[j]] = np.nan
        if len(self._products):
            self._multiply(then, tier, tier.newest)
        result = tick.level.take(self._gauge, axis=0, out=out[self._rows], mode="clip")
        if not self._is_pct:
            result -= then
            return
        result /= then
        result -= 1.0
        if self._n_sound < len(rows):
            unsound = result[self._n_sound :]
            unsound[~np.isfinite(unsound)] = np.nan

    def _multiply(self, then: Values, tier: Tier, newest: int) -> None:
        """Make products of the prices in `then`, rounded as a ring would have them."""
        which = self._products
        rows = tier.base[OI] + (newest - self._n[which]) % tier.slots[OI]
        product = np.multiply(then[which], tier.value[rows], dtype=np.float64)
        for j in np.flatnonzero(tier.worst[rows] > self._limit[which]):
            product[j, tier.age[rows[j]] > self._limit[which[j]]] = np.nan
        then[which] = product


class _Averages:
    """`std`, `zscore` and `avg` on one grid, in this order, from the same running sums."""

    def __init__(self, tier: Tier, leaves: Sequence[Leaf], rows: slice, n_rows: int, shelf: Shelf) -> None:
        pairs = tuple(_pair(leaf, tier) for leaf in leaves)
        n_std, n_score, n_avg = (sum(w.function == name for w in leaves) for name in ("std", "zscore", "avg"))
        n_square = n_std + n_score
        self._sums = shelf.get(RunningSums, tier, (pairs, n_square), lambda: RunningSums(tier, pairs, n_square, n_rows))
        self._tier = tier
        self._gauge = np.array([g for g, _ in pairs])
        self._stds, self._scores = slice(0, n_std), slice(n_std, n_std + n_score)
        self._avgs = slice(n_std + n_score, n_std + n_score + n_avg)
        self._std_rows = slice(rows.start, rows.start + n_std)
        self._score_rows = slice(rows.start + n_std, rows.start + n_std + n_score)
        self._avg_rows = slice(rows.start + n_std + n_score, rows.stop)

    def follow(self, tick: Tick) -> None:
        """Take in the rows that were written."""
        self._sums.catch_up(tick.level, self._tier.dirty)

    def compute(self, tick: Tick, out: F64) -> None:
        if self._tier.newest is None:
            return
        sums = self._sums
        sums.compute(tick.level)
        np.sqrt(sums.variance[self._stds], out=out[self._std_rows])
        self._score(sums, out[self._score_rows])
        part = self._avgs
        avg = np.add(sums.mean[part], sums.reference[part], out=out[self._avg_rows])
        same = sums.mean[part] == sums.now[part]
        if same.any():
            np.copyto(avg, tick.now[self._gauge[part]], where=same)

    def _score(self, sums: RunningSums, score: F64) -> None:
        part = self._scores
        mean, reference = sums.mean[part], sums.reference[part]
        std = sums.variance[part]
        np.sqrt(std, out=std)
        np.subtract(sums.now[part], mean, out=score)
        score /= std
        if (std <= sums.flat[part]).any():
            score[~(std > FLAT * np.abs(mean + reference))] = np.nan


class _Peaks:
    """`min` or `max` on one grid. Whether enough points are known is counted beside."""

    def __init__(
        self, tier: Tier, leaves: Sequence[Leaf], rows: slice, n_rows: int, counts: Counts, shelf: Shelf
    ) -> None:
        self._highest = highest = leaves[0].function == "max"
        pairs = tuple(_pair(leaf, tier) for leaf in leaves)
        self._extrema = shelf.get(
            Extrema, tier, (pairs, highest), lambda: Extrema(tier, pairs, n_rows, highest=highest)
        )
        self._tier = tier
        self._counts = counts
        self._place = counts.places(pairs)
        self._rows = rows
        self._gauge = np.array([g for g, _ in pairs])

    @property
    def nbytes(self) -> int:
        return self._extrema.nbytes

    def follow(self, tick: Tick) -> None:
        """Take in the rows that were written."""
        self._extrema.catch_up(tick.level.shape[1], self._tier.dirty)

    def compute(self, tick: Tick, out: F64) -> None:
        if self._tier.newest is None:
            return
        past = self._extrema.past()
        level: Values = tick.rounded[self._gauge]
        wins = np.flatnonzero(level >= past if self._highest else level <= past)
        result = out[self._rows]
        np.copyto(result, past)
        if len(wins):
            # Where now is the answer it is given as it came, so that `price >= max(price, 24h)` holds at a new high.
            row, column = np.divmod(wins, out.shape[1])
            result[row, column] = tick.now[self._gauge[row], column]
        if not (self._counts.all_enough and tick.is_known[self._gauge].all()):
            result[self._counts.unknown(self._place, tick.now[self._gauge])] = np.nan


def _pair(leaf: Leaf, tier: Tier) -> tuple[int, int]:
    return INDEX[leaf.series], leaf.window_ms // tier.step_ms


_BATCH_ORDER: Final = ("now", "pct", "delta", "std", "zscore", "avg", "min", "max")


def _batch_key(leaf: Leaf, tier: Tier | None) -> tuple[object, ...]:
    """Leaves of one batch stand together, so that a batch writes one stretch of rows."""
    function = leaf.function if leaf.function in _BATCH_ORDER and not leaf.inner_ms else "rare"
    place = _BATCH_ORDER.index(function) if function in _BATCH_ORDER else len(_BATCH_ORDER)
    group = min(place, _BATCH_ORDER.index("std")) if function in MOMENTS else place
    # Series that can be zero come last: only behind those a quotient has to be looked at again.
    return group, tier.step_ms if tier else 0, place, leaf.series not in POSITIVE, leaf


class Windows:
    """The leaves of one rule set over the gauges of one market. Flows are added by the market."""

    def __init__(
        self, leaves: Iterable[Leaf], tier_of: "dict[Leaf, Tier]", n_rows: int, *, before: "Windows | None" = None
    ) -> None:
        """`tier_of`: the tier of each leaf that has a window over gauges; `before`: windows whose place these take."""
        self.shelf: Shelf = Shelf(None if before is None else before.shelf)
        shelf = self.shelf
        # A window shorter than the run's step has no points.
        usable = {leaf: t for leaf, t in tier_of.items() if leaf.window_ms >= t.step_ms}
        self.leaves = tuple(sorted(leaves, key=lambda leaf: _batch_key(leaf, usable.get(leaf))))
        self.row_of = {leaf: i for i, leaf in enumerate(self.leaves)}
        groups: dict[tuple[Tier, str], list[Leaf]] = {}
        for leaf in self.leaves:
            tier = usable.get(leaf)
            if tier is not None:
                kind = "of changes" if leaf.inner_ms else "moments" if leaf.function in MOMENTS else leaf.function
                groups.setdefault((tier, kind), []).append(leaf)
        self._tiers = tuple(sorted({tier for tier, _ in groups}, key=lambda t: t.step_ms))
        self._counts = self._make_counts(groups, shelf)
        self._batches: list[_Ends | _Averages | _Peaks] = []
        for (tier, kind), group in groups.items():
            rows = slice(self.row_of[group[0]], self.row_of[group[-1]] + 1)
            if kind in ENDS:
                self._batches.append(_Ends(tier, group, rows))
            elif kind == "moments":
                self._batches.append(_Averages(tier, group, rows, n_rows, shelf))
            elif kind in EXTREMA:
                self._batches.append(_Peaks(tier, group, rows, n_rows, self._counts[tier], shelf))
        self._rare = _Rare(groups, self.row_of, shelf)
        bare = [leaf for leaf in self.leaves if not leaf.window_ms and leaf.series not in FLOWS]
        self._never = [
            self.row_of[leaf]
            for leaf in self.leaves
            if leaf.window_ms and leaf not in usable and leaf.series not in FLOWS
        ]
        shelf.close()
        self._bare_out = np.array([self.row_of[leaf] for leaf in bare], dtype=np.int64)
        self._bare_gauge = np.array([INDEX[leaf.series] for leaf in bare], dtype=np.int64)

    @staticmethod
    def _make_counts(groups: "dict[tuple[Tier, str], list[Leaf]]", shelf: Shelf) -> "dict[Tier, Counts]":
        pairs: dict[Tier, list[tuple[int, int]]] = {}
        for (tier, kind), group in groups.items():
            if kind in EXTREMA:
                pairs.setdefault(tier, []).extend(_pair(leaf, tier) for leaf in group)
        return {
            tier: shelf.get(Counts, tier, tuple(found), partial(Counts, tier, found)) for tier, found in pairs.items()
        }

    @property
    def nbytes(self) -> int:
        return sum(b.nbytes for b in self._batches if isinstance(b, _Peaks)) + self._rare.nbytes

    def follow(self, tick: Tick) -> None:
        """Take in the rows that were written since the last tick. The tiers have to be written up to now."""
        with np.errstate(all="ignore"):
            for tier, counts in self._counts.items():
                counts.catch_up(tick.level.shape[1], tier.dirty)
            for batch in self._batches:
                if not isinstance(batch, _Ends):
                    batch.follow(tick)
            self._rare.follow(tick)
        for tier in self._tiers:
            if tier.dirty:
                tier.dirty = {}

    def compute(self, tick: Tick, out: F64) -> None:
        """Values of all leaves over gauges at now, into the rows of `out`, shape (n_leaves, n_rows); NaN is unknown.

        Only after `follow`.
        """
        now = tick.now
        if len(self._bare_out):
            out[self._bare_out] = now[self._bare_gauge]
        if self._never:
            out[self._never] = np.nan
        if not self._tiers:
            return
        if any(tier.newest is None for tier in self._tiers):
            out[:] = np.nan
        with np.errstate(all="ignore"):
            for batch in self._batches:
                batch.compute(tick, out)
            self._rare.compute(tick.level, out)


class _Rare:
    """Functions that few rules use, one leaf at a time."""

    def __init__(self, groups: "dict[tuple[Tier, str], list[Leaf]]", row_of: dict[Leaf, int], shelf: Shelf) -> None:
        self._row_of = row_of
        chosen: dict[Tier, list[Leaf]] = {}
        for (tier, kind), group in groups.items():
            if kind in TRENDS:
                chosen.setdefault(tier, []).extend(group)
        self._trends = [
            (t, shelf.get(Trends, t, tuple(group), partial(Trends, t, [_trend(leaf, t) for leaf in group])), group)
            for t, group in chosen.items()
        ]
        self._percentiles = [(t, leaf) for (t, kind), group in groups.items() if kind in QUANTILES for leaf in group]
        self._changes = [
            (
                leaf,
                shelf.get(Changes, t, leaf, partial(Changes, t, INDEX[leaf.series], leaf.window_ms, leaf.inner_ms)),
                t,
            )
            for (t, kind), group in groups.items()
            if kind == "of changes"
            for leaf in group
        ]

    @property
    def nbytes(self) -> int:
        return sum(changes.nbytes for _, changes, _ in self._changes)

    def follow(self, tick: Tick) -> None:
        for tier, trends, _ in self._trends:
            trends.catch_up(tick.level, tier.dirty)
        for _, changes, tier in self._changes:
            changes.catch_up(tick.level.shape[1], tier.dirty)

    def compute(self, level: F64, out: F64) -> None:
        for tier, trends, group in self._trends:
            if tier.newest is not None:
                for i, leaf in enumerate(group):
                    out[self._row_of[leaf]] = trends.value(i, level)
        for tier, leaf in self._percentiles:
            if tier.newest is not None:
                gauge, n = _pair(leaf, tier)
                past = tier.pieces(gauge, tier.newest - n + 1, n - 1)
                out[self._row_of[leaf]] = percentile(past, level[gauge], n)
        for leaf, changes, _ in self._changes:
            inner = out[self._row_of[Leaf("pct", leaf.series, leaf.inner_ms)]]
            found = changes.zscore(inner) if leaf.function == "zscore" else changes.percentile(inner)
            out[self._row_of[leaf]] = found


def _trend(leaf: Leaf, tier: Tier) -> tuple[int, int, int]:
    gauge, n = _pair(leaf, tier)
    return gauge, INDEX[leaf.other] if leaf.other else -1, n
