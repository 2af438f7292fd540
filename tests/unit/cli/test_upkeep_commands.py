"""`oibot version`, `migrate`, `status`, `top` and `claim` where no bot runs."""

import contextlib
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

import bot
from bot.cli.main import app_of
from bot.errors import ConfigError
from bot.storage import copies, preparing
from bot.storage.schema import migrations

NEWEST = migrations()[-1][0]


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(app_of(), list(words))


def older(path, version):
    """A database of an earlier version, made by its own scripts."""
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for number, script in migrations()[:version]:
            connection.executescript(f"{script}\nPRAGMA user_version = {number};")


def test_the_version_is_one_line_and_verbose_says_what_a_report_needs(run, tmp_path):
    assert run("version").stdout == f"{bot.__version__}\n"
    text = run("version", "--verbose").stdout
    for name in ("Python", "SQLite", "numpy", "python-telegram-bot"):
        assert name in text
    assert f"{NEWEST} (no database in data)" in text
    older(tmp_path / "data" / "oibot.db", 3)
    assert f"{NEWEST} (the database in data has 3)" in run("version", "-v").stdout


def test_a_migration_by_hand_keeps_a_copy(run, tmp_path):
    path = tmp_path / "data" / "oibot.db"
    assert isinstance(run("migrate").exception, ConfigError)
    older(path, NEWEST - 1)
    result = run("migrate")
    assert result.exit_code == 0, result.output
    assert f"schema {NEWEST - 1} -> {NEWEST}" in result.stdout
    assert copies.inspect(path) == NEWEST
    kept = copies.kept_before_upgrades(tmp_path / "data" / "backups")[NEWEST - 1]
    assert f"Copied to {Path('data/backups') / kept.name} first" in result.stdout
    assert copies.inspect(kept) == NEWEST - 1
    assert "the newest there is" in run("migrate").stdout
    assert [p.name for p in kept.parent.iterdir()] == [kept.name]


def test_what_is_damaged_is_not_migrated(run, tmp_path):
    path = tmp_path / "data" / "oibot.db"
    path.parent.mkdir()
    preparing.prepare(path, now_ms=1)
    path.write_bytes(b"garbage")
    assert "found something else" in str(run("migrate").exception)
    assert path.read_bytes() == b"garbage"


@pytest.mark.parametrize("command", ["status", "top"])
def test_without_a_bot_there_is_one_sentence(run, command):
    result = run(command)
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception).startswith(f"{command}: no bot is running on data")


def test_top_knows_its_windows(run):
    assert "expected one of 5m, 15m, 1h, 4h, 24h" in run("top", "--window", "7m").output


def test_a_claim_needs_a_bot_and_nobody_in_the_settings(run, monkeypatch):
    assert "oibot init" in str(run("claim").exception)
    monkeypatch.setenv("OIBOT_TELEGRAM__TOKEN", "123456789:" + "x" * 35)
    monkeypatch.setenv("OIBOT_TELEGRAM__OWNER_ID", "71")
    assert "OIBOT_TELEGRAM__OWNER_ID names the owner, 71" in str(run("claim").exception)


def test_init_without_a_terminal_says_how_to_give_the_token(run):
    assert "--token-file" in str(run("init").exception)


def test_every_command_stands_in_a_group(run):
    text = run("--help").output
    assert "─ Commands ─" not in text
    for group in ("Begin", "Look", "Rules", "Look after it", "For developers"):
        assert f"─ {group} ─" in text
