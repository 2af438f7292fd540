"""Rows that a lane may tell now: from the outbox, and from memory where the database did not take them."""

from collections.abc import Container, Sequence
from dataclasses import replace
from typing import Final

from bot.delivery.items import ENDINGS
from bot.delivery.notebook import Notebook
from bot.delivery.plans import by_alert
from bot.delivery.unstored import Unstored
from bot.model.alert import TellKind
from bot.model.outbox import Message, OutboxRow
from bot.model.outbox_ports import Outbox

BATCH: Final = 200
MAX_BATCH: Final = 10_000
"""Read at once when more than a batch waits: it will be told in digests."""


class Intake:
    """Of one lane. What waits for the database raises `StorageError`."""

    def __init__(self, destination: str, outbox: Outbox, unstored: Unstored, notebook: Notebook) -> None:
        self._destination = destination
        self._outbox = outbox
        self._unstored = unstored
        self._notebook = notebook

    async def waiting(self, now_ms: int) -> list[OutboxRow]:
        """What the outbox hands out, less what was sent already but could not be noted."""
        sent = self._notebook.sent(now_ms)
        rows = await self._outbox.waiting(self._destination, now_ms=now_ms, limit=BATCH + len(sent))
        if len(rows) == BATCH + len(sent):
            rows = await self._outbox.waiting(self._destination, now_ms=now_ms, limit=MAX_BATCH + len(sent))
        told = self._unstored.stored(rows)
        if told:
            for message, outcome in told.values():
                self._notebook.put(_with_what_it_tells(message, rows), outcome, now_ms)
            sent = self._notebook.sent(now_ms)
        postponed = self._notebook.postponed(now_ms)
        if told:
            await self._notebook.write()
        held = {row.key for row in rows if row.id in postponed}
        self._unstored.noted(but=self._notebook.row_ids)
        over = {row.key for row in self._unstored.ends(dict.fromkeys(row.key for row in rows))}
        left = [row for row in rows if row.id not in sent and row.key not in held and not _is_before_end(row, over)]
        return self._notebook.as_tried(left)

    async def from_memory(self, told: Container[str]) -> list[OutboxRow]:
        """Rows that the database did not take; none of an alert whose firing still waits in it.

        `told`: keys of alerts whose firing was told, as far as memory knows: the database may have no note of it.
        """
        found: list[OutboxRow] = []
        for alert in by_alert(self._unstored.pending()):
            key = alert[0].key
            if alert[0].kind is not TellKind.FIRE and key not in told:
                fire = await self._outbox.row_of(key, TellKind.FIRE, self._destination)
                if fire is not None and await self._outbox.message_of(key, TellKind.FIRE, self._destination) is None:
                    continue
            found += alert
        return found

    def unread(self, told: Container[str]) -> list[OutboxRow]:
        """The same, while the database cannot be read; no end of an alert of which it is not known that it was told."""
        found: list[OutboxRow] = []
        for alert in by_alert(self._unstored.pending()):
            is_begun = alert[0].kind is TellKind.FIRE or alert[0].key in told
            if is_begun or not any(row.kind in ENDINGS for row in alert):
                found += alert
        return found


def _is_before_end(row: OutboxRow, over: Container[str]) -> bool:
    """Whether it is no news any more: the end of its alert was told. `over`: keys of such alerts."""
    return row.key in over and row.kind is not TellKind.FIRE and row.kind not in ENDINGS


def _with_what_it_tells(message: Message, rows: Sequence[OutboxRow]) -> Message:
    """A message told from memory, with what the database had of its alerts: their ends tell that too."""
    over = {row.key for row in rows if row.id in message.row_ids and row.kind in ENDINGS}
    before = tuple(row.id for row in rows if _is_before_end(row, over) and row.id not in message.row_ids)
    return replace(message, row_ids=(*before, *message.row_ids)) if before else message
