"""Giving memory back: what a start needed for a moment would otherwise stay with the process for ever.

Filling a day of windows passes a few hundred megabytes of answers through the allocator in pieces. Python and NumPy free
them, but the C library keeps the pages. On a small server that is a sixth of all the bot uses.
"""

import asyncio
import ctypes
from typing import Final

from bot import log
from bot.clock import Clock

FIRST_S: Final = 120.0
EVERY_S: Final = 60.0

_log = log.get("memory")


def give_back() -> bool:
    """Return freed pages to the system. False where the C library cannot, as on musl; nothing is lost then."""
    try:
        return bool(ctypes.CDLL("libc.so.6").malloc_trim(0))
    except (OSError, AttributeError):
        return False


class MemoryKeeper:
    """`run` is a component."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def run(self) -> None:
        await self._clock.sleep(FIRST_S)
        while True:
            # In a thread, where it holds up neither ticks nor chats but those that allocate just then.
            returned = await asyncio.to_thread(give_back)
            _log.debug("memory.returned", some=returned)
            await self._clock.sleep(EVERY_S)
