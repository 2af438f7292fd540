"""Outcomes on their way into the outbox. What the database does not take stays here for the next time. Bounded."""

from collections.abc import Collection
from typing import Final

from bot import log
from bot.clock import Clock
from bot.errors import StorageError
from bot.model.outbox import Message, Outcome
from bot.model.outbox_ports import Outbox

STORAGE_RETRY_S: Final = 5.0
MAX_UNNOTED: Final = 10_000

_log = log.get("delivery")


class Notebook:
    """Of one lane."""

    def __init__(self, outbox: Outbox, clock: Clock) -> None:
        self._outbox = outbox
        self._clock = clock
        self._unnoted: dict[str, tuple[Message, Outcome]] = {}
        self._again_ms = 0.0

    def __len__(self) -> int:
        return len(self._unnoted)

    @property
    def row_ids(self) -> set[str]:
        """Rows that were sent, though the outbox does not know it."""
        return {row_id for message, _ in self._unnoted.values() for row_id in message.row_ids}

    def put(self, message: Message, outcome: Outcome) -> None:
        if len(self._unnoted) >= MAX_UNNOTED:
            self._unnoted.pop(next(iter(self._unnoted)))
        self._unnoted[message.id] = (message, outcome)

    def put_all(self, found: Collection[tuple[Message, Outcome]]) -> None:
        for message, outcome in found:
            self.put(message, outcome)

    async def write(self, now_ms: int) -> None:
        """Write down what can be written down."""
        if self._clock.monotonic_ms() < self._again_ms:
            return
        try:
            for message_id in list(self._unnoted):
                message, outcome = self._unnoted[message_id]
                await self._outbox.settle(message, outcome, now_ms=now_ms)
                del self._unnoted[message_id]
        except StorageError as error:
            self._again_ms = self._clock.monotonic_ms() + STORAGE_RETRY_S * 1000
            _log.debug("outcome.unnoted", reason=str(error), kept=len(self._unnoted))
