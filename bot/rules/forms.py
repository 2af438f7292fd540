"""The same rule with another number, for whoever wants to be told earlier or later. Pure.

A rule's number is that of the first comparison of its `when` that has one. Other comparisons of the same measure, in
`when` and `clear`, follow in proportion, so that both sides of a band and the distance of the end stay what they are to
each other; all else stays.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from bot.rules.ast import MIRROR, NEGATED, And, Call, Compare, Expr, Neg, Not, Number, Or, text
from bot.rules.schema import Rule

MAX_FACTOR: Final = 100.0
PERCENTILES: Final = 100.0
_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class RuleNumber:
    """What can be moved."""

    number: Number
    measure: str
    """Canonical text of what is compared with it, without sign."""
    op: str
    """As with the number on the right."""

    @property
    def most(self) -> float | None:
        """No figure of this measure is higher; None where there is no such number."""
        return PERCENTILES if self.measure.startswith("percentile(") and 0 < self.number.value < PERCENTILES else None

    @property
    def is_harder_far_off(self) -> bool:
        """Whether a number farther from zero asks for more."""
        return (self.op in {">", ">="}) == (self.number.value > 0)


def number_of(rule: Rule, measure: str | None = None) -> RuleNumber | None:
    """None where the rule has no number that could be moved: it compares figures with each other, or with zero.

    With `measure`, a canonical text: the first number that this is compared with.
    """
    wanted = (found for found in _numbers(rule.when) if measure in {None, found.measure})
    return next((found for found in wanted if found.number.value), None)


def measures_of(rule: Rule) -> tuple[str, ...]:
    """What `when` compares with numbers that can be moved, in reading order."""
    return tuple(dict.fromkeys(found.measure for found in _numbers(rule.when) if found.number.value))


def with_factor(rule: Rule, factor: float) -> Rule:
    """Asks for `factor` times as much: 1.6 is told more rarely, 0.7 more often. The rule itself where it has no number."""
    found = number_of(rule)
    if found is None or factor == 1:
        return rule
    old, most = found.number.value, found.most
    share = factor if found.is_harder_far_off else 1 / factor
    # What ends somewhere comes closer to its end: 1.6 times the 95th percentile is none.
    wanted = old * share if most is None or share < 1 else min(old * share, most - (most - old) / share)
    return with_number(rule, _rounded(wanted))


def with_number(rule: Rule, value: float, measure: str | None = None) -> Rule:
    """With that number instead of its own, see `number_of`. Raises `ValueError` for one of another sign, or too far off."""
    found = number_of(rule, measure)
    if found is None:
        return rule
    old = found.number.value
    far = old * MAX_FACTOR if found.most is None else found.most
    if value * old <= 0 or not 1 / MAX_FACTOR <= value / old <= far / old:
        raise ValueError(f"{rule.id}: expected a number between {old / MAX_FACTOR:g} and {far:g}, found {value:g}")
    if value == old:
        return rule

    def moved(number: float) -> float:
        if number == old:
            return value
        if found.most is not None and number > old:
            return _rounded(found.most - (found.most - number) * (found.most - value) / (found.most - old))
        return _rounded(number * value / old)

    clear = None if rule.clear is None else _moved(rule.clear, found.measure, moved)
    return replace(rule, when=_moved(rule.when, found.measure, moved), clear=clear)


def _moved(expr: Expr, measure: str, moved: Callable[[float], float]) -> Expr:
    match expr:
        case And(items=items):
            return And(tuple(_moved(item, measure, moved) for item in items))
        case Or(items=items):
            return Or(tuple(_moved(item, measure, moved) for item in items))
        case Not(item=item):
            return Not(_moved(item, measure, moved))
        case Compare(op=op, left=left, right=right) if _measure_of(expr) == measure:
            if isinstance(right, Number):
                return Compare(op, left, Number(moved(right.value), right.unit))
            if isinstance(left, Number):
                return Compare(op, Number(moved(left.value), left.unit), right)
    return expr


def _numbers(expr: Expr, *, negated: bool = False) -> Iterator[RuleNumber]:
    """Of the condition itself, in reading order."""
    match expr:
        case And(items=items) | Or(items=items):
            for item in items:
                yield from _numbers(item, negated=negated)
        case Not(item=item):
            yield from _numbers(item, negated=not negated)
        case Compare(op=op, left=left, right=right) if (measure := _measure_of(expr)) is not None:
            as_read = op if isinstance(right, Number) else MIRROR[op]
            number = right if isinstance(right, Number) else left
            assert isinstance(number, Number)
            yield RuleNumber(number, measure, NEGATED[as_read] if negated else as_read)


def _measure_of(comparison: Compare) -> str | None:
    """None where it does not compare a measure with a number, or asks for exactly that number."""
    sides = (comparison.left, comparison.right)
    measures = [side for side in sides if not isinstance(side, Number)]
    if len(measures) != 1 or comparison.op in {"==", "!="}:
        return None
    measure: Expr = measures[0]
    while isinstance(measure, Neg) or (isinstance(measure, Call) and measure.name == "abs"):
        measure = measure.operand if isinstance(measure, Neg) else measure.args[0]
    return text(measure)


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
