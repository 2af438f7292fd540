"""What a condition would have done, as a value, and who can tell."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from bot.model.chat_alert import ChatAlert
from bot.model.chat_rule import ChatRule


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One run over the past."""

    n_fired: int
    span_ms: int
    """How much of the past could be judged: less than is known, by the windows that had to fill first."""
    last_ms: int | None = None
    last_value: float | None = None
    last_symbol: str = ""
    n_symbols: int = 0
    """For how many of the instruments it fired."""

    @property
    def per_day(self) -> float:
        return self.n_fired * 86_400_000 / self.span_ms if self.span_ms > 0 else 0.0


def merged(found: Sequence[Rehearsed]) -> Rehearsed:
    """What was told for several instruments, as of one condition over all of them; at least one."""
    last = max(found, key=lambda one: one.last_ms or 0)
    return replace(
        last,
        n_fired=sum(one.n_fired for one in found),
        span_ms=max(one.span_ms for one in found),
        n_symbols=sum(max(one.n_symbols, one.n_fired > 0) for one in found),
    )


class Rehearsals(Protocol):
    """Runs conditions over what memory holds of the last day."""

    async def rehearse(
        self, ones: Sequence[ChatAlert | ChatRule], instruments: Sequence[str]
    ) -> Sequence[Rehearsed | None]:
        """None for what cannot be told: figures of which no samples are held, instruments that are not listed. Conditions
        look at these keys alone, whomever else they are meant for; alerts at their own instrument, if it is among them.
        """
        ...
