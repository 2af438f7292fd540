"""What ends with a chat: its alerts, its conditions, the stops that follow there, and what it has set."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from bot.clock import Clock
from bot.model.chat_alert_ports import ChatAlertDesk, ChatAlertStore
from bot.model.chat_rule_ports import ChatRuleDesk
from bot.model.risk_ports import RiskDesk

_BATCH: Final = 200


class Ending:
    """Ends things in the order in which a crash does no harm: what is stored first, then what lives."""

    def __init__(
        self,
        store: ChatAlertStore,
        desk: ChatAlertDesk,
        risk: RiskDesk,
        rules: ChatRuleDesk,
        clock: Clock,
        *also: Callable[[str], Awaitable[object]],
    ) -> None:
        """`also`: end what else there is of a chat, such as its silences and lists."""
        self._also = also
        self._store = store
        self._desk = desk
        self._risk = risk
        self._rules = rules
        self._clock = clock

    async def end(self, chat: str) -> int:
        """All of a chat; how many alerts, conditions and stops there were."""
        n = 0
        while alerts := await self._store.of_chat(chat, limit=_BATCH):
            for alert in alerts:
                await self._store.delete(alert.id, at_ms=self._clock.wall_ms())
                self._desk.remove(alert.id)
                n += 1
        for rule in tuple(self._rules.of_chat(chat)):
            await self._rules.remove(rule.id)
            n += 1
        for watch in tuple(self._risk.watches_of(chat)):
            await self._risk.unwatch(watch.id)
            n += 1
        for end in self._also:
            await end(chat)
        return n

    async def end_these(self, alert_ids: Iterable[str], rule_ids: Iterable[str], watch_ids: Iterable[str]) -> None:
        """Of any chat, by their ids; those that are gone already do no harm."""
        for alert_id in alert_ids:
            if await self._store.delete(alert_id, at_ms=self._clock.wall_ms()):
                self._desk.remove(alert_id)
        for rule_id in rule_ids:
            await self._rules.remove(rule_id)
        for watch_id in watch_ids:
            await self._risk.unwatch(watch_id)

    async def forget_risk(self, person: str) -> None:
        """What somebody may lose."""
        await self._risk.set(person, None)
