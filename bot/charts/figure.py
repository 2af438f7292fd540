"""Chart data to a figure. Pure: the same data gives the same figure.

Three panels share one time axis: price, open interest, volume; funding and the long/short ratio stand below where they
are given. There is no second value axis in a panel, so a crossing never means anything that is not so.
"""

import logging
import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from datetime import tzinfo
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bot.charts import look, panels, turns
from bot.charts.fonts import FAMILIES, use_own_fonts
from bot.charts.panels import Pen, Place, Spec
from bot.charts.scales import (
    MONTHS_FROM_MS,
    Scale,
    clock_text,
    date_text,
    moment_text,
    seen_beside,
    tick_labels,
    time_ticks,
    value_scale,
    zone_of,
)
from bot.model import numbers
from bot.model.charts import DAY_MS, Change, ChartData, Columns, Curve, change

PRICE: Final = Spec("Price", "price", look.PRICE, 206)
OI: Final = Spec("OI", "amount", look.OI, 190)
VOLUME: Final = Spec("Volume", "amount", look.DIM, 96)
FUNDING: Final = Spec("Funding", "percent", look.FUNDING, 120, is_step=True)
BY_DAYS_FROM_MS: Final = 20 * DAY_MS
"""Of longer spans nobody wants to know the minutes."""
LONG_SHORT: Final = Spec("Long/short", "plain", look.RATIO, 120)


def prepare() -> None:
    """Once per process: fonts and style."""
    # It would say for each Chinese name that there is no bold cut of that font.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    use_own_fonts()
    mpl.rcParams["font.family"] = list(FAMILIES)
    mpl.rcParams["text.parse_math"] = False
    mpl.rcParams["hatch.linewidth"] = look.points(2)


def figure_of(data: ChartData) -> Figure:
    """The same before it becomes pixels."""
    specs = [PRICE, OI] + ([VOLUME] if data.volume is not None else [])
    specs += [FUNDING] if data.funding is not None else []
    specs += [LONG_SHORT] if data.long_short is not None else []
    head = look.TITLE_H + (look.ALERT_H if data.alert is not None else 0)
    body = sum(look.HEAD_H + spec.height + look.PANEL_GAP for spec in specs)
    height = head + body + look.TIME_H + turns.height_of(data)
    figure = Figure(figsize=(look.WIDTH / look.DPI, height / look.DPI), dpi=look.DPI, facecolor=look.BACKGROUND)
    pen = Pen(figure, look.WIDTH, height)
    zone, zone_name = zone_of(data.zone)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")
        _title(pen, data, zone, zone_name)
        drawn = [(spec, *_scaled(spec, data)) for spec in specs]
        right = look.WIDTH - look.EDGE - 20 - pen.widest([t for _, _, tags in drawn for t in tags], weight="bold")
        top: float = head
        for spec, scale, _ in drawn:
            place = Place(look.LEFT, right, top, spec.height)
            _panel(pen, data, spec, scale, place)
            top += look.HEAD_H + spec.height + look.PANEL_GAP
        _times(pen, data, zone, right, top - look.PANEL_GAP)
        turns.summary(pen, data, top - look.PANEL_GAP + look.TIME_H)
    return figure


def _title(pen: Pen, data: ChartData, zone: tzinfo, zone_name: str) -> None:
    right = look.WIDTH - look.LEFT
    span = _span(data.span_ms)
    first = pen.text(right, 28, f"{span} · {data.venue.capitalize()}", color=look.DIM, ha="right")
    until = moment_text(data.to_ms, zone) if data.span_ms <= MONTHS_FROM_MS else date_text(data.to_ms, zone)
    second = pen.text(right, 62, f"to {until} {zone_name}", color=look.DIM, ha="right")
    room = right - look.LEFT - max(pen.width_of(first), pen.width_of(second)) - 24
    for limit in range(30, 3, -1):
        title = pen.text(look.LEFT, 44, data.symbol, px=look.TITLE_PX, weight="bold", limit=limit, gid="title")
        if pen.width_of(title) <= room:
            break
        title.remove()
    if data.alert is not None:
        colour = look.SEVERITY.get(data.alert.severity, look.DIM)
        text = f"● {data.alert.title}"
        fired = f"fired {clock_text(data.alert.fired_ms, zone)}"
        end = pen.text(right, look.TITLE_H + 20, fired, px=look.HEAD_PX, color=colour, ha="right")
        room = right - look.LEFT - pen.width_of(end) - 24
        for limit in range(60, 3, -2):
            title = pen.text(
                look.LEFT, look.TITLE_H + 20, text, px=look.HEAD_PX, color=colour, weight="bold", limit=limit
            )
            if pen.width_of(title) <= room:
                break
            title.remove()


