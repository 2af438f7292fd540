"""The window functions by the book, over samples kept whole: what every engine must agree with before it is timed.

Values are rounded as live windows store them (single precision), then computed in double precision.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from tests.bench.frames import Second

SERIES = ("price", "index", "basis", "funding", "oi")
FUNCTIONS = ("pct", "delta", "avg", "min", "max", "std", "zscore")
HOUR_S = 3_600
DAY_S = 86_400


@dataclass(slots=True)
class Past:
    """An hour of seconds and a day of minutes, as they were given to the engines."""

    seconds: deque = field(default_factory=lambda: deque(maxlen=HOUR_S + 2))
    minutes: deque = field(default_factory=lambda: deque(maxlen=DAY_S // 60 + 2))

    def add(self, second: Second) -> None:
        self.seconds.append(second)
        if second.at_ms % 60_000 == 0:
            self.minutes.append(second)

    def points(self, series: str, window_s: int, dtype: type = np.float64) -> tuple[np.ndarray, np.ndarray]:
        """(n points of the window, oldest first and the newest at now; the value a whole window ago)."""
        now = self.seconds[-1]
        if window_s <= HOUR_S:
            found = _last(self.seconds, window_s + 1)
            stamps = [s.at_ms for s in found]
            assert stamps == list(range(now.at_ms - window_s * 1_000, now.at_ms + 1, 1_000)), "a second is missing"
        else:
            newest = now.at_ms // 60_000 * 60_000
            n = window_s // 60
            kept = [m for m in self.minutes if newest - n * 60_000 <= m.at_ms < newest]
            assert [m.at_ms for m in kept] == list(range(newest - n * 60_000, newest, 60_000)), "a minute is missing"
            found = [*kept, now]
        table = np.array([getattr(s, series) for s in found]).astype(np.float32).astype(dtype)
        then = table[0]
        if series == "oi":
            then = np.where((found[0].at_ms - found[0].oi_ms) * 3 <= window_s * 1_000, then, np.nan)
        return table[1:], then


def _last(items: deque, n: int) -> list:
    return [items[i] for i in range(len(items) - n, len(items))]


def compute(past: Past, function: str, series: str, window_s: int, dtype: type = np.float64) -> np.ndarray:
    """One function over all instruments as of the newest second, in two passes; NaN is unknown."""
    points, then = past.points(series, window_s, dtype)
    with np.errstate(divide="ignore", invalid="ignore"):
        match function:
            case "pct":
                value = points[-1] / then - 1.0
            case "delta":
                value = points[-1] - then
            case "avg":
                value = points.mean(axis=0)
            case "min":
                value = points.min(axis=0)
            case "max":
                value = points.max(axis=0)
            case "std":
                value = points.std(axis=0)
            case "zscore":
                mean, std = points.mean(axis=0), points.std(axis=0)
                value = np.where(std > 1e-9 * np.abs(mean), (points[-1] - mean) / std, np.nan)
            case _:
                raise ValueError(function)
    return np.where(np.isfinite(value), value, np.nan)


def agrees(function: str, got: np.ndarray, want: np.ndarray) -> bool:
    """Whether an engine's values are those of the reference: exact where nothing is summed, else to 1e-6."""
    if got.shape != want.shape or (np.isnan(got) != np.isnan(want)).any():
        return False
    known = ~np.isnan(want)
    if function in {"pct", "delta"}:
        return bool((got[known] == want[known]).all())
    if function in {"min", "max"}:
        # The newest value is given back as it came where it is the answer, unrounded.
        return bool(np.allclose(got[known], want[known], rtol=6.1e-8, atol=0))
    scale = 1e-6 * np.maximum(np.abs(want[known]), 1e-6 if function == "zscore" else 0)
    slack = 1e-5 if function == "zscore" else 0.0
    return bool((np.abs(got[known] - want[known]) <= scale + slack).all())
