"""From notices to outbox rows: which destinations a rule's `notify` names mean.

Without a destinations file `main` means every destination in the settings, else the console. What was asked for in a chat
is told in that chat: its name, such as `telegram:-1001`, is the name of its destination, unless that chat is where all
alerts go anyway.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from bot.model.alert import Notice
from bot.model.outbox import OutboxRow, row_id

MAIN: Final = "main"


@dataclass(frozen=True, slots=True)
class Routes:
    """Names that rules may use, and the destinations behind each."""

    by_name: Mapping[str, tuple[str, ...]]

    by_chat: Mapping[str, str] = field(default_factory=dict)
    """The destination of each chat in which alerts can be made."""

    @classmethod
    def of(cls, destinations: Sequence[str], *, chats: Mapping[str, str] | None = None) -> "Routes":
        """Each destination under its own name, and all of them as `main`."""
        names = {name: (name,) for name in destinations}
        return cls({**names, MAIN: tuple(destinations)}, chats or {})

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.by_name)

    def rows(self, notices: Sequence[Notice]) -> tuple[OutboxRow, ...]:
        """One row per notice and destination, each destination once."""
        rows = []
        for notice in notices:
            destinations = dict.fromkeys(d for name in notice.notify for d in self._behind(name))
            rows += [
                OutboxRow(
                    id=row_id(notice.key, notice.kind, notice.n, destination),
                    key=notice.key,
                    kind=notice.kind,
                    destination=destination,
                    severity=notice.severity,
                    created_ms=notice.at_ms,
                    view=notice.view,
                )
                for destination in destinations
            ]
        return tuple(rows)

    def _behind(self, name: str) -> tuple[str, ...]:
        """A chat is told alone. A name that is gone means all: rather too many than nobody."""
        if name in self.by_chat:
            return (self.by_chat[name],)
        return self.by_name.get(name, self.by_name[MAIN])
