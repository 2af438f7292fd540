"""The same front against the simulated chat server, which validates requests and keeps Telegram's limits."""

import asyncio
import contextlib

import pytest

from bot.chat.actions import Actions
from bot.chat.telegram_app import TelegramChat
from bot.clock import SystemClock
from bot.sim.chatserver import ChatServer

pytestmark = pytest.mark.integration

OWNER, STRANGER = 71, 99


@pytest.mark.parametrize("speed", [1.0, 50.0])
async def test_a_conversation_with_a_strict_server(chat, speed):
    clock = SystemClock(speed=speed)
    async with ChatServer(clock=clock, enforce_limits=True) as server:
        running = TelegramChat(
            token=server.telegram_token,
            api_url=server.telegram_url,
            owner_id=OWNER,
            chat_ids=[],
            actions=Actions(market=chat.market, status=chat.market, why=chat.market, clock=clock),
            store=chat.store,
            clock=clock,
        )
        task = asyncio.create_task(running.run())
        server.telegram.say("/oi BTC", chat_id=OWNER)
        await server.until(lambda: server.messages(OWNER), within_s=10 * speed)
        server.telegram.say("/oi BTC", chat_id=STRANGER)
        await server.until(lambda: server.messages(STRANGER), within_s=10 * speed)
        server.telegram.press("/oi BTCUSDT", server.messages(OWNER)[0])
        await server.until(lambda: server.messages(OWNER)[0].edits, within_s=10 * speed)
        # Taken updates are confirmed by the next poll.
        await server.until(lambda: server.telegram.n_unread == 0, within_s=10 * speed)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert [message.text.split("\n")[0] for message in server.messages()] == [
            "BTCUSDT open interest",
            "This bot is private.",
        ]
        assert server.messages(OWNER)[0].text.split("\n")[1].startswith("2 BTC")
