import contextlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import PayloadError
from bot.feeds.binance import rest
from bot.feeds.binance.constants import LONGEST_BAN_S


def body(value):
    return json.dumps(value).encode()


# Requests


def test_symbols_of_any_script_are_percent_encoded():
    request = rest.open_interest("币安人生USDT")
    assert request.target == "/fapi/v1/openInterest?symbol=%E5%B8%81%E5%AE%89%E4%BA%BA%E7%94%9FUSDT"
    assert rest.open_interest("A&B=C/D").target == "/fapi/v1/openInterest?symbol=A%26B%3DC%2FD"
    assert rest.exchange_info().target == "/fapi/v1/exchangeInfo"


def test_no_path_holds_a_doubled_slash():
    requests = [
        rest.exchange_info(), rest.server_time(), rest.premium_index(), rest.ticker_24h(), rest.funding_info(),
        rest.open_interest("X"), rest.open_interest_history("X"), rest.mark_price_klines("X"),
    ]  # fmt: skip
    for request in requests:
        assert request.target.startswith("/")
        assert "//" not in request.target


def test_weights_and_pools_are_the_published_ones():
    assert (rest.premium_index().weight, rest.ticker_24h().weight, rest.exchange_info().weight) == (10, 40, 1)
    assert (rest.open_interest("X").weight, rest.open_interest("X").pool) == (1, "weight")
    assert (rest.open_interest_history("X").weight, rest.open_interest_history("X").pool) == (1, "data")
    assert rest.funding_info().pool == "funding"
    weights = {
        limit: rest.mark_price_klines("X", limit=limit).weight for limit in (99, 100, 499, 500, 1000, 1001, 1500)
    }
    assert weights == {99: 1, 100: 2, 499: 2, 500: 5, 1000: 5, 1001: 10, 1500: 10}


def test_limits_beyond_the_venue_s_are_cut():
    assert rest.open_interest_history("X", limit=9999).params[-1] == ("limit", "500")
    assert rest.mark_price_klines("X", limit=9999).params[-1] == ("limit", "1500")
    assert rest.open_interest_history("X").target == "/futures/data/openInterestHist?symbol=X&period=5m&limit=288"


# Instruments


def contract(symbol, **changes):
    return {
        "symbol": symbol, "contractType": "PERPETUAL", "underlyingType": "COIN", "status": "TRADING",
        "baseAsset": "BTC", "quoteAsset": "USDT", "deliveryDate": 4133404800000, "onboardDate": 1569398400000,
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": "0.10"},
            {"filterType": "MARKET_LOT_SIZE", "stepSize": "5"},
            {"filterType": "LOT_SIZE", "stepSize": "0.001"},
            {"filterType": "MIN_NOTIONAL", "notional": "100"},
        ],
        **changes,
    }  # fmt: skip


def one(**changes):
    (found,) = rest.parse_instruments(body({"symbols": [contract("BTCUSDT", **changes)]}))
    return found


def test_a_contract_with_its_filters():
    found = one()
    assert found.key == "binance:BTCUSDT"
    assert (found.kind, found.base, found.quote, found.status) == ("perpetual", "BTC", "USDT", "TRADING")
    assert (found.tick_size, found.step_size, found.min_notional) == (0.1, 0.001, 100.0)
    assert (found.onboard_ms, found.delivery_ms) == (1569398400000, None)


@pytest.mark.parametrize(
    ("contract_type", "underlying", "kind"),
    [
        ("PERPETUAL", "COIN", "perpetual"),
        ("PERPETUAL", "INDEX", "perpetual"),
        ("PERPETUAL", "PREMARKET", "perpetual"),
        ("PERPETUAL", "COMMODITY", "tradfi"),
        ("PERPETUAL", "CN_EQUITY", "tradfi"),
        ("TRADIFI_PERPETUAL", "EQUITY", "tradfi"),
        ("TRADIFI_PERPETUAL", "", "tradfi"),
        ("CURRENT_QUARTER", "COIN", "delivery"),
        ("NEXT_QUARTER DELIVERING", "COIN", "delivery"),
        ("PERPETUAL DELIVERING", "COIN", "delivery"),
        ("PERPETUAL_DELIVERING", "COIN", "delivery"),
        ("", "COIN", "delivery"),
        ("SOMETHING_NEW", "COIN", "delivery"),
    ],
)
def test_kinds(contract_type, underlying, kind):
    assert one(contractType=contract_type, underlyingType=underlying).kind == kind


