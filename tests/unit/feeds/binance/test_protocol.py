import json
import math
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.feeds.binance.constants import NO_DELIVERY_MS
from bot.feeds.binance.flows import FlowCounters
from bot.feeds.binance.klines import KlineProtocol
from bot.feeds.binance.protocol import STREAMS, Protocol, split_symbol, stream_url
from bot.feeds.frames import Received
from bot.model.instrument import Instrument
from bot.model.updates import InstrumentChange, Liquidations, MarkPrices, Tickers

MARK, TICKER, CONTRACT, FORCE = "!markPrice@arr@1s", "!miniTicker@arr", "!contractInfo", "!forceOrder@arr"


def pack(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def mark(symbol, price="100.5", **changes):
    row = {
        "e": "markPriceUpdate", "E": 1788936948001, "s": symbol, "p": price, "ap": price, "P": "99", "i": "100.25",
        "r": "0.00010000", "T": 1788940800000, "st": 1,
    }  # fmt: skip
    return {**row, **changes}


def ticker(symbol, volume="18", **changes):
    return {"e": "24hrMiniTicker", "E": 123456789, "s": symbol, "c": "1", "q": volume, "ps": symbol, "st": 1, **changes}


def combined(stream, data):
    return pack({"stream": stream, "data": data})


@pytest.fixture
def protocol(rows):
    return Protocol(rows)


def only(received: Received):
    (update,) = received.updates
    return update


def test_the_address_names_route_and_streams():
    url = "wss://fstream.binance.com/market/stream?streams=!markPrice@arr@1s/!miniTicker@arr/!contractInfo"
    url += "/!forceOrder@arr"
    assert stream_url("wss://fstream.binance.com") == url
    assert stream_url("wss://fstream.binance.com/") == url


def test_the_table_of_streams_starts_with_prices_and_gives_contracts_no_deadline():
    assert [(s.name, s.feed) for s in STREAMS] == [
        (MARK, "mark price"), (TICKER, "ticker"), (CONTRACT, "contract info"), (FORCE, "liquidations"),
    ]  # fmt: skip
    assert STREAMS[0].silence_s == 10
    assert STREAMS[1].silence_s < 15
    assert STREAMS[2].silence_s is None
    assert [s.feed for s in STREAMS if s.is_sparse] == ["liquidations"]
    assert STREAMS[3].silence_s == 300


def test_a_mark_price_array_becomes_columns(protocol):
    data = [
        mark("BTCUSDT", "76916.9"),
        mark("牛来USDT", "0.5", E=1788936948002, i="", r="-0.003", T=0),
        mark("ETHUSDT", "2000", i="0.0"),
    ]
    received = protocol.receive(combined(MARK, data), 77.0)
    update = only(received)
    assert isinstance(update, MarkPrices)
    assert received.stream == MARK
    assert update.rows.tolist() == [0, 2, 1]
    assert update.price.tolist() == [76916.9, 0.5, 2000.0]
    assert update.index[0] == 100.25
    assert all(math.isnan(v) for v in update.index[1:])
    assert update.funding.tolist() == [0.0001, -0.003, 0.0001]
    assert update.next_funding_ms.tolist() == [1788940800000, 0, 1788940800000]
    assert update.event_ms.tolist() == [1788936948001, 1788936948002, 1788936948001]
    assert update.received_ms == 77.0
    assert protocol.last_frame_ms == {MARK: 77.0}
    for column in (update.price, update.index, update.funding):
        assert column.dtype == "float64"
    assert (update.rows.dtype, update.event_ms.dtype, update.next_funding_ms.dtype) == ("int32", "int64", "int64")


def test_an_empty_funding_rate_is_not_given_and_costs_nothing_else(protocol):
    for _ in range(3):
        update = only(protocol.receive(combined(MARK, [mark("BTCUSDT"), mark("BTCUSDT_261225", r="", T=0)]), 0.0))
        assert update.rows.tolist() == [0, 3]
        assert update.funding[0] == 0.0001
        assert math.isnan(update.funding[1])
    assert protocol.counters.rows_unreadable == 0


def test_of_lists_of_contracts_that_are_not_sent_any_more_nothing_is_kept(rows):
    protocol = Protocol(rows)
    names = ["BTCUSDT", "ETHUSDT"]
    for n in range(20):
        names.append(f"NEW{n}USDT")
        rows.add(names[-1])
        update = only(protocol.receive(combined(MARK, [mark(name) for name in names]), 0.0))
        assert len(update.rows) == len(names)
        only(protocol.receive(combined(MARK, [mark("牛来USDT")]), 0.0))
    assert len(protocol._marks._index._cache) == 2


def test_funding_rates_that_were_once_told_take_little_memory(protocol):
    for frame in range(20):
        rows = [mark(f"X{n}USDT", r=f"0.{frame:04d}{n:04d}") for n in range(500)]
        update = only(
            protocol.receive(combined(MARK, [mark("ETHUSDT", r=""), mark("BTCUSDT", r=f"0.{frame:08d}"), *rows]), 0.0)
        )
        assert update.funding[1] == frame / 1e8
    assert len(protocol._marks._fundings) <= 5_000


@pytest.mark.parametrize("wrap", [lambda d: combined(MARK, d), pack, lambda d: b" \n" + pack(d) + b"\n"])
def test_envelope_and_raw_payload_say_the_same(protocol, wrap):
    update = only(protocol.receive(wrap([mark("BTCUSDT"), mark("ETHUSDT")]), 0.0))
    assert update.rows.tolist() == [0, 1]


@pytest.mark.parametrize("wrap", [lambda d: combined("btcusdt@markPrice@1s", d), pack])
def test_a_single_object_is_an_array_of_one(protocol, wrap):
    assert only(protocol.receive(wrap(mark("BTCUSDT")), 0.0)).rows.tolist() == [0]
    assert only(protocol.receive(wrap(mark("BTCUSDT")).decode(), 0.0)).rows.tolist() == [0]


def test_optional_and_new_fields_do_not_matter(protocol):
    row = mark("BTCUSDT", brand_new={"x": [1]})
    for name in ("ap", "st", "P", "i", "r", "T"):
        row.pop(name)
    update = only(protocol.receive(combined(MARK, [row]), 0.0))
    assert update.price.tolist() == [100.5]
    assert math.isnan(update.index[0])
    assert math.isnan(update.funding[0])
    assert update.next_funding_ms.tolist() == [0]


def test_rows_of_coin_margined_contracts_are_dropped_and_counted(protocol):
    update = only(
        protocol.receive(combined(MARK, [mark("BTCUSDT", st=2), mark("ETHUSDT"), mark("BTCUSD_PERP", st=2)]), 0.0)
    )
    assert update.rows.tolist() == [1]
    assert protocol.counters.rows_other_market == 2
    assert protocol.counters.rows_unknown == 0


def test_untracked_symbols_are_dropped_and_counted_yet_prove_the_stream_alive(protocol):
    received = protocol.receive(combined(MARK, [mark("NEWUSDT"), mark("NEWERUSDT")]), 9.0)
    assert received == Received((), MARK)
    assert protocol.counters.rows_unknown == 2
    assert protocol.last_frame_ms == {MARK: 9.0}


@pytest.mark.parametrize("price", ["0", "0.0", "-1", "NaN", "Infinity", "", "-inf", "1e-400"])
def test_prices_that_are_not_positive_numbers_are_dropped_and_counted(protocol, price):
    update = only(protocol.receive(combined(MARK, [mark("BTCUSDT", price), mark("ETHUSDT", "7")]), 0.0))
    assert update.rows.tolist() == [1]
    assert update.price.tolist() == [7.0]
    assert protocol.counters.rows_bad_price == 1


@pytest.mark.parametrize(
    "bad",
    [
        {"E": None}, {"E": "soon"}, {"E": -5}, {"E": 10**30}, {"E": 2**63}, {"T": 10**30}, {"T": {}}, {"s": None},
        {"s": 7}, {"p": None}, {"p": []}, {"r": 0.5}, {"r": "much"}, {"i": None}, {"i": "x"}, {"st": "?"},
        {"e": "24hrTicker"}, {"e": None}, {"p": "1" * 400},
    ],
)  # fmt: skip
def test_a_bad_row_costs_only_itself(protocol, bad):
    received = protocol.receive(
        combined(MARK, [mark("ETHUSDT", "7"), mark("BTCUSDT", **bad), mark("牛来USDT", "8")]), 0.0
    )
    update = only(received)
    at = update.rows.tolist()
    assert [at[0], at[-1]] == [1, 2]
    assert [update.price[0], update.price[-1]] == [7.0, 8.0]
    if 0 in at:
        assert set(bad) & {"r", "i", "T"}, "only an optional field may be bad in a row that is kept"
    else:
        assert protocol.counters.rows_unreadable + protocol.counters.rows_bad_price == 1


def test_rows_follow_the_universe_as_it_grows(make_rows):
    rows = make_rows("ETHUSDT")
    protocol = Protocol(rows)
    frame = combined(MARK, [mark("BTCUSDT", "1"), mark("ETHUSDT", "2")])
    assert only(protocol.receive(frame, 0.0)).rows.tolist() == [0]
    rows.add("BTCUSDT")
    update = only(protocol.receive(frame, 0.0))
    assert update.rows.tolist() == [1, 0]
    assert update.price.tolist() == [1.0, 2.0]


def test_alternating_shards_and_changing_lists_keep_their_own_rows(make_rows):
    symbols = [f"S{n}USDT" for n in range(40)]
    protocol = Protocol(make_rows(*symbols))
    draw = random.Random(5)
    for _ in range(200):
        chosen = draw.sample(symbols, draw.choice([3, 3, 5]))
        data = [mark(s, str(symbols.index(s) + 1), r=draw.choice(["", "0.001"]), T=draw.choice([0, 5])) for s in chosen]
        update = only(protocol.receive(combined(MARK, data), 0.0))
        assert update.rows.tolist() == [symbols.index(s) for s in chosen]
        assert update.price.tolist() == [symbols.index(s) + 1 for s in chosen]
        assert update.next_funding_ms.tolist() == [row["T"] for row in data]
        assert [math.isnan(v) for v in update.funding] == [row["r"] == "" for row in data]


def test_a_kept_batch_is_not_changed_by_the_next_frame(protocol):
    first = only(protocol.receive(combined(MARK, [mark("BTCUSDT", "1"), mark("ETHUSDT", "2")]), 0.0))
    copies = [first.rows.copy(), first.price.copy(), first.next_funding_ms.copy()]
    protocol.receive(combined(MARK, [mark("BTCUSDT", "3", T=9), mark("ETHUSDT", "4", T=9)]), 1.0)
    for before, now in zip(copies, (first.rows, first.price, first.next_funding_ms), strict=True):
        assert before.tolist() == now.tolist()


def test_mini_tickers_carry_quote_volume(protocol):
    data = [
        ticker("ETHUSDT", "18.5"),
        ticker("NEW"),
        ticker("BTCUSDT", st=2),
        ticker("BTCUSDT", "-1"),
        ticker("BTCUSDT", ""),
    ]
    received = protocol.receive(combined(TICKER, data), 3.0)
    update = only(received)
    assert isinstance(update, Tickers)
    assert received.stream == TICKER
    assert update.rows.tolist() == [1]
    assert update.volume_24h.tolist() == [18.5]
    assert update.event_ms.tolist() == [123456789]
    counters = protocol.counters
    assert (counters.rows_unknown, counters.rows_other_market, counters.rows_bad_price) == (1, 1, 2)
    assert only(protocol.receive(combined(TICKER, [ticker("BTCUSDT", "0")]), 3.0)).volume_24h.tolist() == [0.0]


def contract(symbol, **changes):
    return {
        "e": "contractInfo", "E": 1669356423908, "s": symbol, "ct": "PERPETUAL", "dt": NO_DELIVERY_MS,
        "ot": 1569398400000, "cs": "TRADING", "st": 1, **changes,
    }  # fmt: skip


def known(**changes):
    base = {
        "venue": "binance",
        "symbol": "XAUUSDT",
        "kind": "tradfi",
        "base": "XAU",
        "quote": "USDT",
        "status": "TRADING",
    }
    return Instrument(**{**base, "tick_size": 0.1, "onboard_ms": 5, "funding_interval_h": 4.0, **changes})


def changed(protocol, event):
    received = protocol.receive(combined(CONTRACT, event), 4.0)
    assert received.stream == CONTRACT
    update = only(received)
    assert isinstance(update, InstrumentChange)
    return update.instrument


def test_news_of_a_known_contract_keep_what_the_event_does_not_say(make_rows):
    protocol = Protocol(make_rows("XAUUSDT", instruments=(known(),)))
    found = changed(protocol, contract("XAUUSDT", cs="SETTLING", dt=1790000000000))
    assert found == known(status="SETTLING", delivery_ms=1790000000000, onboard_ms=1569398400000)
    found = changed(protocol, {"e": "contractInfo", "E": 1, "s": "XAUUSDT", "bks": [{"bs": 1}]})
    assert found == known()
    assert changed(protocol, contract("XAUUSDT", ct="PERPETUAL DELIVERING")).kind == "delivery"


def test_a_new_contract_gets_base_and_quote_from_its_name(protocol):
    found = changed(protocol, contract("IOTAUSDT"))
    assert (found.base, found.quote, found.kind, found.status) == ("IOTA", "USDT", "perpetual", "TRADING")
    assert (found.delivery_ms, found.onboard_ms) == (None, 1569398400000)
    found = changed(protocol, contract("BTCUSDC_261225", ct="CURRENT_QUARTER", dt=1798185600000))
    assert (found.base, found.quote, found.kind, found.delivery_ms) == ("BTC", "USDC", "delivery", 1798185600000)


def test_a_new_contract_whose_quote_nobody_knows_is_left_to_the_next_list(protocol):
    received = protocol.receive(combined(CONTRACT, contract("NEWBRL")), 4.0)
    assert received == Received((), CONTRACT)
    assert protocol.counters.rows_unknown == 1


def test_contracts_of_the_other_market_are_dropped(protocol):
    assert protocol.receive(combined(CONTRACT, contract("BTCUSD_PERP", st=2)), 4.0).updates == ()
    assert protocol.counters.rows_other_market == 1


@pytest.mark.parametrize(
    ("symbol", "pair"),
    [
        ("BTCUSDT", ("BTC", "USDT")), ("币安人生USDT", ("币安人生", "USDT")), ("USDT", None), ("BTCUSD_PERP", None),
        ("ETHBTC", ("ETH", "BTC")), ("AUSDUSDC", ("AUSD", "USDC")),
    ],
)  # fmt: skip
def test_names_are_split_at_the_longest_quote(symbol, pair):
    assert split_symbol(symbol, frozenset({"USDT", "USDC", "BTC", "C"})) == pair


@pytest.mark.parametrize("wrap", [pack, lambda event: combined("!x", event)])
def test_an_announced_end_is_handed_on_and_proves_nothing_alive(protocol, wrap):
    frame = wrap({"e": "serverShutdown", "E": 1788936948001})
    assert protocol.receive(frame, 1.0) == Received(ends_soon=True)
    klines = KlineProtocol(None, FlowCounters())
    assert klines.receive(pack({"e": "serverShutdown", "E": 1788936948001}), 1.0) == Received(ends_soon=True)


def test_an_acknowledgement_is_no_data(protocol):
    for answer in (b'{"result":null,"id":1}', b'{"result":true,"id":3}'):
        assert protocol.receive(answer, 0.0) == Received()
    assert protocol.counters.acks == 2
    assert protocol.last_frame_ms == {}


def test_a_list_of_subscriptions_is_handed_on_and_asked_for_once_per_connection(protocol):
    answer = combined("x", [])  # a frame is no answer
    assert protocol.receive(answer, 0.0).listed is None
    listed = protocol.receive(b'{"result":["!markPrice@arr@1s","!forceOrder@arr"],"id":1}', 0.0)
    assert listed == Received(listed=frozenset({MARK, FORCE}))
    session = protocol.session()
    assert json.loads(session.message()) == {"method": "LIST_SUBSCRIPTIONS", "id": 1}
    assert session.message() is None
    assert protocol.session().message() is not None


@pytest.mark.parametrize(
    "answer",
    [
        b'{"code":2,"msg":"Invalid request: unknown property"}',
        b'{"error":{"code":2,"msg":"Invalid request"},"id":1}',
        b'{"id":1,"error":"no"}',
    ],
)
def test_a_complaint_of_the_venue_is_handed_on(protocol, answer):
    received = protocol.receive(answer, 0.0)
    assert received.error
    assert len(received.error) <= 200
    assert received.readable
    assert protocol.counters.errors == 1


@pytest.mark.parametrize(
    "frame",
    [
        b'{"e":"aggTrade","E":1,"s":"BTCUSDT"}',
        b'{"stream":"!ticker@arr","data":[{"e":"24hrTicker","s":"BTCUSDT","p":"-131.4"}]}',
        b'{"stream":"x","data":{"e":"brandNew"}}',
        b"[]", b"{}", b"7", b"null", b'"text"', b'{"stream":"x","data":null}', b'{"e":5}', b"[[1,2],[3]]", b'{"data":7}',
    ],
)  # fmt: skip
def test_unknown_events_are_passed_over_and_counted(protocol, frame):
    assert protocol.receive(frame, 0.0) == Received()
    assert protocol.counters.frames_ignored == 1
    assert protocol.last_frame_ms == {}


def test_an_empty_array_of_a_stream_is_no_sign_of_life(protocol):
    assert protocol.receive(combined(MARK, []), 0.0).stream is None
    assert protocol.last_frame_ms == {}


@pytest.mark.parametrize(
    "frame", [b"", b"\x00\x01", b'{"stream":"!markPrice@arr', b"{", b"nonsense", b"\xff\xfe{}", "", "{\ud800"]
)
def test_garbage_is_said_to_be_unreadable(protocol, frame):
    assert not protocol.receive(frame, 0.0).readable
    assert protocol.counters.frames_unreadable == 1


def test_counters_add_up(protocol):
    protocol.receive(combined(MARK, [mark("BTCUSDT"), mark("X"), mark("ETHUSDT", "0"), mark("Y", st=2)]), 0.0)
    protocol.receive(b"?", 0.0)
    protocol.receive(b'{"result":null,"id":1}', 0.0)
    c = protocol.counters
    assert (c.frames, c.frames_unreadable, c.acks, c.rows) == (3, 1, 1, 4)
    assert (c.rows_unknown, c.rows_bad_price, c.rows_other_market) == (1, 1, 1)


GOOD = [
    combined(MARK, [mark("BTCUSDT"), mark("ETHUSDT", r=""), mark("牛来USDT", st=2)]),
    combined(TICKER, [ticker("BTCUSDT"), ticker("ETHUSDT")]),
    combined(CONTRACT, contract("IOTAUSDT")),
    pack(mark("BTCUSDT")),
    combined(
        FORCE,
        {
            "e": "forceOrder",
            "E": 5,
            "st": 1,
            "o": {"s": "BTCUSDT", "S": "SELL", "T": 4, "ap": "2", "z": "3", "q": "3", "p": "2"},
        },
    ),
    b'{"result":null,"id":1}',
    b'{"result":["!forceOrder@arr"],"id":1}',
    b'{"code":2,"msg":"x"}',
]


@st.composite
def mutated(draw):
    frame = bytearray(draw(st.sampled_from(GOOD)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(frame)))
        frame[at : at + draw(st.integers(0, 6))] = draw(
            st.binary(max_size=4)
            | st.sampled_from([b"null", b"1e999", b'""', b"{", b"[", b"]", b"}", b'"', b"\\ud800", b"-", b"\xff"])
        )
    return bytes(frame)


class Everything:
    """Tracks any symbol."""

    generation = 1

    def row(self, symbol):
        return len(symbol)

    def instruments(self):
        return []


@given(st.binary(max_size=300) | mutated(), st.booleans())
@example(b'{"stream":"!markPrice@arr","data":' + b"[" * 100_000, False)
@example(b"[" * 100_000, False)
@example(b'{"a":' * 50_000, True)
def test_no_frame_raises_and_every_column_is_sound(frame, as_text):
    protocol = Protocol(Everything())
    received = protocol.receive(frame.decode("utf-8", "replace") if as_text else frame, 1.0)
    assert protocol.counters.frames == 1
    for update in received.updates:
        assert received.stream is not None
        if isinstance(update, MarkPrices):
            n = len(update.rows)
            columns = (update.price, update.index, update.funding, update.next_funding_ms, update.event_ms)
            assert n > 0
            assert {len(column) for column in columns} == {n}
            assert all(0 < price < math.inf for price in update.price)
            assert all(index > 0 or math.isnan(index) for index in update.index)
            assert all(math.isfinite(rate) or math.isnan(rate) for rate in update.funding)
            assert all(0 < when < 2**53 for when in update.event_ms)
        if isinstance(update, Liquidations):
            assert all(0 < usd < math.inf for usd in update.usd)
            assert all(0 < when < 2**53 for when in update.event_ms)
            assert len(update.rows) == len(update.usd) == len(update.event_ms) == len(update.is_long) > 0
        if isinstance(update, Tickers):
            assert all(0 <= volume < math.inf for volume in update.volume_24h)
