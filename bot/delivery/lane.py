"""One lane: takes the rows of one destination in order and sends them, one message at a time.

A slot of its destination's limits is taken before a row is claimed, the attempt is noted before the first byte leaves,
and the outcome after it. An attempt whose outcome is unknown is repeated with the same `#id`, and says that it may be a
repeat. What is refused for good is buried with its reason; what a dead destination refused stays listed. When the
database takes no note, the lane sends all the same and remembers what it sent until it can be noted; rows that it did
not take at all are told from memory.

Due times follow the monotonic clock from the lane's start, so that a jump of the wall clock neither stalls nor hurries.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from bot import log
from bot.clock import Clock
from bot.delivery.attempts import MAX_LANE_BACKOFF_S, Attempts, backoff_s
from bot.delivery.destination import Destination, Form, Order
from bot.delivery.intake import Intake
from bot.delivery.lane_memory import LaneMemory, recall, remember
from bot.delivery.lane_stats import LaneStats
from bot.delivery.manners import Manners
from bot.delivery.notebook import STORAGE_RETRY_S, Notebook
from bot.delivery.orders import Orders
from bot.delivery.pictures import Hanging, LanePictures, TakesPictures
from bot.delivery.planning import OUT_OF_DATE, Plan, Planner, Told
from bot.delivery.text import Card, clean, line
from bot.delivery.unstored import Unstored
from bot.errors import StorageError
from bot.model.outbox import Delivered, Message, OutboxRow, Outcome, Rejected, RetryLater
from bot.model.ports import AlertPictures, KeyValues, Outbox

MAX_MESSAGE_BACKOFF_S: Final = 300.0
MAX_COUNTED: Final = 10_000
MAX_NOTES: Final = 20
MAX_IDLE_S: Final = 30.0
"""Rows may be committed later than their notice; nobody waits longer than this for them."""
REMEMBER_EVERY_S: Final = 30.0
WORTH_REMEMBERING_S: Final = 5.0
_QUIET_S: Final = 2.0


class Lane:
    """The way to one destination."""

    def __init__(
        self,
        destination: Destination,
        outbox: Outbox,
        clock: Clock,
        *,
        venue_now: Callable[[], int] | None = None,
        manners: Manners | None = None,
        store: KeyValues | None = None,
        n_instruments: Callable[[], int] = lambda: 0,
        report: Callable[[str, str], None] = lambda _topic, _text: None,
        desk: AlertPictures | None = None,
    ) -> None:
        """Prepare; see `Lanes` for the arguments. `report`: told a topic and a text for the owner."""
        self.destination = destination
        self._outbox = outbox
        self._clock = clock
        self._log = log.get("delivery").bind(destination=destination.name)
        self._offset_ms = clock.wall_ms() - clock.monotonic_ms()
        self._venue_now = venue_now if venue_now is not None else self._now_ms
        self._n_instruments = n_instruments
        self._report = report
        self._store = store
        self._memory: LaneMemory | None = None
        self._is_dirty = False
        self._remember_ms = 0.0
        self._planner = Planner(manners if manners is not None else Manners())
        self._unstored = Unstored()
        self._orders = Orders(outbox, self._unstored, destination=destination.name)
        self._notebook = Notebook(outbox, clock)
        self._intake = Intake(destination.name, outbox, self._unstored, self._notebook)
        self._attempts = Attempts(destination, clock)
        takes = isinstance(destination, TakesPictures)
        self._pictures = LanePictures(desk if takes else None, self._woken_by_picture)
        self._notes: deque[str] = deque(maxlen=MAX_NOTES)
        self._woken = asyncio.Event()
        self._quiet = asyncio.Event()
        self._resume_ms = 0.0
        self._failures = 0
        self._n_tried: dict[str, int] = {}
        self._denied: bool | None = None
        self._closed = False
        self.dead_reason: str | None = None
        """Why nothing is sent any more; None while the destination lives."""
        self.stats = LaneStats()

    @property
    def name(self) -> str:
        return self.destination.name

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

    def untold(self) -> Sequence[OutboxRow]:
        """What only this lane knows, because the database has not taken it."""
        return self._unstored.pending()

    def note(self, text: str) -> None:
        """Tell the owner something about the bot here."""
        self._notes.append(text)
        self.notify()

    def notify(self) -> None:
        """Rows were committed."""
        self._denied = None
        self._quiet.clear()
        self._woken.set()

    def revive(self) -> None:
        """The destination may be tried again: its person wrote, or its settings changed."""
        if self.dead_reason is None:
            return
        self._log.info("destination.revived")
        self.dead_reason = None
        self._resume_ms = 0.0
        if self._memory is not None:
            self._memory.dead_reason, self._memory.is_owner_told = None, False
            self._must_remember()
        self.notify()

    def _woken_by_picture(self) -> None:
        self._woken.set()

    def owner_told(self) -> None:
        """The owner knows that this destination is dead."""
        if self._memory is not None:
            self._memory.is_owner_told = True
            self._must_remember()
            self._woken.set()

    def hurry(self) -> None:
        """The bot is about to stop: gather no more."""
        self._planner.hurry()
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
        await self._recall()
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
        await self.remember()
        self.stats.turned_ms = self._clock.monotonic_ms()
        if self._closed:
            return None
        await self._notebook.write(self._now_ms())
        if self.dead_reason is not None:
            return None
        if self.paused_s > 0:
            return self.paused_s
        # Whoever was denied a slot asks for it again before it reads what would only have to wait.
        if self._denied is not None and (wait_s := self._slot(urgent=self._denied)) > 0:
            return wait_s
        if self._notes:
            return await self._tell_note()
        found = await self._next()
        if not isinstance(found, Plan):
            hanging = self._pictures.next(now_ms=self._clock.monotonic_ms(), next_s=found)
            if hanging is not None and hanging.png is not None:
                return await self._attach(hanging, hanging.png)
            self.destination.free_slot()
            if found is None:
                self.stats.nothing_owed()
            return found
        if found.form is Form.DROP:
            await self._finish(found, Rejected(found.reason))
            return 0.0
        if (wait_s := self._slot(urgent=found.is_urgent)) > 0:
            return wait_s
        await self._tell(found)
        return 0.0

    def _slot(self, *, urgent: bool) -> float:
        """0: taken, and kept until something is sent. It comes first: a claimed row that waits would age unseen."""
        wait_s = self.destination.take_slot(urgent=urgent)
        self._denied = urgent if wait_s > 0 else None
        return wait_s

    # -- what comes next -----------------------------------------------------------------------------------------

    async def _next(self) -> Plan | float | None:
        now_ms = self._now_ms()
        waits: list[float] = []
        try:
            stored = await self._intake.waiting(now_ms)
            for rows in (stored, await self._intake.from_memory()):
                found = await self._plan(rows)
                if isinstance(found, Plan):
                    return found
                waits += [] if found is None else [found]
            due_ms = await self._outbox.next_due_ms(self.name, after_ms=now_ms if stored else -1)
            if due_ms is not None:
                # At least a second: a row that is due but not handed out must not make the lane spin.
                waits.append(max(1.0, math.ceil(due_ms - now_ms) / 1000))
        except StorageError as error:
            self._log.debug("outbox.unavailable", reason=str(error))
            waits.append(STORAGE_RETRY_S)
            found = self._planned(self._unstored.pending(), {})
            if isinstance(found, Plan):
                return found
            waits += [] if found is None else [found]
        return min([*waits, STORAGE_RETRY_S] if len(self._notebook) else waits, default=None)

    async def _plan(self, rows: list[OutboxRow]) -> Plan | float | None:
        return self._planned(rows, await self._orders.told(rows)) if rows else None

    def _planned(self, rows: list[OutboxRow], told: dict[str, Told]) -> Plan | float | None:
        if not rows:
            return None
        self._planner.n_instruments = self._n_instruments()
        return self._planner.next(rows, told, now_ms=self._clock.monotonic_ms(), venue_ms=self._venue_now())

    # -- attempts ------------------------------------------------------------------------------------------------

    async def _tell(self, plan: Plan) -> None:
        order = await self._orders.make(plan, n_instruments=self._n_instruments())
        try:
            if not self._unstored.holds(plan.rows[0].id):
                await self._outbox.begin(plan.message())
        except StorageError as error:
            self._log.warning("attempt.unnoted", reason=str(error))
        outcome = await self._attempts.make(order, anew=lambda: self._orders.anew(plan) if plan.layout else None)
        await self._finish(plan, outcome)
        self._pictures.told(plan, order, outcome, now_ms=self._clock.monotonic_ms())

    async def _attach(self, hanging: Hanging, png: bytes) -> float:
        """Tried once: the alert is told already."""
        if (wait_s := self.destination.take_slot(urgent=False)) > 0:
            return wait_s
        order = replace(hanging.order, target=hanging.target)
        answer = self._pictures.tried(hanging, await self._attempts.once(order, png=png))
        if isinstance(answer, RetryLater):
            self._pause(answer)
        return 0.0

    async def _tell_note(self) -> float:
        """What the owner should know. Tried until it arrives or is refused."""
        if (wait_s := self._slot(urgent=True)) > 0:
            return wait_s
        text = self._notes[0]
        answer = await self._attempts.once(Order(rows=(), card=Card(head=line("⚠️ ", clean(text, 1_000))), urgent=True))
        if isinstance(answer, RetryLater):
            self._pause(answer)
            return self.paused_s
        self._notes.popleft()
        if isinstance(answer, Rejected) and answer.destination_dead:
            self._die(answer.reason)
        return 0.0

    # -- outcomes ------------------------------------------------------------------------------------------------

    async def _finish(self, plan: Plan, outcome: Outcome) -> None:
        message = plan.message()
        n = self._n_tried.get(message.id, 0) + 1
        match outcome:
            case Delivered(provider_id):
                self.stats.arrived(plan.rows, self._venue_now())
                self._failures = 0
                self._n_tried.pop(message.id, None)
                self._orders.delivered(plan, provider_id)
                self._planner.delivered(plan, now_ms=self._clock.monotonic_ms(), venue_ms=self._venue_now())
                self._is_dirty = True
                self._log.info(
                    "message.delivered", message=message.id, attempt=n, rows=len(plan.rows), alerts=_ids(plan)
                )
            case RetryLater():
                outcome = self._postpone(plan, message, outcome, n)
            case Rejected(reason, destination_dead=True):
                self._die(reason)
                outcome = RetryLater(0.0, reason)
            case Rejected(reason):
                self._bury(plan, message, reason)
        if self._unstored.holds(message.row_ids[0]):
            if not isinstance(outcome, RetryLater):
                self._unstored.settle(message, outcome)
            return
        self._notebook.put(message, outcome)
        await self._notebook.write(self._now_ms())

    def _bury(self, plan: Plan, message: Message, reason: str) -> None:
        self._n_tried.pop(message.id, None)
        if reason == OUT_OF_DATE:
            self._log.info("message.dropped", message=message.id, reason=reason)
            return
        self.stats.buried += 1
        self.stats.nothing_owed()
        self._log.error("message.buried", message=message.id, reason=reason)
        self._report(
            f"buried:{self.name}", f"{self.name}: {_ids(plan)} could not be told: {reason}. /deadletters lists all"
        )

    def _die(self, reason: str) -> None:
        self._log.error("destination.died", reason=reason)
        self.dead_reason = reason
        if self._memory is not None:
            self._memory.dead_reason, self._memory.fingerprint = reason, self.destination.fingerprint
            self._must_remember()
        self._report(f"dead:{self.name}", _obituary(self.name, reason))

    def _postpone(self, plan: Plan, message: Message, outcome: RetryLater, n: int) -> RetryLater:
        """The message waits for its own backoff, the lane for that of the destination: others may go before it."""
        if len(self._n_tried) >= MAX_COUNTED:
            self._n_tried.clear()
        self._n_tried[message.id] = n
        self.stats.retried += 1
        self.stats.ambiguous += outcome.ambiguous
        if outcome.ambiguous:
            self._orders.in_doubt(plan)
        self._pause(outcome)
        # One step longer than the lane, so that a message that fails by itself lets the others by.
        after_s = max(outcome.after_s, backoff_s(n + 1, MAX_MESSAGE_BACKOFF_S))
        self._log.warning(
            "message.postponed",
            message=message.id,
            attempt=n,
            reason=outcome.reason,
            ambiguous=outcome.ambiguous,
            after_s=round(after_s, 1),
            rows=len(plan.rows),
        )
        return replace(outcome, after_s=after_s)

    def _pause(self, outcome: RetryLater) -> None:
        self._failures += 1
        self.stats.failed(self._clock.monotonic_ms())
        pause_s = max(outcome.after_s, backoff_s(self._failures, MAX_LANE_BACKOFF_S))
        self._resume_ms = max(self._resume_ms, self._clock.monotonic_ms() + pause_s * 1000)
        if pause_s >= WORTH_REMEMBERING_S:
            self._must_remember()

    # -- memory --------------------------------------------------------------------------------------------------

    def _must_remember(self) -> None:
        self._is_dirty, self._remember_ms = True, 0.0

    async def _recall(self) -> None:
        """What an earlier process knew; once."""
        if self._memory is not None:
            return
        memory = self._memory = await recall(self._store, self.name)
        lane_s, held_s = memory.pauses_s(self._clock.wall_ms())
        self._resume_ms = max(self._resume_ms, self._clock.monotonic_ms() + lane_s * 1000)
        self.destination.hold(held_s)
        self._planner.caps.load(memory.told_today)
        if memory.dead_reason is None:
            return
        if memory.fingerprint != self.destination.fingerprint:
            # Another address or secret by now.
            memory.dead_reason, memory.is_owner_told = None, False
            return
        self._log.warning("destination.still_dead", reason=memory.dead_reason)
        self.dead_reason = memory.dead_reason
        if not memory.is_owner_told:
            self._report(f"dead:{self.name}", _obituary(self.name, memory.dead_reason))

    async def remember(self) -> None:
        """Store what must not be forgotten, now and then, and at once what matters."""
        now_ms = self._clock.monotonic_ms()
        if self._memory is None or not self._is_dirty or (now_ms < self._remember_ms and not self._closed):
            return
        wall_ms = self._clock.wall_ms()
        self._memory.paused_until_ms = round(wall_ms + self.paused_s * 1000)
        self._memory.held_until_ms = round(wall_ms + self.destination.held_s * 1000)
        self._memory.told_today = self._planner.caps.dump()
        self._remember_ms = now_ms + REMEMBER_EVERY_S * 1000
        self._is_dirty = not await remember(self._store, self.name, self._memory)


def _ids(plan: Plan) -> str:
    """The first alerts of a message, for people."""
    return ", ".join(dict.fromkeys(f"#{row.view.short_id}" for row in plan.rows[:5]))


def _obituary(name: str, reason: str) -> str:
    return f"{name} takes no messages any more: {reason}. What it missed is kept; it is tried again when its person writes."