def test_unknown_words_are_kept_and_raise_nothing():
    found = one(status="TRADING_HALT", underlyingType="MOON", newField={"a": [1]})
    assert found.status == "TRADING_HALT"
    assert not found.is_trading


def test_an_announced_end_is_known():
    assert one(deliveryDate=1790000000000).delivery_ms == 1790000000000
    assert one(deliveryDate=0).delivery_ms is None


def test_entries_without_essentials_cost_only_themselves():
    entries = [
        contract("A"),
        {"symbol": "B"},
        contract("C", quoteAsset=""),
        7,
        contract("D", filters="none"),
        contract("E"),
    ]
    found, n_skipped = rest.read_instruments(body({"symbols": entries}))
    assert [i.symbol for i in found] == ["A", "E"]
    assert n_skipped == 4


@pytest.mark.parametrize("entries", [[], [{"symbol": "B"}, 7]])
def test_a_list_without_one_readable_contract_is_no_list(entries):
    with pytest.raises(PayloadError, match=f"found none that can be read .{len(entries)} that cannot"):
        rest.parse_instruments(body({"symbols": entries}))


def test_filters_may_be_missing():
    found = one(filters=[])
    assert (found.tick_size, found.step_size, found.min_notional) == (0.0, 0.0, 0.0)


# Numbers


def test_server_time():
    assert rest.parse_server_time(b'{"serverTime":1620099477465}') == 1620099477465
    assert rest.parse_server_time(b'{"serverTime":"1620099477465"}') == 1620099477465
    with pytest.raises(PayloadError, match="serverTime"):
        rest.parse_server_time(b'{"serverTime":0}')


def test_funding_intervals_are_hours_by_symbol():
    rows = [
        {"symbol": "LPTUSDT", "fundingIntervalHours": 4, "disclaimer": False},
        {"symbol": "牛来USDT", "fundingIntervalHours": "1"},
        {"symbol": "ODD", "fundingIntervalHours": 0},
    ]
    assert rest.parse_funding_intervals(body(rows)) == {"LPTUSDT": 4.0, "牛来USDT": 1.0}


PREMIUM = {
    "symbol": "BTCUSDT", "markPrice": "76916.95122464", "indexPrice": "76959.67847826", "lastFundingRate": "0.00008972",
    "estimatedSettlePrice": "77018.7", "interestRate": "0.0001", "nextFundingTime": 1789488000000, "time": 1789478303000,
}  # fmt: skip


def test_premium_index_of_many_and_of_one(rows):
    entries = [
        PREMIUM,
        {**PREMIUM, "symbol": "UNKNOWN"},
        {**PREMIUM, "symbol": "BTCUSDT_261225", "lastFundingRate": "", "nextFundingTime": 0, "indexPrice": ""},
        {**PREMIUM, "symbol": "ETHUSDT", "markPrice": "0.0"},
        {**PREMIUM, "symbol": "ETHUSDT", "time": None},
    ]
    found = rest.parse_premium_index(body(entries), rows, 5.0)
    assert found.rows.tolist() == [0, 3]
    assert found.price.tolist() == [76916.95122464, 76916.95122464]
    assert found.index[0] == 76959.67847826
    assert found.funding[0] == 0.00008972
    assert math.isnan(found.index[1])
    assert math.isnan(found.funding[1])
    assert found.next_funding_ms.tolist() == [1789488000000, 0]
    assert found.event_ms.tolist() == [1789478303000] * 2
    assert found.received_ms == 5.0
    assert rest.parse_premium_index(body(PREMIUM), rows, 5.0).rows.tolist() == [0]


def test_premium_index_of_an_empty_venue_has_no_rows(rows):
    assert rest.parse_premium_index(b"[]", rows, 0.0).rows.shape == (0,)


