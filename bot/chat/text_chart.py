"""A chart in characters, for terminals: a line of blocks per series, scaled to its own range; a gap is a space."""

import math
from datetime import UTC, datetime
from typing import Final

from bot.chat.reply import cell
from bot.model import numbers
from bot.model.charts import DAY_MS, ChartData, Curve, change
from bot.texts import mark, say

BLOCKS: Final = "▁▂▃▄▅▆▇█"
WIDTH: Final = 48
GAP: Final = " "
_DATED_MS: Final = 30 * DAY_MS
_NAMES: Final = {
    "price": mark("price"),
    "oi": mark("OI"),
    "funding": mark("funding"),
    "long/short": mark("long/short"),
}


def cells(data: ChartData, curve: Curve, width: int = WIDTH) -> str:
    """The last known value of each slice of time; a space where nothing is known within the curve's reach."""
    known = [(t, v) for t, v in curve.known() if t <= data.to_ms]
    values: list[float] = []
    at, last = 0, (-math.inf, math.nan)
    for n in range(1, width + 1):
        end_ms = data.from_ms + data.span_ms * n / width
        while at < len(known) and known[at][0] <= end_ms:
            last = known[at]
            at += 1
        values.append(last[1] if end_ms - last[0] <= max(curve.gap_ms, data.span_ms / width) else math.nan)
    return _blocks(values)


def _blocks(values: list[float], low: float | None = None) -> str:
    known = [v for v in values if math.isfinite(v)]
    if not known:
        return GAP * len(values)
    low = min(known) if low is None else low
    reach = max(known) - low
    top = len(BLOCKS) - 1

    def block(value: float) -> str:
        if not math.isfinite(value):
            return GAP
        return BLOCKS[round((value - low) / reach * top) if reach > 0 else top // 2]

    return "".join(block(v) for v in values)


def _amounts(data: ChartData, width: int) -> str:
    """The volume of each slice; bars longer than a slice are spread over it."""
    volume = data.volume
    if volume is None:
        return GAP * width
    sums = [math.nan] * width
    slice_ms = data.span_ms / width
    for t, amount in zip(volume.open_ms, volume.amount, strict=True):
        first, last = int((t - data.from_ms) // slice_ms), int((t + volume.span_ms - 1 - data.from_ms) // slice_ms)
        for n in range(max(first, 0), min(last, width - 1) + 1):
            share = amount / (last - first + 1)
            sums[n] = share if math.isnan(sums[n]) else sums[n] + share
    return _blocks(sums, low=0.0)


def _when(ms: int, span_ms: int) -> str:
    """The end of the axis: a time of day tells nothing where there are several days."""
    if span_ms <= DAY_MS:
        return numbers.clock_time(ms)
    form = "%Y-%m-%d" if span_ms > _DATED_MS else "%m-%d %H:%M UTC"
    return datetime.fromtimestamp(ms / 1000, UTC).strftime(form)


def rows(data: ChartData, width: int = WIDTH) -> tuple[str, ...]:
    """Lines of text."""
    found = []
    curves = (("price", data.price), ("oi", data.oi), ("funding", data.funding), ("long/short", data.long_short))
    for name, curve in curves:
        if curve is None:
            continue
        moved = change(curve, data.from_ms, data.to_ms)
        unit = {"price": "price", "funding": "ratio"}.get(name, "amount")
        last = next(((t, v) for t, v in reversed(curve.known()) if t <= data.to_ms), None)
        told = say("unknown")
        if last is not None and data.to_ms - last[0] <= curve.gap_ms:
            told = numbers.quantity(last[1], unit)
        if moved is not None:
            told = " → ".join(numbers.from_to(moved.then, moved.now, unit))
        share = f"  {numbers.percent(moved.ratio)}" if moved is not None and name in {"price", "oi"} else ""
        found += [f"{cell(say(_NAMES[name]), 10)} {told}{share}", cells(data, curve, width)]
    if data.volume is not None:
        total = sum(a for t, a in zip(data.volume.open_ms, data.volume.amount, strict=True) if t >= data.from_ms)
        found += [f"{cell(say('volume'), 10)} {numbers.amount(total)} {data.quote}", _amounts(data, width)]
    left, right = (_when(ms, data.span_ms) for ms in (data.from_ms, data.to_ms))
    found.append(left + " " * max(1, width - len(left) - len(right)) + right)
    return tuple(found)
