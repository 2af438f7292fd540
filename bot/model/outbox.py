"""The outbox: what is to be told to whom, and what came of telling it.

A row is one thing to tell (alert, kind, destination). A message is what a lane sends: one or more rows, the provider's
id once it is known, and the outcome. Rows point to their message, so that an end finds the message to edit.
"""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum

from bot.model.alert import TellKind
from bot.model.view import AlertView


def row_id(key: str, kind: TellKind, n: int, destination: str) -> str:
    """Derived, never counted: the same fact enqueued twice is one row."""
    return hashlib.sha256(f"{key}\n{kind}\n{n}\n{destination}".encode()).hexdigest()[:32]


class Layout(StrEnum):
    """How a message tells what it carries."""

    ALERT = ""
    """The story of one alert."""
    DIGEST = "digest"
    """Several alerts, a line each."""
    MARKET = "market"
    """One card for a storm over the whole market."""
    MORE = "more"
    """What did not fit on that card."""
    ALREADY = "already"
    """What was true when the bot first looked, a line each."""
    LATE = "late"
    """Alerts that waited too long to be news."""
    HELD = "held"
    """What a cap held back."""


@dataclass(frozen=True, slots=True)
class Tried:
    """The message in which a row was tried before, without success so far."""

    message_id: str
    layout: Layout
    ambiguous: bool
    """It may have arrived."""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One thing to tell one destination."""

    id: str
    key: str
    kind: TellKind
    destination: str
    severity: str
    created_ms: int
    """Venue time of the fact; of a row that was kept, when it was released."""
    view: AlertView
    tried: Tried | None = field(default=None, compare=False)
    """Set by the outbox when it hands the row out again."""
    again: bool = field(default=False, compare=False)
    """Asked for by hand: told however old it is."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A row that is muted: stored, but not handed to a lane."""

    row: OutboxRow
    reason: str
    """For people, such as `silence s-7q4mk2px`."""
    until_ms: int
    """When what mutes it ends, as far as is known now. Venue time."""


@dataclass(frozen=True, slots=True)
class Fold:
    """What is still kept of an alert for a destination is told by another row, or by none (`told_by` empty) where the
    alert's own message tells it.
    """

    key: str
    destination: str
    told_by: str = ""


@dataclass(frozen=True, slots=True)
class Sorted:
    """Rows after muting. To be stored together."""

    now: tuple[OutboxRow, ...] = ()
    """New rows to tell, summaries among them."""
    kept: tuple[Kept, ...] = ()
    released: tuple[OutboxRow, ...] = ()
    """Rows kept before, to be told now."""
    folded: tuple[Fold, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.now or self.kept or self.released or self.folded)


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
    layout: Layout = Layout.ALERT


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for one destination, attempts under way included."""

    destination: str
    n_rows: int
    oldest_ms: int
    """Venue time of the oldest fact among it."""


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


@dataclass(frozen=True, slots=True)
class Entry:
    """A row as people look after it."""

    row: OutboxRow
    state: str
    """`waiting`, `sending`, `delivered` or `buried`."""
    attempts: int
    reason: str
    """Why it is buried, or why it waits; empty when it was not tried yet."""
    at_ms: int
    """When it was settled; for one that waits, when it is due."""
