"""What stops are computed from, against plain loops over what was fed."""

import math
import random

import numpy as np
import pytest

from bot.engine.risks import Risks
from bot.market.ranges import MIN_RANGES, mean_true_range
from bot.model.updates import Liquidations

MINUTE_MS = 60_000
RULES = "- {id: far, when: 'pct(price, 24h) > 900% or sum(liq_long, 4h) > 1_000_000_000_000'}\n"


def by_hand(points, per_window):
    """Mean true range by loops; all points known."""
    n = min(14, len(points) // per_window)
    if n < MIN_RANGES:
        return None
    points = points[-n * per_window :]
    total, last = 0.0, None
    for k in range(n):
        part = points[k * per_window : (k + 1) * per_window]
        high, low = max(part), min(part)
        if last is not None:
            high, low = max(high, last), min(low, last)
        total += high - low
        last = part[-1]
    return total / n


@pytest.mark.parametrize("per_window", [1, 5, 15])
@pytest.mark.parametrize("n", [4, 30, 75, 500])
def test_the_usual_range_is_the_mean_true_range(n, per_window):
    rng = random.Random(n)
    points = [100.0]
    for _ in range(n - 1):
        points.append(points[-1] * (1 + rng.gauss(0, 0.01)))
    # A neighbour that was listed later, and one of which nothing is known, change nothing.
    columns = np.array([points, [math.nan] * (n // 2) + points[n // 2 :], [math.nan] * n]).T
    found, expected = mean_true_range(columns, per_window), by_hand(points, per_window)
    later = by_hand(points[n // 2 :], per_window)
    wanted = [math.nan if one is None else one for one in (expected, later, None)]
    assert found == pytest.approx(wanted, nan_ok=True)


def test_too_many_gaps_are_unknown_and_a_few_are_not():
    points = np.array([100.0, 101.0, 99.0, 100.0, 102.0] * 14)
    points[7] = math.nan
    assert mean_true_range(points[:, None], 5) == pytest.approx([3.0 - 1 / 14])
    points[10:50] = math.nan
    assert math.isnan(mean_true_range(points[:, None], 5)[0])


@pytest.fixture
def market(rules_of, feed):
    return feed(rules_of(RULES), "BTC", "ETH")


def run(market, prices):
    """A minute at each price."""
    for price in prices:
        for _ in range(6):
            market.prices({"BTCUSDT": price, "ETHUSDT": 10.0})
            market.tick(seconds=10)


def test_figures_of_a_market_that_swings(market):
    run(market, [100.0, 101.0, 99.0, 100.0, 102.0] * 10)
    market.oi("BTCUSDT", 1_000.0)
    market.prices({"BTCUSDT": 100.0, "ETHUSDT": 10.0}, funding=0.0004)
    market.tick(seconds=0)
    risks = Risks(market.engine)
    found = risks.figures("binance:BTCUSDT", 5 * MINUTE_MS)
    assert found is not None
    assert (found.price, found.price_age_ms, found.funding) == (100.0, 0, 0.0004)
    assert found.atr == pytest.approx(3.0, abs=0.5)
    assert risks.figures("binance:ETHUSDT", 5 * MINUTE_MS).atr == 0.0
    assert risks.price("binance:BTCUSDT") == (100.0, 0)
    assert risks.instrument("binance:BTCUSDT").symbol == "BTCUSDT"


def test_what_is_not_known_is_none(market):
    risks = Risks(market.engine)
    market.tick()
    assert risks.price("binance:BTCUSDT") is None
    assert risks.price("binance:NOUSDT") is None
    assert risks.figures("binance:NOUSDT", MINUTE_MS) is None
    assert risks.instrument("binance:NOUSDT") is None
    found = risks.figures("binance:BTCUSDT", 5 * MINUTE_MS)
    assert (found.price, found.price_age_ms, found.atr, found.oi_change) == (None, None, None, None)


def liquidate(market, usd):
    market.engine.consume(
        Liquidations(
            rows=np.array([market.row("BTCUSDT")], dtype=np.int32),
            usd=np.array([usd]),
            is_long=np.array([True]),
            event_ms=np.array([market.now], dtype=np.int64),
            received_ms=0.0,
        )
    )


def test_where_positions_were_liquidated_is_a_range_of_prices_once_it_was_much(market):
    market.oi("BTCUSDT", 100_000.0)
    run(market, [100.0] * 20)
    market.oi("BTCUSDT", 100_000.0)
    liquidate(market, 1_000.0)
    run(market, [99.0])
    few = Risks(market.engine).figures("binance:BTCUSDT", 5 * MINUTE_MS)
    assert (few.liquidated_low, few.liquidated_high) == (None, None)
    for price in (97.0, 96.0, 98.0):
        run(market, [price])
        liquidate(market, 40_000.0)
        run(market, [price])
    market.oi("BTCUSDT", 100_000.0)
    run(market, [99.0])
    found = Risks(market.engine).figures("binance:BTCUSDT", 5 * MINUTE_MS)
    assert 96.0 <= found.liquidated_low < 98.0 <= found.liquidated_high <= 99.0
