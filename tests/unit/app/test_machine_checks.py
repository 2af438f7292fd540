"""What the checks say of folder, disk, database, secrets, charts and proxy, by cause."""

import socket
import sqlite3
from pathlib import Path

import pytest

from bot.app.findings import Level
from bot.app.machine_checks import check_charts, check_data_dir, check_database, check_proxies, check_secrets, room
from bot.charts import parts
from bot.clock import SystemClock
from bot.settings import Settings
from bot.settings_sections import ChartsSection
from bot.storage import preparing
from bot.storage.schema import migrations

URLS = {"binance rest": "https://fapi.binance.com", "binance stream": "wss://fstream.binance.com"}


@pytest.fixture
def settings(tmp_path):
    return Settings.model_construct(data_dir=tmp_path / "data")


@pytest.fixture
def database(settings):
    settings.data_dir.mkdir()
    path = settings.data_dir / "oibot.db"
    preparing.prepare(path, now_ms=1)
    return path


def test_a_folder_that_is_there_is_tried_and_one_to_come_only_looked_at(settings):
    assert [f.level for f in check_data_dir(settings)] == [Level.OK, Level.OK]
    assert not settings.data_dir.exists()
    settings.data_dir.mkdir()
    assert [f.subject for f in check_data_dir(settings)] == ["data folder", "disk"]
    assert list(settings.data_dir.iterdir()) == []


@pytest.mark.parametrize("folder", ["/proc", "/proc/self/status", f"/{'x' * 300}"])
def test_a_folder_that_takes_nothing_or_that_cannot_be_looked_at(folder):
    [found] = check_data_dir(Settings.model_construct(data_dir=Path(folder)))
    assert (found.level, found.cause) == (Level.FAIL, "folder-read-only")
    assert "OIBOT_DATA_DIR" in found.advice


@pytest.mark.parametrize(
    ("free", "level", "cause"),
    [(499_999_999, Level.FAIL, "disk-full"), (1_000_000_000, Level.WARN, "disk-low"), (2_000_000_000, Level.OK, "")],
)
def test_room(free, level, cause):
    assert (room(free).level, room(free).cause) == (level, cause)


def test_no_database_is_no_fault(settings):
    assert check_database(settings).level is Level.OK


def test_a_database_that_cannot_be_looked_at():
    found = check_database(Settings.model_construct(data_dir=Path(f"/{'x' * 300}")))
    assert (found.level, found.cause) == (Level.FAIL, "database-unreadable")
    assert "File name too long" in found.text


def test_a_sound_database_tells_its_schema(settings, database):
    newest = migrations()[-1][0]
    assert check_database(settings).text == f"{database}, schema {newest}, sound"
    with sqlite3.connect(database) as connection:
        connection.execute(f"PRAGMA user_version = {newest - 1}")
    connection.close()
    assert f"brings it to {newest}" in check_database(settings).text


def test_a_database_of_a_newer_version(settings, database):
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    found = check_database(settings)
    assert (found.level, found.cause) == (Level.FAIL, "database-newer")
    assert "schema 999" in found.text


@pytest.mark.parametrize("content", [b"", b"not a database at all", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_database(settings, database, content):
    database.write_bytes(content)
    found = check_database(settings)
    assert (found.level, found.cause) == (Level.FAIL, "database-damaged")


@pytest.fixture
def secrets(tmp_path):
    def write(name, mode):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x", encoding="utf-8")
        path.chmod(mode)
        return path

    return write


def test_secrets_that_their_owner_alone_can_read_need_no_word(secrets, tmp_path):
    assert check_secrets(tmp_path) == []
    secrets(".env", 0o600)
    secrets("credentials/telegram__token", 0o400)
    (tmp_path / "credentials/folder").mkdir(mode=0o755)
    assert check_secrets(tmp_path) == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o610])
@pytest.mark.parametrize("name", [".env", "credentials/telegram__token"])
def test_a_secret_that_others_can_reach(secrets, tmp_path, name, mode):
    for other in (".env", "credentials/telegram__token"):
        secrets(other, 0o600)
    path = secrets(name, mode)
    [found] = check_secrets(tmp_path)
    assert (found.level, found.cause) == (Level.WARN, "secret-readable")
    assert f"{path} (mode {mode:o})" in found.text
    assert found.advice == f"chmod 600 {path}"


def test_the_advice_names_all_and_can_be_pasted(secrets, tmp_path):
    first, second = secrets(".env", 0o644), secrets("credentials/a b__c", 0o644)
    [found] = check_secrets(tmp_path)
    assert found.advice == f"chmod 600 {first} '{second}'"


def test_charts_that_can_be_drawn_need_no_word(settings):
    assert check_charts(settings) == []


def test_charts_that_cannot_be_drawn(settings):
    [found] = check_charts(settings, missing=lambda: parts.missing(library="no_such_library"))
    assert (found.level, found.cause) == (Level.WARN, "charts-unavailable")
    assert "the library no_such_library is not installed" in found.text
    assert "OIBOT_CHARTS__ENABLED=false" in found.advice
    off = Settings.model_construct(charts=ChartsSection(enabled=False))
    assert check_charts(off, missing=lambda: "all") == []


def test_a_font_file_that_is_not_there(tmp_path):
    assert parts.missing(font=tmp_path / "none.otf") == f"there is no font file {tmp_path / 'none.otf'}"


def test_the_library_is_looked_for_and_not_loaded(tmp_path, monkeypatch):
    (tmp_path / "oibot_explodes.py").write_text("raise RuntimeError\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert parts.missing(library="oibot_explodes") == ""


@pytest.fixture
def environment(monkeypatch):
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_PROXY".upper(), raising=False)
    return monkeypatch.setenv


async def test_without_a_proxy_nothing_is_said(environment):
    assert await check_proxies(URLS, SystemClock()) == []


async def test_a_proxy_that_is_there(environment):
    with socket.create_server(("127.0.0.1", 0)) as server:
        environment("HTTPS_PROXY", f"http://ann:secret@127.0.0.1:{server.getsockname()[1]}")
        [found] = await check_proxies(URLS, SystemClock())
    assert found.level is Level.OK
    assert "for binance rest, binance stream" in found.text
    assert "secret" not in found.text


async def test_a_proxy_that_is_not_there(environment):
    environment("HTTPS_PROXY", "http://ann:secret@127.0.0.1:9")
    environment("NO_PROXY", "fstream.binance.com")
    [found] = await check_proxies(URLS, SystemClock())
    assert (found.level, found.cause) == (Level.FAIL, "proxy-unreachable")
    assert "for binance rest cannot be reached: 127.0.0.1:9 refused the connection" in found.text
    assert "secret" not in found.text
    [unasked] = await check_proxies(URLS, SystemClock(), is_offline=True)
    assert unasked.level is Level.OK


async def test_a_proxy_of_a_kind_that_we_do_not_speak(environment):
    environment("ALL_PROXY", "socks5://127.0.0.1:9")
    [found] = await check_proxies(URLS, SystemClock())
    assert (found.level, found.cause) == (Level.FAIL, "proxy-unsupported")
