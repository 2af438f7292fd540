"""What a disk can do to a database in use, one by one: full, locked, hung, damaged, read-only, gone."""

import asyncio
import contextlib
import os
import shutil
import sqlite3
import subprocess
import threading

import pytest

from bot.clock import ManualClock
from bot.errors import StorageError
from bot.model.alert import AlertRecord, State
from bot.model.buttons import Keyboard
from bot.model.outbox_ports import Commit
from bot.model.silence import Ack, QuietHours, Silence
from bot.model.subscriptions import Look, Subscription, TopicRoute
from bot.storage import copies, preparing
from bot.storage.alerts import SqliteAlertStore
from bot.storage.buttons import SqliteButtonStore
from bot.storage.chat_moves import SqliteChatMoves
from bot.storage.database import PATIENCE_S, join_database, open_database
from bot.storage.key_values import SqliteKeyValues
from bot.storage.members import peek_owner
from bot.storage.silences import SqliteSilenceStore
from bot.storage.subscriptions import SqliteSubscriptionStore


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "oibot.db"


@contextlib.asynccontextmanager
async def opened(path, **more):
    found = await open_database(path, now_ms=1, **more)
    try:
        yield found
    finally:
        await found.database.close()


async def fill(path, n=1):
    async with opened(path) as found:
        for k in range(n):
            await SqliteKeyValues(found.database).put(f"k{k}", "x" * 500)


class Hang:
    """Stops the writing thread until it is told to go on, as a disk does that does not answer."""

    def __init__(self, connection):
        self._go = threading.Event()
        self._task = asyncio.ensure_future(connection._execute(self._go.wait, 30))

    async def end(self):
        self._go.set()
        await self._task


async def test_a_call_on_a_hung_disk_is_given_up_and_the_next_are_refused_at_once(path):
    clock = ManualClock()
    async with opened(path, clock=clock) as found:
        values, trouble = SqliteKeyValues(found.database), found.database.trouble
        await values.put("a", "1")
        hang = Hang(found.database._writer)
        task = asyncio.ensure_future(values.put("a", "2"))
        await clock.advance(PATIENCE_S - 0.1)
        assert not task.done()
        await clock.advance(0.2)
        with pytest.raises(StorageError, match="not answered for 6 s"):
            await task
        with pytest.raises(StorageError, match="does not answer"):
            await values.put("a", "3")
        assert await values.get("a") == "1", "reading goes on"
        assert trouble.n_failed == 2
        assert not trouble.damage
        await hang.end()
        while found.database._at_work:
            await asyncio.sleep(0.01)
        await values.put("b", "4")
        assert await values.get("a") == "2", "what was begun was not lost"


async def test_at_a_stop_calls_give_up_sooner(path):
    clock = ManualClock()
    async with opened(path, clock=clock) as found:
        hang = Hang(found.database._writer)
        found.database.hurry(1.0)
        task = asyncio.ensure_future(SqliteKeyValues(found.database).put("a", "1"))
        await clock.advance(0.9)
        assert not task.done()
        await clock.advance(0.2)
        with pytest.raises(StorageError, match="not answered for 1 s"):
            await task
        await hang.end()


