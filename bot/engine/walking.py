"""From truths to changes of alerts: which alerts have to be moved at a tick, and moving them.

A tick of a live run moves single alerts: those that became true somewhere, those that are pending, and of the firing
ones only those that end, reach a new peak or are to be told again. On history many ticks are looked at as one block, and
rules that may be true in it, or have alerts that are alive, are walked as a whole. Both give the same changes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from bot.alerts.book import Change, RuleBook, policy_gap_ms
from bot.alerts.lifecycle import Policy
from bot.alerts.seen import RuleTruth, Seen, Ticks
from bot.alerts.strides import stride
from bot.engine.faults import Faults
from bot.model.truth import FALSE, TRUE
from bot.model.updates import F64
from bot.rules.cells import Cells, CellTruths, Ints
from bot.rules.numbers import Mask
from bot.rules.plan import Ground, Plan, PlanResult, is_event
from bot.rules.program import Ticked
from bot.rules.schema import Rule

_NEVER_MS: Final = 1 << 60
_FEW_RULES: Final = 64
"""On a block, so many conditions are found in less time than which of them can be true at all."""

Cell = tuple[int, int]
"""Number of a rule, and row."""


def book_of(rule: Rule, plan: Plan, step_ms: int) -> RuleBook:
    """An empty book for the alerts of a rule."""
    policy = Policy(
        for_ms=rule.for_ms,
        cooldown_ms=rule.cooldown_ms,
        repeat_ms=rule.repeat_ms,
        escalate=rule.escalate,
        once=rule.once,
        uses_oi=plan.uses_oi(rule),
        max_gap_ms=policy_gap_ms(step_ms),
        is_event=is_event(rule),
    )
    measures = [option.text for option in plan.meters[rule.id].options]
    return RuleBook(rule.id, rule.condition_hash, policy, per_market=rule.per == "market", measures=measures)


class Walker:
    """All books of a rule set, and which of their alerts are alive."""

    def __init__(self, plan: Plan, books: Mapping[str, RuleBook], market: Ground, faults: Faults) -> None:
        """`faults`: where it is noted that one rule could not be walked, which costs the others nothing."""
        self._plan = plan
        self._faults = faults
        self._books = [books[r.id] for r in plan.rules]
        self._market = market
        self._cells = Cells(plan.rules, plan.program, tuple(plan.trackers))
        self._watch = _Watch()
        self._pending: dict[Cell, None] = {}
        self.refresh()

    def refresh(self) -> None:
        """Look at all books anew, after alerts were restored or closed."""
        self._watch.clear()
        self._pending.clear()
        for number, book in enumerate(self._books):
            for row in book.alive_rows():
                self._note(number, row)

    def _note(self, number: int, row: int) -> None:
        """An alert was moved: what has to be watched of it from now on."""
        book, cell = self._books[number], (number, row)
        firing = book.firing(row)
        if firing is None:
            self._watch.remove(cell)
        elif number in self._cells.place_of:
            rule = self._plan.rules[number]
            options = self._plan.meters[rule.id].options
            chosen = firing.option is not None
            followed = options[firing.option] if firing.option is not None and firing.option >= 0 else None
            value_row = None if followed is None else self._plan.meters[rule.id].rows[firing.option or 0]
            # A value of the rule's own has no fixed direction, and some have no row: those are moved at every tick.
            is_fixed = followed is None or (
                value_row is not None and followed.op is not None and firing.peak is not None
            )
            self._watch.set(
                cell,
                _Watched(
                    place=self._cells.place_of[number],
                    column=row,
                    value_row=-1 if value_row is None else value_row,
                    direction=0 if followed is None else followed.direction,
                    peak=np.nan if firing.peak is None else firing.peak,
                    grown=np.nan if firing.grown is None else firing.grown,
                    due_ms=_NEVER_MS if firing.due_ms is None else firing.due_ms,
                    always=not (chosen and is_fixed),
                ),
            )
        if book.is_pending(row):
            self._pending[cell] = None
        else:
            self._pending.pop(cell, None)

    def walk(
        self, block: Ticked, result: PlanResult, ticks_of: Callable[[], Ticks], name_of: Callable[[int], str]
    ) -> list[Change]:
        """All changes of a block, by time and then in the order of the rules. `ticks_of` is called where any may be."""
        now_ms = block.now_ms
        n_times = len(now_ms)
        cells: dict[int, list[tuple[int, Seen]]] = {}
        whole = set(self._cells.others)
        if n_times == 1:
            cells = self._awake_cells(block, int(now_ms[0]))
        else:
            whole |= self._screened(block)
            whole |= {number for number, book in enumerate(self._books) if book.alive_rows()}
        if not (whole or cells):
            return []
        ticks = ticks_of()
        changes: list[Change] = []
        for number in sorted({*whole, *cells}):
            try:
                self._walk_rule(number, cells.get(number), result, ticks, name_of, changes)
            except Exception as error:  # noqa: BLE001, of one rule; it is noted and logged
                self._faults.note("following its alerts", self._plan.rules[number].id, error)
        # Order of time first; within a tick the order of the rules, which `sort` keeps.
        changes.sort(key=lambda c: c.at_ms)
        return changes

    def _screened(self, block: Ticked) -> set[int]:
        """Rules that are true for some member at some tick of a block, and perhaps others."""
        if len(self._cells.rules) <= _FEW_RULES:
            return set(self._cells.rules)
        found = self._cells.screen.true_somewhere(block.values, self._cells.members(block))
        return {self._cells.rules[place] for place in found}

    def _walk_rule(
        self,
        number: int,
        cells: list[tuple[int, Seen]] | None,
        result: PlanResult,
        ticks: Ticks,
        name_of: Callable[[int], str],
        changes: list[Change],
    ) -> None:
        """Move the alerts of one rule and add what changed. Should one raise, the changes before it are there."""
        rule, book = self._plan.rules[number], self._books[number]
        measure = partial(result.measured, rule)
        if cells is not None:
            for row, seen in cells:
                changes += book.move(row, 0, seen, ticks, measure, name_of)
                self._note(number, row)
            return
        truth = result.truth(rule)
        n_before = len(changes)
        try:
            course = partial(result.course, rule)
            walked = RuleTruth(rule.id, truth.when, truth.clear, truth.members, measure, course)
            is_one = len(ticks.now_ms) == 1
            walk = book.walk(walked, ticks, name_of) if is_one else stride(book, walked, ticks, name_of)
            for change in walk:
                changes.append(change)  # one by one: what came before a fault stays
        finally:
            if len(ticks.now_ms) > 1:
                for row in {c.row for c in changes[n_before:]}:
                    self._note(number, row)

    def true_cells(self, block: Ticked) -> tuple[Ints, Ints]:
        """Where the rules that are looked at cell by cell are true, at a block of one tick: places of rules, and rows."""
        return self._cells.screen.true_cells(block.values, self._cells.members(block))

    def _awake_cells(self, block: Ticked, now_ms: int) -> dict[int, list[tuple[int, Seen]]]:
        """Per rule the alerts to move at this tick: those alive first, in the order in which they began."""
        halted = ~self._market.is_trading
        place, column = self.true_cells(block)
        fresh = [
            cell
            for cell in zip((self._cells.rules[p] for p in place.tolist()), column.tolist(), strict=True)
            if cell not in self._watch.slot_of
        ]
        alive = [*self._pending, *self._watch.awake(self._cells, block, halted, now_ms)]
        wanted = list(dict.fromkeys([*(c for c in alive if c[0] in self._cells.place_of), *fresh]))
        if not wanted:
            return {}
        places = np.array([self._cells.place_of[number] for number, _ in wanted])
        columns = np.array([row for _, row in wanted])
        truths = self._cells.truths(places, columns, block, halted)
        found: dict[int, list[tuple[int, Seen]]] = {}
        for k, (number, row) in enumerate(wanted):
            seen = Seen(int(truths.when[k]), int(truths.clear[k]), is_member=bool(truths.member[k]))
            found.setdefault(number, []).append((row, seen))
        for number, rows in found.items():
            order = {row: k for k, row in enumerate(self._books[number].alive_rows())}
            rows.sort(key=lambda x: (order.get(x[0], len(order)), x[0]))
        return found


@dataclass(frozen=True, slots=True)
class _Watched:
    """One firing alert."""

    place: int
    column: int
    value_row: int
    """-1 for one without a value."""
    direction: int
    peak: float
    grown: float
    """From here on it is told again; NaN for never."""
    due_ms: int
    always: bool


_DTYPES: Final = {
    "place": np.int64,
    "column": np.int64,
    "value_row": np.int64,
    "direction": np.float64,
    "peak": np.float64,
    "grown": np.float64,
    "due_ms": np.int64,
    "always": np.bool_,
}


class _Watch:
    """Firing alerts in columns, so that a thousand of them are looked at together."""

    def __init__(self) -> None:
        self.slot_of: dict[Cell, int] = {}
        self._cells: list[Cell] = []
        self._columns: dict[str, Any] = {name: np.zeros(16, dtype=dtype) for name, dtype in _DTYPES.items()}

    def clear(self) -> None:
        self.slot_of.clear()
        self._cells.clear()

    def set(self, cell: Cell, watched: _Watched) -> None:
        slot = self.slot_of.get(cell)
        if slot is None:
            slot = self.slot_of[cell] = len(self._cells)
            self._cells.append(cell)
            if slot >= len(self._columns["place"]):
                self._columns = {n: np.concatenate([c, np.zeros_like(c)]) for n, c in self._columns.items()}
        for name, column in self._columns.items():
            column[slot] = getattr(watched, name)

    def remove(self, cell: Cell) -> None:
        slot = self.slot_of.pop(cell, None)
        if slot is None:
            return
        last = self._cells.pop()
        if last != cell:
            for column in self._columns.values():
                column[slot] = column[len(self._cells)]
            self._cells[slot] = last
            self.slot_of[last] = slot

    def awake(self, cells: Cells, block: Ticked, halted: Mask, now_ms: int) -> list[Cell]:
        """Those that end, reach a new peak or are to be told again."""
        n = len(self._cells)
        if not n:
            return []
        c = {name: column[:n] for name, column in self._columns.items()}
        truths: CellTruths = cells.truths(c["place"], c["column"], block, halted)
        value: F64 = block.values[c["value_row"], 0, c["column"]]
        with np.errstate(invalid="ignore"):
            moved = (value - c["peak"]) * c["direction"] > 0
            moved |= (value - c["grown"]) * c["direction"] >= 0
        moved &= (c["value_row"] >= 0) & (c["direction"] != 0)
        ended = (truths.when == FALSE) & (truths.clear == TRUE)
        awake = ended | moved | (c["due_ms"] <= now_ms) | c["always"]
        return [self._cells[k] for k in np.flatnonzero(awake)]
