"""Rows are stable; listings and delistings change only what they name."""

from dataclasses import replace

import numpy as np

from bot.market.market import Market
from bot.market.series import OI
from bot.market.universe import Universe
from bot.model.updates import InstrumentChange, InstrumentList


def test_a_list_adds_changes_and_removes(perpetual):
    universe = Universe()
    a, b = perpetual("A"), perpetual("B")
    universe.apply_list("binance", [a, b])
    row_b = universe.row(b.key)

    diff = universe.apply_list("binance", [replace(b, tick_size=0.1), perpetual("C")])

    assert [i.symbol for _, i in diff.removed] == ["AUSDT"]
    assert diff.changed == (row_b,)
    assert [universe.at(r).symbol for r in diff.added] == ["CUSDT"]
    assert universe.row(b.key) == row_b


def test_a_halt_keeps_the_row_and_settling_frees_it(perpetual):
    universe = Universe()
    a = perpetual("A")
    universe.apply_list("binance", [a])

    halted = universe.apply_change(replace(a, status="TRADING_HALT"))
    settled = universe.apply_change(replace(a, status="SETTLING"))

    assert halted.changed == (0,)
    assert [row for row, _ in settled.removed] == [0]
    assert universe.row(a.key) is None


def test_what_does_not_trade_yet_is_not_tracked(perpetual):
    universe = Universe()

    diff = universe.apply_list("binance", [replace(perpetual("A"), status="PENDING_TRADING")])

    assert not diff
    assert len(universe) == 0


def test_a_symbol_listed_anew_starts_with_empty_windows(perpetual):
    """The ticker was reused: yesterday's history of another coin must not be in its window."""
    market = Market()
    a = perpetual("A")
    market.apply_instruments(InstrumentList("binance", (a,)), 1_000_000)
    market.gauges.value[OI, 0] = 5.0

    market.apply_instruments(InstrumentChange(replace(a, onboard_ms=9)), 2_000_000)

    row = market.universe.row(a.key)
    assert np.isnan(market.gauges.value[OI, row])
    assert market.subscribed_ms[row] == 2_000_000


def test_the_generation_grows_only_with_changes(perpetual):
    universe = Universe()
    universe.apply_list("binance", [perpetual("A")])
    before = universe.generation

    universe.apply_list("binance", [perpetual("A")])

    assert universe.generation == before
