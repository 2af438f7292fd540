"""What is read about a moment that is over, against plain loops over what was fed; and that nothing later can show."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.aftermath import RingAftermath
from bot.engine.engine import Engine
from bot.engine.inputs import Listed, Placed
from bot.model.instrument import Instrument
from bot.model.scorecard import HOUR_MS, MINUTE_MS, Fared
from bot.model.updates import InstrumentList, MarkPrices

T0 = 1_767_225_600_000
BTC = Instrument("binance", "BTCUSDT", "perpetual", "BTC", "USDT", "TRADING")
KEY = "binance:BTCUSDT"


class Market:
    """One contract, a price and an open interest each minute."""

    def __init__(self):
        self.engine = Engine(())
        self.aftermath = RingAftermath(self.engine)
        self.list(BTC)

    def list(self, instrument):
        self.engine.consume(Listed(InstrumentList("binance", (instrument,)), T0))

    def price(self, at_ms, price):
        one = np.array([price])
        self.engine.consume(
            MarkPrices(
                rows=np.array([0], dtype=np.int32),
                price=one,
                index=one,
                funding=np.zeros(1),
                next_funding_ms=np.zeros(1, dtype=np.int64),
                event_ms=np.array([at_ms], dtype=np.int64),
                received_ms=0.0,
            )
        )

    def oi(self, at_ms, amount):
        self.engine.consume(Placed(0, amount, at_ms, at_ms, 60_000))

    def run(self, points, *, start=0):
        """None: nothing came in that minute. Shape (price, open interest) each."""
        for minute, point in enumerate(points, start=start):
            at_ms = T0 + minute * MINUTE_MS
            if point is not None:
                self.price(at_ms, point[0])
                self.oi(at_ms, point[1])
            self.engine.tick(at_ms)

    def fared(self, minute, horizon, point):
        return self.aftermath.fared(KEY, T0 + minute * MINUTE_MS, horizon * MINUTE_MS, price=point[0], oi=point[1])


def wave(n):
    return [(100.0 + (m * 7) % 11, 1_000.0 + (m * 5) % 13) for m in range(n)]


def test_change_and_excursion_are_those_of_the_minutes_on_the_way():
    market, points = Market(), wave(90)
    market.run(points)
    begin, found = points[10], market.fared(10, 60, points[10])
    way = [price / begin[0] - 1 for price, _ in points[11:71]]
    assert found.price == pytest.approx(points[70][0] / begin[0] - 1, rel=1e-6)
    assert found.oi == pytest.approx(points[70][1] / begin[1] - 1, rel=1e-6)
    assert found.high == pytest.approx(max(way), rel=1e-6)
    assert found.low == pytest.approx(min([*way, 0.0]), rel=1e-6)


def test_a_price_that_only_rose_has_no_worst_excursion_below_its_beginning():
    market = Market()
    market.run([(100.0 + m, 1_000.0) for m in range(20)])
    found = market.fared(2, 15, (102.0, 1_000.0))
    assert (found.low, found.oi) == (0.0, 0.0)
    assert found.high == found.price == pytest.approx(15 / 102, rel=1e-6)


def test_the_usual_move_is_the_mean_size_over_the_day_before():
    market, points = Market(), wave(120)
    market.run(points)
    found = market.aftermath.usual(KEY, "price", 15 * MINUTE_MS, before_ms=T0 + 100 * MINUTE_MS)
    prices = [price for price, _ in points]
    ends = range(100, 14, -5)
    assert found == pytest.approx(np.mean([abs(prices[m] / prices[m - 15] - 1) for m in ends]), rel=1e-5)


def test_a_usual_move_needs_four_of_its_lengths_and_some_movement():
    market = Market()
    market.run(wave(80))
    now_ms = T0 + 79 * MINUTE_MS
    assert market.aftermath.usual(KEY, "price", 18 * MINUTE_MS, before_ms=now_ms) is None
    assert market.aftermath.usual(KEY, "price", 15 * MINUTE_MS, before_ms=now_ms) is not None
    still = Market()
    still.run([(100.0, 1_000.0)] * 80)
    assert still.aftermath.usual(KEY, "price", 15 * MINUTE_MS, before_ms=now_ms) is None


def test_what_is_stale_at_the_end_is_unknown_and_never_the_last_price_before():
    market, points = Market(), wave(40)
    market.run([*points[:20], *[None] * 10, *points[30:]])
    found = market.fared(5, 20, points[5])
    assert found == Fared(), "at minute 25 nothing spoke for the price"
    assert market.aftermath.at(KEY, "price", T0 + 25 * MINUTE_MS) is None
    assert market.fared(5, 30, points[5]).price is not None


def test_a_time_that_nobody_looked_at_yet_is_unknown_though_the_minute_before_is_known():
    market, points = Market(), wave(21)
    market.run(points)
    market.engine.tick(T0 + 20 * MINUTE_MS + 5_000)
    silent_ms = T0 + 20 * MINUTE_MS + 40_000
    assert market.aftermath.at(KEY, "price", silent_ms) is None
    # Once the market has ticked, the price is too old; open interest still speaks.
    market.engine.tick(silent_ms)
    assert market.aftermath.at(KEY, "price", silent_ms) is None
    assert market.aftermath.at(KEY, "oi", silent_ms) == pytest.approx(points[20][1])


def test_an_open_interest_that_was_there_at_the_beginning_is_no_outcome():
    market = Market()
    market.run([(100.0, 1_000.0)])
    for minute in (1, 2):
        market.price(T0 + minute * MINUTE_MS, 101.0)
        market.engine.tick(T0 + minute * MINUTE_MS)
    found = market.fared(0, 2, (100.0, 1_000.0))
    assert found.price == pytest.approx(0.01, rel=1e-5)
    assert found.oi is None


def test_an_excursion_needs_most_of_its_way():
    market, points = Market(), wave(40)
    market.run([*points[:10], *[None] * 8, *points[18:]])
    found = market.fared(5, 30, points[5])
    assert found.price is not None
    assert (found.high, found.low) == (None, None)


def test_a_contract_that_is_halted_or_not_listed_is_unknown():
    market, points = Market(), wave(30)
    market.run(points)
    assert market.fared(5, 20, points[5]).price is not None
    market.list(Instrument("binance", "BTCUSDT", "perpetual", "BTC", "USDT", "SETTLING"))
    assert market.fared(5, 20, points[5]) == Fared()
    assert market.aftermath.fared("binance:NOUSDT", T0, HOUR_MS, price=1.0, oi=1.0) == Fared()
    assert market.aftermath.at("binance:NOUSDT", "price", T0) is None
    assert market.aftermath.usual("binance:NOUSDT", "price", HOUR_MS, before_ms=T0) is None


def test_without_a_price_at_the_beginning_there_is_no_change():
    market = Market()
    market.run(wave(30))
    found = market.aftermath.fared(KEY, T0 + 5 * MINUTE_MS, 20 * MINUTE_MS, price=None, oi=1_000.0)
    assert (found.price, found.high, found.low) == (None, None, None)
    assert found.oi is not None


figures = st.tuples(st.floats(50, 150), st.floats(500, 1_500))
points_of = st.lists(st.none() | figures, min_size=10, max_size=10)


@settings(max_examples=30, deadline=None)
@given(points_of, points_of, points_of, st.integers(3, 9), st.data())
def test_nothing_that_comes_after_the_end_shows(before, one, other, end, data):
    """Two markets that are the same up to a time and differ afterwards answer the same about what ended by then, whether
    they are asked at once, or late.
    """
    begin = data.draw(st.integers(0, end - 1))
    late_ms = data.draw(st.integers(1, 59_000))
    asked = []
    for tail in (None, one, other):
        market = Market()
        market.run(before[: end + 1])
        if tail is not None:
            # The first of the tail already falls into the minute of the end.
            point = tail[0]
            if point is not None:
                market.price(T0 + end * MINUTE_MS + late_ms, point[0])
                market.oi(T0 + end * MINUTE_MS + late_ms, point[1])
                market.engine.tick(T0 + end * MINUTE_MS + late_ms)
            market.run(tail, start=end + 1)
        end_ms = T0 + end * MINUTE_MS
        asked.append(
            (
                market.fared(begin, end - begin, (100.0, 1_000.0)),
                market.aftermath.usual(KEY, "price", MINUTE_MS, before_ms=end_ms),
                market.aftermath.usual(KEY, "oi", MINUTE_MS, before_ms=end_ms),
            )
        )
    assert asked[0] == asked[1] == asked[2]
