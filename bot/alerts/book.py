"""The book of all alerts: walks the cells whose truth matters, keeps their numbers, says what changed.

It is given, per rule, truths of shape (T, N) and ways to ask for a value; it visits only ticks and instruments where
`when` is true or an alert is alive, so a quiet market costs next to nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from bot.alerts.kept import Alert, Resting
from bot.alerts.lifecycle import Cell, Policy, Step, step
from bot.alerts.seen import Course, Measure, Reading, RuleTruth, Seen, Ticks
from bot.model.alert import AlertRecord, State, TellKind, alert_key
from bot.model.instrument import MARKET
from bot.model.truth import TRUE


@dataclass(frozen=True, slots=True)
class Firing:
    """What a firing alert waits for besides its end."""

    option: int | None
    """The measure that it follows; None where that is not chosen yet."""
    peak: float | None
    grown: float | None
    """At about this value it is told again; None for never."""
    due_ms: int | None
    """When it is told again; None for never."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something happened to an alert."""

    t: int
    """Position in the block."""
    rule_id: str
    row: int
    """0 for `per: market`."""
    instrument: str
    """Instrument key, or `*`."""
    at_ms: int
    state: State | None
    """The transition, if it is one; escalations and repeats are not."""
    tell: TellKind | None
    key: str
    value: float | None
    value_before: float | None = None
    peak: float | None = None
    fired_ms: int = 0
    n: int = 0
    reason: str = ""
    gap_ms: int = 0
    """Of a crossing: how long nothing was known before it."""
    option: int | None = None
    """The measure that the alert follows."""


