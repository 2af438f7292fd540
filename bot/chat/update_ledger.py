"""Which updates were taken and which are done, so that a restart neither repeats nor skips one. Pure.

Updates are handled side by side and finish in any order; the safe offset is below everything that is still being
handled. Telegram may restart its numbering after a week without updates, so an offset that old is worth nothing.
"""

from typing import Final

FORGET_AFTER_MS: Final = 2 * 86_400_000
"""Telegram keeps updates for a day: after two quiet ones nothing old can come again."""


class UpdateLedger:
    """Offsets of one polling loop. `next_offset` 0 means "from the oldest you have"."""

    def __init__(self) -> None:
        self.next_offset = 0
        self._in_flight: set[int] = set()
        self.moved_ms = 0
        """When an update was taken last; 0 before the first."""

    def load(self, text: str | None, *, now_ms: int) -> None:
        """Take back what `dump` gave; anything else, or an old one, is ignored."""
        parts = (text or "").split()
        if len(parts) != 2 or not all(part.isdecimal() and len(part) < 20 for part in parts):
            return
        offset, moved_ms = int(parts[0]), int(parts[1])
        if now_ms - moved_ms < FORGET_AFTER_MS:
            self.next_offset, self.moved_ms = offset, moved_ms

    def dump(self) -> str:
        return f"{self.safe_offset} {self.moved_ms}"

    @property
    def safe_offset(self) -> int:
        """Everything below is done."""
        return min(self._in_flight, default=self.next_offset)

    def is_new(self, update_id: int) -> bool:
        return update_id >= self.next_offset

    def start(self, update_id: int, *, now_ms: int) -> None:
        """Take an update; ids come in ascending order."""
        self.next_offset = max(self.next_offset, update_id + 1)
        self._in_flight.add(update_id)
        self.moved_ms = now_ms

    def finish(self, update_id: int) -> None:
        self._in_flight.discard(update_id)

    def forget_if_idle(self, *, now_ms: int) -> None:
        """Start over after so long a silence that the numbering may have changed."""
        if self.next_offset and not self._in_flight and now_ms - self.moved_ms >= FORGET_AFTER_MS:
            self.next_offset = 0
