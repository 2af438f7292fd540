"""Minutes as they are gathered tick by tick: whole minutes, the ends included, and nothing that is not so."""

import numpy as np
import pytest

from bot.engine.inputs import Coverage, Listed, Reset
from bot.market.minutes import GRACE_MS, Minutes
from bot.model.updates import Bars, InstrumentChange, InstrumentList, Liquidations
from tests.unit.engine.conftest import T0, Feed

MINUTE = 60_000
RULES = "- {id: a, when: 'pct(price, 5m) > 5%'}\n"


class Gathering:
    """A market of A and B, ticked each second, and every bar that was given out by instrument, close and column."""

    def __init__(self, feed):
        self.feed = feed
        self.minutes = Minutes(feed.engine.market)
        self.bars = {}
        self.n_given = 0

    def tick(self, seconds=1.0):
        self.feed.engine.tick(self.feed.now)
        pieces = self.minutes.ticked(self.feed.now)
        self.n_given += pieces is not None
        for piece in pieces or ():
            assert piece.keys == tuple(i.key for i in self.minutes.instruments)
            for k, (row, close) in enumerate(zip(piece.row, piece.close_ms, strict=True)):
                for name, column in piece.columns.items():
                    if not np.isnan(column[k]):
                        self.bars.setdefault((piece.keys[row], int(close) - T0), {})[name] = float(column[k])
        self.feed.now += int(seconds * 1_000)

    def bar(self, symbol, minute):
        return self.bars.get((f"binance:{symbol}", minute * MINUTE))


@pytest.fixture
def gathering(rules_of, perpetual):
    def make(rules=RULES):
        return Gathering(Feed(rules_of(rules), [perpetual("A"), perpetual("B")]))

    return make


def test_a_bar_has_what_came_between_two_whole_minutes_the_later_one_included(gathering):
    g = gathering()
    for k in range(185):
        g.feed.prices({"AUSDT": 100.0 + k % 7, "BUSDT": 50.0 + k})
        g.tick()
    # The first tick stood at the very end of a minute.
    assert g.bar("AUSDT", 0) == pytest.approx(
        {"open": 100, "high": 100, "low": 100, "close": 100, "index": 100, "funding": 1e-4}
    )
    for minute in (1, 2, 3):
        seconds = range(60 * minute - 59, 60 * minute + 1)
        for symbol, prices in (("AUSDT", [100.0 + k % 7 for k in seconds]), ("BUSDT", [50.0 + k for k in seconds])):
            expected = {"open": prices[0], "high": max(prices), "low": min(prices), "close": prices[-1]}
            assert {name: g.bar(symbol, minute)[name] for name in expected} == expected
    assert g.bar("AUSDT", 4) is None
    assert g.n_given == 4


def test_open_interest_keeps_its_own_time_and_how_long_it_speaks(gathering):
    g = gathering()
    for k in range(130):
        g.feed.prices({"AUSDT": 100.0, "BUSDT": 50.0})
        if k % 20 == 7:
            g.feed.oi("AUSDT", 1_000.0 + k, interval_ms=20_000)
        g.tick()
    found = [g.bar("AUSDT", m) for m in (1, 2)]
    assert [(bar["oi"], bar["oi_ms"] - T0, bar["oi_valid_ms"]) for bar in found] == [
        (1047.0, 47_000.0, 50_000.0),
        (1107.0, 107_000.0, 50_000.0),
    ]
    assert "oi" not in g.bar("BUSDT", 1)


def test_a_sample_that_comes_after_the_end_of_its_minute_is_given_out_once_with_the_next(gathering):
    g = gathering()
    for k in range(245):
        g.feed.prices({"AUSDT": 100.0, "BUSDT": 50.0})
        if k == 62:
            later, g.feed.now = g.feed.now, T0 + 59_500
            g.feed.oi("AUSDT", 7.0)
            g.feed.now = later
        g.tick()
        if k == 125:
            assert (g.bar("AUSDT", 1)["oi"], g.bar("AUSDT", 1)["oi_ms"]) == (7.0, T0 + 59_500.0)
            g.bars.clear()
    assert all("oi" not in bar for bar in g.bars.values())


def test_what_the_windows_held_at_the_start_is_not_given_out_for_a_minute_before_it(gathering):
    """It was read before a restart, when something newer may have been given out for that minute."""
    g = gathering()
    for k in range(200):
        g.feed.prices({"AUSDT": 100.0, "BUSDT": 50.0})
        if k == 45:
            g.feed.oi("AUSDT", 7.0)
        if k == 70:
            g.minutes = Minutes(g.feed.engine.market)
            g.bars.clear()
        g.tick()
    assert "close" in g.bar("AUSDT", 2)
    assert all("oi" not in bar for bar in g.bars.values())


def test_nor_for_the_minute_that_runs_at_the_start_or_is_the_newest_that_windows_know(gathering):
    g = gathering()
    for k in range(200):
        if not 58 <= k < 75:
            g.feed.prices({"AUSDT": 100.0, "BUSDT": 50.0})
        if k == 45:
            g.feed.oi("AUSDT", 7.0)
        if k in {58, 60, 70}:
            g.minutes = Minutes(g.feed.engine.market)
            g.bars.clear()
        g.tick()
    assert all("oi" not in bar for bar in g.bars.values())


