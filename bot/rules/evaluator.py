"""Conditions over a block of ticks: true, false or unknown, for T times by N instruments at once.

The numbers were computed at each tick; here they are compared. Equal expressions are compared once, whoever asks.
`count` is an interval while some instruments are unknown, so a comparison with it can be known although they are not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bot.market.view import Tri, tri
from bot.model.truth import TRUE, UNKNOWN
from bot.model.updates import F64
from bot.rules.ast import MIRROR, And, BinaryOp, Call, Compare, CompareOp, Expr, Neg, Not, Number, Or
from bot.rules.numbers import Mask, arithmetic
from bot.rules.program import Program, Ticked
from bot.rules.schema import Scope

COMPARE: Final[dict[CompareOp, Callable[..., Any]]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}


@dataclass(frozen=True, slots=True, eq=False)
class Count:
    """How many members a condition holds for: at least `low`, at most `high`. Shapes (T, 1)."""

    low: F64
    high: F64
    n_members: F64


class Evaluation:
    """Conditions of all rules over one block, each found at most once."""

    def __init__(self, program: Program, block: Ticked, *, is_trading: Mask) -> None:
        self._program = program
        self._block = block
        self.values = block.values
        self.halted = ~is_trading
        self._any_halted = bool(self.halted.any())
        self._numbers: dict[tuple[Expr, Scope], F64] = {}
        self._truths: dict[tuple[Expr, Scope], Tri] = {}
        self._counts: dict[tuple[Expr, Scope], Count] = {}

    # -- conditions ----------------------------------------------------------------------------------------------

    def truth(self, expr: Expr, scope: Scope) -> Tri:
        """A condition; shape (T, N), or (T, 1) for one about the whole scope. Unknown for a halted instrument."""
        key = (expr, scope)
        found = self._truths.get(key)
        if found is None:
            found = self._truths[key] = self._truth(expr, scope)
        return found

    def _truth(self, expr: Expr, scope: Scope) -> Tri:
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
            case Call():
                # Crossings and `stale` were decided at their tick: 1 or 0, unknown where they are.
                happened = self.number(expr, scope)
                return tri(happened > 0, np.isfinite(happened))
            case _:
                raise TypeError(f"not a condition: {expr!r}")

    @staticmethod
    def _aligned(truths: list[Tri]) -> list[Tri]:
        width = max(t.shape[1] for t in truths)
        return [np.broadcast_to(t, (t.shape[0], width)) for t in truths]

    def _unless_halted(self, truth: Tri) -> Tri:
        if not self._any_halted or truth.shape[1] != len(self.halted):
            return truth
        return np.where(self.halted, UNKNOWN, truth).astype(np.int8)

    def _compare(self, expr: Compare, scope: Scope) -> Tri:
        left_count = isinstance(expr.left, Call) and expr.left.name == "count"
        right_count = isinstance(expr.right, Call) and expr.right.name == "count"
        if left_count or right_count:
            call, bound, op = (
                (expr.left, expr.right, expr.op) if left_count else (expr.right, expr.left, MIRROR[expr.op])
            )
            return self._compare_count(self.count(call, scope), bound, op)
        left, right = self.number(expr.left, scope), self.number(expr.right, scope)
        with np.errstate(invalid="ignore"):
            held = COMPARE[expr.op](left, right)
        known = np.isfinite(left)
        if not isinstance(expr.right, Number):
            known = known & np.isfinite(right)
        return self._unless_halted(tri(held, known))

    @staticmethod
    def _compare_count(count: Count, bound: Expr, op: CompareOp) -> Tri:
        assert isinstance(bound, Number)
        # Rounded, because 7% of 100 is not quite 7 in binary.
        n = np.round(bound.value * count.n_members, 9) if bound.unit == "%" else np.full_like(count.low, bound.value)
        both = COMPARE[op](count.low, n), COMPARE[op](count.high, n)
        if op in {"==", "!="}:
            exact = count.low == count.high
            possible = (count.low <= n) & (n <= count.high)
            certain = exact | ~possible
        else:
            certain = both[0] == both[1]
        # Of nobody nothing can be said.
        return tri(both[0], certain & (count.n_members > 0))

    # -- numbers -------------------------------------------------------------------------------------------------

    def number(self, expr: Expr, scope: Scope) -> F64:
        """A number; broadcastable to (T, N). NaN is unknown."""
        row = self._program.row(expr, scope)
        if row is not None:
            values: F64 = self.values[row]
            return values[:, :1] if row in self._program.singles else values
        key = (expr, scope)
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = self._number(expr, scope)
        return found

    def _number(self, expr: Expr, scope: Scope) -> F64:
        match expr:
            case Number(value=value):
                return np.full((1, 1), value)
            case Neg(operand=operand):
                return -self.number(operand, scope)
            case BinaryOp(op=op, left=left, right=right):
                return arithmetic(op, self.number(left, scope), self.number(right, scope))
            case Call(name="abs", args=(inner,)):
                size: F64 = np.abs(self.number(inner, scope))
                return size
            case Call(name="count"):
                return self.count(expr, scope).low
            case _:
                raise TypeError(f"not computed at the ticks: {expr!r}")

    def count(self, call: Expr, scope: Scope) -> Count:
        """Members for which a condition is true, and how many more it may be true for."""
        key = (call, scope)
        found = self._counts.get(key)
        if found is None:
            assert isinstance(call, Call)
            members = self._block.members(scope)
            truth = np.broadcast_to(self.truth(call.args[0], scope), members.shape)
            n_true = ((truth == TRUE) & members).sum(axis=1, keepdims=True).astype(np.float64)
            n_unknown = ((truth == UNKNOWN) & members).sum(axis=1, keepdims=True)
            n_members = members.sum(axis=1, keepdims=True).astype(np.float64)
            found = self._counts[key] = Count(n_true, n_true + n_unknown, n_members)
        return found
