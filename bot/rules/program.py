"""What a rule set computes at each tick: one row per number that a rule compares, each once for all rules.

The rows of a tick are the leaves that the market computes in batches, then what is made of them. They are gathered for
a block of ticks, so that the truth of rules can be found for all of them at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

import numpy as np

from bot.market.market import Market
from bot.market.series import Leaf
from bot.market.view import Moment, View
from bot.model.truth import TRUE
from bot.model.updates import F64, I64
from bot.rules.ast import Call, Compare, Expr, Number, Series, walk
from bot.rules.crossings import Crossing
from bot.rules.language import CROSSINGS
from bot.rules.leaves import leaf_of, leaves_of
from bot.rules.numbers import Mask, Numbers, Scoped, is_over_scope, is_single
from bot.rules.schema import Rule, Scope
from bot.rules.scope import ScopeTracker

EVERYWHERE: Final = Scope()
"""The scope of numbers that no rule asks for."""
_NOBODY: Final = np.zeros(1, dtype=np.bool_)

Key = tuple[Expr, Scope | None]
"""A number over all instruments; with a scope where it depends on one."""


def key_of(expr: Expr, scope: Scope) -> Key:
    return expr, scope if is_over_scope(expr) else None


def exprs_of(rule: Rule) -> tuple[Expr, ...]:
    """Everything that a rule computes."""
    return tuple(e for e in (rule.when, rule.end, rule.value) if e is not None)


def _numbers(rule: Rule) -> Iterable[Expr]:
    """Numbers that a rule compares or shows, and the conditions that are events or about data."""
    if rule.value is not None:
        yield rule.value
    for expr in (rule.when, rule.end):
        for node in walk(expr):
            if isinstance(node, Compare):
                yield from (s for s in (node.left, node.right) if not isinstance(s, Number) and not _is_count(s))
            elif isinstance(node, Call) and node.name in CROSSINGS:
                yield node
                # What crossed is the value of the alert.
                yield from (s for s in node.args if not isinstance(s, Number))
            elif isinstance(node, Call) and node.name == "stale":
                yield node


def _is_count(expr: Expr) -> bool:
    return isinstance(expr, Call) and expr.name == "count"


class Program:
    """Rows of a rule set. One program serves one run; crossings remember."""

    def __init__(
        self,
        rules: Iterable[Rule],
        crossings: Mapping[Key, Crossing] | None = None,
        numbers: Iterable[Expr] = (),
    ) -> None:
        """`crossings`: what is remembered from an earlier rule set; `numbers`: what else is computed at each tick."""
        rules, numbers = tuple(rules), tuple(numbers)
        self.leaves = leaves_of([*(e for r in rules for e in exprs_of(r)), *numbers])
        keys = {key_of(e, r.scope): r.scope for r in rules for e in _numbers(r)}
        keys |= {key_of(e, EVERYWHERE): EVERYWHERE for e in numbers}
        self.made = [(key, scope) for key, scope in keys.items() if leaf_of(key[0]) is None]
        held = crossings or {}
        self.crossings: dict[Key, Crossing] = {
            key: held.get(key) or Crossing(key[0].name)
            for key, _ in self.made
            if isinstance(key[0], Call) and key[0].name in CROSSINGS
        }
        self.singles: set[int] = set()
        """Rows that hold one number for the whole scope."""
        self.row_of: dict[Key, int] = {}
        self.gap_row: dict[Key, int] = {}
        self.n_rows_used = 0
        self._leaf_row: dict[Leaf, int] = {}

    def lay_out(self, leaves: Sequence[Leaf]) -> None:
        """Number the rows. `leaves`: what the market computes, in its order, once it holds what is needed."""
        self._leaf_row = {leaf: row for row, leaf in enumerate(leaves)}
        row = len(leaves)
        for key, _ in self.made:
            self.row_of[key] = row
            if is_single(key[0]):
                self.singles.add(row)
            row += 1
        for key in self.crossings:
            self.gap_row[key] = row
            row += 1
        self.n_rows_used = row

    def row(self, expr: Expr, scope: Scope) -> int | None:
        """The row of a number; None for one that is not computed at each tick."""
        leaf = leaf_of(expr)
        if leaf is not None:
            return self._leaf_row.get(leaf)
        return self.row_of.get(key_of(expr, scope))

    def compute(self, market: Market, now_ms: int, scopes: Mapping[Scope, Scoped], out: F64) -> None:
        """One tick into `out`, shape (n_rows_used, n_rows)."""
        market.compute(now_ms, out[: len(self._leaf_row)])
        if not self.made:
            return
        view = View(market, [market.moment(now_ms, copied=False)])
        numbers = Numbers(view, lambda leaf: self._leaf(out, view, leaf))
        halted = ~market.is_trading
        for key, scope in self.made:
            out[self.row_of[key]] = self._make(key, numbers, scopes[scope], view, halted, out)

    def _leaf(self, out: F64, view: View, leaf: Leaf) -> F64:
        row = self._leaf_row.get(leaf)
        values: F64 = view.leaf(leaf)[0] if row is None else out[row]
        return values

    def _make(self, key: Key, numbers: Numbers, scope: Scoped, view: View, halted: Mask, out: F64) -> F64:
        expr = key[0]
        if isinstance(expr, Call) and expr.name == "stale":
            series = expr.args[0]
            assert isinstance(series, Series)
            return np.where(halted, np.nan, view.stale(series.name)[0] == TRUE)
        if isinstance(expr, Call) and (crossing := self.crossings.get(key)) is not None:
            left, right = (numbers.value(side, scope) for side in expr.args)
            # One number for the whole scope is remembered once, and no halt of one instrument hides it.
            halted = _NOBODY if is_single(expr) else halted
            crossed, gap_ms = crossing.step(left, right, halted, int(view.now_ms[0]))
            out[self.gap_row[key]] = gap_ms
            return crossed
        return numbers.value(expr, scope)

    def clear(self, row: int) -> None:
        """The row belongs to another instrument now."""
        for (expr, _), crossing in self.crossings.items():
            if not is_single(expr):
                crossing.clear(row)

    def reset(self) -> None:
        for crossing in self.crossings.values():
            crossing.reset()


class Ticked(Protocol):
    """T ticks computed: what the truth of rules is found from."""

    @property
    def now_ms(self) -> I64:
        """Shape (T,)."""
        ...

    @property
    def values(self) -> F64:
        """Shape (n_rows_used, T, n_rows)."""
        ...

    def members(self, scope: Scope) -> Mask:
        """Shape (T, n_rows)."""
        ...

    def is_known(self, scope: Scope) -> Mask:
        """Shape (T,); False while the scope is warming up."""
        ...


class Block:
    """The rows of up to `n_block` ticks, and who was in each scope. Reused; valid until the next block begins."""

    def __init__(self, n_block: int) -> None:
        self._n_block = n_block
        self._values: F64 = np.zeros((0, n_block, 0))
        self.moments: list[Moment] = []
        self._members: dict[Scope, list[Mask]] = {}
        self._known: dict[Scope, list[bool]] = {}

    def begin(self) -> None:
        self.moments = []
        self._members.clear()
        self._known.clear()

    def add(self, program: Program, market: Market, trackers: Mapping[Scope, ScopeTracker], now_ms: int) -> None:
        """Compute one more tick."""
        shape = (program.n_rows_used, self._n_block, market.n_rows)
        if self._values.shape != shape:
            assert not self.moments
            self._values = np.zeros(shape)
        moment = market.moment(now_ms, copied=self._n_block > 1)
        view = View(market, [moment])
        halted = ~market.is_trading
        scoped = {}
        for scope, tracker in trackers.items():
            members = tracker.update(view)
            self._members.setdefault(scope, []).append(members)
            self._known.setdefault(scope, []).append(not tracker.is_warming)
            scoped[scope] = Scoped(members, halted, is_known=not tracker.is_warming)
        program.compute(market, now_ms, scoped, self._values[:, len(self.moments)])
        self.moments.append(moment)

    def reaches(self, now_ms: int, step_ms: int) -> bool:
        """Whether the rings still hold what the first tick gathered looks back on, once they are written up to now."""
        return now_ms // step_ms - self.moments[0].now_ms // step_ms < self._n_block

    @property
    def now_ms(self) -> I64:
        return np.array([m.now_ms for m in self.moments], dtype=np.int64)

    @property
    def values(self) -> F64:
        return self._values[:, : len(self.moments)]

    def members(self, scope: Scope) -> Mask:
        members = self._members[scope]
        return members[0][None, :] if len(members) == 1 else np.stack(members)

    def is_known(self, scope: Scope) -> Mask:
        return np.array(self._known[scope], dtype=np.bool_)
