"""Attempts and outcomes on their way into the outbox. What the database does not take stays here for the next time. Bounded."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot import log
from bot.clock import Clock
from bot.errors import StorageError
from bot.model.outbox import Message, OutboxRow, Outcome, RetryLater, Tried
from bot.model.outbox_ports import Outbox
from bot.texts import mark

STORAGE_RETRY_S: Final = 5.0
MAX_UNNOTED: Final = 10_000

_log = log.get("delivery")


@dataclass(frozen=True, slots=True)
class _Unnoted:
    """What came of a message, and when."""

    message: Message
    outcome: Outcome
    at_ms: int

    @property
    def due_ms(self) -> float:
        """When it is to be tried again; never, where it is settled."""
        return self.at_ms + self.outcome.after_s * 1000 if isinstance(self.outcome, RetryLater) else math.inf


class Notebook:
    """Of one lane. Times are those of the lane."""

    def __init__(self, outbox: Outbox, clock: Clock) -> None:
        self._outbox = outbox
        self._clock = clock
        self._unnoted: dict[str, _Unnoted] = {}
        self._again_ms = 0.0
        self._under_way: Message | None = None

    def __len__(self) -> int:
        return len(self._unnoted)

    @property
    def row_ids(self) -> set[str]:
        """Rows of which the outbox does not know the last outcome."""
        return {row_id for one in self._unnoted.values() for row_id in one.message.row_ids}

    def sent(self, now_ms: int) -> set[str]:
        """Those among them that are not to be told now: they are settled, or not due yet."""
        return {row_id for one in self._unnoted.values() if one.due_ms > now_ms for row_id in one.message.row_ids}

    def postponed(self, now_ms: int) -> set[str]:
        """Those of them that are to be told again, and are not due yet: nothing of their alerts goes before."""
        return {
            row_id for one in self._unnoted.values() if now_ms < one.due_ms < math.inf for row_id in one.message.row_ids
        }

    def as_tried(self, rows: Sequence[OutboxRow]) -> list[OutboxRow]:
        """Rows as the outbox would hand them out if it knew what came of them."""
        tried = {
            row_id: Tried(one.message.id, one.message.layout, one.outcome.ambiguous)
            for one in self._unnoted.values()
            if isinstance(one.outcome, RetryLater)
            for row_id in one.message.row_ids
        }
        return [replace(row, tried=tried[row.id]) if row.id in tried else row for row in rows]

    async def begin(self, message: Message) -> None:
        """An attempt starts. It does so whether the database takes note or not."""
        self._under_way = message
        try:
            await self._outbox.begin(message)
        except StorageError as error:
            _log.warning("attempt.unnoted", destination=message.destination, reason=str(error))

    def give_up(self, now_ms: int) -> None:
        """Nobody waits any more for what came of an attempt that began: it may have arrived."""
        if self._under_way is not None:
            self.put(self._under_way, RetryLater(0.0, mark("no answer in time"), ambiguous=True), now_ms)

    def put(self, message: Message, outcome: Outcome, now_ms: int) -> None:
        self._under_way = None
        # The last outcome of a row is to be written last: it may have been in another message before.
        self._unnoted.pop(message.id, None)
        if len(self._unnoted) >= MAX_UNNOTED:
            self._unnoted.pop(next(iter(self._unnoted)))
        self._unnoted[message.id] = _Unnoted(message, outcome, now_ms)

    async def write(self) -> None:
        """Write down what can be written down."""
        if self._clock.monotonic_ms() < self._again_ms:
            return
        try:
            for message_id in list(self._unnoted):
                one = self._unnoted[message_id]
                await self._outbox.settle(one.message, one.outcome, now_ms=one.at_ms)
                del self._unnoted[message_id]
        except StorageError as error:
            self._again_ms = self._clock.monotonic_ms() + STORAGE_RETRY_S * 1000
            _log.debug("outcome.unnoted", reason=str(error), kept=len(self._unnoted))
