"""What is fixed about each threshold alert: about thirty bytes in arrays, and tables of what many of them share.

Everything is turned so that an alert fires upwards: `start` is the least value times `sign` at which it is true, `clear`
the greatest at which it may end (NaN: as soon as it is not true). Operators without `=` become the neighbouring float.
"""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf, isnan, nan, nextafter
from sys import getsizeof
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bot.alerts.book import Change
from bot.alerts.lifecycle import Policy
from bot.alerts.narrow import ChatColumn, Narrow
from bot.alerts.slot_table import SlotTable, id_of, number_of, numbers_of
from bot.model.alert import AlertRecord
from bot.model.chat_alert import DIRECTIONS, ChatAlert, StoredAlerts, ThresholdOp
from bot.model.truth import FALSE, TRUE, UNKNOWN

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

OPS: Final[tuple[ThresholdOp, ...]] = (">", ">=", "<", "<=")
NO_ROW: Final = -1


@dataclass(frozen=True, slots=True)
class Facts:
    """What is told of an alert besides its change."""

    chat: str
    severity: str
    measure: str
    op: ThresholdOp
    level: float
    is_ratio: bool
    silent: bool = False
    note: str = ""


@dataclass(slots=True)
class Outcome:
    """What happened to alerts: changes to tell, by id what they are about, and states to store with them."""

    changes: list[Change] = field(default_factory=list)
    records: list[AlertRecord] = field(default_factory=list)
    facts: dict[str, Facts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Figure:
    """What an alert measures at a tick: a `Reading` of the one measure that it has."""

    value: float | None
    direction: int
    option: int = 0
    gap_ms: int = 0
    share_of: None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """What many alerts share, kept once."""

    policy: Policy
    severity: str
    is_ratio: bool
    silent: bool


class Columns:
    """Slots of alerts. A slot that was given back is used again."""

    def __init__(self, *, max_gap_ms: int) -> None:
        self._max_gap_ms = max_gap_ms
        self.number, self.start, self._op = array("Q"), array("d"), array("B")
        self._clear: dict[int, float] = {}
        """By slot, of those that end elsewhere than they begin; few do."""
        self._slots = SlotTable(self.number.__getitem__)
        self.expr, self.place, self._kind, self._chats = Narrow(), Narrow(), Narrow(), ChatColumn()
        self._free = array("I")
        self.measures: list[str] = []
        self._n_users: list[int] = []
        self._expr_of: dict[str, int] = {}
        self._instruments: list[str] = []
        self.rows: list[int] = []
        """Instrument row of each place; `NO_ROW` where it is not listed."""
        self._place_of: dict[str, int] = {}
        self._kinds: list[Kind] = []
        self._kind_of: dict[tuple[object, ...], int] = {}
        self._notes: dict[int, str] = {}
        """By slot; few alerts have one."""

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def n_slots(self) -> int:
        """Slots in use or free."""
        return len(self.number)

    def take(self, alert: ChatAlert, *, uses_oi: bool) -> int | None:
        """A slot for an alert; None where it has one already."""
        number = number_of(alert.id)
        if self._slots.get(number) is not None:
            return None
        sign = DIRECTIONS[alert.op]
        start = nextafter(sign * alert.level, inf) if alert.op in {">", "<"} else sign * alert.level
        slot = self._free.pop() if self._free else self._append()
        self.number[slot], self.start[slot] = number, start
        self._set_clear(slot, sign, alert.clear_op, alert.clear_level)
        self.expr[slot], self.place[slot] = self._expr_row(alert.measure), self.placement(alert.instrument)
        self._kind[slot] = self._kind_number(
            alert.severity,
            alert.is_ratio,
            alert.silent,
            uses_oi,
            alert.for_ms,
            alert.cooldown_ms,
            alert.repeat_ms,
            alert.escalate,
            alert.once,
        )
        self._chats[slot] = alert.chat
        self._op[slot] = OPS.index(alert.op)
        if alert.note:
            self._notes[slot] = alert.note
        self._slots.add(slot)
        return slot

    def take_all(self, many: StoredAlerts, *, uses_oi: Callable[[str], bool]) -> int:
        """Slots for alerts that have none yet, behind all others and in their order; returns the first."""
        first, n = len(self.number), len(many.id)
        ops = list(map(OPS.index, many.op))
        op = np.array(ops, dtype=np.uint8)
        start = np.array(many.level, dtype=np.float64) * np.where(op < 2, 1.0, -1.0)
        is_strict = (op == OPS.index(">")) | (op == OPS.index("<"))
        numbers = numbers_of(many.id)
        self.number.frombytes(numbers.astype(np.uint64).tobytes())
        self.start.frombytes(np.where(is_strict, np.nextafter(start, inf), start).tobytes())
        self._op.frombytes(op.tobytes())
        self.expr.extend(map(self._expr_row, many.measure))
        self.place.extend(map(self.placement, many.instrument))
        self._kind.extend(map(self._kind_number, *_kinds_of(many, [uses_oi(m) for m in many.measure])))
        self._chats.extend(many.chat)
        for k in range(n):
            if many.clear_op[k] is not None:
                self._set_clear(first + k, DIRECTIONS[many.op[k]], many.clear_op[k], many.clear_level[k])
        self._notes |= {first + k: note for k, note in enumerate(many.note) if note}
        self._slots.add_all(first, numbers)
        return first

    def _append(self) -> int:
        for ints in (self.number, self.expr, self.place, self._kind, self._op):
            ints.append(0)
        self.start.append(0.0)
        self._chats.append("")
        return len(self.number) - 1

    def _set_clear(self, slot: int, sign: int, op: ThresholdOp | None, level: float | None) -> None:
        self._clear.pop(slot, None)
        if level is not None:
            self._clear[slot] = nextafter(sign * level, -inf) if op in {">", "<"} else sign * level

    def clear(self, slot: int) -> float:
        """The greatest turned value at which it may end; NaN: as soon as it is not true."""
        return self._clear.get(slot, nan)

    def truths(self, slot: int, x: float) -> tuple[int, int]:
        """Whether it is true and whether it may end, at a turned value."""
        if isnan(x):
            return UNKNOWN, UNKNOWN
        when = TRUE if x >= self.start[slot] else FALSE
        clear = self.clear(slot)
        return when, TRUE - when if isnan(clear) else TRUE if x <= clear else FALSE

    def waits_above(self, slot: int, *, is_armed: bool) -> bool:
        """The side on which it waits: for the first true of an armed one, for the first false of one that is not."""
        return (self._op[slot] < 2) == is_armed

    def level_of(self, slot: int, above: bool) -> float:
        """The level of the trigger on one side: the first true of an alert that fires there, the first false of others."""
        start = self.start[slot]
        if self._op[slot] < 2:
            return start if above else nextafter(start, -inf)
        return -nextafter(start, -inf) if above else -start

    def triggers(self, slots: I64, *, is_armed: Mask) -> tuple[Mask, F64]:
        """Sides and levels of triggers, as `level_of` says: on the side where they fire for those that are armed."""
        start, op = np.frombuffer(self.start)[slots], np.frombuffer(self._op, dtype=np.uint8)[slots]
        is_up = op < 2
        turned = np.where(is_armed, start, np.nextafter(start, -inf))
        return is_up == is_armed, np.where(is_up, turned, -turned)

    @property
    def nbytes(self) -> int:
        """Memory of what there is for each alert, but for notes."""
        each = (self.number, self.start, self._op, self._free)
        return sum(map(getsizeof, each)) + sum(c.nbytes for c in (self.expr, self.place, self._kind, self._chats))

    @property
    def slots_nbytes(self) -> int:
        """Memory of the table of ids."""
        return self._slots.nbytes

    def give_back(self, slot: int) -> tuple[int, int] | None:
        """Free a slot. An expression that nobody uses any more gives its row to the last one: (old, new) row of that
        one, equal where the last itself went; None where all stayed.
        """
        self._slots.pop(self.number[slot])
        self._free.append(slot)
        self._notes.pop(slot, None)
        self._clear.pop(slot, None)
        e = self.expr[slot]
        self._n_users[e] -= 1
        if self._n_users[e]:
            return None
        last = len(self.measures) - 1
        del self._expr_of[self.measures[e]]
        measure, n_users = self.measures.pop(), self._n_users.pop()
        if e != last:
            self.measures[e], self._n_users[e], self._expr_of[measure] = measure, n_users, e
            exprs = self.expr.view()
            exprs[exprs == last] = e
        return last, e

    def slots_at(self, place: int) -> list[int]:
        """Slots of one instrument, freed ones among them."""
        found: list[int] = np.flatnonzero(self.place.view() == place).tolist()
        return found

    def slot_of(self, alert_id: str) -> int | None:
        """The slot of an id; None for one that is not here, or no id."""
        try:
            return self._slots.get(number_of(alert_id))
        except ValueError:
            return None

    def id(self, slot: int) -> str:
        return id_of(self.number[slot])

    def instrument(self, slot: int) -> str:
        return self._instruments[self.place[slot]]

    def measure(self, slot: int) -> str:
        return self.measures[self.expr[slot]]

    def row(self, slot: int) -> int:
        return self.rows[self.place[slot]]

    def sign(self, slot: int) -> int:
        return DIRECTIONS[OPS[self._op[slot]]]

    def policy(self, slot: int) -> Policy:
        return self._kinds[self._kind[slot]].policy

    def facts(self, slot: int) -> Facts:
        kind, op, start = self._kinds[self._kind[slot]], OPS[self._op[slot]], self.start[slot]
        # Plus zero, so that no level reads as minus zero.
        level = self.sign(slot) * (nextafter(start, -inf) if op in {">", "<"} else start) + 0.0
        note = self._notes.get(slot, "")
        chat = self._chats[slot]
        return Facts(chat, kind.severity, self.measure(slot), op, level, kind.is_ratio, kind.silent, note)

    def alert(self, slot: int) -> ChatAlert:
        """An alert that lives the same life; who made it and when is not kept here."""
        facts, policy, sign = self.facts(slot), self.policy(slot), self.sign(slot)
        clear = self.clear(slot)
        has_clear = not isnan(clear)
        clear_op: ThresholdOp = "<=" if sign > 0 else ">="
        return ChatAlert(
            id=self.id(slot),
            chat=facts.chat,
            user="",
            instrument=self.instrument(slot),
            measure=facts.measure,
            op=facts.op,
            level=facts.level,
            is_ratio=facts.is_ratio,
            created_ms=0,
            clear_op=clear_op if has_clear else None,
            clear_level=sign * clear + 0.0 if has_clear else None,
            cooldown_ms=policy.cooldown_ms,
            for_ms=policy.for_ms,
            repeat_ms=policy.repeat_ms,
            escalate=policy.escalate,
            once=policy.once,
            severity=facts.severity,
            silent=facts.silent,
            note=facts.note,
        )

    def _expr_row(self, measure: str) -> int:
        e = self._expr_of.get(measure)
        if e is None:
            e = self._expr_of[measure] = len(self.measures)
            self.measures.append(measure)
            self._n_users.append(0)
        self._n_users[e] += 1
        return e

    def placement(self, instrument: str) -> int:
        """The number of an instrument here, which it keeps while rows change."""
        place = self._place_of.get(instrument)
        if place is None:
            place = self._place_of[instrument] = len(self._instruments)
            self._instruments.append(instrument)
            self.rows.append(NO_ROW)
        return place

    def _kind_number(
        self,
        severity: str,
        is_ratio: bool,
        silent: bool,
        uses_oi: bool,
        for_ms: int,
        cooldown_ms: int,
        repeat_ms: int | None,
        escalate: float | None,
        once: bool,
    ) -> int:
        key = (severity, is_ratio, silent, uses_oi, for_ms, cooldown_ms, repeat_ms, escalate, once)
        number = self._kind_of.get(key)
        if number is None:
            policy = Policy(
                for_ms=for_ms,
                cooldown_ms=cooldown_ms,
                repeat_ms=repeat_ms,
                escalate=escalate,
                once=bool(once),
                uses_oi=uses_oi,
                max_gap_ms=self._max_gap_ms,
            )
            number = self._kind_of[key] = len(self._kinds)
            self._kinds.append(Kind(policy, severity, bool(is_ratio), bool(silent)))
        return number


def _kinds_of(many: StoredAlerts, uses_oi: Sequence[bool]) -> tuple[Sequence[Any], ...]:
    """The columns that make a kind, in the order of `Columns._kind_number`."""
    looks = (many.severity, many.is_ratio, many.silent, uses_oi)
    return (*looks, many.for_ms, many.cooldown_ms, many.repeat_ms, many.escalate, many.once)
