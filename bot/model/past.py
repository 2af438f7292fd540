"""What the stored history tells of one instrument, as chat and charts ask for it, and the port through which they do."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bot.model.charts import LongView
from bot.model.chat_alert import ChatAlert
from bot.model.chat_rule import ChatRule
from bot.model.rehearsal import Rehearsed


@dataclass(frozen=True, slots=True)
class Day:
    """One day (UTC) of the history; what is not known is None."""

    close_ms: int
    """Its end; of a day that is not over, its last bar."""
    price: float | None
    oi: float | None
    """Base units."""
    volume: float | None
    """Quote amount; None also where bars of that day are missing."""


@dataclass(frozen=True, slots=True)
class DailyPast:
    """All of one instrument by days, oldest first; days of which nothing is known are left out."""

    days: tuple[Day, ...] = ()
    view: LongView = field(default_factory=lambda: LongView(None))


class PastDesk(Protocol):
    """Reads the history in a process of its own."""

    async def daily(self, key: str, from_ms: int, to_ms: int) -> DailyPast | str:
        """By days, with tops and bottoms; or why not, in words for people. In bounded time."""
        ...

    async def rehearse(self, ones: Sequence[ChatAlert | ChatRule], keys: Sequence[str]) -> Sequence[Rehearsed | None]:
        """Conditions over the last weeks of the history, each over all of a few instruments, alerts over their own; None for
        what it cannot tell. In bounded time.
        """
        ...

    @property
    def is_there(self) -> bool:
        """Whether there is any history to read."""
        ...
