"""Files into the store: each once, in any number of runs, and whatever ends a run."""

import numpy as np
import pytest

from bot.history.importing import Importer, files_in, look
from bot.history.published.layouts import Told
from bot.history.store import Store
from bot.model.history import BAR_MS
from bot.storage.memory_history import MemoryHistoryIndex
from tests.support.bars import known_cells
from tests.support.dumps import KLINES, METRICS, T0, gz, kline, metric, put, text_of, zipped

LINK = "binance:LINKUSDT"
DAY = 86_400_000


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "history", MemoryHistoryIndex())


@pytest.fixture
def dumps(tmp_path):
    folder = tmp_path / "dumps"
    put(folder / "monthly" / "LINKUSDT-1m-2026-02.zip", zipped("x.csv", text_of([KLINES, *map(kline, range(120))])))
    put(folder / "daily" / "LINKUSDT-metrics-2026-02-01.csv", text_of([METRICS, *map(metric, range(24))]))
    put(folder / "AAVEUSDT-1m-2026-02.csv.gz", gz(text_of([kline(k, 7.0 + k) for k in range(60)])))
    put(folder / "README.md", b"not one of them")
    return folder


def run(store, *paths, stop_after=None, told=None):
    n = 0

    def is_stopped():
        nonlocal n
        n += 1
        return stop_after is not None and n > stop_after

    importer = Importer(store, told=told or Told(), now_ms=lambda: T0, is_stopped=is_stopped)
    return importer.run(list(files_in(paths)))


def cells(store):
    return known_cells(store, None, T0 - DAY, T0 + 40 * DAY)


@pytest.mark.parametrize("harm", ["damaged", "gone"])
def test_what_a_part_lost_comes_back_by_importing_its_files_again(store, dumps, harm):
    run(store, dumps)
    before = cells(store)
    (part,) = store.index.parts()
    path = store.folder / "parts" / part.name
    if harm == "damaged":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        path.unlink()
    assert cells(store) == {}
    assert run(store, dumps).count("taken") == 3
    assert cells(store) == before


def test_a_folder_is_taken_in_with_all_that_is_in_it(store, dumps):
    summary = run(store, dumps)
    assert [(r.file, r.state, r.n_rows) for r in summary.reports] == [
        ("AAVEUSDT-1m-2026-02.csv.gz", "taken", 60),
        ("LINKUSDT-metrics-2026-02-01.csv", "taken", 24),
        ("LINKUSDT-1m-2026-02.zip", "taken", 120),
    ]
    assert summary.keys == ("binance:AAVEUSDT", LINK)
    assert len(store.index.parts()) == 1
    found = cells(store)
    assert found["binance:AAVEUSDT", T0 + 60 * BAR_MS]["close"] == 66.0
    bar = found[LINK, T0 + 5 * BAR_MS]
    assert (bar["open"], bar["close"], bar["volume"], bar["taker_buy"]) == (1.5, 2.0, 500.5, 0.5)
    assert (bar["oi"], bar["oi_ms"], bar["oi_valid_ms"]) == (1000.5, T0 + 5 * BAR_MS, 450_000)
    assert "oi" not in found[LINK, T0 + 6 * BAR_MS]


def test_again_nothing_is_taken_in_and_only_what_is_new_later(store, dumps):
    run(store, dumps)
    before, parts = cells(store), list(store.index.parts())
    again = run(store, dumps)
    assert [r.state for r in again.reports] == ["known"] * 3
    assert again.n_rows == 0
    assert list(store.index.parts()) == parts
    put(dumps / "LINKUSDT-1m-2026-03.csv", text_of([kline(k + 40_320) for k in range(3)]))
    assert [r.state for r in run(store, dumps).reports] == ["known", "taken", "known", "known"]
    assert len(cells(store)) == len(before) + 3


def test_it_goes_on_where_it_was_stopped(store, dumps):
    whole = Store(store.folder.parent / "whole", MemoryHistoryIndex())
    run(whole, dumps)
    first = run(store, dumps, stop_after=1)
    assert first.is_stopped
    assert [r.state for r in first.reports] == ["taken"]
    assert [r.state for r in run(store, dumps).reports] == ["known", "taken", "taken"]
    assert cells(store) == cells(whole)


