"""What ticks changed, for those who store and tell it."""

from dataclasses import dataclass

from bot.alerts.book import Change
from bot.model.alert import AlertRecord, Notice, Transition


@dataclass(frozen=True, slots=True)
class Result:
    """What one or more ticks changed, in order of time."""

    transitions: tuple[Transition, ...] = ()
    notices: tuple[Notice, ...] = ()
    records: tuple[AlertRecord, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.transitions or self.notices or self.records)

    def __add__(self, other: "Result") -> "Result":
        return Result(self.transitions + other.transitions, self.notices + other.notices, self.records + other.records)


NOTHING = Result()


def transition_of(change: Change) -> Transition:
    """A change of state as it is stored."""
    venue, _, symbol = change.instrument.rpartition(":")
    assert change.state is not None
    return Transition(
        rule_id=change.rule_id,
        venue=venue,
        symbol=symbol,
        state=change.state,
        at_ms=change.at_ms,
        value=change.value,
        key=change.key,
        reason=change.reason,
    )
