"""Published kline files, in all the forms in which they come."""

import gzip
from pathlib import Path

import pytest

from bot.errors import PayloadError
from bot.history.klines import merge, read_klines, symbol_of

T0 = 1_769_904_000_000
HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)


def row(minute, close, *, open_ms=None):
    start = T0 + minute * 60_000 if open_ms is None else open_ms
    return f"{start},1,1,1,{close},0,{start + 59_999},0,0,0,0,0"


def write(path: Path, lines, *, packed=False):
    text = "\n".join(lines) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("header", [[], [HEADER]])
def test_plain_and_packed_with_and_without_header(tmp_path, packed, header):
    path = write(tmp_path / "AUSDT-1m-2026-02.csv", [*header, row(0, 1.5), row(1, 1.6)], packed=packed)

    bars = read_klines(path, "AUSDT")

    assert bars.close_ms.tolist() == [T0 + 60_000, T0 + 120_000]
    assert bars.close.tolist() == [1.5, 1.6]
    assert bars.interval_ms == 60_000
    assert bars.n_bad == 0


def test_a_bar_is_placed_at_its_close_whatever_the_order_and_repeats(tmp_path):
    path = write(tmp_path / "x.csv", [row(2, 3), row(0, 1), row(1, 2), row(0, 9), row(3, 4)])

    bars = read_klines(path, "A")

    assert bars.close.tolist() == [1.0, 2.0, 3.0, 4.0]


def test_bad_rows_are_counted_and_named(tmp_path):
    path = write(tmp_path / "x.csv", [HEADER, row(0, 1), "oops", row(1, "n/a"), row(2, 3)])

    bars = read_klines(path, "A")

    assert bars.n_bad == 2
    assert bars.bad_rows[0].startswith("x.csv:3: expected 12 fields, found")
    assert "n/a" in bars.bad_rows[1]
    assert len(bars.close) == 2


@pytest.mark.parametrize("close", ["nan", "inf", "-1", "0", ""])
def test_a_close_that_is_no_price_is_a_bad_row(tmp_path, close):
    bars = read_klines(write(tmp_path / "x.csv", [row(0, 1), row(1, close), row(2, 3)]), "A")

    assert bars.n_bad == 1
    assert bars.close.tolist() == [1.0, 3.0]


def test_a_time_out_of_this_world_is_a_bad_row(tmp_path):
    bars = read_klines(write(tmp_path / "x.csv", [row(0, 1), row(1, 2, open_ms=10**20), row(2, 3)]), "A")

    assert bars.n_bad == 1


def test_microseconds_are_understood(tmp_path):
    path = write(tmp_path / "x.csv", [row(0, 1, open_ms=T0 * 1_000), row(0, 2, open_ms=(T0 + 60_000) * 1_000)])

    assert read_klines(path, "A").close_ms.tolist() == [T0 + 60_000, T0 + 120_000]


@pytest.mark.parametrize("content", [b"", b"hello\nworld\n", b"\x1f\x8bgarbage"])
def test_what_is_no_kline_file_says_so(tmp_path, content):
    path = tmp_path / "x.csv"
    path.write_bytes(content)

    with pytest.raises(PayloadError, match=r"x\.csv"):
        read_klines(path, "A")


def test_months_of_one_symbol_become_one_series(tmp_path):
    a = read_klines(write(tmp_path / "a.csv", [row(0, 1), row(1, 2)]), "A")
    b = read_klines(write(tmp_path / "b.csv", [row(1, 9), row(2, 3)]), "A")

    (merged,) = merge([b, a])

    assert merged.close_ms.tolist() == [T0 + k * 60_000 for k in (1, 2, 3)]


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("LINKUSDT-1m-2026-02.csv.gz", "LINKUSDT"),
        ("币安人生USDT-1m-2026-02-01.csv", "币安人生USDT"),
        ("BTCUSDT_260925-5m-2026-02.csv", "BTCUSDT_260925"),
        ("prices.csv", None),
    ],
)
def test_the_name_tells_the_symbol(name, symbol):
    assert symbol_of(Path(name)) == symbol
