"""A test of rules as a value: the series it gives, and what it expects of the rules. Times are ms from its start."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from bot.model.instrument import Instrument
from bot.model.updates import F64
from bot.rules.schema import Rule

Expectable = Literal["inactive", "pending", "firing", "cooling", "unknown"]
"""What an alert can be expected to be. `unknown`: nothing pending or firing, because the data is missing."""
STATES: Final[tuple[Expectable, ...]] = ("inactive", "pending", "firing", "cooling", "unknown")
Kind = Literal["fire", "escalate", "repeat", "end", "lost", "back"]
KINDS: Final[tuple[Kind, ...]] = ("fire", "escalate", "repeat", "end", "lost", "back")
"""Of messages. `end` edits the message of its firing; `lost` and `back` are about data."""

GIVEN: Final = (
    "price",
    "index",
    "funding",
    "oi",
    "volume",
    "taker_buy",
    "volume_24h",
    "liq_long",
    "liq_short",
    "long_short",
)
"""Series that a test can give."""
DERIVED: Final[Mapping[str, str]] = {
    "oi_usd": "price and oi",
    "basis": "price and index",
    "funding_8h": "funding",
}
"""Series that are made from others: what a test gives instead."""


@dataclass(frozen=True, slots=True)
class Written:
    """A number as it was written, and how exact that was."""

    text: str
    value: float
    tolerance: float
    """Half a unit of the last digit."""

    def matches(self, found: float | None) -> bool:
        # A hair more than half a unit: 0.5 must round to either side, however the float falls.
        return found is not None and abs(found - self.value) <= self.tolerance * (1 + 1e-9)


@dataclass(frozen=True, slots=True)
class ExpectedState:
    """What a rule is at one time."""

    line: int
    at_ms: int
    rule_id: str
    symbol: str | None
    """None: every instrument of the test, or the scope as a whole for a `per: market` rule."""
    state: Expectable | None
    value: Written | None


@dataclass(frozen=True, slots=True)
class ExpectedMessage:
    """One message that people get. What is None or empty is not compared."""

    line: int
    at_ms: int | None = None
    rule_id: str | None = None
    symbol: str | None = None
    kind: Kind = "fire"
    first_line: str | None = None
    text: tuple[str, ...] = ()
    """Each stands somewhere in it."""


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """One instrument and its series: one value per step, NaN where there is none. Lengths differ."""

    instrument: Instrument
    series: Mapping[str, F64]


@dataclass(frozen=True, slots=True, eq=False)
class RuleTest:
    """One test."""

    name: str
    line: int
    given: tuple[Given, ...]
    expect: tuple[ExpectedState, ...]
    """In order of time."""
    messages: tuple[ExpectedMessage, ...] | None
    """In order of time, no other firing, escalation or repeat beside them; None: not compared."""
    n_messages: int | None
    """Firings, escalations and repeats that are told; None: not compared."""

    @property
    def n_steps(self) -> int:
        """Of its longest series."""
        return max((len(values) for given in self.given for values in given.series.values()), default=0)


@dataclass(frozen=True, slots=True, eq=False)
class RuleTestFile:
    """The sound tests of one file, and the rules that they are about."""

    file: str
    rules: tuple[Rule, ...]
    start_ms: int
    """Venue epoch ms of the first step, a whole multiple of the interval."""
    interval_ms: int
    tests: tuple[RuleTest, ...]
