"""Rows 10 and 11: from bytes on the socket to a decision, from a decision to a request on the wire.

Row 10: a process of its own sends pushes of two messages over a WebSocket on loopback, twenty a second. "Transport" is
from just before the first `send` to the second message in hand, "decision" to the end of the tick of row 5; both of the
same pushes, so one has the other inside.

Row 11: from the end of a tick in which one alert fires to the first bytes of the request at the far side: commit to
SQLite on disk, lane, attempt and buttons noted on disk, HTTP on loopback. Everything on our side is what the bot runs. The clock is
ten times as fast, which only shortens the pauses between messages that the chats' limits ask for.
"""

import asyncio
import contextlib
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from websockets.asyncio.client import connect

from bot import log
from bot.app.committer import Committer
from bot.app.live import Live
from bot.app.routing import Routes
from bot.chat.buttons import Buttons
from bot.clock import SystemClock
from bot.delivery.destination import Destination
from bot.delivery.discord import DiscordDestination
from bot.delivery.lanes import Lanes
from bot.delivery.manners import UNBOUNDED
from bot.delivery.telegram import TelegramDestination
from bot.engine.engine import Engine
from bot.engine.inputs import Samples
from bot.market.mailbox import Mailbox
from bot.storage.alerts import SqliteAlertStore
from bot.storage.buttons import SqliteButtonStore
from bot.storage.database import Database, open_database
from bot.storage.outbox import SqliteOutbox
from tests.bench import far_side
from tests.bench.engine_rows import consume, decoder, thresholds_from
from tests.bench.frames import Second
from tests.bench.harness import Context, Group, Result
from tests.bench.workload import N_EXPRESSIONS, Stage, both, draw, quiet, rules_of, verify

PER_SECOND = 20.0
N_PUSHES, N_QUICK_PUSHES = 400, 60
N_WARM = 10
N_ALERTS, N_QUICK_ALERTS = 200, 10
SPEED = 10.0
P99_GOAL_MS = 150.0


def decisions(context: Context) -> Sequence[Result]:
    """Row 10."""
    windows = draw(N_EXPRESSIONS)
    stage = Stage()
    engine = stage.add("quiet", both(quiet(windows, thresholds_from(windows, context))))
    context.say("filling 24 hours")
    stage.fill(context.step)
    engine.tick(stage.next().at_ms)
    n = N_QUICK_PUSHES if context.is_quick else N_PUSHES
    seconds = [stage.peek_apart() for _ in range(n + N_WARM)]
    pushes = [second.frames(stage.symbols) for _, second in seconds]
    context.say(f"{n} pushes, {PER_SECOND:.0f} a second")
    with far_side.started(far_side.push_frames, PER_SECOND) as connection:
        connection.send(pushes)
        arrived, decided, sent = asyncio.run(_receive(context, connection, stage, engine, seconds))
    verify(context, "row 10", stage, engine, windows)
    transport = [(a - s) / 1e3 for a, s in zip(arrived, sent, strict=True)][N_WARM:]
    decision = [(d - s) / 1e3 for d, s in zip(decided, sent, strict=True)][N_WARM:]
    value = statistics.median(decision) / statistics.median(transport)
    note = f"p50 {statistics.median(decision):,.0f} us against {statistics.median(transport):,.0f} us, {n} pushes"
    if statistics.median(decision) > 1e6 / PER_SECOND:
        note += "; too slow for the pace, so pushes wait for one another"
    return [Result("10", "bytes on the socket to decision, against transport alone", value, 4.0, "x", note=note)]


async def _receive(
    context: Context, connection: Connection, stage: Stage, engine: Engine, seconds: Sequence[tuple[Samples, Second]]
) -> tuple[list[int], list[int], list[int]]:
    decode = decoder(stage)
    arrived, decided = [], []
    port = await asyncio.to_thread(connection.recv)
    async with connect(f"ws://127.0.0.1:{port}", compression=None, max_size=None, ping_interval=None) as socket:
        for k, (polls, now) in enumerate(seconds):
            if len(polls.rows):
                engine.consume(polls)
            first = await socket.recv(decode=False)
            batches = decode([first])
            second = await socket.recv(decode=False)
            arrived.append(time.monotonic_ns())
            consume(engine, [*batches, *decode([second])])
            engine.tick(now.at_ms)
            decided.append(time.monotonic_ns())
            context.step((k + 1) / len(seconds))
        sent = await asyncio.to_thread(connection.recv)
    return arrived, decided, sent