ACTS = {
    "a silence": lambda db: SqliteSilenceStore(db).add(Silence("s-1", 1, 2, "a", 1)),
    "the end of a silence": lambda db: SqliteSilenceStore(db).expire("s-1", at_ms=1),
    "an acknowledgement": lambda db: SqliteSilenceStore(db).acknowledge(Ack("k", "", "a", 1)),
    "quiet hours": lambda db: SqliteSilenceStore(db).put_quiet(QuietHours("d", 1, 2, "UTC")),
    "no quiet hours": lambda db: SqliteSilenceStore(db).drop_quiet("d"),
    "pruning": lambda db: SqliteSilenceStore(db).prune(before_ms=1),
    "a button": lambda db: SqliteButtonStore(db).put(Keyboard("k", "c", "", "", ("/oi",), 1)),
    "a chat that moves": lambda db: SqliteChatMoves(db).move("a", "b"),
    "a destination of another name": lambda db: SqliteChatMoves(db).rename("a", "b"),
    "a subscription": lambda db: SqliteSubscriptionStore(db).put(Subscription("c", is_on=True)),
    "no subscriptions": lambda db: SqliteSubscriptionStore(db).forget("c"),
    "a look": lambda db: SqliteSubscriptionStore(db).put_look("c", Look()),
    "no look": lambda db: SqliteSubscriptionStore(db).forget_look("c"),
    "a topic": lambda db: SqliteSubscriptionStore(db).put_topic(TopicRoute("c", 1, "all", 1)),
    "no topic": lambda db: SqliteSubscriptionStore(db).drop_topic("c", 1),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
async def test_nobody_waits_for_a_hung_disk_longer_than_patience_lasts(path, act):
    clock = ManualClock()
    async with opened(path, clock=clock) as found:
        hang = Hang(found.database._writer)
        task = asyncio.ensure_future(act(found.database))
        await clock.advance(PATIENCE_S + 0.1)
        assert task.done()
        with pytest.raises(StorageError, match="not answered for 6 s"):
            await task
        await hang.end()
        while found.database._at_work:
            await asyncio.sleep(0.01)
        await act(found.database)


async def test_a_stop_does_not_wait_for_a_hung_disk(path):
    async with opened(path) as found:
        record = AlertRecord(rule_id="r", instrument="binance:A", condition="c", state=State.FIRING)
        store = SqliteAlertStore(found.database)
        hang = Hang(found.database._writer)
        task = asyncio.ensure_future(store.commit(Commit((record,), (), ())))
        await asyncio.sleep(0.05)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=2)
        assert done, "the cancelled commit still waits for the disk"
        await hang.end()
        assert await store.load() == [], "it was undone"
        await store.commit(Commit((record,), (), ()))
        assert await store.load() == [record]


async def test_a_lock_of_another_program_is_an_error_that_passes_and_reads_go_on(path):
    clock = ManualClock()
    clock.speed = 50.0
    async with opened(path, clock=clock) as found:
        values = SqliteKeyValues(found.database)
        await values.put("a", "1")
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageError, match="locked") as caught:
                await values.put("a", "2")
            assert caught.value.may_pass
            assert await values.get("a") == "1"
            other.execute("ROLLBACK")
        await values.put("a", "3")
        assert await values.get("a") == "3"
        assert found.database.trouble.n_failed == 1


async def test_what_can_never_be_stored_is_told_apart_from_a_disk_that_fails(path):
    async with opened(path) as found:
        bad = AlertRecord(rule_id="r", instrument="i", condition="c", state=State.FIRING, held_ms=None)
        with pytest.raises(StorageError) as caught:
            await SqliteAlertStore(found.database).commit(Commit((bad,), (), ()))
        assert not caught.value.may_pass
        assert found.database.trouble.n_failed == 0


async def test_pages_damaged_while_it_runs_are_known_as_damage(path):
    await fill(path, 400)
    async with opened(path) as found:
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(8192)
            file.write(b"\xa5" * (size - 8192))
        with pytest.raises(StorageError):
            await found.database.fetch("look", "SELECT sum(length(value)) FROM key_values")
        assert "malformed" in found.database.trouble.damage


async def test_damage_at_the_start_is_mended_from_the_newest_sound_backup(path, tmp_path):
    folder = tmp_path / "backups"
    await fill(path, 3)
    first = copies.back_up(path, folder, now_ms=1_000, keep=9)
    await fill(path, 5)
    second = copies.back_up(path, folder, now_ms=2_000, keep=9)
    third = copies.back_up(path, folder, now_ms=3_000, keep=9)
    third.path.write_bytes(third.path.read_bytes()[:9_000])
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 50_000)

    async with opened(path, backups=folder) as found:
        assert second.path.name in found.damage
        assert "oibot.db.corrupt-1" in found.damage
        assert await SqliteKeyValues(found.database).get("k4") == "x" * 500
    assert first.path.exists()
    assert path.with_name("oibot.db.corrupt-1").exists()


