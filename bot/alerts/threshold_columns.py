"""What is fixed about each threshold alert: about forty bytes in arrays, and tables of what many of them share.

Everything is turned so that an alert fires upwards: `start` is the least value times `sign` at which it is true, `clear`
the greatest at which it may end (NaN: as soon as it is not true). Operators without `=` become the neighbouring float.
"""

from array import array
from dataclasses import dataclass
from math import inf, isnan, nan, nextafter
from typing import Final

import numpy as np

from bot.alerts.lifecycle import Policy
from bot.alerts.slot_table import SlotTable, id_of, number_of
from bot.model.chat_alert import DIRECTIONS, ChatAlert, ThresholdOp

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


@dataclass(frozen=True, slots=True)
class Kind:
    """What many alerts share, kept once."""

    policy: Policy
    chat: str
    severity: str
    is_ratio: bool
    silent: bool


class Columns:
    """Slots of alerts. A slot that was given back is used again."""

    def __init__(self, *, max_gap_ms: int) -> None:
        self._max_gap_ms = max_gap_ms
        self._slots = SlotTable()
        self.number, self.start, self.clear = array("Q"), array("d"), array("d")
        self.expr, self.place, self._kind, self._op = array("I"), array("I"), array("I"), array("B")
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
        sign, clear = DIRECTIONS[alert.op], nan
        if alert.clear_level is not None:
            clear = sign * alert.clear_level
            clear = nextafter(clear, -inf) if alert.clear_op in {">", "<"} else clear
        start = nextafter(sign * alert.level, inf) if alert.op in {">", "<"} else sign * alert.level
        slot = self._free.pop() if self._free else self._append()
        self.number[slot], self.start[slot], self.clear[slot] = number, start, clear
        self.expr[slot], self.place[slot] = self._expr_row(alert.measure), self.placement(alert.instrument)
        self._kind[slot] = self._kind_number(alert, uses_oi=uses_oi)
        self._op[slot] = OPS.index(alert.op)
        if alert.note:
            self._notes[slot] = alert.note
        self._slots.add(number, slot)
        return slot

    def _append(self) -> int:
        for ints in (self.number, self.expr, self.place, self._kind, self._op):
            ints.append(0)
        for floats in (self.start, self.clear):
            floats.append(0.0)
        return len(self.number) - 1

    def give_back(self, slot: int) -> tuple[int, int] | None:
        """Free a slot. An expression that nobody uses any more gives its row to the last one: (old, new) row of that
        one, equal where the last itself went; None where all stayed.
        """
        self._slots.pop(self.number[slot])
        self._free.append(slot)
        self._notes.pop(slot, None)
        e = self.expr[slot]
        self._n_users[e] -= 1
        if self._n_users[e]:
            return None
        last = len(self.measures) - 1
        del self._expr_of[self.measures[e]]
        measure, n_users = self.measures.pop(), self._n_users.pop()
        if e != last:
            self.measures[e], self._n_users[e], self._expr_of[measure] = measure, n_users, e
            exprs = np.frombuffer(self.expr, dtype=np.uint32)
            exprs[exprs == last] = e
        return last, e

    def slots_at(self, place: int) -> list[int]:
        """Slots of one instrument, freed ones among them."""
        places = np.frombuffer(self.place, dtype=np.uint32) if self.place else np.zeros(0, dtype=np.uint32)
        found: list[int] = np.flatnonzero(places == place).tolist()
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
        return Facts(kind.chat, kind.severity, self.measure(slot), op, level, kind.is_ratio, kind.silent, note)

    def alert(self, slot: int) -> ChatAlert:
        """An alert that lives the same life; who made it and when is not kept here."""
        facts, policy, sign = self.facts(slot), self.policy(slot), self.sign(slot)
        has_clear = not isnan(self.clear[slot])
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
            clear_level=sign * self.clear[slot] + 0.0 if has_clear else None,
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

    def _kind_number(self, alert: ChatAlert, *, uses_oi: bool) -> int:
        key = (
            *(alert.chat, alert.severity, alert.is_ratio, alert.silent, uses_oi),
            *(alert.for_ms, alert.cooldown_ms, alert.repeat_ms, alert.escalate, alert.once),
        )
        number = self._kind_of.get(key)
        if number is None:
            policy = Policy(
                for_ms=alert.for_ms,
                cooldown_ms=alert.cooldown_ms,
                repeat_ms=alert.repeat_ms,
                escalate=alert.escalate,
                once=alert.once,
                uses_oi=uses_oi,
                max_gap_ms=self._max_gap_ms,
            )
            number = self._kind_of[key] = len(self._kinds)
            self._kinds.append(Kind(policy, alert.chat, alert.severity, alert.is_ratio, alert.silent))
        return number
