"""Published files and logs, in all the forms in which they come, and spoiled in all the ways they can be."""

from pathlib import PurePath

import numpy as np
import pytest

from bot.history.published.layouts import Told
from bot.history.published.reading import parse
from tests.support import dumps
from tests.support.dumps import FUNDING, KLINES, METRICS, MINUTE, T0, gz, kline, metric, text_of, zipped

NAME = "LINKUSDT-1m-2026-02.csv"
DAY = "LINKUSDT-metrics-2026-02-01.csv"


def one(name, content, **told):
    (found,) = parse(PurePath(name), content, Told(**told))
    return found


def closes(found):
    return dict(zip(found.rows.close_ms.tolist(), found.rows.columns["close"].tolist(), strict=True))


# Klines


PACKED = {
    "plain": (NAME, lambda b: b),
    "gzip": (NAME + ".gz", gz),
    "zip": ("LINKUSDT-1m-2026-02.zip", lambda b: zipped(NAME, b)),
    "two gzips in a row": (NAME + ".gz", lambda b: gz(b[:100]) + gz(b[100:])),
    "gzip and padding": (NAME + ".gz", lambda b: gz(b) + bytes(512)),
    "byte order mark": (NAME, lambda b: b"\xef\xbb\xbf" + b),
    "CRLF": (NAME, lambda b: b.replace(b"\n", b"\r\n")),
    "no end of the last line": (NAME, lambda b: b.rstrip(b"\n")),
    "empty lines": (NAME, lambda b: b.replace(b"\n", b"\n\n")),
    "semicolons": (NAME, lambda b: b.replace(b",", b";")),
    "quoted": (NAME, lambda b: b"\n".join(b",".join(b'"%b"' % f for f in r.split(b",")) for r in b.split()) + b"\n"),
}


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("header", [[], [KLINES]])
@pytest.mark.parametrize("unit", [1, 1_000])
def test_a_kline_is_a_bar_at_its_close(packed, header, unit):
    name, pack = PACKED[packed]

    found = one(name, pack(text_of([*header, kline(0, 1.5, unit=unit), kline(1, 1.75, unit=unit)])))

    assert (found.form, found.problem, found.findings.named) == ("klines", "", [])
    assert found.rows.keys == ("binance:LINKUSDT",)
    assert found.rows.close_ms.tolist() == [T0 + MINUTE, T0 + 2 * MINUTE]
    assert {name: column.tolist() for name, column in found.rows.columns.items()} == {
        "open": [1.5, 1.5],
        "high": [2.5, 2.5],
        "low": [1.25, 1.25],
        "close": [1.5, 1.75],
        "volume": [500.5, 500.5],
        "taker_buy": [0.5, 0.5],
    }


@pytest.mark.parametrize(("word", "span_ms"), [("5m", 300_000), ("1h", 3_600_000), ("1d", 86_400_000)])
def test_a_longer_bar_stands_at_its_own_close(word, span_ms):
    found = one(f"LINKUSDT-{word}-2026-02-01.csv", text_of([kline(0, span_ms=span_ms)]))

    assert found.rows.close_ms.tolist() == [T0 + span_ms]
    assert found.span_ms == span_ms


def test_without_a_telling_name_the_usual_step_is_the_span():
    rows = [kline(k, span_ms=300_000) for k in (0, 1, 2, 4)]

    found = one("x.csv", text_of([KLINES, *rows]), symbol="LINKUSDT")

    assert found.rows.close_ms[0] == T0 + 300_000


def test_one_bar_without_a_telling_name_has_no_span():
    found = one("x.csv", text_of([KLINES, kline(0)]), symbol="LINKUSDT")

    assert found.form is None
    assert "expected two bars or a name" in found.problem


def test_a_bar_without_trades_has_no_takers():
    found = one(NAME, text_of([kline(0), kline(1, quote="0", taker="0", count=0)]))

    assert found.rows.columns["volume"].tolist() == [500.5, 0.0]
    np.testing.assert_equal(found.rows.columns["taker_buy"], [0.5, np.nan])


