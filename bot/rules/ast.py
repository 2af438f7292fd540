"""The form of an expression after parsing: frozen values that compare by structure.

Positions are carried but never compared, so that equal expressions of different rules are one key. The tree is kept
in one normal form: a minus before a number is part of the number, and nested `and` (`or`) of the same kind are one.
`text` writes the canonical form, which parses back to an equal tree. Nothing here knows YAML, data or time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal

Unit = Literal["", "%", "duration"]
ArithmeticOp = Literal["+", "-", "*", "/"]
CompareOp = Literal["<", "<=", ">", ">=", "==", "!="]

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `end` (exclusive) of the expression's own text."""

    start: int
    end: int


NOWHERE: Final = Span(0, 0)
"""Of a node that was built, not parsed."""


@dataclass(frozen=True, slots=True)
class Number:
    """A literal. Percent are fractions (5% is 0.05), durations are milliseconds; `unit` says how it was written."""

    value: float
    unit: Unit = ""
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Series:
    """The newest value of a series."""

    name: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function; a window is a `Number` of unit duration, always the last argument."""

    name: str
    args: "tuple[Expr, ...]"
    span: Span = field(default=NOWHERE, compare=False, repr=False)

    @property
    def window_ms(self) -> int:
        """Length of the window; 0 for a function without one."""
        last = self.args[-1] if self.args else None
        return round(last.value) if isinstance(last, Number) and last.unit == "duration" else 0


@dataclass(frozen=True, slots=True)
class Neg:
    """Minus an expression that is no literal."""

    operand: "Expr"
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class BinaryOp:
    """Arithmetic on two numbers."""

    op: ArithmeticOp
    left: "Expr"
    right: "Expr"
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Compare:
    """A comparison of two numbers; a condition."""

    op: CompareOp
    left: "Expr"
    right: "Expr"
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class And:
    """Two or more conditions, none of them an `And`."""

    items: "tuple[Expr, ...]"
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Or:
    """Two or more conditions, none of them an `Or`."""

    items: "tuple[Expr, ...]"
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition; of an unknown one, unknown."""

    item: "Expr"
    span: Span = field(default=NOWHERE, compare=False, repr=False)


Expr = Number | Series | Call | Neg | BinaryOp | Compare | And | Or | Not


