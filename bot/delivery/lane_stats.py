"""What became of a lane's attempts since the start, and since when it fails."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.model.alert import TellKind
from bot.model.histogram import WAIT_S, Histogram
from bot.model.outbox import OutboxRow


@dataclass(slots=True)
class LaneStats:
    """Counted by the lane, read by whoever looks. Times are `Clock.monotonic_ms`."""

    delivered: int = 0
    retried: int = 0
    ambiguous: int = 0
    buried: int = 0
    plain: int = 0
    """Messages whose markup was refused, so that they went on as plain text: a fault of ours."""
    told: int = 0
    """Firings that stood in a delivered message."""
    latency_s: Histogram = field(default_factory=lambda: Histogram(WAIT_S))
    """From a firing to its delivery, in clock seconds."""
    failing_since_ms: float | None = None
    """When the first of the attempts failed since which none succeeded; None while there is nothing to complain of."""
    turned_ms: float | None = None
    """When the lane last looked for work."""

    def arrived(self, rows: Sequence[OutboxRow], venue_ms: int) -> None:
        """A message with these rows was delivered at that venue time."""
        self.delivered += 1
        self.failing_since_ms = None
        for row in rows:
            if row.kind is TellKind.FIRE:
                self.told += 1
                self.latency_s.add(max(0.0, (venue_ms - row.created_ms) / 1000))

    def failed(self, now_ms: float) -> None:
        if self.failing_since_ms is None:
            self.failing_since_ms = now_ms

    def nothing_owed(self) -> None:
        """The destination answered, or nothing waits for it."""
        self.failing_since_ms = None
