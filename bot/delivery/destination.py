"""What a lane needs of a destination: one call is one attempt is one answer.

A destination neither retries nor sleeps, and it raises nothing but `asyncio.CancelledError`: whatever the other side
did becomes an answer. Reasons are in our words and hold no token, no URL and no foreign exception text.
"""

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from bot.delivery import layout
from bot.delivery.text import Card, Span
from bot.model.outbox import Delivered, OutboxRow, Rejected, RetryLater
from bot.model.view import AlertView
from bot.texts import say


class Form(StrEnum):
    """How a message relates to an earlier one."""

    NEW = "new"
    REPLY = "reply"
    EDIT = "edit"
    DROP = "drop"
    """Nothing is sent: what it said is out of date."""


@dataclass(frozen=True, slots=True)
class Order:
    """One message to send."""

    rows: tuple[OutboxRow, ...]
    """Of one alert, in order; the last one says what is told, those before it are told by it. With a `card`, of as many
    alerts as it tells, or none.
    """
    form: Form = Form.NEW
    target: str | None = None
    """The provider's id of the message to answer or edit; None where it has none."""
    fire: AlertView | None = None
    """What the firing said, for its end; None when that is unknown."""
    plain: bool = False
    """Without markup, because the other side refused ours."""
    card: Card | None = None
    """What to say instead of the story of one alert."""
    repeated: bool = False
    """It may have arrived before."""
    urgent: bool = False

    @property
    def edits(self) -> bool:
        return self.form is Form.EDIT and self.target is not None

    def composed(self) -> Card:
        """What it says."""
        card = self.card
        if card is None:
            card = layout.compose(self.rows, fire=self.fire, edit=self.edits)
        return replace(card, footer=(*card.footer, Span(repeated_text(), "dim"))) if self.repeated else card

    @property
    def silent(self) -> bool:
        """It arrives without a sound: all that it tells wants that. An edit makes none anyway."""
        return not self.edits and bool(self.rows) and all(row.view.silent for row in self.rows)

    @property
    def severity(self) -> str:
        """Of its most severe row."""
        found = {row.severity for row in self.rows}
        return next((name for name in ("critical", "warning", "info") if name in found), "warning")


def repeated_text() -> str:
    """Behind what may be a repeat."""
    return say(" · perhaps told before")


@dataclass(frozen=True, slots=True)
class TargetGone:
    """The message to edit or answer is not there any more; a new one will do."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unlayable:
    """The other side refused our text or markup; it may take plain text."""

    reason: str


Answer = Delivered | RetryLater | Rejected | TargetGone | Unlayable


def fingerprint(*parts: str) -> str:
    """Tells one address from another without naming it."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


class Destination(Protocol):
    """Where messages go."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str:
        """Changes with the address or its secret: what was dead may live again. Empty where there is neither."""
        ...

    def take_slot(self, *, urgent: bool) -> float:
        """Take leave for one request: 0 when taken, else clock seconds until it makes sense to ask again.

        A slot that was taken is used by the next `send`, or given back by `free_slot`.
        """
        ...

    def free_slot(self) -> None:
        """The slot is not needed after all."""
        ...

    @property
    def held_s(self) -> float:
        """How long the other side wants all our destinations there to be quiet."""
        ...

    def hold(self, seconds: float) -> None:
        """The same, as known from before a restart."""
        ...

    async def send(self, order: Order) -> Answer:
        """Make one attempt."""
        ...
