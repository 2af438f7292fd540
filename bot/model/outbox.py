"""The outbox: what is to be told to whom, and what came of telling it.

A row is one thing to tell (alert, kind, destination). A message is what a lane sends: one or more rows, the provider's
id once it is known, and the outcome. Rows point to their message, so that an end finds the message to edit.
"""

import hashlib
from dataclasses import dataclass

from bot.model.alert import TellKind
from bot.model.view import AlertView


def row_id(key: str, kind: TellKind, n: int, destination: str) -> str:
    """Derived, never counted: the same fact enqueued twice is one row."""
    return hashlib.sha256(f"{key}\n{kind}\n{n}\n{destination}".encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One thing to tell one destination."""

    id: str
    key: str
    kind: TellKind
    destination: str
    severity: str
    created_ms: int
    """Venue time of the fact."""
    view: AlertView


@dataclass(frozen=True, slots=True)
class Message:
    """One send: the rows it carries, and how far it got."""

    id: str
    """Derived from the ids of its rows."""
    destination: str
    row_ids: tuple[str, ...]
    attempts: int
    provider_id: str | None = None
    """The chat's own id of the message once delivered; lets a later row edit or answer it."""
    text_version: int = 0


@dataclass(frozen=True, slots=True)
class Delivered:
    """It arrived. `provider_id` is None where the destination has no ids (the console)."""

    provider_id: str | None


@dataclass(frozen=True, slots=True)
class RetryLater:
    """It did not arrive, or nobody knows (`ambiguous`); try again after at least `after_s`."""

    after_s: float
    reason: str
    ambiguous: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """It will never arrive as it is. `destination_dead` means nothing else will either."""

    reason: str
    destination_dead: bool = False


Outcome = Delivered | RetryLater | Rejected
