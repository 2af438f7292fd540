"""The official Binance connector, which nobody here wrote, must accept the simulated venue.

Its models are strict: integers that come as strings, or the reverse, are refused. It runs in an environment of its own
(`requirements-judges.lock`) against the venue as a separate process:

    python -m venv .venv-judges && .venv-judges/bin/pip install --require-hashes -r requirements-judges.lock
    .venv-judges/bin/python -m pytest tests/judges

`OIBOT_BIN` names another `oibot` command than `.venv/bin/python -m bot`.
"""

import asyncio
import json
import os
import shlex
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip(
    "binance_sdk_derivatives_trading_usds_futures", reason="the official connector lives in .venv-judges"
)

from binance_common.configuration import ConfigurationRestAPI, ConfigurationWebSocketStreams
from binance_sdk_derivatives_trading_usds_futures import DerivativesTradingUsdsFutures
from binance_sdk_derivatives_trading_usds_futures.rest_api.models import (
    KlineCandlestickDataIntervalEnum,
    MarkPriceKlineCandlestickDataIntervalEnum,
    OpenInterestStatisticsPeriodEnum,
    TopTraderLongShortRatioPositionsPeriodEnum,
)
from binance_sdk_derivatives_trading_usds_futures.websocket_streams.models import (
    KlineCandlestickStreamsIntervalEnum,
    MarkPriceStreamForAllMarketUpdateSpeedEnum,
)

REPO = Path(__file__).resolve().parents[2]
SPEED = 10


def _post(url: str, body: dict) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=10).close()


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


@pytest.fixture(scope="module")
def rest(venue):
    return DerivativesTradingUsdsFutures(
        config_rest_api=ConfigurationRestAPI(base_path=venue[0], timeout=20_000)
    ).rest_api


def test_time_and_exchange_information(rest):
    """The clock and the list of contracts parse, with every kind of contract in it."""
    server = rest.check_server_time().data()
    assert isinstance(server.server_time, int)

    info = rest.exchange_information().data()
    by_symbol = {s.symbol: s for s in info.symbols}
    assert len(by_symbol) == 120
    assert by_symbol["BTCUSDT"].status == "TRADING"
    assert {"PERPETUAL", "TRADIFI_PERPETUAL"} <= {s.contract_type for s in info.symbols}
    assert "币安人生USDT" in by_symbol
    assert {s.status for s in info.symbols} == {"TRADING", "SETTLING"}
    assert isinstance(by_symbol["ETHUSDT"].onboard_date, int)
    ticks = {f.filter_type: f.tick_size for f in by_symbol["BTCUSDT"].filters}
    assert float(ticks["PRICE_FILTER"]) == 0.1
    assert {limit.limit for limit in info.rate_limits} >= {2400}


def test_open_interest_and_its_history_agree(rest):
    """The polled value and the 5-minute rows are of one series."""
    now = rest.open_interest(symbol="BTCUSDT").data()
    rows = rest.open_interest_statistics(
        symbol="BTCUSDT", period=OpenInterestStatisticsPeriodEnum.PERIOD_5m, limit=30
    ).data()
    assert len(rows) == 30
    times = [row.timestamp for row in rows]
    assert times == list(range(times[0], times[0] + 30 * 300_000, 300_000))
    assert 0 <= now.time - times[-1] <= 360_000
    assert float(now.open_interest) == pytest.approx(float(rows[-1].sum_open_interest), rel=0.03)
    usd = float(rows[-1].sum_open_interest_value)
    assert 1e9 < usd < 2e10


def test_mark_prices(rest):
    """One contract and all of them parse into the two documented shapes."""
    one = rest.mark_price(symbol="ETHUSDT").data().actual_instance
    everything = rest.mark_price().data().actual_instance
    assert one.symbol == "ETHUSDT"
    assert float(one.mark_price) == pytest.approx(float(one.index_price), rel=0.005)
    assert len(everything) == 120
    assert any(row.last_funding_rate == "" and row.next_funding_time == 0 for row in everything)


def test_bars(rest):
    """Twelve elements each, ascending, high and low around open and close; mark prices carry no volume."""
    bars = rest.kline_candlestick_data(
        symbol="SOLUSDT", interval=KlineCandlestickDataIntervalEnum.INTERVAL_1m, limit=99
    ).data()
    marks = rest.mark_price_kline_candlestick_data(
        symbol="SOLUSDT", interval=MarkPriceKlineCandlestickDataIntervalEnum.INTERVAL_1m, limit=99
    ).data()
    assert len(bars) == len(marks) == 99
    for bar, mark in zip(bars, marks, strict=True):
        assert len(bar) == len(mark) == 12
        opened, high, low, close = map(float, bar[1:5])
        assert low <= min(opened, close) <= max(opened, close) <= high
        assert float(bar[7]) > 0
        assert float(mark[5]) == 0
        assert float(mark[1]) == pytest.approx(opened, rel=1e-3)


