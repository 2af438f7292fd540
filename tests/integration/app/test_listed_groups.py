"""Members and groups that somebody put on the list: no settings name their chats, and all that belongs to them follows them
over restarts and reloads all the same.
"""

import contextlib
import io

import pytest
from rich.console import Console

from bot.app.chatrooms import Chatrooms
from bot.app.destinations import Builder
from bot.app.loading import load
from bot.app.sending import open_sending
from bot.app.society import open_society
from bot.app.subscribing import SOURCE
from bot.chat.asker import in_telegram
from bot.clock import ManualClock
from bot.model.access import Group
from bot.model.alert import TellKind, alert_key, short_id
from bot.model.members import Member, Role
from bot.model.outbox import OutboxRow, row_id
from bot.model.outbox_ports import Commit
from bot.model.subscriptions import Look, Subscription, TopicRoute
from bot.model.view import AlertView
from bot.settings import Settings
from bot.storage.access import SqliteGroupStore
from bot.storage.alerts import SqliteAlertStore
from bot.storage.database import open_database
from bot.storage.members import SqliteMemberStore
from bot.storage.outbox import SqliteOutbox

pytestmark = pytest.mark.integration
OWNER, MEMBER, VIEWER, OLD, NEW = "telegram:7", "telegram:71", "telegram:72", "telegram:-5", "telegram:-1005"


def fire(destination):
    key = alert_key("r", "binance:AUSDT", 1)
    view = AlertView(
        "r", "R", "AUSDT", "binance", "A", "info", short_id(key), "fire", 1, 1, "", "", None, value_is_ratio=False
    )
    return OutboxRow(row_id(key, TellKind.FIRE, 0, destination), key, TellKind.FIRE, destination, "info", 1, view)


class Life:
    """One run's rooms over a database in which a member, a viewer and a group are known."""

    def __init__(self, database, rooms, loaded, routes, settings):
        self.database, self.rooms, self.loaded, self.routes, self.settings = database, rooms, loaded, routes, settings
        self.subscribing = rooms.subscribing

    async def waiting(self, destination):
        return await SqliteOutbox(self.database).waiting(destination, now_ms=1 << 50, limit=9)

    def forms(self):
        return [rule.notify for rule in self.rooms.extra.of(SOURCE)]

    @contextlib.asynccontextmanager
    async def society(self):
        """With what sends, which asks nothing of anybody before there is something to tell."""
        async with contextlib.AsyncExitStack() as stack:
            sending = await open_sending(
                self.settings,
                Builder(self.settings, clock=self.rooms.clock, console=Console(file=io.StringIO()), stack=stack),
                self.loaded.plan,
                clock=self.rooms.clock,
                outbox=SqliteOutbox(self.database),
                store=self.rooms.values,
                venue_now=self.rooms.clock.wall_ms,
                n_instruments=lambda: 1,
                subscribing=self.subscribing,
            )
            yield await open_society(self.database, self.settings, self.rooms, sending), sending


@pytest.fixture
async def life(tmp_path):
    (tmp_path / "rules.yaml").write_text("rules: [{id: r, when: price > 1}]\n", encoding="utf-8")
    telegram = {"token": "1:a", "owner_id": 7}
    clock = ManualClock()

    @contextlib.asynccontextmanager
    async def begin(**changes):
        opened = await open_database(tmp_path / "oibot.db", now_ms=clock.wall_ms())
        database = opened.database
        settings = Settings(rules_dir=tmp_path, telegram=telegram | changes, _env_file=None)
        loaded = load(settings)
        rooms = await Chatrooms.load(database, clock, loaded, settings)
        yield Life(database, rooms, loaded, await rooms.routes(loaded.plan), settings)
        await database.close()

    async with begin() as first:
        for user, role in ((OWNER, Role.OWNER), (MEMBER, Role.MEMBER), (VIEWER, Role.VIEWER)):
            await SqliteMemberStore(first.database).put(Member(user, role, user, "", 1))
        await SqliteGroupStore(first.database).put(Group(OLD, "Desk", 1, OWNER))
    return begin


async def test_they_have_a_way_of_their_own_where_a_bot_can_tell_them(life):
    async with life() as bot:
        assert bot.rooms.ways == {MEMBER: MEMBER, OLD: OLD}
        assert bot.routes.of_chat(MEMBER) == (MEMBER,)
        assert bot.routes.of_chat(OWNER) == ("telegram",)
    async with life(token=None) as bot:
        assert bot.rooms.ways == {}


async def test_what_waits_for_a_group_that_moved_is_told_after_a_restart(life):
    async with life() as bot:
        await SqliteAlertStore(bot.database).commit(Commit((), (), (fire(OLD),)))
        await bot.rooms.moves.moved(-5, -1005)
        assert bot.routes.of_chat(NEW) == (OLD,), "its way leads there until the bot stops"
    for _ in range(2):
        async with life() as bot:
            assert bot.routes.of_chat(NEW) == (NEW,)
            assert [row.destination for row in await bot.waiting(NEW)] == [NEW]
            assert await bot.waiting(OLD) == []


async def test_a_number_of_their_own_makes_a_form_now_and_after_a_restart(life):
    async with life() as bot:
        for chat in (MEMBER, OLD, VIEWER):
            await bot.subscribing.set(Subscription(chat, "r", number=2.0, since_ms=1))
        assert bot.forms() == [(MEMBER,), (OLD,)]
    async with life() as bot:
        assert bot.forms() == [(OLD,), (MEMBER,)]
        bot.rooms.extra.reloaded(bot.loaded)
        assert bot.forms() == [(OLD,), (MEMBER,)]


async def test_a_topic_of_a_listed_group_is_a_destination_whatever_the_plan_knows(life):
    async with life() as bot:
        await bot.subscribing.set_topic(TopicRoute(OLD, 7, "all", 1))
    async with life() as bot:
        assert [one.name for one in bot.subscribing.destinations(bot.loaded.plan.routes)] == [f"{OLD}/7"]


async def test_what_a_group_has_set_holds_again_when_the_bot_is_back_in_it(life):
    """It was thrown out, which takes the group off the list, and started again meanwhile."""
    async with life() as bot:
        await bot.subscribing.set(Subscription(OLD, "r", number=2.0, since_ms=1))
        await bot.subscribing.set_topic(TopicRoute(OLD, 7, "all", 1))
        await SqliteGroupStore(bot.database).drop(OLD)
    async with life() as bot, bot.society() as (society, sending):
        assert bot.forms() == []
        assert not {OLD, f"{OLD}/7"} & set(sending.lanes.names)
        by = in_telegram(-5, 7, is_owner=True)
        assert await society.people.list_group(-5, "Desk", by=by)
        assert bot.routes.of_chat(OLD) == (OLD,)
        assert bot.forms() == [(OLD,)]
        assert {OLD, f"{OLD}/7"} <= set(sending.lanes.names)


async def test_they_are_told_in_their_language(life):
    async with life() as bot:
        await bot.subscribing.set_look(MEMBER, Look(language="zh"))
        spoken = [bot.subscribing.language_at(bot.loaded.plan.routes, name) for name in (MEMBER, OLD)]
        assert spoken == ["zh", ""]
