"""Reading the market at one tick, or at a block of them, for any question.

A view answers for T times by N instruments at once. All results have the shape (T, N); NaN is "unknown". Rules read
what `Windows` computed at the tick; a view computes the same from the rings, one question at a time: for cards,
messages, explanations, and expressions that no rule uses.

A window of w ending now has n = w/step points: now itself, and the n-1 grid points before the newest grid point. It is
known when now is and 80 % of its points are. `then` is the grid point a whole w before the newest one, and must not be
older than w/3 there.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from bot.market.extrema import newest_wins
from bot.market.gauges import NEVER_MS, Newest
from bot.market.quantiles import THEN_SHARE, percentile
from bot.market.series import ENDS, FLOWS, GAUGES, HOUR_MS, INDEX, N_SAMPLED, OI_USD, PARTS, Leaf
from bot.market.sums import FLAT, KNOWN_SHARE
from bot.market.tier import Tier
from bot.market.trends import MIN_POINTS, NO_MEAN, correlation
from bot.market.windows import levels_of
from bot.model.truth import FALSE, TRUE, UNKNOWN
from bot.model.updates import F64, I64

if TYPE_CHECKING:
    from bot.market.market import Market

MIN_COARSE_STEPS: Final = 5
"""A window of fewer says too little on the coarse grid."""

FIRST_PRICE_MS: Final = 15_000
"""How long a new subscription may take to its first price before it is stale."""

Tri = npt.NDArray[np.int8]
assert (FALSE, UNKNOWN, TRUE) == (0, 1, 2)


def tri(mask: "npt.NDArray[np.bool_]", known: "npt.NDArray[np.bool_]") -> Tri:
    """Three truth values from two masks."""
    # Bits of a byte, ten times as fast as to choose.
    result: Tri = np.left_shift((mask & known).view(np.int8), 1)
    return result | (~known).view(np.int8)


class Moment:
    """The newest samples of every series at one tick."""

    __slots__ = ("newest", "now_ms")

    def __init__(self, now_ms: int, newest: Newest) -> None:
        self.now_ms = now_ms
        self.newest = newest


class View:
    """The market as of each moment of a block. Valid until the market is written again."""

    def __init__(self, market: "Market", moments: Sequence[Moment]) -> None:
        self._market = market
        self._moments = moments
        self.now_ms: I64 = np.array([m.now_ms for m in moments], dtype=np.int64)
        self.n_times = len(moments)
        self.n_rows = market.n_rows
        self._now: list[F64 | None] = [None] * len(moments)
        self._level: list[F64 | None] = [None] * len(moments)
        self._memo: dict[Leaf, F64] = {}
        self._ages: dict[str, F64] = {}
        self._changes: dict[tuple[str, int], tuple[F64, F64]] = {}

    # -- now -----------------------------------------------------------------------------------------------------

    def _all_now(self, t: int) -> F64:
        found = self._now[t]
        if found is None:
            found = self._now[t] = self._moments[t].newest.now(int(self.now_ms[t]))
        return found

    def _all_levels(self, t: int) -> F64:
        found = self._level[t]
        if found is None:
            found = self._level[t] = levels_of(self._all_now(t), self._market.dtype)[0]
        return found

    def value(self, series: str) -> F64:
        """The newest sample, where it still speaks; of a flow, what happened last."""
        leaf = Leaf("now", series)
        found = self._memo.get(leaf)
        if found is None:
            if series in FLOWS:
                found = np.stack([self._market.flow_now(series, int(t)) for t in self.now_ms])
            else:
                found = np.stack([self._all_now(t)[INDEX[series]] for t in range(self.n_times)])
            self._memo[leaf] = found
        return found

    def latest(self, series: str) -> F64:
        """The newest sample of a gauge, also where it no longer speaks: good enough for sizes."""
        parts = [np.stack([m.newest.value[INDEX[part]] for m in self._moments]) for part in PARTS[series]]
        latest: F64 = np.multiply.reduce(parts)
        return latest

    def level(self, series: str) -> F64:
        """Like `value`, but rounded as windows store it, so that a flat series moves by exactly nothing."""
        return np.stack([self._all_levels(t)[INDEX[series]] for t in range(self.n_times)])

    def age(self, series: str) -> F64:
        """Milliseconds since the newest sample, or since the subscription where none has come."""
        if series in FLOWS:
            return np.stack([self._market.flow_age(series, int(t)) for t in self.now_ms])
        found = self._ages.get(series)
        if found is None:
            found = self._ages[series] = np.maximum.reduce([self._raw_age(name) for name in PARTS[series]])
        return found

    def stale(self, series: str) -> Tri:
        """True where the newest sample is older than its successor's validity would be. Never unknown.

        Time in which no process ran is nobody's silence: after a restart samples have as long as after a subscription.
        """
        market = self._market
        if series in {"liq_long", "liq_short"}:
            alive = np.stack([market.liquidations_since_ms() <= t for t in self.now_ms])
            return tri(~alive, np.ones_like(alive))
        result = np.zeros((self.n_times, self.n_rows), dtype=np.bool_)
        for name in PARTS.get(series, (series,)):
            limit = market.next_valid_ms(name)
            first = limit if name in market.SLOW else np.full_like(limit, FIRST_PRICE_MS)
            sample_ms = self.sample_ms(name)
            heard = sample_ms > market.resumed_ms
            since_ms = np.where(heard, sample_ms, np.maximum(market.subscribed_ms, market.resumed_ms))
            result |= self.now_ms[:, None] - since_ms > np.where(heard, limit, first)
        return tri(result, np.ones_like(result))

    def sample_ms(self, series: str) -> I64:
        """Time of the newest sample of a raw series; `NEVER_MS` where none has come."""
        if series == "volume":
            return np.stack([self._market.volume.close_ms] * self.n_times)
        index = INDEX[series]
        assert index < N_SAMPLED
        return np.stack([m.newest.time_ms[index] for m in self._moments])

    def _raw_age(self, name: str) -> F64:
        time_ms = self.sample_ms(name)
        since = np.where(time_ms > NEVER_MS, time_ms, self._market.subscribed_ms)
        return (self.now_ms[:, None] - since).astype(np.float64)

    # -- windows -------------------------------------------------------------------------------------------------

    def leaf(self, leaf: Leaf) -> F64:
        """Any leaf of the language. NaN where it is unknown, also where the rings do not reach that far."""
        found = self._memo.get(leaf)
        if found is None:
            with np.errstate(all="ignore"):
                found = self._memo[leaf] = self._leaf(leaf)
        return found

    def _leaf(self, leaf: Leaf) -> F64:
        if not leaf.window_ms:
            return self.value(leaf.series)
        if leaf.series in FLOWS:
            return np.stack([self._market.flow(leaf, int(t)) for t in self.now_ms])
        return self._on_grid(leaf, self._market.tier_of(leaf))

    def _on_grid(self, leaf: Leaf, tier: Tier) -> F64:
        if leaf.function in ENDS:
            ends = self._market.ends_tier(leaf.window_ms) if tier is self._market.tier_of(leaf) else tier
            then, _ = self._then(leaf.series, leaf.window_ms, ends)
            level = self.level(leaf.series)
            return _finite(level / then - 1.0) if leaf.function == "pct" else level - then
        return np.stack([self._over_points(leaf, tier, t) for t in range(self.n_times)])

    def at_hand(self, leaf: Leaf) -> F64:
        """For people: any leaf, from the coarse grid where its own does not know it.

        The fine grid reaches a quarter of an hour back; what an alert needs beyond is fetched once it is made.
        """
        found, coarse = self.leaf(leaf), self._market.coarse
        is_window = leaf.window_ms and leaf.series not in FLOWS and not leaf.inner_ms
        if not is_window or not MIN_COARSE_STEPS * coarse.step_ms <= leaf.window_ms <= HOUR_MS:
            return found
        with np.errstate(all="ignore"):
            return np.where(np.isfinite(found), found, self._on_grid(leaf, coarse))

    def pct(self, series: str, window_ms: int) -> F64:
        return self.leaf(Leaf("pct", series, window_ms))

    def then(self, series: str, window_ms: int) -> tuple[F64, F64]:
        """Value at the other end of the window, and its age there in ms. NaN where it is missing or too old."""
        return self._then(series, window_ms, self._market.ends_tier(window_ms))

    def _then(self, series: str, window_ms: int, tier: Tier) -> tuple[F64, F64]:
        if window_ms < tier.step_ms or not self._has(tier, series, window_ms):
            missing = np.full((self.n_times, self.n_rows), np.nan)
            return missing, missing
        numbers = self.now_ms // tier.step_ms - window_ms // tier.step_ms
        values, ages = self._read_ends(tier, series, numbers)
        known = (ages * THEN_SHARE <= window_ms) & (ages <= tier.max_age_ms)
        return np.where(known, values, np.nan), ages.astype(np.float64)

    @staticmethod
    def _has(tier: Tier, series: str, window_ms: int) -> bool:
        return tier.holds(series, window_ms) or all(tier.holds(part, window_ms) for part in PARTS[series])

    def _read_ends(self, tier: Tier, series: str, numbers: I64) -> tuple[F64, I64]:
        if series in tier.names:
            values, ages = tier.ends(INDEX[series], numbers)
            return values.astype(np.float64), ages
        # A product that no rule looks at has no ring of its own.
        parts = [tier.ends(INDEX[part], numbers) for part in PARTS[series]]
        product = (parts[0][0].astype(np.float64) * parts[1][0]).astype(tier.dtype)
        return product.astype(np.float64), np.maximum(parts[0][1], parts[1][1])

    def change(self, series: str, window_ms: int) -> tuple[F64, F64]:
        """For people: ratio minus one and the value then, on the finest grid that reaches back that far.

        Rules always have their own grid; a question may ask for a window that no rule uses.
        """
        found = self._changes.get((series, window_ms))
        if found is None:
            tier = self._market.ends_tier(window_ms)
            if window_ms <= HOUR_MS and not self._has(tier, series, window_ms):
                tier = self._market.coarse
            then, _ = self._then(series, window_ms, tier)
            with np.errstate(divide="ignore", invalid="ignore"):
                found = self._changes[series, window_ms] = _finite(self.level(series) / then - 1.0), then
        return found

    # -- points --------------------------------------------------------------------------------------------------

    def _points(self, series: str, tier: Tier, t: int, n: int) -> F64 | None:
        """The points of a window at one tick, oldest first and now last; None where the ring does not reach."""
        if n < 1 or not self._has(tier, series, n * tier.step_ms):
            return None
        first = int(self.now_ms[t]) // tier.step_ms - n + 1
        if series in tier.names:
            past = tier.rows(INDEX[series], first, n).astype(np.float64)
        else:
            both = [tier.rows(INDEX[part], first, n).astype(np.float64) for part in PARTS[series]]
            past = (both[0] * both[1]).astype(tier.dtype).astype(np.float64)
        past[-1] = self._all_levels(t)[INDEX[series]]
        return past

    def points(self, leaf: Leaf, row: int) -> F64 | None:
        """Points of one instrument's window at the first moment, oldest first and now last; NaN is unknown. None for a
        window without points, and where the rings do not reach. Of `corr` those of its first series.
        """
        tier = self._market.tier_of(leaf)
        n = leaf.window_ms // tier.step_ms
        if leaf.inner_ms:
            with np.errstate(all="ignore"):
                found = self._change_points(leaf, tier, 0, n)
            return None if found is None else found[:, row]
        if n < 1 or not self._has(tier, leaf.series, n * tier.step_ms):
            return None
        first = int(self.now_ms[0]) // tier.step_ms - n + 1
        parts = (leaf.series,) if leaf.series in tier.names else PARTS[leaf.series]
        columns = [tier.column(INDEX[part], first, n, row).astype(np.float64) for part in parts]
        points = columns[0] if len(columns) == 1 else (columns[0] * columns[1]).astype(tier.dtype).astype(np.float64)
        points[-1] = self._all_levels(0)[INDEX[leaf.series], row]
        return points

    def _over_points(self, leaf: Leaf, tier: Tier, t: int) -> F64:
        unknown: F64 = np.full(self.n_rows, np.nan)
        n = leaf.window_ms // tier.step_ms
        points = self._change_points(leaf, tier, t, n) if leaf.inner_ms else self._points(leaf.series, tier, t, n)
        if points is None:
            return unknown
        found = np.isfinite(points)
        known = found[-1] & (found.sum(axis=0) >= KNOWN_SHARE * n)
        if leaf.function == "corr":
            other = self._points(leaf.other, tier, t, n)
            return unknown if other is None else _corr(points, other, known)
        now = self._all_now(t)[INDEX[leaf.series]]
        return np.where(known, _reduce(leaf, points, now, tier.step_ms), np.nan)

    def _change_points(self, leaf: Leaf, tier: Tier, t: int, n: int) -> F64 | None:
        if n < 1 or not self._has(tier, leaf.series, leaf.window_ms + leaf.inner_ms):
            return None
        lag = leaf.inner_ms // tier.step_ms
        numbers = np.arange(n) + (int(self.now_ms[t]) // tier.step_ms - n + 1)
        now, _ = self._read_ends(tier, leaf.series, numbers)
        then, ages = self._read_ends(tier, leaf.series, numbers - lag)
        known = (ages * THEN_SHARE <= leaf.inner_ms) & (ages <= tier.max_age_ms)
        points = _finite(now / np.where(known, then, np.nan) - 1.0)
        points[-1] = self.leaf(Leaf("pct", leaf.series, leaf.inner_ms))[t]
        return points


def _reduce(leaf: Leaf, points: F64, now: F64, step_ms: int) -> F64:
    """One value per instrument from its points, oldest first; the caller says where it is known."""
    last = points[-1]
    match leaf.function:
        case "min" | "max":
            extreme = np.fmax if leaf.function == "max" else np.fmin
            past = extreme.reduce(points, axis=0)
            return newest_wins(past, last, now, highest=leaf.function == "max")
        case "percentile":
            return percentile((points[:-1],), last, len(points))
        case "slope":
            return _slope(points, step_ms)
    mean, std = _mean_std(points)
    match leaf.function:
        case "avg":
            return np.where(mean == last, now, mean)
        case "std":
            return std
        case "zscore":
            floor = FLAT if leaf.inner_ms else FLAT * np.abs(mean)
            return np.where(std > floor, (last - mean) / std, np.nan)
    raise TypeError(f"no such function over points: {leaf!r}")


def _mean_std(points: F64) -> tuple[F64, F64]:
    """Mean and population deviation over the known points, shifted by the newest so that nothing cancels."""
    known = np.isfinite(points)
    n = np.maximum(known.sum(axis=0), 1)
    reference = np.where(np.isfinite(points[-1]), points[-1], 0.0)
    shifted = np.where(known, points - reference, 0.0)
    offset = shifted.sum(axis=0) / n
    deviation = np.where(known, shifted - offset, 0.0)
    return reference + offset, np.sqrt((deviation * deviation).sum(axis=0) / n)


def _slope(points: F64, step_ms: int) -> F64:
    known = np.isfinite(points)
    n = known.sum(axis=0)
    place = np.where(known, np.arange(len(points), dtype=np.float64)[:, None], 0.0)
    mean_place = place.sum(axis=0) / n
    mean = np.where(known, points, 0.0).sum(axis=0) / n
    off = np.where(known, place - mean_place, 0.0)
    per_step = (off * np.where(known, points - points[-1], 0.0)).sum(axis=0) / (off * off).sum(axis=0)
    size = (np.where(known, points, 0.0) ** 2).sum(axis=0) / n
    sound = (n >= MIN_POINTS) & (mean * mean > NO_MEAN * size)
    return np.where(sound, per_step * (HOUR_MS / step_ms) / mean, np.nan)


def _corr(first: F64, second: F64, known: "npt.NDArray[np.bool_]") -> F64:
    x, y = first[1:] / first[:-1] - 1.0, second[1:] / second[:-1] - 1.0
    both = np.isfinite(x) & np.isfinite(y)
    x, y = np.where(both, x, 0.0), np.where(both, y, 0.0)
    n = both.sum(axis=0).astype(np.float64)
    total = np.stack([n, *(a.sum(axis=0) for a in (x, y, x * x, y * y, x * y))])
    enough = np.isfinite(second[-1]) & (n >= KNOWN_SHARE * (len(first) - 1))
    return correlation(total, known & enough)


def _finite(x: F64) -> F64:
    return np.where(np.isfinite(x), x, np.nan)


assert GAUGES[OI_USD] == "oi_usd"
