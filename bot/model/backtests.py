"""A backtest as chat asks for it, and what it is told. The port between whoever runs it and whoever asks."""

from dataclasses import dataclass
from typing import Protocol

from bot.model.charts import BacktestChart


@dataclass(frozen=True, slots=True)
class BacktestAsked:
    """What to run."""

    rule_id: str
    """Of a rule of the files."""
    title: str
    days: float
    symbols: tuple[str, ...] = ()
    """Empty for all."""
    number: float | None = None
    """In the place of the rule's own; None for that of the file."""


@dataclass(frozen=True, slots=True)
class BacktestAnswer:
    """What came of it, in words."""

    from_ms: int
    to_ms: int
    asked_days: float
    condition: str
    facts: tuple[str, ...] = ()
    """Sentences without a full stop: how often, where, when."""
    table: tuple[tuple[str, ...], ...] = ()
    """What followed, the header first; at most 30 columns wide. Empty where nothing can be said."""
    verdict: str = ""
    notes: tuple[str, ...] = ()
    """What the bars do not answer, or answer otherwise than live."""
    chart: BacktestChart | None = None


class BacktestRun(Protocol):
    """One that was asked for."""

    @property
    def asked(self) -> BacktestAsked: ...

    @property
    def n_before(self) -> int:
        """How many have to end before this one begins."""
        ...

    @property
    def share(self) -> float:
        """Done, 0 to 1."""
        ...

    @property
    def found(self) -> BacktestAnswer | str | None:
        """The answer, or why there is none; None while it waits or runs."""
        ...

    async def wait(self, seconds: float) -> None:
        """Until it has ended, but no longer."""
        ...


class BacktestDesk(Protocol):
    """What chat may have run, one at a time for each chat."""

    def last(self, chat: str) -> BacktestRun | None:
        """The one that waits or runs for a chat, else the last one it asked for since the start."""
        ...

    def start(self, chat: str, asked: BacktestAsked) -> BacktestRun | str:
        """Run it, now or after others; or why not."""
        ...

    def cancel(self, chat: str) -> bool:
        """End what waits or runs for a chat; whether there was something."""
        ...
