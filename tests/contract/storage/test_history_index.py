"""The books of the history, in memory and in SQLite."""

import contextlib
from dataclasses import replace

import pytest

from bot.errors import StorageError
from bot.model.history_ports import PartInfo, TakenFile, kind_of
from bot.model.instrument import Instrument
from bot.storage.history_index import open_index
from bot.storage.memory_history import MemoryHistoryIndex


@pytest.fixture(params=["memory", "sqlite"])
def index(request, tmp_path):
    if request.param == "memory":
        yield MemoryHistoryIndex()
        return
    with contextlib.closing(open_index(tmp_path, now_ms=1)) as opened:
        yield opened


def part(name, first=100, last=200, *, source="live", keys=("binance:AUSDT",), digest="", place=""):
    return PartInfo(name, source, keys, ((first, last),), 7, 1_000, digest or name, place)


def names(parts):
    return [one.name for one in parts]


def test_parts_come_in_the_order_in_which_they_were_entered_and_as_they_were_entered(index):
    entered = [index.add(part(name)) for name in "cab"]
    assert names(index.parts()) == ["c", "a", "b"]
    assert list(index.parts()) == entered
    assert entered[0] == replace(part("c"), seq=entered[0].seq)
    assert entered[0].seq < entered[1].seq < entered[2].seq


def test_parts_of_a_time_are_those_with_a_close_in_it(index):
    index.add(part("early", 100, 200))
    index.add(part("late", 300, 400))
    assert names(index.parts(after_ms=200)) == ["late"]
    assert names(index.parts(after_ms=199)) == ["early", "late"]
    assert names(index.parts(until_ms=299)) == ["early"]
    assert names(index.parts(until_ms=300)) == ["early", "late"]
    assert names(index.parts(after_ms=200, until_ms=299)) == []


def test_a_part_is_found_by_its_content_within_its_kind(index):
    index.add(part("a", source="import:one.csv", digest="d"))
    assert index.find("import:two.csv", "d").name == "a"
    assert index.find("live", "d") is None
    assert index.find("import", "e") is None


def test_parts_take_the_rank_of_the_last_of_those_they_stand_for(index):
    for name in "abc":
        index.add(part(name))
    ranks = {p.name: p.seq for p in index.parts()}
    assert index.swap(["a", "b"], [part("ab1", place="x"), part("ab2", place="y")])
    assert names(index.parts()) == ["ab1", "ab2", "c"]
    assert {p.seq for p in index.parts() if p.name != "c"} == {ranks["b"]}
    assert index.gone() == ["a", "b"]
    index.unlinked(["a"])
    assert index.gone() == ["b"]


def test_where_one_of_them_is_not_there_nothing_changes(index):
    index.add(part("a"))
    before = list(index.parts())
    assert not index.swap(["a", "b"], [part("ab")])
    assert list(index.parts()) == before
    assert index.gone() == []


def test_a_part_that_stays_under_its_name_is_not_gone(index):
    index.add(part("a"))
    assert index.swap(["a"], [part("a", place="live/2026-01-01")])
    assert index.gone() == []
    assert index.parts()[0].place == "live/2026-01-01"


def test_instruments_are_as_they_were_last_said_to_be(index):
    first = Instrument("binance", "币安人生USDT", "perpetual", "币安人生", "USDT", "TRADING", tick_size=0.1)
    index.know([first])
    index.know(
        [replace(first, status="SETTLING"), Instrument("binance", "A", "delivery", "A", "USD", "X", delivery_ms=5)]
    )
    found = index.instruments()
    assert [(i.symbol, i.status, i.delivery_ms) for i in found] == [("A", "X", 5), ("币安人生USDT", "SETTLING", None)]
    assert found[1].tick_size == 0.1


def test_files_that_were_taken_in_are_known_until_they_are_to_be_forgotten(index):
    file = TakenFile("d", "x.zip", 5, 100, 2)
    assert index.taken("d") is None
    index.take(file)
    assert index.taken("d") == file
    index.take(replace(file, n_rows=7))
    assert index.taken("d").n_rows == 7
    index.forget_files()
    assert index.taken("d") is None


def test_a_source_is_of_a_kind():
    assert kind_of("import:a.csv") == "import"
    with pytest.raises(ValueError, match="expected one of"):
        kind_of("seen")


# -- the file ----------------------------------------------------------------------------------------------------


def test_two_processes_use_one_index(tmp_path):
    with (
        contextlib.closing(open_index(tmp_path, now_ms=1)) as one,
        contextlib.closing(open_index(tmp_path, now_ms=1)) as two,
    ):
        one.add(part("a"))
        two.add(part("b"))
        assert names(one.parts()) == names(two.parts()) == ["a", "b"]


def test_one_of_a_newer_version_is_set_aside_and_made_anew(tmp_path):
    with contextlib.closing(open_index(tmp_path, now_ms=1)) as index:
        index.add(part("a"))
        index._connection.execute("PRAGMA user_version = 99")
    with contextlib.closing(open_index(tmp_path, now_ms=2)) as index:
        assert index.parts() == []
    assert list(tmp_path.glob("index.db.corrupt-2*"))


def test_one_that_cannot_be_opened_is_an_error_and_not_set_aside(tmp_path):
    (tmp_path / "index.db").mkdir()
    with pytest.raises(StorageError, match="index of the history"):
        open_index(tmp_path, now_ms=1)
    assert (tmp_path / "index.db").is_dir()
