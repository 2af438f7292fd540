"""The store: what counts in a cell, that nothing is lost in keeping order, and what becomes of damage."""

import contextlib
import itertools
import os

import numpy as np
import pyarrow.parquet as pq
import pytest

from bot.errors import StorageError
from bot.history import bar_log
from bot.history.store import Store
from bot.model.history import BAR_MS, COLUMNS
from bot.model.instrument import Instrument
from bot.storage.history_index import open_index
from bot.storage.memory_history import MemoryHistoryIndex
from tests.support.bars import DAY_MS, T0, Slow, bar, known_cells, minutes, rows_of

A, B = "binance:AUSDT", "binance:BUSDT"


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "history", MemoryHistoryIndex())


def parts(store):
    return sorted(path.name for path in store.folder.joinpath("parts").iterdir())


def test_what_was_added_comes_back_bit_by_bit_on_a_grid_without_holes(store):
    rng = np.random.default_rng(1)
    cells = minutes(A, 1, 5, volume=0.1 + 0.2) | minutes(B, 3, 2, oi=1 / 3, oi_ms=T0 + 170_001.0, oi_valid_ms=45_000.0)
    cells[A, T0 + 4 * BAR_MS]["funding"] = float(rng.normal())
    store.add(rows_of(cells), source="import")
    assert known_cells(store) == cells
    grid = store.grid([B, A], T0, T0 + 7 * BAR_MS, ["close", "oi"])
    assert [i.key for i in grid.instruments] == [B, A]
    assert grid.close_ms.tolist() == [T0 + k * BAR_MS for k in range(1, 8)]
    assert set(grid.columns) == {"close", "oi"}
    assert grid.columns["close"].flags.c_contiguous
    assert np.isfinite(grid.columns["close"]).tolist() == [
        [False, True],
        [False, True],
        [True, True],
        [True, True],
        [False, True],
        [False, False],
        [False, False],
    ]


def test_stretches_that_follow_each_other_share_no_bar_and_odd_ends_are_fine(store):
    store.add(rows_of(minutes(A, 1, 100)), source="import")
    cuts = [T0, T0 + 17 * BAR_MS, T0 + 17 * BAR_MS + 30_000, T0 + 60 * BAR_MS - 1, T0 + 100 * BAR_MS]
    found = [store.grid([A], a, b, ["close"]).close_ms for a, b in itertools.pairwise(cuts)]
    assert np.concatenate(found).tolist() == [T0 + k * BAR_MS for k in range(1, 101)]
    assert store.grid([A], T0 + 10, T0 + 20, ["close"]).close_ms.tolist() == []


def test_what_the_bot_saw_counts_before_what_was_filled_in_and_that_before_what_was_imported(store):
    place = A, T0 + BAR_MS
    store.add(rows_of({place: bar(3.0)}), source="live")
    store.add(rows_of({place: bar(1.0, volume=5.0)}), source="import:x.csv")
    store.add(rows_of({place: bar(2.0, volume=6.0)}), source="fill")
    assert known_cells(store)[place] == bar(3.0, volume=6.0)


def test_of_one_kind_the_later_counts_and_a_group_comes_from_one_of_them(store):
    place = A, T0 + BAR_MS
    store.add(rows_of({place: bar(1.0, oi=5.0, oi_ms=float(T0), oi_valid_ms=1e5)}), source="import")
    store.add(rows_of({place: {"close": 9.0, "oi": 6.0}}), source="import")
    assert known_cells(store)[place] == {"close": 9.0, "oi": 6.0}
    store.add(rows_of({place: {"open": 4.0, "volume": 2.0}}), source="import")
    assert known_cells(store)[place] == {"close": 9.0, "oi": 6.0, "volume": 2.0}


def test_the_same_bars_again_add_no_file(store):
    cells = rows_of(minutes(A, 1, 5))
    first = store.add(cells, source="import:one.csv")
    assert store.add(cells, source="import:two.csv") == first
    assert len(parts(store)) == 1
    store.add(cells, source="live")
    assert len(parts(store)) == 2


def test_of_a_cell_said_twice_the_first_counts_and_for_the_bot_the_last(store):
    twice = [rows_of({(A, T0 + BAR_MS): bar(1.0)}), rows_of({(A, T0 + BAR_MS): bar(2.0)})]
    store.add(twice, source="import")
    assert known_cells(store)[A, T0 + BAR_MS] == bar(1.0)
    store.add(twice, source="live", latest_counts=True)
    assert known_cells(store)[A, T0 + BAR_MS] == bar(2.0)


