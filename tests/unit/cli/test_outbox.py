"""`oibot outbox` beside a database that a bot made: what is listed, told again, given up."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

from bot.cli.outbox import outbox
from bot.delivery.lane_memory import LaneMemory, remember
from bot.delivery.life import wish_key
from bot.errors import ConfigError, StorageError
from bot.model.alert import TellKind, alert_key, short_id
from bot.model.outbox import Delivered, Message, OutboxRow, Rejected, RetryLater, row_id
from bot.model.outbox_ports import Commit
from bot.model.view import AlertView
from bot.storage.alerts import SqliteAlertStore
from bot.storage.database import join_database, open_database
from bot.storage.key_values import SqliteKeyValues
from bot.storage.outbox import SqliteOutbox

AT_MS = 1_795_444_260_000


def row(symbol, kind="fire", destination="telegram"):
    key = alert_key("oi_surge", f"binance:{symbol}", AT_MS)
    view = AlertView(
        "oi_surge",
        "OI surge",
        symbol,
        "binance",
        "X",
        "warning",
        short_id(key),
        kind,
        AT_MS,
        AT_MS,
        "c",
        "x",
        1.0,
        False,
    )
    kind = TellKind(kind)
    return OutboxRow(row_id(key, kind, 0, destination), key, kind, destination, "warning", AT_MS, view)


TOLD, GONE, BUSY, FRESH = (row(f"{name}USDT") for name in ("TOLD", "GONE", "BUSY", "FRESH"))
ELSEWHERE = row("FRESHUSDT", destination="discord")


@pytest.fixture
def database(tmp_path, monkeypatch):
    """One row of each kind: told, buried, waiting for its next attempt, never tried (in two places)."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "data" / "oibot.db"

    async def fill():
        opened = await open_database(path, now_ms=0)
        await SqliteAlertStore(opened.database).commit(Commit((), (), (TOLD, GONE, BUSY, FRESH, ELSEWHERE)))
        store = SqliteOutbox(opened.database)
        outcomes = ((TOLD, Delivered("1")), (GONE, Rejected("older than 24 hours")), (BUSY, RetryLater(300, "busy")))
        for one, outcome in outcomes:
            await store.settle(Message(one.id, one.destination, (one.id,), 1), outcome, now_ms=AT_MS)
        await opened.database.close()

    asyncio.run(fill())
    return path


@pytest.fixture
def run():
    def run(*arguments):
        return CliRunner().invoke(outbox, list(arguments))

    return run


def listed(run, *arguments):
    result = run("list", "--json", *arguments)
    assert result.exit_code == 0, result.output
    return {(one["alert"].split()[0], one["to"]): one for one in map(json.loads, result.stdout.splitlines())}


@pytest.mark.usefixtures("database")
def test_what_waits_and_what_was_given_up_is_listed_with_its_reason(run):
    found = listed(run)
    assert set(found) == {
        ("GONEUSDT", "telegram"),
        ("BUSYUSDT", "telegram"),
        ("FRESHUSDT", "telegram"),
        ("FRESHUSDT", "discord"),
    }
    gone = found["GONEUSDT", "telegram"]
    assert (gone["state"], gone["why"], gone["id"]) == ("buried", "older than 24 hours", f"#{short_id(GONE.key)}")
    assert set(listed(run, "--state", "delivered")) == {("TOLDUSDT", "telegram")}
    assert set(listed(run, "--to", "discord")) == {("FRESHUSDT", "discord")}
    assert f"#{short_id(GONE.key)}" in run("list").stdout


@pytest.mark.usefixtures("database")
def test_ids_and_all_are_told_again_and_the_rest_is_left(run):
    result = run("retry", f"#{short_id(GONE.key)[:5]}")
    assert result.stdout.startswith("1 will be told"), result.output
    assert listed(run)["GONEUSDT", "telegram"]["state"] == "waiting"
    result = run("retry", "--all", "--to", "telegram")
    assert result.stdout.startswith("3 will be told"), result.output
    assert listed(run)["BUSYUSDT", "telegram"]["why"] == ""


@pytest.mark.usefixtures("database")
def test_what_waits_is_given_up_in_one_place_or_all(run):
    assert run("bury", short_id(FRESH.key), "--to", "discord").stdout.startswith("1 given up")
    assert listed(run)["FRESHUSDT", "discord"]["state"] == "buried"
    assert listed(run)["FRESHUSDT", "telegram"]["state"] == "waiting"
    assert run("bury", "--all").stdout.startswith("2 given up")
    assert {one["state"] for one in listed(run).values()} == {"buried"}


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "arguments",
    [
        ("retry",),
        ("bury",),
        ("retry", "--all", "7q4m"),
        ("retry", "zzzz"),
        ("retry", "#"),
        ("bury", short_id(GONE.key)),
        ("list", "--state", "lost"),
    ],
)
def test_what_names_nothing_is_refused_with_a_hint(run, arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert "expected" in result.output or "see `oibot outbox list`" in " ".join(result.output.replace("│", " ").split())


def test_without_a_bot_there_is_nothing_to_look_after(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert isinstance(run("list").exception, ConfigError)
    (tmp_path / "data").mkdir()
    assert isinstance(run("list").exception, StorageError)
    assert not (tmp_path / "data" / "oibot.db").exists(), "looking makes none"


@pytest.mark.usefixtures("database")
def test_a_dead_destination_is_asked_back_to_life_beside_a_running_bot(run, tmp_path):
    async def kill():
        found = await join_database(tmp_path / "data" / "oibot.db")
        await remember(SqliteKeyValues(found), "discord", LaneMemory(dead_reason="unknown webhook"))
        await found.disconnect()

    async def wish():
        found = await join_database(tmp_path / "data" / "oibot.db")
        try:
            return await SqliteKeyValues(found).get(wish_key("discord"))
        finally:
            await found.disconnect()

    asyncio.run(kill())
    assert run("revive", "telegram").exit_code == 2
    assert not asyncio.run(wish())
    result = run("revive", "discord")
    assert result.stdout.startswith("discord (unknown webhook) is tried again"), result.output
    assert asyncio.run(wish())
