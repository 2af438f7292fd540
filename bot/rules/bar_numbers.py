"""Number expressions over a block of bars, for all closes and instruments at once; NaN is unknown.

What `Numbers` says at one tick, for T of them: shapes are (T, N), (T, 1) for one number for the whole scope, or (1, 1).
"""

from dataclasses import dataclass
from typing import assert_never

import numpy as np

from bot.market.bar_market import BarMarket
from bot.model.updates import F64, Mask
from bot.rules.ast import And, BinaryOp, Call, Compare, Expr, Neg, Not, Number, Or, Series
from bot.rules.leaves import leaf_of
from bot.rules.numbers import MIN_KNOWN_SHARE, MIN_MEMBERS, arithmetic


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """Who is in a scope at each tick."""

    inside: Mask
    """Shape (T, N)."""
    is_known: Mask
    """Shape (T,); False while the scope is warming up."""


class BarNumbers:
    """All number expressions of one block, each computed at most once."""

    def __init__(self, market: BarMarket) -> None:
        self._market = market
        self._values: dict[tuple[Expr, int], F64] = {}

    def value(self, expr: Expr, scope: Members) -> F64:
        """A number. NaN also where the arithmetic left the finite numbers."""
        key = (expr, id(scope))
        found = self._values.get(key)
        if found is None:
            found = self._values[key] = self._value(expr, scope)
        return found

    def _value(self, expr: Expr, scope: Members) -> F64:
        leaf = leaf_of(expr)
        if leaf is not None and leaf.function != "age":
            return self._market.value(leaf)
        match expr:
            case Number(value=value):
                return np.array([[value]])
            case Neg(operand=operand):
                return -self.value(operand, scope)
            case BinaryOp(op=op, left=left, right=right):
                return arithmetic(op, self.value(left, scope), self.value(right, scope))
            case Call(name="abs", args=(inner,)):
                return np.abs(self.value(inner, scope))
            case Call(name="age", args=(Series(name=series),)):
                return self._market.age(series)
            case Call(name="median" | "rank" | "total" as name, args=(inner,)):
                return over_scope(name, np.broadcast_to(self.value(inner, scope), scope.inside.shape), scope)
            case Call() | Series():
                raise TypeError(f"no such function over bars: {expr!r}")
            case Compare() | And() | Or() | Not():
                raise TypeError(f"not a number: {expr!r}")
            case never:
                assert_never(never)


def over_scope(name: str, values: F64, scope: Members) -> F64:
    """`median`, `total` or `rank` of the known members at each tick, unknown where too few are known."""
    known = scope.inside & np.isfinite(values)
    n = known.sum(axis=1)
    needed = np.maximum(MIN_MEMBERS, MIN_KNOWN_SHARE * scope.inside.sum(axis=1))
    answered = scope.is_known & (n >= needed)
    if name == "rank":
        return np.where(answered[:, None] & np.isfinite(values), _rank(values, known), np.nan)
    if name == "total":
        found = np.where(known, values, 0.0).sum(axis=1)
    else:
        ordered = np.sort(np.where(known, values, np.nan), axis=1)
        middle = np.maximum(n - 1, 0) // 2, n // 2
        low, high = (np.take_along_axis(ordered, np.minimum(m, values.shape[1] - 1)[:, None], axis=1) for m in middle)
        found = ((low + high) / 2)[:, 0]
    return np.where(answered, found, np.nan)[:, None]


def _rank(values: F64, known: Mask) -> F64:
    """One more than the number of known members above; of an outsider the place that it would have."""
    order = np.argsort(-values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=1)
    before = np.zeros(values.shape, dtype=np.int64)
    np.cumsum(np.take_along_axis(known, order, axis=1)[:, :-1], axis=1, out=before[:, 1:])
    # Equals share the place of the first of them.
    is_first = np.ones(values.shape, dtype=np.bool_)
    is_first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first = np.maximum.accumulate(np.where(is_first, np.arange(values.shape[1]), 0), axis=1)
    place = np.empty(values.shape)
    np.put_along_axis(place, order, np.take_along_axis(before, first, axis=1) + 1.0, axis=1)
    return place
