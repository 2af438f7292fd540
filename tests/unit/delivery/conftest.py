"""Makers of views and rows, and a destination that answers as it is told."""

import asyncio
import contextlib
from typing import Any

import pytest

from bot.clock import ManualClock
from bot.delivery.destination import Order
from bot.delivery.lanes import Lanes
from bot.model.alert import TellKind, alert_key, short_id
from bot.model.outbox import Delivered, OutboxRow, row_id
from bot.model.outbox_ports import Commit
from bot.model.view import AlertView, Move
from bot.storage.memory import MemoryAlertStore, MemoryKeyValues, MemoryOutbox

FIRED_MS = 1_795_444_260_000


class Make:
    """Values with defaults; the alert of the handbook."""

    FIRED_MS = FIRED_MS

    @staticmethod
    def view(**changes: Any) -> AlertView:
        values: dict[str, Any] = {
            "rule_id": "oi_surge",
            "title": "OI surge",
            "symbol": "BTCUSDT",
            "venue": "binance",
            "base": "BTC",
            "severity": "warning",
            "short_id": "7q4mk2px",
            "kind": "fire",
            "at_ms": FIRED_MS,
            "fired_ms": FIRED_MS,
            "condition": "pct(oi, 15m) >= 5%",
            "value_text": "pct(oi, 15m)",
            "value": 0.0606,
            "value_is_ratio": True,
            "window_ms": 900_000,
            "oi": Move(900_000, 0.0606, 88_300.0, 93_600.0),
            "price": Move(900_000, 0.0089, 92_361.0, 93_183.0),
            "oi_usd": 8.72e9,
            "funding": 0.000081,
            "funding_interval_h": 8.0,
            "next_funding_ms": FIRED_MS + 89 * 60_000,
            "volume_24h": 21.3e9,
            "oi_age_ms": 12_000,
            "price_age_ms": 900,
        }
        return AlertView(**(values | changes))

    @classmethod
    def row(
        cls,
        kind: str = "fire",
        *,
        n: int = 0,
        destination: str = "main",
        symbol: str = "BTCUSDT",
        after_s: int = 0,
        view: AlertView | None = None,
        **changes: Any,
    ) -> OutboxRow:
        key = alert_key("oi_surge", f"binance:{symbol}", FIRED_MS)
        at_ms = FIRED_MS + after_s * 1000
        if view is None:
            view = cls.view(kind=kind, at_ms=at_ms, symbol=symbol, short_id=short_id(key), **changes)
        return OutboxRow(
            id=row_id(key, TellKind(kind), n, destination),
            key=key,
            kind=TellKind(kind),
            destination=destination,
            severity=view.severity,
            created_ms=at_ms,
            view=view,
        )


@pytest.fixture
def make() -> type[Make]:
    return Make


class Scripted:
    """A destination that keeps what it was asked to send and answers from a script, else that it was delivered."""

    def __init__(self, name: str = "main") -> None:
        self._name = name
        self.orders: list[Order] = []
        self.notes: list[str] = []
        """What the owner was told here."""
        self.script: list[Any] = []
        self.wait_s = 0.0
        self.held = 0.0
        self.hang = asyncio.Event()
        self.hang.set()

    @property
    def name(self) -> str:
        return self._name

    @property
    def fingerprint(self) -> str:
        return "here"

    @property
    def held_s(self) -> float:
        return self.held

    def hold(self, seconds: float) -> None:
        self.held = seconds

    def take_slot(self, *, urgent: bool) -> float:
        return self.wait_s

    def free_slot(self) -> None:
        pass

    async def send(self, order: Order) -> Any:
        if order.rows and order.rows[0].view.report:
            self.notes.append(f"{order.rows[0].view.title}: {order.rows[0].view.report}")
            return Delivered(None)
        self.orders.append(order)
        await self.hang.wait()
        answer = self.script.pop(0) if self.script else Delivered(str(100 + len(self.orders)))
        if isinstance(answer, BaseException):
            raise answer
        return answer

    @property
    def told(self) -> list[tuple[str, str, str | None]]:
        """Kind of the last row, form, target; one per attempt."""
        return [(str(o.rows[-1].kind), str(o.form), o.target) for o in self.orders]


@pytest.fixture
def scripted() -> type[Scripted]:
    return Scripted


class JumpingClock(ManualClock):
    """Its wall time can be set wrong."""

    jump_ms = 0

    def wall_ms(self):
        return super().wall_ms() + self.jump_ms


class Room:
    """Lanes over a memory outbox, and a clock that stands at the alert's firing."""

    def __init__(self, names=("main",), **how):
        self.clock = JumpingClock(wall_ms=FIRED_MS)
        self.outbox = MemoryOutbox()
        self.store = MemoryAlertStore(self.outbox)
        self.destinations = {name: Scripted(name) for name in names}
        self.how = how
        self.restart()

    def restart(self):
        """New lanes, as after a stop."""
        self.lanes = Lanes(
            outbox=self.outbox, destinations=list(self.destinations.values()), clock=self.clock, **self.how
        )

    @property
    def main(self):
        return self.destinations["main"]

    async def commit(self, *rows):
        await self.store.commit(Commit((), (), rows))
        self.lanes.notify()
        await self.clock.advance(0)

    @contextlib.asynccontextmanager
    async def running(self):
        task = asyncio.create_task(self.lanes.run())
        try:
            await self.clock.advance(0)
            yield self
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@pytest.fixture
def rooms() -> type[Room]:
    return Room


@pytest.fixture
async def room():
    async with Room().running() as found:
        yield found


@pytest.fixture
def keep() -> MemoryKeyValues:
    """What survives a restart."""
    return MemoryKeyValues()
