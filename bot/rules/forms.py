"""The same rule with another number, for whoever wants to be told earlier or later. Pure.

A rule's number is that of the first comparison of its `when` that has one. Other comparisons of the same measure, in
`when` and `clear`, follow in proportion, so that both sides of a band and the distance of the end stay what they are to
each other; all else stays.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import isfinite
from typing import Final

from bot.rules.ast import MIRROR, NEGATED, And, Call, Compare, Expr, Neg, Not, Number, Or, text
from bot.rules.lint_conditions import bounds
from bot.rules.schema import Rule

MAX_FACTOR: Final = 100.0
_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class RuleNumber:
    """What can be moved."""

    number: Number
    measure: str
    """Canonical text of what is compared with it, without sign."""
    op: str
    """As with the number on the right."""
    end: float | None = None
    """No figure of the measure lies beyond this on the side of the number; None where there is no such end, or it is reached."""

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
    old, end = found.number.value, found.end
    share = factor if found.is_harder_far_off else 1 / factor
    if end is None or share < 1:
        return with_number(rule, _rounded(old * share))
    # What ends somewhere comes closer to its end: 1.6 times the 95th percentile is none.
    return with_number(rule, _rounded(min(old * share, end - (end - old) / share, key=abs)))


def with_number(rule: Rule, value: float, measure: str | None = None) -> Rule:
    """With that number instead of its own, see `number_of`. Raises `ValueError` for one of another sign, or too far off."""
    found = number_of(rule, measure)
    if found is None:
        return rule
    old, end = found.number.value, found.end
    far = old * MAX_FACTOR if end is None else end
    if value * old <= 0 or not 1 / MAX_FACTOR <= value / old <= far / old:
        raise ValueError(f"{rule.id}: expected a number between {old / MAX_FACTOR:g} and {far:g}, found {value:g}")
    if value == old:
        return rule

    def moved(number: float) -> float:
        if number == old:
            return value
        if end is not None and number / old > 1:
            return _rounded(end - (end - number) * (end - value) / (end - old))
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
            end = _end_of(left if number is right else right, number)
            yield RuleNumber(number, measure, NEGATED[as_read] if negated else as_read, end)


def _end_of(side: Expr, number: Number) -> float | None:
    is_share = number.unit == "%" and isinstance(side, Call) and side.name == "count"
    low, high = (0.0, 1.0) if is_share else bounds(side)
    end = high if number.value > 0 else low
    return end if isfinite(end) and abs(number.value) < abs(end) else None


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
