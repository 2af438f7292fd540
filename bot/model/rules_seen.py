"""The rules of the files as people see them in chat: what is on, what fires, what could not be read."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RuleSeen:
    """One rule now."""

    id: str
    title: str
    is_on: bool
    """False for one that its file switches off."""
    condition: str
    """Canonical."""
    for_ms: int
    severity: str
    per_market: bool
    n_today: int
    """Firings since midnight UTC."""
    firing: tuple[str, ...]
    """Instrument keys on which it fires, the latest first; `*` for one about the whole market."""
    n_pending: int


@dataclass(frozen=True, slots=True)
class RulesSeen:
    """All of them."""

    rules: tuple[RuleSeen, ...]
    """In the order of the files."""
    problems: tuple[str, ...]
    """What is wrong with the files as they lie on the disk, one sentence or place each; empty when nothing is."""


class RulesReader(Protocol):
    """What chat may ask about the rules of the files."""

    async def rules_seen(self) -> RulesSeen: ...
