"""What a streaming protocol owes the WebSocket shell: a pure function from frames to updates.

Promises: venue-neutral values only. A protocol never raises for anything a socket may carry, never waits, and says of
each frame whether it could be read and whose data it was; the shell needs nothing else to watch a connection.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.model.updates import Update


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """One stream of a connection."""

    name: str
    """The venue's name of it."""
    feed: str
    """Its name in `FeedStatus`."""
    silence_s: float | None
    """Without data for longer than this it is dead; None for a stream that may rightly be silent for hours."""
    is_sparse: bool = False
    """It brings events that are added up: each gap in its coverage counts, and silence proves nothing before `silence_s`
    is over. See `bot.feeds.sparse`.
    """


@dataclass(frozen=True, slots=True)
class Received:
    """What one frame was."""

    updates: tuple[Update, ...] = ()
    stream: str | None = None
    """Name of the stream whose data it carried; None for answers, unknown events and frames without a readable row."""
    readable: bool = True
    """False for bytes that are no message of any kind."""
    error: str = ""
    """What the venue complained about; empty for anything else."""
    ends_soon: bool = False
    """Whether the venue announced that it will close this connection."""
    listed: frozenset[str] | None = None
    """The streams that the venue says this connection carries, where the frame was an answer to that question."""


class Session(Protocol):
    """What a protocol says on one connection."""

    def message(self) -> str | None:
        """Text to send now, or None. Asked again and again while the connection is open."""
        ...


class StreamProtocol(Protocol):
    """Frames in, updates out."""

    @property
    def streams(self) -> Sequence[StreamSpec]:
        """What the connection carries, the most important stream first."""
        ...

    def receive(self, frame: bytes | str, received_ms: float) -> Received:
        """Read one frame that arrived at `received_ms` (`Clock.monotonic_ms`). Never raises."""
        ...

    def session(self) -> Session:
        """Begin a new connection: what it has been told is remembered there."""
        ...
