"""`oibot backup` and `oibot restore`: what they do to files, what they refuse, and what they say."""

import asyncio
import contextlib
import sqlite3
import stat
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bot.app.data_dir import DataDir
from bot.cli.backup import backup, restore
from bot.errors import BotError
from bot.storage.database import open_database
from bot.storage.key_values import SqliteKeyValues

DATABASE = Path("data/oibot.db")


@pytest.fixture
def run(tmp_path, monkeypatch):
    app = typer.Typer()
    app.command()(backup)
    app.command()(restore)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        if isinstance(result.exception, BotError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    return run


async def put(value):
    opened = await open_database(DATABASE, now_ms=1, backups=DataDir(Path("data")).backups)
    try:
        await SqliteKeyValues(opened.database).put("a", value)
    finally:
        await opened.database.close()
    return opened


def value(path=DATABASE):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT value FROM key_values WHERE key = 'a'").fetchone()[0]


def backups():
    return sorted(Path("data/backups").iterdir())


def moved():
    return [p for p in Path("data").glob("oibot.db.before-restore-*") if p.name[-1].isdigit()]


def test_there_and_back_and_undone(run):
    asyncio.run(put("old"))
    said = run("backup")
    [copy] = backups()
    assert str(copy) in said
    asyncio.run(put("new"))

    said = run("restore", copy)

    assert value() == "old"
    assert stat.S_IMODE(DATABASE.stat().st_mode) == 0o600
    [aside] = moved()
    assert f"oibot restore {aside}" in said
    assert "same #id" in said
    run("restore", aside)
    assert value() == "new"
    assert len(moved()) == 2
    opened = asyncio.run(put("newer"))
    assert (opened.damage, opened.doubt) == (None, None)


def test_what_only_the_journal_holds_is_in_the_copy_and_comes_back(run):
    asyncio.run(put("old"))
    with contextlib.closing(sqlite3.connect(DATABASE)) as connection:
        connection.execute("UPDATE key_values SET value = 'in the journal'")
        connection.commit()
        assert Path("data/oibot.db-wal").stat().st_size > 0
        run("backup", "--to", "copy.db")
        assert value("copy.db") == "in the journal"
        connection.execute("UPDATE key_values SET value = 'later'")
        connection.commit()
        run("restore", "copy.db")
    [aside] = moved()
    assert value() == "in the journal"
    run("restore", aside)
    assert value() == "later", "its journal went with it"


def test_only_the_newest_are_kept(run, monkeypatch):
    monkeypatch.setenv("OIBOT_BACKUP__KEEP", "2")
    asyncio.run(put("a"))
    for _ in range(4):
        run("backup")
    assert [p.name[:12] for p in backups()] == ["oibot-000003", "oibot-000004"]


def test_with_no_daily_ones_wanted_one_by_hand_is_still_made(run, monkeypatch):
    monkeypatch.setenv("OIBOT_BACKUP__KEEP", "0")
    asyncio.run(put("a"))
    run("backup")
    assert len(backups()) == 1


def test_into_a_folder_it_gets_the_name_of_the_database(run, tmp_path):
    asyncio.run(put("a"))
    (tmp_path / "elsewhere").mkdir()
    run("backup", "--to", "elsewhere")
    assert value("elsewhere/oibot.db") == "a"
    with pytest.raises(BotError, match="exists already"):
        run("backup", "--to", "elsewhere/oibot.db")


def test_a_running_bot_is_no_hindrance_to_a_backup_and_forbids_a_restore(run):
    asyncio.run(put("a"))
    with DataDir(Path("data")):
        run("backup")
        with pytest.raises(BotError, match="another oibot is running"):
            run("restore", backups()[0])
    assert value() == "a"


@pytest.mark.parametrize("name", ["nothing.db", "text.db", "data/oibot.db"])
def test_a_refused_restore_changes_nothing(run, name):
    asyncio.run(put("a"))
    Path("text.db").write_text("no database")
    before = sorted(p.name for p in Path("data").iterdir() if p.name != "lock")
    with pytest.raises(BotError, match=name):
        run("restore", name)
    assert sorted(p.name for p in Path("data").iterdir() if p.name != "lock") == before
    assert value() == "a"


def test_nothing_to_back_up_is_said_with_what_to_do(run):
    with pytest.raises(BotError, match="start the bot once"):
        run("backup")


def test_a_restore_into_an_empty_folder_is_a_move_to_another_machine(run):
    asyncio.run(put("a"))
    run("backup", "--to", "copy.db")
    for file in Path("data").iterdir():
        file.unlink()
    said = run("restore", "copy.db")
    assert value() == "a"
    assert "Undo" not in said
