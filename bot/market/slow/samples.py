"""Gauges: a sample speaks for its series for a limited time, and nothing is interpolated."""

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np


def round_to(dtype: str, value: float) -> float:
    """A value as windows of that precision see it."""
    return float(np.dtype(dtype).type(value))


class Gauge(Protocol):
    """What windows read of a series."""

    def at(self, at_ms: int, *, rounded: bool = True) -> float:
        """What the series says at a time; NaN where it says nothing."""
        ...

    @property
    def largest(self) -> float:
        """Nothing that it ever said is farther from zero."""
        ...

    def sample_age_ms(self, at_ms: int) -> int | None:
        """Age at that time of the sample it says it by; None before the first."""
        ...


@dataclass(slots=True)
class SlowSeries:
    """One raw series of one instrument."""

    dtype: str = "float32"
    _times: list[int] = field(default_factory=list)
    _samples: list[tuple[float, int, float]] = field(default_factory=list)
    """(value, valid_ms, value rounded) in order of time, one per hundredth of a second: the first that came stays."""

    def put(self, time_ms: int, value: float, valid_ms: int) -> None:
        hundredth = -(-time_ms // 10)
        first = bisect_left(self._times, hundredth * 10 - 9)
        if first < len(self._times) and self._times[first] <= hundredth * 10:
            return
        self._times.insert(first, time_ms)
        self._samples.insert(first, (value, valid_ms, round_to(self.dtype, value)))

    def newest(self, at_ms: int) -> tuple[int, float, int] | None:
        """(time, value, valid) of the newest sample at or before a time."""
        n_past = bisect_right(self._times, at_ms)
        return (self._times[n_past - 1], *self._samples[n_past - 1][:2]) if n_past else None

    def at(self, at_ms: int, *, rounded: bool = True) -> float:
        """What the series says at a time; NaN once the newest sample's validity is over."""
        n_past = bisect_right(self._times, at_ms)
        if not n_past:
            return math.nan
        value, valid_ms, as_rounded = self._samples[n_past - 1]
        if at_ms - self._times[n_past - 1] >= valid_ms:
            return math.nan
        return as_rounded if rounded else value

    @property
    def largest(self) -> float:
        """Of all samples, without their signs; 0 where there is none."""
        return max((abs(value) for value, _, _ in self._samples), default=0.0)

    def sample_age_ms(self, at_ms: int) -> int | None:
        """In whole hundredths of a second, counted from the hundredth that the sample belongs to."""
        sample = self.newest(at_ms)
        return None if sample is None else (at_ms // 10 - -(-sample[0] // 10)) * 10


@dataclass(frozen=True, slots=True)
class SlowProduct:
    """Price times open interest, known where both are; its windows see the rounded product of the rounded two."""

    price: SlowSeries
    oi: SlowSeries

    def at(self, at_ms: int, *, rounded: bool = True) -> float:
        product = self.price.at(at_ms, rounded=rounded) * self.oi.at(at_ms, rounded=rounded)
        return round_to(self.price.dtype, product) if rounded else product

    @property
    def largest(self) -> float:
        """No product was larger."""
        return self.price.largest * self.oi.largest

    def sample_age_ms(self, at_ms: int) -> int | None:
        ages = self.price.sample_age_ms(at_ms), self.oi.sample_age_ms(at_ms)
        return None if ages[0] is None or ages[1] is None else max(ages[0], ages[1])
