"""From notices to outbox rows: which destinations a rule's `notify` names mean.

Without a destinations file `main` means every destination in the settings, else the console.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bot.model.alert import Notice
from bot.model.outbox import OutboxRow, row_id

MAIN: Final = "main"


@dataclass(frozen=True, slots=True)
class Routes:
    """Names that rules may use, and the destinations behind each."""

    by_name: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, destinations: Sequence[str]) -> "Routes":
        """Each destination under its own name, and all of them as `main`."""
        names = {name: (name,) for name in destinations}
        return cls({**names, MAIN: tuple(destinations)})

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.by_name)

    def rows(self, notices: Sequence[Notice]) -> tuple[OutboxRow, ...]:
        """One row per notice and destination, each destination once."""
        rows = []
        for notice in notices:
            destinations = dict.fromkeys(
                d for name in notice.notify for d in self.by_name.get(name, self.by_name[MAIN])
            )
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