def test_stretches_of_bars(rest):
    """Five-minute bars between two times are those minutes put together, in all amounts."""
    interval = KlineCandlestickDataIntervalEnum
    fives = rest.kline_candlestick_data(symbol="ETHUSDT", interval=interval.INTERVAL_5m, limit=499).data()
    assert len(fives) == 499
    page = rest.kline_candlestick_data(
        symbol="ETHUSDT", interval=interval.INTERVAL_5m, limit=100, start_time=fives[100][0], end_time=fives[199][0]
    ).data()
    assert [bar[0] for bar in page] == [bar[0] for bar in fives[100:200]]
    assert [float(x) for bar in page for x in bar] == pytest.approx([float(x) for bar in fives[100:200] for x in bar])
    minutes = rest.kline_candlestick_data(
        symbol="ETHUSDT", interval=interval.INTERVAL_1m, limit=5, start_time=fives[100][0], end_time=fives[100][6]
    ).data()
    assert [bar[0] for bar in minutes] == [fives[100][0] + k * 60_000 for k in range(5)]
    assert sum(float(bar[7]) for bar in minutes) == pytest.approx(float(fives[100][7]))
    assert all(0 < float(bar[10]) < float(bar[7]) for bar in fives)


def test_positions_of_top_traders(rest):
    """Rows five minutes apart whose ratio is longs over shorts."""
    rows = rest.top_trader_long_short_ratio_positions(
        symbol="BTCUSDT", period=TopTraderLongShortRatioPositionsPeriodEnum.PERIOD_5m, limit=50
    ).data()
    times = [row.timestamp for row in rows]
    assert times == list(range(times[0], times[0] + 50 * 300_000, 300_000))
    for row in rows:
        longs, shorts = float(row.long_account), float(row.short_account)
        assert longs + shorts == pytest.approx(1.0, abs=1e-4)
        assert float(row.long_short_ratio) == pytest.approx(longs / shorts, rel=1e-3)


def test_day_tickers(rest):
    """One and all; the last price lies in the day's range."""
    one = rest.ticker24hr_price_change_statistics(symbol="BTCUSDT").data().actual_instance
    everything = rest.ticker24hr_price_change_statistics().data().actual_instance
    assert float(one.low_price) <= float(one.last_price) <= float(one.high_price)
    assert float(one.quote_volume) > 1e8
    assert len(everything) == 120


def test_an_unknown_symbol_is_the_documented_error(rest):
    """HTTP 400 with code -1121 is the connector's BadRequestError."""
    with pytest.raises(Exception, match="Invalid symbol") as caught:
        rest.open_interest(symbol="NOSUCHUSDT")
    assert type(caught.value).__name__ == "BadRequestError"


def _rows(message):
    inner = getattr(message, "root", message)
    return inner if isinstance(inner, list) else [inner]


async def _listen(venue) -> dict[str, list]:
    client = DerivativesTradingUsdsFutures(
        config_ws_streams=ConfigurationWebSocketStreams(stream_url=venue[1])
    ).websocket_streams
    connection = await client.create_connection()
    seen: dict[str, list] = {}
    try:
        handles = {
            "mark": await connection.mark_price_stream_for_all_market(
                update_speed=MarkPriceStreamForAllMarketUpdateSpeedEnum.UPDATE_SPEED_1s.value
            ),
            "mini": await connection.all_market_mini_tickers_stream(),
            "force": await connection.all_market_liquidation_order_streams(),
            "info": await connection.contract_info_stream(),
            "kline": await connection.kline_candlestick_streams(
                symbol="btcusdt", interval=KlineCandlestickStreamsIntervalEnum.INTERVAL_1m.value
            ),
        }
        for name, handle in handles.items():
            handle.on("message", lambda message, name=name: seen.setdefault(name, []).append(message))
        await asyncio.sleep(2)
        _post(f"{venue[0]}/sim/list", {"base": "JUDGED", "price": 2.5})
        async with asyncio.timeout(60):
            while not seen.keys() >= handles.keys() or not any(m.k.x for m in seen["kline"]):
                await asyncio.sleep(0.2)
    finally:
        await connection.close_connection(close_session=True)
    return seen


def test_streams(venue):
    """The five streams the bot lives on arrive as the connector's own types, with plausible values."""
    seen = asyncio.run(_listen(venue))

    marks = [row for message in seen["mark"] for row in _rows(message)]
    assert {row.e for row in marks} == {"markPriceUpdate"}
    assert {"BTCUSDT", "币安人生USDT", "XAUUSDT"} <= {row.s for row in marks}
    assert all(float(row.p) > 0 for row in marks)
    assert {row.st for row in marks} == {1, 2}
    bitcoin = [row.E for row in marks if row.s == "BTCUSDT"]
    assert bitcoin == sorted(set(bitcoin))

    minis = [row for message in seen["mini"] for row in _rows(message)]
    assert all(float(row.l) <= float(row.c) <= float(row.h) for row in minis)

    order = seen["force"][0]
    assert order.e == "forceOrder"
    assert order.o.S in {"BUY", "SELL"}
    assert float(order.o.q) > 0
    assert float(order.o.ap) * float(order.o.z) > 0

    listed = [message for message in seen["info"] if message.s == "JUDGEDUSDT"]
    assert listed
    assert listed[0].cs == "TRADING"
    assert listed[0].ct == "PERPETUAL"

    closed = next(message.k for message in seen["kline"] if message.k.x)
    assert closed.T - closed.t == 59_999
    assert 0 < float(closed.Q) < float(closed.q)
    assert float(closed.l) <= float(closed.c) <= float(closed.h)
