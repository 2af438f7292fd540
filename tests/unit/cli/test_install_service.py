"""`oibot install-service`: what it writes, what it never overwrites, and what it says."""

import asyncio
import contextlib
import os
import sqlite3
import stat
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bot import settings
from bot.app import installing
from bot.app.data_dir import DataDir
from bot.cli.install_service import install_service
from bot.errors import BotError, ConfigError
from bot.storage.database import open_database
from bot.storage.key_values import SqliteKeyValues

TOKEN = "123456789:" + "Ab-" * 12
ENV = f"""# mine
OIBOT_TELEGRAM__TOKEN={TOKEN}
OIBOT_TELEGRAM__OWNER_ID=42
OIBOT_SECRETS__PAGER=s3cret
OIBOT_LOG__LEVEL=DEBUG
"""
RULES = "version: 1\nrules:\n  - {id: mine, when: price > 1}\n"


@pytest.fixture
def world(tmp_path, monkeypatch):
    for name in [n for n in os.environ if n.startswith("OIBOT_")]:
        monkeypatch.delenv(name)
    here = tmp_path / "here"
    (here / "rules").mkdir(parents=True)
    (here / ".env").write_text(ENV, encoding="utf-8")
    (here / "rules" / "mine.yaml").write_text(RULES, encoding="utf-8")
    (here / "rules" / "mine.yaml").chmod(0o600)
    program = tmp_path / "opt" / "bin"
    program.mkdir(parents=True)
    for name in ("oibot", "python"):
        (program / name).touch()
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "executable", str(program / "python"))
    monkeypatch.setattr(installing, "HIDDEN", (str(tmp_path / "home"),))
    return tmp_path


@pytest.fixture
def run(world):
    app = typer.Typer()
    app.command()(install_service)

    def run(*arguments):
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        if isinstance(result.exception, BotError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    return run


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def everything(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text(encoding="utf-8") for p in sorted(folder.rglob("*")) if p.is_file()}


def test_for_the_system_everything_is_in_its_place_with_its_mode(world, run):
    said = run("--root", world / "root")

    etc = world / "root" / "etc"
    unit = etc / "systemd" / "system" / "oibot.service"
    assert f"ExecStart={world}/opt/bin/oibot run" in unit.read_text()
    assert mode(unit) == 0o644
    secrets = {p.name: p.read_text() for p in (etc / "oibot" / "credentials").iterdir()}
    assert secrets == {"telegram__token": f"{TOKEN}\n", "secrets__pager": "s3cret\n"}
    assert {mode(p) for p in (etc / "oibot" / "credentials").iterdir()} == {0o600}
    assert mode(etc / "oibot" / "credentials") == 0o700
    assert mode(etc / "oibot" / ".env") == 0o600
    assert (etc / "oibot" / "rules" / "mine.yaml").read_text() == RULES
    assert mode(etc / "oibot" / "rules" / "mine.yaml") == 0o644, "the service's user is not its owner"
    assert TOKEN not in said
    assert "systemctl enable --now oibot" in said


def test_secrets_leave_both_env_files_and_everything_else_stays(world, run):
    run("--root", world / "root")

    rest = "# mine\nOIBOT_TELEGRAM__OWNER_ID=42\nOIBOT_LOG__LEVEL=DEBUG\n"
    assert Path(".env").read_text() == rest
    assert (world / "root/etc/oibot/.env").read_text() == (
        rest + "OIBOT_DATA_DIR=/var/lib/oibot\nOIBOT_RULES_DIR=/etc/oibot/rules\n"
    )


def test_what_was_installed_is_what_was_set(world, run, monkeypatch):
    before = settings.load()
    run("--root", world / "root")

    monkeypatch.chdir(world / "root/etc/oibot")
    monkeypatch.setenv("OIBOT_SECRETS_DIR", str(world / "root/etc/oibot/credentials"))
    after = settings.load()

    same = {"data_dir": after.data_dir, "rules_dir": after.rules_dir}
    assert before.model_copy(update=same) == after


def test_credentials_as_systemd_names_them_are_found(world, run, monkeypatch):
    """A folder is loaded as `oibot_NAME`, one for each file."""
    run("--root", world / "root")
    loaded = world / "run"
    loaded.mkdir()
    for path in (world / "root/etc/oibot/credentials").iterdir():
        (loaded / f"oibot_{path.name}").write_text(path.read_text())
    monkeypatch.chdir(loaded)
    monkeypatch.setenv("OIBOT_SECRETS_DIR", str(loaded))
    found = settings.load()
    assert found.telegram.token.get_secret_value() == TOKEN
    assert found.secrets["pager"].get_secret_value() == "s3cret"


def test_a_second_time_nothing_changes(world, run):
    run("--root", world / "root")
    before = everything(world / "root")
    said = run("--root", world / "root")
    assert everything(world / "root") == before
    assert "wrote" not in said


def test_in_the_folder_of_the_service_only_the_secrets_move(world, run, monkeypatch):
    etc = world / "root/etc/oibot"
    etc.mkdir(parents=True)
    (world / "here" / "rules").rename(etc / "rules")
    (world / "here" / ".env").rename(etc / ".env")
    monkeypatch.chdir(etc)

    run("--root", world / "root")

    assert TOKEN not in (etc / ".env").read_text()
    assert (etc / "credentials" / "telegram__token").read_text() == f"{TOKEN}\n"
    assert mode(etc / "rules" / "mine.yaml") == 0o644
    assert [p.name for p in (etc / "rules").iterdir()] == ["mine.yaml"]


def test_a_token_in_a_file_becomes_a_credential_and_the_file_stays(world, run):
    Path("token").write_text(TOKEN)
    Path(".env").write_text("OIBOT_TELEGRAM__TOKEN_FILE=token\nOIBOT_TELEGRAM__OWNER_ID=42\n")
    run("--root", world / "root")
    assert (world / "root/etc/oibot/credentials/telegram__token").read_text() == f"{TOKEN}\n"
    assert "TOKEN_FILE" not in (world / "root/etc/oibot/.env").read_text()
    assert Path("token").read_text() == TOKEN


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("OIBOT_TELEGRAM__TOKEN", True),
        ("OIBOT_TELEGRAM__TOKEN_FILE", True),
        ("oibot_discord__webhook_url", True),
        ("OIBOT_SECRETS__PAGER", True),
        ("OIBOT_SECRETS_DIR", True),
        ("OIBOT_TELEGRAM__OWNER_ID", False),
        ("OIBOT_LOG__LEVEL", False),
    ],
)
def test_what_is_a_secret_is_known_from_the_settings_themselves(name, secret):
    assert installing.is_secret(name) is secret


