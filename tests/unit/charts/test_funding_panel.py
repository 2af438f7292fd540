"""The panel of funding: steps, each of which holds until the next payment."""

import dataclasses

import pytest

from bot.charts import look
from bot.charts.figure import figure_of
from bot.model.charts import HOUR_MS, MINUTE_MS, Curve
from tests.support import gallery
from tests.unit.charts.test_figure import drawn, overlaps, panel, said

LAST_MS = gallery.END_MS // HOUR_MS * HOUR_MS
"""Of a payment, within the chart of four hours."""


def paid(*rates, last_ms=LAST_MS, apart_ms=8 * HOUR_MS):
    n = len(rates)
    times = tuple(last_ms - (n - 1 - k) * apart_ms for k in range(n))
    data = dataclasses.replace(gallery.alert(), funding=Curve(times, rates, 9 * HOUR_MS))
    return data, dataclasses.replace(data, alert=None)


def test_what_was_paid_before_the_span_holds_until_the_next():
    """Eight hours lie between two payments, four in the picture."""
    data = gallery.alert()
    paid = Curve((data.from_ms - 12 * HOUR_MS, data.from_ms - 4 * HOUR_MS), (0.0002, 0.0001), 9 * HOUR_MS)
    data = dataclasses.replace(data, funding=paid, alert=None)
    assert "Funding +0.0100%" in said(data)
    assert "unknown" not in said(data)
    axes = panel(figure_of(data), "Funding")
    low, high = axes.get_ylim()
    assert low < 0.0 < high < 0.001
    assert drawn(axes, data)[-1] == (data.to_ms, 0.0001)
    old = dataclasses.replace(paid, time_ms=(data.from_ms - 16 * HOUR_MS, data.from_ms - 8 * HOUR_MS))
    assert any(text.endswith(" old") for text in said(dataclasses.replace(data, funding=old)))


def test_a_move_between_payments_is_one_between_the_ends_of_the_chart():
    """The earlier of the two was paid before it begins, and held there."""
    found = said(paid(-0.00006, 0.00006)[1])
    assert "▲ +0.0120 points in 4h" in found
    assert not [text for text in found if "7h" in text]


def test_a_move_that_began_with_the_first_payment_says_over_how_long():
    assert "▲ +0.0120 points in 1h 31m" in said(paid(0.0001, 0.00022, last_ms=LAST_MS, apart_ms=HOUR_MS)[1])


def test_what_an_alert_saw_of_funding_stands_at_the_ends_of_its_window():
    data, _ = paid(-0.00006, 0.00006, last_ms=gallery.END_MS - 5 * MINUTE_MS)
    assert "▲ +0.0120 points in 15m" in said(data)
    dots = [line for line in panel(figure_of(data), "Funding").lines if line.get_markersize() == look.points(15)]
    ends = [round(float(line.get_xdata()[0]) * 1000) + data.from_ms for line in dots]
    assert ends == list(data.window)
    assert [float(line.get_ydata()[0]) for line in dots] == pytest.approx([-0.00006, 0.00006])


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.7, 1.0])
def test_an_axis_has_a_number_wherever_the_newest_value_stands(share):
    """Its tag covers the labels beside it, of which there are few on so low a panel."""
    low, high = -0.0001, 0.00025
    data = paid(low, high, low, high, low + share * (high - low), apart_ms=HOUR_MS // 2)[1]
    figure = figure_of(data)
    box = panel(figure, "Funding").get_position()
    labels = [
        text.get_text()
        for text in figure.texts
        if text.get_gid() == "tick" and box.y0 <= text.get_position()[1] <= box.y1
    ]
    assert labels
    assert overlaps(figure) == []
