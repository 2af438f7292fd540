"""The `WhyReader` port over a running bot: explanations are taken at a tick, their history comes from the store."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from bot.alerts.muting import Muting, Subject
from bot.app.live import Live
from bot.engine.engine import Engine
from bot.engine.explaining import explain, glances
from bot.model.alert import Transition
from bot.model.chat_alert import is_alert_id
from bot.model.explanation import Explanation, Glance, Hush, RuleName
from bot.model.instrument import MARKET
from bot.model.ports import AlertStore, ChatAlertStore
from bot.rules.schema import Rule

N_HISTORY: Final = 5


class Explainer:
    """Answers why and why not."""

    def __init__(
        self,
        *,
        engine: Engine,
        live: Live,
        alerts: AlertStore,
        chat_alerts: ChatAlertStore,
        loaded: Callable[[], Sequence[Rule]],
        muting: Muting,
    ) -> None:
        """`loaded`: all rules of the files, those that are switched off too; `muting`: who is not told."""
        self._engine = engine
        self._live = live
        self._alerts = alerts
        self._chat_alerts = chat_alerts
        self._loaded = loaded
        self._muting = muting

    def rules(self) -> Sequence[RuleName]:
        watching = {rule.id: RuleName(rule.id, rule.title) for rule in self._engine.rules if not rule.base}
        off = (RuleName(r.id, r.title, is_on=False) for r in self._loaded() if r.id not in watching)
        return (*watching.values(), *off)

    async def explain(self, rule_id: str, instrument: str) -> Explanation | None:
        found = await self._live.at_tick(lambda: explain(self._engine, rule_id, instrument))
        if found is None:
            return None
        key = MARKET if found.per_market else instrument
        history = await self._alerts.transitions(rule_id=rule_id, instrument=key, limit=N_HISTORY)
        return replace(found, history=tuple(history), hushed=(*found.hushed, *self._hushes(found)))

    def _hushes(self, found: Explanation) -> list[Hush]:
        """What people did to keep it quiet, wherever it is told."""
        rule = next((rule for rule in self._engine.rules if rule.id == found.rule_id), None)
        if rule is None:
            return []
        symbol = MARKET if found.per_market else found.symbol
        subjects = [
            Subject(rule.id, symbol, rule.tags, rule.severity, destination)
            for destination in self._live.routes.of_rule(rule.id, rule.notify, rule.severity, rule.tags)
        ]
        short = found.alert.short_id if found.alert.phase == "firing" else ""
        return self._muting.hushes(subjects, short, self._live.venue_now())

    async def glances(self, instrument: str) -> tuple[Sequence[Glance], int]:
        return await self._live.at_tick(lambda: glances(self._engine, instrument))

    async def firing(self, prefix: str, chat: str) -> Sequence[Transition]:
        found = await self._alerts.by_id(prefix)
        asked = {t.rule_id for t in found if is_alert_id(t.rule_id)}
        own = {rule_id for rule_id in asked if await self._chat_alerts.find(chat, rule_id, limit=1)}
        return [t for t in found if t.rule_id not in asked - own]
