"""Conditions that people make in chat and that are more than one comparison of one figure: a rule of the language over
named instruments or over the largest ones, told in that chat alone.

Frozen, as chat alerts: made and deleted, never changed.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from bot.model.alert import short_id

PREFIX: Final = "c_"
"""Of every id. It is an id as rules in files have them; none of those may begin so."""


def chat_rule_id(chat: str, text: str, created_ms: int) -> str:
    """`c_` and eight characters, derived from where, what and when."""
    return PREFIX + short_id(hashlib.sha256(f"{chat}\n{text}\n{created_ms}".encode()).hexdigest())


def is_chat_rule_id(rule_id: str) -> bool:
    return rule_id.startswith(PREFIX)


@dataclass(frozen=True, slots=True)
class ChatRule:
    """One, as stored. Durations are ms; `created_ms` and `ends_ms` are wall time."""

    id: str
    chat: str
    """Where it was made and is told: `terminal`, or `telegram:` and the number of the chat."""
    user: str
    symbols: tuple[str, ...]
    """Venue symbols; none with `top`."""
    top: int | None
    """The largest so many by open interest."""
    when: str
    """Canonical text."""
    created_ms: int
    cooldown_ms: int = 900_000
    for_ms: int = 0
    repeat_ms: int | None = None
    once: bool = False
    silent: bool = False
    note: str = ""
    ends_ms: int | None = None

    def __post_init__(self) -> None:
        if not is_chat_rule_id(self.id) or bool(self.symbols) == (self.top is not None):
            raise ValueError(f"{self.id}: expected an id of chat and either symbols or top, found {self!r}")