def requests(context: Context) -> Sequence[Result]:
    """Row 11."""
    log.set_up(level="WARNING")
    n = N_QUICK_ALERTS if context.is_quick else N_ALERTS
    results = []
    for name, destination_of in DESTINATIONS.items():
        context.say(f"{n} alerts to {name}")
        with far_side.started(far_side.chat) as connection, tempfile.TemporaryDirectory() as folder:
            taken = asyncio.run(_alerts(context, connection, Path(folder), destination_of, n))
        p50, p99, longest = statistics.median(taken), sorted(taken)[int(0.99 * (n - 1))], max(taken)
        note = f"{n} alerts, longest {longest:.1f} ms; SQLite on this machine's disk"
        results.append(Result("11", f"decision to request on the wire, {name}, p50", p50, 20.0, "ms", note=note))
        results.append(Result("11", f"decision to request on the wire, {name}, p99", p99, P99_GOAL_MS, "ms", note=note))
    return results


def _telegram(port: int, clock: SystemClock, database: Database) -> TelegramDestination:
    buttons = Buttons(SqliteButtonStore(database), secret=b"of a benchmark", clock=clock)
    url = f"http://127.0.0.1:{port}"
    return TelegramDestination(token="1:x", api_url=url, chat_id=1, clock=clock, buttons=buttons)


def _discord(port: int, clock: SystemClock, _database: Database) -> DiscordDestination:
    return DiscordDestination(webhook_url=f"http://127.0.0.1:{port}/api/webhooks/1/x", clock=clock)


DestinationOf = Callable[[int, SystemClock, Database], TelegramDestination | DiscordDestination]
DESTINATIONS: dict[str, DestinationOf] = {"Telegram": _telegram, "Discord": _discord}


async def _alerts(
    context: Context, connection: Connection, folder: Path, destination_of: DestinationOf, n: int
) -> list[float]:
    """Milliseconds from decision to the far side, per alert. The first, which opens the connection, is left out."""
    clock = SystemClock(speed=SPEED)
    port = await asyncio.to_thread(connection.recv)
    stage = Stage(n + 1)
    # Critical alerts are told one by one; of others the fourth in ten seconds waits for the digest.
    rules = [replace(rule, severity="critical") for rule in rules_of(["price > 1_000_000_000"])]
    engine = stage.add("one rule", rules)
    decided: list[int] = []
    opened = await open_database(folder / "oibot.db", now_ms=clock.wall_ms())
    async with (
        destination_of(port, clock, opened.database) as destination,
        _house(opened.database, clock, engine, destination) as live,
    ):
        live.venue_time.start(stage.walk.at_ms, clock.monotonic_ms())
        for row in range(n + 1):
            second = stage.peek()
            for batch in second.marks():
                # Those before it stay where they are, so that each tick has one new alert and no end.
                batch.price[: row + 1] = 2e9 + np.arange(row + 1)
                engine.consume(batch)
            while (wait_s := destination.take_slot(urgent=False)) > 0:
                await clock.sleep(wait_s + 0.01)
            destination.free_slot()
            result = engine.tick(second.at_ms)
            decided.append(time.monotonic_ns())
            assert len(result.notices) == 1
            await live.store(result)
            arrived = await _arrivals(connection, row + 1)
            context.step((row + 1) / (n + 1))
    return [(a - d) / 1e6 for a, d in zip(arrived, decided, strict=True)][1:]


async def _arrivals(connection: Connection, n: int) -> list[int]:
    for _ in range(500):
        connection.send("when")
        found = await asyncio.to_thread(connection.recv)
        if len(found) >= n:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(f"{n} requests expected, {len(found)} arrived")


@contextlib.asynccontextmanager
async def _house(
    database: Database, clock: SystemClock, engine: Engine, destination: Destination
) -> AsyncIterator[Live]:
    """What stands between engine and destination in the bot."""
    committer = Committer(SqliteAlertStore(database), clock)
    lanes = Lanes(
        outbox=SqliteOutbox(database),
        destinations=[destination],
        clock=clock,
        venue_now=lambda: engine.now_ms,
        manners=UNBOUNDED,
    )
    live = Live(
        engine=engine,
        mailbox=Mailbox(),
        clock=clock,
        committer=committer,
        routes=Routes.of([destination.name]),
        on_rows=lambda rows: lanes.offer(rows) if rows else lanes.notify(),
    )
    tasks = [asyncio.create_task(part.run()) for part in (committer, lanes)]
    try:
        yield live
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await database.close()


GROUPS = (Group(("10",), decisions), Group(("11",), requests))