def test_order_and_repeats_change_nothing_and_contradictions_are_told():
    rows = [kline(2, 3.0), kline(0, 1.0), kline(0, 1.0), kline(1, 2.0), kline(0, 9.0)]

    found = one(NAME, text_of([KLINES, *rows]))

    assert list(closes(found).values()) == [1.0, 2.0, 3.0]
    assert (found.findings.n_repeated, found.findings.n_differing, found.findings.n_bad) == (1, 1, 0)
    assert found.findings.named == [f"{NAME}:6: expected close 1 as in line 3 of the same time, found '9'"]


@pytest.mark.parametrize(
    ("spoiled", "says"),
    [
        ("oops", "expected 12 fields, found '1: oops'"),
        (kline(1) + ",0", "expected 12 fields, found '13: "),
        (kline(1).replace(f"{T0 + MINUTE}", "yesterday", 1), "expected a time in open_time, found 'yesterday'"),
        (kline(1).replace(f"{T0 + MINUTE}", "-5", 1), "expected a time in open_time, found '-5'"),
        (kline(1).replace(f"{T0 + MINUTE}", "9" * 30, 1), "expected a time in open_time, found '999"),
        (kline(1).replace(f"{T0 + MINUTE}", f"{T0 + 61_000}", 1), "expected a whole multiple of 60 s in open_time"),
        *((kline(1, text), f"expected a number above 0 in close, found '{text}'")
          for text in ("", "nan", "inf", "-1", "0", "1e19", "1_000", "0x10", "١")),
        ("\udcff".encode("utf-8", "surrogateescape").decode("latin-1"), "expected 12 fields"),
    ],
)  # fmt: skip
def test_a_spoiled_row_is_named_and_costs_only_itself(spoiled, says):
    found = one(NAME, text_of([KLINES, kline(0, 1.0), spoiled, kline(2, 3.0)]))

    assert list(closes(found).values()) == [1.0, 3.0]
    assert found.findings.n_bad == 1
    assert found.findings.named[0].startswith(f"{NAME}:3: {says}")


def test_bytes_that_are_no_text_cost_their_line():
    content = text_of([KLINES, kline(0, 1.0)]) + b"\xff\xfe\n" + text_of([kline(2, 3.0)])

    found = one(NAME, content)

    assert list(closes(found).values()) == [1.0, 3.0]
    assert "expected a line of text in UTF-8" in found.findings.named[0]


def test_an_unreadable_amount_leaves_the_price():
    rows = [kline(0), kline(1, quote="n/a"), kline(2, quote="", taker=""), kline(3, taker="-1")]

    found = one(NAME, text_of([KLINES, *rows]))

    assert found.rows.columns["close"].tolist() == [2.0] * 4
    np.testing.assert_equal(found.rows.columns["volume"], [500.5, np.nan, np.nan, 500.5])
    np.testing.assert_equal(found.rows.columns["taker_buy"], [0.5, np.nan, np.nan, np.nan])
    assert (found.findings.n_bad, found.findings.n_unknown, found.findings.n_empty) == (0, 2, 2)
    assert found.findings.named[0] == f"{NAME}:3: expected a number from 0 in quote_volume, found 'n/a'"


def test_of_many_faults_the_first_are_named_and_all_counted():
    found = one(NAME, text_of([kline(0), *["oops"] * 500]))

    assert found.findings.n_bad == 500
    assert len(found.findings.named) == 20


# Which instrument, which kind


def test_the_folder_tells_mark_prices_from_trades():
    rows = text_of([KLINES, *(kline(k, quote="0", taker="0", count=60) for k in range(3))])

    mark = one(f"um/monthly/markPriceKlines/LINKUSDT/1m/{NAME}", rows)
    index = one(f"um/monthly/indexPriceKlines/LINKUSDT/1m/{NAME}", rows)
    unknown = one(NAME, rows)
    told = one(NAME, rows, form="mark")

    assert set(mark.rows.columns) == {"open", "high", "low", "close"} == set(told.rows.columns)
    assert set(index.rows.columns) == {"index"}
    assert unknown.form is None
    assert "--form mark or --form index" in unknown.problem


