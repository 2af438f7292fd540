"""The `ChatAlertDesk` port: chat alerts go to the engine by the way of everything it consumes, the journal included."""

import math

from bot.app.live import Live
from bot.engine.engine import Engine
from bot.engine.subscriptions import expr_of
from bot.model.chat_alert import AlertAdded, AlertLife, AlertRemoved, ChatAlert
from bot.model.ports import ChatAlertStore


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
        value = float(self._engine.values(expr_of(measure))[row])
        return value if math.isfinite(value) else None


async def load_alerts(store: ChatAlertStore, engine: Engine) -> None:
    """Give the engine all that were ever made and not deleted."""
    async for batch in store.all():
        for alert in batch:
            engine.consume(AlertAdded(alert))
    engine.alerts_loaded()
