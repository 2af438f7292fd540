"""Files of market data: two ways of reading that agree, an order that does not matter, and spoiled bytes that raise nothing."""

from pathlib import PurePath

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.history.published import sound, table
from bot.history.published.layouts import Told
from bot.history.published.reading import parse
from tests.support.dumps import KLINES, METRICS, gz, kline, metric, text_of, zipped

FORMS = {
    "LINKUSDT-1m-2026-02.csv": (KLINES, [kline(k, 1 + k / 8) for k in range(8)]),
    "LINKUSDT-metrics-2026-02-01.csv": (METRICS, [metric(k, f"{1000 + k / 8}") for k in range(8)]),
    "LINKUSDT-oi.csv": ("timestamp,oi", [f"2026-02-01T00:0{k}:00.5Z,{10 + k}" for k in range(8)]),
}
names = st.sampled_from(sorted(FORMS))
odd_text = st.sampled_from([
    "", " ", "0", "-1", "nan", "inf", "1e400", "1e18", "1e-320", "+3", ".5", "7.", "1_0", "0x1F", "١", "1,5", '"', "'", "\t",
    "2026-02-01", "2026-02-01 00:05", "2026-02-30 00:00:00", "1769904000", "1769904000000", "1769904000000000", "1769904000000.0",
    "99999999999999999999", "BTCUSDT", "linkusdt", "币安", "\r", "\x00", "=1+1",
])  # fmt: skip


def cells(found):
    """What a file says: instrument, close and column -> value."""
    rows = found.rows
    return {
        (rows.keys[row], close_ms, name): value
        for name, column in rows.columns.items()
        for row, close_ms, value in zip(rows.row.tolist(), rows.close_ms.tolist(), column.tolist(), strict=True)
        if not np.isnan(value)
    }


def one(name, content):
    (found,) = parse(PurePath(name), content, Told(symbol="LINKUSDT"))
    return found


@st.composite
def spoiled_lines(draw):
    name = draw(names)
    header, rows = FORMS[name]
    rows = [row.split(",") for row in rows]
    for _ in range(draw(st.integers(0, 3))):
        row = draw(st.sampled_from(rows))
        row[draw(st.integers(0, len(row) - 1))] = draw(odd_text)
    lines = [",".join(row) for row in rows]
    return name, text_of([header, *lines] if draw(st.booleans()) or "oi" in name else lines)


@settings(max_examples=300, deadline=None)
@given(spoiled_lines())
@example(("LINKUSDT-1m-2026-02.csv", b"1769904000000,1.5,2.5,1.25,1.0,1e-320,1769904059999,1e-320,7,50,250.25,0\n"))
def test_both_ways_through_a_table_agree(case):
    name, content = case
    fast = one(name, content)
    original, sound.read_sound = sound.read_sound, lambda *_: None
    try:
        slow = one(name, content)
    finally:
        sound.read_sound = original

    assert cells(fast) == cells(slow)
    assert fast.findings == slow.findings
    assert fast.problem == slow.problem


def test_a_sound_table_is_read_at_once(monkeypatch):
    monkeypatch.setattr(table, "_read_each", None)
    for name, (header, rows) in FORMS.items():
        content = text_of([header, *(row.replace("Z", "") for row in rows)])
        assert one(name, content).n_rows == 8


@settings(max_examples=100, deadline=None)
@given(names, st.data())
def test_order_repetition_and_cuts_into_files_change_nothing(name, data):
    header, rows = FORMS[name]
    whole = cells(one(name, text_of([header, *rows])))

    lines = data.draw(st.permutations(rows + data.draw(st.lists(st.sampled_from(rows), max_size=4))))
    at = data.draw(st.integers(0, len(lines)))
    parts = [cells(one(name, text_of([header, *part]))) for part in (lines[:at], lines[at:]) if part]

    # How long a row of a log speaks is told by how often it has one, which a part tells otherwise.
    def told(found):
        return {cell: value for cell, value in found.items() if name != "LINKUSDT-oi.csv" or cell[2] != "oi_valid_ms"}

    assert told({cell: value for part in parts for cell, value in part.items()}) == told(whole)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    names,
    st.sampled_from(["plain", "gz", "zip"]),
    st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=4)), max_size=6),
    st.integers(0, 2000),
)
@example("LINKUSDT-1m-2026-02.csv", "zip", [(0, b"PK\x05\x06")], 0)
def test_spoiled_bytes_raise_nothing_and_give_no_row_that_is_not_there(name, packing, changes, n_cut):
    header, rows = FORMS[name]
    content = text_of([header, *rows])
    packed = {"plain": lambda: content, "gz": lambda: gz(content), "zip": lambda: zipped(name, content)}[packing]()
    raw = bytearray(packed)
    for at, bytes_ in changes:
        raw[at % len(raw) : at % len(raw) + len(bytes_)] = bytes_
    raw = raw[: max(0, len(raw) - n_cut)] if n_cut < 1000 else raw

    found = list(parse(PurePath(name), bytes(raw), Told(symbol="LINKUSDT")))

    for part in found:
        n = len(part.rows.row)
        assert part.n_rows == n
        assert all(column.shape == (n,) for column in part.rows.columns.values())
        assert (part.form is not None) == (n > 0)
        assert part.form is not None or part.problem
        assert np.all(part.rows.close_ms % 60_000 == 0)
        oi = part.rows.columns.get("oi", np.zeros(0))
        assert np.all(np.isnan(oi) | (oi > 0))
    if packing != "plain" and not changes:
        true = cells(one(name, content))
        assert all(
            true[cell] == value for part in found for cell, value in cells(part).items() if cell[2] != "oi_valid_ms"
        )