def _curve(spec: Spec, data: ChartData) -> Curve:
    found = {PRICE.name: data.price, OI.name: data.oi, FUNDING.name: data.funding, LONG_SHORT.name: data.long_short}
    return found.get(spec.name) or Curve()


_NO_SCALE: Final = Scale(0.0, 1.0, (), ())
_SERIES: Final = {PRICE.name: "price", OI.name: "oi", FUNDING.name: "funding", LONG_SHORT.name: "long_short"}


def _levels(spec: Spec, data: ChartData) -> list[float]:
    if data.alert is None:
        return []
    return [level.value for level in data.alert.levels if level.series == _SERIES.get(spec.name)]


def _scaled(spec: Spec, data: ChartData) -> tuple[Scale, list[str]]:
    """The value axis and all that will stand right of it."""
    if spec is VOLUME:
        if not (bars := _bars(data)):
            return _NO_SCALE, []
        kind = "usd" if _is_dollars(data) else "amount"
        scale = value_scale([amount for _, amount in bars], kind, is_from_zero=True, most=3)
        return scale, list(scale.labels)
    known = _shown(data, spec)
    if not known:
        return _NO_SCALE, []
    small = spec.height < 200
    also = [*_levels(spec, data), *([0.0] if spec is FUNDING else [1.0] if spec is LONG_SHORT else [])]
    values = [v for _, v in known]
    if spec is FUNDING and min(values) == max(values):
        values.append(0.0)  # how far from nothing says more than a line in the middle
    scale = value_scale(values, spec.kind, also=also, most=3 if small else 4, pad=0.14 if small else 0.09)
    scale = seen_beside(scale, spec.kind, known[-1][1], covered=panels.TAG_PX / spec.height)
    return scale, [*scale.labels, _tag_text(spec, scale, known[-1][1])]


def _shown(data: ChartData, spec: Spec) -> list[tuple[int, float]]:
    """Points within the span; of what holds until the next also the last before it, where that is still said there."""
    curve = _curve(spec, data)
    before = [(t, v) for t, v in curve.known() if data.from_ms - curve.gap_ms <= t < data.from_ms]
    inside = [(t, v) for t, v in curve.known() if data.from_ms <= t <= data.to_ms]
    return [*before[-1:], *inside] if spec.is_step else inside


def _tag_text(spec: Spec, scale: Scale, value: float) -> str:
    match spec.kind:
        case "price":
            return numbers.price(value)
        case "percent":
            return numbers.percent(value)
        case "plain":
            return f"{value:.2f}"
    with_ticks = tick_labels([*scale.ticks, value], spec.kind)
    short = numbers.amount(value)
    return short if len(short) <= max(len(t) for t in with_ticks) else with_ticks[-1]


def _is_dollars(data: ChartData) -> bool:
    return data.quote in {"USDT", "USDC", "USD", "FDUSD"}


