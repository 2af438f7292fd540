"""Truth and farness of conditions at one instrument, as plain numbers: for lists over all rules, where arrays over all
instruments would be a thousand times the work. A property test compares them with the arrays.
"""

import math
from dataclasses import dataclass
from typing import Final

from bot.engine.tick_values import TickValues, missing, sides_of_count
from bot.model.truth import FALSE, TRUE, UNKNOWN
from bot.rules.ast import NEGATED, And, Call, Compare, CompareOp, Expr, Not, Or, Series
from bot.rules.evaluator import COMPARE
from bot.rules.language import CROSSINGS
from bot.rules.numbers import is_single
from bot.rules.schema import Scope

_UNKNOWN_FAR: Final = math.inf


@dataclass(frozen=True, slots=True)
class Decisive:
    """The comparison on which a condition hangs at one instrument, and the operator that it waits for."""

    compare: Compare
    op: CompareOp


class OnePlace:
    """One instrument as of the last tick."""

    def __init__(self, seen: TickValues, row: int) -> None:
        self._seen = seen
        self._row = row
        self._halted = not bool(seen.engine.market.is_trading[row])

    def truth(self, expr: Expr, scope: Scope) -> int:
        """FALSE, UNKNOWN or TRUE."""
        match expr:
            case And(items=items):
                return min(self.truth(i, scope) for i in items)
            case Or(items=items):
                return max(self.truth(i, scope) for i in items)
            case Not(item=item):
                return TRUE - self.truth(item, scope)
            case Compare() if sides_of_count(expr)[0] is None:
                return self._compare(expr, scope)
            case Call():
                happened = self._seen.number(expr, scope, self._row)
                return UNKNOWN if happened is None else TRUE if happened > 0 else FALSE
            case _:
                return int(self._seen.truths(expr, scope)[self._row])

    def _compare(self, expr: Compare, scope: Scope) -> int:
        if self._halted and not (is_single(expr.left) and is_single(expr.right)):
            return UNKNOWN
        left, right = (self._seen.number(side, scope, self._row) for side in (expr.left, expr.right))
        if left is None or right is None:
            return UNKNOWN
        return TRUE if COMPARE[expr.op](left, right) else FALSE

    def far(self, expr: Expr, scope: Scope, *, negated: bool = False) -> float:
        """How far a condition (or its opposite) is from being true: 0 is true, infinite unknown."""
        truth = self.truth(expr, scope)
        if truth == UNKNOWN:
            return _UNKNOWN_FAR
        if truth == (FALSE if negated else TRUE):
            return 0.0
        match expr:
            case Not(item=item):
                return self.far(item, scope, negated=not negated)
            case And(items=items) | Or(items=items):
                parts = [self.far(i, scope, negated=negated) for i in items]
                return max(parts) if isinstance(expr, And) != negated else min(parts)
            case Compare():
                count, _, op = sides_of_count(expr)
                left = self._seen.number(expr.left if count is None else count, scope, self._row)
                right = self._seen.threshold(expr, scope, self._row)
                return _share(
                    left,
                    right,
                    None if left is None or right is None else missing(left, right, NEGATED[op] if negated else op),
                )
            case Call(name=name, args=(left_side, right_side)) if name in CROSSINGS:
                left, right = (self._seen.number(side, scope, self._row) for side in (left_side, right_side))
                return _share(left, right, None if left is None or right is None else abs(left - right))
            case Call(name="stale", args=(Series(name=series),)):
                limit = float(self._seen.engine.market.next_valid_ms(series)[self._row])
                age = float(self._seen.view.age(series)[0, self._row])
                return _share(age, limit, limit - age)
        return _UNKNOWN_FAR

    def decisive(self, expr: Expr, scope: Scope, *, negated: bool = False) -> Decisive | None:
        """What a condition hangs on: the farthest part of an `and`, the nearest of an `or`."""
        match expr:
            case Compare(op=op):
                return Decisive(expr, NEGATED[op] if negated else op)
            case Not(item=item):
                return self.decisive(item, scope, negated=not negated)
            case And(items=items) | Or(items=items):
                far = [self.far(i, scope, negated=negated) for i in items]
                farthest = isinstance(expr, And) != negated
                return self.decisive(items[far.index(max(far) if farthest else min(far))], scope, negated=negated)
            case _:
                return None


def _share(left: float | None, right: float | None, gap: float | None) -> float:
    if left is None or right is None or gap is None:
        return _UNKNOWN_FAR
    size = max(abs(left), abs(right))
    return max(gap, 0.0) / size if size > 0 else 0.0
