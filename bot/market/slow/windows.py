"""Functions over a window of grid points, and over changes on the five-minute grid."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bot.market.slow.samples import Gauge

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60_000
LONG_STEP_MS: Final = 300_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000


def known(points: Sequence[float]) -> list[float]:
    return [p for p in points if math.isfinite(p)]


def enough(n_known: int, n: int) -> bool:
    """Whether 80 % are known."""
    return n >= 1 and 5 * n_known >= 4 * n


def mean_of(values: Sequence[float]) -> float:
    """Mean of at least one value, counted from the newest, so that equal values have exactly their own mean."""
    return values[-1] + math.fsum(v - values[-1] for v in values) / len(values)


def mean_std(values: Sequence[float]) -> tuple[float, float]:
    """Mean and population deviation of at least one value."""
    mean = mean_of(values)
    return mean, math.sqrt(math.fsum((v - mean) ** 2 for v in values) / len(values))


def change(now: float, then: float) -> float:
    """Now / then - 1; NaN where either is missing or the old value is zero."""
    return now / then - 1.0 if then else math.nan


@dataclass(frozen=True, slots=True)
class SlowWindows:
    """Window functions over one series, by the book."""

    series: Gauge
    run_step_ms: int = 1_000

    def step_ms(self, window_ms: int) -> int:
        """Distance of the grid points of a window."""
        finest = SECOND_MS if window_ms <= HOUR_MS else MINUTE_MS if window_ms <= DAY_MS else LONG_STEP_MS
        return max(finest, self.run_step_ms)

    def then_at(self, point_ms: int, window_ms: int) -> float:
        """What the series says at a point, if its sample there is no older than a third of the window."""
        age_ms = self.series.sample_age_ms(point_ms)
        return self.series.at(point_ms) if age_ms is not None and age_ms * 3 <= window_ms else math.nan

    def then(self, now_ms: int, window_ms: int) -> float:
        """The other end of the window."""
        step = self.step_ms(window_ms)
        if window_ms < step:
            return math.nan
        return self.then_at(now_ms // step * step - window_ms // step * step, window_ms)

    def grid(self, now_ms: int, window_ms: int) -> list[float]:
        """All points of the window, oldest first, missing ones as NaN; the newest is read at now itself."""
        step = self.step_ms(window_ms)
        newest = now_ms // step * step
        past = [self.series.at(newest - k * step) for k in range(window_ms // step - 1, 0, -1)]
        return [*past, self.series.at(now_ms)] if window_ms >= step else []

    def points(self, now_ms: int, window_ms: int) -> list[float]:
        """The same; empty where the window is unknown."""
        points = self.grid(now_ms, window_ms)
        return points if enough(len(known(points)), len(points)) and not math.isnan(points[-1]) else []

    def pct(self, now_ms: int, window_ms: int) -> float:
        return change(self.series.at(now_ms), self.then(now_ms, window_ms))

    def delta(self, now_ms: int, window_ms: int) -> float:
        return self.series.at(now_ms) - self.then(now_ms, window_ms)

    def min(self, now_ms: int, window_ms: int) -> float:
        return self._as_now(min(known(self.points(now_ms, window_ms)), default=math.nan), now_ms)

    def max(self, now_ms: int, window_ms: int) -> float:
        return self._as_now(max(known(self.points(now_ms, window_ms)), default=math.nan), now_ms)

    def avg(self, now_ms: int, window_ms: int) -> float:
        values = known(self.points(now_ms, window_ms))
        return self._as_now(mean_of(values), now_ms) if values else math.nan

    def _as_now(self, found: float, now_ms: int) -> float:
        return self.series.at(now_ms, rounded=False) if found == self.series.at(now_ms) else found

    def std(self, now_ms: int, window_ms: int) -> float:
        values = known(self.points(now_ms, window_ms))
        return mean_std(values)[1] if values else math.nan

    def zscore(self, now_ms: int, window_ms: int) -> float:
        points = self.points(now_ms, window_ms)
        if not points:
            return math.nan
        mean, std = mean_std(known(points))
        return (points[-1] - mean) / std if std > 1e-9 * abs(mean) else math.nan

    def percentile(self, now_ms: int, window_ms: int) -> float:
        points = self.points(now_ms, window_ms)
        return place(points[-1], known(points[:-1])) if points else math.nan

    def slope(self, now_ms: int, window_ms: int) -> float:
        """Least squares over the known points, per hour, relative to their mean."""
        points = self.points(now_ms, window_ms)
        step_h = self.step_ms(window_ms) / HOUR_MS
        known_at = [(k * step_h, p) for k, p in enumerate(points) if not math.isnan(p)]
        if len(known_at) < 3:
            return math.nan
        mean_t = math.fsum(t for t, _ in known_at) / len(known_at)
        mean = mean_of([p for _, p in known_at])
        if mean == 0:
            return math.nan
        covariance = math.fsum((t - mean_t) * (p - mean) for t, p in known_at)
        return covariance / math.fsum((t - mean_t) ** 2 for t, _ in known_at) / mean


def place(now: float, past: Sequence[float]) -> float:
    """Share of past values below now, ties half, 0..100."""
    if not past:
        return math.nan
    return 100.0 * (sum(p < now for p in past) + sum(p == now for p in past) / 2) / len(past)


def corr(a: SlowWindows, b: SlowWindows, now_ms: int, window_ms: int) -> float:
    """Pearson correlation of the changes between neighbouring points."""
    left, right = a.grid(now_ms, window_ms), b.grid(now_ms, window_ms)
    n = len(left)
    if n == 0 or math.isnan(left[-1]) or math.isnan(right[-1]):
        return math.nan
    pairs = [(change(left[k], left[k - 1]), change(right[k], right[k - 1])) for k in range(1, n)]
    pairs = [pair for pair in pairs if math.isfinite(pair[0]) and math.isfinite(pair[1])]
    if len(pairs) < 3 or not enough(len(pairs), n - 1):
        return math.nan
    mean_x, std_x = mean_std([x for x, _ in pairs])
    mean_y, std_y = mean_std([y for _, y in pairs])
    if std_x <= 1e-9 or std_y <= 1e-9:
        return math.nan
    return math.fsum((x - mean_x) * (y - mean_y) for x, y in pairs) / len(pairs) / (std_x * std_y)


def changes_on_long_grid(windows: SlowWindows, now_ms: int, inner_ms: int, window_ms: int) -> list[float]:
    """Pct over `inner_ms` at each five minutes of the window, oldest first, and now; empty where unknown."""
    newest = now_ms // LONG_STEP_MS * LONG_STEP_MS
    points = []
    for k in range(window_ms // LONG_STEP_MS - 1, 0, -1):
        point = newest - k * LONG_STEP_MS
        points.append(change(windows.series.at(point), windows.then_at(point - inner_ms, inner_ms)))
    points.append(windows.pct(now_ms, inner_ms))
    return points if enough(len(known(points)), len(points)) and not math.isnan(points[-1]) else []


def zscore_of_pct(windows: SlowWindows, now_ms: int, inner_ms: int, window_ms: int) -> float:
    points = changes_on_long_grid(windows, now_ms, inner_ms, window_ms)
    if not points:
        return math.nan
    mean, std = mean_std(known(points))
    return (points[-1] - mean) / std if std > 1e-9 else math.nan


def percentile_of_pct(windows: SlowWindows, now_ms: int, inner_ms: int, window_ms: int) -> float:
    points = changes_on_long_grid(windows, now_ms, inner_ms, window_ms)
    return place(points[-1], known(points[:-1])) if points else math.nan
