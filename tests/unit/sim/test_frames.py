"""Frames are valid JSON in the venue's shapes."""

import json

import numpy as np
import pytest

from bot.sim import frames
from bot.sim.market import Market

NOW_MS = 1_795_431_000_000


@pytest.fixture(scope="module")
def market() -> Market:
    market = Market(seed=1, n_instruments=60, start_ms=NOW_MS, script=False)
    market.slide(NOW_MS)
    return market


def test_a_mark_price_tick_is_two_messages_that_together_hold_the_universe(market):
    first, second = (json.loads(text) for text in frames.mark_arrays(market, NOW_MS))
    assert {row["st"] for row in first} == {1}
    assert {row["st"] for row in second} == {1, 2}
    symbols = [row["s"] for row in first + second if row["st"] == 1]
    assert sorted(symbols) == sorted(spec.symbol for spec in market.specs)
    assert "币安人生USDT" in symbols
    assert "XAUUSDT" not in {row["s"] for row in first}
    for row in first + second:
        assert list(row) == ["e", "E", "s", "p", "ap", "P", "i", "r", "T", "st"]
        assert float(row["p"]) > 0
        assert row["E"] == NOW_MS


def test_delivery_contracts_have_no_funding(market):
    rows = {row["s"]: row for text in frames.mark_arrays(market, NOW_MS) for row in json.loads(text)}
    assert (rows["BTCUSDT_270326"]["r"], rows["BTCUSDT_270326"]["T"]) == ("", 0)
    assert (rows["FTMUSDT"]["r"], rows["FTMUSDT"]["st"]) == ("0.00000000", 1)
    assert rows["BTCUSDT"]["T"] > NOW_MS


@pytest.mark.parametrize("mini", [True, False])
def test_ticker_arrays_hold_only_what_traded(market, mini):
    tickers = frames.Tickers(market)
    first = json.loads(tickers.changed(tickers.columns(NOW_MS), NOW_MS, mini=mini))
    assert len(first) == 59, "all but the settling one"
    assert tickers.changed(tickers.columns(NOW_MS), NOW_MS, mini=mini) is None
    later = json.loads(tickers.changed(tickers.columns(NOW_MS + 1000), NOW_MS + 1000, mini=mini))
    assert 0 < len(later) < 59
    for row in first:
        assert float(row["l"]) <= float(row["c"]) <= float(row["h"])


def test_a_closed_kline_ends_where_the_next_begins(market):
    end_ms = NOW_MS // 60_000 * 60_000
    closed = json.loads(frames.kline(market, 0, end_ms, closed=True))["k"]
    running = json.loads(frames.kline(market, 0, end_ms + 2000, closed=False))["k"]
    assert (closed["x"], running["x"]) == (True, False)
    assert closed["T"] + 1 == running["t"] == end_ms
    assert closed["c"] == running["o"]


def test_other_payloads_are_objects_with_their_names(market):
    prices = market.prices(NOW_MS)
    trade = json.loads(frames.trade(market, 1, float(prices[1]), NOW_MS))
    assert (trade["e"], trade["s"], type(trade["m"])) == ("aggTrade", "ETHUSDT", bool)
    info = json.loads(frames.contract_info(market, market.rows["FTMUSDT"], NOW_MS))
    assert (info["e"], info["cs"], info["ct"]) == ("contractInfo", "SETTLING", "PERPETUAL")
    orders = [json.loads(p) for s in range(600) for _, p in frames.liquidations(market, NOW_MS + 1000 * s)]
    assert orders
    assert {o["e"] for o in orders} == {"forceOrder"}
    assert {o["o"]["S"] for o in orders} == {"BUY", "SELL"}
    assert np.all([float(o["o"]["q"]) > 0 for o in orders])
    pairs = [(o["E"], o["o"]["s"]) for o in orders]
    assert len(pairs) == len(set(pairs)), "at most one per symbol and second"
