"""Conditions over a view: for T times by N instruments at once, true, false or unknown.

Equal expressions are computed once per view, whoever asks for them. `count` is an interval while some instruments are
unknown, so a comparison with it can be known although they are not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, assert_never

import numpy as np

from bot.market.view import Tri, View, tri
from bot.model.truth import TRUE, UNKNOWN
from bot.model.updates import F64
from bot.rules.ast import And, BinaryOp, Call, Compare, CompareOp, Expr, Neg, Not, Number, Or, Series
from bot.rules.scope import Mask, Membership

MIN_KNOWN_SHARE: Final = 0.8
MIN_MEMBERS: Final = 5

_COMPARE: Final[dict[CompareOp, Callable[[F64, F64], Mask]]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}
_MIRROR: Final[dict[CompareOp, CompareOp]] = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


@dataclass(frozen=True, slots=True, eq=False)
class Count:
    """How many members a condition holds for: at least `low`, at most `high`. Shapes (T, 1)."""

    low: F64
    high: F64
    n_members: F64


class Evaluation:
    """All expressions of all rules over one view, each computed at most once."""

    def __init__(self, view: View, *, is_trading: Mask) -> None:
        self.view = view
        self._halted = ~is_trading
        self._values: dict[tuple[Expr, int], F64] = {}
        self._truths: dict[tuple[Expr, int], Tri] = {}
        self._counts: dict[tuple[Expr, int], Count] = {}

    # -- conditions ----------------------------------------------------------------------------------------------

    def truth(self, expr: Expr, scope: Membership) -> Tri:
        """A condition; shape (T, N), or (T, 1) for one about the whole scope. Unknown for a halted instrument."""
        key = (expr, id(scope))
        found = self._truths.get(key)
        if found is None:
            found = self._truths[key] = self._truth(expr, scope)
        return found

    def _truth(self, expr: Expr, scope: Membership) -> Tri:
        match expr:
            case Compare():
                return self._compare(expr, scope)
            case And(items=items):
                lowest: Tri = np.minimum.reduce(self._aligned([self.truth(i, scope) for i in items]))
                return lowest
            case Or(items=items):
                highest: Tri = np.maximum.reduce(self._aligned([self.truth(i, scope) for i in items]))
                return highest
            case Not(item=item):
                return (TRUE - self.truth(item, scope)).astype(np.int8)
            case Call(name="stale", args=(Series(name=series),)):
                return self._unless_halted(self.view.stale(series))
            case _:
                raise TypeError(f"not a condition: {expr!r}")

    @staticmethod
    def _aligned(truths: list[Tri]) -> list[Tri]:
        width = max(t.shape[1] for t in truths)
        return [np.broadcast_to(t, (t.shape[0], width)) for t in truths]

    def _unless_halted(self, truth: Tri) -> Tri:
        if truth.shape[1] != len(self._halted) or not self._halted.any():
            return truth
        return np.where(self._halted, UNKNOWN, truth).astype(np.int8)

    def _compare(self, expr: Compare, scope: Membership) -> Tri:
        left_count = isinstance(expr.left, Call) and expr.left.name == "count"
        right_count = isinstance(expr.right, Call) and expr.right.name == "count"
        if left_count or right_count:
            call, bound, op = (
                (expr.left, expr.right, expr.op) if left_count else (expr.right, expr.left, _MIRROR[expr.op])
            )
            return self._compare_count(self.count(call, scope), bound, op)
        left, right = self.value(expr.left, scope), self.value(expr.right, scope)
        with np.errstate(invalid="ignore"):
            held = _COMPARE[expr.op](left, right)
        known = np.isfinite(left) & np.isfinite(right)
        return self._unless_halted(tri(held, known))

    @staticmethod
    def _compare_count(count: Count, bound: Expr, op: CompareOp) -> Tri:
        assert isinstance(bound, Number)
        # Rounded, because 7% of 100 is not quite 7 in binary.
        n = np.round(bound.value * count.n_members, 9) if bound.unit == "%" else np.full_like(count.low, bound.value)
        both = _COMPARE[op](count.low, n), _COMPARE[op](count.high, n)
        if op in {"==", "!="}:
            exact = count.low == count.high
            possible = (count.low <= n) & (n <= count.high)
            certain = exact | ~possible
        else:
            certain = both[0] == both[1]
        # Of nobody nothing can be said.
        return tri(both[0], certain & (count.n_members > 0))

    # -- numbers -------------------------------------------------------------------------------------------------

    def value(self, expr: Expr, scope: Membership) -> F64:
        """A number; broadcastable to (T, N). NaN is unknown, also where the arithmetic left the finite numbers."""
        key = (expr, id(scope))
        found = self._values.get(key)
        if found is None:
            with np.errstate(all="ignore"):
                result = self._value(expr, scope)
            found = self._values[key] = np.where(np.isfinite(result), result, np.nan)
        return found

    def _value(self, expr: Expr, scope: Membership) -> F64:
        match expr:
            case Number(value=value):
                return np.full((1, 1), value)
            case Series(name=name):
                return self.view.value(name)
            case Neg(operand=operand):
                return -self.value(operand, scope)
            case BinaryOp(op=op, left=left, right=right):
                return _arithmetic(op, self.value(left, scope), self.value(right, scope))
            case Call():
                return self._call(expr, scope)
            case Compare() | And() | Or() | Not():
                raise TypeError(f"not a number: {expr!r}")
            case never:
                assert_never(never)

    def _call(self, call: Call, scope: Membership) -> F64:
        match call.name, call.args:
            case (("pct" | "delta" | "avg" | "min" | "max" | "std" | "zscore"), (Series(name=series), Number())):
                kernel: Callable[[str, int], F64] = getattr(self.view, call.name)
                return kernel(series, call.window_ms)
            case "abs", (inner,):
                return np.abs(self.value(inner, scope))
            case "age", (Series(name=series),):
                return self.view.age(series)
            case "median", (inner,):
                return self._median(self._over_scope(inner, scope))
            case "rank", (inner,):
                values = np.broadcast_to(self.value(inner, scope), scope.members.shape)
                return self._rank(values, self._over_scope(inner, scope))
            case "count", _:
                return self.count(call, scope).low
            case _:
                raise TypeError(f"no such function over these arguments: {call!r}")

    def count(self, call: Expr, scope: Membership) -> Count:
        """Members for which a condition is true, and how many more it may be true for."""
        key = (call, id(scope))
        found = self._counts.get(key)
        if found is None:
            assert isinstance(call, Call)
            truth = np.broadcast_to(self.truth(call.args[0], scope), scope.members.shape)
            n_true = ((truth == TRUE) & scope.members).sum(axis=1, keepdims=True).astype(np.float64)
            n_unknown = ((truth == UNKNOWN) & scope.members).sum(axis=1, keepdims=True)
            n_members = scope.members.sum(axis=1, keepdims=True).astype(np.float64)
            found = self._counts[key] = Count(n_true, n_true + n_unknown, n_members)
        return found

    def _over_scope(self, expr: Expr, scope: Membership) -> F64:
        """Values of known members, NaN elsewhere; all NaN at times when too few are known."""
        values = np.broadcast_to(self.value(expr, scope), scope.members.shape)
        values = np.where(scope.members & ~self._halted, values, np.nan)
        n_known = np.isfinite(values).sum(axis=1)
        enough = (n_known >= MIN_MEMBERS) & (n_known >= MIN_KNOWN_SHARE * scope.members.sum(axis=1)) & scope.is_known
        return np.where(enough[:, None], values, np.nan)

    @staticmethod
    def _median(values: F64) -> F64:
        out = np.full((values.shape[0], 1), np.nan)
        for t, row in enumerate(values):
            known = row[np.isfinite(row)]
            if len(known):
                out[t, 0] = np.median(known)
        return out

    @staticmethod
    def _rank(values: F64, members: F64) -> F64:
        """Place among the members: 1 is the largest, equals share the better place. An instrument outside the scope
        gets the place that it would have, so that an alert on it can still end.
        """
        out = np.full(values.shape, np.nan)
        for t, row in enumerate(values):
            ascending = np.sort(members[t][np.isfinite(members[t])])
            if len(ascending):
                place = len(ascending) - np.searchsorted(ascending, row, side="right") + 1
                out[t] = np.where(np.isfinite(row), place, np.nan)
        return out


def _arithmetic(op: str, left: F64, right: F64) -> F64:
    match op:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case _:
            return left / right