@pytest.mark.parametrize(
    ("path", "says"),
    [
        (f"data/spot/monthly/klines/LINKUSDT/1m/{NAME}", "found prices of the spot market"),
        ("data/futures/cm/daily/klines/LINKUSD_PERP-1m-2026-02-01.csv", "found a COIN-M contract"),
        ("LINKUSD_260327-1m-2026-02-01.csv", "found a COIN-M contract"),
        (f"um/monthly/premiumIndexKlines/{NAME}", "found the premium index"),
        ("LINKUSDT-1s-2026-02.csv", "expected bars of 1m to 1w, found 1s"),
        ("LINKUSDT-1mo-2026-02.csv", "expected bars of 1m to 1w, found 1mo"),
    ],
)
def test_what_is_no_series_of_ours_is_not_taken_for_one(path, says):
    found = one(path, text_of([KLINES, kline(0), kline(1)]))

    assert found.form is None
    assert says in found.problem


def test_a_file_without_a_telling_name_needs_a_symbol():
    rows = text_of([KLINES, kline(0), kline(1)])

    assert "--symbol" in one("prices.csv", rows).problem
    assert one("prices.csv", rows, symbol="LINKUSDT").rows.keys == ("binance:LINKUSDT",)
    assert "expected a file of BTCUSDT" in one(NAME, rows, symbol="BTCUSDT").problem


def test_symbols_are_any_unicode():
    found = one("币安人生USDT-1m-2026-02-01.csv", text_of([kline(0)]))

    assert found.rows.keys == ("binance:币安人生USDT",)


# Metrics


@pytest.mark.parametrize("as_number", [False, True])
@pytest.mark.parametrize("header", [[], [METRICS]])
def test_a_row_of_metrics_is_a_sample_at_its_own_time(as_number, header):
    rows = [metric(k, f"{1000.5 + k}", ratio=f"{1.5 + k}", as_number=as_number) for k in range(3)]

    found = one(DAY, text_of([*header, *rows]))

    at = [T0, T0 + 300_000, T0 + 600_000]
    assert (found.form, found.problem) == ("metrics", "")
    assert found.rows.close_ms.tolist() == at
    assert {name: column.tolist() for name, column in found.rows.columns.items()} == {
        "oi": [1000.5, 1001.5, 1002.5],
        "long_short": [1.5, 2.5, 3.5],
        "oi_ms": at,
        "oi_valid_ms": [450_000.0] * 3,
    }


def test_a_sample_between_two_minutes_stands_in_the_bar_that_ends_next_and_the_newest_of_a_bar_counts():
    rows = [metric(0).replace("00:00:00", at) for at in ("00:00:01", "00:00:59.500", "00:01:00", "00:01:01")]
    rows = [row.replace("1000.5", str(k + 1)) for k, row in enumerate(rows)]

    found = one(DAY, text_of([METRICS, *rows]))

    assert found.rows.close_ms.tolist() == [T0 + MINUTE, T0 + 2 * MINUTE]
    assert found.rows.columns["oi"].tolist() == [3.0, 4.0]
    assert found.rows.columns["oi_ms"].tolist() == [T0 + MINUTE, T0 + MINUTE + 1_000]


def test_a_ratio_that_is_missing_leaves_the_open_interest_and_the_other_way_round():
    rows = [metric(0, ratio=""), metric(1, oi=""), metric(2, oi="0"), metric(3, oi="", ratio="")]

    found = one(DAY, text_of([METRICS, *rows]))

    np.testing.assert_equal(found.rows.columns["oi"], [1000.5, np.nan, np.nan])
    np.testing.assert_equal(found.rows.columns["oi_valid_ms"], [450_000, np.nan, np.nan])
    np.testing.assert_equal(found.rows.columns["long_short"], [np.nan, 1.5, 1.5])
    assert (found.findings.n_bad, found.findings.n_unknown, found.findings.n_empty) == (1, 1, 2)


