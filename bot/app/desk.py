"""The `ChatAlertDesk` port: chat alerts go to the engine by the way of everything it consumes, the journal included."""

import asyncio
import math
from typing import Final

from bot import log
from bot.app.live import Live
from bot.app.memory import give_back
from bot.clock import Clock, machine_s
from bot.engine.engine import Engine
from bot.engine.reading import why_unknown
from bot.engine.subscriptions import expr_of
from bot.model.chat_alert import AlertAdded, AlertLife, AlertRemoved, ChatAlert
from bot.model.chat_alert_ports import ChatAlertStore

DAY_MS: Final = 86_400_000
"""So far the clock of the machine may be ahead of the venue's without a pause being forgotten."""

_log = log.get("chat_alerts")


class Desk:
    """Between chat and engine."""

    def __init__(self, engine: Engine, live: Live) -> None:
        self._engine = engine
        self._live = live

    def add(self, alert: ChatAlert) -> None:
        self._live.consume(AlertAdded(alert))

    def remove(self, alert_id: str, reason: str = "it was deleted") -> None:
        self._live.consume(AlertRemoved(alert_id, self._live.venue_now(), reason))

    def life(self, alert_id: str) -> AlertLife | None:
        return self._engine.subscriptions.life(alert_id, self._engine.now_ms)

    def value(self, instrument: str, measure: str) -> float | None:
        row = self._engine.market.universe.row(instrument)
        if row is None:
            return None
        value = float(self._engine.values(expr_of(measure), at_hand=True)[row])
        return value if math.isfinite(value) else None

    def why_unknown(self, instrument: str, measure: str) -> str:
        row = self._engine.market.universe.row(instrument)
        if row is None:
            return ""
        return why_unknown(expr_of(measure), self._engine.market, self._engine.now_ms, row)


async def load_alerts(store: ChatAlertStore, engine: Engine, clock: Clock) -> None:
    """Give the engine all that were ever made and not deleted, in parts, so that signals and sockets are served between."""
    begun_s = machine_s()
    book = engine.subscriptions.book
    async for many in store.stored(cool_ms=clock.wall_ms() - DAY_MS):
        engine.subscriptions.load(many)
    engine.alerts_loaded(await store.orphans())
    if len(book):
        await asyncio.to_thread(give_back)
        _log.info("chat_alerts.loaded", n=len(book), ms=round((machine_s() - begun_s) * 1_000))
