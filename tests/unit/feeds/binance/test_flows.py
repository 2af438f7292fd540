"""Forced orders, bars and ratios: bytes to columns."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import PayloadError
from bot.feeds.binance import rest
from bot.feeds.binance.flows import (
    FlowCounters,
    KlineReader,
    LiquidationReader,
    is_running,
    parse_klines,
    parse_long_short,
)
from bot.feeds.binance.protocol import Protocol
from bot.feeds.frames import Received
from bot.model.updates import Bars, Liquidations

FORCE = "!forceOrder@arr"
T0 = 1_791_391_080_000


def pack(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def force(symbol="BTCUSDT", side="SELL", *, top=None, **changes):
    order = {
        "s": symbol, "S": side, "o": "LIMIT", "f": "IOC", "q": "2", "p": "90", "ap": "95", "X": "FILLED", "l": "0.5", "z": "2",
        "T": T0,
    }  # fmt: skip
    order = {key: value for key, value in {**order, **changes}.items() if value is not ...}
    return {"e": "forceOrder", "E": T0 + 1005, "o": order, "ps": symbol, "st": 1, **(top or {})}


@pytest.fixture
def protocol(rows):
    return Protocol(rows)


def send(protocol, data):
    return protocol.receive(pack({"stream": FORCE, "data": data}), 7.0)


def test_a_forced_sell_closed_a_long_for_what_was_filled(protocol):
    received = send(protocol, force("ETHUSDT"))
    assert received.stream == FORCE
    (update,) = received.updates
    assert isinstance(update, Liquidations)
    assert (update.rows.tolist(), update.event_ms.tolist(), update.usd.tolist()) == ([1], [T0], [190.0])
    assert update.is_long.tolist() == [True]
    assert update.received_ms == 7.0
    (short,) = send(protocol, force("牛来USDT", "BUY")).updates
    assert (short.rows.tolist(), short.is_long.tolist()) == ([2], [False])


@pytest.mark.parametrize(
    ("changes", "usd"),
    [
        ({"z": "1.5"}, 142.5),
        ({"ap": "0"}, 180.0),
        ({"ap": ""}, 180.0),
        ({"ap": ...}, 180.0),
        ({"z": ...}, 190.0),
        ({"z": "", "q": "1"}, 95.0),
        ({"z": 2, "ap": 95.5}, 191.0),
        ({"fresh": {"x": 1}}, 190.0),
    ],
)
def test_the_amount_is_average_price_times_filled_and_falls_back(protocol, changes, usd):
    (update,) = send(protocol, force(**changes)).updates
    assert update.usd.tolist() == [usd]


@pytest.mark.parametrize(
    "changes",
    [
        {"z": "-1"}, {"z": "nonsense", "q": "x"}, {"ap": "x", "p": "0"}, {"S": "HOLD"}, {"S": ...}, {"ap": "1e17", "z": "1e10"},
        {"T": "never", "top": {"E": 0}}, {"z": "NaN", "q": "inf"},
    ],
)  # fmt: skip
def test_a_bad_row_is_counted_and_no_sign_of_life(protocol, changes):
    assert send(protocol, force(**changes)) == Received()
    assert protocol.liquidations.rows_bad == 1


def test_an_order_of_which_nothing_was_filled_closed_nothing(protocol):
    received = send(protocol, force(z="0"))
    assert (received.updates, received.stream) == ((), FORCE)
    assert protocol.liquidations.rows_bad == 0


@pytest.mark.parametrize("changed", [{"top": {"st": 2}}, {"st": 2}])
def test_other_markets_and_unknown_symbols_are_dropped_but_prove_the_stream_alive(protocol, changed):
    for data in (force(**changed), force("NOBODYUSDT")):
        received = send(protocol, data)
        assert (received.updates, received.stream) == ((), FORCE)
    c = protocol.liquidations
    assert (c.rows, c.rows_other_market, c.rows_unknown, c.rows_bad) == (2, 1, 1, 0)


def test_where_the_market_is_told_within_the_order_it_is_understood(protocol):
    (update,) = send(protocol, force(st=1, ps="BTCUSDT")).updates
    assert len(update.rows) == 1


def test_one_bad_row_of_an_array_costs_only_itself(protocol):
    (update,) = send(protocol, [force(), 7, force("ETHUSDT", T="x", top={"E": None}), force("ETHUSDT")]).updates
    assert update.rows.tolist() == [0, 1]
    assert protocol.liquidations.rows_bad == 2


def test_the_same_order_over_two_connections_counts_once(protocol):
    send(protocol, force())
    again = send(protocol, force())
    assert (again.updates, again.stream) == ((), FORCE)
    assert protocol.liquidations.rows_twice == 1
    assert len(send(protocol, force(T=T0 + 1000)).updates) == 1
    assert len(send(protocol, force(side="BUY")).updates) == 1


def test_what_is_remembered_is_bounded(rows):
    reader = LiquidationReader(rows, FlowCounters())
    for n in range(6000):
        reader.payload(pack(force(T=T0 + n)), 0.0)
    assert len(reader._seen) == 4096
    assert len(reader.payload(pack(force(T=T0)), 0.0).rows) == 1, "long forgotten"


# Bars


def kline(symbol="BTCUSDT", *, closed=True, top=None, **changes):
    bar = {
        "t": T0, "T": T0 + 59_999, "s": symbol, "i": "1m", "f": 100, "L": 200, "o": "1", "c": "2", "h": "3", "l": "1",
        "v": "1000", "n": 100, "x": closed, "q": "590577.96880", "V": "500", "Q": "224795.09440", "B": "0",
    }  # fmt: skip
    bar = {key: value for key, value in {**bar, **changes}.items() if value is not ...}
    return {"e": "kline", "E": T0 + 60_003, "s": symbol, "k": bar, "ps": symbol, "st": 1, **(top or {})}


def framed(data):
    return {"stream": f"{data['s'].lower()}@kline_1m", "data": data}


@pytest.fixture
def counters():
    return FlowCounters()


@pytest.fixture
def reader(rows, counters):
    return KlineReader(rows, counters)


def test_a_closed_bar_becomes_one_row_at_its_end(reader):
    for frame in (pack(framed(kline("ETHUSDT"))), pack(kline("ETHUSDT"))):
        bars = reader.frame(frame, 9.0)
        assert isinstance(bars, Bars)
        assert (bars.rows.tolist(), bars.close_ms.tolist(), bars.span_ms) == ([1], [T0 + 60_000], 60_000)
        assert (bars.volume.tolist(), bars.taker_buy.tolist()) == ([590577.9688], [224795.0944])
        assert bars.received_ms == 9.0


def test_only_a_bar_that_says_so_is_running():
    assert is_running(pack(framed(kline(closed=False))))
    assert not is_running(pack(framed(kline(closed=True))))


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (", ", ":"), (",", " : "), (" ,", ":")])
@pytest.mark.parametrize("closed", [True, False])
def test_whatever_the_spacing_a_closed_bar_is_read_and_a_running_one_is_not(reader, separators, closed):
    frame = json.dumps(framed(kline(closed=closed)), separators=separators).encode()
    if closed:
        assert not is_running(frame)
        assert isinstance(reader.frame(frame, 0.0), Bars)
    else:
        assert is_running(frame) or reader.frame(frame, 0.0) is True


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize(
    "other", [{"x": True}, {"x": False}, {"note": '"x":false'}, {"note": '"x":true'}, {"X": False}]
)
def test_another_x_elsewhere_in_the_frame_misleads_nobody(reader, closed, other):
    for data in ({**framed(kline(closed=closed)), **other}, framed(kline(closed=closed, top=other))):
        frame = pack(data)
        found = None if is_running(frame) else reader.frame(frame, 0.0)
        assert isinstance(found, Bars) is closed


@given(st.booleans(), st.dictionaries(st.text(max_size=3), st.booleans() | st.text(max_size=12), max_size=4))
def test_a_closed_bar_is_never_passed_over(closed, extra):
    extra = {key: value for key, value in extra.items() if key not in {"e", "s", "k", "st"}}
    frame = pack(framed(kline(closed=closed, top=extra)))
    assert not (closed and is_running(frame))


@pytest.mark.parametrize(
    "changes",
    [
        {"T": T0 + 60_000},
        {"T": -1},
        {"T": 60_000 * 2**50 - 1},
        {"q": "x"},
        {"q": "-1"},
        {"Q": "NaN"},
        {"Q": None},
        {"i": "5m"},
        {"q": "1e999"},
    ],
)
def test_a_bad_bar_is_counted(reader, counters, changes):
    assert reader.frame(pack(framed(kline(**changes))), 0.0) is True
    assert counters.rows_bad == 1


def test_a_minute_without_a_trade_is_a_bar_of_nothing_and_takers_never_exceed_the_whole(reader):
    assert reader.frame(pack(framed(kline(q="0", Q="0"))), 0.0).volume.tolist() == [0.0]
    assert reader.frame(pack(framed(kline(q="10", Q="10.0001"))), 0.0).taker_buy.tolist() == [10.0]


def test_foreign_frames_are_no_klines(reader, counters):
    for frame in (
        b"",
        b"\x00",
        b"{}",
        b"[]",
        b'{"result":null,"id":1}',
        pack(force()),
        b'{"stream":"x","data":{"e":"kline"}}',
    ):
        assert reader.frame(frame, 0.0) is False
    assert reader.frame(pack(framed(kline("NOBODYUSDT"))), 0.0) is True
    assert reader.frame(pack(framed(kline(top={"st": 2}))), 0.0) is True
    assert (counters.rows_unknown, counters.rows_other_market, counters.rows_bad) == (1, 1, 0)


class Everybody:
    generation = 0

    def row(self, symbol):
        return len(symbol)


@st.composite
def mutated(draw):
    frame = bytearray(pack(framed(kline())))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(frame)))
        frame[at : at + draw(st.integers(0, 6))] = draw(
            st.binary(max_size=4) | st.sampled_from([b"null", b"1e999", b'""', b"{", b"}", b'"x":false', b"-", b"\xff"])
        )
    return bytes(frame)


@given(st.binary(max_size=200) | mutated())
def test_bytes_of_any_kind_never_raise_and_every_bar_is_sound(body):
    is_running(body)
    found = KlineReader(Everybody(), FlowCounters()).frame(body, 0.0)
    if isinstance(found, Bars):
        assert 0 <= found.taker_buy[0] <= found.volume[0] < math.inf
        assert 0 < found.close_ms[0] < 2**63
        assert found.close_ms[0] % 60_000 == 0
    else:
        assert found in (True, False)


# History


def bar(opened, volume="100", taker="40", **_):
    return [opened, "1", "2", "0.5", "1.5", "70", opened + 59_999, volume, 12, "28", taker, "0"]


def test_klines_of_rest_are_closed_bars_ascending_in_quote_amounts():
    body = pack([bar(T0 + 60_000, "7", "3"), bar(T0), bar(T0, "100", "40"), bar(T0 + 120_000)])
    found = parse_klines(body, 4, span_ms=60_000, now_ms=T0 + 125_000, received_ms=3.0)
    assert found.rows.tolist() == [4, 4]
    assert found.close_ms.tolist() == [T0 + 60_000, T0 + 120_000]
    assert (found.volume.tolist(), found.taker_buy.tolist()) == ([100.0, 7.0], [40.0, 3.0])
    assert (found.span_ms, found.received_ms) == (60_000, 3.0)


def test_a_bar_that_ended_this_moment_may_still_grow():
    body = pack([bar(T0)])
    assert len(parse_klines(body, 0, span_ms=60_000, now_ms=T0 + 61_999, received_ms=0.0).rows) == 0
    assert len(parse_klines(body, 0, span_ms=60_000, now_ms=T0 + 62_000, received_ms=0.0).rows) == 1


@pytest.mark.parametrize(
    "bad", [[], [1, 2], bar(T0 + 1), bar(-60_000), bar(T0, "x"), bar(T0, "5", None), bar(T0, "-5"), {"a": 1}, None, 7]
)
def test_a_bad_bar_of_rest_costs_only_itself(bad):
    found = parse_klines(pack([bad, bar(T0 + 60_000)]), 0, span_ms=60_000, now_ms=T0 * 2, received_ms=0.0)
    assert found.close_ms.tolist() == [T0 + 120_000]


def test_ratios_are_longs_over_shorts_ascending():
    entries = [
        {"symbol": "BTCUSDT", "longShortRatio": "1.5", "longAccount": "0.6", "shortAccount": "0.4", "timestamp": T0 + 300_000},
        {"symbol": "BTCUSDT", "longShortRatio": 0.8, "timestamp": str(T0), "new": [1]},
        {"symbol": "BTCUSDT", "longShortRatio": "0", "timestamp": T0 + 600_000},
        {"symbol": "BTCUSDT", "longShortRatio": "2"},
    ]  # fmt: skip
    found = parse_long_short(pack(entries), 3)
    assert (found.row, found.series, found.valid_ms) == (3, "long_short", 450_000)
    assert (found.time_ms.tolist(), found.value.tolist()) == ([T0, T0 + 300_000], [0.8, 1.5])
    assert not any(math.isnan(x) for x in found.value)


@pytest.mark.parametrize("body", [b'{"code":-1121,"msg":"Invalid symbol."}', b"<html>", b"7"])
def test_an_answer_of_another_kind_is_refused_in_words(body):
    with pytest.raises(PayloadError, match="klines"):
        parse_klines(body, 0, span_ms=60_000, now_ms=T0, received_ms=0.0)
    with pytest.raises(PayloadError, match="topLongShortPositionRatio"):
        parse_long_short(body, 0)


def test_requests_name_pool_weight_and_both_ends():
    assert rest.klines("X").weight == 1
    assert rest.klines("X", interval="5m", limit=290).weight == 2
    assert rest.klines("X", interval="5m", limit=499, end_ms=T0).params[-2:] == (
        ("startTime", str(T0 - 498 * 300_000)), ("endTime", str(T0)),
    )  # fmt: skip
    assert rest.klines("币安人生USDT").target.startswith("/fapi/v1/klines?symbol=%E5%B8%81")
    ratio = rest.top_position_ratio("X", limit=9999)
    assert (ratio.path, ratio.pool, dict(ratio.params)["limit"]) == (
        "/futures/data/topLongShortPositionRatio", "data", "500",
    )  # fmt: skip
