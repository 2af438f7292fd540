"""The meaning of samples, windows and time as plain loops: the oracle that the fast code is held to.

Never imported by the bot. It keeps every sample it was ever given and looks at all of them each time.
"""

import math
from dataclasses import dataclass, field

import numpy as np

STEP_FINE_MS = 1_000
STEP_COARSE_MS = 60_000
HOUR_MS = 3_600_000


@dataclass(slots=True)
class SlowSeries:
    """One raw series of one instrument."""

    dtype: str = "float32"
    samples: list[tuple[int, int, float, int]] = field(default_factory=list)
    """(hundredth of a second, time_ms, value, valid_ms), one per hundredth, the first that came stays."""

    def put(self, time_ms: int, value: float, valid_ms: int) -> None:
        second = -(-time_ms // 10)
        if all(s[0] != second for s in self.samples):
            self.samples.append((second, time_ms, value, valid_ms))

    def newest(self, at_ms: int) -> tuple[int, float, int] | None:
        """(time, value, valid) of the newest sample at or before a time."""
        past = [s for s in self.samples if s[1] <= at_ms]
        return max(past)[1:] if past else None

    def at(self, at_ms: int, *, rounded: bool = True) -> float:
        """What the series says at a time; NaN once the newest sample's validity is over."""
        sample = self.newest(at_ms)
        if sample is None or at_ms - sample[0] >= sample[2]:
            return math.nan
        return float(np.dtype(self.dtype).type(sample[1])) if rounded else sample[1]


class SlowWindows:
    """Window functions over one series, by the book."""

    def __init__(self, series: SlowSeries, *, run_step_ms: int = 1_000) -> None:
        self._series = series
        self._run_step_ms = run_step_ms

    def step_ms(self, window_ms: int) -> int:
        return max(STEP_FINE_MS if window_ms <= HOUR_MS else STEP_COARSE_MS, self._run_step_ms)

    def then(self, now_ms: int, window_ms: int) -> float:
        step = self.step_ms(window_ms)
        point = now_ms // step * step - window_ms // step * step
        sample = self._series.newest(point)
        if window_ms < step or sample is None:
            return math.nan
        age_ms = (point // 10 - -(-sample[0] // 10)) * 10
        return self._series.at(point) if age_ms * 3 <= window_ms else math.nan

    def points(self, now_ms: int, window_ms: int) -> list[float]:
        """The window's points, newest first; empty where the window is unknown."""
        step = self.step_ms(window_ms)
        n = window_ms // step
        newest = now_ms // step * step
        points = [self._series.at(now_ms)] + [self._series.at(newest - k * step) for k in range(1, n)]
        n_known = sum(not math.isnan(p) for p in points)
        return points if n >= 1 and not math.isnan(points[0]) and n_known >= 0.8 * n else []

    def pct(self, now_ms: int, window_ms: int) -> float:
        then = self.then(now_ms, window_ms)
        return self._series.at(now_ms) / then - 1.0 if then else math.nan

    def delta(self, now_ms: int, window_ms: int) -> float:
        return self._series.at(now_ms) - self.then(now_ms, window_ms)

    def min(self, now_ms: int, window_ms: int) -> float:
        found = min((p for p in self.points(now_ms, window_ms) if not math.isnan(p)), default=math.nan)
        return self._as_now(found, now_ms)

    def max(self, now_ms: int, window_ms: int) -> float:
        found = max((p for p in self.points(now_ms, window_ms) if not math.isnan(p)), default=math.nan)
        return self._as_now(found, now_ms)

    def avg(self, now_ms: int, window_ms: int) -> float:
        known = [p for p in self.points(now_ms, window_ms) if not math.isnan(p)]
        return self._as_now(math.fsum(known) / len(known), now_ms) if known else math.nan

    def _as_now(self, found: float, now_ms: int) -> float:
        return self._series.at(now_ms, rounded=False) if found == self._series.at(now_ms) else found

    def std(self, now_ms: int, window_ms: int) -> float:
        known = [p for p in self.points(now_ms, window_ms) if not math.isnan(p)]
        if not known:
            return math.nan
        mean = math.fsum(known) / len(known)
        return math.sqrt(math.fsum((p - mean) ** 2 for p in known) / len(known))

    def zscore(self, now_ms: int, window_ms: int) -> float:
        std = self.std(now_ms, window_ms)
        known = [p for p in self.points(now_ms, window_ms) if not math.isnan(p)]
        mean = math.fsum(known) / len(known) if known else math.nan
        if math.isnan(std) or not std > 1e-9 * abs(mean):
            return math.nan
        return (self._series.at(now_ms) - mean) / std
