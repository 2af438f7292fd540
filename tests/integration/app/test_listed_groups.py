"""Groups that somebody put on the list: no settings name them, and what belongs to them follows them all the same."""

import contextlib

import pytest

from bot.app.chatrooms import Chatrooms
from bot.app.loading import load
from bot.clock import ManualClock
from bot.model.alert import TellKind, alert_key, short_id
from bot.model.outbox import OutboxRow, row_id
from bot.model.outbox_ports import Commit
from bot.model.view import AlertView
from bot.settings import Settings
from bot.storage.alerts import SqliteAlertStore
from bot.storage.database import open_database
from bot.storage.outbox import SqliteOutbox

pytestmark = pytest.mark.integration
OLD, NEW = "telegram:-5", "telegram:-1005"


def fire(destination):
    key = alert_key("r", "binance:AUSDT", 1)
    view = AlertView(
        "r", "R", "AUSDT", "binance", "A", "info", short_id(key), "fire", 1, 1, "", "", None, value_is_ratio=False
    )
    return OutboxRow(row_id(key, TellKind.FIRE, 0, destination), key, TellKind.FIRE, destination, "info", 1, view)


@pytest.fixture
def life(tmp_path):
    (tmp_path / "rules.yaml").write_text("rules: [{id: r, when: price > 1}]\n", encoding="utf-8")
    settings = Settings(rules_dir=tmp_path, telegram={"token": "1:a", "owner_id": 7}, _env_file=None)
    clock = ManualClock()

    @contextlib.asynccontextmanager
    async def begin(*listed):
        """`listed`: the groups, each with a way of its own."""
        opened = await open_database(tmp_path / "oibot.db", now_ms=clock.wall_ms())
        loaded = load(settings)
        rooms = await Chatrooms.load(opened.database, clock, loaded)
        rooms.ways.update(zip(listed, listed, strict=True))
        routes = await rooms.routes(loaded.plan)
        yield opened.database, rooms, routes
        await opened.database.close()

    return begin


async def test_what_waits_for_a_group_that_moved_is_told_after_a_restart(life):
    async with life(OLD) as (database, rooms, routes):
        await SqliteAlertStore(database).commit(Commit((), (), (fire(OLD),)))
        await rooms.moves.moved(-5, -1005)
        assert routes.of_chat(NEW) == (OLD,), "its way leads there until the bot stops"
    for _ in range(2):
        async with life(NEW) as (database, _, routes):
            assert routes.of_chat(NEW) == (NEW,)
            (row,) = await SqliteOutbox(database).waiting(NEW, now_ms=1 << 50, limit=9)
            assert row.destination == NEW
            assert await SqliteOutbox(database).waiting(OLD, now_ms=1 << 50, limit=9) == []
