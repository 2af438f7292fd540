"""The same front against the simulated chat server, which validates requests and keeps Telegram's limits."""

import asyncio
import contextlib

import pytest

from bot.chat.telegram_app import TelegramChat
from bot.clock import SystemClock
from bot.delivery.destination import Order
from bot.delivery.limits import TelegramLimits
from bot.delivery.telegram import TelegramDestination
from bot.delivery.text import Card, line
from bot.model.outbox import Delivered
from bot.sim.chatserver import ChatServer
from tests.support.chat_actions import looking

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
            actions=looking(market=chat.market, status=chat.market, why=chat.market, clock=clock),
            buttons=chat.buttons,
            store=chat.store,
            clock=clock,
        )
        task = asyncio.create_task(running.run())
        server.telegram.say("/oi BTC", chat_id=OWNER)
        await server.until(lambda: server.messages(OWNER), within_s=10 * speed)
        server.telegram.say("/oi BTC", chat_id=STRANGER)
        await server.until(lambda: server.messages(STRANGER), within_s=10 * speed)
        row, _ = server.messages(OWNER)[0].markup["inline_keyboard"]
        server.telegram.press(row[0]["callback_data"], server.messages(OWNER)[0])
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


@pytest.mark.promise("P8")
async def test_answers_and_alerts_share_what_telegram_allows(chat):
    """Commands come while the same chat is told alerts: nobody is refused, and all is said."""
    clock = SystemClock(speed=10)
    limits = TelegramLimits(clock)
    async with ChatServer(clock=clock, enforce_limits=True) as server:
        running = TelegramChat(
            token=server.telegram_token,
            api_url=server.telegram_url,
            owner_id=OWNER,
            chat_ids=[],
            actions=looking(market=chat.market, status=chat.market, why=chat.market, clock=clock),
            buttons=chat.buttons,
            store=chat.store,
            clock=clock,
            limits=limits,
        )
        async with TelegramDestination(
            token=server.telegram_token, api_url=server.telegram_url, chat_id=OWNER, clock=clock, limits=limits
        ) as alerts:
            task = asyncio.create_task(running.run())
            for _ in range(5):
                server.telegram.say("/oi BTC", chat_id=OWNER)
            for n in range(8):
                while (wait_s := alerts.take_slot(urgent=False)) > 0:
                    await clock.sleep(wait_s)
                assert isinstance(await alerts.send(Order(rows=(), card=Card(head=line(f"alert {n}")))), Delivered)
            await server.until(lambda: len(server.messages(OWNER)) == 13, within_s=100)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        assert server.telegram.n_flooded == 0
