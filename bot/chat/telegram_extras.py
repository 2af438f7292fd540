"""What answers in Telegram have beside text: a sign that a command was read, and files."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from telegram import InlineKeyboardMarkup, InputFile

from bot import log
from bot.chat.reply import Attachment, Reply
from bot.chat.telegram_client import TelegramClient
from bot.chat.telegram_failure import Failure
from bot.chat.telegram_html import MAX_CAPTION_UNITS
from bot.clock import Clock

EYES: Final = "👀"
EYES_AFTER_S: Final = 1.0
MAX_FILE_BYTES: Final = 50_000_000
"""Telegram takes no larger ones of bots."""
UPLOAD_S: Final = 60.0

_log = log.get("chat.telegram")


@contextlib.asynccontextmanager
async def eyes(client: TelegramClient, clock: Clock, chat_id: int, message_id: int) -> AsyncIterator[None]:
    """While this takes long, the message shows that it was read. Chats that allow no reactions go without."""

    async def look() -> None:
        # A fast clock must not make a slow machine look slow.
        await clock.sleep(max(EYES_AFTER_S, 0.5 * clock.speed))
        done = await client.call(client.bot.set_message_reaction(chat_id, message_id, EYES))
        if isinstance(done, Failure):
            _log.debug("reaction.refused", chat_id=chat_id, reason=done.text)

    async with asyncio.TaskGroup() as group:
        looking = group.create_task(look(), name="eyes")
        try:
            yield
        finally:
            looking.cancel()


async def send_file(
    client: TelegramClient,
    chat_id: int,
    reply: Reply,
    file: Attachment,
    *,
    user: str = "",
    thread_id: int | None = None,
) -> int | Failure:
    """A reply as the caption of a file; the message's id, or why not."""

    async def attempt(text: str, mode: str | None, markup: InlineKeyboardMarkup | None) -> int | Failure:
        call = client.bot.send_document(
            chat_id,
            InputFile(file.content, filename=file.name),
            caption=text,
            message_thread_id=thread_id,
            parse_mode=mode,
            reply_markup=markup,
            disable_content_type_detection=True,
            write_timeout=UPLOAD_S,
            read_timeout=UPLOAD_S,
        )
        sent = await client.call(call)
        return sent if isinstance(sent, Failure) else sent.message_id

    return await client.deliver(chat_id, reply, user, attempt, limit=MAX_CAPTION_UNITS)
