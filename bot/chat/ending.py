"""What ends with a chat: its alerts and the stops that follow there."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from bot.model.ports import ChatAlertDesk, ChatAlertStore
from bot.model.risk_ports import RiskDesk

_BATCH: Final = 200


async def _nothing(_chat: str) -> None: ...


class Ending:
    """Ends things in the order in which a crash does no harm: what is stored first, then what lives."""

    def __init__(
        self,
        store: ChatAlertStore,
        desk: ChatAlertDesk,
        risk: RiskDesk,
        unmute: Callable[[str], Awaitable[None]] = _nothing,
    ) -> None:
        """`unmute`: ends what keeps the destination of a chat quiet."""
        self._unmute = unmute
        self._store = store
        self._desk = desk
        self._risk = risk

    async def end(self, chat: str) -> int:
        """All of a chat; how many alerts and stops there were."""
        n = 0
        while alerts := await self._store.of_chat(chat, limit=_BATCH):
            for alert in alerts:
                await self._store.delete(alert.id)
                self._desk.remove(alert.id)
                n += 1
        for watch in tuple(self._risk.watches_of(chat)):
            await self._risk.unwatch(watch.id)
            n += 1
        await self._unmute(chat)
        return n

    async def end_these(self, alert_ids: Iterable[str], watch_ids: Iterable[str]) -> None:
        """Of any chat, by their ids; those that are gone already do no harm."""
        for alert_id in alert_ids:
            if await self._store.delete(alert_id):
                self._desk.remove(alert_id)
        for watch_id in watch_ids:
            await self._risk.unwatch(watch_id)

    async def forget_risk(self, person: str) -> None:
        """What somebody may lose."""
        await self._risk.set(person, None)