@pytest.mark.parametrize(
    ("traded_ms", "dated_ms"), [(100, 0), (3 * 3_600_000, 0), (-60_000, 0), (25 * 3_600_000, 25 * 3_600_000)]
)
def test_tickers_carry_quote_volume(rows, traded_ms, dated_ms):
    now_ms = 1789478298702
    entries = [
        {"symbol": "ETHUSDT", "volume": "1", "quoteVolume": "13258734360.38", "closeTime": now_ms - traded_ms},
        {"symbol": "BTCUSDT", "quoteVolume": "-1", "closeTime": 1789478298702},
        {"symbol": "NEW", "quoteVolume": "1", "closeTime": 1789478298702},
    ]
    found = rest.parse_tickers(body(entries), rows, 1.0, now_ms=now_ms)
    assert found.rows.tolist() == [1]
    assert found.volume_24h.tolist() == [13258734360.38]
    assert found.event_ms.tolist() == [now_ms - dated_ms]


def test_open_interest_is_in_base_units():
    answer = b'{"openInterest":"10659.509","symbol":"BTCUSDT","time":1589437530011}'
    assert rest.parse_open_interest(answer) == ("BTCUSDT", 10659.509, 1589437530011)


@pytest.mark.parametrize("amount", ['"-1"', '"NaN"', '""', "null", '"inf"', "1e999", "[]"])
def test_open_interest_that_is_no_amount_is_refused(amount):
    with pytest.raises(PayloadError, match="openInterest"):
        rest.parse_open_interest(f'{{"openInterest":{amount},"symbol":"BTCUSDT","time":1}}'.encode())


def test_history_sorts_drops_and_reads_both_forms_of_time():
    entries = [
        {"symbol": "X", "sumOpenInterest": "3", "timestamp": 900_000, "CMCCirculatingSupply": "1"},
        {"symbol": "X", "sumOpenInterest": "1", "timestamp": "300000"},
        {"symbol": "X", "sumOpenInterest": "0.000", "timestamp": 600_000},
        {"symbol": "X", "sumOpenInterest": "2", "timestamp": 900_000},
        {"symbol": "X", "sumOpenInterest": {}, "timestamp": 900_000},
    ]
    found = rest.parse_open_interest_history(body(entries), 7)
    assert (found.row, found.series, found.valid_ms) == (7, "oi", 450_000)
    assert found.time_ms.tolist() == [300_000, 900_000]
    assert found.value.tolist() == [1.0, 2.0]


def kline(opened, close):
    return [opened, "1", "2", "0.5", close, "0", opened + 59_999, "0", 60, "0", "0", "0"]


def test_bars_stand_at_their_close_and_the_running_one_is_left_out():
    bars = [kline(60_000, "11"), kline(0, "10"), kline(120_000, "12"), kline(180_000, "13"), [1, 2], kline(0, "10")]
    found = rest.parse_price_klines(body(bars), 3, interval_ms=60_000, now_ms=180_000)
    assert (found.row, found.series, found.valid_ms) == (3, "price", 90_000)
    assert found.time_ms.tolist() == [60_000, 120_000, 180_000]
    assert found.value.tolist() == [10.0, 11.0, 12.0]


def test_errors_say_what_was_expected_and_found(rows):
    refused = b'{"code":-1121,"msg":"Invalid symbol."}'
    calls = [
        lambda: rest.parse_instruments(refused),
        lambda: rest.parse_premium_index(refused, rows, 0.0),
        lambda: rest.parse_open_interest(refused),
        lambda: rest.parse_open_interest_history(refused, 0),
        lambda: rest.parse_price_klines(refused, 0, interval_ms=1, now_ms=1),
        lambda: rest.parse_server_time(refused),
        lambda: rest.parse_funding_intervals(refused),
        lambda: rest.parse_tickers(refused, rows, 0.0, now_ms=0),
    ]
    for call in calls:
        with pytest.raises(PayloadError, match=r"expected .*, found the error answer -1121 'Invalid symbol\.'"):
            call()
    with pytest.raises(PayloadError, match=r"expected .*openInterest, found '<html>"):
        rest.parse_open_interest(b"<html>\n  <body>portal</body></html>")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("BTCUSDT"),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "symbol",
                    "symbols",
                    "openInterest",
                    "time",
                    "timestamp",
                    "sumOpenInterest",
                    "markPrice",
                    "serverTime",
                    "code",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
).map(lambda value: json.dumps(value).encode())


