"""Ports of what people make in chat beside plain alerts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.model.chat_rule import ChatRule


class ChatRuleStore(Protocol):
    """The conditions that people made in chat. There are few: all are held in memory by whoever runs them."""

    async def add(self, rule: ChatRule) -> bool:
        """Store a new one; False, and nothing changed, where its id is taken."""
        ...

    async def delete(self, rule_id: str, *, at_ms: int) -> bool:
        """Forget one, but for a `restore`; `at_ms` is wall time."""
        ...

    async def restore(self, chat: str, rule_id: str, *, user: str | None = None) -> ChatRule | None:
        """Bring back one of that chat that was deleted; None where there is none (any more), or none that `user` made where
        one is named.
        """
        ...

    async def all(self) -> list[ChatRule]:
        """The oldest first."""
        ...

    async def prune(self, *, before_ms: int) -> int:
        """Forget for good what was deleted before that time; returns how many went."""
        ...


@dataclass(frozen=True, slots=True)
class RuleLife:
    """Where a chat rule stands as of the last tick."""

    firing: tuple[str, ...] = ()
    """Instrument keys."""
    n_pending: int = 0
    n_members: int | None = None
    """Whom it looks at; None while that is not decided."""


class ChatRuleDesk(Protocol):
    """What chat may ask about its rules. What is confirmed is stored."""

    def of_chat(self, chat: str) -> Sequence[ChatRule]:
        """The oldest first."""
        ...

    def count(self) -> int:
        """Of all chats."""
        ...

    async def add(self, rule: ChatRule) -> bool:
        """Store one and let it watch from the next tick on; False where its id is taken. Raises `ValueError` for one that
        cannot be run.
        """
        ...

    async def remove(self, rule_id: str) -> None:
        """Forget one; what fires is closed and told."""
        ...

    async def restore(self, chat: str, rule_id: str, *, user: str | None = None) -> ChatRule | None:
        """Bring back one of that chat that was removed within a day; only one that `user` made where one is named."""
        ...

    def life(self, rule_id: str) -> RuleLife: ...
