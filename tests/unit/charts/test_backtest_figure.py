"""The picture of a backtest says what it was given, and nothing stands on anything else."""

import math
from dataclasses import replace

import pytest

from bot.charts import look
from bot.charts.backtest_figure import counted, figure_of
from bot.charts.drawing import png_of
from bot.model.charts import DAY_MS, HOUR_MS, BacktestChart, Columns, Curve
from tests.unit.charts.test_figure import overlaps

START_MS = 1_769_904_000_000
N_DAYS = 28
TIMES = tuple(START_MS + k * HOUR_MS for k in range(24 * N_DAYS))
WHOLE = BacktestChart(
    title="New high on falling OI",
    subtitle="468 firings on 84 of 100 contracts, 16.7 a day",
    symbol="BTCUSDT",
    from_ms=START_MS,
    to_ms=TIMES[-1],
    price=Curve(TIMES, tuple(60_000 * (1 + 0.1 * math.sin(k / 50)) for k in range(len(TIMES))), 3 * HOUR_MS),
    oi=Curve(TIMES, tuple(9e9 * (1 + 0.2 * math.cos(k / 70)) for k in range(len(TIMES))), 3 * HOUR_MS),
    fired_ms=tuple(TIMES[k] for k in range(40, 600, 40)),
    per_day=Columns(
        tuple(START_MS + d * DAY_MS for d in range(N_DAYS)), tuple(float(d % 7) for d in range(N_DAYS)), DAY_MS
    ),
    after="1h",
    edges=tuple(0.4 * k for k in range(21)),
    fired=(0.2, 0.2, 0.1, *(0.5 / 17,) * 17),
    random=(0.3, 0.2, 0.1, *(0.4 / 17,) * 17),
    verdict="no better than chance: after 15m, 1h, 4h and 24h prices had moved neither more nor less nor in one direction",
)
CASES = {
    "whole": WHOLE,
    "no open interest": replace(WHOLE, oi=Curve()),
    "nothing followed": replace(WHOLE, edges=(), fired=(), random=(), after=""),
    "never fired": replace(
        WHOLE, fired_ms=(), per_day=Columns((), (), DAY_MS), edges=(), fired=(), random=(), after=""
    ),
    "long names": replace(WHOLE, title="A rule " * 20, symbol="1000000MOGUSDT", verdict="word " * 100),
    "one day": replace(WHOLE, to_ms=START_MS + DAY_MS, fired_ms=(START_MS + HOUR_MS,)),
    "no price": replace(WHOLE, price=Curve(TIMES[:2], (math.nan, math.nan), HOUR_MS), oi=Curve()),
    "many": replace(WHOLE, fired_ms=TIMES[::3]),
}


@pytest.mark.parametrize("name", CASES)
def test_nothing_stands_on_anything_else(name):
    assert overlaps(figure_of(CASES[name])) == []


@pytest.mark.parametrize("name", CASES)
def test_it_is_a_picture_that_telegram_takes(name):
    picture = png_of(CASES[name])
    assert picture.png.startswith(b"\x89PNG")
    assert picture.width_px == look.WIDTH
    assert picture.height_px <= 2 * look.WIDTH
    assert len(picture.png) < 1_000_000


def test_it_says_what_it_was_given():
    said = [text.get_text() for text in figure_of(WHOLE).texts]
    for part in (
        WHOLE.title,
        WHOLE.subtitle,
        "Price BTCUSDT",
        "OI BTCUSDT",
        "▼ 14 firings",
        "Size of the move after 1h",
    ):
        assert part in said
    assert any(text.startswith("no better than chance") for text in said)


@pytest.mark.parametrize(
    ("n_days", "ends"), [(N_DAYS, "1 Feb to 1 Mar 2026"), (400, "1 Feb 2026 to 8 Mar 2027"), (1, "1 Feb to 2 Feb 2026")]
)
def test_its_dates_say_their_year(n_days, ends):
    shown = figure_of(replace(WHOLE, to_ms=START_MS + n_days * DAY_MS))
    assert ends in [text.get_text() for text in shown.texts]
    assert overlaps(shown) == []


def test_each_firing_is_a_line_and_a_dot_on_each_curve():
    dots = [line for axes in figure_of(WHOLE).axes for line in axes.lines if line.get_marker() == "o"]
    assert len(dots) == 2 * len(WHOLE.fired_ms)
    first = next(line for line in dots if line.get_xdata()[0] == (WHOLE.fired_ms[0] - START_MS) / 1000)
    assert first.get_ydata()[0] == pytest.approx(60_000 * (1 + 0.1 * math.sin(40 / 50)))


@pytest.mark.parametrize("most", [1, 2, 5, 7, 23])
def test_firings_are_counted_in_whole_numbers(most):
    whole = counted((0.0, 1.0, float(most)))
    assert whole.labels[0] == "0"
    assert len(whole.labels) >= 2
    assert all(label.isdecimal() for label in whole.labels)
    assert [float(label) for label in whole.labels] == list(whole.ticks)
