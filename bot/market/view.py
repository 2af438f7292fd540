"""Reading the market at one tick, or at a block of them.

A view answers for T times by N instruments at once: live T is 1, on history thousands. All results have the shape
(T, N); NaN is "unknown". The same code answers in both cases, so any cut of a run into blocks gives the same values.

A window of w ending now has n = w/step points: now itself, and the n-1 grid points before the newest grid point. It is
known when now is and 80 % of its points are. `then` is the grid point a whole w before the newest one, and must not be
older than w/3 there.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from bot.market.gauge import NEVER_MS
from bot.market.market import FIRST_PRICE_MS, HOUR_MS, PARTS, Market, Moment
from bot.market.ring import Ring
from bot.model.truth import FALSE, TRUE, UNKNOWN
from bot.model.updates import F64, I64

KNOWN_SHARE: Final = 0.8
THEN_SHARE: Final = 3
FLAT: Final = 1e-9
"""A standard deviation below this share of the level is rounding, not movement: the series is flat."""

Tri = npt.NDArray[np.int8]


def tri(mask: "npt.NDArray[np.bool_]", known: "npt.NDArray[np.bool_]") -> Tri:
    """Three truth values from two masks."""
    result: Tri = np.where(known, np.where(mask, TRUE, FALSE), UNKNOWN).astype(np.int8)
    return result


class View:
    """The market as of each moment of a block. Valid until the market is written again."""

    def __init__(self, market: Market, moments: Sequence[Moment]) -> None:
        self._market = market
        self._moments = moments
        self.now_ms: I64 = np.array([m.now_ms for m in moments], dtype=np.int64)
        self.n_times = len(moments)
        self.n_rows = market.n_rows
        self._memo: dict[tuple[str, int], F64] = {}
        self._then_memo: dict[tuple[str, int, int], tuple[F64, F64]] = {}

    # -- now -----------------------------------------------------------------------------------------------------

    def value(self, series: str) -> F64:
        """The newest sample, where it still speaks."""
        key = (series, 0)
        if key not in self._memo:
            parts = [self._raw_now(name) for name in PARTS[series]]
            self._memo[key] = self._derive(series, parts)
        return self._memo[key]

    def age(self, series: str) -> F64:
        """Milliseconds since the newest sample, or since the subscription where none has come."""
        ages = [self._raw_age(name) for name in PARTS[series]]
        oldest: F64 = np.maximum.reduce(ages)
        return oldest

    def stale(self, series: str) -> Tri:
        """True where the newest sample is older than its successor's validity would be. Never unknown."""
        market = self._market
        result = np.zeros((self.n_times, self.n_rows), dtype=np.bool_)
        for name in PARTS[series]:
            limit = market.next_valid_ms(name)
            first = limit if name in {"oi", "volume_24h"} else np.full_like(limit, FIRST_PRICE_MS)
            seen = np.stack([m.latest[name].time_ms for m in self._moments]) > NEVER_MS
            result |= self._raw_age(name) > np.where(seen, limit, first)
        return tri(result, np.ones_like(result))

    def sample_ms(self, series: str) -> I64:
        """Time of the newest sample of a raw series; `NEVER_MS` where none has come."""
        return np.stack([m.latest[series].time_ms for m in self._moments])

    def _raw_now(self, name: str) -> F64:
        rows = []
        for moment in self._moments:
            latest = moment.latest[name]
            speaks = moment.now_ms - latest.time_ms < latest.valid_ms
            rows.append(np.where(speaks, latest.value, np.nan))
        return np.stack(rows)

    def _raw_age(self, name: str) -> F64:
        time_ms = self.sample_ms(name)
        since = np.where(time_ms > NEVER_MS, time_ms, self._market.subscribed_ms)
        return (self.now_ms[:, None] - since).astype(np.float64)

    def _derive(self, series: str, parts: list[F64]) -> F64:
        if series == "basis":
            return (parts[0] - parts[1]) / parts[1]
        if series == "oi_usd":
            return parts[0] * parts[1]
        if series == "funding_8h":
            return parts[0] * (8.0 / self._market.funding_interval_h)
        return parts[0]

    # -- windows -------------------------------------------------------------------------------------------------

    def step_ms(self, window_ms: int) -> int:
        """Grid step of a window."""
        return self._market.fine_ms if window_ms <= HOUR_MS else self._market.coarse_ms

    def reaches(self, series: str, window_ms: int) -> bool:
        """Whether the rings held reach back that far; a window over too short a ring is unknown."""
        step = self.step_ms(window_ms)
        return all(self._ring(name, window_ms, step) is not None for name in PARTS[series])

    def then(self, series: str, window_ms: int) -> tuple[F64, F64]:
        """Value at the other end of the window, and its age there in ms. NaN where it is missing or too old."""
        return self._then(series, window_ms, self.step_ms(window_ms))

    def _then(self, series: str, window_ms: int, step: int) -> tuple[F64, F64]:
        key = (series, window_ms, step)
        if key not in self._then_memo:
            self._then_memo[key] = self._read_then(series, window_ms, step)
        return self._then_memo[key]

    def _read_then(self, series: str, window_ms: int, step: int) -> tuple[F64, F64]:
        grid = self.now_ms // step * step - window_ms // step * step
        values, ages = [], []
        for name in PARTS[series]:
            ring = self._ring(name, window_ms, step)
            if ring is None or window_ms < step:
                missing = np.full((self.n_times, self.n_rows), np.nan)
                return missing, missing
            value, age = ring.at(grid)
            known = (age * THEN_SHARE <= window_ms) & (age <= ring.max_age_ms)
            values.append(np.where(known, value, np.nan).astype(np.float64))
            ages.append(age)
        return self._derive(series, values), np.maximum.reduce(ages).astype(np.float64)

    def level(self, series: str) -> F64:
        """Like `value`, but rounded as windows store it, so that a flat series moves by exactly nothing."""
        key = (series, -1)
        if key not in self._memo:
            self._memo[key] = self._read_level(series)
        return self._memo[key]

    def _read_level(self, series: str) -> F64:
        parts = [self._raw_now(name).astype(self._market.dtype).astype(np.float64) for name in PARTS[series]]
        return self._derive(series, parts)

    def pct(self, series: str, window_ms: int) -> F64:
        then, _ = self.then(series, window_ms)
        with np.errstate(divide="ignore", invalid="ignore"):
            return _finite(self.level(series) / then - 1.0)

    def change(self, series: str, window_ms: int) -> tuple[F64, F64]:
        """For people: ratio minus one and the value then, on the finest grid that reaches back that far.

        Rules always have their own grid; a question may ask for a window that no rule uses.
        """
        if window_ms <= HOUR_MS and not self.reaches(series, window_ms):
            then, _ = self._then(series, window_ms, self._market.coarse_ms)
        else:
            then, _ = self.then(series, window_ms)
        with np.errstate(divide="ignore", invalid="ignore"):
            return _finite(self.level(series) / then - 1.0), then

    def delta(self, series: str, window_ms: int) -> F64:
        then, _ = self.then(series, window_ms)
        return self.level(series) - then

    def avg(self, series: str, window_ms: int) -> F64:
        return self._as_now(series, self._over_points(series, window_ms, lambda points: _mean_std(points)[0]))

    def std(self, series: str, window_ms: int) -> F64:
        return self._over_points(series, window_ms, lambda points: _mean_std(points)[1])

    def min(self, series: str, window_ms: int) -> F64:
        return self._as_now(series, self._over_points(series, window_ms, lambda points: np.fmin.reduce(points, axis=0)))

    def max(self, series: str, window_ms: int) -> F64:
        return self._as_now(series, self._over_points(series, window_ms, lambda points: np.fmax.reduce(points, axis=0)))

    def zscore(self, series: str, window_ms: int) -> F64:
        def score(points: F64) -> F64:
            mean, std = _mean_std(points)
            with np.errstate(divide="ignore", invalid="ignore"):
                flat = ~(std > FLAT * np.abs(mean))
                return np.where(flat, np.nan, (points[-1] - mean) / std)

        return self._over_points(series, window_ms, score)

    def _as_now(self, series: str, found: F64) -> F64:
        """The newest value as it came, where it is the answer: `price >= max(price, 24h)` must hold at a new high."""
        return np.where(found == self.level(series), self.value(series), found)

    def _ring(self, name: str, window_ms: int, step: int) -> Ring | None:
        for ring in self._market.gauges[name].rings:
            if ring.step_ms == step and (ring.n_slots - 1) * step >= window_ms:
                return ring
        return None

    def _over_points(self, series: str, window_ms: int, reduce: Callable[[F64], F64]) -> F64:
        step = self.step_ms(window_ms)
        n = window_ms // step
        out = np.full((self.n_times, self.n_rows), np.nan)
        rings = [self._ring(name, window_ms, step) for name in PARTS[series]]
        if n < 1 or any(r is None for r in rings):
            return out
        now = self.level(series)
        for t, now_ms in enumerate(self.now_ms):
            first = int(now_ms) // step * step - (n - 1) * step
            past = [r.rows(first, n).astype(np.float64) for r in rings if r is not None]
            points = self._derive(series, past) if n > 1 else np.empty((1, self.n_rows))
            points[-1] = now[t]
            known = np.isfinite(points).sum(axis=0) >= KNOWN_SHARE * n
            with np.errstate(invalid="ignore"):
                out[t] = np.where(known & np.isfinite(now[t]), reduce(points), np.nan)
        return out


def _mean_std(points: F64) -> tuple[F64, F64]:
    """Mean and population deviation over the known points, shifted by the newest so that nothing cancels."""
    known = np.isfinite(points)
    n = np.maximum(known.sum(axis=0), 1)
    reference = np.where(np.isfinite(points[-1]), points[-1], 0.0)
    shifted = np.where(known, points - reference, 0.0)
    offset = shifted.sum(axis=0) / n
    deviation = np.where(known, shifted - offset, 0.0)
    return reference + offset, np.sqrt((deviation * deviation).sum(axis=0) / n)


def _finite(x: F64) -> F64:
    return np.where(np.isfinite(x), x, np.nan)
