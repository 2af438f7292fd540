"""Which message comes next for an alert, from its open rows. Pure.

Updates may be dropped, ends never: where an end already waits, everything before it is told by the end's message, and
of several waiting updates only the newest is sent. An acknowledgement edits the message of its firing, by itself. A
message carries all rows that it tells.
"""

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from bot.delivery.destination import Form
from bot.model.alert import TellKind
from bot.model.outbox import Message, OutboxRow

_ENDINGS = frozenset({TellKind.END, TellKind.CLOSE})


def message_id(rows: Sequence[OutboxRow]) -> str:
    """Derived from the rows, so that the same rows are the same message after a restart."""
    return hashlib.sha256("\n".join(row.id for row in rows).encode()).hexdigest()[:32]


def message_of(rows: Sequence[OutboxRow], *, form: Form) -> Message:
    return Message(
        id=message_id(rows),
        destination=rows[0].destination,
        row_ids=tuple(row.id for row in rows),
        attempts=0,
        text_version=1 if form is Form.EDIT else 0,
    )


def first_alert(rows: Sequence[OutboxRow]) -> list[OutboxRow]:
    """The rows of the alert that comes first; they stand together and in order."""
    return [row for row in rows if row.key == rows[0].key]


@dataclass(frozen=True, slots=True)
class Plan:
    """Rows for one message, and how it relates to the message of the firing."""

    rows: tuple[OutboxRow, ...]
    form: Form


def next_message(rows: Sequence[OutboxRow]) -> Plan:
    """The next message of one alert from its open rows, in order; there is at least one."""
    first = rows[0].kind
    for n, row in enumerate(rows):
        if row.kind in _ENDINGS:
            return Plan(tuple(rows[: n + 1]), Form.NEW if first is TellKind.FIRE else Form.EDIT)
    if first in {TellKind.FIRE, TellKind.SUMMARY}:
        return Plan((rows[0],), Form.NEW)
    is_ack = first is TellKind.ACK
    alike = tuple(itertools.takewhile(lambda row: (row.kind is TellKind.ACK) is is_ack, rows))
    return Plan(alike, Form.EDIT if is_ack else Form.REPLY)
