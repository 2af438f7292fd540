"""Ports: the alerts that people made in chat."""

from collections.abc import AsyncIterator
from typing import Protocol

from bot.model.alert import AlertRecord
from bot.model.chat_alert import AlertLife, ChatAlert, StoredAlerts


class ChatAlertStore(Protocol):
    """The alerts that people made in chat. Their lives are stored by the `AlertStore`, under their id."""

    async def add(self, alert: ChatAlert) -> bool:
        """Store a new one; False, and nothing changed, where its id is taken."""
        ...

    async def delete(self, alert_id: str, *, at_ms: int) -> bool:
        """Forget one (but for a `restore`), and its life unless it fires: its end is still to be told. False where there
        is none. `at_ms` is wall time.
        """
        ...

    async def restore(self, chat: str, alert_id: str, *, user: str | None = None) -> ChatAlert | None:
        """Bring back one of that chat that was deleted, without its life; None where there is none (any more), or none that
        `user` made where one is named.
        """
        ...

    async def in_place_of(self, chat: str, alert_id: str) -> ChatAlert | None:
        """What stands where a deleted one of that chat was, over any number of changes: one of the same instrument that was
        made at the very time at which the one before was deleted. None where nothing does.
        """
        ...

    async def of_chat(self, chat: str, *, limit: int, offset: int = 0) -> list[ChatAlert]:
        """One page, the oldest first."""
        ...

    async def count(self, chat: str) -> int: ...

    async def find(self, chat: str, prefix: str, *, limit: int) -> list[ChatAlert]:
        """Those of a chat whose id begins like that, in order of ids."""
        ...

    async def ended(self, now_ms: int, *, limit: int) -> list[ChatAlert]:
        """Those whose time was over at that wall time, the first to end first."""
        ...

    async def prune(self, *, before_ms: int) -> int:
        """Forget for good what was deleted before that time, and lives of alerts that are gone, unless they fire: a deleted
        one that fired leaves one behind. Returns how many went.
        """
        ...

    def stored(self, *, cool_ms: int, batch: int = 10_000) -> AsyncIterator[StoredAlerts]:
        """Of all chats, with their lives, in order of ids and in batches: there may be a million. Pauses that ended
        before `cool_ms`, in venue time, are forgotten.
        """
        ...

    async def orphans(self) -> list[AlertRecord]:
        """Lives under way of alerts that are gone: their ends are still to be told."""
        ...


class ChatAlertDesk(Protocol):
    """What chat may ask of the engine about its alerts. Nothing here is stored; `ChatAlertStore` comes first."""

    def add(self, alert: ChatAlert) -> None:
        """Let it live from the next tick on."""
        ...

    def remove(self, alert_id: str, reason: str = "it was deleted") -> None:
        """Let it end; one that fires is closed and told."""
        ...

    def life(self, alert_id: str) -> AlertLife | None:
        """Where it stands as of the last tick; None for one that does not live."""
        ...

    def value(self, instrument: str, measure: str) -> float | None:
        """What a measure (canonical text) is for an instrument (its key) as of the last tick; None where unknown."""
        ...

    def why_unknown(self, instrument: str, measure: str) -> str:
        """Why it is, in words for people; empty where nothing is to be said."""
