"""One lane: takes the rows of one destination in order and sends them, one message at a time.

Its own limits are waited for before a row is claimed, the attempt is noted before the first byte leaves, and the outcome
after it. An attempt whose outcome is unknown is repeated with the same `#id`. What is refused for good is buried with
its reason; what a dead destination refused stays listed. When the database takes no note, the lane sends all the same
and remembers what it sent until it can be noted; rows that it did not take at all are told from memory.

Due times follow the monotonic clock from the lane's start, so that a jump of the wall clock neither stalls nor hurries.
"""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from bot import log
from bot.clock import Clock
from bot.delivery.destination import Answer, Destination, Form, Order, TargetGone, Unlayable
from bot.delivery.planning import first_alert, message_of, next_message
from bot.delivery.unstored import Unstored
from bot.errors import StorageError
from bot.model.alert import TellKind
from bot.model.outbox import Delivered, Message, OutboxRow, Outcome, Rejected, RetryLater
from bot.model.ports import Outbox
from bot.model.view import AlertView

ATTEMPT_TIMEOUT_S: Final = 60.0
FIRST_BACKOFF_S: Final = 1.0
MAX_MESSAGE_BACKOFF_S: Final = 300.0
MAX_LANE_BACKOFF_S: Final = 60.0
STORAGE_RETRY_S: Final = 5.0
MAX_AGE_MS: Final = 24 * 3_600_000
"""Older rows are buried: nobody is served by yesterday's alert."""
BATCH: Final = 50
MAX_UNNOTED: Final = 10_000
MAX_IDLE_S: Final = 30.0
"""Rows may be committed later than their notice; nobody waits longer than this for them."""
_QUIET_S: Final = 2.0


def backoff_s(failures: int, cap_s: float) -> float:
    """1, 2, 4 … seconds up to the cap."""
    return min(cap_s, FIRST_BACKOFF_S * float(1 << min(max(failures - 1, 0), 30)))


@dataclass(slots=True)
class LaneStats:
    """What became of the attempts since the start."""

    delivered: int = 0
    retried: int = 0
    ambiguous: int = 0
    buried: int = 0