async def test_without_a_usable_backup_it_starts_empty_and_says_so(path, tmp_path):
    await fill(path)
    path.write_bytes(b"no database at all")
    async with opened(path, backups=tmp_path / "none") as found:
        assert "starts empty" in found.damage


@pytest.mark.parametrize("how", ["gone", "empty"])
async def test_a_folder_with_backups_is_no_first_run_whatever_else_is_gone(path, tmp_path, how):
    folder = tmp_path / "backups"
    await fill(path, 2)
    copies.back_up(path, folder, now_ms=1_000, keep=9)
    for file in path.parent.iterdir():
        file.unlink()
    if how == "empty":
        path.touch()
    async with opened(path, backups=folder) as found:
        assert "took its place" in found.damage
        assert await SqliteKeyValues(found.database).get("k1")


async def test_a_full_disk_while_a_backup_is_put_back_starts_nothing_empty(path, tmp_path, monkeypatch):
    folder = tmp_path / "backups"
    await fill(path, 2)
    copies.back_up(path, folder, now_ms=1_000, keep=9)
    path.write_bytes(b"garbage" * 100)
    monkeypatch.setattr(copies, "SPARE_BYTES", 10**18)
    for _ in range(2):
        with pytest.raises(StorageError, match="free some space") as caught:
            await open_database(path, now_ms=5, backups=folder)
        assert caught.value.may_pass
        assert not path.exists()
    monkeypatch.setattr(copies, "SPARE_BYTES", 0)
    async with opened(path, backups=folder) as found:
        assert await SqliteKeyValues(found.database).get("k1")


def crash(path, tmp_path):
    """Leave a database as a killed process does: with its journal."""
    script = (
        "import asyncio, os, sys\nfrom pathlib import Path\n"
        "from bot.storage.database import open_database\nfrom bot.storage.key_values import SqliteKeyValues\n"
        "async def main():\n"
        "    found = await open_database(Path(sys.argv[1]), now_ms=1)\n"
        "    await SqliteKeyValues(found.database).put('late', '1')\n"
        "    os._exit(9)\n"
        "asyncio.run(main())\n"
    )
    subprocess.run([os.sys.executable, "-c", script, str(path)], check=False, cwd=tmp_path, capture_output=True)
    assert path.with_name("oibot.db-wal").exists()


async def test_a_journal_that_is_gone_after_a_crash_is_told(path, tmp_path):
    await fill(path)
    crash(path, tmp_path)
    path.with_name("oibot.db-wal").unlink()
    async with opened(path) as found:
        assert found.damage is None
        assert "oibot.db-wal is gone" in found.doubt
        assert await SqliteKeyValues(found.database).get("k0"), "the rest is used"
        assert await SqliteKeyValues(found.database).get("late") is None
    async with opened(path) as found:
        assert found.doubt is None, "said once"


async def test_who_only_looked_meanwhile_hides_no_journal_that_is_gone(path, tmp_path):
    """`oibot run` itself asks the file for its owner before it opens it, and SQLite makes an empty journal for that."""
    await fill(path)
    crash(path, tmp_path)
    path.with_name("oibot.db-wal").unlink()
    assert peek_owner(path) is None
    async with opened(path) as found:
        assert "oibot.db-wal is gone" in found.doubt


@pytest.mark.parametrize("is_there", [True, False])
async def test_a_command_that_writes_a_journal_back_after_a_crash_says_so_to_the_next_start(path, tmp_path, is_there):
    """`oibot outbox list`, say, before the bot is started again."""
    await fill(path)
    crash(path, tmp_path)
    if not is_there:
        path.with_name("oibot.db-wal").unlink()
    guest = await join_database(path)
    assert await SqliteKeyValues(guest).get("late") == ("1" if is_there else None)
    await guest.disconnect()
    assert not path.with_name("oibot.db-wal").exists()
    async with opened(path) as found:
        assert (found.doubt is None) == is_there


