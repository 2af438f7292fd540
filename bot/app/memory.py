"""Giving memory back: what a start needed for a moment would otherwise stay with the process for ever.

Filling a day of windows passes a few hundred megabytes of answers through the allocator in pieces. Python and NumPy free
them, but the C library keeps the pages. On a small server that is a sixth of all the bot uses. Most of it is avoided by
keeping large arrays out of the heap, where they leave holes when they grow; the rest is given back each minute.
"""

import asyncio
import ctypes
import linecache
from typing import Final

from bot import log
from bot.clock import Clock

FIRST_S: Final = 30.0
EVERY_S: Final = 60.0
LARGE: Final = 1 << 20
"""Bytes from which an allocation gets pages of its own, which go back when it is freed. What a tick computes for a moment is
smaller: fresh pages for that, each second, would cost more than they save."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Of `mallopt`, as malloc.h numbers them."""
_N_ARENAS: Final = 2
"""Threads share them. Each of the few threads would otherwise keep freed pages of its own."""

_log = log.get("memory")


def keep_small() -> bool:
    """Call before threads begin. False where the C library cannot, as on musl; nothing is lost then."""
    options = {_ARENA_MAX: _N_ARENAS, _MMAP_THRESHOLD: LARGE, _TRIM_THRESHOLD: LARGE}
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    results = [mallopt(option, value) for option, value in options.items()]
    return all(results)


def give_back() -> bool:
    """Return freed pages to the system. False where the C library cannot; nothing is lost then."""
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
            # Source that was read for tracebacks; with time it would be all there is.
            linecache.clearcache()
            # In a thread, where it holds up neither ticks nor chats but those that allocate just then.
            returned = await asyncio.to_thread(give_back)
            _log.debug("memory.returned", some=returned)
            await self._clock.sleep(EVERY_S)
