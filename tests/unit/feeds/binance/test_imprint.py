"""A reader that remembers the last frames answers what one answers that has never seen any."""

import json
import random
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.feeds.binance.arrays import MarkPriceReader
from bot.feeds.binance.imprint import Imprint
from bot.feeds.binance.protocol import Protocol
from bot.model.updates import MarkPrices
from bot.sim.frames import mark_arrays
from bot.sim.market import Market

NAMES = ("BTCUSDT", "1000PEPEUSDT", "牛来USDT", "BTCUSDT_261225", "BTCUSD_PERP", "NEWUSDT", "C0USDT", "C1USDT")
EVENT_MS, NEXT_MS = 1788936948001, 1788940800000


def row(name, price="1.00000000", event_ms=EVENT_MS, **changes):
    plain = {
        "e": "markPriceUpdate", "E": event_ms, "s": name, "p": price, "ap": price, "P": price, "i": price,
        "r": "0.00010000", "T": NEXT_MS, "st": 1,
    }  # fmt: skip
    return {**plain, **changes}


def frame(rows):
    data = {"stream": "!markPrice@arr@1s", "data": rows}
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()


def text(value):
    return f"{value:.8f}"


def columns(received):
    """Bits, so that a NaN equals itself and 0 does not equal -0."""
    found = [received.stream, received.readable, received.error]
    for update in received.updates:
        assert isinstance(update, MarkPrices)
        for column in (
            update.rows,
            update.price,
            update.index,
            update.funding,
            update.next_funding_ms,
            update.event_ms,
        ):
            assert column.flags.c_contiguous
            found.append((str(column.dtype), column.tobytes()))
    return found


class Reader:
    """One protocol that sees all frames, held against one that sees only the newest."""

    def __init__(self, rows):
        self._rows = rows
        self.protocol = Protocol(rows)
        self.expected = dict.fromkeys(asdict(self.protocol.counters), 0)

    def read(self, body):
        found = self.protocol.receive(body, 1.0)
        fresh = Protocol(self._rows)
        assert columns(found) == columns(fresh.receive(body, 1.0))
        for name, count in asdict(fresh.counters).items():
            self.expected[name] += count
        assert asdict(self.protocol.counters) == self.expected
        return found


@pytest.fixture
def tracked(make_rows):
    return make_rows(*(name for name in NAMES if name != "NEWUSDT"))


def test_digits_are_read_exactly_and_anything_else_is_left():
    draw = random.Random(3)
    first = frame([row(name, "123.00000000") for name in NAMES])
    imprint = Imprint.of(first)
    for _ in range(50):
        prices = [text(draw.uniform(100, 999)) for _ in NAMES]
        event_ms = EVENT_MS + draw.randrange(10**6)
        found = imprint.read(frame([row(n, p, event_ms) for n, p in zip(NAMES, prices, strict=True)]))
        block, events = found
        assert block[0].tolist() == block[1].tolist() == [float(p) for p in prices]
        assert block[2].tolist() == [0.0001] * len(NAMES)
        assert events.tolist() == [event_ms] * len(NAMES)
    assert imprint.names == list(NAMES)
    for old, new in [
        (b"C0USDT", b"C2USDT"),
        (b"0000,", b"0001,"),
        (b'"st":1', b'"st":2'),
        (b"123", b"12e"),
        (b"123", b"1 3"),
    ]:
        changed = (
            first.replace(old, new, 1) if old != b"0000," else first.replace(b"1788940800000", b"1788940800001", 1)
        )
        assert imprint.read(changed) is None
    assert imprint.read(first) is not None
    assert imprint.read(first.replace(b'"E":1', b'"E":0', 1)) is None, "no JSON number begins with a zero"


def test_numbers_that_grow_are_followed():
    imprint = Imprint.of(frame([row(name, "9.50000000") for name in NAMES]))
    for price, rate in [("10.00000000", "-0.00000001"), ("1234567.12345678", ""), ("0.00000001", "0.00010000")]:
        rows = [row(name, "9.50000001") for name in NAMES]
        rows[3] = row(NAMES[3], price, r=rate)
        rows[-1] = row(NAMES[-1], price, i="")
        block, _ = imprint.read(frame(rows))
        assert block[0].tolist() == [float(r["p"]) for r in rows]
        assert block[2, 3] == float(rate) if rate else np.isnan(block[2, 3])
        assert np.isnan(block[1]).tolist() == [False] * 7 + [True]
    rows[2] = row("牛来了USDT", "9.50000001")
    assert imprint.read(frame(rows)) is None
    assert imprint.read(frame(rows[:-1])) is None


