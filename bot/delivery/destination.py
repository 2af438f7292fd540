"""What a lane needs of a destination: one call is one attempt is one answer.

A destination neither retries nor sleeps, and it raises nothing but `asyncio.CancelledError`: whatever the other side
did becomes an answer. Reasons are in our words and hold no token, no URL and no foreign exception text.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from bot.model.outbox import Delivered, OutboxRow, Rejected, RetryLater
from bot.model.view import AlertView


class Form(StrEnum):
    """How a message relates to an earlier one."""

    NEW = "new"
    REPLY = "reply"
    EDIT = "edit"


@dataclass(frozen=True, slots=True)
class Order:
    """One message to send."""

    rows: tuple[OutboxRow, ...]
    """Of one alert, in order; the last one says what is told, those before it are told by it."""
    form: Form = Form.NEW
    target: str | None = None
    """The provider's id of the message to answer or edit; None where it has none."""
    fire: AlertView | None = None
    """What the firing said, for its end; None when that is unknown."""
    plain: bool = False
    """Without markup, because the other side refused ours."""


@dataclass(frozen=True, slots=True)
class TargetGone:
    """The message to edit or answer is not there any more; a new one will do."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unlayable:
    """The other side refused our text or markup; it may take plain text."""

    reason: str


Answer = Delivered | RetryLater | Rejected | TargetGone | Unlayable


class Destination(Protocol):
    """Where messages go."""

    @property
    def name(self) -> str: ...

    def ready_in_s(self) -> float:
        """Clock seconds until our own limits allow the next attempt; 0 for now."""
        ...

    async def send(self, order: Order) -> Answer:
        """Make one attempt."""
        ...