@given(st.binary(max_size=200) | JSON, st.integers(100, 599))
def test_no_bytes_raise_anything_but_a_payload_error(answer, status):
    class Rows:
        generation = 0

        def row(self, _symbol):
            return 0

        def instruments(self):
            return []

    parsers = [
        rest.parse_instruments,
        rest.parse_funding_intervals,
        rest.parse_server_time,
        rest.parse_open_interest,
        lambda b: rest.parse_premium_index(b, Rows(), 0.0),
        lambda b: rest.parse_tickers(b, Rows(), 0.0, now_ms=0),
        lambda b: rest.parse_open_interest_history(b, 0),
        lambda b: rest.parse_price_klines(b, 0, interval_ms=60_000, now_ms=10**13),
    ]
    for parse in parsers:
        with contextlib.suppress(PayloadError):
            parse(answer)
    assert rest.classify_error(status, {}, answer).text.startswith(f"HTTP {status}")


# Refusals


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (429, '{"code":-1003,"msg":"Too many requests; current limit of IP(203.0.113.7) is 2400 requests"}', "limit"),
        (429, "", "limit"),
        (400, '{"code":-1003,"msg":"Too many requests"}', "limit"),
        (418, '{"code":-1003,"msg":"Way too many requests; IP(203.0.113.7) banned until 1746327239762."}', "ban"),
        (429, '{"code":-1003,"msg":"Way too many requests; IP(203.0.113.7) banned until 1746327239762."}', "ban"),
        (418, "", "ban"),
        (451, '{"code":0,"msg":"Service unavailable from a restricted location"}', "region"),
        (451, "<html>no</html>", "region"),
        (403, '{"code":0,"msg":"Service unavailable from a restricted location"}', "region"),
        (403, "<HTML><H1>403 ERROR</H1></HTML>", "firewall"),
        (400, '{"code":-4108,"msg":"Symbol is on delivering or delivered or settling or closed or pre-trading."}', "not_trading"),
        (400, '{"code":-1121,"msg":"Invalid symbol."}', "unknown_symbol"),
        (400, '{"code":-1130,"msg":"Data sent for parameter \'limit\' is not valid."}', "bad_request"),
        (401, '{"code":-2014,"msg":"API-key format invalid."}', "bad_request"),
        (404, "<html>nginx</html>", "bad_request"),
        (503, '{"code":-1008,"msg":"Server is currently overloaded"}', "server"),
        (400, '{"code":-1001,"msg":"Internal error"}', "server"),
        (503, "Service Unavailable.", "server"),
        (502, "<html><head><title>502 Bad Gateway</title></head></html>", "server"),
        (408, "", "server"),
        (400, '{"code":-1016,"msg":"This service is no longer available."}', "maintenance"),
        (400, '{"239999":"The system is under maintenance, please wait"}', "maintenance"),
        (503, "<html>Maintenance</html>", "maintenance"),
        (200, "<html>portal</html>", "server"),
        (500, "[1,2]", "server"),
        (500, "\x00\xff", "server"),
    ],
)  # fmt: skip
def test_every_refusal_has_a_kind(status, text, kind):
    found = rest.classify_error(status, {}, text.encode())
    assert found.kind == kind
    assert "<" not in found.text
    assert "203.0.113.7" not in found.text


def test_the_end_of_a_ban_is_read_from_the_body_and_the_wait_from_any_spelling_of_the_header():
    text = b'{"code":-1003,"msg":"Way too many requests; IP(203.0.113.7) banned until 1746327239762. Please"}'
    found = rest.classify_error(418, {"RETRY-AFTER": "120"}, text)
    assert (found.kind, found.until_ms, found.retry_after_s, found.code) == ("ban", 1746327239762, 120.0, -1003)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("5", 5.0), ("0", 0.0), ("1e9", LONGEST_BAN_S), ("-3", None), ("nan", None), ("inf", None), ("", None)],
)
def test_a_nonsensical_wait_is_clamped_or_dropped(value, seconds):
    assert rest.classify_error(429, {"Retry-After": value}, b"").retry_after_s == seconds
    assert rest.classify_error(429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, b"").retry_after_s is None


def test_used_weight_is_read_from_any_spelling_and_from_nothing_odd():
    assert rest.parse_used_weight({"X-MBX-USED-WEIGHT-1M": "37"}) == 37
    assert rest.parse_used_weight({"x-mbx-used-weight-1m": " 2400 "}) == 2400
    for odd in ("", "x", "-1", "1.5", "٣", "9" * 30):
        assert rest.parse_used_weight({"X-MBX-USED-WEIGHT-1M": odd}) is None
    assert rest.parse_used_weight({}) is None