def test_odd_closes_odd_sources_and_nothing_at_all_are_refused(store):
    with pytest.raises(ValueError, match="whole minutes"):
        store.add(rows_of({(A, T0 + 1): bar(1.0)}), source="import")
    with pytest.raises(ValueError, match="expected bars"):
        store.add(rows_of({(A, T0): {"close": np.nan}}), source="import")
    with pytest.raises(ValueError, match="source"):
        store.add(rows_of(minutes(A, 1, 1)), source="guess")
    with pytest.raises(ValueError, match="each instrument once"):
        store.grid([A, A], T0, T0 + BAR_MS, ["close"])
    assert parts(store) == []


def test_compacting_gives_days_of_all_and_months_of_one_and_changes_no_cell(store):
    slow = Slow()
    rng = np.random.default_rng(2)
    for day in range(3):
        for hour in range(4):
            cells = minutes(A, 1440 * day + 60 * hour + 1, 60, float(rng.normal(100))) | minutes(
                B, 1440 * day + 60 * hour + 30, 40, float(rng.normal(50)), oi=7.0, oi_ms=float(T0), oi_valid_ms=9.0
            )
            store.add(rows_of(cells), source="live", latest_counts=True)
            slow.add(cells, "live")
    early = minutes(A, -100, 300, 5.0)
    store.add(rows_of(early), source="import")
    slow.add(early, "import")
    assert known_cells(store) == slow.cells()
    done = store.compact(before_ms=T0 + 2 * DAY_MS)
    # The last day is not over; the import reaches into two months.
    assert (done.n_before, done.n_after) == (8 + 1, 2 + 2)
    assert len(parts(store)) == 2 + 2 + 4
    assert known_cells(store) == slow.cells()
    assert store.compact(before_ms=T0 + 2 * DAY_MS).n_before == 0
    store.compact(before_ms=T0 + 3 * DAY_MS)
    assert len(parts(store)) == 2 + 3
    assert known_cells(store) == slow.cells()


def test_what_comes_late_for_a_day_that_was_put_together_still_counts(store):
    store.add(rows_of(minutes(A, 1, 10, 1.0)), source="live")
    store.compact(before_ms=T0 + DAY_MS)
    store.add(rows_of(minutes(A, 5, 2, 9.0)), source="live")
    before = known_cells(store)
    assert before[A, T0 + 5 * BAR_MS] == bar(9.0)
    assert store.compact(before_ms=T0 + DAY_MS).n_before == 2
    assert known_cells(store) == before
    assert len(parts(store)) == 1


def test_pruning_takes_what_the_bot_saw_and_leaves_what_was_imported_until_it_is_named(store):
    store.add(rows_of(minutes(A, 1, 10)), source="live")
    store.add(rows_of(minutes(A, 1441, 10)), source="live")
    store.add(rows_of(minutes(B, 1, 10)), source="import")
    done = store.prune(live_before_ms=T0 + DAY_MS)
    assert done.n_removed == 1
    assert done.removed_bytes > 0
    assert store.keys(T0, T0 + DAY_MS) == (B,)
    assert store.keys(T0, T0 + 2 * DAY_MS) == (A, B)
    assert store.prune(live_before_ms=T0 + DAY_MS).n_removed == 0
    assert store.prune(live_before_ms=None, imported_before_ms=T0 + DAY_MS).n_removed == 1
    assert store.keys(T0, T0 + 2 * DAY_MS) == (A,)
    assert len(parts(store)) == 1


def test_instruments_are_what_they_were_last_said_to_be_and_else_what_the_symbol_tells(store):
    store.know([Instrument("binance", "AUSDT", "tradfi", "A", "USDT", "TRADING", tick_size=0.5)])
    store.know([Instrument("binance", "AUSDT", "tradfi", "A", "USDT", "SETTLING", tick_size=0.1)])
    found = store.instruments([A, "binance:1000XUSDC", "binance:BTCUSDT_260327", "binance:币安人生USDT"])
    assert (found[0].kind, found[0].status, found[0].tick_size) == ("tradfi", "SETTLING", 0.1)
    assert (found[1].base, found[1].quote, found[1].coin) == ("1000X", "USDC", "X")
    assert found[2].kind == "delivery"
    assert found[3].base == "币安人生"


