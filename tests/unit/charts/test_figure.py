"""A chart shows what it was given: the right numbers, readable, nothing on top of anything else."""

import dataclasses
import io
import itertools
import math
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from bot.charts import look
from bot.charts.drawing import png_of
from bot.charts.figure import figure_of
from bot.charts.parts import CHINESE
from bot.model.charts import DAY_MS, HOUR_MS, MINUTE_MS, AlertMark, ChartData, Columns, Curve, Level, LongView
from tests.support import gallery

PHONE_PX = 400
TELEGRAM_BYTES = 10 * 1_048_576


def texts(figure):
    return [text for text in figure.texts if text.get_text()]


def said(data):
    return [text.get_text() for text in texts(figure_of(data))]


def boxes(figure):
    """Text and its rectangle in pixels; drawn once, so that they are final."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return [(text, text.get_window_extent(canvas.get_renderer())) for text in texts(figure)]


def overlaps(figure):
    found = []
    for (one, a), (other, b) in itertools.combinations(boxes(figure), 2):
        wide = min(a.x1, b.x1) - max(a.x0, b.x0)
        high = min(a.y1, b.y1) - max(a.y0, b.y0)
        # The boxes of lines include room for accents, two or three pixels of which nobody sees.
        if wide > 1 and high > 4:
            found.append((one.get_text(), other.get_text(), round(wide), round(high)))
    return found


def panel(figure, name):
    return next(axes for axes in figure.axes if axes.get_gid() == name)


def drawn(axes, data):
    """Points of the thick lines, back in ms."""
    found = []
    for line in axes.lines:
        x, y = line.get_data()
        if line.get_linewidth() >= look.points(3.5) and line.get_linestyle() == "-":
            found += [(round(float(a) * 1000 + data.from_ms), float(b)) for a, b in zip(x, y, strict=True)]
    return found


def test_nothing_lies_on_anything_else_and_all_is_inside(data):
    figure = figure_of(data)
    assert overlaps(figure) == []
    width, height = (inches * look.DPI for inches in figure.get_size_inches())
    for text, box in boxes(figure):
        assert min(box.x0, box.y0, width - box.x1, height - box.y1) >= 0, text.get_text()


def test_every_text_can_be_read_on_a_phone(data):
    for text in texts(figure_of(data)):
        px = text.get_fontsize() * look.DPI / 72
        assert px * PHONE_PX / look.WIDTH >= 9.5, text.get_text()


def test_no_text_is_math(data):
    assert not any(text.get_parse_math() for text in texts(figure_of(data)))


def test_the_lines_are_the_data(data):
    figure = figure_of(data)
    for name, curve in (("Price", data.price), ("OI", data.oi), ("Long/short", data.long_short)):
        if curve is not None:
            assert drawn(panel(figure, name), data) == [pytest.approx(point) for point in curve.known()]


def test_the_bars_are_the_data(data):
    axes = panel(figure_of(data), "Volume")
    bars = sorted((bar.get_x(), bar.get_height()) for bar in axes.patches if hasattr(bar, "get_height"))
    shown = [a for t, a in zip(data.volume.open_ms, data.volume.amount, strict=True) if t < data.to_ms]
    heights = [h for _, h in bars if h != 1]
    assert heights[-len(shown) + 1 :] == pytest.approx(shown[1:])


def test_the_picture_is_a_png_that_chats_take(data):
    picture = png_of(data)
    image = Image.open(io.BytesIO(picture.png))
    image.load()
    assert (image.format, image.size) == ("PNG", (picture.width_px, picture.height_px))
    assert picture.width_px == look.WIDTH
    assert len(picture.png) < 300_000 < TELEGRAM_BYTES
    assert picture.width_px + picture.height_px < 10_000
    assert image.convert("RGB").getpixel((2, 2)) == (0x0E, 0x13, 0x1B)


def test_the_same_data_gives_the_same_picture():
    assert png_of(gallery.alert()) == png_of(gallery.alert())


def test_the_numbers_of_an_alert():
    data = gallery.alert()
    found = said(data)
    then, now = data.oi.value[-16], data.oi.value[-1]
    assert "BTCUSDT" in found
    assert "● OI surge" in found
    assert "fired 14:31" in found
    assert "OI 88.0k → 92.6k BTC" in found
    assert f"▲ +{(now / then - 1) * 100:.2f}% in 15m" in found
    assert any(text.startswith("Volume $") and text.endswith(" in 15m") for text in found)
    assert any(text.endswith("× usual") for text in found)
    assert "+5% in 15m" in found
    assert {"11:00", "12:00", "13:00", "14:00"} <= set(found)
    assert "to 3 Feb 14:31 UTC" in found


@pytest.mark.parametrize("minute", range(5))
@pytest.mark.parametrize("later", [0, 2, 7])
def test_the_volume_of_a_window_is_its_own_wherever_in_a_bar_it_begins_and_ends(minute, later):
    """A million a minute, in bars of five minutes of which the last is still running."""
    data = gallery.alert()
    fired_ms = data.to_ms // HOUR_MS * HOUR_MS + minute * MINUTE_MS
    to_ms = fired_ms + later * MINUTE_MS
    opens = tuple(range(fired_ms // HOUR_MS * HOUR_MS - 4 * HOUR_MS, to_ms, 5 * MINUTE_MS))
    amounts = tuple(1e6 * min(5, (to_ms - t) // MINUTE_MS) for t in opens)
    flat = dataclasses.replace(
        data,
        from_ms=fired_ms - 4 * HOUR_MS,
        to_ms=to_ms,
        volume=Columns(opens, amounts, 5 * MINUTE_MS),
        alert=dataclasses.replace(data.alert, fired_ms=fired_ms),
    )
    found = said(flat)
    assert "Volume $15.0M in 15m" in found
    assert "1.0× usual" in found


def test_a_window_without_bars_has_no_volume_of_nothing():
    data = gallery.alert()
    early = Columns(data.volume.open_ms[:-9], data.volume.amount[:-9], data.volume.span_ms)
    found = said(dataclasses.replace(data, volume=early))
    assert "Volume" in found
    assert not any(text.startswith("Volume $") or text.endswith("usual") for text in found)


def test_the_window_is_shaded_and_its_ends_are_marked():
    data = gallery.alert()
    axes = panel(figure_of(data), "OI")
    first, last = ((t - data.from_ms) / 1000 for t in data.window)
    spans = [p for p in axes.patches if p.get_alpha() == pytest.approx(0.17)]
    assert [(p.get_x(), p.get_x() + p.get_width()) for p in spans] == [pytest.approx((first, last))]
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert [(*line.get_xdata(), *line.get_ydata()) for line in dots] == [
        pytest.approx((first, data.oi.value[-16])),
        pytest.approx((last, data.oi.value[-1])),
    ]


def test_a_level_that_would_squeeze_the_curve_is_left_out():
    data = gallery.alert()
    far = dataclasses.replace(data, alert=dataclasses.replace(data.alert, levels=(Level("oi", 1e9, "far away"),)))
    assert "far away" not in said(far)
    assert "+5% in 15m" in said(data)


def test_times_are_those_of_the_zone():
    found = said(gallery.flush())
    assert {"to 3 Feb 15:31 Berlin", "fired 15:31", "15:00"} <= set(found)


def test_hostile_text_is_shown_as_it_is():
    assert "● Liquidation-like <b>$x^2$" in said(gallery.flush())
    data = gallery.alert()
    bad = "$\\frac{1}{0}$ \u202eevil\x00\n{x} " + "é\u0301\u0301\u0301" * 30
    worst = dataclasses.replace(
        data, symbol=bad, base=bad, alert=dataclasses.replace(data.alert, title=bad * 20, levels=())
    )
    figure = figure_of(worst)
    assert overlaps(figure) == []
    assert all("\u202e" not in text.get_text() and "\x00" not in text.get_text() for text in texts(figure))
    assert png_of(worst).png


def test_a_gap_is_a_gap():
    data = gallery.gap()
    axes = panel(figure_of(data), "OI")
    pieces = [line for line in axes.lines if line.get_linestyle() == "-" and len(line.get_xdata()) > 2]
    assert len(pieces) == 2
    hatched = [p for p in axes.patches if p.get_hatch()]
    assert len(hatched) == 2
    assert hatched[0].get_x() == pytest.approx(pieces[0].get_xdata()[-1])
    assert hatched[0].get_x() + hatched[0].get_width() == pytest.approx(pieces[1].get_xdata()[0])
    assert "no data" in said(data)


def test_what_is_out_of_date_says_how_old_it_is():
    assert "50m old" in said(gallery.gap())
    assert not any(text.endswith(" old") for text in said(gallery.alert()))


@pytest.mark.parametrize(("n_late", "over"), [(0, "15m"), (4, "15m"), (6, "9m"), (11, "4m")])
def test_a_short_chart_too_says_over_how_long_its_curve_moved(n_late, over):
    """Minutes from memory and rows of the venue, which stand further apart."""
    data = gallery.alert()
    last = data.oi.time_ms[-1]
    late = Curve(data.oi.time_ms[-16 + n_late :], data.oi.value[-16 + n_late :], 25 * MINUTE_MS // 2)
    found = said(dataclasses.replace(data, from_ms=last - 15 * MINUTE_MS, to_ms=last, alert=None, oi=late))
    assert any(text.startswith("▲ +") and text.endswith(f"% in {over}") for text in found)


def test_a_history_that_begins_later_says_over_how_long():
    found = said(gallery.history())
    assert "▼ −3.01% in 29d" in found
    assert any(text.endswith("% in 90d") for text in found)


def test_nothing_known_of_a_series_is_said():
    data = dataclasses.replace(gallery.alert(), oi=Curve(), volume=Columns())
    assert said(data).count("unknown") == 2


def test_the_chinese_font_is_there_and_draws():
    """An empty box would look the same for every character."""
    assert CHINESE.is_file()
    assert (CHINESE.parent / "OFL.txt").read_text(encoding="utf-8").startswith("This Font Software is licensed")
    data = gallery.gap()
    pictures = {png_of(dataclasses.replace(data, symbol=name)).png for name in ("币安人生", "我踏马来", "哈基米人")}
    assert len(pictures) == 3


def test_one_point_is_a_dot_and_a_flat_line_has_an_axis():
    data = gallery.alert()
    one = dataclasses.replace(data, price=Curve((data.to_ms,), (5.0,)), alert=None)
    flat = dataclasses.replace(data, price=Curve(data.price.time_ms, (5.0,) * 241), alert=None)
    assert "Price 5.00" in said(one)
    assert "0.00% in 4h" in said(flat)
    assert overlaps(figure_of(one)) == overlaps(figure_of(flat)) == []


@pytest.mark.filterwarnings(
    "ignore:Glyph .* missing from font:UserWarning"
)  # signs that no font has are drawn as boxes
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 10_000),
    price=st.floats(1e-9, 1e6),
    size=st.floats(1, 1e13),
    span=st.sampled_from((15 * MINUTE_MS, HOUR_MS, 4 * HOUR_MS, DAY_MS, 7 * DAY_MS, 30 * DAY_MS, 365 * DAY_MS)),
    noise=st.sampled_from((0.0, 1e-7, 1e-3, 0.05)),
    zone=st.sampled_from(("UTC", "Asia/Kolkata", "America/Argentina/Buenos_Aires", "no/such")),
    offset=st.integers(0, 10**11),
    fires=st.booleans(),
    name=st.text(max_size=60),
)
def test_whatever_the_data_texts_do_not_meet(seed, price, size, span, noise, zone, offset, fires, name):
    rnd = random.Random(seed)
    step = max(MINUTE_MS, span // 200)
    end_ms = gallery.END_MS + offset
    curves = [
        gallery.curve(gallery.walk(rnd, 201, start, noise), step, holes=((rnd.random(), rnd.random()),), end_ms=end_ms)
        for start in (price, size, 1.0)
    ]
    volume = gallery.bars(rnd, 40, max(MINUTE_MS, span // 40), size, end_ms=end_ms)
    mark = AlertMark(name, "warning", end_ms, span // 16, (Level("oi", size * 1.05, "5%"),)) if fires else None
    data = ChartData(
        *(f"{name}USDT", "binance", name, "USDT", end_ms - span, end_ms, curves[0], curves[1], volume),
        funding=curves[2],
        zone=zone,
        alert=mark,
    )
    figure = figure_of(data)
    assert overlaps(figure) == []
    width = figure.get_size_inches()[0] * look.DPI
    assert all(min(box.x0, width - box.x1) >= -1 for _, box in boxes(figure))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_no_numbers_are_gaps(value):
    data = gallery.alert()
    broken = dataclasses.replace(data, oi=Curve(data.oi.time_ms, (*data.oi.value[:100], value, *data.oi.value[101:])))
    axes = panel(figure_of(broken), "OI")
    assert len([line for line in axes.lines if line.get_linestyle() == "-" and len(line.get_xdata()) > 2]) == 2


# By days


def marks(data):
    """Colours of the halves of each triangle: is_top, day, week."""
    axes = panel(figure_of(data), "Price")
    drawn = [line for line in axes.lines if line.get_gid() == "turn"]
    return [
        (line.get_marker() == "v", line.get_markerfacecolor(), line.get_markerfacecoloralt(), line) for line in drawn
    ]


def test_triangles_stand_beside_the_price_and_say_what_followed():
    data = gallery.long_view()
    inside = [turn for turn in data.long_view.turns if data.from_ms <= turn.at_ms <= data.to_ms]
    found = marks(data)
    assert len(found) == len(inside) > 10
    colour = {None: look.BACKGROUND, True: look.UP, False: look.DOWN}
    for turn, (is_top, day, week, line) in zip(inside, found, strict=True):
        wanted = [None if move is None else move > 0 for move in (turn.after_day, turn.after_week)]
        assert (is_top, day, week) == (turn.is_top, *(colour[one] for one in wanted))
        x, y = (float(values[0]) for values in line.get_data())
        assert round(x * 1000) + data.from_ms == turn.at_ms
        assert (y > turn.price) is turn.is_top
    assert any(turn.after_week is None for turn in inside), "one of which nothing is known yet"


def test_the_table_below_a_year_compares_with_every_day():
    data = gallery.long_view()
    told = said(data)
    for one in (
        "▼ 5 tops",
        "▲ 20 bottoms",
        "every day",
        "24h later",
        "7d later",
        "−0.46%",
        "−3.43%",
        "empty: not known",
    ):
        assert one in told
    assert "Mar 2025" in told
    assert any(text.endswith("3 Feb 2026 UTC") for text in told)


@pytest.mark.parametrize(
    "view", [LongView(None), LongView(gallery.END_MS, missing=("no funding",)), LongView(None, trouble="x")]
)
def test_without_marks_there_is_no_table(view):
    data = dataclasses.replace(gallery.long_view(), long_view=view)
    assert marks(data) == []
    assert "every day" not in said(data)
    assert figure_of(data).get_size_inches()[1] < figure_of(gallery.long_view()).get_size_inches()[1]


def test_a_span_that_begins_somewhere_in_a_day_is_told_in_days():
    data = gallery.long_view()
    later = dataclasses.replace(data, from_ms=data.from_ms + 264 * DAY_MS + 44 * MINUTE_MS)
    assert "101d · Binance" in said(later)
    assert any(text.endswith("% in 101d") for text in said(later))


@pytest.mark.parametrize("name", ["oi", "funding", "long_short", "volume"])
def test_what_is_unknown_has_no_scale(name):
    data = dataclasses.replace(gallery.alert(), alert=None, funding=None, long_short=None)
    without = said(dataclasses.replace(data, **{name: Columns() if name == "volume" else Curve()}))
    assert without.count("unknown") == without.count("no data") == 1
    assert not [text for text in without if text in {"0%", "50%", "100%", "0.0", "0.5", "1.0", "$0.0", "$0.5", "$1.0"}]