class RuleBook:
    """The alerts of one rule."""

    def __init__(
        self, rule_id: str, condition: str, policy: Policy, *, per_market: bool, measures: Sequence[str] = ()
    ) -> None:
        """`measures`: what its alerts may follow, as `Reading.option` counts; none where that is not to be stored."""
        self.rule_id = rule_id
        self.condition = condition
        self.policy = policy
        self.per_market = per_market
        self.measures = tuple(measures)
        self._alerts: dict[int, Alert | Resting] = {}
        """In the order in which they first began."""

    # -- state in and out ----------------------------------------------------------------------------------------

    def restore(self, row: int, record: AlertRecord) -> None:
        """Take a stored state. Of another condition only the cooldown is of use, and not even that: it starts afresh."""
        if record.condition != self.condition:
            return
        alert = Alert.of(record, self.policy.pause_ms(record.cooldown_until_ms))
        if record.option is not None:
            alert.option = self._option(record.option, record.measure)
            if alert.option is None:
                alert.measure_again()
        self._keep(row, alert)

    def _option(self, option: int, measure: str) -> int | None:
        """Where a stored measure stands now; None where it is gone."""
        if self.measures[option : option + 1] == (measure,):
            return option
        return self.measures.index(measure) if measure in self.measures else None

    def _of(self, row: int) -> Alert | None:
        """A copy of it where it is at rest."""
        kept = self._alerts.get(row)
        return kept.awake(self.rule_id) if isinstance(kept, Resting) else kept

    def _at(self, row: int) -> Alert:
        alert = self._of(row)
        assert alert is not None
        return alert

    def _keep(self, row: int, alert: Alert) -> None:
        self._alerts[row] = Resting.of(alert, self.rule_id) if alert.is_over else alert

    def _awake(self) -> Iterator[tuple[int, Alert]]:
        return ((row, a) for row, a in self._alerts.items() if isinstance(a, Alert) and not a.is_over)

    def record(self, row: int) -> AlertRecord:
        """The state to store."""
        alert = self._alerts[row]
        if isinstance(alert, Alert):
            alert.has_news = False
        return self.look(row)

    def look(self, row: int) -> AlertRecord:
        """The state as it is; of an instrument that never had an alert, an inactive one."""
        alert = self._of(row)
        if alert is None:
            return AlertRecord(self.rule_id, "", self.condition, State.INACTIVE)
        return alert.record(self.rule_id, self.condition, self.measures)

    def follow(self, policy: Policy, measures: Sequence[str] = (), *, is_remeasured: bool) -> None:
        """The rule has other clocks now. `is_remeasured`: its alerts are measured by another value."""
        self.policy, self.measures = policy, tuple(measures)
        for row in self.rows():
            alert = self._at(row)
            alert.cell.cooldown_until_ms = policy.pause_ms(alert.cell.cooldown_until_ms)
            if is_remeasured:
                alert.measure_again()
            self._keep(row, alert)

    def rows_in(self, *states: State) -> list[int]:
        """Of alerts that are pending or firing."""
        return [row for row, a in self._awake() if a.cell.state in states]

    def rows(self) -> list[int]:
        return list(self._alerts)

    def has(self, row: int) -> bool:
        return row in self._alerts

    def unsaved(self) -> list[int]:
        """Rows whose clocks or peaks moved since they were last recorded."""
        return [r for r, a in self._awake() if a.cell.state is State.PENDING or a.has_news]

    def instrument(self, row: int) -> str:
        return self._alerts[row].instrument

    # -- ticks ---------------------------------------------------------------------------------------------------

    def walk(self, truth: RuleTruth, ticks: Ticks, name_of: Callable[[int], str]) -> Iterator[Change]:
        """Move all alerts of the rule through one tick: those alive first, in the order in which they began."""
        fresh = np.flatnonzero((truth.when[0] == TRUE) & truth.members[0]).tolist()
        for row in dict.fromkeys([*self.alive_rows(), *fresh]):
            yield from self.move(row, 0, truth.seen(0, row), ticks, truth.measure, name_of)

    def state(self, row: int) -> State:
        """Where an alert stands."""
        alert = self._alerts.get(row)
        return alert.cell.state if isinstance(alert, Alert) else State.INACTIVE

    def follow_peak(self, row: int, span: range, course: Course, now_ms: Sequence[int]) -> int:
        """Let a firing alert go on over ticks at which it does not end. Returns the first at which it is told again, or
        has to be moved to know; else the end of the span.
        """
        alert = self._at(row)
        if alert.option is None:
            return span.start
        values, fixed = course(row, alert.option, slice(span.start, span.stop)) if alert.option >= 0 else ((), 1)
        escalate, repeat_ms, told = self.policy.escalate, self.policy.repeat_ms, alert.told_value
        for t in span:
            value = values[t - span.start] if values else nan
            alert.direction = fixed
            if value == value:  # noqa: PLR0124, not NaN
                if told is None:
                    return t
                if alert.peak is None or _further(value, alert.peak, fixed) > 0:
                    alert.peak, alert.has_news = value, True
                if escalate is not None and _further(value, told, fixed) >= escalate:
                    return t
            elif alert.option >= 0:
                continue
            if repeat_ms is not None and now_ms[t] - alert.told_ms >= repeat_ms:
                return t
        return span.stop

    def put_in_order(self, began: Mapping[int, int]) -> None:
        """Alerts that were begun instrument by instrument now stand in the order of the ticks at which they began.

        `began`: tick by row of all that are new.
        """
        if len(began) > 1:
            for row in sorted(began, key=lambda row: (began[row], row)):
                self._alerts[row] = self._alerts.pop(row)

    def alive_rows(self) -> list[int]:
        """Rows whose alerts are pending or firing, so that every tick matters to them."""
        return [row for row, _ in self._awake()]

    def firing(self, row: int) -> Firing | None:
        """What a firing alert waits for besides its end; None for one that does not fire."""
        alert = self._alerts.get(row)
        if not isinstance(alert, Alert) or alert.cell.state is not State.FIRING:
            return None
        due_ms = None if self.policy.repeat_ms is None else alert.told_ms + self.policy.repeat_ms
        told, step = alert.told_value, self.policy.escalate
        grown = None
        if told is not None and step is not None:
            # A hair early rather than late: the alert itself decides.
            grown = told + alert.direction * (step - (abs(told) + step) * 1e-12)
        return Firing(alert.option, alert.peak, grown, due_ms)

    def option(self, row: int) -> int | None:
        """The measure that an alert follows, or followed last."""
        alert = self._of(row)
        return None if alert is None else alert.option

    def is_pending(self, row: int) -> bool:
        return self.state(row) is State.PENDING

    def move(
        self, row: int, t: int, seen: Seen, ticks: Ticks, measure: Measure, name_of: Callable[[int], str]
    ) -> tuple[Change, ...]:
        """Move one alert by one tick. Should `measure` raise, the alert is as it was."""
        alert = self._of(row) or Alert(Cell(), MARKET if self.per_market else name_of(row))
        now_ms = int(ticks.now_ms[t])
        oi_ms, interval_ms = self._open_interest(row, t, ticks)
        before = alert.cell.copy()
        result = step(
            alert.cell,
            self.policy,
            now_ms=now_ms,
            when=seen.when,
            clear=seen.clear,
            member=seen.is_member,
            oi_ms=oi_ms,
            oi_interval_ms=interval_ms,
        )
        if result is Step.NOTHING and alert.cell.state is not State.FIRING:
            return ()
        try:
            return self._moved(alert, result, t, row, now_ms, measure)
        except Exception:
            alert.cell = before
            raise
        finally:
            self._keep(row, alert)

    def _moved(self, alert: Alert, result: Step, t: int, row: int, now_ms: int, measure: Measure) -> tuple[Change, ...]:
        """What a step, or staying where it is, means for a firing, ending or waiting alert."""
        if result is Step.DROPPED:
            return (self._change(alert, t, row, now_ms, State.INACTIVE, None, alert.value),)
        followed = alert.option if alert.cell.state is State.FIRING or result is Step.ENDED else None
        reading = measure(t, row, None if result in {Step.FIRED, Step.FLASHED} else followed)
        match result:
            case Step.PENDING:
                return (self._change(alert, t, row, now_ms, State.PENDING, None, reading.value),)
            case Step.FIRED:
                return (self._fire(alert, t, row, now_ms, reading),)
            case Step.FLASHED:
                fired = self._fire(alert, t, row, now_ms, reading)
                return fired, self._change(alert, t, row, now_ms, State.RESOLVED, None, reading.value)
            case Step.ENDED:
                return (self._change(alert, t, row, now_ms, State.RESOLVED, TellKind.END, reading.value),)
        told = self._while_firing(alert, t, row, now_ms, reading)
        return (told,) if told is not None else ()

    def _open_interest(self, row: int, t: int, ticks: Ticks) -> tuple[int, int]:
        if self.per_market:
            return (int(ticks.oi_ms[t].max()), 0) if ticks.oi_ms.shape[1] else (0, 0)
        return int(ticks.oi_ms[t, row]), int(ticks.oi_interval_ms[t, row])

    def _fire(self, alert: Alert, t: int, row: int, now_ms: int, reading: Reading) -> Change:
        alert.key = alert_key(self.rule_id, alert.instrument, now_ms)
        alert.value = alert.peak = alert.told_value = reading.value
        alert.told_ms, alert.n_told = now_ms, 0
        alert.option, alert.direction = reading.option, reading.direction
        return self._change(alert, t, row, now_ms, State.FIRING, TellKind.FIRE, reading.value, gap_ms=reading.gap_ms)

    def _while_firing(self, alert: Alert, t: int, row: int, now_ms: int, reading: Reading) -> Change | None:
        value, direction = reading.value, reading.direction
        # After a restart nothing is chosen while nothing is known: the first that stands there would be taken for true.
        if alert.option is not None or value is not None or reading.option < 0:
            alert.option, alert.direction = reading.option, direction
        before = alert.told_value
        if before is None:
            # Where no figure was told yet, steps count from the first one.
            alert.told_value = value
        if value is not None and (alert.peak is None or _further(value, alert.peak, direction) > 0):
            alert.peak, alert.has_news = value, True
        step = self._step(reading)
        grown = (
            step is not None and value is not None and before is not None and _further(value, before, direction) >= step
        )
        due = self.policy.repeat_ms is not None and now_ms - alert.told_ms >= self.policy.repeat_ms
        # What cannot be measured just now is not repeated: the message would have no figure.
        if not grown and not (due and (value is not None or reading.option < 0)):
            return None
        alert.told_value, alert.told_ms = value, now_ms
        alert.n_told += 1
        kind = TellKind.ESCALATE if grown else TellKind.REPEAT
        return self._change(alert, t, row, now_ms, None, kind, value, before=before)

    def _step(self, reading: Reading) -> float | None:
        """How much further an alert is told again, in the unit of its value; None for never."""
        step = self.policy.escalate
        if step is None or reading.share_of is None or step >= 1:
            return step
        # Rounded, because 7% of 100 is not quite 7 in binary.
        return round(step * reading.share_of, 9) or None

    def _change(
        self,
        alert: Alert,
        t: int,
        row: int,
        now_ms: int,
        state: State | None,
        tell: TellKind | None,
        value: float | None,
        *,
        before: float | None = None,
        reason: str = "",
        gap_ms: int = 0,
    ) -> Change:
        is_waiting = state in {State.PENDING, State.INACTIVE}
        return Change(
            t=t,
            rule_id=self.rule_id,
            row=row,
            instrument=alert.instrument,
            at_ms=now_ms,
            state=state,
            tell=tell,
            key="" if is_waiting else alert.key,
            value=value,
            value_before=before,
            peak=alert.peak,
            fired_ms=alert.cell.fired_ms,
            n=alert.n_told if tell in {TellKind.ESCALATE, TellKind.REPEAT} else 0,
            reason=reason,
            gap_ms=gap_ms,
            option=alert.option,
        )

    # -- closing -------------------------------------------------------------------------------------------------

    def close(self, rows: Iterable[int], now_ms: int, reason: str) -> list[Change]:
        """End alerts whose rule or instrument is gone: no cooldown, and firing ones are told why."""
        changes = []
        for row in list(rows):
            alert = self._of(row)
            if alert is None:
                continue
            if alert.cell.state is State.FIRING:
                changes.append(
                    self._change(alert, 0, row, now_ms, State.CLOSED, TellKind.CLOSE, alert.value, reason=reason)
                )
            alert.cell = Cell()
            self._keep(row, alert)
        return changes

    def turn_back(self, now_ms: int) -> list[int]:
        """The venue's clock went back to now: pending alerts are inactive again, and nothing waits longer than from now on.
        Returns the rows of what changed.
        """
        changed = []
        for row in self.rows():
            alert = self._at(row)
            cell, before = alert.cell, (alert.cell.copy(), alert.told_ms)
            if cell.state is State.PENDING:
                cell.state, cell.held_ms = State.INACTIVE, 0
            elif cell.state is State.FIRING:
                alert.told_ms = min(alert.told_ms, now_ms)
            cell.cooldown_until_ms = self.policy.pause_from(now_ms, cell.cooldown_until_ms)
            if (cell, alert.told_ms) != before:
                self._keep(row, alert)
                changed.append(row)
        return changed

    def forget(self, row: int) -> None:
        """The row belongs to nobody or to another instrument now."""
        self._alerts.pop(row, None)


def _further(value: float, than: float, direction: int) -> float:
    """How much further a value is: upwards, downwards, or (direction 0) away from zero."""
    return (value - than) * direction if direction else abs(value) - abs(than)


def policy_gap_ms(step_ms: int) -> int:
    """How far apart two ticks may be and still be one watch: ten seconds live, a step and a half on bars."""
    return max(10_000, step_ms * 3 // 2)