def _panel(pen: Pen, data: ChartData, spec: Spec, scale: Scale, place: Place) -> None:
    axes = pen.axes(place.left, place.curve_top, place.right, place.height)
    axes.set_gid(spec.name)
    axes.set_xlim(0, max(data.span_ms / 1000, 1))
    panels.shade_window(axes, data)
    if spec is VOLUME:
        _volume(pen, axes, data, scale, place)
        return
    curve = _curve(spec, data)
    known = _shown(data, spec)
    first_ms, last_ms = data.window or (data.from_ms, data.to_ms)
    moved = change(curve, first_ms, last_ms)
    if moved is not None and spec.is_step:
        moved = _held(moved, curve, first_ms, last_ms)
    age_ms = data.to_ms - known[-1][0] if known else None
    is_stale = age_ms is not None and age_ms > curve.gap_ms
    panels.mark_gaps(pen, axes, data, curve, place)
    panels.curve_lines(axes, data, curve, spec)
    if spec is PRICE:
        turns.draw(axes, data, scale, place)
    if data.window is not None:
        panels.mark_change(axes, data, moved, spec.colour)
    if known and spec in {FUNDING, LONG_SHORT}:
        axes.axhline(0.0 if spec is FUNDING else 1.0, color=look.DIM, linewidth=look.points(2), zorder=1)
    tag = None
    if known:
        colour = look.FLAT if is_stale else spec.colour
        tag = known[-1][1], _tag_text(spec, scale, known[-1][1]), colour
    panels.value_axis(pen, axes, place, scale, tag=tag)
    if known and data.alert is not None:
        mine = [level for level in data.alert.levels if level.series == _SERIES.get(spec.name)]
        panels.draw_levels(pen, axes, data, mine, scale, place)
    _curve_headline(pen, place, spec, data, moved, known, age_ms if is_stale else None)


def _held(moved: Change, curve: Curve, first_ms: int, last_ms: int) -> Change:
    """A move of what holds until the next value: what held at the ends of the window, whenever it was paid."""
    return replace(
        moved, then_ms=max(moved.then_ms, first_ms), now_ms=max(moved.now_ms, min(last_ms, moved.now_ms + curve.gap_ms))
    )


