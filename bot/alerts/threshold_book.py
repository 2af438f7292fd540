"""The book of the alerts that people make in chat: the same life as that of rules, for a million at once.

It only accelerates `RuleBook`: whenever something may happen to an alert, a `RuleBook` of that one alert moves it. What
is saved is looking at all others. An alert that waits is a trigger in the index (for its condition to become true or,
if it was not seen false yet, for the first false); a pending or firing one is watched by vectors, because its clock or
its peak moves without a transition. An alert is armed by the first false that is seen; from then on it has a record.

Expressions are known by their canonical text and instruments by their key; what they mean is the caller's affair. The
caller ticks it with a matrix of values, a row for each of `measures` and a column for each instrument row.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf, isnan, nan, nextafter
from sys import getsizeof
from typing import Final

import numpy as np
import numpy.typing as npt

from bot.alerts.book import RuleBook
from bot.alerts.seen import Seen, Ticks
from bot.alerts.threshold_columns import NO_ROW, Columns, Facts, Figure, Outcome
from bot.alerts.thresholds import TriggerIndex
from bot.alerts.watch import Placed, Watch
from bot.model.alert import FOREVER_MS, AlertRecord, State
from bot.model.chat_alert import AlertLife, AlertStage, ChatAlert, StoredAlerts
from bot.model.truth import TRUE

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_ABSENT, _UNARMED, _ARMED, _AWAKE, _DONE, _FREE = range(6)
"""Where a slot is: instrument not listed, two kinds of triggers, watched, told once, unused."""
_NEVER, _ONCE, _TOLD = range(3)
"""What was seen of a slot's alert, also while its instrument is not listed: not yet false, false once, told once for all."""
_SWEEP_MS: Final = 60_000
_AT_ONCE: Final = 100
"""Instruments whose alerts begin together: for a million alerts of all, the arrays between would take as much again."""


