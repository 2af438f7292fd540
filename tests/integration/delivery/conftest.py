"""Real sockets: chat servers on loopback, destinations, and lanes over an outbox in memory."""

import asyncio
import contextlib
import io
import logging
from typing import Any

import pytest
import structlog

from bot import log
from bot.clock import SystemClock
from bot.delivery.destination import Form, Order
from bot.delivery.discord import DiscordDestination
from bot.delivery.lanes import Lanes
from bot.delivery.telegram import TelegramDestination
from bot.model.alert import TellKind, alert_key, short_id
from bot.model.outbox import OutboxRow, row_id
from bot.model.outbox_ports import Commit
from bot.model.view import AlertView, Move
from bot.sim.chatserver import ChatServer
from bot.storage.memory import MemoryAlertStore, MemoryOutbox

CHAT_ID = 71


def make_row(kind="fire", *, n=0, destination="telegram", symbol="BTCUSDT", after_s=0, at_ms=None, **changes):
    fired_ms = at_ms if at_ms is not None else 1_795_444_260_000
    key = alert_key("oi_surge", f"binance:{symbol}", fired_ms)
    values: dict[str, Any] = {
        "rule_id": "oi_surge",
        "title": "OI surge <b>&",
        "symbol": symbol,
        "venue": "binance",
        "base": "BTC",
        "severity": "warning",
        "short_id": short_id(key),
        "kind": kind,
        "at_ms": fired_ms + after_s * 1000,
        "fired_ms": fired_ms,
        "condition": "pct(oi, 15m) >= 5% and price < 100k",
        "value_text": "pct(oi, 15m)",
        "value": 0.0606,
        "value_is_ratio": True,
        "peak": 0.092 if kind == "end" else None,
        "oi": Move(900_000, 0.0606, 88_300.0, 93_600.0),
        "price": Move(900_000, 0.0089, 92_361.0, 93_183.0),
    }
    return OutboxRow(
        id=row_id(key, TellKind(kind), n, destination),
        key=key,
        kind=TellKind(kind),
        destination=destination,
        severity=changes.get("severity", "warning"),
        created_ms=fired_ms + after_s * 1000,
        view=AlertView(**(values | changes)),
    )


@pytest.fixture
def row():
    return make_row


@pytest.fixture
def order():
    def make(*rows, form=Form.NEW, **changes):
        return Order(rows=rows or (make_row(),), form=form, **changes)

    return make


@pytest.fixture
async def server():
    async with ChatServer() as found:
        yield found


@pytest.fixture
async def fast():
    """Ten clock seconds a second: the library's long timeouts end soon enough."""
    return SystemClock(speed=10)


@pytest.fixture
async def telegram(server, fast):
    async with TelegramDestination(
        token=server.telegram_token, api_url=server.telegram_url, chat_id=CHAT_ID, clock=fast
    ) as found:
        yield found


@pytest.fixture
async def discord(server, fast):
    async with DiscordDestination(webhook_url=server.discord_webhook_url, clock=fast) as found:
        yield found


class Room:
    """Lanes that run, and the means to feed and watch them."""

    def __init__(self, clock, destinations, **how):
        self.clock = clock
        self.outbox = MemoryOutbox()
        self.store = MemoryAlertStore(self.outbox)
        self.lanes = Lanes(outbox=self.outbox, destinations=destinations, clock=clock, **how)

    async def commit(self, *rows):
        await self.store.commit(Commit((), (), rows))
        self.lanes.notify()

    async def settled(self, *, within_s=10.0):
        """Wait until nothing is open any more."""
        async with asyncio.timeout(within_s):
            while (counts := await self.outbox.counts())["waiting"] or counts["sending"]:
                await asyncio.sleep(0.01)
        return counts


@pytest.fixture
def running(fast):
    @contextlib.asynccontextmanager
    async def make(*destinations, clock=None, **how):
        room = Room(clock or fast, destinations, **how)
        task = asyncio.create_task(room.lanes.run())
        try:
            yield room
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    return make


@pytest.fixture
def logged():
    """The real log set-up at DEBUG, written to memory."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    out = io.StringIO()
    log.set_up(level="DEBUG", fmt="json", stream=out)
    yield out
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    structlog.reset_defaults()
