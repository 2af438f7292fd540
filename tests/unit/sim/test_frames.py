"""Frames are valid JSON in the venue's shapes."""

import json

import numpy as np
import pytest

from bot.sim import answers, frames, universe
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
    closed = json.loads(frames.closed_kline(market, 0, end_ms))["k"]
    bars = frames.RunningKlines(market)
    bars.tick(end_ms + 2000)
    running = json.loads(bars.one(0))["k"]
    assert (closed["x"], running["x"]) == (True, False)
    assert closed["T"] + 1 == running["t"] == end_ms
    assert closed["c"] == running["o"]


def test_a_running_kline_grows_into_the_closed_one_and_rest_tells_the_same(market):
    open_ms = NOW_MS // 60_000 * 60_000
    bars = frames.RunningKlines(market)
    seen = []
    for second in range(1, 60):
        bars.tick(open_ms + second * 1000)
        seen.append(json.loads(bars.one(3))["k"])
    closed = json.loads(frames.closed_kline(market, 3, open_ms + 60_000))["k"]
    amounts = [float(k["q"]) for k in [*seen, closed]]
    assert amounts == sorted(amounts)
    assert amounts[-2] == pytest.approx(amounts[-1] * 59 / 60, rel=1e-6)
    assert all(float(closed["l"]) <= float(k["l"]) <= float(k["h"]) <= float(closed["h"]) for k in seen)
    assert all(0 < float(k["Q"]) < float(k["q"]) for k in [*seen, closed])
    (bar,) = answers.klines(market, 3, np.array([open_ms]), 60_000, open_ms + 60_000, mark=False)
    assert [closed[key] for key in "tohlcvTqnVQB"] == bar


def test_running_klines_speak_of_each_contract_and_of_a_new_one():
    market = Market(seed=1, n_instruments=60, start_ms=NOW_MS, script=False)
    bars = frames.RunningKlines(market)
    bars.tick(NOW_MS)
    market.add(universe.make(3, "NEWCOIN", 2.0, 80, onboard_ms=NOW_MS))
    bars.tick(NOW_MS + 1000)
    assert {json.loads(bars.one(row))["s"] for row in range(60)} == {spec.symbol for spec in market.specs[:60]}
    assert json.loads(bars.one(60))["s"] == "NEWCOINUSDT", "a listing joins at once"


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
