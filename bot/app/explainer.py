"""The `WhyReader` port over a running bot: explanations are taken at a tick, their history comes from the store."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Final

from bot.alerts.muting import Muting, Subject
from bot.app.live import Live
from bot.engine.engine import Engine
from bot.engine.explaining import N_GLANCES, explain, glances, in_order
from bot.engine.explaining_alerts import alert_glance, explain_alert
from bot.engine.subscriptions import rule_of
from bot.model.alert import Transition
from bot.model.chat_alert import is_alert_id
from bot.model.chat_alert_ports import ChatAlertStore
from bot.model.chat_rule import PREFIX as CHAT_RULE
from bot.model.explanation import Explanation, Glance, Hush, RuleName
from bot.model.instrument import MARKET
from bot.model.outbox_ports import AlertStore
from bot.rules.schema import Rule

N_HISTORY: Final = 5
MAX_OWN: Final = 1_000
"""More alerts of a chat are not looked at."""


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
        made_in: Callable[[str], Collection[str]] = lambda _chat: (),
        form_of: Callable[[str, str], str] = lambda _chat, rule: rule,
    ) -> None:
        """`loaded`: all rules of the files, those that are switched off too; `muting`: who is not told.

        `made_in`: ids of the conditions that a chat made; `form_of`: from a chat and a rule to the form it is told.
        """
        self._engine = engine
        self._live = live
        self._alerts = alerts
        self._chat_alerts = chat_alerts
        self._loaded = loaded
        self._muting = muting
        self._made_in = made_in
        self._form_of = form_of

    def rules(self, chat: str | None = None) -> Sequence[RuleName]:
        may = self._visible(chat)
        watching = {r.id: RuleName(r.id, r.title) for r in self._engine.rules if not r.base and may(r.id)}
        off = (RuleName(r.id, r.title, is_on=False) for r in self._loaded() if r.id not in watching and may(r.id))
        return (*watching.values(), *off)

    def _visible(self, chat: str | None) -> Callable[[str], bool]:
        """Whether a chat may know of a rule."""
        if chat is None:
            return lambda _rule_id: True
        own = frozenset(self._made_in(chat))
        return lambda rule_id: not rule_id.startswith(CHAT_RULE) or rule_id in own

    async def explain(self, rule_id: str, instrument: str, *, chat: str | None = None) -> Explanation | None:
        base = next((rule.base for rule in self._engine.rules if rule.id == rule_id), "")
        if not self._visible(chat)(base or rule_id):
            return None
        found = await self._live.at_tick(lambda: explain(self._engine, rule_id, instrument))
        return None if found is None else await self._with_past(found, instrument)

    async def explain_alert(self, prefix: str, chat: str) -> Explanation | None:
        alerts = await self._chat_alerts.find(chat, prefix, limit=2)
        if len(alerts) != 1:
            return None
        found = await self._live.at_tick(lambda: explain_alert(self._engine, alerts[0]))
        return None if found is None else await self._with_past(found, alerts[0].instrument)

    async def _with_past(self, found: Explanation, instrument: str) -> Explanation:
        key = MARKET if found.per_market else instrument
        history = await self._alerts.transitions(rule_id=found.rule_id, instrument=key, limit=N_HISTORY)
        return replace(found, history=tuple(history), hushed=(*found.hushed, *self._hushes(found)))

    def _hushes(self, found: Explanation) -> list[Hush]:
        """What people did to keep it quiet, wherever it is told."""
        facts = self._engine.subscriptions.facts(found.rule_id)
        own = None if facts is None else rule_of(found.rule_id, facts)
        rule = own or next((rule for rule in self._engine.rules if rule.id == found.rule_id), None)
        if rule is None:
            return []
        symbol = MARKET if found.per_market else found.symbol
        subjects = [
            Subject(rule.id, symbol, rule.tags, rule.severity, destination)
            for destination in self._live.routes.of_rule(rule.id, rule.notify, rule.severity, rule.tags)
        ]
        short = found.alert.short_id if found.alert.phase == "firing" else ""
        return self._muting.hushes(subjects, short, self._live.venue_now())

    async def glances(self, instrument: str, *, chat: str | None = None) -> tuple[Sequence[Glance], int]:
        if chat is None:
            return await self._live.at_tick(lambda: glances(self._engine, instrument))
        may = self._visible(chat)
        alerts = [one for one in await self._chat_alerts.of_chat(chat, limit=MAX_OWN) if one.instrument == instrument]

        def look() -> tuple[Sequence[Glance], int]:
            found, n_more = glances(
                self._engine, instrument, form_of=lambda rule: self._form_of(chat, rule.id) if may(rule.id) else None
            )
            own = [one for alert in alerts if (one := alert_glance(self._engine, alert)) is not None]
            ordered = in_order([*found, *own])
            return ordered[:N_GLANCES], n_more + max(0, len(ordered) - N_GLANCES)

        return await self._live.at_tick(look)

    async def firing(self, prefix: str, chat: str) -> Sequence[Transition]:
        found = await self._alerts.by_id(prefix)
        asked = {t.rule_id for t in found if is_alert_id(t.rule_id)}
        own = {rule_id for rule_id in asked if await self._chat_alerts.find(chat, rule_id, limit=1)}
        return [t for t in found if t.rule_id not in asked - own]
