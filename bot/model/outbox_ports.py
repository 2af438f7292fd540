"""Ports: alert state and the durable queue of what is told."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.model.alert import AlertRecord, Transition
from bot.model.outbox import Backlog, Entry, Fold, Kept, Message, OutboxRow, Outcome
from bot.model.silence import Fired


@dataclass(frozen=True, slots=True)
class Commit:
    """What one tick changes, stored in one transaction."""

    records: tuple[AlertRecord, ...]
    transitions: tuple[Transition, ...]
    rows: tuple[OutboxRow, ...]
    kept: tuple[Kept, ...] = ()
    """Muted rows; released or folded by a later commit."""
    released: tuple[OutboxRow, ...] = ()
    """Kept rows that are told now; they take their new `created_ms`."""
    folded: tuple[Fold, ...] = ()
    """After all else: what is still kept of these is told otherwise."""


class AlertStore(Protocol):
    """Alert state, transitions and outbox rows, written together."""

    async def commit(self, change: Commit) -> None:
        """Store all of it or nothing. A row or transition that exists already is left as it is."""
        ...

    async def load(self) -> list[AlertRecord]:
        """Of all but the alerts that people made in chat, see `ChatAlertStore.stored`."""
        ...

    async def followed(self) -> Mapping[str, tuple[str, ...]]:
        """Of each alert that fires, those of chats too, by the key of its firing: the destinations that have its firing or an
        escalation of it to tell, whatever became of that; none where it was told nobody.
        """
        ...

    async def fired(self, since_ms: int) -> Mapping[str, int]:
        """How many firings began since that venue time, by rule; those without any are left out."""
        ...

    async def transitions(
        self, *, rule_id: str | None = None, instrument: str | None = None, since_ms: int = 0, limit: int = 100
    ) -> list[Transition]:
        """Newest first. `instrument` is an instrument key, or `*`."""
        ...

    async def by_id(self, prefix: str, *, limit: int = 100) -> list[Transition]:
        """Transitions of the firings whose short id begins so, newest first; none for what is no id."""
        ...


class Outbox(Protocol):
    """The durable queue between what happened and who is told."""

    async def waiting(self, destination: str, *, now_ms: int, limit: int) -> list[OutboxRow]:
        """Rows not in a message yet, and rows of messages that are due again: critical alerts first, then the oldest.

        The rows of one alert stand together and in order; none comes while an earlier one is under way or not due.
        """
        ...

    async def begin(self, message: Message) -> None:
        """Note that an attempt starts, before the first byte leaves."""
        ...

    async def settle(self, message: Message, outcome: Outcome, *, now_ms: int) -> None:
        """Note what came of it: delivered, due again at `now_ms + after_s`, or buried with its reason."""
        ...

    async def message_of(self, key: str, kind: str, destination: str) -> Message | None:
        """The delivered message that carries the row of that alert and kind; None while there is none."""
        ...

    async def row_of(self, key: str, kind: str, destination: str) -> OutboxRow | None:
        """The row of that alert and kind, whatever became of it; an end shows again what its fire told."""
        ...

    async def rows_of(self, message_id: str) -> list[OutboxRow]:
        """The rows that a message carries, in the order in which they were committed."""
        ...

    async def later_of(self, message_id: str) -> list[OutboxRow]:
        """What came after a message of the alerts that it carries, for its destination and in order: ends, whatever became
        of them, and what else was delivered.
        """
        ...

    async def recover(self, *, now_ms: int) -> int:
        """At start: attempts that never settled become due again, and nothing waits longer than an hour from now (the
        clock that set its time may have been wrong). Returns how many attempts.
        """
        ...

    async def counts(self) -> dict[str, int]:
        """Rows by state: `waiting`, `sending`, `delivered`, `buried`; where there are any, also `muted` (kept) and `folded`
        (told by another).
        """
        ...

    async def backlog(self) -> list[Backlog]:
        """What waits, in order of destinations; those for which nothing does are left out."""
        ...

    def kept(self, *, batch: int = 1_000) -> AsyncIterator[list[Kept]]:
        """Muted rows in the order in which they came, in batches."""
        ...

    async def fired(self, prefix: str, *, destination: str = "", limit: int) -> list[Fired]:
        """Firings whose short id begins like that, the latest first; with `destination`, those told (or kept) there."""
        ...

    async def next_due_ms(self, destination: str, *, after_ms: int = -1) -> int | None:
        """When the next row of a destination is due, of those due later than `after_ms`; None when nothing waits."""
        ...


class OutboxCare(Protocol):
    """What people may do to the outbox by hand, beside a running bot too."""

    async def entries(self, states: Sequence[str], *, destination: str | None = None, limit: int) -> list[Entry]:
        """Rows in these states, the newest first; without updates that were dropped."""
        ...

    async def retry(self, row_ids: Sequence[str]) -> int:
        """Tell buried rows after all, however old they are, and waiting ones now. Rows of an alert of which something
        later was told already stay. Returns how many will be told.
        """
        ...

    async def bury(self, row_ids: Sequence[str], reason: str, *, now_ms: int) -> int:
        """Tell waiting rows never. Returns how many."""
        ...
