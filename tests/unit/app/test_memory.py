"""Freed memory goes back to the system."""

import asyncio
import linecache
import subprocess
import sys
import traceback

from bot.app.memory import FIRST_S, MemoryKeeper
from bot.clock import ManualClock

CODE = """
from bot.app.memory import give_back
def rss():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
pieces = [b"x" * 5_000 for _ in range(20_000)]
kept = pieces[::50]
del pieces
before = rss()
print(give_back(), before - rss())
"""


def test_pages_of_freed_pieces_are_returned():
    """In a process of its own: a hundred megabytes in pieces, of which every fiftieth stays."""
    out = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout.split()
    returned, kilobytes = out[0] == "True", int(out[1])
    assert not returned or kilobytes > 50_000


async def test_source_that_was_read_for_tracebacks_is_let_go_of():
    clock = ManualClock()
    keeper = asyncio.ensure_future(MemoryKeeper(clock).run())
    await clock.advance(0)
    try:
        raise ValueError
    except ValueError:
        traceback.format_exc()
    assert linecache.cache
    await clock.advance(FIRST_S)
    assert not linecache.cache
    keeper.cancel()


LARGE = """
import sys
import numpy as np
from bot.app.memory import keep_small
can = keep_small() if sys.argv[1] == "small" else True
def heap():
    with open("/proc/self/maps") as maps:
        spans = [line.split()[0].split("-") for line in maps if line.rstrip().endswith("[heap]")]
    return sum(int(end, 16) - int(start, 16) for start, end in spans) // 1024
first = np.ones(2_500_000)
del first
before = heap()
second = np.ones(1_250_000)
print(can, heap() - before)
"""


def _heap_grows_by_kb(mode: str) -> tuple[bool, int]:
    out = subprocess.run([sys.executable, "-c", LARGE, mode], capture_output=True, text=True, check=True).stdout.split()
    return out[0] == "True", int(out[1])


def test_large_arrays_stay_out_of_the_heap():
    """The C library puts what is smaller than the largest that was ever freed into the heap, unless it is told."""
    can, kilobytes = _heap_grows_by_kb("small")
    assert not can or kilobytes == 0
    assert not can or _heap_grows_by_kb("as it is")[1] > 9_000
