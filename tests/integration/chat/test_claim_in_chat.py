"""A link that makes an owner, opened while the bot runs: who is taken, who is told what, and how often."""

import asyncio
import contextlib

import pytest

from bot.chat.claims import Claims
from bot.chat.telegram_app import TelegramChat
from bot.clock import SystemClock
from bot.errors import StorageError
from bot.model.members import MAX_WRONG, Member, Role
from bot.sim.chatserver import ChatServer
from bot.storage.memory import MemoryMemberStore
from tests.support.chat_actions import looking

pytestmark = pytest.mark.integration

ANN, BOB, GROUP = 71, 72, -100


class World:
    """A bot that nobody owns yet, on a simulated Telegram."""

    def __init__(self, server, clock, chat, owner_id):
        self.server, self.clock = server, clock
        self.store = MemoryMemberStore()
        self.claims = Claims(self.store, clock)
        self.claimed: list[Member] = []
        self.chat = TelegramChat(
            token=server.telegram_token,
            api_url=server.telegram_url,
            owner_id=owner_id,
            chat_ids=[GROUP],
            buttons=chat.buttons,
            actions=looking(market=chat.market, status=chat.market, why=chat.market, clock=clock),
            store=chat.store,
            clock=clock,
            claims=self.claims,
            on_claimed=self.claimed.append,
        )

    async def says(self, text, *, chat_id=ANN, **more):
        """Somebody writes, and the bot is done with it."""
        self.server.telegram.say(text, chat_id=chat_id, **more)
        await self.server.until(lambda: self.server.telegram.n_unread == 0, within_s=1000)
        await asyncio.sleep(0.05)

    def told(self, chat_id=ANN):
        return [m.text for m in self.server.messages(chat_id)]


@pytest.fixture
async def open_world(chat):
    async with contextlib.AsyncExitStack() as stack:

        async def make(owner_id=None):
            clock = SystemClock(speed=50)
            server = await stack.enter_async_context(ChatServer(clock=clock))
            world = World(server, clock, chat, owner_id)
            task = asyncio.create_task(world.chat.run())

            async def stop():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

            stack.push_async_callback(stop)
            return world

        yield make


@pytest.mark.promise("P12")
async def test_the_first_to_open_the_link_is_the_owner(open_world):
    world = await open_world()
    code = await world.claims.issue()
    await world.says("/oi BTC")
    assert world.told() == []
    await world.says(f"/start claim_{code}")
    assert "You are my owner now." in world.told()[0]
    assert [(m.user, m.role, m.name) for m in world.claimed[:1]] == [("telegram:71", Role.OWNER, "Owner")]
    await world.says(f"/start claim_{code}", chat_id=BOB)
    assert "has been used" in world.told(BOB)[0]
    await world.says(f"/start claim_{code}")
    assert world.told()[1] == "You are my owner already. /help shows what I can do."


@pytest.mark.promise("P12")
async def test_a_link_counts_only_where_nobody_reads_along_and_from_a_person(open_world):
    world = await open_world()
    code = await world.claims.issue()
    await world.says(f"/start claim_{code}", chat_id=GROUP, user_id=ANN)
    await world.says(f"/start claim_{code}", sender_chat={"id": -5, "type": "channel", "title": "C"})
    forwarded = {"type": "hidden_user", "date": 1_767_225_600, "sender_user_name": "x"}
    await world.says(f"/start claim_{code}", forward_origin=forwarded)
    assert world.told() == world.told(GROUP) == []
    assert await world.claims.owner() is None
    await world.says(f"/start claim_{code}")
    assert (await world.claims.owner()).user == "telegram:71"


@pytest.mark.promise("P12")
async def test_guesses_are_answered_once_a_day_and_close_the_door(open_world):
    world = await open_world()
    code = await world.claims.issue()
    for n in range(MAX_WRONG):
        await world.says(f"/start claim_guess{n}", chat_id=1000 + n % 2)
    assert [len(world.told(chat_id)) for chat_id in (1000, 1001)] == [1, 1]
    await world.says(f"/start claim_{code}")
    assert "Too many wrong links" in world.told()[0]
    assert await world.claims.owner() is None
    again = await world.claims.issue()
    await world.says(f"/start claim_{again}")
    assert "You are my owner now." in world.told()[-1]


async def test_a_link_that_is_void_says_what_to_do_each_time(open_world):
    world = await open_world()
    code = await world.claims.issue()
    await world.claims.issue()
    await world.says(f"/start claim_{code}")
    await world.says(f"/start claim_{code}")
    assert [("oibot claim" in text) for text in world.told()] == [True, True]


async def test_the_owner_may_be_replaced_by_a_new_link(open_world):
    world = await open_world(owner_id=ANN)
    code = await world.claims.issue()
    await world.says(f"/start claim_{code}")
    assert "already" in world.told()[0]
    await world.says(f"/start claim_{code}", chat_id=BOB)
    assert "You are my owner now." in world.told(BOB)[0]
    assert world.claimed[-1].user == "telegram:72"


async def test_a_database_that_refuses_is_told_and_the_link_still_counts(open_world, monkeypatch):
    world = await open_world()
    code = await world.claims.issue()
    redeem = world.store.redeem

    async def refuse(*_, **__):
        raise StorageError("disk full")

    world.store.redeem = refuse
    await world.says(f"/start claim_{code}")
    assert "cannot store" in world.told()[0]
    world.store.redeem = redeem
    await world.says(f"/start claim_{code}")
    assert "You are my owner now." in world.told()[1]