def test_coarser_bars_are_made_of_minutes(store):
    cells = {}
    for k in range(1, 11):
        cells[A, T0 + k * BAR_MS] = {
            "open": 10.0 + k,
            "high": 20.0 + (k * 7) % 10,
            "low": 5.0 - (k * 3) % 10,
            "close": 11.0 + k,
            "volume": float(k),
            "taker_buy": 0.5 if k % 2 else 1.0,
            "liq_long": 1.0,
        }
    cells[A, T0 + 3 * BAR_MS] |= {"oi": 3.0, "oi_ms": T0 + 170_000.0, "oi_valid_ms": 1.0}
    cells[A, T0 + 4 * BAR_MS] |= {"oi": 4.0, "oi_ms": T0 + 230_000.0, "oi_valid_ms": 2.0}
    del cells[A, T0 + 7 * BAR_MS]
    store.add(rows_of(cells), source="import")
    grid = store.grid([A], T0, T0 + 15 * BAR_MS, COLUMNS, step_ms=5 * BAR_MS)
    assert grid.close_ms.tolist() == [T0 + k * 5 * BAR_MS for k in (1, 2, 3)]
    found = {name: grid.columns[name][:, 0].tolist() for name in COLUMNS}
    first = [cells[A, T0 + k * BAR_MS] for k in range(1, 6)]
    second = [cells[A, T0 + k * BAR_MS] for k in (6, 8, 9, 10)]
    for at, mine in enumerate((first, second)):
        assert found["open"][at] == mine[0]["open"]
        assert found["close"][at] == mine[-1]["close"]
        assert found["high"][at] == max(b["high"] for b in mine)
        assert found["low"][at] == min(b["low"] for b in mine)
        assert found["volume"][at] == sum(b["volume"] for b in mine)
        assert found["liq_long"][at] == len(mine)
        share = sum(b["taker_buy"] * b["volume"] for b in mine) / sum(b["volume"] for b in mine)
        assert found["taker_buy"][at] == pytest.approx(share)
    assert [found[n][0] for n in ("oi", "oi_ms", "oi_valid_ms")] == [4.0, T0 + 230_000.0, 2.0]
    assert all(np.isnan(found[name][2]) for name in COLUMNS)


# -- the log of what the bot writes now --------------------------------------------------------------------------


def logged(store, started_ms, *minutes_of):
    log = bar_log.BarLog(store.folder, started_ms)
    for cells in minutes_of:
        rows = rows_of(cells)
        log.append(
            [Instrument("binance", k.split(":")[1], "perpetual", "X", "USDT", "TRADING") for k in rows.keys], [rows]
        )
    return log


def test_bars_that_are_only_in_a_log_are_read_and_count_before_all_others(store):
    store.add(rows_of(minutes(A, 1, 3, 1.0)), source="live")
    log = logged(store, T0, minutes(A, 3, 1, 7.0), minutes(A, 4, 1, 8.0))
    found = known_cells(store)
    assert [found[A, T0 + k * BAR_MS]["open"] for k in (1, 2, 3, 4)] == [1.0, 2.0, 7.0, 8.0]
    assert store.keys(T0, T0 + DAY_MS) == (A,)
    assert store.spans([A]) == ((T0 + BAR_MS, T0 + 4 * BAR_MS),)
    assert store.status().n_log_files == 1
    log.close()


class Tidied(MemoryHistoryIndex):
    """Just after somebody has looked at the parts, the log becomes one."""

    store = None
    log = None

    def parts(self, **wanted):
        found = super().parts(**wanted)
        if self.log is not None:
            path, self.log = self.log, None
            self.store.add(bar_log.read(path).rows, source="live", latest_counts=True)
            path.unlink()
        return found


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        (lambda store: store.keys(T0, T0 + DAY_MS), (A,)),
        (lambda store: store.spans([A]), ((T0 + BAR_MS, T0 + 4 * BAR_MS),)),
        (lambda store: len(known_cells(store)), 4),
    ],
)
def test_a_log_that_becomes_a_part_while_somebody_looks_is_seen(tmp_path, look, expected):
    index = Tidied()
    index.store = store = Store(tmp_path / "history", index)
    log = logged(store, T0, minutes(A, 1, 4))
    log.close()
    index.log = log.path
    assert look(store) == expected


# -- damage ------------------------------------------------------------------------------------------------------


def test_a_damaged_part_is_set_aside_and_the_rest_is_read(store):
    store.add(rows_of(minutes(A, 1, 50)), source="live")
    good = known_cells(store)
    part = store.add(rows_of(minutes(B, 1, 50)), source="live")
    path = store.folder / "parts" / part.name
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 3] ^= 0xFF
    path.write_bytes(raw)
    assert known_cells(store) == good
    assert [name for name in parts(store) if name.endswith(".bad")] == [part.name + ".bad"]
    assert store.status().n_bad == 1
    assert part.name not in [p.name for p in store.index.parts()]


@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_a_part_that_was_cut_short_is_set_aside(store, cut):
    part = store.add(rows_of(minutes(A, 1, 50)), source="live")
    path = store.folder / "parts" / part.name
    path.write_bytes(path.read_bytes()[:cut])
    assert known_cells(store) == {}
    assert parts(store) == [part.name + ".bad"]


def test_a_part_that_somebody_deleted_is_forgotten(store):
    part = store.add(rows_of(minutes(A, 1, 5)), source="live")
    (store.folder / "parts" / part.name).unlink()
    assert known_cells(store, [A]) == {}
    assert store.index.parts() == []


