"""What a venue sends, spoiled in any way: every reader gives sound columns or the one error that it declares."""

import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.errors import PayloadError
from bot.feeds.binance import bars, flows, past, refusals, rest
from bot.feeds.binance.instruments import read_instruments
from bot.feeds.binance.klines import KlineProtocol
from bot.feeds.binance.protocol import Protocol
from bot.feeds.calls import VenueError
from bot.feeds.frames import Received
from bot.model.instrument import Instrument
from bot.model.updates import Bars, InstrumentChange, Liquidations, MarkPrices, Tickers

HOUR_MS = 3_600_000
T0 = 1_789_478_400_000
NOW_MS = T0 + HOUR_MS
MARK = {"e": "markPriceUpdate", "E": T0, "s": "BTCUSDT", "p": "60000.10000000", "i": "60000.20000000",
        "r": "0.00010000", "T": T0 + HOUR_MS, "st": 1}  # fmt: skip
TICKER = {"e": "24hrMiniTicker", "E": T0, "s": "BTCUSDT", "c": "60000.1", "q": "123456.5", "st": 1}
ORDER = {"s": "BTCUSDT", "S": "SELL", "T": T0, "ap": "60000.5", "p": "60000.1", "z": "0.5", "q": "0.5"}
FORCE = {"e": "forceOrder", "E": T0, "o": ORDER}
CONTRACT = {
    "e": "contractInfo",
    "E": T0,
    "s": "NEWUSDT",
    "ct": "PERPETUAL",
    "cs": "TRADING",
    "dt": T0,
    "ot": T0,
    "st": 1,
}
KLINE = {"e": "kline", "E": T0, "s": "BTCUSDT", "k": {"T": T0 - 1, "x": True, "i": "1m", "q": "1000.5", "Q": "400.25"}}
LISTED = {
    "symbol": "BTCUSDT", "baseAsset": "BTC", "quoteAsset": "USDT", "status": "TRADING", "contractType": "PERPETUAL",
    "underlyingType": "COIN", "deliveryDate": 4_133_404_800_000, "onboardDate": T0,
    "filters": [{"filterType": "PRICE_FILTER", "tickSize": "0.10"}, {"filterType": "LOT_SIZE", "stepSize": "0.001"}],
}  # fmt: skip
BAR = [T0, "1.0", "2.0", "0.5", "1.5", "100.5", T0 + 59_999, "150.75", 42, "50.25", "75.5", "0"]


class Everything:
    """Knows the usual contracts and, as the symbols are any text, whatever looks like one."""

    generation = 1

    def row(self, symbol):
        return {"BTCUSDT": 0, "ETHUSDT": 1}.get(symbol, 2 if symbol.endswith("USDT") else None)

    def instruments(self):
        return [(0, Instrument("binance", "BTCUSDT", "perpetual", "BTC", "USDT", "TRADING"))]


ROWS = Everything()


def combined(stream, data):
    return {"stream": stream, "data": data}


