"""Ports of what helps with risk."""

from collections.abc import Sequence
from typing import Protocol

from bot.model.instrument import Instrument
from bot.model.outbox import OutboxRow
from bot.model.risk import RiskFigures, RiskSettings
from bot.model.stop_watch import StopWatch


class RiskReader(Protocol):
    """What stops are computed from, as of the last tick."""

    def price(self, key: str) -> tuple[float, int] | None:
        """Newest mark price and its age in ms; None where it is unknown or no longer speaks."""
        ...

    def instrument(self, key: str) -> Instrument | None: ...

    def figures(self, key: str, window_ms: int) -> RiskFigures | None:
        """None for an instrument (its key) that is not listed."""
        ...


class RiskStore(Protocol):
    """What people may lose, and the stops that follow the market for them."""

    async def put(self, person: str, settings: RiskSettings) -> None:
        """Set, in the place of others."""
        ...

    async def drop(self, person: str) -> bool: ...

    async def all_settings(self) -> dict[str, RiskSettings]:
        """By person."""
        ...

    async def add(self, watch: StopWatch) -> bool:
        """Store a new one; False, and nothing changed, where its id is taken."""
        ...

    async def move(self, watches: Sequence[StopWatch], rows: Sequence[OutboxRow]) -> None:
        """Store what moved together with what is told of it, all or nothing. One that was deleted stays so."""
        ...

    async def delete(self, watch_id: str) -> bool: ...

    async def watches(self) -> list[StopWatch]:
        """All of them, the oldest first."""
        ...


class RiskDesk(Protocol):
    """What chat may ask about the risk of people. What it confirms is stored."""

    def settings_of(self, person: str) -> RiskSettings | None: ...

    async def set(self, person: str, settings: RiskSettings | None) -> None:
        """None forgets them."""
        ...

    def watches_of(self, chat: str) -> Sequence[StopWatch]:
        """Those that still follow, the oldest first."""
        ...

    async def watch(self, watch: StopWatch) -> bool:
        """Let a stop follow; False where its id is taken."""
        ...

    async def unwatch(self, watch_id: str) -> None: ...