def test_bars_that_were_put_down_and_never_noted_are_put_down_once(store, dumps, monkeypatch):
    def killed(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(store.index, "take", killed)
        with pytest.raises(KeyboardInterrupt):
            run(store, dumps)
    parts, before = list(store.index.parts()), cells(store)
    assert [r.state for r in run(store, dumps).reports] == ["taken"] * 3
    assert list(store.index.parts()) == parts
    assert cells(store) == before


def test_the_same_file_packed_otherwise_or_over_days_and_months_changes_nothing(store, dumps):
    run(store, dumps)
    before = cells(store)
    put(dumps / "other" / "LINKUSDT-1m-2026-02-01.csv.gz", gz(text_of([kline(k) for k in range(30)])))
    run(store, dumps)
    store.compact(before_ms=0)
    assert cells(store) == before


def test_of_files_that_differ_the_later_one_counts_in_one_run_or_two(store, tmp_path):
    one = put(tmp_path / "1" / "LINKUSDT-1m-2026-02.csv", text_of([kline(0, 2.0), kline(1, 2.0)]))
    two = put(tmp_path / "2" / "LINKUSDT-1m-2026-02.csv", text_of([kline(1, 2.25)]))
    run(store, one, two)
    apart = Store(tmp_path / "apart", MemoryHistoryIndex())
    run(apart, one)
    run(apart, two)
    found = cells(store)
    assert found == cells(apart)
    assert [found[LINK, T0 + k * BAR_MS]["close"] for k in (1, 2)] == [2.0, 2.25]


def test_bad_rows_are_counted_and_named_and_the_rest_is_taken(store, tmp_path):
    lines = [KLINES, kline(0), "garbage", kline(1, "-5"), kline(2), kline(2)]
    path = put(tmp_path / "LINKUSDT-1m-2026-02.csv", text_of(lines))
    (report,) = run(store, path).reports
    assert (report.state, report.n_rows, report.n_bad, report.n_repeated) == ("taken", 2, 2, 1)
    assert report.named[0].startswith("LINKUSDT-1m-2026-02.csv:3: expected 12 fields, found '1: garbage'")
    assert report.named[1].startswith("LINKUSDT-1m-2026-02.csv:4: expected a number above 0 in close, found '-5'")
    assert store.index.taken(next(iter(store.index._files))).n_bad == 2


def test_a_file_that_cannot_be_read_costs_itself(store, dumps, tmp_path):
    put(dumps / "BNBUSDT-1m-2026-02.zip", b"PK no archive")
    put(dumps / "SOLUSDT-1m-2026-02.csv", text_of([kline(0)]), checksum=True)
    (dumps / "SOLUSDT-1m-2026-02.csv").write_bytes(b"cut")
    summary = run(store, dumps)
    states = {r.file: r.state for r in summary.reports}
    assert states["BNBUSDT-1m-2026-02.zip"] == states["SOLUSDT-1m-2026-02.csv"] == "unread"
    assert summary.count("taken") == 3
    told = {r.file: r.problems for r in summary.reports}
    assert "expected the SHA-256" in told["SOLUSDT-1m-2026-02.csv"][0]


def test_longer_bars_stand_where_there_are_no_minutes_and_only_there(store, tmp_path):
    hours = put(tmp_path / "LINKUSDT-1h-2026-02.csv", text_of([kline(k, 3.0, span_ms=3_600_000) for k in range(4)]))
    minutes = put(tmp_path / "LINKUSDT-1m-2026-02.csv", text_of([kline(k) for k in range(120)]))
    run(store, minutes)
    (report,) = run(store, hours).reports
    assert (report.n_rows, report.n_covered) == (2, 2)
    found = cells(store)
    assert [found[LINK, T0 + k * 3_600_000]["close"] for k in (1, 2, 3, 4)] == [2.0, 2.0, 3.0, 3.0]
    other = Store(tmp_path / "other", MemoryHistoryIndex())
    run(other, hours, minutes)
    assert cells(other) == found


def test_a_look_changes_nothing(store, dumps):
    summary = look(list(files_in([dumps])), told=Told())
    assert summary.n_rows == 204
    assert store.index.parts() == []


def test_recorded_months_come_back_number_by_number(store, recordings):
    path = recordings / "klines" / "LINKUSDT-1m-2026-02.csv.gz"
    other = recordings / "klines" / "FILUSDT-1m-2024-04.csv.gz"
    summary = run(store, path, other)
    assert [(r.n_rows, r.n_bad) for r in summary.reports] == [(40_320, 0), (43_200, 0)]
    raw = np.loadtxt(path, delimiter=",", skiprows=1)
    grid = store.grid([LINK], T0, T0 + 28 * DAY, ["open", "high", "low", "close", "volume", "taker_buy"])
    assert grid.close_ms.tolist() == (raw[:, 0] + 60_000).astype(np.int64).tolist()
    for name, column in (("open", 1), ("high", 2), ("low", 3), ("close", 4), ("volume", 7)):
        np.testing.assert_array_equal(grid.columns[name][:, 0], raw[:, column])
    np.testing.assert_array_equal(grid.columns["taker_buy"][:, 0], raw[:, 10] / raw[:, 7])


def test_a_recorded_log_of_open_interest_keeps_its_times(store, recordings):
    path = recordings / "oi" / "beomsun_BTCUSDT_oi_5m_parsed_2024-11-19_21.csv.gz"
    told = Told(symbol="BTCUSDT", oi_column="sum_open_interest_btc", lag_ms=300_000)
    (report,) = run(store, path, told=told).reports
    assert (report.n_rows, report.forms) == (675, ("oi",))
    grid = store.grid(None, report.first_ms - BAR_MS, report.last_ms, ["oi", "oi_ms"])
    known = np.isfinite(grid.columns["oi"][:, 0])
    assert known.sum() == 675
    late = grid.close_ms[known] - grid.columns["oi_ms"][known, 0]
    assert (late >= 0).all()
    assert (late < BAR_MS).all()
