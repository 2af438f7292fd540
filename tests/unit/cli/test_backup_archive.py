"""Everything in one file, and back: on another machine, over what is there, and from archives that lie."""

import contextlib
import io
import os
import shutil
import sqlite3
import tarfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot import settings
from bot.app.archives import MAX_FILE_BYTES
from bot.cli.main import app_of
from bot.errors import BotError, ConfigError, StorageError
from bot.storage import preparing

DATABASE = Path("data/oibot.db")
ARCHIVE = Path("all.tar.gz")


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*words):
        result = CliRunner().invoke(app_of(), [str(word) for word in words])
        if isinstance(result.exception, BotError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    return run


@pytest.fixture
def packed(run):
    DATABASE.parent.mkdir()
    preparing.prepare(DATABASE, now_ms=1)
    with contextlib.closing(sqlite3.connect(DATABASE)) as connection, connection:
        connection.execute("INSERT INTO key_values VALUES ('a', 'then')")
    Path("rules").mkdir()
    Path("rules/mine.yaml").write_text("version: 1\nrules: []\n")
    Path("rules/destinations.yaml").write_text("destinations: {}\n")
    Path("rules/tests").mkdir()
    Path("rules/tests/mine.yaml").write_text("tests: []\n")
    Path("rules/notes.txt").write_text("not a rule")
    Path(".env").write_text("OIBOT_ALERTS__MAX_PER_CHAT=7\n")
    return lambda *more: run("backup", "--to", ARCHIVE, *more)


def value():
    with contextlib.closing(sqlite3.connect(DATABASE)) as connection:
        return connection.execute("SELECT value FROM key_values WHERE key = 'a'").fetchone()[0]


def names():
    with tarfile.open(ARCHIVE) as tar:
        return tar.getnames()


def test_secrets_come_only_where_they_are_asked_for(packed):
    assert (
        "Packed VERSION, rules/destinations.yaml, rules/mine.yaml, rules/tests/mine.yaml, oibot.db into all.tar.gz"
        in packed()
    )
    assert ".env" not in names()
    assert ARCHIVE.stat().st_mode & 0o777 == 0o600
    ARCHIVE.unlink()
    assert "It holds your tokens" in packed("--with-secrets")
    assert ".env" in names()
    assert sorted(p.name for p in Path().iterdir()) == [".env", "all.tar.gz", "data", "rules"]


def test_secrets_need_an_archive(packed, run):
    with pytest.raises(ConfigError, match=r"NAME\.tar\.gz"):
        run("backup", "--with-secrets")
    with pytest.raises(ConfigError, match=r"NAME\.tar\.gz"):
        run("backup", "--to", "x.db", "--with-secrets")


def test_an_archive_brings_all_back_in_an_empty_folder(packed, run):
    packed("--with-secrets")
    there = Path("there")
    there.mkdir()
    with contextlib.chdir(there):
        text = run("restore", Path("..") / ARCHIVE)
        assert value() == "then"
        assert "mine.yaml is back." in text
        assert Path(".env").read_text() == "OIBOT_ALERTS__MAX_PER_CHAT=7\n"
        assert Path(".env").stat().st_mode & 0o777 == 0o600
        rules = sorted(str(p) for p in Path("rules").rglob("*.*"))
        assert rules == ["rules/destinations.yaml", "rules/mine.yaml", "rules/tests/mine.yaml"]
        assert not list(Path("data").glob(".unpacked-*"))


def test_rules_are_back_for_everybody_and_settings_for_their_owner_alone(packed, run):
    """Root restores them; the service that reads them is another user."""
    packed("--with-secrets")
    shutil.rmtree("rules")
    Path(".env").unlink()
    before = os.umask(0o022)
    try:
        run("restore", ARCHIVE)
    finally:
        os.umask(before)
    files = [Path("rules/mine.yaml"), Path("rules/destinations.yaml"), Path("rules/tests/mine.yaml")]
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o644"}
    assert Path(".env").stat().st_mode & 0o777 == 0o600


def test_what_is_there_stays_and_the_old_lies_beside_it(packed, run):
    packed("--with-secrets")
    with contextlib.closing(sqlite3.connect(DATABASE)) as connection, connection:
        connection.execute("UPDATE key_values SET value = 'now'")
    Path("rules/mine.yaml").write_text("version: 1\nrules: []\n# new\n")
    Path("rules/tests/mine.yaml").write_text("# new\n")
    Path(".env").write_text("OIBOT_ALERTS__MAX_PER_CHAT=9\n")
    text = run("restore", ARCHIVE)
    assert value() == "then"
    assert "the one of the backup is mine.yaml.restored" in text
    assert Path("rules/mine.yaml").read_text().endswith("# new\n")
    assert "new" not in Path("rules/mine.yaml.restored").read_text()
    assert Path("rules/tests/mine.yaml.restored").read_text() == "tests: []\n"
    assert Path(".env").read_text() == "OIBOT_ALERTS__MAX_PER_CHAT=9\n"
    assert Path(".env.restored").read_text() == "OIBOT_ALERTS__MAX_PER_CHAT=7\n"
    assert not Path("rules/destinations.yaml.restored").exists(), "what is the same needs no word"


@pytest.fixture
def credentials():
    """As `oibot install-service` leaves them, with `.env` beside them."""

    def write():
        Path("credentials").mkdir(mode=0o700)
        Path("credentials/secrets__pager").write_text("then\n")
        Path("credentials/discord__webhook_url").write_text("https://chat.example/webhooks/then\n")
        Path("credentials/.swp").write_text("not a secret")

    return write


def test_files_of_secrets_come_along_where_they_are_asked_for(packed, credentials):
    credentials()
    assert "credentials" not in packed()
    ARCHIVE.unlink()
    assert "credentials/discord__webhook_url, credentials/secrets__pager" in packed("--with-secrets")
    ARCHIVE.unlink()
    Path(".env").unlink()
    assert "credentials/secrets__pager" in packed("--with-secrets")
    assert ".env" not in names()


def test_with_neither_settings_nor_secrets_there_is_nothing_to_pack(packed):
    Path(".env").unlink()
    Path("credentials").mkdir()
    with pytest.raises(ConfigError, match="neither"):
        packed("--with-secrets")


def test_files_of_secrets_are_back_for_their_owner_alone(packed, credentials, run):
    credentials()
    packed("--with-secrets")
    there = Path("there")
    there.mkdir()
    with contextlib.chdir(there):
        text = run("restore", Path("..") / ARCHIVE)
        assert "credentials/secrets__pager is back." in text
        assert Path("credentials").stat().st_mode & 0o777 == 0o700
        found = {p.name: (p.read_text(), p.stat().st_mode & 0o777) for p in Path("credentials").iterdir()}
        assert found == {
            "secrets__pager": ("then\n", 0o600),
            "discord__webhook_url": ("https://chat.example/webhooks/then\n", 0o600),
        }


def test_a_secret_that_is_there_stays_and_the_old_one_is_not_taken_for_a_setting(packed, credentials, run):
    credentials()
    packed("--with-secrets")
    Path("credentials/discord__webhook_url").write_text("https://chat.example/webhooks/now\n")
    text = run("restore", ARCHIVE)
    assert Path("credentials/discord__webhook_url").read_text() == "https://chat.example/webhooks/now\n"
    old = Path("credentials.restored/discord__webhook_url")
    assert str(old) in text.replace("\n", "")
    assert old.read_text() == "https://chat.example/webhooks/then\n"
    assert (old.stat().st_mode & 0o777, old.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert sorted(p.name for p in Path("credentials").iterdir()) == [".swp", "discord__webhook_url", "secrets__pager"]
    assert settings.load().discord.webhook_url.get_secret_value() == "https://chat.example/webhooks/now"


def forge(*entries):
    with tarfile.open(ARCHIVE, "w:gz") as tar:
        for name, content, kind in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.size = kind, len(content)
            entry.linkname = "/etc/passwd"
            tar.addfile(entry, io.BytesIO(content))


REG, LINK = tarfile.REGTYPE, tarfile.SYMTYPE


@pytest.mark.parametrize(
    "entries",
    [
        [("../evil.yaml", b"x", REG)],
        [("/etc/evil.yaml", b"x", REG)],
        [("rules/../../evil.yaml", b"x", REG)],
        [("rules/mine.yaml", b"", LINK)],
        [("oibot.db", b"", LINK)],
        [("credentials/../evil__x", b"x", REG)],
        [("credentials/a/evil__x", b"x", REG)],
        [("credentials/.evil__x", b"x", REG)],
        [("credentials/evil", b"x", REG)],
        [("credentials/telegram__token", b"", LINK)],
        [("rules/mine.py", b"x", REG)],
        [("rules/big.yaml", b"0" * (MAX_FILE_BYTES + 1), REG)],
        [("VERSION", b"no json", REG)],
        [("VERSION", b'{"oibot":"1","schema":1,"made_ms":1}', REG)],
        [("rules/mine.yaml", b"x", REG)] * 1_001,
        [],
    ],
)
def test_what_is_no_archive_of_ours_changes_nothing(run, tmp_path, entries):
    forge(*entries)
    with pytest.raises(ConfigError):
        run("restore", ARCHIVE)
    assert not DATABASE.exists()
    assert not list(tmp_path.rglob("*evil*"))
    assert sorted(p.name for p in Path().iterdir()) == ["all.tar.gz", "data"]


def test_a_damaged_or_absent_file_is_told(run, packed):
    packed()
    ARCHIVE.write_bytes(ARCHIVE.read_bytes()[:-200])
    with pytest.raises((StorageError, ConfigError)):
        run("restore", ARCHIVE)
    assert value() == "then"
    with pytest.raises(StorageError, match="cannot be read"):
        run("restore", "none.tar.gz")
    Path("text.tar.gz").write_text("hello")
    with pytest.raises(StorageError, match="cannot be read"):
        run("restore", "text.tar.gz")


def test_an_archive_with_one_byte_changed_changes_nothing(run, packed):
    """Wherever it is: in what unpacks to something else, and in what no longer unpacks."""
    Path("rules/mine.yaml").write_text("# " + "".join(chr(33 + n * 7919 % 90) for n in range(4_000)))
    packed()
    whole = ARCHIVE.read_bytes()
    Path("rules/mine.yaml").unlink()
    for at in range(100, len(whole), len(whole) // 25):
        ARCHIVE.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        with pytest.raises((StorageError, ConfigError)):
            run("restore", ARCHIVE)
        assert not Path("rules/mine.yaml").exists(), at
    assert not list(Path("data").glob("*before-restore*"))
    ARCHIVE.write_bytes(whole)
    run("restore", ARCHIVE)
    assert Path("rules/mine.yaml").exists()
