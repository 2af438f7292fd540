"""What the script of a page is sent."""

import json

import pytest

from bot.model.charts import HOUR_MS, ChartData, Curve
from bot.web.pages import chart_json

NOW_MS = 1_795_000_000_000


def funding(*hours_ago):
    times = tuple(NOW_MS - int(hours * HOUR_MS) for hours in hours_ago)
    paid = Curve(times, tuple(0.0001 * (n + 1) for n in range(len(times))), 9 * HOUR_MS)
    data = ChartData("BTCUSDT", "binance", "BTC", "USDT", NOW_MS - HOUR_MS, NOW_MS, funding=paid)
    found = json.loads(chart_json(data, []))["funding"]
    return [[NOW_MS // 1000 - at for at in found[0]], found[1]]


def test_funding_holds_until_the_next_payment():
    """So that it is drawn from the left end of the chart to the right, and the axis holds all of it."""
    assert funding(16, 8, 0.5) == [[3_600, 1_800, 0], pytest.approx([0.0002, 0.0003, 0.0003])]
    assert funding(8, 0) == [[3_600, 0], pytest.approx([0.0001, 0.0002])]
    assert funding(0.5) == [[1_800, 0], pytest.approx([0.0001, 0.0001])]


@pytest.mark.parametrize("hours_ago", [(19, 11), ()])
def test_funding_that_is_out_of_date_is_not_drawn(hours_ago):
    assert funding(*hours_ago) == [[], []]
