"""Why a rule fires for an instrument, or why not: a neutral value that chat, the command line and JSON show.

Everything is as of one tick. Times are venue epoch ms, ratios fractions, durations ms; None is unknown or does not apply.
Reasons are plain English sentences without a full stop, so that a front can join them.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from bot.model.alert import Transition

Verdict = Literal["true", "false", "unknown"]
Unit = Literal["ratio", "price", "usd", "amount", "duration", "count", "number"]
"""How a value is read: `ratio` is a fraction shown as percent, `amount` coins, `number` has no unit."""
AlertPhase = Literal["inactive", "pending", "firing", "cooling"]


@dataclass(frozen=True, slots=True)
class SampleSeen:
    """The sample that spoke for a series at one point of time."""

    series: str
    point_ms: int
    """Where it was read: now, or a point of the grid."""
    sample_ms: int | None
    """When it was taken; None where there is none."""
    age_ms: int | None
    """At `point_ms`."""
    value: float | None
    """None where it no longer spoke, or never came."""


@dataclass(frozen=True, slots=True)
class WindowSeen:
    """The stretch of time that a function looked at."""

    begin_ms: int
    """Its oldest point; of `pct` and `delta` the point that now is compared with; of a flow the edge, not included."""
    end_ms: int
    ends: tuple[SampleSeen, ...]
    """Samples at the oldest known point and at the newest, one each for every series behind it, oldest first."""
    known_share: float | None = None
    """Of its points, of `corr` of its changes, of a flow of its time; None where only the two ends count."""
    needed_share: float | None = None


@dataclass(frozen=True, slots=True)
class Distance:
    """How far a comparison is from becoming true: positive is missing, negative or zero is beyond."""

    absolute: float
    """In the unit of the value."""
    relative: float | None
    """As a share of the threshold; None where that is 0."""
    unit: Unit


@dataclass(frozen=True, slots=True)
class Near:
    """One instrument of a scope, and how far it is from a condition."""

    symbol: str
    verdict: Verdict
    value: float | None
    unit: Unit
    distance: Distance | None


@dataclass(frozen=True, slots=True)
class ScopeSeen:
    """What a function over the scope looked at."""

    n_members: int
    n_known: int
    n_needed: int
    """How many have to be known; 0 where the answer is an interval, as with `count`."""
    n_true: int | None = None
    n_unknown: int | None = None
    nearest: tuple[Near, ...] = ()
    """Members that are not true yet, the nearest first."""


@dataclass(frozen=True, slots=True)
class SideSeen:
    """What a crossing remembers."""

    side: Literal["above", "below", "none"]
    since_ms: int | None
    """When that side was first seen."""
    known_ms: int | None
    """When both sides of the crossing were last known."""


@dataclass(frozen=True, slots=True)
class Node:
    """One expression, with those it is made of. Literals are not nodes of their own: their text says all."""

    text: str
    """Canonical."""
    verdict: Verdict | None = None
    """Of a condition."""
    value: float | None = None
    """Of a number; of a comparison, its left side."""
    unit: Unit = "number"
    threshold: float | None = None
    """Of a comparison, its right side."""
    why: str = ""
    """Why it is unknown; empty where it is not."""
    window: WindowSeen | None = None
    sample: SampleSeen | None = None
    """Of a bare series, `age` and `stale`: the newest."""
    distance: Distance | None = None
    scope: ScopeSeen | None = None
    crossing: SideSeen | None = None
    parts: "tuple[Node, ...]" = ()
    """In reading order."""


@dataclass(frozen=True, slots=True)
class AlertSeen:
    """The alert of the rule on the instrument."""

    phase: AlertPhase
    short_id: str = ""
    """Of the present or last firing."""
    since_ms: int | None = None
    """Of a pending alert since when, of a firing one when it fired."""
    held_ms: int = 0
    for_ms: int = 0
    waits_for_poll: bool = False
    """Held long enough, but no open-interest sample has come since."""
    n_told: int = 0
    value: float | None = None
    """When it fired."""
    peak: float | None = None
    cooling_left_ms: int | None = None
    """None where it is not cooling, or forever."""
    is_over: bool = False
    """A rule that fires once has fired."""
    next: str = ""
    """What would change it, in words."""


@dataclass(frozen=True, slots=True)
class Hush:
    """Something that keeps an alert quiet now."""

    kind: Literal["silence", "quiet hours", "acknowledged", "inhibited"]
    by: str
    """Who made it: `terminal`, or `telegram:` and a number; of an acknowledgement the name; of an inhibition the rule."""
    until_ms: int | None = None
    """None: until the alert, or what inhibits it, ends."""
    place: str = ""
    """The destination where it holds; empty for all."""
    id: str = ""
    """Of a silence."""
    comment: str = ""


class UnitsThen(NamedTuple):
    """Units of figures that were stored. None where that cannot be told, since a rule may have several measures."""

    of_last: Unit | None
    """Of the present or last firing, `AlertSeen.short_id`."""
    of_others: Unit | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A rule and an instrument as of one tick."""

    rule_id: str
    title: str
    per_market: bool
    venue: str
    symbol: str
    """`*` where a rule about the whole scope was asked about without naming an instrument."""
    at_ms: int
    verdict: Verdict
    """Of `when`, also unknown while the scope is warming up."""
    when: Node
    clear: Node
    is_member: bool
    why: tuple[str, ...]
    """What keeps the rule from being decided here: not in the scope, halted, data missing. Empty where nothing does."""
    value_text: str
    value: float | None
    """The measured value of the rule."""
    unit: Unit
    then: UnitsThen
    """In what units the figures in its history are."""
    alert: AlertSeen
    history: tuple[Transition, ...] = ()
    """The newest changes of state, newest first, added by whoever has the store."""
    hushed: tuple[Hush, ...] = ()
    """What keeps it quiet; what people do about that is added by whoever knows it."""


@dataclass(frozen=True, slots=True)
class RuleName:
    """A rule that can be asked about."""

    id: str
    title: str
    is_on: bool = True
    """False for one that is switched off."""


@dataclass(frozen=True, slots=True)
class Glance:
    """One rule on an instrument in one line."""

    rule_id: str
    title: str
    per_market: bool
    phase: AlertPhase
    verdict: Verdict
    value: float | None
    unit: Unit
    distance: Distance | None
    """Of the whole condition: of its nearest way to become true, what is farthest."""
    nearness: float
    """0 is true, greater is farther; infinite where it is unknown."""
    why: str
    alert: AlertSeen
    at_ms: int
    """As of when, venue time."""
