"""Firings of a rule on history: on price and open interest, per day, and what followed beside random moments."""

import math
import textwrap
import warnings
from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bot.charts import look, panels
from bot.charts.panels import Pen, Place, Spec
from bot.charts.scales import Scale, date_text, day_text, nice_ticks, time_ticks, value_scale, zone_of
from bot.model.charts import BacktestChart, ChartData, Curve

PRICE: Final = Spec("Price", "price", look.PRICE, 240)
OI: Final = Spec("OI", "amount", look.OI, 170)
PER_DAY_H: Final = 90
SIZES_H: Final = 200
LINE_H: Final = 40
WRAP: Final = 66
MAX_LINES: Final = 5
FIRED: Final = "#F5A623"
RANDOM: Final = look.DIM
_ZONE: Final = zone_of("UTC")[0]


def figure_of(data: BacktestChart) -> Figure:
    """Before it becomes pixels."""
    said = textwrap.wrap(data.verdict, WRAP)[:MAX_LINES]
    specs = [PRICE] + ([OI] if data.oi.time_ms else [])
    heights = [spec.height for spec in specs] + [PER_DAY_H]
    body = sum(look.HEAD_H + height + look.PANEL_GAP for height in heights)
    sizes = look.HEAD_H + SIZES_H + look.TIME_H if data.edges else 0
    height = look.TITLE_H + look.ALERT_H + body + look.TIME_H + sizes + LINE_H * len(said) + look.EDGE
    figure = Figure(figsize=(look.WIDTH / look.DPI, height / look.DPI), dpi=look.DPI, facecolor=look.BACKGROUND)
    pen = Pen(figure, look.WIDTH, height)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")
        _title(pen, data)
        scaled = [(spec, value_scale([v for _, v in _curve(spec, data).known()], spec.kind)) for spec in specs]
        counts = counted(data.per_day.amount)
        labels = [label for _, scale in scaled for label in scale.labels]
        right = look.WIDTH - look.EDGE - 20 - pen.widest([*labels, *counts.labels, "100%"], weight="bold")
        top: float = look.TITLE_H + look.ALERT_H
        for spec, scale in scaled:
            _panel(pen, data, spec, scale, Place(look.LEFT, right, top, spec.height))
            top += look.HEAD_H + spec.height + look.PANEL_GAP
        _per_day(pen, data, counts, Place(look.LEFT, right, top, PER_DAY_H))
        top += look.HEAD_H + PER_DAY_H
        _times(pen, data, right, top)
        top += look.TIME_H
        if data.edges:
            _sizes(pen, data, Place(look.LEFT, right, top, SIZES_H))
            top += sizes
        for number, text in enumerate(said):
            pen.text(look.LEFT, top + LINE_H * (number + 0.5), text, px=look.LABEL_PX, limit=WRAP + 1)
    return figure


def counted(amounts: Sequence[float]) -> Scale:
    """An axis of whole numbers."""
    scale = value_scale(amounts, "plain", is_from_zero=True, most=3)
    ticks = tuple(tick for tick in scale.ticks if tick == round(tick))
    return Scale(scale.low, scale.high, ticks, tuple(f"{tick:.0f}" for tick in ticks))


def _title(pen: Pen, data: BacktestChart) -> None:
    right = look.WIDTH - look.LEFT
    until = date_text(data.to_ms, _ZONE)
    is_one_year = date_text(data.from_ms, _ZONE)[-4:] == until[-4:]
    ends = f"{(day_text if is_one_year else date_text)(data.from_ms, _ZONE)} to {until}"
    first = pen.text(right, 44, ends, color=look.DIM, ha="right")
    room = right - look.LEFT - pen.width_of(first) - 24
    for limit in range(40, 3, -1):
        title = pen.text(look.LEFT, 44, data.title, px=look.TITLE_PX, weight="bold", limit=limit)
        if pen.width_of(title) <= room:
            break
        title.remove()
    pen.text(look.LEFT, look.TITLE_H + 16, data.subtitle, px=look.LABEL_PX, color=FIRED, limit=64)


def _curve(spec: Spec, data: BacktestChart) -> Curve:
    return data.price if spec is PRICE else data.oi


def _as_chart(data: BacktestChart) -> ChartData:
    """For what panels draw of any curve."""
    return ChartData(data.symbol, "", "", "", data.from_ms, data.to_ms)


