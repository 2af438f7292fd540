"""Recorded frames and answers through the parsers: nothing raises, and values come out in our units."""

import json
import math
from collections import Counter

import pytest

from bot.errors import PayloadError
from bot.feeds.binance import rest
from bot.feeds.binance.flows import FlowCounters, KlineReader, is_running, parse_klines, parse_long_short
from bot.feeds.binance.protocol import Protocol
from bot.model.updates import Liquidations, MarkPrices

REST = "rest_and_frames/gocryptotrader_binance_usdm_rest.jsonl.gz"
LIVE = "rest_and_frames/binance_rest_live_reads_and_errors_2025_2026.jsonl.gz"
FRAMES = "rest_and_frames/crypto_msg_parser_frames_binance_bybit_okx_bitget.jsonl.gz"
FRAMES_2026 = "ws/binance_recorded_frames_2026.jsonl.gz"


@pytest.fixture
def protocol(rows):
    return Protocol(rows)


def test_every_frame_of_2026(records, protocol, rows):
    prices, closed = {}, []
    for record in records(FRAMES_2026):
        received = protocol.receive(record["raw"], 1.0)
        assert received.readable
        is_price = "markPriceUpdate" in record["kind"] or "markPrice@arr" in record["kind"]
        is_order = "forceOrder" in record["kind"]
        assert (len(received.updates) == 1) is ((is_price and "st=2" not in record["kind"]) or is_order)
        for update in received.updates:
            if is_order:
                assert isinstance(update, Liquidations)
                closed.append(
                    (rows.symbols[update.rows[0]], update.event_ms[0], update.usd[0], bool(update.is_long[0]))
                )
                continue
            assert isinstance(update, MarkPrices)
            prices[int(update.event_ms[0])] = (
                rows.symbols[update.rows[0]], update.price[0], update.index[0], update.funding[0], update.next_funding_ms[0],
            )  # fmt: skip
    assert prices == {
        1786171884000: ("BTCUSDT", 64991.37858696, 65016.05673913, 0.00003936, 1786176000000),
        1785048483000: ("BTCUSDT", 64346.7, 64399.61608696, 0.00005301, 1785052800000),
        1788936948001: ("BTCUSDT", 79107.36658171, 79139.09565217, 0.00008359, 1788940800000),
    }
    assert closed == [
        ("STGUSDT", 1786172556607, pytest.approx(5 * 0.1355), True),
        ("ILVUSDT", 1791391082119, pytest.approx(116.5 * 3.85642), True),
    ]
    c = protocol.counters
    assert (c.frames, c.acks, c.rows_other_market, c.frames_ignored, c.frames_unreadable) == (9, 1, 1, 2, 0)


def test_the_closed_bar_of_2026_is_found_and_read_in_spite_of_its_spaces(records, rows):
    counters = FlowCounters()
    reader = KlineReader(rows, counters)
    (raw,) = [record["raw"].encode() for record in records(FRAMES_2026) if "kline_1m closed" in record["kind"]]
    assert not is_running(raw)
    bars = reader.frame(raw, 1.0)
    assert (rows.symbols[bars.rows[0]], bars.close_ms[0]) == ("BTCUSDT", 1786173360000)
    assert (bars.volume[0], bars.taker_buy[0]) == (590577.9688, 224795.0944)
    assert counters.rows_bad == 0


def test_of_the_klines_of_half_a_minute_only_the_closed_ones_are_decoded(lines, rows):
    reader, n_running, closed = KlineReader(rows, FlowCounters()), 0, []
    for line in lines("ws/cryptofeed/BINANCE_FUTURES.ws.1.0.txt.gz"):
        frame = line.strip().partition(": ")[2]
        if "@kline_1m" not in frame or not frame.startswith("{"):
            continue
        if is_running(frame.encode()):
            assert not json.loads(frame)["data"]["k"]["x"]
            n_running += 1
            continue
        sent, bars = json.loads(frame)["data"]["k"], reader.frame(frame.encode(), 1.0)
        assert sent["x"]
        assert (bars.close_ms[0], bars.volume[0]) == (sent["T"] + 1, float(sent["q"]))
        closed.append(rows.symbols[bars.rows[0]])
    assert len(closed) == len(set(closed)) == 4
    assert n_running > 40


