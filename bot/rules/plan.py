"""A rule set made ready: what it needs of the market, and the truth of each rule over a block of ticks.

A rule is awake in a block when it may be true somewhere, or when one of its alerts is alive; only awake rules are
looked at in full. The others change nothing.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bot.market.market import Market
from bot.market.series import PARTS, Needs
from bot.market.view import Tri
from bot.model.truth import TRUE, UNKNOWN
from bot.rules.ast import (
    Call,
    Compare,
    Expr,
    Neg,
    Number,
    Series,
    children,
    functions_used,
    series_used,
    text,
    windows_used,
)
from bot.rules.crossings import Crossing
from bot.rules.evaluator import Evaluation
from bot.rules.language import CROSSINGS
from bot.rules.leaves import leaves_of
from bot.rules.numbers import Mask
from bot.rules.program import Block, Key, Program, exprs_of, key_of
from bot.rules.schema import Rule, Scope
from bot.rules.scope import ScopeTracker
from bot.rules.screen import Screen, terms_of

_RATIO_SERIES: Final = frozenset({"basis", "funding", "funding_8h", "taker_buy"})
_KEEPS_UNIT: Final = frozenset({"abs", "avg", "min", "max", "std", "median", "total", "delta", "sum"})


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """One rule over a block. All of shape (T, N), or (T, 1) for `per: market`."""

    rule: Rule
    when: Tri
    clear: Tri
    members: Mask


@dataclass(frozen=True, slots=True)
class Measured:
    """The value of an alert at one tick, and what it is measured against."""

    value: float | None
    text: str
    """Expression of the value; empty where the condition has none."""
    is_ratio: bool
    threshold: float | None
    direction: int
    """+1 where the alert lies above its threshold, -1 below."""
    window_ms: int
    n_members: int | None = None
    n_true: int | None = None
    gap_ms: int = 0
    """Of a crossing: how long nothing was known before it."""


def needs_of(rules: Iterable[Rule]) -> Needs:
    """What the market must hold for some rules."""
    return Needs(leaves_of(e for r in rules for e in exprs_of(r)))


def is_ratio(expr: Expr) -> bool:
    """Whether people read the value as a percentage."""
    match expr:
        case Number(unit=unit):
            return unit == "%"
        case Series(name=name):
            return name in _RATIO_SERIES
        case Call(name="pct" | "slope"):
            return True
        case Call(name=name, args=args):
            return name in _KEEPS_UNIT and is_ratio(args[0])
        case Neg(operand=operand):
            return is_ratio(operand)
        case _:
            return any(is_ratio(part) for part in children(expr))


def is_event(rule: Rule) -> bool:
    """Whether the rule is about a crossing: it fires and ends at once."""
    return bool(functions_used(rule.when) & CROSSINGS)


class Plan:
    """Enabled rules over one market. Holds the scopes' memory, so one plan serves one run."""

    def __init__(
        self,
        rules: Sequence[Rule],
        market: Market,
        *,
        crossings: Mapping[Key, Crossing] | None = None,
        trackers: Mapping[Scope, ScopeTracker] | None = None,
    ) -> None:
        """`crossings` and `trackers`: what is remembered from an earlier rule set. Fits the market to the rules."""
        self.rules = tuple(r for r in rules if r.enabled)
        self._market = market
        held = trackers or {}
        self.trackers: dict[Scope, ScopeTracker] = {
            r.scope: held.get(r.scope) or ScopeTracker(r.scope, market.universe) for r in self.rules
        }
        self._uses_oi = {r.id: "oi" in {p for s in series_used(r.when) for p in PARTS.get(s, ())} for r in self.rules}
        self.program = Program(self.rules, market, crossings)
        self.grown = market.fit(Needs(self.program.leaves))
        """Series whose rings reach further back now than what they hold."""
        self.program.lay_out()
        self._make_screen()

    def _make_screen(self) -> None:
        scopes = list(self.trackers)
        number = {scope: k for k, scope in enumerate(scopes)}
        screened, always = [], []
        for i, rule in enumerate(self.rules):
            row_of = _rows_in(self.program, rule.scope)
            terms = None if rule.per == "market" else terms_of(rule.when, row_of)
            if terms is None:
                always.append(i)
            else:
                screened.append((i, terms))
        self._scopes = scopes
        self._always = tuple(always)
        self._screened = tuple(i for i, _ in screened)
        self.screen = Screen([t for _, t in screened], [number[self.rules[i].scope] for i in self._screened])

    @property
    def warming(self) -> tuple[str, ...]:
        """Ids of rules whose scope is not decided yet."""
        return tuple(r.id for r in self.rules if self.trackers[r.scope].is_warming)

    def uses_oi(self, rule: Rule) -> bool:
        return self._uses_oi[rule.id]

    def add_tick(self, block: Block, now_ms: int) -> None:
        """Compute one more tick of a block; ticks come in order of time."""
        block.add(self.program, self._market, self.trackers, now_ms)

    def evaluate(self, block: Block) -> "PlanResult":
        evaluation = Evaluation(self.program, block, is_trading=self._market.is_trading)
        return PlanResult(self, evaluation, block)

    def awake(self, block: Block, alive: Collection[int]) -> list[int]:
        """Numbers of the rules to look at, in their order; `alive`: those with alerts that are alive."""
        members = [block.members(scope) for scope in self._scopes]
        found = self.screen.true_somewhere(block.values, members)
        return sorted({*self._always, *alive, *(self._screened[i] for i in found)})

    def clear(self, row: int) -> None:
        """The row belongs to another instrument now."""
        self.program.clear(row)

    def reset(self) -> None:
        """The windows were emptied."""
        self.program.reset()


