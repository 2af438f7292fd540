"""A block of bars computed for a rule set: the same rows of numbers that ticks are gathered to, made all at once."""

from collections.abc import Mapping

import numpy as np

from bot.market.bar_market import BarMarket
from bot.model.updates import F64, I64, Mask
from bot.rules.ast import Call, Expr, series_used, walk
from bot.rules.bar_numbers import BarNumbers, Members
from bot.rules.crossings import Crossing
from bot.rules.numbers import is_single
from bot.rules.program import Key, Program, exprs_of
from bot.rules.schema import Rule, Scope
from bot.rules.scope import HOUR_MS, KNOWN_SHARE, ScopeTracker


def timed_by(exprs: "list[Expr]") -> frozenset[str]:
    """Series with samples of their own whose ages are asked for."""
    asked = {
        name
        for expr in exprs
        for node in walk(expr)
        if isinstance(node, Call) and node.name == "age"
        for name in series_used(node)
    }
    return frozenset(part for name in asked for part in (("price", "oi") if name == "oi_usd" else (name,)))


def sized_by(rules: "list[Rule]") -> frozenset[str]:
    """Gauges that the scopes of some rules are ranked by."""
    found = {rule.scope.by for rule in rules if rule.scope.top is not None}
    found |= {"oi_usd" for rule in rules if rule.scope.min_oi_usd is not None}
    found |= {"volume_24h" for rule in rules if rule.scope.min_volume_24h is not None}
    return frozenset(found)


def asked_by(rules: "list[Rule]") -> "list[Expr]":
    """Everything that some rules compute."""
    return [expr for rule in rules for expr in exprs_of(rule)]


class _SizesAt:
    """The market at one close, as a scope looks at it."""

    def __init__(self, market: BarMarket, t: int) -> None:
        self._market = market
        self._at = slice(t, t + 1)
        self.now_ms: I64 = market.series.close_ms[self._at]
        self.n_rows = market.n_rows

    def latest(self, series: str) -> F64:
        return self._market.series.latest(series)[self._at]


def members_over(tracker: ScopeTracker, market: BarMarket) -> Members:
    """Who is in a scope at each close of a block."""
    n_times = len(market.series.close_ms)
    first = tracker.update(_SizesAt(market, 0))
    shape = (n_times, market.n_rows)
    if not tracker.is_ranked:
        return Members(np.broadcast_to(first, shape), np.ones(n_times, dtype=np.bool_))
    hours = market.series.close_ms // HOUR_MS
    inside, is_known = np.zeros(shape, dtype=np.bool_), np.zeros(n_times, dtype=np.bool_)
    # A size that is known once stays known, so that the end of the block says whether it will do anywhere in it.
    never = tracker.is_warming and tracker.known_share(_SizesAt(market, n_times - 1)) < KNOWN_SHARE
    t = 0
    while t < n_times:
        members = tracker.update(_SizesAt(market, t))
        if never:
            until = n_times
        elif tracker.hour == hours[t]:
            until = int(np.searchsorted(hours, hours[t], side="right"))
        else:
            until = t + 1
        inside[t:until], is_known[t:until] = members, not tracker.is_warming
        t = until
    return Members(inside, is_known)


class BarBlock:
    """Reused: valid until the next block is computed."""

    def __init__(self, program: Program, trackers: Mapping[Scope, ScopeTracker]) -> None:
        self._program = program
        self._trackers = trackers
        self._buffer: F64 = np.zeros((0, 0, 0))
        self._members: dict[Scope, Members] = {}
        self.now_ms: I64 = np.zeros(0, dtype=np.int64)
        self.values: F64 = self._buffer

    def compute(self, market: BarMarket) -> None:
        """All rows at the closes that the market stands at."""
        self.now_ms = market.series.close_ms
        n_times = len(self.now_ms)
        if self._buffer.shape[1] < n_times:
            self._buffer = np.empty((self._program.n_rows_used, n_times, market.n_rows))
        self.values = self._buffer[:, :n_times]
        self._members = {scope: members_over(tracker, market) for scope, tracker in self._trackers.items()}
        for row, leaf in enumerate(market.windows.leaves):
            self.values[row] = market.value(leaf)
        numbers = BarNumbers(market)
        for key, scope in self._program.made:
            self.values[self._program.row_of[key]] = self._make(key, numbers, self._members[scope], market)

    def _make(self, key: Key, numbers: BarNumbers, scope: Members, market: BarMarket) -> F64:
        expr = key[0]
        crossing: Crossing | None = self._program.crossings.get(key)
        if crossing is None:
            return numbers.value(expr, scope)
        assert isinstance(expr, Call)
        left, right = (numbers.value(side, scope) for side in expr.args)
        crossed, gap_ms = crossing.run(left, right, self.now_ms, 1 if is_single(expr) else market.n_rows)
        self.values[self._program.gap_row[key]] = gap_ms
        return crossed

    def members(self, scope: Scope) -> Mask:
        return self._members[scope].inside

    def is_known(self, scope: Scope) -> Mask:
        return self._members[scope].is_known