def test_an_index_that_is_lost_is_made_anew_from_the_parts(tmp_path):
    def opened():
        return contextlib.closing(open_index(tmp_path, now_ms=1))

    slow = Slow()
    with opened() as index:
        store = Store(tmp_path, index)
        for k, source in enumerate(("live", "import", "live", "fill", "import")):
            cells = minutes(A, 1 + 3 * k, 20, float(k)) | minutes(B, 5, 4, 2.0 * k)
            store.add(rows_of(cells), source=source)
            slow.add(cells, source)
            os.utime(tmp_path / "parts" / store.index.parts()[-1].name, (k, k))
        store.compact(before_ms=T0)
        before = store.index.parts()
        assert known_cells(store) == slow.cells()
    (tmp_path / "index.db").write_bytes(b"not a database at all" * 100)
    with opened() as index:
        store = Store(tmp_path, index)
        assert store.index.parts() == []
        assert store.recover().n_taken_up == len(before)
        assert known_cells(store) == slow.cells()
        told = [(p.keys, p.spans, p.n_rows, p.n_bytes, p.digest, p.place) for p in store.index.parts()]
        assert sorted(told) == sorted((p.keys, p.spans, p.n_rows, p.n_bytes, p.digest, p.place) for p in before)
    assert list(tmp_path.glob("index.db.corrupt-*"))


def test_an_index_that_is_lost_costs_nothing_where_others_add_before_it_is_made_anew(tmp_path):
    def opened():
        return contextlib.closing(open_index(tmp_path, now_ms=1))

    slow = Slow()
    with opened() as index:
        store = Store(tmp_path, index)
        for day in range(3):
            for cells in (minutes(A, 1440 * day + 1, 1440, 1.0), minutes(B, 1440 * day + 1, 20, 2.0)):
                store.add(rows_of(cells), source="live")
                slow.add(cells, "live")
        store.compact(before_ms=T0 + 3 * DAY_MS)
        assert all(part.place for part in store.index.parts())
    (tmp_path / "index.db").unlink()
    with opened() as index:
        store = Store(tmp_path, index)
        fresh = minutes(A, 1440 * 3 + 1, 60, 3.0)
        store.add(rows_of(fresh), source="live")
        slow.add(fresh, "live")
        assert store.recover().n_taken_up == 3
        assert known_cells(store) == slow.cells()


def test_half_written_files_go(store):
    store.add(rows_of(minutes(A, 1, 5)), source="live")
    before, whole = known_cells(store), parts(store)
    (store.folder / "parts" / "tmp-abc").write_bytes(b"half")
    assert store.recover().n_cleared == 1
    assert (known_cells(store), parts(store)) == (before, whole)


def test_a_folder_that_cannot_be_made_is_an_error_with_its_reason(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot make the folder"):
        Store(tmp_path / "file" / "history", MemoryHistoryIndex())


# -- what others see ---------------------------------------------------------------------------------------------


def test_other_tools_read_parts_as_they_are(store):
    part = store.add(rows_of(minutes(A, 1, 3, 10.0) | minutes(B, 1, 1, 5.0)), source="live")
    table = pq.read_table(store.folder / "parts" / part.name)
    assert table.column_names == ["instrument", "close_ms", *COLUMNS]
    found = table.to_pylist()
    assert [row["instrument"] for row in found] == [A, A, A, B]
    assert [row["close_ms"] for row in found] == [T0 + k * BAR_MS for k in (1, 2, 3, 1)]
    assert [row["open"] for row in found] == [10.0, 11.0, 12.0, 5.0]
    assert found[0]["volume"] is None


def test_status_counts_by_kind_and_names_gaps(store):
    store.add(rows_of(minutes(A, 1, 60) | minutes(B, 1, 60)), source="live")
    store.add(rows_of(minutes(A, 121, 60)), source="live")
    store.add(rows_of(minutes(A, -100_000, 10)), source="import:x")
    held = {h.kind: h for h in store.status().holdings}
    live = held["live"]
    assert (live.n_parts, live.n_loose, live.n_instruments, live.n_rows) == (2, 2, 2, 180)
    assert live.spans == ((T0 + BAR_MS, T0 + 60 * BAR_MS), (T0 + 121 * BAR_MS, T0 + 180 * BAR_MS))
    assert live.bytes_per_day == pytest.approx(live.n_bytes / 120 * 1440)
    assert held["import"].bytes_per_day is None
    assert store.status().n_bytes == sum(h.n_bytes for h in held.values())


def test_only_the_owner_may_read_what_is_written(store):
    part = store.add(rows_of(minutes(A, 1, 3)), source="live")
    logged(store, T0, minutes(A, 4, 1)).close()
    assert (store.folder / "parts" / part.name).stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in bar_log.files(store.folder))
