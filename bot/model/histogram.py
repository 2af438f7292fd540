"""A histogram that is cheap to feed: one search among a dozen bounds, no lock, no label."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

WORK_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Bounds for our own work: half a millisecond to seconds."""
WAIT_S: Final = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""Bounds for what waits for others."""


class Histogram:
    """Counts of values up to each bound, and their sum. Single writer."""

    __slots__ = ("_counts", "bounds", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        """`bounds`: ascending upper bounds, each part of its bucket; above the last everything counts together."""
        self.bounds = tuple(bounds)
        self._counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        self._counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        return sum(self._counts)

    def cumulative(self) -> list[int]:
        """How many values were at most each bound, and last how many there are in all."""
        return list(accumulate(self._counts))

    def merge(self, other: "Histogram") -> None:
        """Take what another one with the same bounds has counted."""
        self._counts = [a + b for a, b in zip(self._counts, other._counts, strict=True)]  # noqa: SLF001, its own class
        self.total += other.total
