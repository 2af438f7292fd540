"""The last tick, opened for questions: the numbers and truths that it computed, and how far each is from a threshold.

Numbers that the tick has rows for are those rows; parts inside of them are made from the same rows by the same code.
Farness of a condition is a plain number for ordering: 0 is true, infinite is unknown, else what is missing as a share of
the larger of value and threshold; of an `and` its farthest part, of an `or` its nearest.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, TypeVar

import numpy as np

from bot.engine.engine import Engine
from bot.market.series import Leaf
from bot.market.view import View
from bot.model.explanation import Distance, Node, Unit, Verdict
from bot.model.truth import FALSE, TRUE, UNKNOWN
from bot.model.updates import F64
from bot.rules.ast import MIRROR, NEGATED, And, BinaryOp, Call, Compare, CompareOp, Expr, Neg, Not, Number, Or, Series
from bot.rules.evaluator import Count
from bot.rules.language import CROSSINGS
from bot.rules.meter import is_ratio
from bot.rules.numbers import Mask, Numbers, Scoped
from bot.rules.plan import PlanResult
from bot.rules.schema import Rule, Scope

VERDICTS: Final[dict[int, Verdict]] = {TRUE: "true", FALSE: "false", UNKNOWN: "unknown"}
_UNITS: Final[dict[str, Unit]] = {
    "price": "price",
    "index": "price",
    "oi": "amount",
    "oi_usd": "usd",
    "volume": "usd",
    "volume_24h": "usd",
    "liq_long": "usd",
    "liq_short": "usd",
}
_KEEPS_UNIT: Final = frozenset({"abs", "avg", "min", "max", "std", "median", "total", "delta", "sum"})


def unit_of(expr: Expr) -> Unit:
    """How people read a number."""
    if is_ratio(expr) and not isinstance(expr, BinaryOp):
        return "ratio"
    match expr:
        case Number(unit="duration") | Call(name="age"):
            return "duration"
        case Series(name=name):
            return _UNITS.get(name, "number")
        case Call(name="count"):
            return "count"
        case Call(name=name, args=args) if name in _KEEPS_UNIT:
            return unit_of(args[0])
        case Neg(operand=operand):
            return unit_of(operand)
        case BinaryOp(op=op, left=left, right=right):
            units = (unit_of(left), unit_of(right))
            if op == "/" and units[0] == units[1]:
                return "number"
            # A share of an amount is an amount; a sum is what its parts are.
            return max(units, key=_WEIGHT.index)
        case _:
            return "number"


_WEIGHT: Final[tuple[Unit, ...]] = ("number", "count", "ratio", "duration", "amount", "usd", "price")


class TickValues:
    """One engine as of its last tick."""

    def __init__(self, engine: Engine, result: PlanResult) -> None:
        self.engine = engine
        self.result = result
        market = engine.market
        self.view = View(market, [market.moment(engine.now_ms, copied=False)])
        self._values = result.evaluation.values
        self.t = self._values.shape[1] - 1
        self._halted: Mask = ~market.is_trading
        self.pivot = int(np.argmax(market.is_trading)) if market.n_rows else 0
        """An instrument that trades: what is the same for all can be read there."""
        self._numbers = Numbers(self.view, self._leaf)
        self._scoped: dict[Scope, Scoped] = {}
        self._farness: dict[tuple[Expr, Scope, bool], F64] = {}

    @classmethod
    def of(cls, engine: Engine) -> "TickValues | None":
        """None before the first tick, and where instruments came since the last one."""
        result = engine.last
        if result is None or result.evaluation.values.shape[2] != engine.market.n_rows or not engine.market.n_rows:
            return None
        return cls(engine, result)

    # -- numbers -------------------------------------------------------------------------------------------------

    def _leaf(self, leaf: Leaf) -> F64:
        row = self.engine.market.windows.row_of.get(leaf)
        found: F64 = self.view.leaf(leaf)[0] if row is None else self._values[row, self.t]
        return found

    def members(self, scope: Scope) -> Mask:
        members: Mask = self.result.members(scope)[self.t]
        return members

    def is_scope_known(self, scope: Scope) -> bool:
        return not self.engine.plan.trackers[scope].is_warming

    def scoped(self, scope: Scope) -> Scoped:
        found = self._scoped.get(scope)
        if found is None:
            known = self.is_scope_known(scope)
            found = self._scoped[scope] = Scoped(self.members(scope), self._halted, is_known=known)
        return found

    def numbers(self, expr: Expr, scope: Scope) -> F64:
        """A number over all instruments, shape (n_rows,); NaN is unknown."""
        row = self.engine.plan.program.row(expr, scope)
        if row is not None:
            found: F64 = self._values[row, self.t]
            return found
        if isinstance(expr, Call) and expr.name == "count":
            return np.full(self.engine.market.n_rows, self.count(expr, scope).low[self.t, 0])
        return np.broadcast_to(self._numbers.value(expr, self.scoped(scope)), self.engine.market.n_rows)

    def number(self, expr: Expr, scope: Scope, row: int) -> float | None:
        value = float(self.numbers(expr, scope)[row])
        return value if math.isfinite(value) else None

    def count(self, call: Call, scope: Scope) -> Count:
        return self.result.evaluation.count(call, scope)

    # -- truths --------------------------------------------------------------------------------------------------

    def truths(self, expr: Expr, scope: Scope) -> "np.typing.NDArray[np.int8]":
        """A condition over all instruments, shape (n_rows,)."""
        truth = self.result.evaluation.truth(expr, scope)[self.t]
        return np.broadcast_to(truth, self.engine.market.n_rows)

    def verdict(self, expr: Expr, scope: Scope, row: int) -> Verdict:
        return VERDICTS[int(self.truths(expr, scope)[row])]

    def rule_verdict(self, rule: Rule, row: int) -> Verdict:
        """Of `when`, as the alert lives by it: unknown while the scope is warming up."""
        return VERDICTS[int(self.result.truth(rule).when[self.t, row if rule.per == "symbol" else 0])]

    def end(self, rule: Rule, row: int, node: Node, undecided: Sequence[str]) -> Node:
        """The end of a rule as the alert lives by it. `undecided`: why nothing is decided there, whatever the condition is."""
        truth = self.result.truth(rule).clear[self.t, row if rule.per == "symbol" else 0]
        if truth != UNKNOWN or node.verdict == "unknown":
            return node
        return replace(node, verdict="unknown", why=next(iter(undecided), ""))

    # -- distances -----------------------------------------------------------------------------------------------

    def threshold(self, compare: Compare, scope: Scope, row: int) -> float | None:
        """The right side; of a share of a count the number that it stands for."""
        count, bound, _ = sides_of_count(compare)
        if count is not None and bound is not None:
            n_members = float(self.count(count, scope).n_members[self.t, 0])
            return round(bound.value * n_members, 9) if bound.unit == "%" else bound.value
        return self.number(compare.right, scope, row)

    def distance(self, compare: Compare, op: CompareOp, scope: Scope, row: int) -> Distance | None:
        """How far a comparison is from `op` being true; None where a side is unknown, and for `!=`."""
        count, _, count_op = sides_of_count(compare)
        if count is not None:
            value: float | None = float(self.count(count, scope).low[self.t, 0])
            op = count_op if op == compare.op else NEGATED[count_op]
        else:
            value = self.number(compare.left, scope, row)
        threshold = self.threshold(compare, scope, row)
        if value is None or threshold is None or op == "!=":
            return None
        gap = missing(value, threshold, op)
        unit = "count" if count is not None else shown_unit(compare)
        return Distance(gap, gap / abs(threshold) if threshold else None, unit)

    def farness(self, expr: Expr, scope: Scope, *, negated: bool = False) -> F64:
        """Of a condition (or its opposite) over all instruments, shape (n_rows,)."""
        key = (expr, scope, negated)
        found = self._farness.get(key)
        if found is None:
            truth = self.truths(expr, scope)
            with np.errstate(all="ignore"):
                far = self._far(expr, scope, negated=negated)
            far = np.where(truth == (FALSE if negated else TRUE), 0.0, far)
            found = self._farness[key] = np.where(truth == UNKNOWN, np.inf, far)
        return found

    def _far(self, expr: Expr, scope: Scope, *, negated: bool) -> F64:
        match expr:
            case Not(item=item):
                return self.farness(item, scope, negated=not negated)
            case And(items=items) | Or(items=items):
                parts = np.stack([self.farness(i, scope, negated=negated) for i in items])
                farthest = isinstance(expr, And) != negated
                combined: F64 = np.max(parts, axis=0) if farthest else np.min(parts, axis=0)
                return combined
            case Compare(op=op):
                count, _, count_op = sides_of_count(expr)
                left = self.numbers(expr.left if count is None else count, scope)
                right = np.array(self.threshold(expr, scope, self.pivot)) if count else self.numbers(expr.right, scope)
                op = op if count is None else count_op
                return _share(left, right, missing(left, right, NEGATED[op] if negated else op))
            case Call(name=name, args=(left_side, right_side)) if name in CROSSINGS:
                left, right = self.numbers(left_side, scope), self.numbers(right_side, scope)
                return _share(left, right, np.abs(left - right))
            case Call(name="stale", args=(Series(name=series),)):
                limit = self.engine.market.next_valid_ms(series).astype(np.float64)
                return _share(self.view.age(series)[0], limit, limit - self.view.age(series)[0])
            case _:
                return np.full(self.engine.market.n_rows, np.inf)


def shown_unit(compare: Compare) -> Unit:
    """Of the two sides of a comparison: a literal takes the unit of the other side."""
    count, _, _ = sides_of_count(compare)
    if count is not None:
        return "count"
    left = unit_of(compare.left)
    return left if left != "number" or not isinstance(compare.right, Number) else unit_of(compare.right)


def sides_of_count(compare: Compare) -> tuple[Call | None, Number | None, CompareOp]:
    """The `count`, what it is compared with, and the operator seen from the count; no count gives None."""
    left, right = compare.left, compare.right
    if isinstance(left, Call) and left.name == "count" and isinstance(right, Number):
        return left, right, compare.op
    if isinstance(right, Call) and right.name == "count" and isinstance(left, Number):
        return right, left, MIRROR[compare.op]
    return None, None, compare.op


Operand = TypeVar("Operand", float, F64)


def missing(left: Operand, right: Operand, op: CompareOp) -> Operand:
    """How much a side lacks; negative where it is beyond."""
    match op:
        case ">" | ">=":
            return right - left
        case "<" | "<=":
            return left - right
        case _:
            return abs(left - right)


def _share(left: F64, right: F64, missing: F64) -> F64:
    size = np.maximum(np.abs(left), np.abs(right))
    return np.where(size > 0, np.maximum(missing, 0.0) / size, 0.0)
