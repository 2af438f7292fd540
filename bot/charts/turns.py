"""Tops and bottoms on a chart by days: triangles at the price, and below the chart what came of them.

The left half of a triangle tells the price a day later, the right half a week later: light blue where it was higher, dark
orange where it was lower, empty where that is not known.
"""

from typing import Final

from matplotlib.axes import Axes

from bot.charts import look
from bot.charts.panels import Pen, Place, seconds
from bot.charts.scales import Scale
from bot.model import numbers
from bot.model.charts import ChartData, LongView, Turn

SIZE_PX: Final = 19
MANY: Final = 90
SMALL_PX: Final = 14
"""Where there are many, so that they leave each other room."""
AWAY_PX: Final = 20
"""Between the price and the middle of its triangle."""
LINE_H: Final = 44
HEAD_H: Final = 18
COLUMNS: Final = (0, 330, 600)
NOTHING: Final = "–"


def height_of(data: ChartData) -> int:
    """Of what stands below the time axis."""
    return HEAD_H + LINE_H * (len(_rows(data.long_view)) + 2) if _rows(data.long_view) else 0


def draw(axes: Axes, data: ChartData, scale: Scale, place: Place) -> None:
    """The triangles, on the panel of the price."""
    view = data.long_view
    if view is None:
        return
    shown = [turn for turn in view.turns if data.from_ms <= turn.at_ms <= data.to_ms]
    size = SIZE_PX if len(shown) <= MANY else SMALL_PX
    away = AWAY_PX * (scale.high - scale.low) / place.height
    for turn in shown:
        y = turn.price + away if turn.is_top else turn.price - away
        _triangle(axes, seconds(data, turn.at_ms), y, turn, size)


def _triangle(axes: Axes, x: float, y: float, turn: Turn, size: float) -> None:
    axes.plot(
        [x],
        [y],
        marker="v" if turn.is_top else "^",
        markersize=look.points(size),
        fillstyle="left",
        markerfacecolor=_colour(turn.after_day),
        markerfacecoloralt=_colour(turn.after_week),
        markeredgecolor=look.TEXT,
        markeredgewidth=look.points(1.5),
        linestyle="none",
        zorder=5,
        clip_on=False,
        gid="turn",
    )


def _colour(move: float | None) -> str:
    if move is None:
        return look.BACKGROUND
    return look.UP if move > 0 else look.DOWN if move < 0 else look.FLAT


def _rows(view: LongView | None) -> list[tuple[str, str, str]]:
    """What is compared, a day later, a week later."""
    if view is None or view.oi_from_ms is None or view.missing:
        return []
    n = sum(turn.is_top for turn in view.turns)
    tops, bottoms = f"▼ {n} top{'s' * (n != 1)}", f"▲ {len(view.turns) - n} bottom{'s' * (len(view.turns) - n != 1)}"
    rows = ((tops, view.tops), (bottoms, view.bottoms), ("every day", view.days))
    return [(name, _move(usual.day), _move(usual.week)) for name, usual in rows]


def _move(value: float | None) -> str:
    return NOTHING if value is None else numbers.percent(value, digits=2)


def summary(pen: Pen, data: ChartData, top: float) -> None:
    """The table below the time axis, and how to read the triangles."""
    rows = _rows(data.long_view)
    if not rows:
        return
    y: float = top + HEAD_H + LINE_H / 2
    for x, text in zip(COLUMNS, ("price on average", "24h later", "7d later"), strict=True):
        pen.text(look.LEFT + x, y, text, color=look.DIM)
    for row in rows:
        y += LINE_H
        for x, text in zip(COLUMNS, row, strict=True):
            colour = look.DIM if row[0] == "every day" else look.TEXT
            pen.text(look.LEFT + x, y, text, color=colour, weight="bold" if x == 0 else "normal", gid="turns")
    y += LINE_H
    left: float = look.LEFT
    for text, colour in (
        ("▼ left half 24h, right 7d later:", look.DIM),
        ("higher", look.UP),
        ("lower", "#FF9A62"),
        ("empty: not known", look.DIM),
    ):
        left += pen.width_of(pen.text(left, y, text, color=colour)) + 16
