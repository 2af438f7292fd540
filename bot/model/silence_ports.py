"""Ports: what keeps alerts quiet."""

from collections.abc import Sequence
from typing import Protocol

from bot.model.silence import Ack, Fired, QuietHours, Silence


class SilenceStore(Protocol):
    """What keeps alerts quiet: silences, acknowledgements and quiet hours."""

    async def add(self, silence: Silence) -> bool:
        """Store a new one; False, and nothing changed, where its id is taken."""
        ...

    async def expire(self, silence_id: str, *, at_ms: int) -> bool:
        """End one early; False where there is none, or where it had ended before."""
        ...

    async def all(self) -> list[Silence]:
        """Those that are over included, until they are pruned; the oldest first."""
        ...

    async def acknowledge(self, ack: Ack) -> None:
        """Store one; a later one of the same firing and destination takes its place."""
        ...

    async def acks(self) -> list[Ack]: ...

    async def put_quiet(self, quiet: QuietHours) -> None:
        """Set the quiet hours of a destination, in the place of others."""
        ...

    async def drop_quiet(self, destination: str) -> bool: ...

    async def quiet_hours(self) -> list[QuietHours]:
        """In order of destinations."""
        ...

    async def prune(self, *, before_ms: int) -> int:
        """Forget silences that were over, and acknowledgements that were made, before that time; those of alerts that
        still fire stay. Returns how many went.
        """
        ...


class Mutes(Protocol):
    """What chat may ask of the muting. Nothing here is stored; `SilenceStore` comes first."""

    def add(self, silence: Silence) -> None: ...

    def expire(self, silence_id: str, at_ms: int) -> None:
        """End a silence early; what it kept is told soon."""
        ...

    def set_quiet(self, quiet: QuietHours) -> None: ...

    def drop_quiet(self, destination: str) -> None: ...

    def acknowledge(self, ack: Ack, fired: Fired, reason: str) -> bool:
        """Keep the updates of a firing and show `reason` at its message; False where it has ended."""
        ...

    def silences(self, now_ms: int) -> Sequence[Silence]:
        """Active ones and those still to begin."""
        ...

    def quiet_hours(self) -> Sequence[QuietHours]: ...

    def quiet_of(self, destination: str) -> QuietHours | None: ...

    def kept_by(self, silence: Silence) -> tuple[int, int]:
        """How many kept firings it matches: those that still fire, and those that ended."""
        ...
