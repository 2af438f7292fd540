"""Memory, connections, threads and tasks stay as they are, over reconnects, questions and alerts. `make soak` does it for days."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from bot.sim.chatserver import ChatServer
from tests.support.proxy import Proxy
from tests.support.task_count import counted, n_tasks

pytestmark = [pytest.mark.acceptance, pytest.mark.promise("P16")]

OWNER = 4711
SPEED = 240.0
REAL_S = 32
N_RECONNECTS = 32
MAX_EXTRA_MB = 8.0
RULES = """version: 1
defaults: {cooldown: 60s}
rules:
  - id: wave
    scope: {symbols: [BTCUSDT, ETHUSDT, SOLUSDT]}
    when: price > avg(price, 10m)
    clear: price < avg(price, 10m)
"""


@dataclass(frozen=True)
class Look:
    """The process at one moment."""

    rss_mb: float
    n_files: int
    n_threads: int
    n_tasks: int


def look_at(pid, folder):
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return Look(
        int(fields["VmRSS"].split()[0]) / 1024,
        len(os.listdir(f"/proc/{pid}/fd")),
        int(fields["Threads"]),
        n_tasks(folder),
    )


async def test_over_hours_and_reconnects_everything_stays_as_it_is(harness, until):
    harness.speed = SPEED
    venue = await harness.venue(instruments=20, script=False)
    async with (
        ChatServer(clock=harness.clock()) as chats,
        Proxy("127.0.0.1", int(chats.telegram_url.rsplit(":", 1)[1])) as proxy,
        aiohttp.ClientSession() as session,
    ):
        env = harness.env(
            venue,
            OIBOT_RULES_DIR=str(harness.rules(RULES)),
            OIBOT_TELEGRAM__TOKEN=chats.telegram_token,
            OIBOT_TELEGRAM__API_URL=proxy.url,
            OIBOT_TELEGRAM__OWNER_ID=str(OWNER),
        )
        bot = await harness.start("run", env=counted(env, harness.folder))
        await until(lambda: "feed.live" in bot.output, within_s=60, why=lambda: bot.output)
        clock, looks, n_before = harness.clock(), [], bot.output.count("stream.connected")
        for n in range(N_RECONNECTS):
            async with session.post(f"{venue[0]}/sim/close", json={"code": 1001}) as answer:
                assert answer.status == 200
            chats.telegram.say("/status", chat_id=OWNER)
            if n % 4 == 0:
                proxy.break_all()
            await asyncio.sleep(REAL_S / N_RECONNECTS)
            looks.append(look_at(bot.pid, harness.folder))
        n_reconnects = bot.output.count("stream.connected") - n_before
        hours = clock.monotonic_ms() / 3_600_000
        n_messages = len(chats.messages())
        bot.terminate()
        assert await bot.exit_code() == 0, bot.output

    third = len(looks) // 3
    before, after = looks[third : 2 * third], looks[-third:]

    def most(name, among):
        return max(getattr(look, name) for look in among)

    told = {name: (most(name, before), most(name, after)) for name in ("rss_mb", "n_files", "n_threads", "n_tasks")}
    print(
        f"{hours:.1f} h, {n_reconnects} reconnects, {n_messages} messages; most in the second and the last third: {told}"
    )
    assert n_reconnects >= N_RECONNECTS // 2
    assert n_messages >= 20
    assert told["rss_mb"][1] <= told["rss_mb"][0] + MAX_EXTRA_MB
    for name, most_extra in (("n_files", 4), ("n_threads", 2), ("n_tasks", 4)):
        assert told[name][1] <= told[name][0] + most_extra, (name, looks)
