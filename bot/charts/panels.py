"""One panel of a chart: a headline, a curve or columns, a value axis on the right, the alert's window, gaps.

All text is set by `Pen.text`, so that nothing is read as math and nothing is too small.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from bot.charts import look
from bot.charts.scales import Scale
from bot.charts.text import safe
from bot.model.charts import Change, ChartData, Curve, Level

CLOSE_PX: Final = 34
"""Labels of one axis that are nearer to each other would touch."""
TAG_PX: Final = CLOSE_PX + 6
"""The newest value's tag is higher than a label."""
WIDE_GAP_PX: Final = 150
MANY_POINTS: Final = 500
WINDOW_ALPHA: Final = 0.17


@dataclass(frozen=True, slots=True)
class Spec:
    """What a panel shows, apart from its data."""

    name: str
    kind: str
    """How values are written: see `tick_labels`."""
    colour: str
    height: int
    is_step: bool = False


class Pen:
    """Writes on a figure, in pixels from the top left."""

    def __init__(self, figure: Figure, width: int, height: int) -> None:
        self.figure = figure
        self.width = width
        self.height = height
        self._renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]

    def text(self, x: float, y: float, text: str, *, px: float = look.LABEL_PX, limit: int = 60, **how: Any) -> Text:
        """`y` is the middle of the line."""
        size = look.points(max(px, look.MIN_PX))
        how = {"color": look.TEXT, "va": "center", "ha": "left", **how}
        return self.figure.text(
            x / self.width, 1 - y / self.height, safe(text, limit), fontsize=size, parse_math=False, **how
        )

    def width_of(self, text: Text) -> float:
        return float(text.get_window_extent(self._renderer).width)

    def widest(self, labels: Sequence[str], **how: Any) -> float:
        """Of labels that are not on the picture."""
        widths = []
        for label in labels:
            trial = self.text(0, 0, label, **how)
            widths.append(self.width_of(trial))
            trial.remove()
        return max(widths, default=0.0)

    def axes(self, left: float, top: float, right: float, height: float) -> Axes:
        box = (
            left / self.width,
            1 - (top + height) / self.height,
            (right - left) / self.width,
            height / self.height,
        )
        made = self.figure.add_axes(box)
        made.set_facecolor("none")
        made.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)
        for spine in made.spines.values():
            spine.set_visible(False)
        return made


@dataclass(frozen=True, slots=True)
class Place:
    """Where a panel lies, in pixels."""

    left: float
    right: float
    top: float
    """Of its headline."""
    height: float
    """Of the curve."""

    @property
    def curve_top(self) -> float:
        return self.top + look.HEAD_H


def seconds(data: ChartData, at_ms: float) -> float:
    """The horizontal axis counts from its left end."""
    return (at_ms - data.from_ms) / 1000


def headline(pen: Pen, place: Place, left: Sequence[str], right: str, *, colour: str, right_colour: str) -> None:
    """The panel's numbers. `left` holds variants, the longest first; the first that leaves room for `right` is taken."""
    y = place.top + look.HEAD_H / 2 - 3
    end = pen.text(place.right, y, right, px=look.HEAD_PX, color=right_colour, ha="right", weight="bold")
    room = place.right - place.left - (pen.width_of(end) + 24 if right else 0)
    for px in (look.HEAD_PX, look.MIN_PX):
        for variant in left:
            start = pen.text(place.left, y, variant, px=px, color=colour, weight="bold")
            if pen.width_of(start) <= room:
                return
            start.remove()
    shortest = pen.text(place.left, y, left[-1], px=look.MIN_PX, color=colour, weight="bold", limit=16)
    if pen.width_of(shortest) > room:
        end.remove()


def value_axis(pen: Pen, axes: Axes, place: Place, scale: Scale, *, tag: tuple[float, str, str] | None) -> None:
    """Grid lines, labels, and the newest value as a filled tag; labels that the tag would cover are left out."""
    axes.set_ylim(scale.low, scale.high)

    def y_of(value: float) -> float:
        return place.curve_top + place.height * (1 - (value - scale.low) / (scale.high - scale.low))

    top, bottom = place.curve_top, place.curve_top + place.height
    tag_y = None if tag is None else min(max(y_of(tag[0]), top + 8), bottom - 8)
    for tick, label in zip(scale.ticks, scale.labels, strict=True):
        axes.axhline(tick, color=look.GRID, linewidth=look.points(2), zorder=0)
        y = y_of(tick)
        if top - 1 <= y <= bottom + 10 and (tag_y is None or abs(y - tag_y) >= TAG_PX):
            pen.text(place.right + 20, y, label, color=look.DIM, gid="tick")
    if tag is not None and tag_y is not None:
        box = {"boxstyle": "round,pad=0.18,rounding_size=0.2", "facecolor": tag[2], "edgecolor": "none"}
        pen.text(place.right + 20, tag_y, tag[1], weight="bold", color=look.BACKGROUND, bbox=box, gid="tag")