def test_rows_of_another_symbol_are_named():
    found = one(DAY, text_of([METRICS, metric(0), metric(1, symbol="BTCUSDT"), metric(2)]))

    assert found.rows.keys == ("binance:LINKUSDT",)
    assert found.findings.named == [f"{DAY}:3: expected the symbol LINKUSDT, found 'BTCUSDT'"]


def test_a_file_of_many_symbols_is_read_where_its_name_tells_none():
    rows = [metric(0), metric(0, symbol="BTCUSDT"), metric(1)]

    found = one("all.csv", text_of([METRICS, *rows]))

    keys = [found.rows.keys[r] for r in found.rows.row.tolist()]
    assert sorted(zip(keys, found.rows.close_ms.tolist(), strict=True)) == [
        ("binance:BTCUSDT", T0),
        ("binance:LINKUSDT", T0),
        ("binance:LINKUSDT", T0 + 300_000),
    ]


# Fundings and logs


def test_a_funding_stands_in_the_minute_after_it():
    rows = [f"{T0 + 3},8,0.0001", f"{T0 + 8 * 3_600_000},8,-0.00025"]

    found = one("LINKUSDT-fundingRate-2026-02.csv", text_of([FUNDING, *rows]))

    assert found.rows.close_ms.tolist() == [T0 + MINUTE, T0 + 8 * 3_600_000]
    assert found.rows.columns["funding"].tolist() == [0.0001, -0.00025]


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("bot_LINKUSDT_oi.csv", "log_time_local,sum_open_interest_link,sum_open_interest_value_usdt"),
        ("LINKUSDT.csv", "timestamp,sumOpenInterest,sumOpenInterestValue"),
        ("oi LINKUSDT 5m.txt", "Date,OI,OI_USD"),
    ],
)
def test_a_log_of_open_interest_is_read_by_its_header(name, header):
    rows = [f"2026-02-01 00:0{5 * k}:00.1{k},{1000 + k},7" for k in range(2)]

    found = one(name, text_of([header, *rows]))

    assert (found.form, found.rows.keys) == ("oi", ("binance:LINKUSDT",))
    assert found.rows.columns["oi"].tolist() == [1000.0, 1001.0]
    assert found.rows.columns["oi_ms"].tolist() == [T0 + 100, T0 + 300_110]
    # Polled every five minutes: two and a half of them.
    assert found.rows.columns["oi_valid_ms"].tolist() == [750_000.0, 750_000.0]


def test_rows_of_a_log_on_the_grid_are_published_ones():
    rows = [f"{T0 + k * 300_000},{1000 + k},7" for k in range(3)]

    found = one("LINKUSDT.csv", text_of(["timestamp,sumOpenInterest,sumOpenInterestValue", *rows]))

    assert found.rows.columns["oi_valid_ms"].tolist() == [450_000.0] * 3


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("timestamp,oi_usd", "expected one column with open interest in base units, found none"),
        ("timestamp,oi_btc", "expected one column with open interest in base units, found none"),
        ("timestamp,oi,open_interest", "found oi or open_interest"),
        ("created_time,log_time,oi", "expected one column with time, found created_time or log_time"),
        ("venue,timestamp,oi", "expected a column symbol beside those of a venue"),
        ("a,b,c", "expected one column with time, found none"),
    ],
)
def test_what_cannot_be_told_is_asked_for(header, says):
    found = one("LINKUSDT.csv", text_of([header, "1,2,3"]))

    assert found.form is None
    assert says in found.problem


def test_columns_can_be_named_and_a_lag_taken_off():
    rows = [f"7,{T0 + k * 300_000 + 100},{T0},{1000 + k},1" for k in range(2)]
    header = "id,seen,time,amount,oi"

    found = one("LINKUSDT.csv", text_of([header, *rows]), time_column="seen", oi_column="amount", lag_ms=300_000)

    assert found.rows.columns["oi"].tolist() == [1000.0, 1001.0]
    assert found.rows.columns["oi_ms"].tolist() == [T0 - 299_900, T0 + 100]


