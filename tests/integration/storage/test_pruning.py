"""What is old goes, in small steps, and the file gives its pages back."""

import contextlib
import sqlite3

import pytest

from bot.model.alert import AlertRecord, State, TellKind, Transition, alert_key
from bot.model.chat_alert import ChatAlert, alert_id
from bot.model.outbox import Delivered, Message, OutboxRow, row_id
from bot.model.outbox_ports import Commit
from bot.model.view import AlertView
from bot.storage import preparing, pruning
from bot.storage.alerts import SqliteAlertStore
from bot.storage.chat_alerts import SqliteChatAlertStore
from bot.storage.database import open_database
from bot.storage.key_values import SqliteKeyValues
from bot.storage.outbox import SqliteOutbox

N = 1_200


@pytest.fixture
async def database(tmp_path):
    opened = await open_database(tmp_path / "oibot.db", now_ms=1)
    yield opened.database
    await opened.database.close()


@pytest.fixture
def steps(database, monkeypatch):
    """How many rows each writing step changed."""
    counts = []
    real = database.write

    async def write(operation, body):
        async def counted(tx):
            before = (await tx.fetch("SELECT total_changes()"))[0][0]
            result = await body(tx)
            counts.append((await tx.fetch("SELECT total_changes()"))[0][0] - before)
            return result

        return await real(operation, counted)

    monkeypatch.setattr(database, "write", write)
    return counts


def row(n):
    key = alert_key("r", "v:S", n)
    view = AlertView("r", "R", "S", "v", "B", "info", "id", "fire", n, n, "c", "x" * 300, n, False)
    return OutboxRow(row_id(key, TellKind.FIRE, 0, "main"), key, TellKind.FIRE, "main", "info", n, view)


async def fill(database, n=N):
    transitions = tuple(Transition("r", "v", "S", State.FIRING, k, 1.0, f"k{k}", "x" * 200) for k in range(n))
    rows = tuple(row(k) for k in range(n))
    await SqliteAlertStore(database).commit(Commit((), transitions, rows))
    outbox = SqliteOutbox(database)
    for start in range(0, n, 40):
        ids = tuple(r.id for r in rows[start : start + 40])
        await outbox.settle(Message(f"m{start}", "main", ids, 0), Delivered("1"), now_ms=5)
    return rows


async def test_pruning_goes_in_small_steps_and_the_file_shrinks(database, steps):
    await fill(database)
    await database.checkpoint()
    before = database.path.stat().st_size
    steps.clear()
    assert await SqliteAlertStore(database).prune(before_ms=10_000) == 2 * N
    freed = await pruning.shrink(database, keep_pages=8)
    assert max(steps) <= pruning.BATCH
    assert len(steps) > 2 * N / pruning.BATCH
    await database.checkpoint()
    assert freed > 100
    assert database.path.stat().st_size < before / 3
    assert (await database.fetch("count", "SELECT count(*) FROM messages"))[0][0] == 0


async def test_rows_of_firing_alerts_stay_though_they_fill_a_whole_step(database, monkeypatch):
    monkeypatch.setattr(pruning, "BATCH", 10)
    rows = await fill(database, 45)
    store = SqliteAlertStore(database)
    firing = rows[:21]
    await store.commit(
        Commit(tuple(AlertRecord("r", f"v:{n}", "c", State.FIRING, key=r.key) for n, r in enumerate(firing)), (), ())
    )
    await store.prune(before_ms=10_000)
    left = await database.fetch("look", "SELECT id FROM outbox ORDER BY seq")
    assert [i for (i,) in left] == [r.id for r in firing]
    assert await SqliteOutbox(database).message_of(firing[0].key, "fire", "main")


async def test_leftovers_of_chat_alerts_go_in_small_steps(database, steps):
    ids = [alert_id("c", "price", n) for n in range(N)]
    kept = ChatAlert(ids[0], "c", "u", "v:S", "price", ">", 1.0, False, 0)
    store = SqliteChatAlertStore(database)
    await store.add(kept)
    records = tuple(AlertRecord(i, "v:S", "c", State.INACTIVE) for i in ids)
    firing = AlertRecord(ids[1], "v:S", "c", State.FIRING)
    await SqliteAlertStore(database).commit(
        Commit((*records, firing, AlertRecord("rule", "v:S", "c", State.INACTIVE)), (), ())
    )
    steps.clear()
    assert await store.prune(before_ms=0) == N - 2
    assert max(steps) <= pruning.BATCH
    left = await database.fetch("look", "SELECT rule_id FROM alerts")
    assert {rule_id for (rule_id,) in left} == {ids[0], ids[1], "rule"}


async def test_with_daily_pruning_the_file_stops_growing(database):
    store, outbox = SqliteAlertStore(database), SqliteOutbox(database)
    sizes = []
    for day in range(12):
        rows = tuple(row(day * 1_000 + k) for k in range(200))
        await store.commit(Commit((), (), rows))
        await outbox.settle(Message(f"d{day}", "main", tuple(r.id for r in rows), 0), Delivered("1"), now_ms=day)
        await store.prune(before_ms=day - 2)
        await pruning.shrink(database)
        sizes.append(database.path.stat().st_size)
    assert max(sizes[6:]) <= max(sizes[3:6]) * 1.1


async def test_a_file_from_before_learns_to_give_pages_back(tmp_path):
    path = tmp_path / "old.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(preparing.migrations()[0][1])
        connection.execute("PRAGMA user_version = 1")
        connection.execute("INSERT INTO key_values VALUES ('a', '1')")
        connection.commit()
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (0,)
    opened = await open_database(path, now_ms=1)
    try:
        assert await opened.database.fetch("look", "PRAGMA auto_vacuum") == [(2,)]
        assert await SqliteKeyValues(opened.database).get("a") == "1"
    finally:
        await opened.database.close()