def test_without_any_secret_the_folder_for_them_is_there_all_the_same(world, run):
    """systemd does not start a unit whose credentials are missing."""
    Path(".env").unlink()
    run("--root", world / "root")
    assert list((world / "root/etc/oibot/credentials").iterdir()) == []


def test_a_rule_file_that_is_no_text_is_named_and_nothing_is_written(world, run):
    Path("rules/old.yaml").write_bytes(b"# \xe9t\xe9\n")
    with pytest.raises(ConfigError, match=r"old\.yaml: expected UTF-8 text, found something else; move it away"):
        run("--root", world / "root")
    assert not (world / "root").exists()


def test_without_rules_of_ones_own_the_shipped_ones_are_installed(world, run):
    Path("rules/mine.yaml").unlink()
    Path("rules").rmdir()
    run("--root", world / "root")
    installed = world / "root/etc/oibot/rules"
    for name in ("default.yaml", "tests/oi_surge.yaml"):
        assert (installed / name).read_bytes() == (settings.shipped_rules() / name).read_bytes()


@pytest.mark.parametrize(
    "changed",
    ["systemd/system/oibot.service", "oibot/credentials/telegram__token", "oibot/rules/mine.yaml", "oibot/.env"],
)
def test_a_file_changed_by_hand_is_not_overwritten_without_force(world, run, changed):
    run("--root", world / "root")
    path = world / "root/etc" / changed
    path.write_text(path.read_text() + "# mine\n")
    Path(".env").write_text(ENV)
    before = everything(world)

    with pytest.raises(ConfigError, match=r"nothing was written") as refused:
        run("--root", world / "root")
    assert str(path) in str(refused.value)
    assert everything(world) == before

    run("--root", world / "root", "--force")
    assert not path.read_text().endswith("# mine\n")
    kept = path.with_name(f"{path.name}.before")
    assert kept.exists() is ("credentials" not in changed), "what lies beside a secret would be loaded as one"