def _rows_in(program: Program, scope: Scope) -> Callable[[Expr], int | None]:
    return lambda expr: program.row(expr, scope)


class PlanResult:
    """Truths and, on demand, the values behind them."""

    def __init__(self, plan: Plan, evaluation: Evaluation, block: Block) -> None:
        self._plan = plan
        self.evaluation = evaluation
        self._block = block

    def members(self, rule: Rule) -> Mask:
        """Who is in the scope of a rule. Shape (T, N)."""
        return self._block.members(rule.scope)

    def truth(self, rule: Rule) -> Truth:
        members = self._block.members(rule.scope)
        is_known = self._block.is_known(rule.scope)
        shape = (members.shape[0], 1) if rule.per == "market" else members.shape
        when = np.broadcast_to(self.evaluation.truth(rule.when, rule.scope), shape)
        clear = np.broadcast_to(self.evaluation.truth(rule.end, rule.scope), shape)
        if rule.per == "market":
            members = np.ones(shape, dtype=np.bool_)
        if not is_known.all():
            warming = ~is_known[:, None]
            when = np.where(warming, UNKNOWN, when).astype(np.int8)
            clear = np.where(warming, UNKNOWN, clear).astype(np.int8)
        return Truth(rule, when, clear, members)

    def measured(self, rule: Rule, t: int, row: int) -> Measured:
        """The value of a rule at one tick: `value`, else the left side of the first true comparison, else of the
        first comparison at all; of a crossing alone, its own left side.
        """
        comparison = self._true_comparison(rule, t, row)
        crossing = _crossing_of(rule)
        shown = rule.value if rule.value is not None else (comparison.left if comparison else None)
        if shown is None and crossing is not None:
            shown = crossing.args[0]
        gap_ms = self._gap_ms(crossing, rule.scope, t, row)
        if shown is None:
            return Measured(None, "", is_ratio=False, threshold=None, direction=1, window_ms=0, gap_ms=gap_ms)
        limit = comparison.right if comparison else crossing.args[1] if crossing else None
        threshold = self.number(limit, rule.scope, t, row) if limit is not None and rule.value is None else None
        windows = [w for _, w, _ in windows_used(rule.when)]
        n_true = n_members = None
        if isinstance(shown, Call) and shown.name == "count":
            count = self.evaluation.count(shown, rule.scope)
            n_true, n_members = int(count.low[t, 0]), int(count.n_members[t, 0])
        ratio = is_ratio(shown) or (comparison is not None and n_true is None and is_ratio(comparison.right))
        value = self.number(shown, rule.scope, t, row)
        if comparison is not None and shown == comparison.left:
            direction = -1 if comparison.op in {"<", "<="} else 1
        else:
            # A value of the rule's own has no threshold: further means further from zero.
            direction = -1 if value is not None and value < 0 else 1
        return Measured(
            value=value,
            text=text(shown),
            is_ratio=ratio,
            threshold=threshold,
            direction=direction,
            window_ms=max(windows, default=0),
            n_members=n_members,
            n_true=n_true,
            gap_ms=gap_ms,
        )

    def _gap_ms(self, crossing: Call | None, scope: Scope, t: int, row: int) -> int:
        if crossing is None:
            return 0
        at = self._plan.program.gap_row[key_of(crossing, scope)]
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

    def _true_comparison(self, rule: Rule, t: int, row: int) -> Compare | None:
        for comparison in rule.comparisons:
            truth = self.evaluation.truth(comparison, rule.scope)
            if truth[min(t, truth.shape[0] - 1), min(row, truth.shape[1] - 1)] == TRUE:
                return comparison
        return rule.comparisons[0] if rule.comparisons else None

    def number(self, expr: Expr, scope: Scope, t: int, row: int) -> float | None:
        """One number of one instrument at one tick; None where it is unknown."""
        values = self.evaluation.number(expr, scope)
        value = values[min(t, values.shape[0] - 1), min(row, values.shape[1] - 1)]
        return float(value) if np.isfinite(value) else None


def _crossing_of(rule: Rule) -> Call | None:
    waiting: list[Expr] = [rule.when]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, Call) and node.name in CROSSINGS:
            return node
        waiting.extend(children(node))
    return None
