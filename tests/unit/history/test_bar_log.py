"""The log of minutes: what was whole is read, wherever it was cut; and nobody takes it away from who writes it."""

import numpy as np
import pytest

from bot.history import bar_log
from bot.history.bar_log import BarLog
from bot.model.instrument import Instrument
from tests.support.bars import T0, minutes, rows_of


def instruments(*names):
    return [Instrument("binance", f"{name}USDT", "perpetual", name, "USDT", "TRADING") for name in names]


def minute(k, *names):
    cells = {}
    for name in names:
        cells |= minutes(f"binance:{name}USDT", k, 1, 10.0 * k)
    return rows_of(cells)


def written(folder, *said):
    log = BarLog(folder, T0)
    for names, k in said:
        log.append(instruments(*names), [minute(k, *names)])
    log.close()
    return log


def plain(rows):
    return [
        (piece.keys, piece.row.tolist(), piece.close_ms.tolist(), {n: c.tolist() for n, c in piece.columns.items()})
        for piece in rows
    ]


def test_what_was_written_is_read_with_the_instruments_of_each_minute(tmp_path):
    log = written(tmp_path, ("AB", 1), ("AB", 2), ("B币", 3))
    found = bar_log.read(log.path)
    assert {i.symbol for i in found.instruments} == {"AUSDT", "BUSDT", "币USDT"}
    assert plain(found.rows) == plain([minute(1, *"AB"), minute(2, *"AB"), minute(3, *"B币")])
    assert (found.n_good, found.n_cut) == (log.path.stat().st_size, 0)
    assert log.n_bytes == found.n_good


def test_cut_at_any_byte_whole_minutes_before_it_are_read(tmp_path):
    log = written(tmp_path, ("AB", 1), ("AB", 2), ("C", 3))
    raw = log.path.read_bytes()
    whole = bar_log.read(log.path)
    ends = []
    for at in range(len(raw)):
        log.path.write_bytes(raw[:at])
        found = bar_log.read(log.path)
        assert plain(found.rows) == plain(whole.rows[: len(found.rows)])
        assert found.n_good + found.n_cut == at
        ends.append(len(found.rows))
    assert ends == sorted(ends)
    assert set(ends) == {0, 1, 2}


def test_any_bit_that_turned_ends_the_file_before_its_block(tmp_path):
    log = written(tmp_path, ("AB", 1), ("AB", 2), ("C", 3))
    raw = log.path.read_bytes()
    whole = plain(bar_log.read(log.path).rows)
    rng = np.random.default_rng(3)
    for at in rng.integers(0, len(raw), 60).tolist():
        turned = bytearray(raw)
        turned[at] ^= 1 << int(rng.integers(8))
        log.path.write_bytes(turned)
        found = plain(bar_log.read(log.path).rows)
        assert found == whole[: len(found)]
        assert len(found) < len(whole)


def test_a_file_of_something_else_holds_nothing(tmp_path):
    (tmp_path / "x.oib").write_bytes(b"anything at all")
    found = bar_log.read(tmp_path / "x.oib")
    assert (found.rows, found.n_good, found.n_cut) == ((), 0, 15)


class Full:
    """A disk that takes some bytes and then no more."""

    def __init__(self, file, room):
        self._file = file
        self.room = room

    def write(self, raw):
        n = min(len(raw), self.room)
        if not n:
            raise OSError(28, "No space left on device")
        self.room -= n
        return self._file.write(raw[:n])

    def __getattr__(self, name):
        return getattr(self._file, name)


def test_what_came_halfway_onto_a_full_disk_does_not_stand_before_the_next_minute(tmp_path):
    log = BarLog(tmp_path, T0)
    log.append(instruments("A"), [minute(1, "A")])
    log._file = Full(log._file, 40)
    with pytest.raises(OSError, match="No space"):
        log.append(instruments("A", "B"), [minute(2, "A", "B")])
    assert not log.is_broken
    log._file.room = 1 << 20
    log.append(instruments("A", "B"), [minute(3, "A", "B")])
    log.close()
    found = bar_log.read(log.path)
    assert plain(found.rows) == plain([minute(1, "A"), minute(3, "A", "B")])
    assert found.n_cut == 0


def test_a_log_that_is_being_written_is_not_taken_for_one_that_ended(tmp_path):
    log = BarLog(tmp_path, T0)
    with bar_log.ended(log.path) as is_ended:
        assert not is_ended
    log.close()
    with bar_log.ended(log.path) as is_ended:
        assert is_ended
    with bar_log.ended(tmp_path / "gone.oib") as is_ended:
        assert not is_ended


def test_a_name_that_is_taken_is_refused_and_nothing_lies_about(tmp_path):
    BarLog(tmp_path, T0).close()
    with pytest.raises(FileExistsError):
        BarLog(tmp_path, T0)
    assert [path.suffix for path in (tmp_path / "log").iterdir()] == [".oib"]


def test_a_file_system_without_links_is_enough(tmp_path, monkeypatch):
    def refused(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refused)
    log = written(tmp_path, ("A", 1))
    assert len(bar_log.read(log.path).rows) == 1
    with pytest.raises(FileExistsError):
        BarLog(tmp_path, T0)
    assert len(bar_log.read(log.path).rows) == 1, "what stands there is not written over"
    assert [path.name for path in log.path.parent.iterdir()] == [log.path.name]


def test_only_what_is_asked_for_is_read_and_older_files_come_first(tmp_path):
    for started, k in ((T0 + 5, 2), (T0, 1)):
        log = BarLog(tmp_path, started)
        log.append(instruments("A", "B"), [minute(k, "A", "B")])
        log.close()
    found = bar_log.rows_of(tmp_path, T0, T0 + 120_000, frozenset(["binance:BUSDT"]))
    assert [(piece.keys[piece.row[0]], piece.close_ms.tolist()) for piece in found] == [
        ("binance:BUSDT", [T0 + 60_000]),
        ("binance:BUSDT", [T0 + 120_000]),
    ]
    assert bar_log.rows_of(tmp_path, T0 + 120_000, T0 + 180_000) == []
