"""A bot on the whole market for days of fast time: memory, open files, threads and tasks over the hours, as a table with bars."""

import asyncio
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low

import aiohttp

from bot.sim.chatserver import ChatServer
from tests.support.harness import ROOT, Harness, Process, eventually
from tests.support.kills import OWNER
from tests.support.task_count import counted, n_tasks

MAX_MB = 220.0
"""Resident, with 950 instruments, a day of windows and the shipped rules."""
MAX_SLOPE_MB = 1.0
"""Per 24 hours, once windows are full. A slope is known with an error: what is broken is broken beyond twice that."""
FULL_H = 25.0
_COUNTS = (("open files", "n_files", 4), ("tasks", "n_tasks", 4), ("threads", "n_threads", 0))
"""How many more there may be at the end than after a third."""
_BAR_MB = 5.0


@dataclass(frozen=True)
class Look:
    """The process at one moment."""

    hour: float
    rss_mb: float
    n_files: int
    n_threads: int
    n_tasks: int
    n_reconnects: int
    n_ticks: int


def look_at(pid: int, folder: Path, *, hour: float, n_reconnects: int) -> Look:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    try:
        n_ticks = json.loads((folder / "data" / "heartbeat").read_bytes())["n_ticks"]
    except (OSError, ValueError):
        n_ticks = 0
    return Look(
        hour=hour,
        rss_mb=int(fields["VmRSS"].split()[0]) / 1024,
        n_files=len(os.listdir(f"/proc/{pid}/fd")),
        n_threads=int(fields["Threads"]),
        n_tasks=n_tasks(folder),
        n_reconnects=n_reconnects,
        n_ticks=n_ticks,
    )


def row(look: Look) -> str:
    bar = "█" * round(look.rss_mb / _BAR_MB)
    return (
        f"{look.hour:7.2f} {look.rss_mb:8.1f} {look.n_files:6} {look.n_threads:8} {look.n_tasks:6} {look.n_reconnects:11} "
        f"{look.n_ticks:8}  {bar}"
    )


def slope_mb(looks: list[Look]) -> tuple[float, float] | None:
    """Least squares, per 24 hours, of the looks since windows are full, and its standard error; None for fewer than three
    hours of them.
    """
    late = [x for x in looks if x.hour >= FULL_H]
    if len(late) < 3 or late[-1].hour - late[0].hour < 3:
        return None
    mean_h = sum(x.hour for x in late) / len(late)
    mean_mb = sum(x.rss_mb for x in late) / len(late)
    spread = sum((x.hour - mean_h) ** 2 for x in late)
    slope = sum((x.hour - mean_h) * (x.rss_mb - mean_mb) for x in late) / spread
    left = sum((x.rss_mb - mean_mb - slope * (x.hour - mean_h)) ** 2 for x in late)
    return 24 * slope, 24 * (left / (len(late) - 2) / spread) ** 0.5


def problems(looks: list[Look]) -> list[str]:
    """What breaks the promise."""
    found = []
    worst = max(looks, key=lambda x: x.rss_mb)
    if worst.rss_mb > MAX_MB:
        found.append(f"memory: {worst.rss_mb:.1f} MB at hour {worst.hour:.1f}, expected at most {MAX_MB:.0f}")
    slope = slope_mb(looks)
    if slope is not None and slope[0] - 2 * slope[1] > MAX_SLOPE_MB:
        found.append(f"memory grows by {slope[0]:.2f} ± {slope[1]:.2f} MB a day, expected at most {MAX_SLOPE_MB}")
    for name, field, extra in _COUNTS:
        third, end = usual(looks, field, 1 / 3), usual(looks, field, 1)
        if end > third + extra:
            found.append(f"{name}: mostly {third} after a third, {end} at the end")
    return found


def usual(looks: list[Look], field: str, until: float) -> int:
    """The middle one of a sixth of all looks, up to this part of them: a single look may see what is there for a moment."""
    last = max(1, round(len(looks) * until))
    return int(median_low(getattr(x, field) for x in looks[max(0, last - max(1, len(looks) // 6)) : last]))


async def watch(harness: Harness, *, hours: float, instruments: int, reconnects: int, n_looks: int = 72) -> bool:
    """Run it; True when all is bounded."""
    venue = await harness.venue(instruments=instruments)
    clock = harness.clock()
    looks: list[Look] = []
    async with (
        ChatServer(clock=clock, enforce_limits=True) as chats,
        aiohttp.ClientSession(
            # Each order of its own: the exchange may close a connection that is kept just when it is used again.
            connector=aiohttp.TCPConnector(force_close=True)
        ) as session,
    ):
        env = harness.env(
            venue,
            OIBOT_TELEGRAM__TOKEN=chats.telegram_token,
            OIBOT_TELEGRAM__API_URL=chats.telegram_url,
            OIBOT_TELEGRAM__OWNER_ID=str(OWNER),
            OIBOT_RULES_DIR=str(ROOT / "rules"),
        )
        bot = await harness.start("run", env=counted(env, harness.folder))
        await eventually(lambda: "feed.live" in bot.output, within_s=120, why=lambda: bot.output)
        print(
            f"{'hour':>7} {'RSS MB':>8} {'files':>6} {'threads':>8} {'tasks':>6} {'reconnects':>11} {'ticks':>8}",
            flush=True,
        )
        await _hours(harness, bot, session, venue[0], looks, hours, reconnects, n_looks)
        print(f"{len(chats.messages())} messages, {chats.telegram.n_flooded} refused for their pace")
        is_sound = chats.telegram.n_flooded == 0
        bot.terminate()
        is_sound &= await bot.exit_code(30) == 0
    wrong = problems(looks)
    for text in wrong:
        print(text)
    slope = slope_mb(looks)
    print(
        f"at most {max(x.rss_mb for x in looks):.1f} MB"
        + (f", {slope[0]:+.2f} ± {slope[1]:.2f} MB a day" if slope else "")
    )
    return is_sound and not wrong


async def _hours(
    harness: Harness,
    bot: Process,
    session: aiohttp.ClientSession,
    rest_url: str,
    looks: list[Look],
    hours: float,
    reconnects: int,
    n_looks: int,
) -> None:
    began_s, n_done = time.monotonic(), 0
    total_s = hours * 3_600 / harness.speed
    for n in range(1, max(reconnects, n_looks) + 1):
        await asyncio.sleep(max(0.0, began_s + total_s * n / max(reconnects, n_looks) - time.monotonic()))
        if bot.process.returncode is not None:
            raise AssertionError(f"the bot ended:\n{bot.output[-4_000:]}")
        if n * reconnects // max(reconnects, n_looks) > n_done:
            n_done += 1
            async with session.post(f"{rest_url}/sim/close", json={"code": 1001}) as response:
                assert response.status == 200
        if n * n_looks // max(reconnects, n_looks) > len(looks):
            hour = (time.monotonic() - began_s) * harness.speed / 3_600
            looks.append(look_at(bot.pid, harness.folder, hour=hour, n_reconnects=n_done))
            print(row(looks[-1]), flush=True)
        del bot.lines[:-200]
