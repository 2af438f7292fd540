"""How answers behave in Telegram: signs of life, files, links, what stays unsaid."""

import asyncio
import json

import pytest

from bot.chat.reply import Attachment, Button, Reply, bold, line
from bot.chat.telegram_client import Failure, Kind, TelegramClient
from bot.chat.telegram_extras import eyes, send_file
from bot.clock import SystemClock
from bot.delivery.limits import Slot, TelegramLimits
from bot.sim.chatserver import ChatServer

pytestmark = pytest.mark.integration

OWNER, GROUP, STRANGER = 71, -100_500, 99


async def test_a_command_that_takes_long_gets_eyes_and_its_answer(api, chat):
    chat.market.hold = asyncio.Event()
    async with chat.running():
        asked = chat.message("/status")
        await api.add(asked)
        await api.wait_for(lambda: api.of("setMessageReaction"))
        assert api.of("sendMessage") == [], "no message that says to wait"
        chat.market.hold.set()
        await api.wait_for(lambda: api.of("sendMessage"))
    [reaction] = api.of("setMessageReaction")
    assert json.loads(reaction["reaction"]) == [{"type": "emoji", "emoji": "👀"}]
    assert reaction["message_id"] == str(asked["message"]["message_id"])


async def test_what_is_answered_at_once_gets_none(api, chat):
    async with chat.running() as running:
        await api.add(*(chat.message("/help") for _ in range(5)))
        await api.wait_for(lambda: running.counts["reply_sent"] == 5)
    assert api.of("setMessageReaction") == []


async def test_a_chat_that_allows_no_reactions_is_answered_all_the_same(api, chat):
    chat.market.hold = asyncio.Event()
    api.fail("setMessageReaction", 400, "Bad Request: REACTION_INVALID")
    async with chat.running():
        await api.add(chat.message("/status"))
        await api.wait_for(lambda: api.of("setMessageReaction"))
        chat.market.hold.set()
        await api.wait_for(lambda: api.of("sendMessage"))


async def test_strangers_get_no_eyes(api, chat):
    chat.market.hold = asyncio.Event()
    async with chat.running():
        await api.add(chat.message("/status", user_id=STRANGER))
        await api.wait_for(lambda: api.of("sendMessage"))
    assert api.of("setMessageReaction") == []


@pytest.mark.parametrize("link", ["/start oi_BTCUSDT", "/start oi_btc"])
async def test_a_link_asks_for_a_card(api, chat, link):
    async with chat.running():
        await api.add(chat.message(link))
        await api.wait_for(lambda: api.of("sendMessage"))
    assert api.of("sendMessage")[0]["text"].startswith("<b>BTCUSDT</b> open interest")


@pytest.mark.promise("P12")
async def test_a_link_gives_a_stranger_nothing(api, chat):
    async with chat.running():
        await api.add(chat.message("/start oi_BTCUSDT", user_id=STRANGER))
        await api.wait_for(lambda: api.of("sendMessage"))
    assert api.of("sendMessage")[0]["text"] == "This bot is private."


async def test_names_from_outside_cannot_break_or_disguise_an_answer(api, chat):
    async with chat.running():
        await api.add(chat.message("/oi <b>\u202e&\u200bX"))
        await api.wait_for(lambda: api.of("sendMessage"))
    text = api.of("sendMessage")[0]["text"]
    assert "&lt;b&gt;&amp;X" in text
    assert not {"\u202e", "\u200b"} & set(text)


async def _client(server, clock, **more) -> TelegramClient:
    return TelegramClient(token=server.telegram_token, api_url=server.telegram_url, clock=clock, **more)


async def test_a_file_arrives_as_it_is(chat):
    clock = SystemClock()
    async with ChatServer(clock=clock) as server:
        client = await _client(server, clock)
        content = bytes(range(256)) * 100
        sent = await send_file(client, OWNER, Reply((line("The <log>."),)), Attachment("oibot.log", content))
        await client.close()
        [message] = server.messages(OWNER)
    assert sent == message.message_id
    assert (message.document, message.text) == (content, "The <log>.")


async def test_eyes_that_hang_do_not_hold_the_answer_up(chat):
    clock = SystemClock(speed=10)

    class Hanging:
        class Bot:
            async def set_message_reaction(self, *_):
                await asyncio.Event().wait()

        bot = Bot()

        async def call(self, call):
            return await call

    async with asyncio.timeout(5):
        async with eyes(Hanging(), clock, OWNER, 1):
            await asyncio.sleep(1)


@pytest.mark.promise("P8")
async def test_what_can_wait_gives_way_to_what_cannot(chat):
    """Edits of boards are left out while half of what Telegram allows is used, and are made again later."""
    clock = SystemClock(speed=50)
    limits = TelegramLimits(clock)
    async with ChatServer(clock=clock, enforce_limits=True) as server:
        client = await _client(server, clock, limits=limits)
        board = await client.send(GROUP, Reply((line("board"),)))
        slots = []
        await clock.sleep(2)
        while len(slots) < 10:
            slot = limits.take(GROUP)
            if isinstance(slot, Slot):
                limits.give_back(slot)
                slots.append(slot)
            await clock.sleep(1.2)
        refused = await client.edit(GROUP, board, Reply((line("board 2"),)), spare=True)
        urgent = await client.edit(GROUP, board, Reply((line("board 3"),)))
        await clock.sleep(61)
        edited = await client.edit(GROUP, board, Reply((line("board 4"),)), spare=True)
        await client.close()
        assert server.telegram.n_flooded == 0
    assert isinstance(refused, Failure)
    assert refused.kind is Kind.BUSY
    assert (urgent, edited) == (board, board)


async def test_a_long_answer_arrives_whole_in_several_messages_with_its_buttons_below_the_last(chat):
    clock = SystemClock()
    lines = [line(bold(f"{n} <&>"), " 🟠" * 40) for n in range(100)]
    async with ChatServer(clock=clock) as server:
        client = await _client(server, clock, buttons=chat.buttons)
        sent = await client.send(OWNER, Reply(tuple(lines), ((Button("More", "/oi"),),)), reply_to=5)
        await client.close()
        messages = server.messages(OWNER)
    assert sent == messages[-1].message_id
    assert len(messages) == 4
    assert [one.markup is not None for one in messages] == [False, False, False, True]
    assert [row.split(" ")[0] for one in messages for row in one.text.splitlines()] == [str(n) for n in range(100)]
