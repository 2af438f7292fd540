"""Opening the database at the start: trouble that may pass is waited for, said once in the log, the terminal and a chat.

A bot that gave up here would only be started again by its service manager, and nobody would be told. It does not watch
meanwhile: without its stored alerts it would tell what was told, and forget what it owes.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from bot import log, texts
from bot.app.storage_watch import in_words
from bot.clock import Clock
from bot.delivery.notices import Notice
from bot.errors import StorageError
from bot.storage.database import Opened, open_database

RETRY_S: Final = 10.0

_log = log.get("storage")


async def open_patiently(
    path: Path, *, backups: Path, clock: Clock, stop: asyncio.Event, say: Callable[[Notice], Awaitable[None]]
) -> Opened | None:
    """The open database; None when told to stop while waiting. Raises `StorageError` for what will not pass."""
    waiting_ms: float | None = None
    while not stop.is_set():
        try:
            opened = await open_database(path, now_ms=clock.wall_ms(), clock=clock, backups=backups)
        except StorageError as error:
            if not error.may_pass:
                raise
            if waiting_ms is None:
                waiting_ms = clock.monotonic_ms()
                _log.error("database.waiting", reason=str(error), every_s=RETRY_S)
                text = texts.say(
                    "Reason: {reason}.\nI watch nothing until then, and try again every {pause_s:g} s.",
                    reason=in_words(str(error)),
                    pause_s=RETRY_S,
                )
                await say(Notice(texts.say("The database cannot be opened"), text))
        else:
            if waiting_ms is not None:
                _log.info("database.opened", after_s=round((clock.monotonic_ms() - waiting_ms) / 1000, 1))
                await say(Notice(texts.say("The database is open again"), texts.say("I begin to watch."), "info"))
            return opened
        with contextlib.suppress(TimeoutError):
            async with clock.timeout(RETRY_S):
                await stop.wait()
    return None
