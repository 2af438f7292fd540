"""How alerts fared: what price and open interest did after them, beside random moments of the same contracts.

Changes are ratios to what was at the firing (0.01 is one percent up). None is unknown and stays so.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
HORIZONS_MS: Final = (15 * MINUTE_MS, HOUR_MS, 4 * HOUR_MS)
"""After so long an alert is scored."""
N_DRAWS: Final = 8
"""Random moments that one alert is compared with."""
DRAW_SPAN_MS: Final = 12 * HOUR_MS
"""They lie at most so far before and after it."""
ALERT: Final = 0
"""The number of the alert itself among its moments; the random ones are 1 to `N_DRAWS`."""
FULL: Final = (1 + N_DRAWS) * len(HORIZONS_MS)
"""How many scores an alert has in the end."""
LAST_DUE_MS: Final = DRAW_SPAN_MS + HORIZONS_MS[-1]
"""So long after an alert its last score is due."""

Replies = Literal["off", "quiet", "on"]
"""Whether the scorecard of an alert is told under it: never, without a sound, or with one."""
REPLIES: Final[tuple[Replies, ...]] = ("off", "quiet", "on")


class Quadrant(StrEnum):
    """Price and open interest over the window of the rule, when it fired."""

    UP_UP = "price up, OI up"
    UP_DOWN = "price up, OI down"
    DOWN_UP = "price down, OI up"
    DOWN_DOWN = "price down, OI down"
    FLAT = "price or OI flat"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Moment:
    """An alert that went out, and what has to be remembered of it until it is scored."""

    key: str
    rule_id: str
    title: str
    """The rule's name for people."""
    instrument: str
    """`Instrument.key`."""
    fired_ms: int
    price: float | None
    """When it fired."""
    oi: float | None
    quadrant: Quadrant
    price_usual: tuple[float | None, ...] = (None,) * len(HORIZONS_MS)
    """The usual move of the price over each horizon: the mean size of its moves in the day before the firing."""
    oi_usual: tuple[float | None, ...] = (None,) * len(HORIZONS_MS)
    is_public: bool = True
    """Of a rule of the files. What somebody made in a chat is nobody else's business: it counts in no totals."""

    @property
    def symbol(self) -> str:
        return self.instrument.partition(":")[2]


def draw_ms(moment: Moment, draw: int) -> int:
    """When a random moment of an alert is: on a full minute, derived from its key and number, so always the same.

    All minutes of the twelve hours before and after the firing are equally likely. Nothing of the market is asked.
    """
    if draw == ALERT:
        return moment.fired_ms
    span = DRAW_SPAN_MS // MINUTE_MS
    number = int.from_bytes(hashlib.sha256(f"draw\n{moment.key}\n{draw}".encode()).digest()[:8])
    return (moment.fired_ms // MINUTE_MS - span + number % (2 * span)) * MINUTE_MS


@dataclass(frozen=True, slots=True)
class Fared:
    """What price and open interest did from one moment to another."""

    price: float | None = None
    oi: float | None = None
    high: float | None = None
    """The highest price on the way, against that at the beginning; never below 0."""
    low: float | None = None
    """The lowest; never above 0."""


@dataclass(frozen=True, slots=True)
class Score:
    """The outcome of one moment of an alert after one horizon; settled, so what is unknown now stays unknown."""

    key: str
    draw: int
    """`ALERT`, or the number of a random moment."""
    horizon_ms: int
    price: float | None
    oi: float | None
    high: float | None
    low: float | None


@dataclass(frozen=True, slots=True)
class ToldIn:
    """The delivered message in which an alert was told to one destination."""

    key: str
    destination: str
    message_id: str
    is_single: bool
    """The message tells of this alert alone."""


@dataclass(frozen=True, slots=True)
class Scored:
    """An alert with its scores."""

    moment: Moment
    scores: tuple[Score, ...]


# -- what messages show ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mark:
    """One alert after one horizon. The multiples are of the usual move."""

    horizon_ms: int
    price: float | None
    price_times: float | None
    oi: float | None
    oi_times: float | None
    high: float | None
    high_times: float | None
    low: float | None
    low_times: float | None


@dataclass(frozen=True, slots=True)
class ScoredAlert:
    """One alert in a message about how alerts fared."""

    symbol: str
    title: str
    short_id: str
    fired_ms: int
    marks: tuple[Mark, ...]
    """The shortest horizon first; those that are not due yet are left out."""


def times(change: float | None, usual: float | None) -> float | None:
    """How many usual moves a change is, in size."""
    return abs(change) / usual if change is not None and usual else None


def marks_of(moment: Moment, scores: Sequence[Score]) -> tuple[Mark, ...]:
    """Of the alert itself."""
    own = {score.horizon_ms: score for score in scores if score.draw == ALERT}
    return tuple(
        Mark(
            horizon_ms,
            own[horizon_ms].price,
            times(own[horizon_ms].price, moment.price_usual[n]),
            own[horizon_ms].oi,
            times(own[horizon_ms].oi, moment.oi_usual[n]),
            own[horizon_ms].high,
            times(own[horizon_ms].high, moment.price_usual[n]),
            own[horizon_ms].low,
            times(own[horizon_ms].low, moment.price_usual[n]),
        )
        for n, horizon_ms in enumerate(HORIZONS_MS)
        if horizon_ms in own
    )


# -- totals ------------------------------------------------------------------------------------------------------------


class Verdict(StrEnum):
    """Whether an alert's moves are larger than those of random moments, as far as the numbers can tell."""

    BETTER = "better than chance"
    NO_BETTER = "no better than chance"
    UNCLEAR = "too few to tell"


@dataclass(frozen=True, slots=True)
class Extreme:
    """The alert after which the price went farthest in one direction."""

    symbol: str
    short_id: str
    fired_ms: int
    change: float
    times: float | None


@dataclass(frozen=True, slots=True)
class HorizonTotals:
    """Alerts after one horizon."""

    horizon_ms: int
    n_known: int
    """Alerts of which the price afterwards is known."""
    typical_times: float | None
    """The middle one of their moves, in usual moves."""
    random_times: float | None
    """The same of the random moments of the same alerts."""
    n_compared: int
    """Alerts all of whose random moments are over."""
    n_blocks: int
    """Episodes among them: what fires together counts once."""
    more: float | None
    """Share (0 to 1) of the random moments with smaller moves, a mean over episodes; 0.5 is chance."""
    low: float | None
    """The interval around it, 95 %."""
    high: float | None
    verdict: Verdict
    up: float | None
    """Share of the alerts after which the price was higher."""
    random_up: float | None
    best: Extreme | None
    worst: Extreme | None


@dataclass(frozen=True, slots=True)
class QuadrantTotals:
    """Alerts that fired in one quadrant, after one hour."""

    quadrant: Quadrant
    n: int
    """Those of which the price afterwards is known."""
    n_up: int
    n_down: int
    typical: float | None
    """The middle one of their changes of price, with its sign."""


@dataclass(frozen=True, slots=True)
class Totals:
    """How the alerts of one rule, one contract, or all of them fared."""

    n_alerts: int
    since_ms: int | None
    """When the first of them fired."""
    horizons: tuple[HorizonTotals, ...]
    quadrants: tuple[QuadrantTotals, ...]
    verdict: Verdict
    """Over all horizons together."""


@dataclass(frozen=True, slots=True)
class RuleTotals:
    """One line of the list of rules."""

    rule_id: str
    title: str
    totals: Totals
