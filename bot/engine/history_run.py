"""Rules over bars of history: the same conditions, the same life of alerts, another source of values.

Bars come as grids without holes, in order of time, in as many pieces as memory asks for; any cut gives the same. Every
close is a tick. All values of a block of closes are computed at once; the alerts then walk only where truth changes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import chain
from types import MappingProxyType
from typing import Final

import numpy as np

from bot.alerts.seen import Ticks
from bot.alerts.threshold_columns import Facts
from bot.engine.faults import Faults
from bot.engine.inhibiting import Inhibiting, Sifted
from bot.engine.result import transition_of
from bot.engine.subscriptions import Heard, Subscriptions, measured, rule_of
from bot.engine.telling import as_of_now, plain_view
from bot.engine.walking import Walker, book_of
from bot.market.bar_market import BarMarket
from bot.model.alert import Notice, State, Transition
from bot.model.chat_alert import ChatAlert
from bot.model.history import BarGrid
from bot.model.instrument import MARKET
from bot.model.view import Shown
from bot.rules.ast import functions_used, text
from bot.rules.bar_block import BarBlock, asked_by, sized_by, timed_by
from bot.rules.meter import Measured
from bot.rules.plan import Plan, PlanResult
from bot.rules.schema import Rule

BLOCK_CELLS: Final = 4_000_000
"""Numbers held for one block: rows of numbers by closes by instruments; some 30 MB."""
MIN_CLOSES: Final = 256
MAX_CLOSES: Final = 2_048
"""Longer blocks take more memory and are no faster."""

_text = cache(text)


def run(
    rules: Sequence[Rule], grids: Iterable[BarGrid], *, alerts: Sequence[ChatAlert] = ()
) -> Iterator[Transition | Notice]:
    """What the rules, and alerts of chats, would have done, in order of time; every bar's close is a tick.

    `grids`: the same instruments and step in each, one following the other; of any length, and all arrays may be reused
    once the next is asked for. All instruments count as trading. Rules that are switched off are left out. What is told
    of an alert stands right behind its transition; it says what the alert measured, and no other figures. Which rules
    bars can answer says `rules.resolution.limits_of`.

    Raises:
        ValueError: The grids do not follow each other, or a rule asks `stale`, which cannot be said of bars.
    """
    blind = [r.id for r in rules if r.enabled and any("stale" in functions_used(e) for e in (r.when, r.end))]
    if blind:
        raise ValueError(f"expected rules that bars can answer, found stale(...) in {', '.join(blind)}")
    found = (grid for grid in grids if len(grid.close_ms))
    first = next(found, None)
    if first is None:
        return
    one = _Run(rules, alerts, first)
    for grid in chain([first], found):
        for piece in one.pieces(grid):
            yield from one.take(piece)


class _Run:
    """One run over one set of instruments."""

    def __init__(self, rules: Sequence[Rule], alerts: Sequence[ChatAlert], first: BarGrid) -> None:
        self._instruments = tuple(first.instruments)
        self._step_ms = first.step_ms
        self._next_ms = int(first.close_ms[0])
        rules = [r for r in rules if r.enabled]
        self._subscriptions = Subscriptions((), step_ms=first.step_ms)
        row_of = {i.key: row for row, i in enumerate(self._instruments)}
        for alert in alerts:
            self._subscriptions.add(alert, row_of)
        numbers = self._subscriptions.compile()
        self._market = BarMarket(
            self._instruments,
            first.step_ms,
            self._next_ms - first.step_ms,
            timed=timed_by([*asked_by(rules), *numbers]),
            sized=sized_by(rules),
        )
        self._plan = Plan(rules, self._market, numbers=numbers)
        self._rules = {r.id: r for r in self._plan.rules}
        books = {r.id: book_of(r, self._plan, first.step_ms) for r in self._plan.rules}
        self._faults = Faults()
        self._walker = Walker(self._plan, books, self._market, self._faults)
        self._inhibiting = Inhibiting(self._plan.rules, self._market.universe, ())
        self._block = BarBlock(self._plan.program, self._plan.trackers)
        n_cells = max(1, self._plan.program.n_rows_used * len(self._instruments))
        self._n_closes = int(np.clip(BLOCK_CELLS // n_cells, MIN_CLOSES, MAX_CLOSES))

    def pieces(self, grid: BarGrid) -> Iterator[BarGrid]:
        """A grid in blocks that are not too large."""
        if tuple(i.key for i in grid.instruments) != tuple(i.key for i in self._instruments):
            raise ValueError("expected the same instruments in every grid of a run, in the same order")
        if grid.step_ms != self._step_ms:
            raise ValueError(f"expected grids of one step, {self._step_ms} ms, found {grid.step_ms} ms")
        if int(grid.close_ms[0]) != self._next_ms:
            raise ValueError(f"expected the next grid to begin at {self._next_ms}, found {int(grid.close_ms[0])}")
        self._next_ms = int(grid.close_ms[-1]) + grid.step_ms
        for start in range(0, len(grid.close_ms), self._n_closes):
            part = slice(start, start + self._n_closes)
            columns = {name: column[part] for name, column in grid.columns.items()}
            yield BarGrid(self._instruments, grid.close_ms[part], grid.step_ms, columns)

    def take(self, grid: BarGrid) -> Iterator[Transition | Notice]:
        """One block of closes."""
        self._market.take(grid)
        self._block.compute(self._market)
        result = self._plan.evaluate(self._block)
        changes = self._walker.walk(self._block, result, self._ticks, self._name)
        heard = Heard()
        if len(self._subscriptions):
            trading = self._market.is_trading
            heard = self._subscriptions.tick(result.evaluation, self._plan.program, self._ticks(), trading)
        # Order of time first; within a tick rules come before what people asked for.
        merged = sorted([*changes, *heard.changes], key=lambda c: c.at_ms)
        now = (0, int(grid.close_ms[0]))
        for sifted in self._inhibiting.sift(merged, now):
            yield from self._told(sifted, result, heard.facts)

    def _ticks(self) -> Ticks:
        series = self._market.series
        return Ticks(series.close_ms, series.oi_ms, self._market.oi_interval_ms())

    def _name(self, row: int) -> str:
        return self._instruments[row].key

    def _told(
        self, sifted: Sifted, result: PlanResult, facts: Mapping[str, Facts] = MappingProxyType({})
    ) -> Iterator[Transition | Notice]:
        change = sifted.change
        if change.state is not None and change.state is not State.INACTIVE:
            yield transition_of(change)
        if change.tell is None:
            return
        about = facts.get(change.rule_id)
        if about is not None:
            yield self._notice(sifted, rule_of(change.rule_id, about), measured(change, about))
            return
        rule = self._rules[change.rule_id]
        yield self._notice(sifted, rule, result.measured(rule, change.t, change.row, change.option))

    def _notice(self, sifted: Sifted, rule: Rule, reading: Measured) -> Notice:
        change = as_of_now(sifted.change, reading)
        assert change.tell is not None
        instrument = None if change.instrument == MARKET else self._instruments[change.row]
        view = plain_view(change, rule, reading, _text(rule.when), instrument, Shown())
        if reading.n_members is not None or sifted.held_back:
            view = replace(view, n_members=reading.n_members, n_true=reading.n_true, held_back=sifted.held_back)
        at = (rule.id, change.instrument)
        return Notice(change.key, change.tell, change.n, *at, rule.severity, rule.notify, change.at_ms, view)
