"""A rule set made ready: what it needs of the market, and each rule's truth over a view."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bot.market.market import HOUR_MS, PARTS, Market, Needs
from bot.market.view import Tri, View
from bot.model.truth import TRUE, UNKNOWN
from bot.rules.ast import Call, Compare, Expr, Neg, Number, Series, children, series_used, text, windows_used
from bot.rules.evaluator import Evaluation
from bot.rules.schema import Rule, Scope
from bot.rules.scope import Membership, ScopeTracker

_RATIO_SERIES: Final = frozenset({"basis", "funding", "funding_8h", "taker_buy"})
_KEEPS_UNIT: Final = frozenset({"abs", "avg", "min", "max", "std", "median", "total", "delta", "sum"})


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """One rule over a view. All of shape (T, N), or (T, 1) for `per: market`."""

    rule: Rule
    when: Tri
    clear: Tri
    members: "np.typing.NDArray[np.bool_]"


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


def needs_of(rules: Sequence[Rule]) -> Needs:
    """How far back the rules look, per raw series."""
    fine: dict[str, int] = {}
    coarse: dict[str, int] = {}
    for rule in rules:
        for expr in (rule.when, rule.end, rule.value):
            for series, window_ms, _ in windows_used(expr) if expr is not None else ():
                longest = fine if window_ms <= HOUR_MS else coarse
                for name in PARTS[series]:
                    longest[name] = max(longest.get(name, 0), window_ms)
    return Needs(fine, coarse)


def is_ratio(expr: Expr) -> bool:
    """Whether people read the value as a percentage."""
    match expr:
        case Number(unit=unit):
            return unit == "%"
        case Series(name=name):
            return name in _RATIO_SERIES
        case Call(name="pct"):
            return True
        case Call(name=name, args=args):
            return name in _KEEPS_UNIT and is_ratio(args[0])
        case Neg(operand=operand):
            return is_ratio(operand)
        case _:
            return any(is_ratio(part) for part in children(expr))


class Plan:
    """Enabled rules over one market. Holds the scopes' memory, so one plan serves one run."""

    def __init__(self, rules: Sequence[Rule], market: Market) -> None:
        self.rules = tuple(r for r in rules if r.enabled)
        self._market = market
        self._trackers: dict[Scope, ScopeTracker] = {
            rule.scope: ScopeTracker(rule.scope, market.universe) for rule in self.rules
        }
        self._uses_oi = {r.id: "oi" in {p for s in series_used(r.when) for p in PARTS[s]} for r in self.rules}

    @property
    def warming(self) -> tuple[str, ...]:
        """Ids of rules whose scope is not decided yet."""
        return tuple(r.id for r in self.rules if self._trackers[r.scope].is_warming)

    def uses_oi(self, rule: Rule) -> bool:
        return self._uses_oi[rule.id]

    def evaluate(self, view: View) -> "PlanResult":
        """All rules at all ticks of a view. Views must come in order of time."""
        scopes = {scope: tracker.update(view) for scope, tracker in self._trackers.items()}
        evaluation = Evaluation(view, is_trading=self._market.is_trading)
        return PlanResult(self.rules, evaluation, scopes)


class PlanResult:
    """Truths and, on demand, the values behind them."""

    def __init__(self, rules: Sequence[Rule], evaluation: Evaluation, scopes: dict[Scope, Membership]) -> None:
        self._rules = rules
        self.evaluation = evaluation
        self._scopes = scopes

    def scope(self, rule: Rule) -> Membership:
        return self._scopes[rule.scope]

    def truths(self) -> list[Truth]:
        return [self._truth(rule) for rule in self._rules]

    def _truth(self, rule: Rule) -> Truth:
        scope = self._scopes[rule.scope]
        shape = (scope.members.shape[0], 1) if rule.per == "market" else scope.members.shape
        when = np.broadcast_to(self.evaluation.truth(rule.when, scope), shape)
        clear = np.broadcast_to(self.evaluation.truth(rule.end, scope), shape)
        members = np.ones(shape, dtype=np.bool_) if rule.per == "market" else scope.members
        if not scope.is_known.all():
            warming = ~scope.is_known[:, None]
            when = np.where(warming, UNKNOWN, when).astype(np.int8)
            clear = np.where(warming, UNKNOWN, clear).astype(np.int8)
        return Truth(rule, when, clear, members)

    def measured(self, rule: Rule, t: int, row: int) -> Measured:
        """The value of a rule at one tick: `value`, else the left side of the first true comparison, else of the
        first comparison at all.
        """
        scope = self._scopes[rule.scope]
        comparison = self._true_comparison(rule, t, row)
        shown = rule.value if rule.value is not None else (comparison.left if comparison else None)
        if shown is None:
            return Measured(None, "", is_ratio=False, threshold=None, direction=1, window_ms=0)
        threshold = self._number(comparison.right, scope, t, row) if comparison and rule.value is None else None
        windows = [w for _, w, _ in windows_used(rule.when)]
        n_true = n_members = None
        if isinstance(shown, Call) and shown.name == "count":
            count = self.evaluation.count(shown, scope)
            n_true, n_members = int(count.low[t, 0]), int(count.n_members[t, 0])
        ratio = is_ratio(shown) or (comparison is not None and n_true is None and is_ratio(comparison.right))
        value = self._number(shown, scope, t, row)
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
        )

    def true_members(self, rule: Rule, t: int) -> list[int]:
        """Rows for which the condition inside the rule's first `count` is true, for a market-wide card."""
        scope = self._scopes[rule.scope]
        for comparison in rule.comparisons:
            for side in (comparison.left, comparison.right):
                if isinstance(side, Call) and side.name == "count":
                    truth = np.broadcast_to(self.evaluation.truth(side.args[0], scope), scope.members.shape)
                    return [int(r) for r in np.flatnonzero((truth[t] == TRUE) & scope.members[t])]
        return []

    def _true_comparison(self, rule: Rule, t: int, row: int) -> Compare | None:
        scope = self._scopes[rule.scope]
        for comparison in rule.comparisons:
            truth = self.evaluation.truth(comparison, scope)
            if truth[t, min(row, truth.shape[1] - 1)] == TRUE:
                return comparison
        return rule.comparisons[0] if rule.comparisons else None

    def _number(self, expr: Expr, scope: Membership, t: int, row: int) -> float | None:
        values = self.evaluation.value(expr, scope)
        value = values[min(t, values.shape[0] - 1), min(row, values.shape[1] - 1)]
        return float(value) if np.isfinite(value) else None
