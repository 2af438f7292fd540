"""Flows: volume comes in bars, liquidations as events under a stream that is alive or not."""

import math
from dataclasses import dataclass, field
from typing import Final

MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000


@dataclass(slots=True)
class SlowVolume:
    """Bars of one instrument. Spans are whole minutes."""

    _bars: dict[tuple[int, int], float] = field(default_factory=dict)
    """(close_ms, span_ms) -> amount; of equal bars the first that came."""
    _minutes: dict[int, tuple[int, float]] = field(default_factory=dict)
    """Close of a minute -> (span of the bar that gave it, its amount)."""

    def put(self, close_ms: int, span_ms: int, amount: float) -> None:
        if (close_ms, span_ms) in self._bars:
            return
        self._bars[close_ms, span_ms] = amount
        for minute_ms in range(close_ms - span_ms + MINUTE_MS, close_ms + 1, MINUTE_MS):
            held = self._minutes.get(minute_ms)
            if held is None or span_ms < held[0]:
                self._minutes[minute_ms] = (span_ms, amount * MINUTE_MS / span_ms)

    def newest(self, now_ms: int) -> tuple[int, int, float] | None:
        """(close, span, amount) of the newest closed bar."""
        closed = [(close, -span) for close, span in self._bars if close <= now_ms]
        if not closed:
            return None
        close, minus_span = max(closed)
        return close, -minus_span, self._bars[close, -minus_span]

    def value(self, now_ms: int) -> float:
        bar = self.newest(now_ms)
        return bar[2] if bar is not None and (now_ms - bar[0]) * 2 < 3 * bar[1] else math.nan

    def sum(self, now_ms: int, window_ms: int) -> float:
        inside = [amount for close, (_, amount) in self._minutes.items() if now_ms - window_ms < close <= now_ms]
        return math.fsum(inside) if len(inside) * MINUTE_MS * 5 >= window_ms * 4 else math.nan

    def ratio(self, now_ms: int, window_ms: int) -> float:
        return share_of_day(self.sum(now_ms, window_ms), self.sum(now_ms, DAY_MS), window_ms)


@dataclass(slots=True)
class SlowCoverage:
    """Since when a stream is alive, or until when it was."""

    alive_since_ms: int | None = None
    last_good_ms: int | None = None

    def tell(self, at_ms: int, *, live: bool) -> None:
        if not live:
            self.alive_since_ms, self.last_good_ms = None, at_ms
        elif self.alive_since_ms is None:
            self.alive_since_ms = at_ms

    def covers(self, now_ms: int, window_ms: int) -> bool:
        return self.alive_since_ms is not None and self.alive_since_ms <= now_ms - window_ms


@dataclass(slots=True)
class SlowLiquidations:
    """Forced orders of one side of one instrument."""

    coverage: SlowCoverage
    _events: list[tuple[int, float]] = field(default_factory=list)

    def put(self, time_ms: int, usd: float) -> None:
        self._events.append((time_ms, usd))

    def value(self, now_ms: int) -> float:
        return self.sum(now_ms, MINUTE_MS)

    def sum(self, now_ms: int, window_ms: int) -> float:
        if not self.coverage.covers(now_ms, window_ms):
            return math.nan
        return math.fsum(usd for time_ms, usd in self._events if now_ms - window_ms < time_ms <= now_ms)

    def ratio(self, now_ms: int, window_ms: int) -> float:
        return share_of_day(self.sum(now_ms, window_ms), self.sum(now_ms, DAY_MS), window_ms)


def share_of_day(amount: float, of_day: float, window_ms: int) -> float:
    """The amount against an average window of that length."""
    expected = of_day * window_ms / DAY_MS
    return amount / expected if expected else math.nan
