"""One Telegram chat as a destination, as far as no server is needed."""

import gc

from telegram.request import HTTPXRequest

from bot.clock import ManualClock
from bot.delivery.telegram import TelegramDestination


def http_clients():
    gc.collect()
    return sum(isinstance(one, HTTPXRequest) for one in gc.get_objects())


async def test_each_chat_has_one_http_client():
    """Each holds certificates of its own, a megabyte of them."""
    before = http_clients()
    async with TelegramDestination(token="1:x", api_url="http://127.0.0.1:9", chat_id=7, clock=ManualClock()) as made:
        assert made.chat_id == 7
        assert http_clients() - before == 1
