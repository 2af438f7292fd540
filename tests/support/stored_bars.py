"""Stored bars made of arrays."""

from collections.abc import Mapping, Sequence

import numpy as np

from bot.history.guessing import guessed
from bot.model.history import BarGrid

DAY_MS = 86_400_000
START_MS = 1_769_904_000_000
"""2026-02-01 00:00 UTC."""


class StoredBars:
    """Columns by key, each as long as the others; what nobody gave is unknown."""

    def __init__(self, columns: Mapping[str, Mapping[str, np.ndarray]], *, step_ms: int, start_ms: int = START_MS):
        self.step_ms, self.start_ms, self._columns = step_ms, start_ms, columns
        self.n = len(next(iter(next(iter(columns.values())).values())))
        self.asked: list[tuple[int, int]] = []

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self._columns)

    @property
    def end_ms(self) -> int:
        return self.start_ms + self.n * self.step_ms

    def grid(self, keys: Sequence[str], from_ms: int, to_ms: int, columns: Sequence[str]) -> BarGrid:
        self.asked.append((from_ms, to_ms))
        closes = np.arange(from_ms // self.step_ms + 1, to_ms // self.step_ms + 1, dtype=np.int64) * self.step_ms
        rows = (closes - self.start_ms) // self.step_ms - 1
        inside = (rows >= 0) & (rows < self.n)
        cells = {name: np.full((len(closes), len(keys)), np.nan) for name in columns}
        for place, key in enumerate(keys):
            for name in columns:
                if name in self._columns[key]:
                    cells[name][inside, place] = self._columns[key][name][rows[inside]]
        return BarGrid(tuple(guessed(key) for key in keys), closes, self.step_ms, cells)


def open_interest(values: np.ndarray, *, step_ms: int, start_ms: int = START_MS) -> dict[str, np.ndarray]:
    """One sample at each close at which a value stands."""
    at = start_ms + step_ms * np.arange(1, len(values) + 1, dtype=np.float64)
    known = np.isfinite(values)
    return {
        "oi": values,
        "oi_ms": np.where(known, at, np.nan),
        "oi_valid_ms": np.where(known, 1.5 * step_ms, np.nan),
    }
