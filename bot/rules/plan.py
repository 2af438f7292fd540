"""A rule set made ready: what it needs of the market, and the truth of each rule over a block of ticks.

Which rules have to be looked at in full is found by `Screen` and `Cells`; here is what they are asked then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Protocol

import numpy as np

from bot.market.market import Market
from bot.market.series import PARTS, Leaf, Needs
from bot.market.universe import Universe
from bot.market.view import Tri
from bot.model.truth import TRUE, UNKNOWN
from bot.rules.ast import (
    Call,
    CompareOp,
    Expr,
    Number,
    functions_used,
    series_used,
)
from bot.rules.crossings import Crossing
from bot.rules.evaluator import COMPARE, Evaluation
from bot.rules.language import CROSSINGS
from bot.rules.meter import Measured, Meter
from bot.rules.numbers import Mask
from bot.rules.program import EVERYWHERE, Block, Key, Program, Ticked, key_of
from bot.rules.schema import Rule, Scope
from bot.rules.scope import ScopeTracker


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """One rule over a block. All of shape (T, N), or (T, 1) for `per: market`."""

    rule: Rule
    when: Tri
    clear: Tri
    members: Mask


def is_event(rule: Rule) -> bool:
    """Whether the rule is about a crossing: it fires and ends at once."""
    return bool(functions_used(rule.when) & CROSSINGS)


class HasLeaves(Protocol):
    """What a market computes."""

    @property
    def leaves(self) -> Sequence[Leaf]: ...


class Ground(Protocol):
    """What a plan needs of a market, whether it is told of one tick after the other or of all history at once."""

    @property
    def universe(self) -> Universe: ...

    @property
    def is_trading(self) -> Mask:
        """Shape (n_rows,)."""
        ...

    @property
    def windows(self) -> HasLeaves: ...

    def fit(self, needs: Needs) -> frozenset[str]:
        """Hold what is needed; returns the series that have to reach further back than they are held."""
        ...


class Plan:
    """Enabled rules over one market. Holds the scopes' memory, so one plan serves one run."""

    def __init__(
        self,
        rules: Sequence[Rule],
        market: Ground,
        *,
        crossings: Mapping[Key, Crossing] | None = None,
        trackers: Mapping[Scope, ScopeTracker] | None = None,
        numbers: Sequence[Expr] = (),
    ) -> None:
        """`crossings` and `trackers`: what is remembered from an earlier rule set; `numbers`: what else is computed at
        each tick. Fits the market to all of it.
        """
        self.rules = tuple(r for r in rules if r.enabled)
        self._market = market
        held = trackers or {}
        self.trackers: dict[Scope, ScopeTracker] = {
            scope: held.get(scope) or ScopeTracker(scope, market.universe)
            for scope in dict.fromkeys([*(r.scope for r in self.rules), *([EVERYWHERE] if numbers else [])])
        }
        self._uses_oi = {r.id: "oi" in {p for s in series_used(r.when) for p in PARTS.get(s, ())} for r in self.rules}
        self.program = Program(self.rules, crossings, numbers)
        self.grown = market.fit(Needs(self.program.leaves))
        """Series whose rings reach further back now than what they hold."""
        self.program.lay_out(market.windows.leaves)
        self.meters = {r.id: Meter(r, partial(self.program.row, scope=r.scope)) for r in self.rules}

    @property
    def warming(self) -> tuple[str, ...]:
        """Ids of rules whose scope is not decided yet."""
        return tuple(r.id for r in self.rules if self.trackers[r.scope].is_warming)

    def uses_oi(self, rule: Rule) -> bool:
        return self._uses_oi[rule.id]

    def add_tick(self, block: Block, market: Market, now_ms: int) -> None:
        """Compute one more tick of a block; ticks come in order of time."""
        block.add(self.program, market, self.trackers, now_ms)

    def evaluate(self, block: Ticked) -> "PlanResult":
        evaluation = Evaluation(self.program, block, is_trading=self._market.is_trading)
        return PlanResult(self, evaluation, block)

    def clear(self, row: int) -> None:
        """The row belongs to another instrument now."""
        self.program.clear(row)

    def reset(self) -> None:
        """The windows were emptied."""
        self.program.reset()