class ThresholdBook:
    """All chat alerts of one engine."""

    def __init__(self, *, max_gap_ms: int) -> None:
        """`max_gap_ms`: ticks further apart than this were not one watch, see `policy_gap_ms`."""
        self._columns = Columns(max_gap_ms=max_gap_ms)
        self._index = TriggerIndex(self._columns.level_of)
        self._watch = Watch(max_gap_ms=max_gap_ms)
        self._mode, self._seen = array("B"), array("B")
        self._rest: dict[int, AlertRecord] = {}
        """Slots with a past that matters though they are not watched: cooling, or waiting for their instrument."""
        self._values: F64 = np.zeros((0, 0))
        self._swept_ms = 0

    def __len__(self) -> int:
        return len(self._columns)

    @property
    def measures(self) -> Sequence[str]:
        """Canonical texts of what must be measured, in the order of the rows of `tick`'s values. Adding may append one;
        removing the last alert of one moves the last text to its row.
        """
        return self._columns.measures

    def alerts(self) -> Iterator[ChatAlert]:
        """All alerts that live, as far as their lives depend on it: without who made them and when."""
        for slot in range(self._columns.n_slots):
            if self._mode[slot] != _FREE:
                yield self._columns.alert(slot)

    def records(self) -> Iterator[AlertRecord]:
        """The state of all that have one: of those that were seen false once."""
        for slot in range(self._columns.n_slots):
            mode = self._mode[slot]
            if mode == _AWAKE:
                yield self._record_awake(slot)
            elif mode != _FREE and self._seen[slot] == _TOLD:
                yield self._idle(slot, cooldown_until_ms=FOREVER_MS)
            elif mode in {_ARMED, _ABSENT} and self._seen[slot]:
                yield self._rest.get(slot) or self._idle(slot)

    def facts(self, alert_id: str) -> Facts | None:
        """What is told of an alert besides its changes; None for one that is gone."""
        slot = self._columns.slot_of(alert_id)
        return None if slot is None else self._columns.facts(slot)

    @property
    def nbytes(self) -> Mapping[str, int]:
        """Memory by part: the `index` finds alerts by value and by id, the `columns` hold what they are."""
        columns = self._columns
        modes = getsizeof(self._mode) + getsizeof(self._seen)
        return {"index": self._index.nbytes + columns.slots_nbytes, "columns": columns.nbytes + modes}

    @property
    def n_awake(self) -> int:
        return len(self._watch)

    def rows_in(self, *states: State) -> list[int]:
        """Instrument rows of alerts that fire or are pending, each once."""
        found = {
            self._columns.row(slot)
            for state in states
            if state in {State.FIRING, State.PENDING}
            for slot in self._watch.slots(firing=state is State.FIRING)
        }
        return sorted(found)

    def count(self, state: State) -> int:
        """How many alerts fire, or are pending; 0 for other states."""
        if state not in {State.FIRING, State.PENDING}:
            return 0
        return len(self._watch.slots(firing=state is State.FIRING))

    # -- alerts in and out ---------------------------------------------------------------------------------------

    def add(self, alert: ChatAlert, record: AlertRecord | None = None, *, uses_oi: bool = False) -> bool:
        """Let an alert live, from its stored state where it has one. False where it lives already.

        `uses_oi`: whether its measure reads open interest, so that a short `for` waits for the next poll.
        """
        slot = self._columns.take(alert, uses_oi=uses_oi)
        if slot is None:
            return False
        if slot == len(self._mode):
            self._mode.append(_ABSENT)
            self._seen.append(_NEVER)
        has_record = record is not None and record.condition == alert.id
        self._mode[slot], self._seen[slot] = _ABSENT, _ONCE if has_record else _NEVER
        if has_record and record is not None and (record.state is not State.INACTIVE or record.cooldown_until_ms):
            self._rest[slot] = record
        if self._columns.row(slot) != NO_ROW:
            self._enter(slot)
        return True

    def load(self, many: StoredAlerts, *, uses_oi: Callable[[str], bool]) -> None:
        """Let alerts live that are not here yet. `uses_oi`: of each measure, as for `add`."""
        slot = self._columns.take_all(many, uses_oi=uses_oi)
        first, n = slot, len(many.id)
        self._mode.frombytes(bytes((_ABSENT,)) * n)
        pairs = zip(many.is_armed, many.is_done, strict=True)
        self._seen.extend(_TOLD if is_done else _ONCE if is_armed else _NEVER for is_armed, is_done in pairs)
        for record in many.lives:
            at = self._columns.slot_of(record.rule_id)
            if at is not None and at >= first and record.condition == record.rule_id:
                self._rest[at] = record
        self._enter_all(np.arange(first, first + n))

    def remove(self, alert_id: str, now_ms: int, reason: str) -> Outcome:
        """Forget an alert. One that fires is closed and told; of one that waits nothing is told or stored."""
        slot = self._columns.slot_of(alert_id)
        if slot is None:
            return Outcome()
        outcome = self._leave(slot, now_ms, reason)
        self._rest.pop(slot, None)
        self._mode[slot] = _FREE
        moved = self._columns.give_back(slot)
        if moved is not None:
            last, e = moved
            if self._index.shape[0] == last + 1:
                self._index.replace_last_expr(e)
            self._watch.rename_expr(last, e)
            self._values = np.zeros((0, 0))  # its rows are those of before
        return outcome

    def is_placed(self, instrument: str) -> bool:
        """Whether the row of an instrument is known."""
        return self._columns.rows[self._columns.placement(instrument)] != NO_ROW

    def place(self, items: Iterable[tuple[int, str]]) -> None:
        """Instruments (row, key) are listed: their alerts begin or go on to live."""
        columns, items = self._columns, list(items)
        placed = [columns.placement(key) for _, key in items]
        for place, (row, _) in zip(placed, items, strict=True):
            columns.rows[place] = row
        if not self._mode:
            return
        absent = np.flatnonzero(np.frombuffer(self._mode, dtype=np.uint8) == _ABSENT)
        for first in range(0, len(placed) if len(absent) else 0, _AT_ONCE):
            chosen = np.isin(columns.place.view()[absent], placed[first : first + _AT_ONCE])
            self._enter_all(absent[chosen])

    def unplace(self, instrument: str, now_ms: int, reason: str) -> Outcome:
        """An instrument left the venue: its firing alerts are closed; all wait until it is listed again."""
        columns, outcome = self._columns, Outcome()
        place = columns.placement(instrument)
        slots = [slot for slot in columns.slots_at(place) if self._mode[slot] != _FREE]
        for slot in sorted(slots, key=columns.number.__getitem__):
            left = self._leave(slot, now_ms, reason)
            outcome.changes += left.changes
            outcome.records += left.records
            outcome.facts |= left.facts
        columns.rows[place] = NO_ROW
        return outcome

    def absent(self) -> list[str]:
        """Instruments with a pending or firing alert that are not listed: not yet, or they left while nobody watched."""
        return sorted(
            {
                record.instrument
                for slot, record in self._rest.items()
                if self._mode[slot] == _ABSENT and record.state is not State.INACTIVE
            }
        )

    # -- ticks ---------------------------------------------------------------------------------------------------

    def tick(self, now_ms: int, values: F64, is_trading: Mask, oi_ms: I64, oi_interval_ms: I64) -> Outcome:
        """Move all alerts by one tick.

        Args:
            now_ms: Venue time.
            values: (E, N), one row per text of `measures`; NaN is unknown.
            is_trading: (N,); of a halted instrument nothing is known.
            oi_ms: (N,), time of the newest open-interest sample.
            oi_interval_ms: (N,), interval at which open interest comes.
        """
        if not is_trading.all():
            values = np.where(is_trading, values, nan)
        self._values = values
        slots = [*self._index.hits(values), *self._watch.due(now_ms, values)]
        outcome = Outcome()
        if slots:
            ticks = Ticks(np.array([now_ms]), oi_ms[None, :], oi_interval_ms[None, :])
            # In the order of ids, which is the same in every process that replays this.
            for slot in sorted(slots, key=self._columns.number.__getitem__):
                if self._mode[slot] == _UNARMED:
                    self._seen[slot] = _ONCE
                    self._wait(slot, _ARMED)
                    outcome.records.append(self._idle(slot))
                else:
                    self._move(slot, ticks, outcome)
        if now_ms - self._swept_ms >= _SWEEP_MS:
            self._sweep(now_ms)
        return outcome

    def _move(self, slot: int, ticks: Ticks, outcome: Outcome) -> None:
        alert_id, instrument = self._columns.id(slot), self._columns.instrument(slot)
        row, sign = self._columns.row(slot), self._columns.sign(slot)
        book = RuleBook(alert_id, alert_id, self._columns.policy(slot), per_market=False)
        if self._mode[slot] == _AWAKE:
            book.restore(row, self._record_awake(slot))
        elif slot in self._rest:
            book.restore(row, self._rest[slot])
        value = self._values[self._columns.expr[slot], row].item()
        when, clear = self._columns.truths(slot, value * sign)
        reading = Figure(None if isnan(value) else value, sign)
        seen = Seen(when, clear, is_member=True)
        changes = book.move(row, 0, seen, ticks, lambda _t, _row, _option: reading, lambda _row: instrument)
        if not changes:
            return
        record = book.record(row)
        self._settle(slot, record, is_true=when == TRUE)
        outcome.changes += changes
        outcome.records.append(record)
        outcome.facts[alert_id] = self._columns.facts(slot)

    def _settle(self, slot: int, record: AlertRecord, *, is_true: bool) -> None:
        """Put a slot where its new state belongs; it is in the index no more, as it was hit or watched."""
        self._rest.pop(slot, None)
        self._seen[slot] = _ONCE
        if record.state is not State.INACTIVE:
            below_start = nextafter(self._columns.start[slot], -inf)
            clear = self._columns.clear(slot)
            ends = record.state is State.FIRING and not isnan(clear)
            stop = min(below_start, clear) if ends else below_start
            e, row, sign = self._columns.expr[slot], self._columns.row(slot), self._columns.sign(slot)
            placed = Placed(slot, e, row, sign, self._columns.start[slot], stop)
            self._watch.put(placed, self._columns.policy(slot), record, was_true=is_true)
            self._mode[slot] = _AWAKE
            return
        if slot in self._watch:
            self._watch.drop(slot)
        if record.cooldown_until_ms >= FOREVER_MS:
            self._mode[slot], self._seen[slot] = _DONE, _TOLD
            return
        if record.cooldown_until_ms:
            self._rest[slot] = record
        self._wait(slot, _ARMED)

    def turn_back(self, now_ms: int) -> list[AlertRecord]:
        """The venue's clock went back to now: pending alerts wait again, and no pause is longer than from now on. Returns states."""
        self._watch.turn_back(now_ms)
        records, pending = [], self._watch.slots(firing=False)
        for slot in sorted({*pending, *self._rest}, key=self._columns.number.__getitem__):
            before = self._rest.get(slot) or self._record_awake(slot)
            until_ms = self._columns.policy(slot).pause_from(now_ms, before.cooldown_until_ms)
            if self._mode[slot] == _AWAKE:
                records.append(self._idle(slot, cooldown_until_ms=until_ms))
                self._settle(slot, records[-1], is_true=False)
            elif until_ms != before.cooldown_until_ms:
                self._rest[slot] = replace(before, cooldown_until_ms=until_ms)
                records.append(self._rest[slot])
        return records

    def checkpoint(self) -> list[AlertRecord]:
        """What moves without a transition: `for` clocks of pending alerts and new peaks of firing ones."""
        return [self._record_awake(slot) for slot in self._watch.take_unsaved()]

    def _sweep(self, now_ms: int) -> None:
        """A cooldown that is over is no past that matters."""
        self._swept_ms = now_ms
        self._rest = {
            slot: r for slot, r in self._rest.items() if self._mode[slot] != _ARMED or r.cooldown_until_ms > now_ms
        }

    # -- where slots are -----------------------------------------------------------------------------------------

    def _enter(self, slot: int) -> None:
        """From absent to where its state belongs."""
        record = self._rest.get(slot)
        if record is not None:
            self._settle(slot, record, is_true=False)
        elif self._seen[slot] == _TOLD:
            self._mode[slot] = _DONE
        else:
            self._wait(slot, _ARMED if self._seen[slot] else _UNARMED)

    def _enter_all(self, slots: I64) -> None:
        """The same for many at once, those without a row left out."""
        columns = self._columns
        rows = np.array(columns.rows, dtype=np.int64)[columns.place.view()[slots]]
        slots, rows = slots[rows != NO_ROW], rows[rows != NO_ROW]
        seen = np.frombuffer(self._seen, dtype=np.uint8)[slots] if len(slots) else np.zeros(0, dtype=np.uint8)
        waits = (seen != _TOLD) & ~np.isin(slots, list(self._rest))
        for slot in slots[~waits].tolist():
            self._enter(slot)
        slots, rows, seen = slots[waits], rows[waits], seen[waits]
        if not len(slots):
            return
        above, level = columns.triggers(slots, is_armed=seen == _ONCE)
        self._index.add_all(columns.expr.view()[slots].astype(np.int64), rows, above, level, slots.astype(np.uint32))
        np.frombuffer(self._mode, dtype=np.uint8)[slots] = np.where(seen == _ONCE, _ARMED, _UNARMED)

    def _leave(self, slot: int, now_ms: int, reason: str) -> Outcome:
        """To absent. What fires is closed, what is pending drops. A cooldown, and having been told once, stay."""
        mode, record = self._mode[slot], self._rest.get(slot)
        if mode in {_ARMED, _UNARMED}:
            self._index.remove(
                self._columns.expr[slot],
                self._columns.row(slot),
                above=self._columns.waits_above(slot, is_armed=mode == _ARMED),
                slot=slot,
            )
        elif mode == _AWAKE:
            record = self._record_awake(slot)
            self._watch.drop(slot)
        self._mode[slot] = _ABSENT
        if record is None or record.state is State.INACTIVE:
            return Outcome()
        self._rest.pop(slot, None)
        book = RuleBook(record.rule_id, record.condition, self._columns.policy(slot), per_market=False)
        book.restore(self._columns.row(slot), record)
        changes = book.close([self._columns.row(slot)], now_ms, reason)
        return Outcome(changes, [self._idle(slot)], {record.rule_id: self._columns.facts(slot)})

    def _wait(self, slot: int, mode: int) -> None:
        self._index.add(
            self._columns.expr[slot],
            self._columns.row(slot),
            above=self._columns.waits_above(slot, is_armed=mode == _ARMED),
            slot=slot,
        )
        self._mode[slot] = mode

    def _record_awake(self, slot: int) -> AlertRecord:
        alert_id, instrument = self._columns.id(slot), self._columns.instrument(slot)
        return self._watch.record(slot, alert_id, instrument)

    def _idle(self, slot: int, *, cooldown_until_ms: int = 0) -> AlertRecord:
        alert_id, instrument = self._columns.id(slot), self._columns.instrument(slot)
        return AlertRecord(alert_id, instrument, alert_id, State.INACTIVE, cooldown_until_ms=cooldown_until_ms)

    # -- looking -------------------------------------------------------------------------------------------------

    def life(self, alert_id: str, now_ms: int) -> AlertLife | None:
        """Where an alert stands as of the last tick; None for one that is not here."""
        slot = self._columns.slot_of(alert_id)
        if slot is None:
            return None
        mode, e, row = self._mode[slot], self._columns.expr[slot], self._columns.row(slot)
        known = mode != _ABSENT and e < self._values.shape[0] and row < self._values.shape[1]
        value = self._values[e, row].item() if known else nan
        rest = self._record_awake(slot) if mode == _AWAKE else self._rest.get(slot)
        until_ms = rest.cooldown_until_ms if rest is not None and rest.cooldown_until_ms < FOREVER_MS else 0
        until_ms = until_ms if until_ms > now_ms else 0
        if mode == _AWAKE and rest is not None:
            stage = AlertStage.FIRING if rest.state is State.FIRING else AlertStage.PENDING
        elif mode == _ARMED:
            stage = AlertStage.COOLING if until_ms else AlertStage.WAITING
        else:
            stage = {_ABSENT: AlertStage.ABSENT, _UNARMED: AlertStage.UNARMED}.get(mode, AlertStage.DONE)
        return AlertLife(stage, None if isnan(value) else value, until_ms, rest)