def test_who_falls_silent_has_no_price_from_then_on_and_the_minute_comes_without_it(gathering):
    g = gathering()
    for k in range(150):
        prices = {"AUSDT": 100.0}
        if k < 100:
            prices["BUSDT"] = 50.0
        g.feed.prices(prices)
        g.tick()
    assert g.bar("BUSDT", 1)["close"] == 50.0
    assert g.bar("BUSDT", 2) is None
    assert all(bar for bar in g.bars.values())
    assert g.bar("AUSDT", 2)["close"] == 100.0


def test_where_all_prices_stop_the_last_minute_comes_a_little_later_by_the_clock(gathering):
    g = gathering()
    for _ in range(56):
        g.feed.prices({"AUSDT": 100.0})
        g.tick()
    for _ in range(11):
        g.tick()
    assert g.bar("AUSDT", 1)["close"] == 100.0
    assert g.feed.now > T0 + MINUTE + GRACE_MS


def test_a_row_that_another_instrument_takes_over_brings_nothing_of_the_first(gathering, perpetual):
    g = gathering()
    for k in range(140):
        g.feed.prices({"AUSDT": 100.0, **({"BUSDT": 50.0} if k < 70 else {"CUSDT": 7.0} if k > 80 else {})})
        if k == 65:
            g.feed.oi("BUSDT", 5.0)
        g.tick()
        if k == 75:
            engine = g.feed.engine
            engine.consume(Listed(InstrumentList("binance", (perpetual("A"),)), g.feed.now))
            engine.consume(Listed(InstrumentList("binance", (perpetual("A"), perpetual("C"))), g.feed.now))
    assert g.bar("BUSDT", 1)["close"] == 50.0
    found = g.bar("CUSDT", 2)
    assert (found["open"], found["low"], found["high"]) == (7.0, 7.0, 7.0)
    assert "oi" not in found


def test_liquidations_are_those_of_a_minute_that_is_over_and_nothing_where_their_stream_was_lost(gathering):
    g = gathering("- {id: l, when: 'sum(liq_long, 1m) > 1'}\n")
    g.feed.engine.consume(Coverage("liquidations", live=True, at_ms=T0))
    for k in range(310):
        g.feed.prices({"AUSDT": 100.0, "BUSDT": 50.0})
        if k in {61, 119, 120, 121}:
            row = g.feed.row("AUSDT")
            g.feed.engine.consume(
                Liquidations(
                    np.array([row], dtype=np.int32),
                    np.array([g.feed.now], dtype=np.int64),
                    np.array([1_000.0 + k]),
                    np.array([True]),
                    0.0,
                )
            )
        if k == 200:
            g.feed.engine.consume(Coverage("liquidations", live=False, at_ms=g.feed.now))
        g.tick()
    assert g.bar("AUSDT", 2)["liq_long"] == 1061 + 1119 + 1120
    assert g.bar("AUSDT", 2)["liq_short"] == 0.0
    assert g.bar("AUSDT", 1)["liq_long"] == 0.0
    assert g.bar("BUSDT", 2)["liq_long"] == 0.0
    assert "liq_long" not in g.bar("AUSDT", 4)


def test_volumes_that_come_now_sooner_and_now_later_after_their_minute_are_all_given_out(gathering):
    """A bar that is late by more than the first price of the next minute, and one that is not, between two minutes given out."""
    g = gathering("- {id: a, when: 'sum(volume, 5m) > 1 and taker_buy > 2'}\n")
    arrives = {62: 1, 120: 2, 182: 3, 241: 4, 303: 5}
    for k in range(430):
        g.feed.prices({"AUSDT": 100.0, "BUSDT": 50.0})
        if k in arrives:
            minute = arrives[k]
            rows, close = np.zeros(1, dtype=np.int32), np.array([T0 + minute * MINUTE])
            g.feed.engine.consume(Bars(rows, close, np.array([10.1 * minute]), np.array([5.05 * minute]), MINUTE, 0.0))
        g.tick()
    found = [g.bar("AUSDT", minute) for minute in range(1, 6)]
    assert [bar.get("volume") for bar in found] == [10.1 * minute for minute in range(1, 6)]
    assert [bar.get("taker_buy") for bar in found] == [0.5] * 5
    assert all("volume" not in bar for (key, _), bar in g.bars.items() if key.endswith("BUSDT"))


def test_a_change_of_the_list_in_the_middle_of_a_minute_loses_nothing(gathering, perpetual):
    g = gathering()
    for k in range(70):
        prices = {"AUSDT": 100.0 + k, "BUSDT": 50.0}
        if k > 30:
            prices["NEWUSDT"] = 3.0
        g.feed.prices(prices)
        g.tick()
        if k == 30:
            g.feed.engine.consume(Listed(InstrumentChange(perpetual("NEW")), g.feed.now))
    assert (g.bar("AUSDT", 1)["open"], g.bar("AUSDT", 1)["close"]) == (101.0, 160.0)
    assert g.bar("NEWUSDT", 1)["open"] == 3.0


def test_after_the_venues_clock_was_ahead_and_went_back_open_interest_is_given_out_again(gathering):
    g = gathering()

    def run(seconds):
        for k in range(seconds):
            g.feed.prices({"AUSDT": 100.0, "BUSDT": 50.0})
            if k % 20 == 7:
                g.feed.oi("AUSDT", 1_000.0 + k, interval_ms=20_000)
            g.tick()

    run(130)
    g.feed.now += 3_600_000
    run(130)
    g.feed.now -= 3_600_000
    g.feed.engine.consume(Reset(g.feed.now))
    run(130)
    found = [(g.bar("AUSDT", minute) or {}).get("oi") for minute in (1, 2, 63, 64, 5, 6)]
    assert found == [1047.0, 1107.0, 1047.0, 1107.0, 1027.0, 1087.0]
