"""Number expressions at one tick, over all instruments; NaN is unknown. Shapes are (n_rows,), or (1,) for one number.

Where the leaves come from is the caller's: what the tick computed for all rules, or the market read anew.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, Generic, TypeVar, assert_never

import numpy as np
import numpy.typing as npt

from bot.market.series import Leaf
from bot.market.view import View
from bot.model.updates import F64
from bot.rules.ast import And, BinaryOp, Call, Compare, Expr, Neg, Not, Number, Or, Series, walk
from bot.rules.language import CROSSINGS
from bot.rules.leaves import leaf_of

MIN_KNOWN_SHARE: Final = 0.8
MIN_MEMBERS: Final = 5
OVER_SCOPE: Final = frozenset({"median", "rank", "total"})

Mask = npt.NDArray[np.bool_]


def is_over_scope(expr: Expr) -> bool:
    """Whether a number depends on which instruments a rule looks at."""
    return any(isinstance(node, Call) and node.name in OVER_SCOPE for node in walk(expr))


def is_single(expr: Expr) -> bool:
    """Whether an expression is one number for the whole scope, not one per instrument."""
    match expr:
        case Number() | Call(name="median" | "total" | "count"):
            return True
        case Neg(operand=operand) | Call(name="abs", args=(operand,)):
            return is_single(operand)
        case BinaryOp(left=left, right=right):
            return is_single(left) and is_single(right)
        case Call(name=name, args=sides) if name in CROSSINGS:
            return all(is_single(side) for side in sides)
        case _:
            return False


class Scoped:
    """Who counts for functions over the scope, at one tick."""

    __slots__ = ("is_known", "members", "needed")

    def __init__(self, members: Mask, halted: Mask, *, is_known: bool) -> None:
        self.needed = max(MIN_MEMBERS, MIN_KNOWN_SHARE * int(members.sum()))
        """How many of the members have to be known."""
        self.members = members & ~halted
        self.is_known = is_known


ScopeT = TypeVar("ScopeT")


class NumberWalk(ABC, Generic[ScopeT]):
    """What a number is worth, whatever the shape: at one tick, or over a block of bars. Each is computed at most once."""

    def __init__(self) -> None:
        self._values: dict[tuple[Expr, int], F64] = {}

    def value(self, expr: Expr, scope: ScopeT) -> F64:
        """A number. NaN also where the arithmetic left the finite numbers."""
        key = (expr, id(scope))
        found = self._values.get(key)
        if found is None:
            found = self._values[key] = self._value(expr, scope)
        return found

    def _value(self, expr: Expr, scope: ScopeT) -> F64:
        leaf = leaf_of(expr)
        if leaf is not None and leaf.function != "age":
            return self._leaf(leaf)
        match expr:
            case Number(value=value):
                return self._literal(value)
            case Neg(operand=operand):
                return -self.value(operand, scope)
            case BinaryOp(op=op, left=left, right=right):
                return arithmetic(op, self.value(left, scope), self.value(right, scope))
            case Call(name="abs", args=(inner,)):
                return np.abs(self.value(inner, scope))
            case Call(name="age", args=(Series(name=series),)):
                return self._age(series)
            case Call(name="median" | "rank" | "total" as name, args=(inner,)):
                return self._over(name, self.value(inner, scope), scope)
            case Call() | Series():
                raise TypeError(f"no such function over these arguments: {expr!r}")
            case Compare() | And() | Or() | Not():
                raise TypeError(f"not a number: {expr!r}")
            case never:
                assert_never(never)

    @abstractmethod
    def _leaf(self, leaf: Leaf) -> F64: ...

    @abstractmethod
    def _literal(self, value: float) -> F64: ...

    @abstractmethod
    def _age(self, series: str) -> F64: ...

    @abstractmethod
    def _over(self, name: str, values: F64, scope: ScopeT) -> F64:
        """`median`, `rank` or `total`; `values` may still have to be broadcast."""


class Numbers(NumberWalk[Scoped]):
    """All number expressions over one tick."""

    def __init__(self, view: View, leaf: Callable[[Leaf], F64]) -> None:
        """`view` has one moment; it answers `age`."""
        super().__init__()
        self._view = view
        self._read = leaf

    def _leaf(self, leaf: Leaf) -> F64:
        return self._read(leaf)

    def _literal(self, value: float) -> F64:
        return np.array([value])

    def _age(self, series: str) -> F64:
        age: F64 = self._view.age(series)[0]
        return age

    def _over(self, name: str, values: F64, scope: Scoped) -> F64:
        values = np.broadcast_to(values, scope.members.shape)
        return _OVER[name](values, _of_members(values, scope))


def arithmetic(op: str, left: F64, right: F64) -> F64:
    """One operation; NaN where the result is not finite."""
    with np.errstate(all="ignore"):
        match op:
            case "+":
                result = left + right
            case "-":
                result = left - right
            case "*":
                result = left * right
            case _:
                result = left / right
    return np.where(np.isfinite(result), result, np.nan)


def _of_members(values: F64, scope: Scoped) -> F64:
    """Known values of the members; empty where too few are known."""
    known = values[scope.members & np.isfinite(values)]
    return known if scope.is_known and len(known) >= scope.needed else known[:0]


def _median(_: F64, members: F64) -> F64:
    return np.array([np.median(members) if len(members) else np.nan])


def _total(_: F64, members: F64) -> F64:
    return np.array([members.sum() if len(members) else np.nan])


def _rank(values: F64, members: F64) -> F64:
    """Place among the members: 1 is the largest, equals share the better place. An instrument outside the scope gets
    the place that it would have, so that an alert on it can still end.
    """
    if not len(members):
        return np.full(values.shape, np.nan)
    place = len(members) - np.searchsorted(np.sort(members), values, side="right") + 1
    return np.where(np.isfinite(values), place, np.nan)


_OVER: Final[dict[str, Callable[[F64, F64], F64]]] = {"median": _median, "total": _total, "rank": _rank}
