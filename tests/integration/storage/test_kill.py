"""kill -9 at any instant of a commit: nothing acknowledged is lost, nothing is half there."""

import random
import sqlite3
import subprocess
import sys

import pytest

_WRITER = """
import asyncio, sys
from pathlib import Path
from bot import log
from bot.model.alert import AlertRecord, State, TellKind, Transition
from bot.model.outbox import OutboxRow
from bot.model.outbox_ports import Commit
from bot.model.view import AlertView
from bot.storage.alerts import SqliteAlertStore
from bot.storage.database import open_database

def change(n):
    view = AlertView("r", "R", "S", "v", "B", "info", "id", "fire", n, n, "c", "x", n, False)
    return Commit(
        records=tuple(AlertRecord("r", f"v:S{i}", "c", State.FIRING, fired_ms=n) for i in range(5)),
        transitions=tuple(Transition("r", "v", f"S{i}", State.FIRING, n, 1.0, str(n)) for i in range(5)),
        rows=tuple(OutboxRow(f"{n}-{d}", str(n), TellKind.FIRE, d, "info", n, view) for d in "ab"),
    )

async def main():
    opened = await open_database(Path(sys.argv[1]), now_ms=1)
    assert opened.damage is None, opened.damage
    store = SqliteAlertStore(opened.database)
    n = max([r.fired_ms for r in await store.load()], default=0)
    while True:
        n += 1
        await store.commit(change(n))
        print(n, flush=True)

log.set_up(level="WARNING", stream=sys.stderr)
asyncio.run(main())
"""


@pytest.mark.promise("P1")
def test_nothing_is_torn_or_lost_over_kills(tmp_path):
    path = tmp_path / "oibot.db"
    chance = random.Random(7)
    acknowledged = 0
    for _ in range(15):
        with subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True) as child:
            for _ in range(chance.randint(1, 40)):
                acknowledged = int(child.stdout.readline())
            child.kill()
            for line in child.stdout.read().split("\n"):
                if line.strip():
                    acknowledged = int(line)
        connection = sqlite3.connect(path)
        try:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            records = connection.execute("SELECT count(*), min(fired_ms), max(fired_ms) FROM alerts").fetchone()
            rows = connection.execute("SELECT count(*), max(created_ms) FROM outbox").fetchone()
            transitions = connection.execute("SELECT count(*), max(at_ms) FROM transitions").fetchone()
        finally:
            connection.close()
        n = records[2]
        assert n >= acknowledged, "an acknowledged commit is on disk"
        assert records == (5, n, n)
        assert rows == (2 * n, n)
        assert transitions == (5 * n, n)
    assert acknowledged > 15