def _curve_headline(
    pen: Pen,
    place: Place,
    spec: Spec,
    data: ChartData,
    moved: Change | None,
    known: Sequence[tuple[int, float]],
    stale_ms: int | None,
) -> None:
    """From, to, how much in how long; and how old it is where it is out of date."""
    old = "" if stale_ms is None else f"{numbers.duration(stale_ms)} old"
    if not known:
        panels.headline(pen, place, [spec.name], "unknown", colour=spec.colour, right_colour=look.STALE)
        return

    def say(value: float) -> str:
        return numbers.amount(value) if spec.kind == "amount" else _tag_text(spec, _NO_SCALE, value)

    unit = f" {data.base}" if spec is OI else ""
    now = known[-1][1] if moved is None else moved.now
    left = [f"{spec.name} {say(now)}{unit}", f"{spec.name} {say(now)}"]
    if moved is None:
        panels.headline(pen, place, left, old, colour=spec.colour, right_colour=look.STALE)
        return
    ends = numbers.from_to(moved.then, now, "amount") if spec.kind == "amount" else (say(moved.then), say(now))
    left = [f"{spec.name} {' → '.join(ends)}{unit}", f"{spec.name} {' → '.join(ends)}", *left]
    if old:
        panels.headline(pen, place, left, old, colour=spec.colour, right_colour=look.STALE)
        return
    window_ms = data.span_ms if data.window is None else data.window[1] - data.window[0]
    ratio = moved.now - moved.then if spec is FUNDING else moved.ratio
    over = f"in {_span(window_ms)}"
    # A curve that begins later than the window says over what it really is. Its points stand some way apart.
    apart_ms = min(3 * _curve(spec, data).gap_ms, window_ms // 3)
    if abs((moved.now_ms - moved.then_ms) - window_ms) > max(0.1 * window_ms, apart_ms):
        over = f"in {numbers.duration(moved.now_ms - moved.then_ms)}"
    points = f"{numbers.percent(ratio).rstrip('%')} points" if spec is FUNDING else numbers.percent(ratio)
    arrow = "▲ " if ratio > 0 else "▼ " if ratio < 0 else ""
    colour = look.UP if ratio > 0 else look.DOWN if ratio < 0 else look.DIM
    panels.headline(pen, place, left, f"{arrow}{points} {over}", colour=spec.colour, right_colour=_lighter(colour))


def _lighter(colour: str) -> str:
    """Text needs more contrast than bars."""
    return "#FF9A62" if colour == look.DOWN else colour


def _span(ms: int) -> str:
    """In whole minutes, long ones in whole days; a day is `24h`, as people say it."""
    unit_ms = 60_000 if ms < BY_DAYS_FROM_MS else DAY_MS
    whole = max(unit_ms, round(ms / unit_ms) * unit_ms)
    return "24h" if whole == DAY_MS else numbers.window(whole)


def _bars(data: ChartData) -> list[tuple[int, float]]:
    volume = data.volume if data.volume is not None else Columns()
    bars = [(t, a) for t, a in zip(volume.open_ms, volume.amount, strict=True) if math.isfinite(a)]
    return [(t, a) for t, a in bars if t + volume.span_ms > data.from_ms and t < data.to_ms]


def _volume(pen: Pen, axes: Axes, data: ChartData, scale: Scale, place: Place) -> None:
    volume, bars = data.volume if data.volume is not None else Columns(), _bars(data)
    width = volume.span_ms / 1000 * 0.78
    for colour, group in _by_direction(data, volume.span_ms, bars).items():
        x = [panels.seconds(data, t) for t, _ in group]
        axes.bar(x, [a for _, a in group], width=width, align="edge", color=colour, zorder=2, linewidth=0)
    panels.value_axis(pen, axes, place, scale, tag=None)
    say = numbers.usd if _is_dollars(data) else numbers.amount
    unit = "" if _is_dollars(data) else f" {data.quote}"
    if not bars:
        panels.mark_gaps(pen, axes, data, Curve(), place)
        panels.headline(pen, place, ["Volume"], "unknown", colour=look.DIM, right_colour=look.STALE)
        return
    if data.window is None:
        total = sum(a for _, a in bars)
        text = f"Volume {say(total)}{unit}"
        panels.headline(pen, place, [text], _legend(volume.span_ms), colour=look.DIM, right_colour=look.DIM)
        return
    first, last = data.window
    total, covered_ms = _within(data, bars, first, last)
    if not covered_ms:
        panels.headline(pen, place, ["Volume"], "unknown", colour=look.DIM, right_colour=look.STALE)
        return
    text = f"Volume {say(total)}{unit} in {_span(last - first)}"
    before, before_ms = _within(data, bars, data.from_ms, first)
    is_told = before > 0 and before_ms >= 3 * volume.span_ms
    times = f"{total / covered_ms * before_ms / before:.1f}× usual" if is_told else ""
    panels.headline(pen, place, [text, f"Volume {say(total)}"], times, colour=look.DIM, right_colour=look.TEXT)


def _within(data: ChartData, bars: Sequence[tuple[int, float]], first_ms: int, last_ms: int) -> tuple[float, int]:
    """What was traded between two times, and how much of that time bars tell of: of a bar that reaches beyond, its share."""
    span_ms = data.volume.span_ms if data.volume is not None else 0
    total, covered_ms = 0.0, 0
    for t, amount in bars:
        # The last bar may still be running.
        end = min(t + span_ms, data.to_ms)
        shared_ms = min(end, last_ms) - max(t, first_ms)
        if shared_ms > 0:
            total += amount * shared_ms / (end - t)
            covered_ms += shared_ms
    return total, covered_ms


def _legend(span_ms: int) -> str:
    return "daily bars" if span_ms == DAY_MS else f"{_span(span_ms)} bars"


def _by_direction(
    data: ChartData, span_ms: int, bars: Sequence[tuple[int, float]]
) -> dict[str, list[tuple[int, float]]]:
    """Bars by what the price did meanwhile."""
    found: dict[str, list[tuple[int, float]]] = {look.UP: [], look.DOWN: [], look.FLAT: []}
    for t, amount in bars:
        moved = change(data.price, t, t + span_ms)
        ratio = 0.0 if moved is None else moved.ratio
        found[look.UP if ratio > 0 else look.DOWN if ratio < 0 else look.FLAT].append((t, amount))
    return found


def _times(pen: Pen, data: ChartData, zone: tzinfo, right: float, top: float) -> None:
    """One axis for all panels."""
    n_px = (right - look.LEFT) / max(data.span_ms, 1)
    taken = 0.0
    for at_ms, label, is_day in time_ticks(data.from_ms, data.to_ms, zone):
        middle = look.LEFT + (at_ms - data.from_ms) * n_px
        text = pen.text(middle, top + 30, label, color=look.TEXT if is_day else look.DIM, ha="center", gid="time")
        half = pen.width_of(text) / 2
        if middle - half < max(taken + 18, 4) or middle + half > look.WIDTH - 4:
            text.remove()
            continue
        taken = middle + half
