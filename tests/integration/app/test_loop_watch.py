"""A loop that is really blocked is noticed while it is, and what blocked it is named."""

import asyncio
import io
import json
import linecache
import logging
import threading
import time

import pytest
import structlog

from bot import log
from bot.app.loop_watch import LoopWatch

pytestmark = pytest.mark.integration


@pytest.fixture
def lines():
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    out = io.StringIO()
    log.set_up(level="INFO", fmt="json", stream=out)
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def think_for_long(seconds: float) -> None:
    time.sleep(seconds)


async def wait_for(condition) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


async def test_what_blocks_the_loop_is_named(lines):
    watch = LoopWatch(blocked_s=0.2)
    task = asyncio.create_task(watch.run())
    await wait_for(lambda: watch.lag_s.count >= 2)
    quick = watch.lag_s.total
    think_for_long(1.2)
    await wait_for(lambda: watch.n_blocked and len(lines()) >= 2)
    blocked, released = lines()[:2]
    assert blocked["event"] == "loop.blocked"
    assert blocked["since_ms"] >= 200
    assert "think_for_long" in blocked["where"][0]
    assert "test_what_blocks_the_loop_is_named" in blocked["where"][1]
    assert (released["event"], released["level"]) == ("loop.released", "warning")
    assert released["after_ms"] >= 400
    assert watch.lag_s.total - quick >= 0.4
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_looking_reads_no_source(lines):
    """What is read for a stack stays in memory, and with time that is all source there is."""
    watch = LoopWatch(blocked_s=0.2)
    task = asyncio.create_task(watch.run())
    await wait_for(lambda: watch.lag_s.count >= 2)
    linecache.clearcache()
    think_for_long(1.2)
    await wait_for(lambda: watch.n_blocked)
    assert not linecache.cache
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_it_says_so_at_most_once_in_a_while_and_counts_the_rest(lines):
    watch = LoopWatch(blocked_s=0.1, say_every_s=3_600.0)
    task = asyncio.create_task(watch.run())
    await wait_for(lambda: watch.lag_s.count >= 1)
    for n in range(1, 4):
        think_for_long(0.8)
        signed = watch.lag_s.count
        await wait_for(lambda n=n, signed=signed: watch.n_blocked >= n and watch.lag_s.count > signed)
    assert [line["event"] for line in lines()].count("loop.blocked") == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_loop_that_turns_is_not_complained_of(lines):
    watch = LoopWatch(blocked_s=5.0)
    task = asyncio.create_task(watch.run())
    await wait_for(lambda: watch.lag_s.count >= 3)
    assert (watch.n_blocked, lines()) == (0, [])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_its_thread_ends_with_it():
    watch = LoopWatch(blocked_s=0.2)
    task = asyncio.create_task(watch.run())
    await wait_for(lambda: watch.lag_s.count >= 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await wait_for(lambda: not any(t.name == "loop watch" for t in threading.enumerate()))
