"""Instruments that a chat has put aside: pins, named lists, and what it looked at last."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

ListKind = Literal["pins", "recent", "named"]

MAX_PINS: Final = 20
MAX_RECENT: Final = 8
MAX_LISTS: Final = 20
"""Named ones of a chat."""
MAX_IN_LIST: Final = 20
MAX_WATCHED: Final = 200
"""Instruments over all chats that count as watched because somebody pinned them; the poller bounds what they may cost."""


@dataclass(frozen=True, slots=True)
class SymbolList:
    """One list of one chat."""

    chat: str
    kind: ListKind
    name: str
    """Without `@`, in lower case; empty for pins and for what was looked at."""
    instruments: tuple[str, ...]
    """Keys, in the order in which people gave them; of what was looked at the latest first."""
    changed_ms: int
    """Wall ms."""


class WatchlistStore(Protocol):
    """Lists over restarts."""

    async def put(self, one: SymbolList) -> None:
        """Store a list in the place of the one of its chat, kind and name. An empty one is forgotten."""
        ...

    async def all(self) -> Sequence[SymbolList]:
        """By chat, kind and name."""
        ...
