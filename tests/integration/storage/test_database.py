"""A real file: damage is told, schemas are guarded, transactions are whole."""

import asyncio
import contextlib
import dataclasses
import json
import sqlite3
import stat

import pytest

from bot.errors import StorageError
from bot.model.alert import AlertRecord, State, Transition
from bot.model.outbox_ports import Commit
from bot.storage import preparing
from bot.storage.alerts import SqliteAlertStore
from bot.storage.chat_alerts import SqliteChatAlertStore
from bot.storage.database import join_database, open_database
from bot.storage.key_values import SqliteKeyValues
from bot.storage.outbox import SqliteOutbox


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "oibot.db"


async def fill(path):
    opened = await open_database(path, now_ms=1)
    try:
        await SqliteKeyValues(opened.database).put("a", "1")
    finally:
        await opened.database.close()
    return opened


async def reopen(path, *, now_ms=42):
    """Open, read the value that `fill` left, close."""
    opened = await open_database(path, now_ms=now_ms)
    try:
        return opened.damage, await SqliteKeyValues(opened.database).get("a")
    finally:
        await opened.database.close()


async def test_a_first_run_makes_a_private_file_and_is_not_damage(path):
    opened = await fill(path)
    assert opened.damage is None
    for file in path.parent.glob("oibot.db*"):
        if not file.name.endswith(".installed"):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert await reopen(path) == (None, "1")


async def test_an_existing_file_loses_its_wide_mode(path):
    await fill(path)
    path.chmod(0o644)
    await reopen(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_it_is_wal_and_fully_synchronous(path):
    opened = await open_database(path, now_ms=1)
    try:
        async with opened.database.transaction("look") as tx:
            assert await tx.fetch("PRAGMA journal_mode") == [("wal",)]
            assert await tx.fetch("PRAGMA synchronous") == [(2,)]
            assert await tx.fetch("PRAGMA foreign_keys") == [(1,)]
    finally:
        await opened.database.close()


async def test_garbage_is_moved_aside_and_told(path):
    await fill(path)
    path.write_bytes(b"this is no database " * 500)
    damage, value = await reopen(path)
    assert "damaged" in damage
    assert "oibot.db.corrupt-42" in damage
    assert value is None
    assert (path.parent / "oibot.db.corrupt-42").read_bytes().startswith(b"this is no database")
    assert await reopen(path, now_ms=43) == (None, None), "the fresh one is sound"


async def test_a_corrupt_page_is_found_by_the_check(path):
    await fill(path)
    with sqlite3.connect(path) as connection:
        connection.executemany("INSERT INTO key_values VALUES (?, ?)", [(f"k{i}", "x" * 500) for i in range(500)])
    connection.close()
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 8192] = b"\xa5" * 8192
    path.write_bytes(data)
    damage, _ = await reopen(path)
    assert damage
    assert "corrupt-42" in damage


@pytest.mark.parametrize("how", ["emptied", "missing", "no tables"])
async def test_a_vanished_database_is_never_taken_for_a_first_run(path, how):
    await fill(path)
    path.unlink()
    if how == "emptied":
        path.touch()
    elif how == "no tables":
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("VACUUM")
        connection.close()
    damage, value = await reopen(path)
    assert damage
    assert value is None


async def test_a_stale_journal_goes_with_its_database(path):
    await fill(path)
    path.write_bytes(b"garbage" * 1000)
    path.with_name("oibot.db-wal").write_bytes(b"old journal")
    await reopen(path)
    assert (path.parent / "oibot.db.corrupt-42-wal").read_bytes() == b"old journal"


async def test_an_empty_file_before_any_installation_is_a_first_run(path):
    path.parent.mkdir()
    path.touch()
    assert await reopen(path) == (None, None)


async def test_a_newer_schema_is_refused_and_left_alone(path):
    await fill(path)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(StorageError, match="schema 999"):
        await open_database(path, now_ms=2)
    assert not list(path.parent.glob("*.corrupt-*"))


async def test_a_failed_migration_is_undone_whole(path, monkeypatch):
    await fill(path)
    real = preparing.migrations()
    n = real[-1][0] + 1
    broken = [*real, (n, "CREATE TABLE extra (a TEXT);\nINSERT INTO nowhere VALUES (1);")]
    monkeypatch.setattr(preparing, "migrations", lambda: broken)
    with pytest.raises(StorageError, match=f"migration {n} failed"):
        await open_database(path, now_ms=2)
    mended = [*real, (n, "CREATE TABLE extra (a TEXT);")]
    monkeypatch.setattr(preparing, "migrations", lambda: mended)
    assert await reopen(path) == (None, "1")


async def test_a_database_of_the_first_version_keeps_its_alerts_and_takes_new_kinds(path, monkeypatch):
    now = preparing.migrations()
    monkeypatch.setattr(preparing, "migrations", lambda: now[:1])
    opened = await open_database(path, now_ms=1)
    record = AlertRecord(rule_id="r", instrument="binance:A", condition="c", state=State.FIRING)
    later = {"n_held", "option", "measure"}
    old = {f.name: getattr(record, f.name) for f in dataclasses.fields(record) if f.name not in later}
    async with opened.database.transaction("as the first version did") as tx:
        await tx.execute(
            f"INSERT INTO alerts ({', '.join(old)}) VALUES ({', '.join('?' * len(old))})", (*old.values(),)
        )
    await opened.database.close()
    monkeypatch.setattr(preparing, "migrations", lambda: now)
    opened = await open_database(path, now_ms=2)
    try:
        assert opened.damage is None
        assert await SqliteAlertStore(opened.database).load() == [record]
        assert await SqliteChatAlertStore(opened.database).count("terminal") == 0
    finally:
        await opened.database.close()


