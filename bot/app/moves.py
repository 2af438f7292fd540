"""Telegram groups that became supergroups: the `ChatFollower` port.

Whoever hears of a move first (a service message, or the error of a message that was sent to the old number) tells it here;
alerts that were asked for there, what keeps quiet there, buttons and the right to command follow, now and over restarts,
whether the settings name the old number or the new one.
"""

import json
from collections.abc import Callable, Collection
from typing import Final

from bot import log
from bot.errors import StorageError
from bot.model.chat_ports import ChatMoves
from bot.model.news import ChatMoved, Report, unheard
from bot.model.ports import KeyValues

KEY: Final = "telegram.moved"
MAX_MOVES: Final = 1_000
_MAX_STEPS: Final = 10
"""A supergroup never moves again; this only bounds what a damaged memory may cost."""

_log = log.get("moves")


class Moves:
    """Of one bot. Made by `load`."""

    def __init__(self, values: KeyValues, stored: ChatMoves, known: dict[int, int]) -> None:
        self._values = values
        self._stored = stored
        self._known = known
        self.by_chat: dict[str, str] = {}
        """Of the routes: the destination of each chat. Set where it is made."""
        self.report: Report = unheard
        self.listeners: list[Callable[[int, int], None]] = []
        self.followers: list[Callable[[str, str], None]] = []
        """Told that all that is stored of one destination is another's."""

    @classmethod
    async def load(cls, values: KeyValues, stored: ChatMoves) -> "Moves":
        """With all moves of earlier lives; what could not be stored then is stored now."""
        known: dict[int, int] = {}
        try:
            found = json.loads(await values.get(KEY) or "{}")
            known = {int(old): int(new) for old, new in found.items()}
            for old, new in known.items():
                await stored.move(_chat(old), _chat(new))
        except (StorageError, ValueError, TypeError, AttributeError) as error:
            _log.warning("moves.unreadable", error=type(error).__name__)
        return cls(values, stored, known)

    def now(self, chat_id: int) -> int:
        for _ in range(_MAX_STEPS):
            if chat_id not in self._known:
                break
            chat_id = self._known[chat_id]
        return chat_id

    def before(self, chat_id: int) -> int:
        """The number by which the settings may still name a chat."""
        return next((old for old in self._known if self.now(old) == chat_id), chat_id)

    async def settle(self, by_chat: dict[str, str], names: Collection[str]) -> None:
        """Bring routes and stored names up to date with moves of before. `names`: of the destinations there are.

        A destination that the settings describe by a number alone is named after it: with the new number in the settings,
        what waits for the old name is to be told by the new one.
        """
        self.by_chat = by_chat
        for old, new in self._known.items():
            self._route(old, new)
            if _chat(old) in names or _chat(new) not in names:
                continue
            try:
                await self.rename(_chat(old), _chat(new))
            except StorageError as error:
                _log.warning("destination.unrenamed", reason=str(error))

    async def rename(self, old: str, new: str) -> None:
        """All that is stored and kept of one destination is another's; raises `StorageError`."""
        await self._stored.rename(old, new)
        for follow in self.followers:
            follow(old, new)

    def _route(self, old: int, new: int) -> None:
        if _chat(old) in self.by_chat:
            self.by_chat.setdefault(_chat(new), self.by_chat[_chat(old)])

    async def moved(self, old: int, new: int) -> None:
        if old == new or self.now(old) == new:
            return
        self._known[old] = new
        while len(self._known) > MAX_MOVES:
            self._known.pop(next(iter(self._known)))
        self._route(old, new)
        for listener in self.listeners:
            listener(old, new)
        self.report(ChatMoved(old, new))
        try:
            await self._values.put(KEY, json.dumps(self._known))
            await self._stored.move(_chat(old), _chat(new))
        except StorageError as error:
            # Telegram will name the new chat again after a restart.
            _log.warning("move.unstored", reason=str(error))


def _chat(chat_id: int) -> str:
    return f"telegram:{chat_id}"
