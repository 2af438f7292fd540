"""Upgrade and rollback of a real file: every older schema comes along, a newer one is refused, and there is a way back."""

import contextlib
import os
import sqlite3
import stat
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bot.app.data_dir import DataDir
from bot.cli.backup import backup, restore
from bot.errors import StorageError
from bot.model.alert import State
from bot.storage import copies, preparing
from bot.storage.alerts import SqliteAlertStore
from bot.storage.chat_alerts import SqliteChatAlertStore
from bot.storage.database import open_database
from bot.storage.outbox import SqliteOutbox
from bot.storage.schema import migrations

SCRIPTS = migrations()
NEWEST = SCRIPTS[-1][0]
OLDER = [number for number, _ in SCRIPTS[:-1]]
KEY = "oi_surge/binance/BTCUSDT/1767225600000"

ALERT = (
    "INSERT INTO alerts (rule_id, instrument, condition, state, held_ms, pending_since_ms, fired_ms, cooldown_until_ms,"
    " key, value, peak, told_value, told_ms, n_told) VALUES ('oi_surge', 'binance/BTCUSDT', 'c', 'firing', 0, 0,"
    f" 1767225600000, 0, '{KEY}', 0.05, 0.06, 0.05, 1767225600000, 1)"
)
TRANSITION = (
    "INSERT INTO transitions (rule_id, venue, symbol, state, at_ms, value, key, reason) VALUES ('oi_surge', 'binance',"
    f" 'BTCUSDT', 'firing', 1767225600000, 0.05, '{KEY}', '')"
)
MESSAGE = "INSERT INTO messages (id, destination, text_version, state, attempts, due_ms, settled_ms, reason) VALUES ('m1', 'main', 1, 'delivered', 1, 0, 1, '')"
OUTBOX = "INSERT INTO outbox (id, key, kind, destination, severity, created_ms, view, message_id, state) VALUES (?, ?, 'fire', 'main', 'warning', 1767225600000, '{}', ?, ?)"
CHAT_ALERT = (
    "INSERT INTO chat_alerts (id, chat, user, instrument, measure, op, level, is_ratio, created_ms, cooldown_ms, for_ms,"
    " once, severity) VALUES ('a-7m97', 'telegram:1', '1', 'binance/BTCUSDT', 'price', '>', 1.0, 0, 0, 900000, 0, 0, 'warning')"
)