async def test_a_row_of_an_earlier_version_is_read_with_what_is_new_left_out(path):
    opened = await open_database(path, now_ms=1)
    view = {
        "rule_id": "r", "title": "R", "symbol": "A", "venue": "binance", "base": "A", "severity": "warning",
        "short_id": "x", "kind": "fire", "at_ms": 1, "fired_ms": 1, "condition": "", "value_text": "", "value": None,
        "value_is_ratio": False,
    }  # fmt: skip
    try:
        async with opened.database.transaction("as an earlier version did") as tx:
            await tx.execute(
                "INSERT INTO outbox (id, key, kind, destination, severity, created_ms, view) "
                "VALUES ('i', 'k', 'fire', 'main', 'warning', 1, ?)",
                (json.dumps(view),),
            )
        [row] = await SqliteOutbox(opened.database).waiting("main", now_ms=0, limit=9)
        found = row.view
        assert (found.message, found.tags, found.silent, found.held_back) == (None, (), False, ())
    finally:
        await opened.database.close()


async def test_a_folder_that_cannot_be_written_is_an_error_not_damage(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError, match="cannot open"):
        await open_database(tmp_path / "file" / "oibot.db", now_ms=1)


async def test_a_commit_is_whole_or_nothing(path):
    opened = await open_database(path, now_ms=1)
    try:
        store = SqliteAlertStore(opened.database)
        good = AlertRecord(rule_id="r", instrument="binance:A", condition="c", state=State.FIRING)
        bad = Transition(rule_id="r", venue="v", symbol="s", state=State.FIRING, at_ms="soon", value=None, key="k")
        with pytest.raises(StorageError, match="commit"):
            await store.commit(Commit(records=(good,), transitions=(bad,), rows=()))
        assert await store.load() == []
        await store.commit(Commit(records=(good,), transitions=(), rows=()))
        assert await store.load() == [good]
    finally:
        await opened.database.close()


async def test_a_cancelled_writer_leaves_no_transaction_open(path):
    opened = await open_database(path, now_ms=1)
    values = SqliteKeyValues(opened.database)
    try:
        for n in range(30):
            task = asyncio.create_task(values.put("n", str(n)))
            for _ in range(n % 6):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await values.put("n", "last")
        assert await values.get("n") == "last"
    finally:
        await opened.database.close()


async def test_a_full_disk_is_an_error_and_reads_go_on(path):
    opened = await open_database(path, now_ms=1)
    values = SqliteKeyValues(opened.database)
    try:
        await values.put("a", "1")
        async with opened.database.transaction("limit") as tx:
            await tx.execute("PRAGMA max_page_count = 1")
        with pytest.raises(StorageError, match="full"):
            await values.put("b", "x" * 100_000)
        assert await values.get("a") == "1"
        async with opened.database.transaction("lift") as tx:
            await tx.execute("PRAGMA max_page_count = 100000")
        await values.put("a", "2")
        assert await values.get("a") == "2"
    finally:
        await opened.database.close()


async def test_after_closing_every_operation_is_a_storage_error(path):
    opened = await open_database(path, now_ms=1)
    await opened.database.close()
    await opened.database.close()
    with pytest.raises(StorageError, match="closed"):
        await SqliteKeyValues(opened.database).get("a")
    with pytest.raises(StorageError, match="closed"):
        await SqliteKeyValues(opened.database).put("a", "1")


async def test_rows_of_an_outbox_without_mutes_stay_as_they_are(path, monkeypatch):
    now = preparing.migrations()
    monkeypatch.setattr(preparing, "migrations", lambda: [one for one in now if one[0] < 4])
    opened = await open_database(path, now_ms=1)
    async with opened.database.transaction("fill") as tx:
        await tx.execute("INSERT INTO messages VALUES ('m', 'main', '77', 0, 'delivered', 1, 0, 5, '')")
        for n, state in enumerate(["delivered", "waiting"], 7):
            message = "m" if state == "delivered" else None
            values = (n, f"id{n}", "k", "fire", "main", "warning", n, "{}", message, state)
            await tx.execute("INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    await opened.database.close()
    monkeypatch.setattr(preparing, "migrations", lambda: now)
    opened = await open_database(path, now_ms=2)
    try:
        assert opened.damage is None
        rows = await opened.database.fetch(
            "read", "SELECT seq, id, message_id, state, muted_reason, told_by FROM outbox ORDER BY seq"
        )
        assert rows == [(7, "id7", "m", "delivered", "", ""), (8, "id8", None, "waiting", "", "")]
        async with opened.database.transaction("add") as tx:
            await tx.execute(
                "INSERT INTO outbox (id, key, kind, destination, severity, created_ms, view, state) "
                "VALUES ('id9', 'k', 'fire', 'main', 'info', 1, '{}', 'muted')"
            )
        assert await opened.database.fetch("read", "SELECT seq FROM outbox WHERE id = 'id9'") == [(9,)]
    finally:
        await opened.database.close()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "expected a database of oibot, found one without a schema; start the bot: it moves this aside"),
        (b"x" * 100_000, r"the database is damaged \(file is not a database\); start the bot: it moves this aside"),
        (999, "schema 999, this version of oibot knows up to [0-9]+; install the newer version again"),
        (1, "schema 1, this version of oibot [0-9]+; start the bot, or `oibot migrate`"),
        (None, "there is no database yet; `oibot run` makes it"),
    ],
)
async def test_a_command_that_cannot_join_says_where_and_what_to_do(tmp_path, content, said):
    path = tmp_path / "oibot.db"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA user_version = {content}")
    with pytest.raises(StorageError, match=said) as caught:
        await join_database(path)
    assert str(caught.value).startswith(f"{path}: ")
