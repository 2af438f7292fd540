"""The memory twin of what helps with risk."""

import dataclasses
from collections.abc import Sequence

from bot.model.outbox import OutboxRow
from bot.model.outbox_ports import Commit
from bot.model.risk import RiskSettings
from bot.model.stop_watch import StopWatch
from bot.storage.memory import MemoryAlertStore


class MemoryRiskStore:
    """The `RiskStore` port."""

    def __init__(self, alerts: MemoryAlertStore) -> None:
        self._alerts = alerts
        self._settings: dict[str, RiskSettings] = {}
        self._watches: dict[str, StopWatch] = {}

    async def put(self, person: str, settings: RiskSettings) -> None:
        self._settings[person] = settings

    async def drop(self, person: str) -> bool:
        return self._settings.pop(person, None) is not None

    async def all_settings(self) -> dict[str, RiskSettings]:
        return dict(sorted(self._settings.items()))

    async def add(self, watch: StopWatch) -> bool:
        if watch.id in self._watches:
            return False
        self._watches[watch.id] = watch
        return True

    async def move(self, watches: Sequence[StopWatch], rows: Sequence[OutboxRow]) -> None:
        self._watches |= {w.id: w for w in watches if w.id in self._watches}
        await self._alerts.commit(Commit((), (), tuple(rows)))

    async def delete(self, watch_id: str) -> bool:
        return self._watches.pop(watch_id, None) is not None

    async def watches(self) -> list[StopWatch]:
        return sorted(self._watches.values(), key=lambda w: (w.created_ms, w.id))

    def chat_moved(self, old: str, new: str) -> None:
        """For `MemoryChatMoves`."""
        self._watches |= {w.id: dataclasses.replace(w, chat=new) for w in self._watches.values() if w.chat == old}
