"""`python -m tests.bench.viewers http://127.0.0.1:8310 PID`: what the dashboard costs a bot that runs, and how soon it is there.

Start `oibot demo --instruments 950` first and wait until its windows are filled. Needs Linux, Chromium and playwright. Goals: first paint
under 1 s, under 2 % of a core for each viewer.
"""

import asyncio
import os
import statistics
import sys
import time
from pathlib import Path

import aiohttp

from tests.support.browser import LOOKS, browser, looking, settle

N_PAINTS = 10
N_VIEWERS = 8
PAINT = """new Promise((told) => new PerformanceObserver((list) => {
  for (const entry of list.getEntriesByName("first-contentful-paint")) told(entry.startTime);
}).observe({ type: "paint", buffered: true }))"""
FOR_S = 25.0


def used_s(pid: int) -> float:
    """Processor time of a process, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def paints(base: str) -> tuple[list[float], list[float]]:
    """First contentful paint, and the end of loading, in ms since the click."""
    first, loaded = [], []
    async with browser() as found:
        for n in range(N_PAINTS + 1):
            async with looking(found, LOOKS[0]) as page:
                await page.goto(base + "/")
                await settle(page)
                paint = await page.evaluate(PAINT)
                load = await page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
            if n:
                # The first starts the browser too.
                first.append(paint)
                loaded.append(load)
    return first, loaded


async def watch(base: str, seconds: float) -> int:
    """One viewer; how many bytes it was sent."""
    n = 0
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        async with session.get(f"{base}/system"):
            pass
        async with session.get(f"{base}/events") as answer:
            until = time.monotonic() + seconds
            async for chunk in answer.content.iter_any():
                n += len(chunk)
                if time.monotonic() > until:
                    return n
    return n


async def share(base: str, pid: int, viewers: int) -> tuple[float, int]:
    """Of a core that the process uses meanwhile, and bytes a second for each viewer."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(watch(base, FOR_S + 4)) for _ in range(viewers)]
        await asyncio.sleep(2)
        before, at = used_s(pid), time.monotonic()
        await asyncio.sleep(FOR_S)
        found = (used_s(pid) - before) / (time.monotonic() - at)
    return found, sum(task.result() for task in tasks) // max(1, viewers) // int(FOR_S + 4)


async def main(base: str, pid: int) -> None:
    first, loaded = await paints(base)
    print(
        f"first paint {statistics.median(first):.0f} ms (worst {max(first):.0f}), loaded {statistics.median(loaded):.0f} ms"
    )
    figures = []
    for n in (0, N_VIEWERS, 0, 1, 0):
        found, rate = await share(base, pid, n)
        figures.append((n, found))
        print(f"{n} viewers: {found:.1%} of a core, {rate / 1000:.0f} kB/s each")
    idle = statistics.mean(found for n, found in figures if n == 0)
    for n, found in figures:
        if n:
            print(f"{n} viewers: {(found - idle) / n:.2%} of a core for each")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