def test_the_unit_of_an_older_version_is_replaced(world, run, monkeypatch):
    from bot.app import service_unit

    with monkeypatch.context() as older:
        older.setattr(service_unit, "_UNIT", service_unit._UNIT.replace("RestartSec=15", "RestartSec=5"))
        run("--root", world / "root")
    said = run("--root", world / "root")
    unit = world / "root/etc/systemd/system/oibot.service"
    assert f"wrote {unit}" in said
    assert "RestartSec=15" in unit.read_text()


def test_for_one_person_it_is_all_in_their_home(world, run, monkeypatch):
    monkeypatch.setenv("HOME", str(world / "ann"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)

    said = run("--user")

    config = world / "ann" / ".config"
    assert "WantedBy=default.target" in (config / "systemd/user/oibot.service").read_text()
    assert mode(config / "oibot/credentials/telegram__token") == 0o600
    env = (config / "oibot/.env").read_text()
    assert f"OIBOT_RULES_DIR={config}/oibot/rules" in env
    assert (world / "ann/.local/share/oibot").is_dir()
    assert "loginctl enable-linger" in said
    assert "systemctl --user enable --now oibot" in said


def test_print_writes_nothing(world, run):
    before = everything(world)
    said = run("--print")
    assert said.startswith("# Written by `oibot install-service`")
    assert f"ExecStart={world}/opt/bin/oibot run\n" in said
    assert everything(world) == before


def test_a_program_that_the_service_could_not_see_is_refused(world):
    program = world / "home" / "ann" / "oibot"
    with pytest.raises(ConfigError, match="install oibot in /opt/oibot"):
        installing.refuse_hidden(program)


def test_a_program_inside_an_image_is_named_as_it_is_called_there(world, run, monkeypatch):
    program = world / "root/opt/oibot/.venv/bin"
    program.mkdir(parents=True)
    (program / "oibot").touch()
    monkeypatch.setattr(sys, "executable", str(program / "python"))
    run("--root", world / "root")
    assert "ExecStart=/opt/oibot/.venv/bin/oibot run" in (world / "root/etc/systemd/system/oibot.service").read_text()


def test_a_python_without_the_command_beside_it_is_told(world, run, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(world / "python"))
    with pytest.raises(ConfigError, match="expected a command at"):
        run("--root", world / "root")


def test_who_is_not_root_is_told_what_to_do(world, run, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ConfigError, match="use sudo, or --user"):
        run()


def put(database: Path, value: str) -> None:
    async def go() -> None:
        opened = await open_database(database, now_ms=1)
        await SqliteKeyValues(opened.database).put("a", value)
        await opened.database.close()

    asyncio.run(go())


def value(database: Path) -> str:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT value FROM key_values WHERE key = 'a'").fetchone()[0]


def test_owner_and_alerts_so_far_are_taken_along_once(world, run):
    new = world / "root/var/lib/oibot/oibot.db"
    put(Path("data/oibot.db"), "mine")
    assert f"copied {Path('data/oibot.db')}" in run("--root", world / "root")
    assert value(new) == "mine"
    assert mode(new) == 0o600
    assert new.with_name("oibot.db.installed").exists(), "so that it is missed should it vanish"

    put(Path("data/oibot.db"), "later")
    assert "copied" not in run("--root", world / "root")
    assert value(new) == "mine"


def test_a_bot_that_still_runs_on_the_old_folder_is_told(world, run):
    put(Path("data/oibot.db"), "mine")
    with DataDir(Path("data")), pytest.raises(ConfigError, match="another oibot is running"):
        run("--root", world / "root")
    assert not (world / "root").exists()


def test_what_only_the_shell_sets_is_told(world, run, monkeypatch):
    monkeypatch.setenv("OIBOT_BACKUP__KEEP", "3")
    assert "unknown to the service: OIBOT_BACKUP__KEEP" in run("--root", world / "root")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes into somebody else's folder")
def test_an_env_file_stays_its_owners(world, run):
    os.chown(".env", 54_321, 54_321)
    run("--root", world / "root")
    assert Path(".env").stat().st_uid == 54_321