def curve_lines(axes: Axes, data: ChartData, curve: Curve, spec: Spec) -> None:
    """The curve in pieces: nothing is drawn over a gap."""
    width = 5 if len(curve.time_ms) <= MANY_POINTS else 3.5
    style: dict[str, Any] = {
        "color": spec.colour,
        "linewidth": look.points(width),
        "solid_capstyle": "round",
        "zorder": 3,
    }
    for piece in pieces(curve):
        if spec.is_step and 0 < data.to_ms - piece[-1][0] <= curve.gap_ms:
            piece.append((data.to_ms, piece[-1][1]))  # it holds until the next one
        x, y = [seconds(data, t) for t, _ in piece], [v for _, v in piece]
        if len(piece) == 1:
            axes.plot(x, y, marker="o", markersize=look.points(8), linestyle="none", color=spec.colour, zorder=3)
        else:
            drawstyle = "steps-post" if spec.is_step else "default"
            axes.plot(x, y, drawstyle=drawstyle, solid_joinstyle="round", **style)


def pieces(curve: Curve) -> list[list[tuple[int, float]]]:
    """Runs of known points without a gap between them. An unknown point between two known ones is a gap."""
    found: list[list[tuple[int, float]]] = []
    last_ms: int | None = None
    for t, v in zip(curve.time_ms, curve.value, strict=True):
        if not math.isfinite(v):
            last_ms = None
            continue
        if last_ms is None or t - last_ms > curve.gap_ms:
            found.append([])
        found[-1].append((t, v))
        last_ms = t
    return found


def gaps(data: ChartData, curve: Curve) -> list[tuple[int, int]]:
    """Stretches of the time axis of which nothing is known, the ends included."""
    runs = [(run[0][0], run[-1][0]) for run in pieces(curve)]
    edges = [(data.from_ms - curve.gap_ms // 2, data.from_ms), *runs, (data.to_ms, data.to_ms)]
    found = [(a[1], b[0]) for a, b in itertools.pairwise(edges) if b[0] - a[1] > curve.gap_ms]
    return [(max(a, data.from_ms), min(b, data.to_ms)) for a, b in found]


def mark_gaps(pen: Pen, axes: Axes, data: ChartData, curve: Curve, place: Place) -> None:
    """Hatched, and named where there is room for the words."""
    n_px = (place.right - place.left) / max(data.span_ms, 1)
    for first, last in gaps(data, curve):
        x = seconds(data, first)
        width = seconds(data, last) - x
        box = Rectangle(
            (x, 0), width, 1, transform=axes.get_xaxis_transform(), fill=False, hatch="//", edgecolor=look.HATCH
        )
        box.set_linewidth(0)
        box.set_zorder(1)
        axes.add_patch(box)
        if (last - first) * n_px >= WIDE_GAP_PX:
            middle = place.left + ((first + last) / 2 - data.from_ms) * n_px
            back = {"facecolor": look.BACKGROUND, "edgecolor": "none", "pad": 4}
            pen.text(middle, place.curve_top + place.height / 2, "no data", color=look.DIM, ha="center", bbox=back)


def shade_window(axes: Axes, data: ChartData) -> None:
    if data.window is not None and data.alert is not None:
        first, last = (seconds(data, t) for t in data.window)
        colour = look.SEVERITY.get(data.alert.severity, look.DIM)
        axes.axvspan(first, last, color=colour, alpha=WINDOW_ALPHA, linewidth=0, zorder=0.5)


def mark_change(axes: Axes, data: ChartData, moved: Change | None, colour: str) -> None:
    """A hollow dot where the window began, a full one where it ended."""
    if moved is None or data.window is None:
        return
    for at_ms, value, face in ((moved.then_ms, moved.then, look.BACKGROUND), (moved.now_ms, moved.now, colour)):
        axes.plot(
            [seconds(data, max(at_ms, data.from_ms))],
            [value],
            marker="o",
            markersize=look.points(15),
            markerfacecolor=face,
            markeredgecolor=colour,
            markeredgewidth=look.points(4),
            linestyle="none",
            zorder=4,
            clip_on=False,
        )


def draw_levels(pen: Pen, axes: Axes, data: ChartData, levels: Sequence[Level], scale: Scale, place: Place) -> None:
    """Lines that the rule compares with, where they lie on the axis; their words stand left of the window, above the line."""
    n_px = (place.right - place.left) / max(data.span_ms, 1)
    for level in levels:
        if not scale.low < level.value < scale.high:
            continue
        axes.axhline(level.value, color=look.TEXT, linewidth=look.points(3), linestyle=(0, (4, 3)), alpha=0.8, zorder=2)
        y = place.curve_top + place.height * (1 - (level.value - scale.low) / (scale.high - scale.low))
        above = y - 20 if y - 36 > place.curve_top else y + 20
        end = place.right if data.window is None else place.left + (data.window[0] - data.from_ms) * n_px
        side = "left" if end - place.left < 300 else "right"
        x = place.left + 4 if side == "left" else end - 12
        back = {"facecolor": look.BACKGROUND, "edgecolor": "none", "pad": 2, "alpha": 0.75}
        pen.text(x, above, level.text, color=look.TEXT, bbox=back, gid="level", ha=side)