@pytest.mark.parametrize(
    "odd",
    [
        {"p": "1"}, {"p": "12345678.00000000"}, {"E": 12}, {"E": str(EVENT_MS)}, {"i": None}, {"x": 1}, {"p": 1.5}, {"r": 0},
        {"s": 'a"b'}, {"r": "0.0001"}, {"T": -5},
    ],
)  # fmt: skip
def test_frames_of_another_form_leave_no_imprint(odd):
    assert Imprint.of(frame([row("BTCUSDT"), row("ETHUSDT", **odd)])) is None


@pytest.mark.parametrize("body", [b"", b"{}", frame([]), frame([row("A")])[:-1], frame([row("A")]) + b" "])
def test_no_frame_leaves_no_imprint(body):
    assert Imprint.of(body) is None


def test_the_same_contracts_have_the_very_same_rows(tracked):
    reader = Reader(tracked)
    rows = [
        reader.read(frame([row(name, text(5 + k + len(name) / 3)) for name in NAMES])).updates[0].rows for k in range(9)
    ]
    assert {id(array) for array in rows} == {id(rows[0])}
    tracked.add("NEWUSDT")
    grown = reader.read(frame([row(name) for name in NAMES])).updates[0].rows
    assert grown is not rows[0]
    assert len(grown) == len(NAMES)


rates = st.sampled_from(["", "0.00010000", "-0.00010000", "0.00000000", "-0.00000000", "0.12345678", "0.5"])
prices = st.sampled_from(
    ["1.00000000", "9.99999999", "10.00000000", "0.00000001", "0.00000000", "1234567.87654321", "7"]
)
one_row = st.builds(
    row,
    st.sampled_from(NAMES),
    prices,
    st.sampled_from([EVENT_MS, EVENT_MS + 999, 999, 0, 9_999_999_999_999]),
    i=prices | st.just(""),
    P=prices,
    r=rates,
    T=st.sampled_from([0, NEXT_MS, NEXT_MS + 1, 5, 2**53]),
    st=st.sampled_from([1, 1, 2]),
)


@st.composite
def sessions(draw):
    """Frames that mostly differ from the one before in a few rows or bytes."""
    rows = draw(st.lists(one_row, min_size=1, max_size=6))
    bodies = []
    for _ in range(draw(st.integers(2, 7))):
        for k in draw(st.sets(st.integers(0, len(rows) - 1), max_size=2)):
            changed = draw(one_row)
            rows[k] = changed if draw(st.integers(0, 4)) == 0 else {**changed, "s": rows[k]["s"], "T": rows[k]["T"]}
        body = bytearray(frame(rows))
        if draw(st.integers(0, 3)) == 0:
            at = draw(st.integers(0, len(body) - 1))
            body[at : at + draw(st.integers(0, 2))] = draw(
                st.sampled_from([b"1", b"0", b"-", b"", b"{", b"\xff", b'"'])
            )
        bodies += [bytes(body)] * draw(st.integers(1, 2))
    return bodies


@given(sessions())
@settings(deadline=None)
def test_memory_changes_no_answer(bodies):
    class Tracked:
        generation = 1

        def row(self, symbol):
            return None if symbol == "NEWUSDT" else len(symbol)

        def instruments(self):
            return []

    reader = Reader(Tracked())
    for body in bodies:
        reader.read(body)


def test_the_frames_of_the_simulated_venue_are_read_by_imprint(make_rows, monkeypatch):
    """Delivery contracts without a rate and rows of the sister market among them."""
    start_ms = 1_788_936_948_000
    market = Market(seed=3, n_instruments=120, start_ms=start_ms)
    reader = Reader(make_rows(*(spec.symbol for spec in market.specs[::2])))
    full = []
    texts = MarkPriceReader._documented
    monkeypatch.setattr(MarkPriceReader, "_documented", lambda self, *a: (full.append(self), texts(self, *a))[1])

    n = 0
    for second in range(120):
        for payload in mark_arrays(market, start_ms + second * 1_000):
            reader.read(b'{"stream":"!markPrice@arr@1s","data":' + payload.encode() + b"}")
            n += 1

    counters = reader.protocol.counters
    assert counters.rows_other_market > 0
    assert counters.rows_unknown > 0
    in_full = sum(found is reader.protocol._marks for found in full)
    assert in_full <= n * 0.1, "most frames are read by their digits"
