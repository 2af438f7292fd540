"""One alert with its numbers, and the same at rest: most of those that ever fired are over, and are kept small."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan
from struct import Struct
from typing import Final

from bot.alerts.lifecycle import Cell
from bot.model.alert import AlertRecord, State, alert_key

_NUMBERS: Final = Struct("<7q3d")
_NO_OPTION: Final = -(1 << 40)


@dataclass(slots=True)
class Alert:
    """One cell with its numbers."""

    cell: Cell
    instrument: str
    key: str = ""
    value: float | None = None
    peak: float | None = None
    told_value: float | None = None
    told_ms: int = 0
    n_told: int = 0
    option: int | None = None
    """Which measure the values are of: with `a or b` another side may become the true one, and its values would not
    compare. None until one is seen."""
    direction: int = 1
    """+1 where further is more, 0 where it is away from zero; of the measure that is followed. +1 until
    it is measured after a restart, which at worst looks at it more often."""
    has_news: bool = False
    """Whether the peak has moved since the state was last recorded."""

    @staticmethod
    def of(record: AlertRecord, cooldown_until_ms: int) -> "Alert":
        """As it was stored, with a cooldown of now."""
        cell = Cell(
            state=record.state,
            held_ms=record.held_ms,
            pending_since_ms=record.pending_since_ms,
            fired_ms=record.fired_ms,
            cooldown_until_ms=cooldown_until_ms,
        )
        return Alert(
            cell,
            record.instrument,
            record.key,
            record.value,
            record.peak,
            record.told_value,
            record.told_ms,
            record.n_told,
        )

    def measure_again(self) -> None:
        """Its rule measures something else now: what was told of the old measure compares no more."""
        self.option = self.peak = self.told_value = None

    def record(self, rule_id: str, condition: str, measures: Sequence[str] = ()) -> AlertRecord:
        """The state to store. `measures`: all of the rule, by their texts; none where that is not to be stored."""
        option = self.option if self.option in range(len(measures)) else None
        return AlertRecord(
            rule_id=rule_id,
            instrument=self.instrument,
            condition=condition,
            state=self.cell.state,
            held_ms=self.cell.held_ms,
            pending_since_ms=self.cell.pending_since_ms,
            fired_ms=self.cell.fired_ms,
            cooldown_until_ms=self.cell.cooldown_until_ms,
            key=self.key,
            value=self.value,
            peak=self.peak,
            told_value=self.told_value,
            told_ms=self.told_ms,
            n_told=self.n_told,
            option=option,
            measure="" if option is None else measures[option],
        )

    @property
    def is_over(self) -> bool:
        return self.cell.state is State.INACTIVE


@dataclass(frozen=True, slots=True)
class Resting:
    """An inactive alert: what is of use later, packed. Its next firing begins with numbers of its own."""

    instrument: str
    numbers: bytes
    key: str | None
    """None for the key that the numbers give."""

    @staticmethod
    def of(alert: Alert, rule_id: str) -> "Resting":
        cell = alert.cell
        numbers = _NUMBERS.pack(
            cell.held_ms,
            cell.pending_since_ms,
            cell.fired_ms,
            cell.cooldown_until_ms,
            alert.told_ms,
            alert.n_told,
            _NO_OPTION if alert.option is None else alert.option,
            nan if alert.value is None else alert.value,
            nan if alert.peak is None else alert.peak,
            nan if alert.told_value is None else alert.told_value,
        )
        usual = _key(rule_id, alert.instrument, cell.fired_ms)
        return Resting(alert.instrument, numbers, None if alert.key == usual else alert.key)

    def awake(self, rule_id: str) -> Alert:
        """The same with its numbers at hand."""
        held_ms, since_ms, fired_ms, cooldown_ms, told_ms, n_told, option, value, peak, told = _NUMBERS.unpack(
            self.numbers
        )
        return Alert(
            cell=Cell(State.INACTIVE, held_ms, since_ms, fired_ms, cooldown_ms),
            instrument=self.instrument,
            key=_key(rule_id, self.instrument, fired_ms) if self.key is None else self.key,
            value=None if isnan(value) else value,
            peak=None if isnan(peak) else peak,
            told_value=None if isnan(told) else told,
            told_ms=told_ms,
            n_told=n_told,
            option=None if option == _NO_OPTION else option,
        )


def _key(rule_id: str, instrument: str, fired_ms: int) -> str:
    return alert_key(rule_id, instrument, fired_ms) if fired_ms else ""