FRAMES = [
    combined("!markPrice@arr@1s", [MARK, MARK | {"s": "ETHUSDT"}]),
    combined("!miniTicker@arr", [TICKER, TICKER | {"s": "ETHUSDT"}]),
    combined("!forceOrder@arr", FORCE),
    combined("!contractInfo", CONTRACT),
    combined("btcusdt@kline_1m", KLINE),
    [MARK],
    KLINE,
    FORCE,
    {"result": ["!markPrice@arr@1s"], "id": 1},
    {"error": {"code": 2, "msg": "Invalid request"}, "id": 1},
    {"e": "serverShutdown", "E": T0},
]
ANSWERS = {
    "server time": ({"serverTime": T0}, rest.parse_server_time),
    "funding intervals": ([{"symbol": "BTCUSDT", "fundingIntervalHours": 8}], rest.parse_funding_intervals),
    "premium index": (
        [{"symbol": "BTCUSDT", "markPrice": "1.5", "indexPrice": "1.4", "lastFundingRate": "0.0001", "time": T0,
          "nextFundingTime": T0}],
        lambda body: rest.parse_premium_index(body, ROWS, 1.0),
    ),
    "tickers": (
        [{"symbol": "BTCUSDT", "quoteVolume": "1.5", "closeTime": T0}],
        lambda body: rest.parse_tickers(body, ROWS, 1.0, now_ms=NOW_MS),
    ),
    "open interest": ({"symbol": "BTCUSDT", "openInterest": "1.5", "time": T0}, rest.parse_open_interest),
    "open interest history": (
        [{"sumOpenInterest": "1.5", "timestamp": T0 + n} for n in range(3)],
        lambda body: rest.parse_open_interest_history(body, 0),
    ),
    "fundings": (
        [{"fundingRate": "0.0001", "fundingTime": T0, "rateType": "Regular"}],
        lambda body: rest.parse_funding_history(body, 0),
    ),
    "ratios": (
        [{"longShortRatio": "1.5", "timestamp": T0, "longAccount": "0.6", "shortAccount": "0.4"}],
        lambda body: flows.parse_long_short(body, 0),
    ),
    "price bars": ([BAR], lambda body: rest.parse_price_klines(body, 0, interval_ms=60_000, now_ms=NOW_MS)),
    "volume bars": (
        [BAR],
        lambda body: flows.parse_klines(body, 0, span_ms=60_000, now_ms=NOW_MS, received_ms=1.0),
    ),
    "open bars": ([BAR], lambda body: flows.parse_open_bars(body, span_ms=60_000)),
    "mark bars": ([BAR], lambda body: bars.parse_mark_bars(body, "binance:BTCUSDT", now_ms=NOW_MS)),
    "traded bars": ([BAR], lambda body: bars.parse_traded_bars(body, "binance:BTCUSDT", now_ms=NOW_MS)),
    "instruments": ({"symbols": [LISTED, LISTED | {"symbol": "ETHUSDT"}]}, read_instruments),
    **{
        f"long look at {series}": (body, lambda body, series=series: past._read(body, series, 60_000, NOW_MS))
        for series, body in {
            "price": [BAR],
            "volume": [BAR],
            "oi": [{"sumOpenInterest": "1.5", "timestamp": T0}],
            "funding": [{"fundingRate": "0.0001", "fundingTime": T0}],
            "long_short": [{"longShortRatio": "1.5", "timestamp": T0}],
        }.items()
    },
}  # fmt: skip

odd_value = st.sampled_from([
    None, True, False, "", " ", "NaN", "nan", "Infinity", "-inf", "1e400", "-1e400", "1e308", "1e18", "1e-400", "-0", "+1", "1_0",
    "0x1F", "١٢", "1,5", "abc", "\x00", "\ud800", "USDT", "牛来USDT", "x" * 5_000, "9" * 5_000, 0, -1, 1.5, 1e308, -1e308, 5e-324,
    2**31, 2**53, 2**63, 2**64, -(2**63) - 1, 10**400, [], {}, [[]], [None], {"a": 1}, T0, str(T0), f"{T0}.5",
])  # fmt: skip
paths = st.lists(st.integers(0, 30), min_size=1, max_size=6)


def put(tree, path, value, *, drops):
    """The tree with another value, or with nothing, in one place of it."""
    if not path or not isinstance(tree, (dict, list)) or not tree:
        return value
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
    key = keys[path[0] % len(keys)]
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    if drops and len(path) == 1:
        del copy[key]
    else:
        copy[key] = put(tree[key], path[1:], value, drops=drops)
    return copy


def text_of(tree, *, bare_nan):
    return json.dumps(tree, separators=(",", ":"), allow_nan=bare_nan, ensure_ascii=bare_nan)


@st.composite
def spoiled(draw, tree):
    """Bytes that were that tree as JSON: with odd values, without keys, cut, doubled, or with other bytes in them."""
    for _ in range(draw(st.integers(0, 3))):
        tree = put(tree, draw(paths), draw(odd_value), drops=draw(st.booleans()))
    body = text_of(tree, bare_nan=draw(st.booleans())).encode("utf-8", "surrogatepass")
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, len(body)))
        to = min(len(body), at + draw(st.integers(0, 40)))
        middle = draw(st.binary(max_size=6) | st.sampled_from([
            body[at:to] * 2, b"", b"NaN", b"Infinity", b"-", b"1e999", b'"', b"[", b"{", b"]", b"}", b",", b"\\u0000",
            b"\\ud800", b"\xff", b"\x00", b"9" * 400,
        ]))  # fmt: skip
        body = body[:at] + middle + body[to:]
    return body[: draw(st.integers(0, len(body)))] if draw(st.integers(0, 9)) == 0 else body


def is_sound(found):
    """Columns of one length, times that a float holds, no value without end."""
    for update in found if isinstance(found, tuple) else (found,):
        columns = [column for column in vars_of(update) if isinstance(column, np.ndarray)]
        assert len({len(column) for column in columns}) <= 1
        for column in columns:
            assert not np.isinf(column.astype(np.float64)).any()
            assert (np.abs(np.nan_to_num(column.astype(np.float64))) <= 1e19).all()