def written_by(path: Path, version: int) -> None:
    """A database as the version of oibot with that schema left it, with something in every table that matters."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for number, script in SCRIPTS[:version]:
            connection.executescript(f"BEGIN;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
        connection.execute(ALERT)
        connection.execute(TRANSITION)
        connection.execute(MESSAGE)
        connection.execute(OUTBOX, ("o1", KEY, "m1", "delivered"))
        connection.execute(OUTBOX, ("o2", KEY, None, "waiting"))
        if version >= 2:
            connection.execute(CHAT_ALERT)
    preparing.mark(path, is_open=False)


def value_of(path: Path, sql: str) -> object:
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchone()[0]


def version_of(path: Path) -> int:
    return int(value_of(path, "PRAGMA user_version"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return DataDir(Path("data"))


async def upgrade(folder: DataDir) -> str | None:
    opened = await open_database(folder.database, now_ms=1, backups=folder.backups)
    await opened.database.close()
    return opened.damage


@pytest.fixture
def older_program(monkeypatch):
    """The program as it was when a schema was the newest: it knows no later migration."""

    def install(version: int) -> None:
        known = [script for script in SCRIPTS if script[0] <= version]
        monkeypatch.setattr(preparing, "migrations", lambda: known)
        monkeypatch.setattr(copies, "migrations", lambda: known)

    return install


def run(*arguments: str) -> str:
    app = typer.Typer()
    app.command()(backup)
    app.command()(restore)
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def test_there_are_older_schemas_to_come_from():
    assert OLDER[:3] == [1, 2, 3]
    assert [number for number, _ in SCRIPTS] == list(range(1, NEWEST + 1)), "the number is the place"


@pytest.mark.parametrize("version", OLDER)
async def test_every_older_schema_comes_along_with_all_it_held(folder, version):
    written_by(folder.database, version)

    opened = await open_database(folder.database, now_ms=1, backups=folder.backups)
    try:
        assert (opened.damage, opened.doubt) == (None, None)
        [record] = await SqliteAlertStore(opened.database).load()
        assert (record.state, record.key) == (State.FIRING, KEY)
        [transition] = await SqliteAlertStore(opened.database).transitions(since_ms=0, limit=10)
        assert transition.value == 0.05
        counts = await SqliteOutbox(opened.database).counts()
        assert (counts["waiting"], counts["delivered"]) == (1, 1)
        stored = SqliteChatAlertStore(opened.database).stored(cool_ms=1)
        chat_alerts = [id_ async for batch in stored for id_ in batch.id]
        assert chat_alerts == (["a-7m97"] if version >= 2 else [])
    finally:
        await opened.database.close()
    assert version_of(folder.database) == NEWEST


@pytest.mark.parametrize("version", OLDER)
async def test_what_was_before_is_kept_as_it_was_and_only_its_owner_reads_it(folder, version):
    written_by(folder.database, version)
    await upgrade(folder)

    [kept] = folder.backups.iterdir()

    assert kept.name == f"before-upgrade-from-{version:04d}.db"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert version_of(kept) == version
    assert value_of(kept, "SELECT count(*) FROM outbox") == 2
    assert copies.listed(folder.backups) == [], "it is no daily backup, so none makes it go"


async def test_a_first_start_and_an_ordinary_one_keep_nothing(folder):
    await upgrade(folder)
    await upgrade(folder)
    assert not folder.backups.exists()


async def test_the_daily_backups_leave_it_alone_and_two_of_them_are_kept(folder):
    for version in OLDER[:4]:
        folder.database.unlink(missing_ok=True)
        written_by(folder.database, version)
        await upgrade(folder)
    for now_ms in range(1_000, 5_000, 1_000):
        copies.back_up(folder.database, folder.backups, now_ms=now_ms, keep=1)
    assert sorted(copies.kept_before_upgrades(folder.backups)) == OLDER[2:4]


async def test_without_room_for_the_way_back_nothing_is_migrated_and_later_it_is(folder, monkeypatch):
    written_by(folder.database, 1)
    with monkeypatch.context() as full:
        full.setattr(copies, "SPARE_BYTES", 10**18)
        with pytest.raises(StorageError, match="free some space") as caught:
            await upgrade(folder)
        assert caught.value.may_pass, "the start waits for it"
        assert version_of(folder.database) == 1
    assert await upgrade(folder) is None
    assert version_of(folder.database) == NEWEST


async def test_a_migration_that_fails_is_undone_told_and_no_copies_pile_up(folder, monkeypatch):
    written_by(folder.database, 1)
    broken = [*SCRIPTS, (NEWEST + 1, "CREATE TABLE fine (a) STRICT;\nINSERT INTO nowhere VALUES (1);")]
    with monkeypatch.context() as newer:
        newer.setattr(preparing, "migrations", lambda: broken)
        for _ in range(3):
            with pytest.raises(StorageError, match=f"migration {NEWEST + 1} failed and was undone"):
                await upgrade(folder)
    assert version_of(folder.database) == NEWEST
    assert value_of(folder.database, "SELECT count(*) FROM sqlite_master WHERE name = 'fine'") == 0
    assert sorted(copies.kept_before_upgrades(folder.backups)) == [1, NEWEST]


async def test_from_an_upgrade_back_to_the_version_before(folder, older_program):
    """What `docs/server.md` tells to do: the older program says what to restore, and then runs as before."""
    before = NEWEST - 1
    written_by(folder.database, before)
    await upgrade(folder)
    with contextlib.closing(sqlite3.connect(folder.database)) as connection:
        connection.execute("UPDATE outbox SET state = 'delivered' WHERE id = 'o2'")
        connection.commit()

    older_program(before)
    content = folder.database.read_bytes()
    with pytest.raises(StorageError, match=f"schema {NEWEST}, this version of oibot knows up to {before}") as refused:
        await upgrade(folder)
    assert not refused.value.may_pass
    assert folder.database.read_bytes() == content

    said = str(refused.value)
    assert "install the newer version again" in said
    command = said.rpartition("with: oibot ")[2].split()
    assert command[0] == "restore"
    told = run(*command)

    assert await upgrade(folder) is None
    assert version_of(folder.database) == before
    assert value_of(folder.database, "SELECT state FROM outbox WHERE id = 'o2'") == "waiting", "told again, same id"
    aside = told.rpartition("Undo with: oibot restore ")[2].split()[0]
    assert version_of(Path(aside)) == NEWEST, "what came since is not gone"


async def test_without_a_copy_a_refusal_says_what_else_helps(folder, older_program):
    await upgrade(folder)
    older_program(NEWEST - 1)
    with pytest.raises(StorageError, match="`oibot restore` an older backup, or start with another data folder"):
        await upgrade(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files for somebody else")
async def test_what_root_makes_in_the_folder_of_a_service_belongs_to_the_service(folder):
    written_by(folder.database, 1)
    uid = gid = 54_321
    for path in (folder.path, *folder.path.iterdir()):
        os.chown(path, uid, gid)
    await upgrade(folder)
    run("backup")
    [daily] = copies.listed(folder.backups)
    run("restore", str(daily.path))
    folder.path.joinpath("notes").mkdir()
    run("backup", "--to", "mine.db")

    made = [p for p in folder.path.rglob("*") if p.name != "notes"]

    assert {"backups", "lock", "oibot.db", "oibot.db.installed"} <= {p.name for p in made}
    assert [p for p in made if p.stat().st_uid != uid or p.stat().st_gid != gid] == []
    assert Path("mine.db").stat().st_uid == 0, "outside of it, root's files stay root's"