def test_half_a_minute_of_2021_holds_nothing_for_us_and_raises_nothing(lines, protocol):
    events = Counter()
    for line in lines("ws/cryptofeed/BINANCE_FUTURES.ws.1.0.txt.gz"):
        _, separator, frame = line.strip().partition(": ")
        if not separator or not frame.startswith("{"):
            continue
        events[json.loads(frame)["data"]["e"]] += 1
        received = protocol.receive(frame.encode(), 1.0)
        assert received.readable
        assert received.updates == ()
    assert set(events) == {"aggTrade", "bookTicker", "depthUpdate", "kline"}
    assert events.total() == protocol.counters.frames == protocol.counters.frames_ignored == 1535
    assert protocol.last_frame_ms == {}


def test_the_full_list_of_2021(lines):
    (line,) = [x for x in lines("ws/cryptofeed/BINANCE_FUTURES.0.txt.gz") if "exchangeInfo" in x]
    body = line[line.index("{") :].encode()
    found, n_skipped = rest.read_instruments(body)
    assert n_skipped == 0
    assert len(found) == len(json.loads(body)["symbols"])
    kinds = Counter(instrument.kind for instrument in found)
    assert kinds == {"perpetual": len(found) - kinds["delivery"], "delivery": kinds["delivery"]}
    assert kinds["delivery"] >= 1
    by_symbol = {instrument.symbol: instrument for instrument in found}
    btc = by_symbol["BTCUSDT"]
    assert (btc.base, btc.quote, btc.tick_size, btc.step_size) == ("BTC", "USDT", 0.01, 0.001)
    assert btc.delivery_ms is None
    assert by_symbol["1000SHIBUSDT"].multiplier == 1000
    dated = next(i for i in found if i.kind == "delivery" and i.symbol.startswith("BTCUSDT_"))
    assert dated.delivery_ms is not None


def test_five_minutes_of_trades_and_quotes_are_passed_over(lines, protocol):
    n = 0
    for line in lines("ws/hftbacktest/binance_usdm_btcusdt_20240808.trade_bookTicker.txt.gz"):
        received = protocol.receive(line.partition(" ")[2].strip().encode(), 1.0)
        assert received.updates == ()
        n += 1
    assert n == protocol.counters.frames_ignored == 87_403


def read(path, query, body, rows):
    """The parser that is ours for a path, applied; None for paths we do not call."""
    match path:
        case "/fapi/v1/exchangeInfo":
            return rest.read_instruments(body)
        case "/fapi/v1/fundingInfo":
            return rest.parse_funding_intervals(body)
        case "/fapi/v1/time":
            return rest.parse_server_time(body)
        case "/fapi/v1/premiumIndex":
            return rest.parse_premium_index(body, rows, 1.0)
        case "/fapi/v1/ticker/24hr":
            return rest.parse_tickers(body, rows, 1.0, now_ms=10**13)
        case "/fapi/v1/openInterest":
            return rest.parse_open_interest(body)
        case "/futures/data/openInterestHist":
            return rest.parse_open_interest_history(body, 0)
        case "/fapi/v1/klines" if "interval=5m" in query:
            flows = parse_klines(body, 0, span_ms=300_000, now_ms=10**13, received_ms=1.0)
            sent = json.loads(body)
            assert flows.close_ms.tolist() == [bar[6] + 1 for bar in sent]
            assert flows.volume.tolist() == [float(bar[7]) for bar in sent]
            assert flows.taker_buy.tolist() == [float(bar[10]) for bar in sent]
            return rest.parse_price_klines(body, 0, interval_ms=300_000, now_ms=10**13)
        case "/futures/data/topLongShortPositionRatio":
            return parse_long_short(body, 0)
    return None