class PlanResult:
    """Truths and, on demand, the values behind them."""

    def __init__(self, plan: Plan, evaluation: Evaluation, block: Ticked) -> None:
        self._plan = plan
        self.evaluation = evaluation
        self._block = block

    def members(self, scope: Scope) -> Mask:
        """Who is in a scope; candidates while it is warming up. Shape (T, N)."""
        return self._block.members(scope)

    def truth(self, rule: Rule) -> Truth:
        members = self._block.members(rule.scope)
        is_known = self._block.is_known(rule.scope)
        shape = (members.shape[0], 1) if rule.per == "market" else members.shape
        when = np.broadcast_to(self.evaluation.truth(rule.when, rule.scope), shape)
        clear = np.broadcast_to(self.evaluation.truth(rule.end, rule.scope), shape)
        if rule.per == "market":
            members = np.ones(shape, dtype=np.bool_)
        unknown = ~is_known[:, None]
        if rule.per == "symbol":
            unknown = unknown | self.evaluation.halted
        if unknown.any():
            when = np.where(unknown, UNKNOWN, when).astype(np.int8)
            clear = np.where(unknown, UNKNOWN, clear).astype(np.int8)
        return Truth(rule, when, clear, members)

    def measured(self, rule: Rule, t: int, row: int, option: int | None = None) -> Measured:
        """The value of a rule at one tick; with `option` of the measure that an alert follows already."""
        meter = self._plan.meters[rule.id]
        gap_ms = self._gap_ms(meter, rule.scope, t, row)
        if not meter.options:
            return Measured(None, -1, "", is_ratio=False, threshold=None, direction=1, window_ms=0, gap_ms=gap_ms)
        if option is None or option < 0:
            option = self._pick(meter, rule.scope, t, row)
        shown = meter.options[option]
        n_true = n_members = None
        if shown.is_count:
            count = self.evaluation.count(shown.expr, rule.scope)
            n_true, n_members = int(count.low[t, 0]), int(count.n_members[t, 0])
        value = self._value(meter, option, rule.scope, t, row)
        return Measured(
            value=value,
            option=option,
            text=shown.text,
            is_ratio=shown.is_ratio,
            threshold=None if shown.limit is None else self.number(shown.limit, rule.scope, t, row),
            direction=shown.direction,
            window_ms=meter.window_ms,
            n_members=n_members,
            n_true=n_true,
            gap_ms=gap_ms,
            share_of=n_members if shown.is_share else None,
        )

    def course(self, rule: Rule, row: int, option: int, ticks: slice) -> tuple[list[float], int]:
        """One measure of one instrument at some ticks, NaN where it is unknown; and which way is further: +1 or -1, or 0
        for away from zero.
        """
        meter = self._plan.meters[rule.id]
        shown, at = meter.options[option], meter.rows[option]
        values = self.evaluation.number(shown.expr, rule.scope) if at is None else self.evaluation.values[at]
        column = np.broadcast_to(values[:, min(row, values.shape[1] - 1)], len(self._block.now_ms))[ticks]
        return np.where(np.isfinite(column), column, np.nan).tolist(), shown.direction

    def _value(self, meter: Meter, option: int, scope: Scope, t: int, row: int) -> float | None:
        at = meter.rows[option]
        if at is None:
            return self.number(meter.options[option].expr, scope, t, row)
        value = float(self.evaluation.values[at, t, row])
        return value if isfinite(value) else None

    def _pick(self, meter: Meter, scope: Scope, t: int, row: int) -> int:
        """The first comparison that is true, else the first."""
        if len(meter.options) < 2:
            return 0
        for k, option in enumerate(meter.options):
            if option.comparison is None:
                continue
            if meter.rows[k] is not None and isinstance(option.limit, Number) and not self.evaluation.halted[row]:
                value = self._value(meter, k, scope, t, row)
                held = option.op is not None and value is not None and _holds(option.op, value, option.limit.value)
            else:
                truth = self.evaluation.truth(option.comparison, scope)
                held = truth[min(t, truth.shape[0] - 1), min(row, truth.shape[1] - 1)] == TRUE
            if held:
                return k
        return 0

    def _gap_ms(self, meter: Meter, scope: Scope, t: int, row: int) -> int:
        if meter.crossing is None:
            return 0
        at = self._plan.program.gap_row[key_of(meter.crossing, scope)]
        return int(self.evaluation.values[at, t, row])

    def true_members(self, rule: Rule, t: int) -> list[int]:
        """Rows for which the condition inside the rule's first `count` is true, for a market-wide card."""
        members = self._block.members(rule.scope)
        for comparison in rule.comparisons:
            for side in (comparison.left, comparison.right):
                if isinstance(side, Call) and side.name == "count":
                    truth = np.broadcast_to(self.evaluation.truth(side.args[0], rule.scope), members.shape)
                    return [int(r) for r in np.flatnonzero((truth[t] == TRUE) & members[t])]
        return []

    def number(self, expr: Expr, scope: Scope, t: int, row: int) -> float | None:
        """One number of one instrument at one tick; None where it is unknown."""
        if isinstance(expr, Number):
            return expr.value
        values = self.evaluation.number(expr, scope)
        value = values[min(t, values.shape[0] - 1), min(row, values.shape[1] - 1)]
        return float(value) if np.isfinite(value) else None


def _holds(op: CompareOp, left: float, right: float) -> bool:
    return bool(COMPARE[op](left, right))
