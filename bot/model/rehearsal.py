"""What a condition would have done, as a value, and who can tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.model.chat_alert import ChatAlert
from bot.model.chat_rule import ChatRule


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One run over the past."""

    n_fired: int
    span_ms: int
    """How much of the past was known."""
    last_ms: int | None = None
    last_value: float | None = None

    @property
    def per_day(self) -> float:
        return self.n_fired * 86_400_000 / self.span_ms if self.span_ms > 0 else 0.0


class Rehearsals(Protocol):
    """Runs conditions over what memory holds of the last day."""

    async def rehearse(self, ones: Sequence[ChatAlert | ChatRule], instrument: str) -> Sequence[Rehearsed | None]:
        """None for what cannot be told: figures of which no samples are held, an instrument that is not listed. The
        conditions look at `instrument` alone, whomever else they are meant for.
        """
        ...
