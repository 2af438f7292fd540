"""Backups of a real file: made in use, whole or not there, few, private, and found again."""

import asyncio
import contextlib
import sqlite3
import stat
import threading

import pytest

from bot.errors import StorageError
from bot.storage import copies, preparing
from bot.storage.database import open_database
from bot.storage.key_values import SqliteKeyValues


@pytest.fixture
async def database(tmp_path):
    opened = await open_database(tmp_path / "data" / "oibot.db", now_ms=1)
    yield opened.database
    await opened.database.close()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data" / "backups"


def content(path):
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return dict(connection.execute("SELECT key, value FROM key_values"))


async def test_a_backup_holds_what_was_committed_and_only_its_owner_reads_it(database, folder):
    await SqliteKeyValues(database).put("币", "1")
    made = copies.back_up(database.path, folder, now_ms=1_795_444_260_123, keep=7)
    assert made.path.name == "oibot-000001-20261123T143100Z.db"
    assert content(made.path) == {"币": "1"}
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert copies.inspect(made.path) == preparing.migrations()[-1][0]
    assert copies.listed(folder) == [made]


async def test_writers_go_on_while_a_copy_is_made(database, folder):
    values = SqliteKeyValues(database)
    for n in range(300):
        await values.put(f"k{n}", "x" * 2_000)
    started, go_on = threading.Event(), threading.Event()

    def slow(connection):
        # A program that is asked between steps of the copying keeps its reading side open.
        def wait():
            started.set()
            go_on.wait(5)
            return 0

        connection.set_progress_handler(wait, 1_000)

    task = asyncio.create_task(asyncio.to_thread(copies.back_up, database.path, folder, now_ms=1, keep=1, on_open=slow))
    await asyncio.to_thread(started.wait, 5)
    await values.put("meanwhile", "1")
    assert await values.get("meanwhile") == "1"
    assert copies.listed(folder) == [], "it has its name only once it is whole"
    go_on.set()
    made = await task
    found = content(made.path)
    assert len(found) == 300
    assert "meanwhile" not in found


async def test_the_oldest_go_by_number_whatever_the_clock_said(database, folder):
    stamps = [5_000, 90_000_000_000_000, 3_000, 4_000]
    made = [copies.back_up(database.path, folder, now_ms=ms, keep=2) for ms in stamps]
    assert copies.listed(folder) == made[-2:]
    for other in ("notes.txt", "oibot-1-20260101T000000Z.db", "oibot-000009-20269901T000000Z.db"):
        (folder / other).write_text("kept")
    assert copies.listed(folder) == made[-2:]
    copies.back_up(database.path, folder, now_ms=1, keep=1)
    assert (folder / "notes.txt").exists()


async def test_a_disk_without_space_is_told_before_anything_is_written(database, folder, monkeypatch):
    monkeypatch.setattr(copies, "SPARE_BYTES", 10**18)
    with pytest.raises(StorageError, match=r"MB are free; free some space"):
        copies.back_up(database.path, folder, now_ms=1, keep=1)
    assert list(folder.iterdir()) == []


async def test_an_interrupted_copy_leaves_nothing_and_the_old_ones_stay(database, folder):
    first = copies.back_up(database.path, folder, now_ms=1, keep=1)
    with pytest.raises(StorageError, match="interrupted"):
        copies.back_up(database.path, folder, now_ms=2, keep=1, on_open=lambda c: c.set_progress_handler(lambda: 1, 10))
    assert list(folder.iterdir()) == [first.path]


async def test_what_a_kill_left_behind_goes_with_the_next(database, folder):
    folder.mkdir()
    (folder / ".oibot-000001-20260101T000000Z.db.77.part").write_text("half")
    made = copies.back_up(database.path, folder, now_ms=1, keep=1)
    assert list(folder.iterdir()) == [made.path]


async def test_a_damaged_source_makes_no_backup(database, folder):
    values = SqliteKeyValues(database)
    for n in range(200):
        await values.put(f"k{n}", "x" * 2_000)
    first = copies.back_up(database.path, folder, now_ms=1, keep=1)
    await database.close()
    with database.path.open("r+b") as file:
        file.seek(database.path.stat().st_size // 2)
        file.write(b"\xa5" * 100_000)
    with pytest.raises(StorageError, match="malformed"):
        copies.back_up(database.path, folder, now_ms=2, keep=1)
    assert copies.listed(folder) == [first]
    assert content(first.path)


def bad_files(tmp_path):
    (tmp_path / "text").write_text("just text")
    (tmp_path / "empty").touch()
    with contextlib.closing(sqlite3.connect(tmp_path / "foreign")) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.commit()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nothing", "found none"),
        ("text", "something else"),
        ("empty", "something else"),
        ("foreign", "expected a database of oibot"),
    ],
)
def test_what_is_no_copy_of_ours_is_refused_with_its_reason(tmp_path, name, says):
    bad_files(tmp_path)
    with pytest.raises(StorageError, match=says) as caught:
        copies.inspect(tmp_path / name)
    assert not caught.value.may_pass


async def test_a_copy_of_a_newer_version_is_refused(database, folder):
    made = copies.back_up(database.path, folder, now_ms=1, keep=1)
    with contextlib.closing(sqlite3.connect(made.path)) as connection:
        connection.execute("PRAGMA user_version = 999")
    with pytest.raises(StorageError, match="schema 999"):
        copies.inspect(made.path)


async def test_a_source_that_cannot_be_copied_is_named_and_not_the_unfinished_copy(tmp_path, folder):
    source = tmp_path / "oibot.db"
    await (await open_database(source, now_ms=1)).database.close()
    with contextlib.closing(sqlite3.connect(source)) as connection:
        connection.execute("PRAGMA user_version = 999")
    with pytest.raises(StorageError, match="has schema 999") as caught:
        copies.back_up(source, folder, now_ms=1, keep=7)
    assert str(caught.value).startswith(f"{source}: ")
    source.write_bytes(b"x" * 100_000)
    with pytest.raises(StorageError, match="file is not a database") as caught:
        copies.back_up(source, folder, now_ms=1, keep=7)
    assert str(caught.value).startswith(f"{source}: ")
