"""What the script of a page is sent."""

import json

import pytest

from bot.model.charts import HOUR_MS, ChartData, Curve
from bot.web.pages import chart_json

NOW_MS = 1_795_000_000_000


def funding(*hours_ago):
    times = tuple(NOW_MS - hours * HOUR_MS for hours in hours_ago)
    paid = Curve(times, tuple(0.0001 * (n + 1) for n in range(len(times))), 9 * HOUR_MS)
    data = ChartData("BTCUSDT", "binance", "BTC", "USDT", NOW_MS - HOUR_MS, NOW_MS, funding=paid)
    found = json.loads(chart_json(data, []))["funding"]
    return [[NOW_MS // 1000 - at for at in found[0]], found[1]]


def test_funding_holds_until_the_next_payment():
    """So that its last step reaches the right end of the chart."""
    assert funding(10, 2) == [[36_000, 7_200, 0], pytest.approx([0.0001, 0.0002, 0.0002])]


@pytest.mark.parametrize("hours_ago", [(10,), (8, 0), ()])
def test_funding_that_is_out_of_date_or_paid_just_now_does_not_reach_on(hours_ago):
    assert funding(*hours_ago)[0] == [hours * 3_600 for hours in hours_ago]
