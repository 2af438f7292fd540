"""The words of the rule language: series, functions, what they take and what they give.

The one table that the parser's checks, the guide and the engine agree on.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from rapidfuzz.distance import OSA

from bot.rules.ast import DAY_MS


class Measure(StrEnum):
    """The kind of thing an expression is. Comparing two different ones is an error, but `ANY` goes with all."""

    CONDITION = "a condition"
    RATIO = "a percentage"
    QUANTITY = "an amount"
    """Prices, coins, money."""
    SCORE = "a plain number"
    """Scores, ranks, correlations: no unit, and no percentage either."""
    DURATION = "a duration"
    COUNT = "a count"
    """A number or a share of the scope."""
    ANY = "a number"
    """A literal without unit, or the quotient of two like things."""


Parameter = Literal["series", "gauge", "flow", "gauge or pct", "number", "condition", "window"]
"""`series` is any of them; a gauge has a level at each moment, a flow is an amount over time."""

WEEK_MS: Final = 7 * DAY_MS

SERIES: Final[dict[str, Measure]] = {
    "price": Measure.QUANTITY,
    "index": Measure.QUANTITY,
    "basis": Measure.RATIO,
    "funding": Measure.RATIO,
    "funding_8h": Measure.RATIO,
    "oi": Measure.QUANTITY,
    "oi_usd": Measure.QUANTITY,
    "volume": Measure.QUANTITY,
    "taker_buy": Measure.RATIO,
    "volume_24h": Measure.QUANTITY,
    "liq_long": Measure.QUANTITY,
    "liq_short": Measure.QUANTITY,
    "long_short": Measure.SCORE,
}
FLOWS: Final = frozenset({"volume", "liq_long", "liq_short"})
"""Series that are amounts over time: they are summed, everything else is for gauges."""
GAUGES: Final = frozenset(SERIES) - FLOWS


@dataclass(frozen=True, slots=True)
class Function:
    """What a function takes and gives. `result` None: the measure of its first argument."""

    parameters: tuple[Parameter, ...]
    result: Measure | None
    usage: str
    over_scope: bool = False
    max_window_ms: int = DAY_MS
    """Longest window; over a day on the 5-minute grid."""


FUNCTIONS: Final[dict[str, Function]] = {
    "pct": Function(("gauge", "window"), Measure.RATIO, "pct(oi, 15m)"),
    "delta": Function(("gauge", "window"), None, "delta(oi, 15m)"),
    "avg": Function(("gauge", "window"), None, "avg(price, 1h)"),
    "min": Function(("gauge", "window"), None, "min(price, 4h)"),
    "max": Function(("gauge", "window"), None, "max(price, 4h)"),
    "std": Function(("gauge", "window"), None, "std(price, 1h)"),
    "sum": Function(("flow", "window"), None, "sum(volume, 15m)"),
    "zscore": Function(("gauge or pct", "window"), Measure.SCORE, "zscore(oi, 4h)", max_window_ms=WEEK_MS),
    "percentile": Function(
        ("gauge or pct", "window"), Measure.SCORE, "percentile(funding, 24h)", max_window_ms=WEEK_MS
    ),
    "slope": Function(("gauge", "window"), Measure.RATIO, "slope(oi, 1h)"),
    "corr": Function(("gauge", "gauge", "window"), Measure.SCORE, "corr(price, oi, 4h)"),
    "ratio": Function(("flow", "window"), Measure.SCORE, "ratio(volume, 5m)"),
    "crosses": Function(("number", "number"), Measure.CONDITION, "crosses(price, 50_000)"),
    "crosses_above": Function(("number", "number"), Measure.CONDITION, "crosses_above(price, 50_000)"),
    "crosses_below": Function(("number", "number"), Measure.CONDITION, "crosses_below(price, 50_000)"),
    "abs": Function(("number",), None, "abs(pct(price, 5m))"),
    "age": Function(("series",), Measure.DURATION, "age(oi)"),
    "stale": Function(("series",), Measure.CONDITION, "stale(oi)"),
    "rank": Function(("number",), Measure.SCORE, "rank(oi_usd)", over_scope=True),
    "median": Function(("number",), None, "median(pct(oi, 15m))", over_scope=True),
    "total": Function(("number",), None, "total(oi_usd)", over_scope=True),
    "count": Function(("condition",), Measure.COUNT, "count(pct(oi, 15m) >= 3%)", over_scope=True),
}
CROSSINGS: Final = frozenset({"crosses", "crosses_above", "crosses_below"})

_OTHER_NAMES: Final = {
    "open_interest": "oi",
    "openinterest": "oi",
    "mark": "price",
    "mark_price": "price",
    "close": "price",
    "last": "price",
    "index_price": "index",
    "premium": "basis",
    "funding_rate": "funding",
    "vol": "volume",
    "change": "delta",
    "diff": "delta",
    "percent": "pct",
    "pct_change": "pct",
    "z": "zscore",
    "mean": "avg",
    "sma": "avg",
    "average": "avg",
    "stddev": "std",
    "stdev": "std",
    "cross": "crosses",
}


def did_you_mean(word: str, known: frozenset[str] | set[str]) -> str | None:
    """The known word that was probably meant: one slip for short words, a third of the letters for long ones."""
    lowered = word.lower()
    if (other := _OTHER_NAMES.get(lowered)) in known:
        return other
    if len(word) > 40:
        return None
    if len(word) >= 3 and len(longer := [name for name in known if name.startswith(lowered)]) == 1:
        return longer[0]
    allowed = max(1, len(word) // 3)
    distance, best = min(((OSA.distance(lowered, name), name) for name in sorted(known)), default=(99, ""))
    return best if distance <= allowed and distance < len(lowered) else None


def agree(left: Measure, right: Measure) -> bool:
    """Whether two things may be compared, added or subtracted."""
    if left is right:
        return True
    return Measure.ANY in {left, right} and Measure.DURATION not in {left, right}


def product(left: Measure, right: Measure) -> Measure | None:
    """What `left * right` is; None where it means nothing."""
    if left is Measure.DURATION and right is Measure.DURATION:
        return None
    # The one that says more wins: 97% of a price is a price.
    order = (Measure.ANY, Measure.RATIO, Measure.SCORE, Measure.QUANTITY, Measure.DURATION)
    winner = max(left, right, key=order.index)
    return None if {left, right} == {Measure.QUANTITY, Measure.DURATION} else winner


def quotient(left: Measure, right: Measure) -> Measure | None:
    """What `left / right` is; None where it means nothing."""
    if left is right:
        return Measure.ANY
    if right is Measure.DURATION:
        return None
    if right in {Measure.ANY, Measure.RATIO, Measure.SCORE}:
        return left
    return None if left is Measure.DURATION else Measure.ANY