def vars_of(value):
    names = getattr(type(value), "__slots__", ()) or getattr(value, "__dict__", ())
    return [getattr(value, name) for name in names]


def outcome(parse, body):
    """What was read, or the error that is declared."""
    try:
        return parse(body)
    except PayloadError as error:
        return error


FLAT = [b"", b"null", b"0", b'""', b"[]", b"{}", b"[[]]", b"[{}]", b"\xff\xfe", b"\xef\xbb\xbf[]", b"<html>451</html>"]
DEEP = [opening * n for opening in (b"[", b'{"a":', b'[{"symbols":') for n in (900, 990, 1_000, 100_000)]
DEEP += [b"[" * n + b"]" * n for n in range(900, 1_030, 3)]


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_of_any_content_is_read_or_refused_with_the_declared_error(name):
    tree, parse = ANSWERS[name]

    @given(spoiled(tree) | st.binary(max_size=200))
    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def check(body):
        found = outcome(parse, body)
        if isinstance(found, PayloadError):
            assert len(str(found)) < 400
        else:
            is_sound(found)

    is_sound(parse(json.dumps(tree).encode()))
    for body in (*FLAT, *DEEP):
        outcome(parse, body)
    check()


@given(st.sampled_from(FRAMES).flatmap(spoiled) | st.binary(max_size=200), st.booleans(), st.booleans())
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(b"[" * 995 + b"]" * 995, False, True)
def test_no_frame_raises_on_a_connection_that_has_heard_sound_ones(frame, as_text, is_warm):
    """What was remembered of earlier frames, as imprints are, makes no difference to what is read."""
    protocol, klines = Protocol(ROWS), KlineProtocol(ROWS, flows.FlowCounters())
    if is_warm:
        for n in range(4):
            marks = [MARK | {"E": T0 + n}, MARK | {"E": T0 + n, "s": "ETHUSDT"}]
            protocol.receive(text_of(combined("!markPrice@arr@1s", marks), bare_nan=False).encode(), 1.0)
    sent = frame.decode("utf-8", "replace") if as_text else frame
    received = protocol.receive(sent, 2.0)
    of_bars = klines.receive(sent, 2.0)
    for one in (received, of_bars):
        assert isinstance(one, Received)
        assert len(one.error or "") <= 200
        is_sound(one.updates)
    fresh = Protocol(ROWS).receive(sent, 2.0)
    assert fresh.readable == received.readable
    assert [type(update) for update in fresh.updates] == [type(update) for update in received.updates]
    for one, other in zip(received.updates, fresh.updates, strict=True):
        for column, again in zip(vars_of(one), vars_of(other), strict=True):
            np.testing.assert_array_equal(column, again)


def test_what_is_sound_is_read():
    """The trees above are what the readers expect, or spoiling them would show nothing."""
    kinds = {MarkPrices, Tickers, Liquidations, InstrumentChange}
    found = {type(u) for tree in FRAMES for u in Protocol(ROWS).receive(json.dumps(tree), 1.0).updates}
    assert found == kinds
    (bar,) = KlineProtocol(ROWS, flows.FlowCounters()).receive(json.dumps(KLINE), 1.0).updates
    assert isinstance(bar, Bars)


REFUSAL = {"code": -1003, "msg": "Way too many requests; IP(1.2.3.4) banned until 1789478400000."}


@given(
    spoiled(REFUSAL) | st.binary(max_size=200),
    st.sampled_from([200, 302, 400, 403, 408, 418, 429, 451, 500, 503, 999]),
    st.dictionaries(st.sampled_from(["Retry-After", "X-MBX-USED-WEIGHT-1M"]), st.text(max_size=12) | st.sampled_from(
        ["nan", "inf", "-1", "1e400", "٣", "9" * 5_000, "5"])),
)  # fmt: skip
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_refusal_of_any_content_is_one_value(body, status, headers):
    found = refusals.classify_error(status, headers, body)
    assert isinstance(found, VenueError)
    assert "\n" not in found.text
    assert "1.2.3.4" not in found.text or b"IP(" not in body
    assert len(found.text) < 300
    assert found.retry_after_s is None or 0 <= found.retry_after_s < math.inf
    used = refusals.parse_used_weight(headers)
    assert used is None or used >= 0


def test_a_refusal_nested_as_deeply_as_it_can_be_read():
    for body in DEEP:
        assert isinstance(refusals.classify_error(400, {}, body), VenueError)
