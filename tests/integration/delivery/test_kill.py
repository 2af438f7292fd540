"""kill -9 at any instant between commit, attempt and outcome: nothing is lost, nothing is invented."""

import asyncio
import json
import random
import re
import sqlite3
import sys
from collections import Counter

import pytest

from bot.clock import SystemClock
from bot.sim import chat_faults as faults
from bot.sim.chatserver import ChatServer

ID = re.compile(r"#([0-9a-hjkmnp-tv-z]{8})")
_SENDER = """
import asyncio, sys
from pathlib import Path
from bot import log
from bot.clock import SystemClock
from bot.delivery.lanes import Lanes
from bot.delivery.manners import UNBOUNDED, Manners
from bot.delivery.telegram import TelegramDestination
from bot.model.alert import TellKind, alert_key, short_id
from bot.model.outbox import OutboxRow, row_id
from bot.model.outbox_ports import Commit
from bot.model.view import AlertView
from bot.storage.alerts import SqliteAlertStore
from bot.storage.database import open_database
from bot.storage.outbox import SqliteOutbox

path, url, token, run, n, how = sys.argv[1:]
log.set_up(level="ERROR", stream=sys.stderr)

def row(clock, n):
    now_ms = clock.wall_ms()
    key = alert_key("r", f"v:{run}-{n}", now_ms)
    view = AlertView("r", "R", f"{run}-{n}", "v", "B", "info", short_id(key), "fire", now_ms, now_ms, "c", "x", 1.0, False)
    return OutboxRow(row_id(key, TellKind.FIRE, 0, "telegram"), key, TellKind.FIRE, "telegram", "info", now_ms, view)

async def main():
    clock = SystemClock(speed=100)
    opened = await open_database(Path(path), now_ms=clock.wall_ms())
    outbox, store = SqliteOutbox(opened.database), SqliteAlertStore(opened.database)
    async with TelegramDestination(token=token, api_url=url, chat_id=7, clock=clock) as chat, asyncio.TaskGroup() as group:
        manners = {"one by one": UNBOUNDED, "digests": Manners()}[how]
        lanes = Lanes(outbox=outbox, destinations=[chat], clock=clock, manners=manners, n_instruments=lambda: 50)
        task = group.create_task(lanes.run())
        for i in range(int(n)):
            await store.commit(Commit((), (), (row(clock, i),)))
            lanes.notify()
            print(i, flush=True)
            await clock.sleep(0.5)
        while (await outbox.counts())["waiting"] + (await outbox.counts())["sending"]:
            await clock.sleep(1)
        task.cancel()
    await opened.database.close()

asyncio.run(main())
"""


async def start(path, server, run, n, how):
    arguments = (str(path), server.telegram_url, server.telegram_token, str(run), str(n), how)
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", _SENDER, *arguments, stdout=asyncio.subprocess.PIPE
    )


@pytest.mark.promise("P1")
@pytest.mark.promise("P2")
@pytest.mark.promise("P3")
@pytest.mark.parametrize("how", ["one by one", "digests"])
async def test_over_kills_every_committed_alert_arrives(tmp_path, how):
    path = tmp_path / "oibot.db"
    chance = random.Random(11)
    n_ambiguous = 0
    async with ChatServer(clock=SystemClock()) as server:
        for run in range(10):
            if run % 5 == 1:
                server.telegram.fail(faults.dropped(accepted=True))
                n_ambiguous += 1
            elif run % 5 == 3:
                server.telegram.fail(faults.server_error(), times=3)
            child = await start(path, server, run, 1000, how)
            for _ in range(chance.randint(1, 8)):
                await child.stdout.readline()
            await asyncio.sleep(chance.random() / 50)
            child.kill()
            n_ambiguous += 1
            await child.communicate()
        last = await start(path, server, "last", 1, how)
        await asyncio.wait_for(last.communicate(), 60)
        assert last.returncode == 0
        told = [ID.findall(message.text) for message in server.messages(7)]
    arrived = Counter(one for ids in told for one in ids)
    before: set[str] = set()
    n_repeated = 0
    for ids in told:
        n_repeated += bool(before & set(ids))
        before |= set(ids)
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT view, state FROM outbox").fetchall()
    connection.close()
    wanted = {json.loads(view)["short_id"] for view, _ in rows}
    assert len(wanted) > 20
    assert {state for _, state in rows} == {"delivered"}
    assert wanted - set(arrived) == set(), "lost"
    assert set(arrived) - wanted == set(), "unexpected"
    assert n_repeated <= n_ambiguous, "duplicated"