def children(expr: Expr) -> tuple[Expr, ...]:
    """Direct parts, left to right."""
    match expr:
        case Number() | Series():
            return ()
        case Call(args=args):
            return args
        case Neg(operand=part) | Not(item=part):
            return (part,)
        case BinaryOp(left=left, right=right) | Compare(left=left, right=right):
            return (left, right)
        case And(items=items) | Or(items=items):
            return items


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and all its parts, each before its own parts, left to right."""
    waiting = [expr]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(children(node)))


def series_used(expr: Expr) -> frozenset[str]:
    """Names of all series anywhere in the expression."""
    return frozenset(node.name for node in walk(expr) if isinstance(node, Series))


def functions_used(expr: Expr) -> frozenset[str]:
    """Names of all functions anywhere in the expression."""
    return frozenset(node.name for node in walk(expr) if isinstance(node, Call))


def windows_used(expr: Expr) -> frozenset[tuple[str, int, str]]:
    """(series, window in ms, function) of every function with a window.

    `zscore(pct(oi, 15m), 6h)` gives both (oi, 15m, pct) and (oi, 6h, zscore); it looks back 6 h 15 m in all.
    """
    return frozenset(
        (name, node.window_ms, node.name)
        for node in walk(expr)
        if isinstance(node, Call) and node.window_ms
        for name in series_used(node)
    )


MIRROR: Final[dict[CompareOp, CompareOp]] = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
"""With its sides exchanged."""
NEGATED: Final[dict[CompareOp, CompareOp]] = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


def comparisons(expr: Expr, *, negated: bool = False) -> tuple[Compare, ...]:
    """Comparisons of the condition itself in reading order, not those inside a function such as `count`; each as it has to
    hold for the condition, the opposite inside a `not`, and with a literal on the right.

    The first that is true gives an alert its value (its left side) and its threshold (its right side).
    """
    match expr:
        case Compare(op=op, left=left, right=right):
            if isinstance(left, Number) and not isinstance(right, Number):
                op, left, right = MIRROR[op], right, left
            return (Compare(NEGATED[op] if negated else op, left, right, expr.span),)
        case And(items=items) | Or(items=items):
            return tuple(found for item in items for found in comparisons(item, negated=negated))
        case Not(item=item):
            return comparisons(item, negated=not negated)
        case _:
            return ()


def first_comparison(expr: Expr) -> Compare | None:
    """The first of `comparisons`, or None where the condition has none, such as `stale(oi)`."""
    found = comparisons(expr)
    return found[0] if found else None


_LEVEL_OR, _LEVEL_AND, _LEVEL_NOT, _LEVEL_COMPARE, _LEVEL_SUM, _LEVEL_PRODUCT, _LEVEL_UNARY, _LEVEL_ATOM = range(8)


def text(expr: Expr) -> str:
    """Canonical text: one spelling for equal expressions, with no parentheses but the needed ones."""
    return _text(expr, _LEVEL_OR)


def _level(expr: Expr) -> int:
    match expr:
        case Or():
            return _LEVEL_OR
        case And():
            return _LEVEL_AND
        case Not():
            return _LEVEL_NOT
        case Compare():
            return _LEVEL_COMPARE
        case BinaryOp(op=op):
            return _LEVEL_SUM if op in "+-" else _LEVEL_PRODUCT
        case Neg():
            return _LEVEL_UNARY
        case Number(value=value):
            return _LEVEL_UNARY if value < 0 else _LEVEL_ATOM
        case Series() | Call():
            return _LEVEL_ATOM


def _text(expr: Expr, at_least: int) -> str:
    level = _level(expr)
    match expr:
        case Number():
            written = number_text(expr)
        case Series(name=name):
            written = name
        case Call(name=name, args=args):
            written = f"{name}({', '.join(_text(arg, _LEVEL_OR) for arg in args)})"
        case Neg(operand=operand):
            written = f"-{_text(operand, _LEVEL_UNARY)}"
        case BinaryOp(op=op, left=left, right=right):
            written = f"{_text(left, level)} {op} {_text(right, level + 1)}"
        case Compare(op=op, left=left, right=right):
            written = f"{_text(left, level + 1)} {op} {_text(right, level + 1)}"
        case And(items=items):
            written = " and ".join(_text(item, level + 1) for item in items)
        case Or(items=items):
            written = " or ".join(_text(item, level + 1) for item in items)
        case Not(item=item):
            written = f"not {_text(item, level)}"
    return f"({written})" if level < at_least else written


def number_text(number: Number) -> str:
    """A literal as people write it: `5%`, `15m`, `20M`, `93_500`. Parses back to exactly the same value."""
    exact = Decimal(repr(number.value))
    match number.unit:
        case "%":
            return f"{_plain(exact.scaleb(2))}%"
        case "duration":
            return duration_text(exact)
        case "":
            return _amount_text(exact)


def duration_text(ms: Decimal | int) -> str:
    """Milliseconds in the largest unit that leaves a whole number; a day is written `24h`, two are `2d`."""
    ms = Decimal(ms)
    for suffix, unit_ms in (("d", DAY_MS), ("h", HOUR_MS), ("m", MINUTE_MS)):
        fits = abs(ms) >= (2 * unit_ms if suffix == "d" else unit_ms)
        if fits and ms % unit_ms == 0:
            return f"{_plain(ms / unit_ms)}{suffix}"
    return f"{_plain(ms / SECOND_MS)}s"


def _amount_text(value: Decimal) -> str:
    for suffix, exponent in (("B", 9), ("M", 6)):
        scaled = value.scaleb(-exponent)
        if abs(scaled) >= 1 and len(scaled.normalize().as_tuple().digits) <= 4:
            return f"{_plain(scaled)}{suffix}"
    written = _plain(value)
    whole, _, fraction = written.partition(".")
    if len(whole.lstrip("-")) >= 5:
        whole = f"{int(whole):_}"
    return f"{whole}.{fraction}" if fraction else whole


def _plain(value: Decimal) -> str:
    """Without exponent and without trailing zeros."""
    written = f"{value:f}"
    return (written.rstrip("0").rstrip(".") if "." in written else written) or "0"
