"""What a chart shows, before anyone draws it. Plain values, so that it can go to another process as it is.

Times are UTC epoch ms, values in our units. NaN is unknown and drawn as a gap.
"""

import math
from dataclasses import dataclass, field
from typing import Final

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000

MAX_POINTS: Final = 3_000
"""Of one curve; more than there are pixels help nobody."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One series over time."""

    time_ms: tuple[int, ...] = ()
    """Ascending."""
    value: tuple[float, ...] = ()
    gap_ms: int = 5 * MINUTE_MS
    """Two points further apart than this have a gap between them; a newest point older than this is out of date."""

    def known(self) -> list[tuple[int, float]]:
        return [(t, v) for t, v in zip(self.time_ms, self.value, strict=True) if math.isfinite(v)]


@dataclass(frozen=True, slots=True)
class Columns:
    """Amounts per time."""

    open_ms: tuple[int, ...] = ()
    """Ascending; where each bar begins."""
    amount: tuple[float, ...] = ()
    span_ms: int = MINUTE_MS


@dataclass(frozen=True, slots=True)
class Level:
    """A line that a rule compares with."""

    series: str
    value: float
    text: str
    """For people, such as `+5% line`."""


@dataclass(frozen=True, slots=True)
class AlertMark:
    """The alert that the chart belongs to."""

    title: str
    severity: str
    """`info`, `warning` or `critical`."""
    fired_ms: int
    window_ms: int
    """The window that the rule looks at; 0 where it has none."""
    levels: tuple[Level, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """A candidate for a top or a bottom, as the rule for it found one, and what the price did afterwards."""

    at_ms: int
    is_top: bool
    price: float
    """When it was found."""
    after_day: float | None
    """Relative move of the price 24 h later; None where that is not known (yet)."""
    after_week: float | None


@dataclass(frozen=True, slots=True)
class Usual:
    """Mean moves over a day and over a week."""

    n_day: int = 0
    day: float | None = None
    n_week: int = 0
    week: float | None = None


@dataclass(frozen=True, slots=True)
class LongView:
    """What a chart by days says beside its curves."""

    oi_from_ms: int | None
    """Since when open interest is in the history; None where it holds none of that time."""
    turns: tuple[Turn, ...] = ()
    tops: Usual = Usual()
    """After the marked tops, as far as it is known."""
    bottoms: Usual = Usual()
    days: Usual = Usual()
    """After every day of the history with open interest: what to compare with."""
    trouble: str = ""
    """Why the history could not be read, in words for people."""
    missing: tuple[str, ...] = ()
    """Why there are no marks of a kind though there is history, in words for people."""


@dataclass(frozen=True, slots=True)
class ChartData:
    """One chart of one instrument."""

    symbol: str
    """The venue's symbol, any Unicode."""
    venue: str
    base: str
    quote: str
    from_ms: int
    to_ms: int
    """The ends of the time axis; the right one is now."""
    price: Curve = field(default_factory=Curve)
    oi: Curve = field(default_factory=Curve)
    volume: Columns | None = None
    """Quote amounts."""
    funding: Curve | None = None
    """Ratios, of one interval each."""
    long_short: Curve | None = None
    zone: str = "UTC"
    """IANA name of the zone in which times are shown."""
    alert: AlertMark | None = None
    long_view: LongView | None = None
    """Of a chart by days."""

    @property
    def span_ms(self) -> int:
        return self.to_ms - self.from_ms

    @property
    def window(self) -> tuple[int, int] | None:
        """The shaded stretch of an alert: from, to."""
        mark = self.alert
        if mark is None or mark.window_ms <= 0:
            return None
        return max(self.from_ms, mark.fired_ms - mark.window_ms), min(self.to_ms, mark.fired_ms)


@dataclass(frozen=True, slots=True)
class BacktestChart:
    """When a rule fired on history, and what followed."""

    title: str
    """Name of the rule."""
    subtitle: str
    """Such as `197 firings on 5 contracts`."""
    symbol: str
    """Whose curves these are."""
    from_ms: int
    to_ms: int
    price: Curve
    oi: Curve
    """Empty where none is known."""
    fired_ms: tuple[int, ...]
    """Firings on `symbol`."""
    per_day: Columns
    """Firings a day, on all contracts."""
    after: str = ""
    """After how long: `1h`; empty where nothing is known of it."""
    edges: tuple[float, ...] = ()
    """Bins of the sizes of later moves, in usual moves; one more than there are shares. The last takes all larger ones."""
    fired: tuple[float, ...] = ()
    """Share of the firings in each bin."""
    random: tuple[float, ...] = ()
    """Share of the random moments."""
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """From, to, and over how long."""

    then: float
    now: float
    then_ms: int
    now_ms: int

    @property
    def ratio(self) -> float:
        return self.now / self.then - 1.0 if self.then else math.nan


def change(curve: Curve, first_ms: int, last_ms: int) -> Change | None:
    """What a curve did between two times: of the last points at or before them, or of the first after the start where
    the curve begins later. None where fewer than two points are known.
    """
    known = [(t, v) for t, v in curve.known() if t <= last_ms]
    before = [point for point in known if first_ms - curve.gap_ms <= point[0] <= first_ms]
    after = [point for point in known if point[0] > first_ms]
    if not after:
        return None
    then = before[-1] if before else after[0]
    now = after[-1]
    return None if then == now else Change(then[1], now[1], then[0], now[0])


Drawing = ChartData | BacktestChart


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn chart."""

    png: bytes
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class NoPicture:
    """Why there is none, in words for people."""

    reason: str