class Lane:
    """The way to one destination."""

    def __init__(
        self, destination: Destination, outbox: Outbox, clock: Clock, *, venue_now: Callable[[], int] | None = None
    ) -> None:
        """`venue_now`: venue time in ms, by which rows age; the lane's own time where it is not given."""
        self._destination = destination
        self._outbox = outbox
        self._clock = clock
        self._log = log.get("delivery").bind(destination=destination.name)
        self._offset_ms = clock.wall_ms() - clock.monotonic_ms()
        self._venue_now = venue_now if venue_now is not None else self._now_ms
        self._unstored = Unstored()
        self._woken = asyncio.Event()
        self._quiet = asyncio.Event()
        self._resume_ms = 0.0
        self._failures = 0
        self._attempts: dict[str, int] = {}
        self._unnoted: dict[str, tuple[Message, Outcome]] = {}
        self._note_again_ms = 0.0
        self._closed = False
        self.dead_reason: str | None = None
        """Why nothing is sent any more; None while the destination lives."""
        self.stats = LaneStats()

    @property
    def name(self) -> str:
        return self._destination.name

    @property
    def paused_s(self) -> float:
        """How long the lane still waits because the destination asked for it or fails."""
        return max(0.0, (self._resume_ms - self._clock.monotonic_ms()) / 1000)

    def _now_ms(self) -> int:
        return round(self._offset_ms + self._clock.monotonic_ms())

    def offer(self, row: OutboxRow) -> None:
        """A row that the database has not taken in time; it is told from memory."""
        self._unstored.offer(row)
        self.notify()

    def notify(self) -> None:
        """Rows were committed."""
        self._quiet.clear()
        self._woken.set()

    def revive(self) -> None:
        """The destination may be tried again: its person wrote, or its settings changed."""
        if self.dead_reason is not None:
            self._log.info("destination.revived")
        self.dead_reason = None
        self._resume_ms = 0.0
        self.notify()

    def close(self) -> None:
        """Begin no further attempt; one under way may finish."""
        self._closed = True

    async def drained(self) -> None:
        """Wait until nothing is to be done now."""
        await self._quiet.wait()

    async def run(self) -> None:
        """Send for ever."""
        self._closed = False
        self.notify()
        while True:
            self._woken.clear()
            wait_s = await self._step()
            if wait_s is None or wait_s > _QUIET_S:
                self._quiet.set()
            if wait_s is None or wait_s > 0:
                await self._idle(wait_s)

    async def _idle(self, wait_s: float | None) -> None:
        try:
            async with self._clock.timeout(MAX_IDLE_S if wait_s is None else min(wait_s, MAX_IDLE_S)):
                await self._woken.wait()
        except TimeoutError:
            self._quiet.clear()

    async def _step(self) -> float | None:
        """Send at most one message. Seconds until there may be more to do; None: until notified."""
        if self._closed:
            return None
        await self._note()
        if self.dead_reason is not None:
            return None
        # The slot comes first: a claimed row that then waits for the limiter would age unseen.
        wait_s = max(self.paused_s, self._destination.ready_in_s())
        if wait_s > 0:
            return wait_s
        now_ms = self._now_ms()
        try:
            rows = await self._waiting(now_ms) or await self._from_memory()
            if not rows:
                return await self._until_due_s(now_ms)
        except StorageError as error:
            self._log.debug("outbox.unavailable", reason=str(error))
            rows = self._unstored.pending()
            if not rows:
                return STORAGE_RETRY_S
        await self._tell(first_alert(rows))
        return 0.0

    async def _waiting(self, now_ms: int) -> list[OutboxRow]:
        """What the outbox hands out, less what was sent already but could not be noted."""
        sent = {row_id for message, _ in self._unnoted.values() for row_id in message.row_ids}
        rows = await self._outbox.waiting(self.name, now_ms=now_ms, limit=BATCH + len(sent))
        told = self._unstored.stored(rows)
        if told:
            self._unnoted |= told
            sent |= {row_id for message, _ in told.values() for row_id in message.row_ids}
            await self._note()
        return [row for row in rows if row.id not in sent]

    async def _from_memory(self) -> list[OutboxRow]:
        """Rows that the database did not take; none of an alert whose firing still waits in it."""
        rows = self._unstored.pending()
        while rows and rows[0].kind is not TellKind.FIRE and self._unstored.fire(rows[0].key) is None:
            key = rows[0].key
            fire = await self._outbox.row_of(key, TellKind.FIRE, self.name)
            if fire is None or await self._outbox.message_of(key, TellKind.FIRE, self.name) is not None:
                break
            rows = [row for row in rows if row.key != key]
        return rows

    async def _until_due_s(self, now_ms: int) -> float | None:
        due_ms = await self._outbox.next_due_ms(self.name)
        if self._unnoted:
            return STORAGE_RETRY_S
        # At least a second: a row that is due but not handed out must not make the lane spin.
        return None if due_ms is None else max(1.0, math.ceil(due_ms - now_ms) / 1000)

    async def _tell(self, rows: list[OutboxRow]) -> None:
        plan = next_message(rows)
        message = message_of(plan.rows, form=plan.form)
        if self._venue_now() - rows[0].created_ms > MAX_AGE_MS:
            await self._finish(message, Rejected("older than 24 hours"))
            return
        order = await self._order(plan.rows, plan.form)
        try:
            if not self._unstored.holds(rows[0].id):
                await self._outbox.begin(message)
        except StorageError as error:
            self._log.warning("attempt.unnoted", reason=str(error))
        answer = await self._attempt(order)
        if isinstance(answer, TargetGone):
            self._log.info("message.gone", reason=answer.reason)
            order = replace(order, form=Form.NEW, target=None)
            answer = await self._again(order)
        if isinstance(answer, Unlayable) and not order.plain:
            self._log.error("message.refused", reason=answer.reason, rule=rows[0].view.rule_id)
            answer = await self._again(replace(order, plain=True))
        match answer:
            case TargetGone(reason) | Unlayable(reason):
                await self._finish(message, Rejected(reason))
            case outcome:
                await self._finish(message, outcome)

    async def _order(self, rows: tuple[OutboxRow, ...], form: Form) -> Order:
        """Find what the message relates to. Without a delivered firing it becomes a message of its own."""
        if form is Form.NEW:
            return Order(rows=rows)
        key = rows[-1].key
        if (remembered := self._unstored.fire(key)) is not None:
            target, view = remembered
            return Order(rows=rows, form=form if target else Form.NEW, target=target, fire=view)
        fire: AlertView | None = None
        told: Message | None = None
        try:
            told = await self._outbox.message_of(key, TellKind.FIRE, self.name)
            found = await self._outbox.row_of(key, TellKind.FIRE, self.name)
            fire = found.view if found else None
        except StorageError as error:
            self._log.debug("outbox.unavailable", reason=str(error))
        if told is None or told.provider_id is None:
            return Order(rows=rows, fire=fire)
        return Order(rows=rows, form=form, target=told.provider_id, fire=fire)

    async def _again(self, order: Order) -> Answer:
        await self._clock.sleep(self._destination.ready_in_s())
        return await self._attempt(order)

    async def _attempt(self, order: Order) -> Answer:
        try:
            async with self._clock.timeout(ATTEMPT_TIMEOUT_S):
                return await self._destination.send(order)
        except TimeoutError:
            return RetryLater(backoff_s(4, MAX_LANE_BACKOFF_S), "no answer in time", ambiguous=True)
        except Exception as error:  # noqa: BLE001, one attempt must not end the lane
            self._log.exception("attempt.crashed", error=type(error).__name__)
            return RetryLater(STORAGE_RETRY_S, f"internal error ({type(error).__name__})", ambiguous=True)

    async def _finish(self, message: Message, outcome: Outcome) -> None:
        n = self._attempts.get(message.id, 0) + 1
        match outcome:
            case Delivered():
                self.stats.delivered += 1
                self._failures = 0
                self._attempts.pop(message.id, None)
                self._log.info("message.delivered", message=message.id, attempt=n)
            case RetryLater():
                outcome = self._postpone(message, outcome, n)
            case Rejected(reason, destination_dead=True):
                self._log.error("destination.died", reason=reason)
                self.dead_reason = reason
                outcome = RetryLater(0.0, reason)
            case Rejected(reason):
                self.stats.buried += 1
                self._attempts.pop(message.id, None)
                self._log.error("message.buried", message=message.id, reason=reason)
        if self._unstored.holds(message.row_ids[0]):
            if not isinstance(outcome, RetryLater):
                self._unstored.settle(message, outcome)
            return
        if len(self._unnoted) >= MAX_UNNOTED:
            self._unnoted.pop(next(iter(self._unnoted)))
        self._unnoted[message.id] = (message, outcome)
        await self._note()

    def _postpone(self, message: Message, outcome: RetryLater, n: int) -> RetryLater:
        """The message waits for its own backoff, the lane for that of the destination: others may go before it."""
        if len(self._attempts) >= MAX_UNNOTED:
            self._attempts.clear()
        self._attempts[message.id] = n
        self._failures += 1
        self.stats.retried += 1
        self.stats.ambiguous += outcome.ambiguous
        pause_s = max(outcome.after_s, backoff_s(self._failures, MAX_LANE_BACKOFF_S))
        self._resume_ms = max(self._resume_ms, self._clock.monotonic_ms() + pause_s * 1000)
        # One step longer than the lane, so that a message that fails by itself lets the others by.
        after_s = max(outcome.after_s, backoff_s(n + 1, MAX_MESSAGE_BACKOFF_S))
        self._log.warning(
            "message.postponed",
            message=message.id,
            attempt=n,
            reason=outcome.reason,
            ambiguous=outcome.ambiguous,
            after_s=round(after_s, 1),
        )
        return replace(outcome, after_s=after_s)

    async def _note(self) -> None:
        """Write down outcomes; those that the database does not take stay for the next time."""
        if self._clock.monotonic_ms() < self._note_again_ms:
            return
        try:
            for message_id in list(self._unnoted):
                message, outcome = self._unnoted[message_id]
                await self._outbox.settle(message, outcome, now_ms=self._now_ms())
                del self._unnoted[message_id]
        except StorageError as error:
            self._note_again_ms = self._clock.monotonic_ms() + STORAGE_RETRY_S * 1000
            self._log.debug("outcome.unnoted", reason=str(error), kept=len(self._unnoted))
