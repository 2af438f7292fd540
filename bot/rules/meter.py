"""What a rule measures: the figure that a message shows, follows while the alert fires, and shows again at its end.

It is `value`, or the left side of the first comparison in `when` that is true as the alert fires; an alert follows the
one it fired with. All that does not depend on data is worked out once per rule.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bot.rules.ast import Call, Compare, CompareOp, Expr, Neg, Number, Series, children, text, windows_used
from bot.rules.language import CROSSINGS
from bot.rules.schema import Rule

_RATIO_SERIES = frozenset({"basis", "funding", "funding_8h", "taker_buy"})
_KEEPS_UNIT = frozenset({"abs", "avg", "min", "max", "std", "median", "total", "delta", "sum"})


@dataclass(frozen=True, slots=True)
class Measured:
    """The value of an alert at one tick, and what it is measured against."""

    value: float | None
    option: int
    """Which of the rule's measures this is; -1 where the condition has none."""
    text: str
    """Expression of the value; empty where the condition has none."""
    is_ratio: bool
    threshold: float | None
    direction: int
    """+1 where the alert lies above its threshold, -1 below; 0 for a value of its own, where further is away from zero."""
    window_ms: int
    n_members: int | None = None
    n_true: int | None = None
    gap_ms: int = 0
    """Of a crossing: how long nothing was known before it."""
    share_of: float | None = None
    """Of a count that is compared with a share: of how many."""


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that a rule may measure."""

    expr: Expr
    text: str
    is_ratio: bool
    limit: Expr | None
    """What it is compared with; None for a value of the rule's own."""
    op: CompareOp | None
    comparison: Compare | None
    """The comparison that has to be true for this to be the measure."""

    @property
    def is_count(self) -> bool:
        return isinstance(self.expr, Call) and self.expr.name == "count"

    @property
    def is_share(self) -> bool:
        """Whether it is a count that is compared with a share."""
        return self.is_count and isinstance(self.limit, Number) and self.limit.unit == "%"

    @property
    def direction(self) -> int:
        """Which way is further. A value of the rule's own has no threshold: 0, further means further from zero."""
        return 0 if self.op is None else -1 if self.op in {"<", "<="} else 1


class Meter:
    """The measures of one rule, in the order in which they are tried."""

    def __init__(self, rule: Rule, row_of: Callable[[Expr], int | None]) -> None:
        """`row_of`: where a number lies among those that are computed at each tick."""
        self.crossing = crossing_of(rule.when)
        self.window_ms = max((w for _, w, _ in windows_used(rule.when)), default=0)
        self.options = self._options(rule)
        self.rows = tuple(row_of(o.expr) for o in self.options)
        """Of each option; None for one that is computed from others."""

    def _options(self, rule: Rule) -> tuple[Option, ...]:
        if rule.value is not None:
            return (Option(rule.value, text(rule.value), is_ratio(rule.value), None, None, None),)
        found = [
            Option(
                c.left,
                text(c.left),
                is_ratio(c.left) or (not _is_count(c.left) and is_ratio(c.right)),
                c.right,
                c.op,
                c,
            )
            for c in rule.comparisons
        ]
        if not found and self.crossing is not None:
            left, right = self.crossing.args
            found = [Option(left, text(left), is_ratio(left) or is_ratio(right), right, None, None)]
        return tuple(found)


def is_ratio(expr: Expr) -> bool:
    """Whether people read the value as a percentage."""
    match expr:
        case Number(unit=unit):
            return unit == "%"
        case Series(name=name):
            return name in _RATIO_SERIES
        case Call(name="pct" | "slope"):
            return True
        case Call(name=name, args=args):
            return name in _KEEPS_UNIT and is_ratio(args[0])
        case Neg(operand=operand):
            return is_ratio(operand)
        case _:
            return any(is_ratio(part) for part in children(expr))


def crossing_of(when: Expr) -> Call | None:
    """The first crossing in a condition."""
    waiting: list[Expr] = [when]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, Call) and node.name in CROSSINGS:
            return node
        waiting.extend(children(node))
    return None


def _is_count(expr: Expr) -> bool:
    return isinstance(expr, Call) and expr.name == "count"
