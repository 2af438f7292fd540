"""Where ticks stand and what they say: values and times. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from bot.model.charts import DAY_MS, HOUR_MS, MINUTE_MS
from bot.model.numbers import MINUS

_NICE: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
_FINER: Final = (6, 12, 24)
"""At most so many ticks, where fewer say nothing."""
_SUFFIXES: Final = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
_MINUTE_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720)
_DAY_STEPS: Final = (1, 2, 5, 7, 10, 15, 30, 60, 90)
_MONTH_STEPS: Final = (1, 2, 3, 4, 6, 12, 24)
MONTHS_FROM_MS: Final = 200 * DAY_MS
"""Longer axes name months and years."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A value axis."""

    low: float
    high: float
    ticks: tuple[float, ...]
    labels: tuple[str, ...]


def nice_ticks(low: float, high: float, *, most: int = 4) -> tuple[float, ...]:
    """Round values between two ends, at most so many, at least one where there is any range."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return ()
    magnitude = 10.0 ** math.floor(math.log10((high - low) / most))
    for step in (factor * magnitude * scale for scale in (1.0, 10.0) for factor in _NICE):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 <= most:
            return tuple(k * step for k in range(first, last + 1))
    return ()


def _decimals(ticks: Sequence[float], unit: float) -> int:
    """As few as tell the ticks apart and leave none rounded."""
    step = abs(ticks[1] - ticks[0]) if len(ticks) > 1 else abs(ticks[0])
    for digits in range(20):
        if all(abs(round(t / unit, digits) - t / unit) <= 1e-3 * step / unit for t in ticks):
            return digits
    return 20


def _signed(text: str, value: float) -> str:
    return MINUS + text if value < 0 and text.strip("0.,%") else text


def tick_labels(ticks: Sequence[float], kind: str) -> tuple[str, ...]:
    """All with as many decimals and the same suffix. `kind`: `price`, `amount`, `usd`, `percent` or `plain`."""
    if not ticks:
        return ()
    if kind == "percent":
        digits = _decimals([t * 100 for t in ticks], 1.0)
        return tuple(_signed(f"{abs(t) * 100:.{digits}f}%", t) for t in ticks)
    largest = max(abs(t) for t in ticks)
    unit, suffix = 1.0, ""
    if kind in {"amount", "usd"}:
        unit, suffix = next(((u, s) for u, s in _SUFFIXES if largest >= u), (1.0, ""))
    digits = _decimals(ticks, unit)
    mark = "$" if kind == "usd" else ""
    return tuple(_signed(f"{mark}{abs(t) / unit:,.{digits}f}{suffix if t else ''}", t) for t in ticks)


def value_scale(
    values: Sequence[float],
    kind: str,
    *,
    also: Sequence[float] = (),
    is_from_zero: bool = False,
    most: int = 4,
    pad: float = 0.09,
) -> Scale:
    """An axis that holds all values with some air. What is in `also` is taken in where it does not squeeze the values to
    less than half of the height.
    """
    known = [v for v in values if math.isfinite(v)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    if is_from_zero:
        low = min(low, 0.0)
        high = high if high > low else low + 1.0
    elif high <= low:
        spread = abs(low) * 0.005 or 1.0
        low, high = low - spread, high + spread
    reach = high - low
    for level in also:
        if math.isfinite(level) and max(high, level) - min(low, level) <= 2 * reach:
            low, high = min(low, level), max(high, level)
    room = (high - low) * pad
    low, high = (low if is_from_zero and low == 0 else low - room), high + room
    ticks = nice_ticks(low, high, most=most)
    return Scale(low, high, ticks, tick_labels(ticks, kind))


def seen_beside(scale: Scale, kind: str, newest: float, *, covered: float) -> Scale:
    """With one tick more where the tag of the newest value would cover the labels of all.

    `covered`: how far to each side it does, as a share of the height.
    """
    reach = covered * (scale.high - scale.low)
    if not scale.ticks or any(abs(tick - newest) >= reach for tick in scale.ticks):
        return scale
    for most in _FINER:
        if free := [t for t in nice_ticks(scale.low, scale.high, most=most) if abs(t - newest) >= reach]:
            ticks = tuple(sorted((*scale.ticks, max(free, key=lambda t: abs(t - newest)))))
            return replace(scale, ticks=ticks, labels=tick_labels(ticks, kind))
    return scale


# Times


def zone_of(name: str) -> tuple[tzinfo, str]:
    """The zone and what to call it; UTC where the name is none."""
    try:
        return (UTC, "UTC") if name == "UTC" else (ZoneInfo(name), name.rpartition("/")[2].replace("_", " "))
    except (OSError, ValueError, KeyError):  # an unknown zone is a kind of `KeyError`
        return UTC, "UTC"


def _local(ms: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(ms / 1000, zone)


def day_text(ms: int, zone: tzinfo) -> str:
    at = _local(ms, zone)
    return f"{at.day} {at:%b}"


def date_text(ms: int, zone: tzinfo) -> str:
    """With its year."""
    return f"{day_text(ms, zone)} {_local(ms, zone):%Y}"


def clock_text(ms: int, zone: tzinfo) -> str:
    return f"{_local(ms, zone):%H:%M}"


def moment_text(ms: int, zone: tzinfo) -> str:
    return f"{day_text(ms, zone)} {clock_text(ms, zone)}"


def time_ticks(from_ms: int, to_ms: int, zone: tzinfo, *, most: int = 6) -> tuple[tuple[int, str, bool], ...]:
    """Round local times between two ends: time, label, and whether it names a day."""
    span_ms = to_ms - from_ms
    minutes = next((m for m in _MINUTE_STEPS if span_ms <= m * MINUTE_MS * most), None)
    if minutes is not None:
        return _clock_ticks(from_ms, to_ms, zone, minutes)
    if span_ms > MONTHS_FROM_MS:
        return _month_ticks(from_ms, to_ms, zone, most)
    days = next((d for d in _DAY_STEPS if span_ms <= d * DAY_MS * most), _DAY_STEPS[-1] * 4)
    midnights = [t for t in _grid(from_ms, to_ms, HOUR_MS // 2) if _local(t, zone).strftime("%H:%M") == "00:00"]
    kept = [t for t in midnights if _local(t, zone).toordinal() % days == 0]
    return tuple((t, day_text(t, zone), True) for t in kept)


def _month_ticks(from_ms: int, to_ms: int, zone: tzinfo, most: int) -> tuple[tuple[int, str, bool], ...]:
    """Firsts of months, as far apart as there is room for."""
    begin, end = (at.year * 12 + at.month - 1 for at in (_local(from_ms, zone), _local(to_ms, zone)))
    step = next((n for n in _MONTH_STEPS if end // n - begin // n <= most), _MONTH_STEPS[-1])
    firsts = [datetime(n // 12, n % 12 + 1, 1, tzinfo=zone) for n in range(-(-begin // step) * step, end + 1, step)]
    found = [(round(at.timestamp() * 1000), f"{at:%b %Y}", True) for at in firsts]
    return tuple(tick for tick in found if from_ms <= tick[0] <= to_ms)


def _grid(from_ms: int, to_ms: int, step_ms: int) -> range:
    return range(-(-from_ms // step_ms) * step_ms, to_ms + 1, step_ms)


def _clock_ticks(from_ms: int, to_ms: int, zone: tzinfo, minutes: int) -> tuple[tuple[int, str, bool], ...]:
    found = []
    for t in _grid(from_ms, to_ms, min(minutes, 15) * MINUTE_MS):
        at = _local(t, zone)
        if (at.hour * 60 + at.minute) % minutes == 0:
            is_day = at.hour == 0 and at.minute == 0
            found.append((t, day_text(t, zone) if is_day else f"{at:%H:%M}", is_day))
    return tuple(found)
