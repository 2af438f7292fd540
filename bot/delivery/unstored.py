"""Rows that the database has not taken yet: told from memory, so that a full disk silences nobody.

Should the process die meanwhile they are lost, which the bot says. When the database takes them at last they are
recognised by their ids and not told twice. Bounded: what does not fit is dropped, counted and left to the database.
"""

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from typing import Final

from bot.delivery.items import ENDINGS
from bot.model.alert import TellKind
from bot.model.outbox import Delivered, Message, OutboxRow, Outcome, Tried
from bot.model.view import AlertView

MAX_ROWS: Final = 10_000


class Unstored:
    """The memory of one lane."""

    def __init__(self) -> None:
        self._rows: dict[str, OutboxRow] = {}
        self._told: dict[str, tuple[Message, Outcome]] = {}
        self._fires: dict[str, tuple[Message, AlertView]] = {}
        self._ends: dict[str, OutboxRow] = {}
        """Ends that were told, by their alerts."""
        self._noting: dict[str, str] = {}
        """Rows of firings that `stored` returned -> their alert, until the database has noted where they were told."""
        self._news: set[str] = set()
        """Rows that the database will never have."""
        self.n_dropped = 0

    def offer(self, row: OutboxRow, *, is_news: bool = False) -> None:
        """`is_news`: the database will never have it, so it is forgotten once it is told."""
        if row.id in self._told:
            return
        if len(self._rows) >= MAX_ROWS:
            self.n_dropped += 1
            return
        self._rows[row.id] = row
        if is_news:
            self._news.add(row.id)

    def withdraw(self, row_id: str) -> None:
        """Tell it not, if it is not told yet."""
        self._rows.pop(row_id, None)
        self._news.discard(row_id)

    def let_go(self) -> bool:
        """Forget what was not told: the database has it, or will. Whether there is more that it does not know."""
        self._rows.clear()
        self._news.clear()
        return bool(self._told)

    def apart(self, message: Message) -> None:
        """These rows are tried in a message of their own next time."""
        for row_id in message.row_ids:
            if row_id in self._rows:
                tried = Tried(message.id, message.layout, ambiguous=False)
                self._rows[row_id] = replace(self._rows[row_id], tried=tried)

    def pending(self) -> list[OutboxRow]:
        """In the order of the outbox: critical alerts first, then the oldest, each alert's rows together."""
        groups: dict[str, list[OutboxRow]] = {}
        for row in self._rows.values():
            groups.setdefault(row.key, []).append(row)
        ordered = sorted(groups.values(), key=lambda rows: not any(row.severity == "critical" for row in rows))
        return [row for rows in ordered for row in rows]

    def holds(self, row_id: str) -> bool:
        return row_id in self._rows

    def stored(self, rows: Sequence[OutboxRow]) -> dict[str, tuple[Message, Outcome]]:
        """The database has these now: forget them, and return what became of those that were told already."""
        found: dict[str, tuple[Message, Outcome]] = {}
        for row in rows:
            self._rows.pop(row.id, None)
            told = self._told.pop(row.id, None)
            if row.kind in ENDINGS:
                self._ends.pop(row.key, None)
            if told is not None:
                found[told[0].id] = told
                if row.kind is TellKind.FIRE:
                    self._noting[row.id] = row.key
        return found

    def noted(self, *, but: Container[str]) -> None:
        """What became of the rows that `stored` returned is in the database, except of these."""
        for row_id in [row_id for row_id in self._noting if row_id not in but]:
            self._fires.pop(self._noting.pop(row_id), None)

    def settle(self, message: Message, outcome: Outcome) -> None:
        """Told, or refused for good."""
        for row_id in message.row_ids:
            row = self._rows.pop(row_id, None)
            if row_id in self._news:
                self._news.discard(row_id)
                continue
            self._told[row_id] = (message, outcome)
            if row is None or not isinstance(outcome, Delivered):
                continue
            if row.kind is TellKind.FIRE:
                self._fires[row.key] = (replace(message, provider_id=outcome.provider_id), row.view)
            elif row.kind in ENDINGS:
                self._ends[row.key] = row
        for memory in (self._told, self._fires, self._ends):
            while len(memory) > MAX_ROWS:
                memory.pop(next(iter(memory)))

    def fire(self, key: str) -> tuple[Message, AlertView] | None:
        """Message and content of a firing that was told from memory."""
        return self._fires.get(key)

    def ends(self, keys: Iterable[str]) -> list[OutboxRow]:
        """Those that were told from memory, of these alerts."""
        return [self._ends[key] for key in keys if key in self._ends]