async def test_a_command_beside_a_bot_leaves_its_journal_alone(path):
    async with opened(path) as found:
        await SqliteKeyValues(found.database).put("a", "1")
        await (await join_database(path)).disconnect()
        assert preparing.has_journal(path)
        assert preparing.marker_of(path).read_text().endswith("in use\n")


async def test_a_crash_before_anything_was_stored_leaves_no_doubt(path, tmp_path):
    await fill(path)
    async with opened(path):
        shutil.copytree(path.parent, tmp_path / "copy")
    async with opened(tmp_path / "copy" / path.name) as found:
        assert (found.damage, found.doubt) == (None, None)


async def test_a_journal_that_is_there_after_a_crash_is_read_and_nothing_is_said(path, tmp_path):
    await fill(path)
    crash(path, tmp_path)
    async with opened(path) as found:
        assert (found.damage, found.doubt) == (None, None)
        assert await SqliteKeyValues(found.database).get("late") == "1"


async def test_a_start_that_came_no_further_than_to_write_the_journal_back_lost_nothing(path, tmp_path):
    """As one that found no room for the copy before an upgrade, or was killed."""
    await fill(path)
    crash(path, tmp_path)
    preparing.prepare(path, now_ms=2)
    assert not preparing.has_journal(path)
    async with opened(path) as found:
        assert (found.damage, found.doubt) == (None, None)
        assert await SqliteKeyValues(found.database).get("late") == "1"


async def test_a_journal_that_is_gone_is_told_until_a_start_comes_through(path, tmp_path):
    await fill(path)
    crash(path, tmp_path)
    path.with_name("oibot.db-wal").unlink()
    preparing.prepare(path, now_ms=2)
    async with opened(path) as found:
        assert "oibot.db-wal is gone" in found.doubt


async def test_a_lock_at_the_start_passes_and_a_newer_schema_does_not(path, monkeypatch):
    await fill(path)
    monkeypatch.setattr(preparing, "BUSY_TIMEOUT_MS", 50)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageError, match="locked") as caught:
            await open_database(path, now_ms=2)
        assert caught.value.may_pass
        other.execute("ROLLBACK")
        other.execute("PRAGMA user_version = 999")
    with pytest.raises(StorageError, match="schema 999") as caught:
        await open_database(path, now_ms=2)
    assert not caught.value.may_pass
    assert not list(path.parent.glob("*.corrupt-*"))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


async def test_a_disk_that_is_really_full_and_then_has_space_again(small_disk):
    path = small_disk / "data" / "oibot.db"
    ballast = small_disk / "ballast"
    async with opened(path) as found:
        values = SqliteKeyValues(found.database)
        await values.put("a", "1")
        with contextlib.suppress(OSError), ballast.open("wb") as file:
            while True:
                file.write(b"x" * 4096)
                file.flush()
        with pytest.raises(StorageError, match=r"full|I/O") as caught:
            await values.put("b", "x" * 1_800_000)
        assert caught.value.may_pass
        assert await values.get("a") == "1"
        ballast.unlink()
        await values.put("c", "2")
        assert await values.get("c") == "2"


async def test_a_full_disk_at_the_start_passes(small_disk):
    path = small_disk / "data" / "oibot.db"
    await fill(path)
    with contextlib.suppress(OSError), (small_disk / "ballast").open("wb") as file:
        while True:
            file.write(b"x" * 4096)
            file.flush()
    with pytest.raises(StorageError) as caught:
        await open_database(path, now_ms=2)
    assert caught.value.may_pass, caught.value
    (small_disk / "ballast").unlink()
    async with opened(path) as found:
        assert (found.damage, found.doubt) == (None, None)
        assert await SqliteKeyValues(found.database).get("k0")


async def test_a_database_that_became_read_only(path):
    async with opened(path) as found:
        values = SqliteKeyValues(found.database)
        await values.put("a", "1")
        # The same refusal as on a file system that was remounted, which open files forbid here.
        await found.database._writer.execute("PRAGMA query_only = ON")
        with pytest.raises(StorageError, match="readonly") as caught:
            await values.put("a", "2")
        assert caught.value.may_pass
        assert await values.get("a") == "1"
