"""Alerts that people make in chat: one comparison of one figure of one instrument with a number.

Frozen: an alert is made and deleted, never changed, so its id says all that its stored life depends on.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final, Literal

from bot.model.alert import FOREVER_MS, AlertRecord, State, short_id

ThresholdOp = Literal["<", "<=", ">", ">="]

PREFIX: Final = "a-"
"""Of every id. Ids of rules in files have no hyphen, so the two never meet."""
DIRECTIONS: Final[Mapping[ThresholdOp, int]] = {">": 1, ">=": 1, "<": -1, "<=": -1}
"""+1 where an alert fires above its level, -1 where it fires below."""


def alert_id(chat: str, text: str, created_ms: int) -> str:
    """`a-` and eight characters, derived from where, what and when."""
    return PREFIX + short_id(hashlib.sha256(f"{chat}\n{text}\n{created_ms}".encode()).hexdigest())


def is_alert_id(rule_id: str) -> bool:
    """Whether a stored life belongs to a chat alert and not to a rule of a file."""
    return rule_id.startswith(PREFIX)


@dataclass(frozen=True, slots=True)
class ChatAlert:
    """One alert, as stored. Durations and times are ms; `created_ms` is wall time."""

    id: str
    chat: str
    """Where it was made and is told: `terminal`, or `telegram:` and the number of the chat."""
    user: str
    """Who made it: `terminal`, or `telegram:` and the number of the user."""
    instrument: str
    """`Instrument.key`."""
    measure: str
    """Canonical text of what is measured, such as `pct(oi, 15m)`."""
    op: ThresholdOp
    level: float
    """In our units: 5 % is 0.05."""
    is_ratio: bool
    """Whether the level was written as a percentage."""
    created_ms: int
    clear_op: ThresholdOp | None = None
    """With `clear_level`: the comparison that ends it, in the other direction; None: as soon as it holds no more."""
    clear_level: float | None = None
    cooldown_ms: int = 900_000
    for_ms: int = 0
    repeat_ms: int | None = None
    escalate: float | None = None
    once: bool = False
    severity: str = "warning"
    silent: bool = False
    """It arrives without a sound."""
    note: str = ""
    """What its maker wrote beside it; never trusted."""
    ends_ms: int | None = None
    """Wall time at which it ends by itself."""

    def __post_init__(self) -> None:
        if (self.clear_op is None) != (self.clear_level is None):
            raise ValueError(f"{self.id}: expected both clear_op and clear_level, or neither")
        if self.clear_op is not None and DIRECTIONS[self.clear_op] == DIRECTIONS[self.op]:
            raise ValueError(f"{self.id}: expected clear in the other direction than {self.op}, found {self.clear_op}")


@dataclass(frozen=True, slots=True)
class StoredAlerts:
    """Many alerts as they are stored, by columns of one length in order of ids, and what is stored of their lives.

    Of each field of `ChatAlert` that its life depends on there is a column of the same name. Truths may be 0 and 1.
    """

    id: Sequence[str]
    chat: Sequence[str]
    instrument: Sequence[str]
    measure: Sequence[str]
    op: Sequence[ThresholdOp]
    level: Sequence[float]
    is_ratio: Sequence[bool]
    clear_op: Sequence[ThresholdOp | None]
    clear_level: Sequence[float | None]
    cooldown_ms: Sequence[int]
    for_ms: Sequence[int]
    repeat_ms: Sequence[int | None]
    escalate: Sequence[float | None]
    once: Sequence[bool]
    severity: Sequence[str]
    silent: Sequence[bool]
    note: Sequence[str]
    is_armed: Sequence[bool]
    """Those that were seen false: they have a stored life."""
    is_done: Sequence[bool]
    """Those that were told once and are told no more."""
    lives: Sequence[AlertRecord] = ()
    """Of those that are pending, fire, or cool down at the time that was asked for; all else is said by the columns."""

    @classmethod
    def of(cls, alerts: Sequence[ChatAlert], lives: Iterable[AlertRecord], *, cool_ms: int) -> "StoredAlerts":
        """The columns of alerts and of their stored lives; pauses that ended before `cool_ms` are forgotten."""
        found = {(life.rule_id, life.instrument, life.condition): life for life in lives}
        own = [found.get((one.id, one.instrument, one.id)) for one in alerts]
        return cls(
            **{name: [getattr(one, name) for one in alerts] for name in STORED_COLUMNS},
            is_armed=[life is not None for life in own],
            is_done=[life is not None and _is_done(life) for life in own],
            lives=[life for life in own if life is not None and _matters(life, cool_ms)],
        )


STORED_COLUMNS: Final = tuple(
    field.name for field in fields(StoredAlerts) if field.name not in {"is_armed", "is_done", "lives"}
)
"""Those that are fields of `ChatAlert`."""


def _is_done(life: AlertRecord) -> bool:
    return life.state is State.INACTIVE and life.cooldown_until_ms >= FOREVER_MS


def _matters(life: AlertRecord, cool_ms: int) -> bool:
    is_cooling = max(1, cool_ms) <= life.cooldown_until_ms < FOREVER_MS
    return life.state is not State.INACTIVE or is_cooling or life.n_held > 0


class AlertStage(StrEnum):
    """Where an alert in chat stands, for people."""

    ABSENT = "absent"
    """Its instrument is not listed now."""
    UNARMED = "unarmed"
    """Was true, or unknown, when it was made: waits for the first false."""
    WAITING = "waiting"
    COOLING = "cooling"
    """Ended lately; may fire again after its cooldown."""
    PENDING = "pending"
    """Is true; held back by `for` or by a cooldown."""
    FIRING = "firing"
    DONE = "done"
    """Of an alert told once."""


@dataclass(frozen=True, slots=True)
class AlertLife:
    """What `/alerts` shows beside the alert itself."""

    stage: AlertStage
    value: float | None = None
    """The measured value as of the last tick; None where unknown."""
    until_ms: int = 0
    """End of a cooldown, in venue time; 0 without one."""
    record: AlertRecord | None = None
    """Its state where it is pending, fires or cools down."""


@dataclass(frozen=True, slots=True)
class AlertAdded:
    """An alert begins to live. Something that the engine consumes, so it is written to the journal."""

    alert: ChatAlert


@dataclass(frozen=True, slots=True)
class AlertRemoved:
    """An alert was deleted: a firing one is closed, with the reason told."""

    alert_id: str
    at_ms: int
    """Venue time."""
    reason: str = "it was deleted"