def _panel(pen: Pen, data: BacktestChart, spec: Spec, scale: Scale, place: Place) -> None:
    axes = pen.axes(place.left, place.curve_top, place.right, place.height)
    chart, curve = _as_chart(data), _curve(spec, data)
    axes.set_xlim(0, max(chart.span_ms / 1000, 1))
    panels.mark_gaps(pen, axes, chart, curve, place)
    panels.curve_lines(axes, chart, curve, spec)
    panels.value_axis(pen, axes, place, scale, tag=None)
    _marks(axes, data, curve)
    left = [f"{spec.name} {data.symbol}", spec.name]
    n = len(data.fired_ms)
    right = f"▼ {n} firing{'s' * (n != 1)}" if spec is PRICE else ""
    panels.headline(pen, place, left, right, colour=spec.colour, right_colour=FIRED)


def _marks(axes: Axes, data: BacktestChart, curve: Curve) -> None:
    """A thin line for each firing, and a dot on the curve where that is known."""
    known = curve.known()
    alpha = 0.5 if len(data.fired_ms) <= 60 else 0.2
    at = 0
    for fired_ms in data.fired_ms:
        x = (fired_ms - data.from_ms) / 1000
        axes.axvline(x, color=FIRED, alpha=alpha, linewidth=look.points(2), zorder=1)
        while at + 1 < len(known) and known[at + 1][0] <= fired_ms:
            at += 1
        if known and 0 <= fired_ms - known[at][0] <= 2 * curve.gap_ms:
            axes.plot([x], [known[at][1]], marker="o", markersize=look.points(9), color=FIRED, zorder=4)


def _per_day(pen: Pen, data: BacktestChart, scale: Scale, place: Place) -> None:
    axes = pen.axes(place.left, place.curve_top, place.right, place.height)
    axes.set_xlim(0, max((data.to_ms - data.from_ms) / 1000, 1))
    x = [(t - data.from_ms) / 1000 for t in data.per_day.open_ms]
    width = data.per_day.span_ms / 1000 * 0.9
    axes.bar(x, data.per_day.amount, width=width, align="edge", color=FIRED, zorder=2, linewidth=0)
    panels.value_axis(pen, axes, place, scale, tag=None)
    panels.headline(pen, place, ["Firings a day, all contracts"], "", colour=FIRED, right_colour=look.DIM)


def _times(pen: Pen, data: BacktestChart, right: float, top: float) -> None:
    n_px = (right - look.LEFT) / max(data.to_ms - data.from_ms, 1)
    for at_ms, label, is_day in time_ticks(data.from_ms, data.to_ms, _ZONE):
        middle = look.LEFT + (at_ms - data.from_ms) * n_px
        if look.LEFT + 30 <= middle <= right - 10:
            pen.text(middle, top + 30, label, color=look.TEXT if is_day else look.DIM, ha="center")


def _sizes(pen: Pen, data: BacktestChart, place: Place) -> None:
    """How large the moves after firings were, filled, and at random moments, as a line."""
    axes = pen.axes(place.left, place.curve_top, place.right, place.height)
    edges, last = data.edges, data.edges[-1]
    axes.set_xlim(edges[0], last)
    most = max([*data.fired, *data.random, 0.01])
    scale = value_scale([0.0, most], "percent", is_from_zero=True, most=3)
    axes.stairs(data.fired, edges, fill=True, color=FIRED, alpha=0.75, zorder=2)
    axes.stairs(data.random, edges, color=look.TEXT, linewidth=look.points(4), zorder=3)
    panels.value_axis(pen, axes, place, scale, tag=None)
    heads = [f"Size of the move after {data.after}", f"After {data.after}"]
    y, right = place.top + look.HEAD_H / 2 - 3, place.right
    for text, colour in (("– random", look.TEXT), ("■ firings", FIRED)):
        shown = pen.text(right, y, text, px=look.HEAD_PX, color=colour, ha="right", weight="bold")
        right -= pen.width_of(shown) + 24
    narrow = Place(place.left, right, place.top, place.height)
    panels.headline(pen, narrow, heads, "", colour=look.TEXT, right_colour=FIRED)
    n_px = (place.right - place.left) / (last - edges[0])
    for tick in nice_ticks(edges[0], last, most=8):
        end = "+" if math.isclose(tick, last) else ""
        x = place.left + (tick - edges[0]) * n_px
        unit = " usual moves" if math.isclose(tick, edges[0]) else "×"
        text = f"{tick:g}{unit}{end}" if tick else "0"
        pen.text(min(x, place.right - 20), place.curve_top + place.height + 30, text, color=look.DIM, ha="center")
