"""ccxt's `binanceusdm`, REST and WebSocket, which nobody here wrote, must accept the simulated venue.

It knows nothing of the simulator: only the hosts in its addresses are replaced. It runs in an environment of its own
(`requirements-judges-ccxt.lock`) against the venue as a separate process; `make judges` does both.

`OIBOT_BIN` names another `oibot` command than `.venv/bin/python -m bot`.
"""

import asyncio
import os
import shlex
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import pytest

ccxt = pytest.importorskip("ccxt.pro", reason="ccxt lives in .venv-judges-ccxt")

REPO = Path(__file__).resolve().parents[2]
SPEED = 10
BTC, CHINESE = "BTC/USDT:USDT", "币安人生/USDT:USDT"


@pytest.fixture(scope="module")
def venue():
    """Return (rest URL, stream URL) of a fresh venue that ends with this module."""
    command = shlex.split(os.environ.get("OIBOT_BIN", f"{REPO / '.venv/bin/python'} -m bot"))
    arguments = ["sim", "--port", "0", "--seed", "7", "--instruments", "120", "--until-stdin-closes"]
    arguments += ["--speed", str(SPEED), "--epoch-ms", str(int(time.time() * 1000))]
    process = subprocess.Popen(
        [*command, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPO
    )
    try:
        urls = dict(process.stdout.readline().split() for _ in range(2))
        yield urls["rest"], urls["stream"]
    finally:
        process.stdin.close()
        try:
            assert process.wait(timeout=15) == 0, "the venue must end cleanly when its parent lets go"
        finally:
            process.kill()
            process.stdout.close()


@pytest.fixture
def ask(venue):
    """Run a coroutine function on a fresh client whose markets are loaded."""

    def moved(value: object) -> object:
        if isinstance(value, dict):
            return {key: moved(inner) for key, inner in value.items()}
        return value.replace("https://fapi.binance.com", venue[0]) if isinstance(value, str) else value

    def run(question):
        async def session():
            exchange = ccxt.binanceusdm({"options": {"fetchMarkets": {"types": ["linear"]}}})
            exchange.urls["api"] = moved(exchange.urls["api"])
            exchange.urls["api"]["ws"]["linear"] = f"{venue[1]}/ws"
            try:
                async with asyncio.timeout(60):
                    await exchange.load_markets()
                    return await question(exchange)
            finally:
                await exchange.close()

        return asyncio.run(session())

    return run


def test_markets(ask):
    """Every kind of contract, with limits and states as ccxt understands them."""

    async def question(exchange):
        return exchange.markets, await exchange.fetch_time()

    markets, server_ms = ask(question)
    assert len(markets) == 120
    bitcoin = markets[BTC]
    assert bitcoin["swap"]
    assert bitcoin["linear"]
    assert bitcoin["active"]
    assert bitcoin["contractSize"] == 1
    assert bitcoin["precision"]["price"] == pytest.approx(0.1)
    assert bitcoin["limits"]["cost"]["min"] == 50
    assert CHINESE in markets
    assert any(m["future"] and m["expiry"] > server_ms for m in markets.values())
    assert [m["id"] for m in markets.values() if not m["active"]] == ["FTMUSDT"]


def test_open_interest_now_and_before(ask):
    """The polled amount and the newest row of the history are of one series; a symbol of any script works."""

    async def question(exchange):
        return (
            await exchange.fetch_open_interest(BTC),
            await exchange.fetch_open_interest_history(BTC, "5m", limit=30),
            await exchange.fetch_open_interest(CHINESE),
        )

    now, rows, chinese = ask(question)
    assert now["symbol"] == BTC
    assert len(rows) == 30
    assert {b["timestamp"] - a["timestamp"] for a, b in pairwise(rows)} == {300_000}
    assert now["openInterestAmount"] == pytest.approx(rows[-1]["openInterestAmount"], rel=0.03)
    assert 1e9 < rows[-1]["openInterestValue"] < 2e10
    assert chinese["openInterestAmount"] > 0


def test_funding_and_mark_prices(ask):
    """Rates, their history and intervals; mark and index beside each other."""

    async def question(exchange):
        return (
            await exchange.fetch_funding_rate(BTC),
            await exchange.fetch_funding_rates(),
            await exchange.fetch_funding_rate_history(BTC, limit=10),
            await exchange.fetch_funding_intervals(),
            await exchange.fetch_mark_price(BTC),
        )

    one, rates, history, intervals, mark = ask(question)
    assert abs(one["fundingRate"]) < 0.01
    assert one["markPrice"] == pytest.approx(one["indexPrice"], rel=0.005)
    assert len(rates) > 100
    assert len(history) == 10
    hours = [(b["timestamp"] - a["timestamp"]) / 3_600_000 for a, b in pairwise(history)]
    assert hours == pytest.approx([8.0] * 9, abs=1e-4), "the venue's times are off by a few milliseconds"
    assert {entry["interval"] for entry in intervals.values()} <= {"1h", "4h", "8h"}
    assert mark["markPrice"] > 0


def test_bars_and_tickers(ask):
    """Bars of trades and of mark prices ascend and agree; all tickers parse."""

    async def question(exchange):
        return (
            await exchange.fetch_ohlcv("SOL/USDT:USDT", "1m", limit=99),
            await exchange.fetch_ohlcv("SOL/USDT:USDT", "1m", limit=99, params={"price": "mark"}),
            await exchange.fetch_tickers(),
        )

    bars, marks, tickers = ask(question)
    assert len(bars) == len(marks) == 99
    for bar, mark in zip(bars, marks, strict=True):
        opened, high, low, close, volume = bar[1:]
        assert low <= min(opened, close) <= max(opened, close) <= high
        assert volume > 0
        assert mark[1] == pytest.approx(opened, rel=1e-3)
    assert len(tickers) > 100
    assert tickers[BTC]["low"] <= tickers[BTC]["last"] <= tickers[BTC]["high"]


def test_errors_are_ccxts_own(ask):
    """A symbol that does not trade and one that does not exist are refusals, not surprises."""

    async def question(exchange):
        with pytest.raises(ccxt.BadSymbol):
            await exchange.fapipublic_get_openinterest({"symbol": "NOSUCHUSDT"})
        with pytest.raises(ccxt.ExchangeError) as settled:
            await exchange.fapipublic_get_openinterest({"symbol": "FTMUSDT"})
        return str(settled.value)

    assert "-4108" in ask(question)


def test_streams(ask):
    """Mark prices of one and of all, bars, tickers and liquidations arrive through ccxt's own subscriptions."""

    async def question(exchange):
        one, everything, bars, ticker, forced = await asyncio.gather(
            exchange.watch_mark_price(BTC),
            exchange.watch_mark_prices([BTC, "ETH/USDT:USDT"]),
            exchange.watch_ohlcv(BTC, "1m"),
            exchange.watch_ticker(BTC),
            exchange.watch_liquidations_for_symbols([]),
        )
        seen = [await exchange.watch_mark_price(BTC) for _ in range(5)]
        return one, everything, bars, ticker, forced, [tick["timestamp"] for tick in seen]

    one, everything, bars, ticker, forced, times = ask(question)
    assert one["symbol"] == BTC
    assert one["markPrice"] == pytest.approx(one["indexPrice"], rel=0.005)
    assert everything
    assert bars[-1][2] >= bars[-1][3] > 0
    assert ticker["last"] == pytest.approx(one["markPrice"], rel=0.02)
    assert times == sorted(set(times))
    assert forced[0]["side"] in {"buy", "sell"}
    assert forced[0]["contracts"] > 0
    assert forced[0]["price"] > 0
