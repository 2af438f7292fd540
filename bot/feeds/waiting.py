"""Waiting for what may change before its time has come."""

import asyncio
import contextlib

from bot.clock import Clock


async def changed(clock: Clock, event: asyncio.Event, *, within_s: float) -> None:
    """Return when the event is set, at the latest after so many seconds; it is clear afterwards."""
    with contextlib.suppress(TimeoutError):
        async with clock.timeout(within_s):
            await event.wait()
    event.clear()