def test_of_a_log_over_venues_ours_is_taken():
    rows = [f"{T0},binance,LINKUSDT,5", f"{T0},okx,LINKUSDT,6", f"{T0 + 1000},Binance,LINKUSDT,7"]

    found = one("x.csv", text_of(["timestamp,venue,symbol,oi", *rows]))

    assert found.rows.columns["oi"].tolist() == [5.0, 7.0]
    assert found.findings.named == ["x.csv:3: expected the venue binance, found 'okx'"]


# Files that are broken


@pytest.mark.parametrize(
    ("name", "pack"),
    [(f"{NAME}.gz", gz), ("LINKUSDT-1m-2026-02.zip", lambda content: zipped(NAME, content))],
)
def test_of_a_cut_archive_whole_rows_are_taken_and_it_is_said(name, pack):
    rows = [kline(k, 1 + k / 1000) for k in range(5000)]
    packed = pack(text_of([KLINES, *rows]))

    found = one(name, packed[: len(packed) // 2])

    taken = list(closes(found).values())
    assert 100 < len(taken) < 5000
    assert taken == [1 + k / 1000 for k in range(len(taken))]
    assert "expected a whole archive, found one that is cut short" in found.problem
    assert found.findings.n_bad == 1


@pytest.mark.parametrize(
    ("name", "pack"),
    [(f"{NAME}.gz", gz), ("LINKUSDT-1m-2026-02.zip", lambda content: zipped(NAME, content))],
)
def test_an_archive_whose_checksum_is_wrong_gives_nothing(name, pack):
    packed = bytearray(pack(text_of([KLINES, *(kline(k, 1 + k / 1000) for k in range(5000))])))
    packed[len(packed) // 2] ^= 0x10

    found = one(name, bytes(packed))

    assert found.form is None
    assert "fetch it again" in found.problem


def test_each_file_of_a_zip_is_read():
    import io
    import zipfile

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(NAME, text_of([kline(0)]))
        archive.writestr(DAY, text_of([METRICS, metric(0)]))
        archive.writestr("readme.md", "hello")

    found = list(parse(PurePath("both.zip"), file.getvalue(), Told()))

    assert [(p.name, p.form) for p in found] == [(f"both.zip/{NAME}", "klines"), (f"both.zip/{DAY}", "metrics")]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "found an empty file"),
        (b"\n\n", "found an empty file"),
        (b"hello\nworld\n", "expected one column with time"),
        (b"\x1f\x8bgarbage", "expected a sound gzip"),
        (b"PK\x03\x04garbage", "expected a sound zip"),
        (b"PK\x05\x06" + bytes(18), "expected a CSV file inside, found nothing"),
        (zipped("a.exe", b"x"), "expected a CSV file inside, found a.exe"),
        ("open_time,close\n".encode("utf-16"), "found UTF-16"),
        (bytes(4096), "expected a header line"),
        (b'"' * 4096, "expected"),
        (b'\x00x\r"y,1\n', "expected a table of text"),
        (text_of([KLINES]), "expected rows of klines, found none"),
        (text_of([KLINES, "oops"]), "expected rows of klines, found none"),
    ],
)
def test_what_is_no_such_file_says_so(content, says):
    found = one("LINKUSDT-x.csv", content, symbol="LINKUSDT")

    assert found.form is None
    assert found.problem.startswith("LINKUSDT-x.csv")
    assert says in found.problem


def test_a_bomb_is_not_unpacked(monkeypatch):
    monkeypatch.setattr("bot.history.published.archives.MAX_BYTES", 1 << 20)
    content = bytes(4 << 20)

    for name, packed in (
        (f"{NAME}.gz", gz(content)),
        ("LINKUSDT-1m-2026-02.zip", zipped(NAME, content)),
        (NAME, content),
    ):
        assert "expected at most 1 MB" in one(name, packed).problem


def test_the_support_writes_what_the_exchange_publishes():
    assert dumps.metric(1).startswith("2026-02-01 00:05:00,LINKUSDT,")
