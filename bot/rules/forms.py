"""The same rule with another number, for whoever wants to be told earlier or later. Pure.

A rule's number is that of the first comparison of its `when` that has one. Other comparisons of the same measure, in
`when` and `clear`, follow in proportion, so that both sides of a band and the distance of the end stay what they are to
each other; all else stays.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import Final

from bot.rules.ast import MIRROR, NEGATED, And, Call, Compare, Expr, Neg, Not, Number, Or, comparisons, text
from bot.rules.lint_conditions import Verdict, bounds, decided, most_members
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
    is_whole: bool = False
    """What is measured comes in whole numbers: a rank, or how many."""

    @property
    def is_harder_far_off(self) -> bool:
        """Whether a number farther from zero asks for more."""
        return (self.op in {">", ">="}) == (self.number.value > 0)

    def as_whole(self, value: float) -> float:
        """The whole number that asks for the same as `value`, or for one more or less where that would be what is asked already."""
        up = self.op in {">=", "<"}
        old, new = (math.ceil(one) if up else math.floor(one) for one in (self.number.value, value))
        if new != old:
            # Above 0.7 is what no whole number but zero says.
            return new or value
        return old + (1 if value > self.number.value else -1)


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
    """Asks for `factor` times as much: 1.6 is told more rarely, 0.7 more often. The rule itself where it has no number, or
    none beyond its own: nothing is rarer than the first rank.
    """
    found = number_of(rule)
    if found is None or factor == 1:
        return rule
    old = found.number.value
    most = most_members(rule.scope) if found.is_whole else inf
    end = most if found.end is None and old < most < inf else found.end
    share = factor if found.is_harder_far_off else 1 / factor
    value = old * share
    if end is not None and share > 1:
        # What ends somewhere comes closer to its end: 1.6 times the 95th percentile is none.
        value = min(value, end - (end - old) / share, key=abs)
    value = found.as_whole(value) if found.is_whole else _rounded(value)
    if not value or value > most:
        return rule
    moved = with_number(rule, value)
    return rule if settled(moved) and not settled(rule) else moved


def settled(rule: Rule) -> Verdict | None:
    """What its condition, or the comparison with its number, comes to whatever the market does; None where it depends."""
    found = number_of(rule)
    own = (one for one in comparisons(rule.when) if found is not None and _measure_of(one) == found.measure)
    first = next((one for one in own if isinstance(one.right, Number) and one.right.value), None)
    return decided(rule.when) or (None if first is None else decided(first))


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
            side = left if number is right else right
            is_whole = isinstance(side, Call) and side.name in {"rank", "count"} and not number.unit
            yield RuleNumber(number, measure, NEGATED[as_read] if negated else as_read, _end_of(side, number), is_whole)


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
