"""What a lane may send next: rows for one message, and how they relate to an earlier one. Values; who decides is
`bot.delivery.planning`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.delivery.destination import Form
from bot.model.outbox import Layout, Message, OutboxRow

Alert = list[OutboxRow]
"""The open rows of one alert, in order."""


def message_id(rows: Sequence[OutboxRow], layout: Layout = Layout.ALERT) -> str:
    """Derived from the rows, so that the same rows are the same message after a restart."""
    text = "\n".join([*(row.id for row in rows), *([layout.value] if layout else [])])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Told:
    """Where the firing of an alert was told."""

    message_id: str
    provider_id: str | None
    layout: Layout


@dataclass(frozen=True, slots=True)
class Plan:
    """Rows for one message, and how it relates to the message of the firing."""

    rows: tuple[OutboxRow, ...]
    form: Form
    layout: Layout = Layout.ALERT
    told: Told | None = None
    """Set for what follows a firing that was told among others."""
    reason: str = ""
    """Why rows are dropped."""

    @property
    def is_urgent(self) -> bool:
        return is_urgent(self.rows)

    def message(self) -> Message:
        return Message(
            id=message_id(self.rows, self.layout),
            destination=self.rows[0].destination,
            row_ids=tuple(row.id for row in self.rows),
            attempts=0,
            text_version=1 if self.form is Form.EDIT else 0,
            layout=self.layout,
        )


def by_alert(rows: Sequence[OutboxRow]) -> list[Alert]:
    """Groups in the order of their first rows."""
    groups: dict[str, Alert] = {}
    for row in rows:
        groups.setdefault(row.key, []).append(row)
    return list(groups.values())


def is_urgent(rows: Sequence[OutboxRow]) -> bool:
    return any(row.severity == "critical" for row in rows)


def halves(plan: Plan) -> tuple[Plan, ...]:
    """A message about many in two that are told in the same way; none where it is about one, or an edit."""
    alerts = by_alert(plan.rows)
    if plan.form is not Form.NEW or len(alerts) < 2:
        return ()
    middle = len(alerts) // 2
    parts = ([row for alert in part for row in alert] for part in (alerts[:middle], alerts[middle:]))
    return tuple(replace(plan, rows=tuple(part)) for part in parts)


def ids_of(rows: Sequence[OutboxRow]) -> tuple[str, ...]:
    """The short ids of the first alerts of a message, for people."""
    return tuple(dict.fromkeys(row.view.short_id for row in rows))[:5]
