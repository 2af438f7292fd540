"""Alerts: the living state of a rule on an instrument, and what changes in it."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bot.model.view import AlertView

CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
"""Digits of base 32 for people: no letter looks like another."""
_ALIKE = str.maketrans("oil", "011")

FOREVER_MS: Final = 1 << 60
"""The end of a pause that has none: of an alert told once."""


class State(StrEnum):
    """Where an alert stands. `resolved` and `closed` are inactive with a time and a reason."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"
    CLOSED = "closed"


class TellKind(StrEnum):
    """What is told of an alert."""

    FIRE = "fire"
    ESCALATE = "escalate"
    REPEAT = "repeat"
    END = "end"
    CLOSE = "close"
    ACK = "ack"
    """Somebody has seen it."""
    SUMMARY = "summary"
    """What fired and ended while it was muted; of no single alert."""
    UPDATE = "update"
    """The figures moved; the message of the firing is to say the new ones."""
    LOST = "lost"
    """The data of alerts that fire is missing; of no single alert."""
    BACK = "back"
    """It comes again."""
    SCORE = "score"
    """How it fared, under the message that told it; of all alerts of that message."""


def alert_key(rule_id: str, instrument: str, fired_ms: int) -> str:
    """Full key of one firing: hex SHA-256 over rule id, instrument key (`*` per market) and firing time."""
    return hashlib.sha256(f"{rule_id}\n{instrument}\n{fired_ms}".encode()).hexdigest()


def short_id(key: str) -> str:
    """Eight characters of Crockford base32 for people: `#7q4mk2px` without the mark."""
    number = int(key[:10], 16)  # 40 bits = 8 characters of 5
    return "".join(CROCKFORD[(number >> shift) & 31] for shift in range(35, -1, -5))


def key_range(prefix: str) -> tuple[str, str] | None:
    """Keys whose short id begins so: from the first (included) to the second (not included), as texts.

    Letters of either case; `o` is read as 0, `i` and `l` as 1. None for what is no beginning of an id.
    """
    digits = [CROCKFORD.find(c) for c in prefix.lower().translate(_ALIKE)]
    if not 0 < len(digits) <= 8 or -1 in digits:
        return None
    number = 0
    for digit in digits:
        number = number << 5 | digit
    shift = 5 * (8 - len(digits))
    low, high = number << shift, number + 1 << shift
    # Above the last one nothing sorts but letters past `f`.
    return f"{low:010x}", f"{high:010x}" if high < 1 << 40 else "g"


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """The stored state of one rule on one instrument. Times are venue epoch ms; 0 or None where nothing happened."""

    rule_id: str
    instrument: str
    """`Instrument.key`, or `*` for `per: market`."""
    condition: str
    """Hash of what defines the alert's life (`when`, `clear`); another hash means the state starts afresh."""
    state: State
    """`INACTIVE`, `PENDING` or `FIRING`."""
    held_ms: int = 0
    pending_since_ms: int = 0
    fired_ms: int = 0
    cooldown_until_ms: int = 0
    key: str = ""
    """Of the current or last firing."""
    value: float | None = None
    """When it fired."""
    peak: float | None = None
    """Farthest from the threshold while firing."""
    told_value: float | None = None
    told_ms: int = 0
    n_told: int = 0
    """How many times this firing was told; numbers escalations and repeats."""
    option: int | None = None
    """Which of its rule's measures it follows, or followed last; None where that is not chosen yet, and of alerts of chats."""
    measure: str = ""
    """The text of that measure: a rule may have others by the time it is restored."""
    n_held: int = 0
    """Firings that another rule kept quiet and that are not accounted for yet; while it fires, the last of them is
    the one under way."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of state, as stored, replayed and explained."""

    rule_id: str
    venue: str
    symbol: str
    """`*` for `per: market`."""
    state: State
    at_ms: int
    value: float | None
    key: str
    """Of the firing; for `pending` the empty string."""
    reason: str = ""
    """Why a firing was closed without its condition ending."""

    @property
    def id(self) -> str:
        return short_id(self.key) if self.key else ""


@dataclass(frozen=True, slots=True)
class Notice:
    """One fact to tell, before it is routed to destinations."""

    key: str
    kind: TellKind
    n: int
    """Counts the escalations and repeats of one firing, and its updates by minutes; 0 for all else."""
    rule_id: str
    instrument: str
    severity: str
    notify: tuple[str, ...]
    at_ms: int
    view: AlertView