def test_every_recorded_rest_answer_of_ours_is_read(records, rows):
    seen = Counter()
    for record in records(REST):
        path, query, body = record["path"], record["query"], json.dumps(record["response"]).encode()
        if isinstance(record["response"], dict) and "code" in record["response"]:
            with pytest.raises(PayloadError, match=r"error answer -1121 'Invalid symbol\.'"):
                read(path, query, body, rows)
            continue
        found = read(path, query, body, rows)
        if found is None:
            continue
        seen[path] += 1
        if path == "/fapi/v1/openInterest":
            assert found == ("BTCUSDT", 83782.317, 1702244985273)
        elif path == "/futures/data/topLongShortPositionRatio":
            assert found.value.tolist() == [float(row["longShortRatio"]) for row in record["response"]]
            assert all(0.3 < value < 3 for value in found.value)
        elif path == "/futures/data/openInterestHist":
            assert len(found.time_ms) == len(record["response"])
            assert (found.time_ms[1:] > found.time_ms[:-1]).all()
            assert found.value[0] == float(record["response"][0]["sumOpenInterest"])
        elif path == "/fapi/v1/klines":
            assert found.value.tolist() == [float(bar[4]) for bar in record["response"]]
            assert found.time_ms.tolist() == [bar[6] + 1 for bar in record["response"]], "a bar stands at its close"
        elif path in {"/fapi/v1/premiumIndex", "/fapi/v1/ticker/24hr"}:
            many = record["response"] if isinstance(record["response"], list) else [record["response"]]
            assert len(found.rows) == len(many)
        elif path == "/fapi/v1/exchangeInfo":
            assert (len(found[0]), found[1]) == (len(record["response"]["symbols"]), 0)
        elif path == "/fapi/v1/fundingInfo":
            assert set(found.values()) <= {1.0, 4.0, 8.0}
            assert len(found) == len(record["response"])
    assert seen == {
        "/fapi/v1/exchangeInfo": 1, "/fapi/v1/fundingInfo": 1, "/fapi/v1/time": 1, "/fapi/v1/openInterest": 1,
        "/fapi/v1/premiumIndex": 2, "/fapi/v1/ticker/24hr": 2, "/futures/data/openInterestHist": 3, "/fapi/v1/klines": 3,
        "/futures/data/topLongShortPositionRatio": 3,
    }  # fmt: skip


def test_live_answers_and_every_refusal(records, rows):
    kinds = {}
    for record in records(LIVE):
        path, _, query = record["path"].partition("?")
        body = record["raw"].encode()
        if record["http"] != 200:
            found = rest.classify_error(record["http"], {}, body)
            kinds[(record["http"], found.code)] = found.kind
            continue
        found = read(path, query, body, rows)
        if path == "/fapi/v1/openInterest":
            assert found == ("BTCUSDT", 106312.376, 1789478297197)
        if path == "/fapi/v1/premiumIndex":
            assert (found.price[0], found.funding[0], found.event_ms[0]) == (76916.95122464, 0.00008972, 1789478303000)
        if path == "/fapi/v1/ticker/24hr":
            assert found.volume_24h.tolist() == [13258734360.38]
    assert kinds == {
        (400, -1121): "unknown_symbol", (400, -1120): "bad_request", (400, -1130): "bad_request",
        (401, -2014): "bad_request", (429, -1003): "limit", (418, -1003): "ban", (451, 0): "region",
        (403, None): "firewall",
    }  # fmt: skip


def test_frames_of_four_venues_never_raise_and_only_ours_give_prices(records, protocol, rows):
    prices = 0
    for record in records(FRAMES):
        received = protocol.receive(record["raw"], 1.0)
        assert received.readable
        if record["exchange"] != "binance":
            assert received.updates == ()
        for update in received.updates:
            if not isinstance(update, MarkPrices):
                continue
            payload = json.loads(record["raw"])["data"]
            sent = payload if isinstance(payload, list) else [payload]
            assert [rows.symbols[row] for row in update.rows] == [row["s"] for row in sent]
            assert update.price.tolist() == [float(row["p"]) for row in sent]
            for row, index, funding in zip(sent, update.index, update.funding, strict=True):
                assert index == float(row["i"]) if "i" in row else math.isnan(index)
                assert funding == float(row["r"]) if row["r"] else math.isnan(funding)
            prices += 1
    assert prices >= 4
    assert protocol.counters.frames == 161
    assert protocol.counters.frames_unreadable == 0


def test_open_interest_answers_of_other_venues_are_refused_in_words(records):
    ours = 0
    for record in records(FRAMES):
        if record["channel"] != "open_interest":
            continue
        try:
            symbol, amount, venue_ms = rest.parse_open_interest(record["raw"].encode())
        except PayloadError as error:
            assert "expected the answer of openInterest" in str(error)  # noqa: PT017 - most refuse, a few are ours
        else:
            assert record["exchange"] == "binance"
            assert symbol
            assert amount > 0
            assert venue_ms > 1_600_000_000_000
            ours += 1
    assert ours >= 1
