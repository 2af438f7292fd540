"""One lane: takes the rows of one destination in order and sends them, one message at a time.

A slot of its destination's limits is taken before a row is claimed, the attempt is noted before the first byte leaves,
and the outcome after it. An attempt whose outcome is unknown is repeated with the same `#id`, and says that it may be a
repeat. What is refused for good is buried with its reason; what a dead destination refused stays listed. When the
database takes no note, the lane sends all the same and remembers what it sent until it can be noted; rows that it did
not take at all are told from memory.

Due times follow the monotonic clock from the start of all lanes, so that a jump of the wall clock neither stalls nor hurries.
"""

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from bot import log
from bot.clock import Clock
from bot.delivery.attempts import Attempts
from bot.delivery.destination import Destination, Form
from bot.delivery.intake import Intake
from bot.delivery.lane_stats import LaneStats
from bot.delivery.life import Life, Renew, as_before
from bot.delivery.manners import Manners
from bot.delivery.notebook import STORAGE_RETRY_S
from bot.delivery.notices import Notices
from bot.delivery.outcomes import Outcomes
from bot.delivery.pictures import Hanging, LanePictures, TakesPictures
from bot.delivery.planning import OUT_OF_DATE, Planner
from bot.delivery.plans import Plan, Told
from bot.delivery.unsettled import Unsettled
from bot.errors import StorageError
from bot.model.chart_ports import AlertPictures
from bot.model.outbox import OutboxRow, Rejected, RetryLater
from bot.model.outbox_ports import Outbox
from bot.model.ports import KeyValues
from bot.texts import speaking

MAX_IDLE_S: Final = 30.0
"""Rows may be committed later than their notice; nobody waits longer than this for them."""
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
        notices: Notices,
        renew: Renew = as_before,
        desk: AlertPictures | None = None,
        language_of: Callable[[str], str] = lambda _: "",
        unsettled: Unsettled | None = None,
        offset_ms: float | None = None,
    ) -> None:
        """Prepare; see `Lanes` for the arguments. `unsettled`: of the lane whose place it takes. `offset_ms`: from monotonic
        time to that of due times; None: to wall time now.
        """
        self._outbox = outbox
        self._clock = clock
        self._log = log.get("delivery").bind(destination=destination.name)
        self._offset_ms = clock.wall_ms() - clock.monotonic_ms() if offset_ms is None else offset_ms
        self._language_of = language_of
        self._venue_now = venue_now if venue_now is not None else self._now_ms
        self._n_instruments = n_instruments
        self._planner = Planner(manners if manners is not None else Manners())
        caps, venue = self._planner.caps, self._venue_now
        self._life = Life(destination, clock, store=store, caps=caps, notices=notices, renew=renew, venue_now=venue)
        self.unsettled = unsettled if unsettled is not None else Unsettled.of(destination.name, outbox, clock)
        self._unstored, self._orders = self.unsettled.unstored, self.unsettled.orders
        self._notebook = self.unsettled.notebook
        self._intake = Intake(destination.name, outbox, self._unstored, self._notebook)
        self.stats = LaneStats()
        self._attempts = Attempts(destination, clock, self.stats)
        self._outcomes = Outcomes(
            life=self._life,
            unsettled=self.unsettled,
            planner=self._planner,
            notices=notices,
            stats=self.stats,
            clock=clock,
            now_ms=self._now_ms,
            venue_now=venue,
        )
        takes = isinstance(destination, TakesPictures)
        self._woken = asyncio.Event()
        self._pictures = LanePictures(desk if takes else None, self._woken.set)
        self._quiet = asyncio.Event()
        self._denied: bool | None = None
        self._closed = False

    @property
    def destination(self) -> Destination:
        """What it sends with now."""
        return self._life.destination

    @property
    def name(self) -> str:
        return self.destination.name

    @property
    def dead_reason(self) -> str | None:
        """Why nothing is sent any more; None while the destination lives."""
        return self._life.dead_reason

    @property
    def paused_s(self) -> float:
        """How long the lane still waits because the destination asked for it or fails."""
        return self._life.paused_s

    def _now_ms(self) -> int:
        return round(self._offset_ms + self._clock.monotonic_ms())

    def offer(self, row: OutboxRow, *, is_news: bool = False) -> None:
        """A row that the database has not taken in time, or (`is_news`) never will; it is told from memory."""
        self._unstored.offer(row, is_news=is_news)
        self.notify()

    def withdraw(self, row_id: str) -> None:
        """Take back what was offered, unless it was told already."""
        self._unstored.withdraw(row_id)

    def notify(self) -> None:
        """Rows were committed."""
        self._denied = None
        self._quiet.clear()
        self._woken.set()

    def revive(self) -> bool:
        """The destination may be tried again. False where it was not dead."""
        if not self._life.revive():
            return False
        self.notify()
        return True

    def owner_told(self) -> None:
        """The owner knows that this destination is dead."""
        self._life.owner_told()
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
        self._notebook.give_up(self._now_ms())
        await self._life.recall()
        self.notify()
        while True:
            self._woken.clear()
            with speaking(self._language_of(self.name)):
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
        await self._notebook.write()
        if not await self._life.lives():
            return None
        if self._attempts.destination is not self.destination:
            # The address or secret is another since it died.
            self._attempts = Attempts(self.destination, self._clock, self.stats)
        self._orders.begin_at(self._life.address_since_ms)
        if self.paused_s > 0:
            return self.paused_s
        # Whoever was denied a slot asks for it again before it reads what would only have to wait.
        if self._denied is not None and (wait_s := self._slot(urgent=self._denied)) > 0:
            return wait_s
        found = await self._next()
        if not isinstance(found, Plan):
            return await self._meanwhile(found)
        if found.form is Form.DROP:
            await self._outcomes.take(found, Rejected(found.reason))
            return 0.0
        if (wait_s := self._slot(urgent=found.is_urgent)) > 0:
            return wait_s
        await self._tell(found)
        return 0.0

    async def _meanwhile(self, next_s: float | None) -> float | None:
        """Nothing is to be told before `next_s`: time for what makes told messages better. Seconds until there is more."""
        touched_s = await self._touch_up()
        if touched_s is not None and touched_s <= 0:
            return touched_s
        hanging = self._pictures.next(now_ms=self._clock.monotonic_ms(), next_s=next_s)
        if hanging is not None and hanging.png is not None:
            return await self._attach(hanging, hanging.png)
        self.destination.free_slot()
        if next_s is None:
            self.stats.nothing_owed()
        return min((s for s in (next_s, touched_s) if s is not None), default=None)

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
            known = self._orders.known(self._unstored.pending())
            for rows in (stored, await self._intake.from_memory(known)):
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
            told = self._orders.known(self._unstored.pending())
            found = self._planned(self._intake.unread(told), told)
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
        if order is None:
            await self._outcomes.take(plan, Rejected(OUT_OF_DATE))
            return
        if not self._unstored.holds(plan.rows[0].id):
            await self._notebook.begin(plan.message())
        outcome = await self._attempts.make(order, anew=lambda: self._orders.anew(plan) if plan.layout else None)
        await self._outcomes.take(plan, outcome)
        self._pictures.told(plan, order, outcome, now_ms=self._clock.monotonic_ms())

    async def _attach(self, hanging: Hanging, png: bytes) -> float:
        """Tried once: the alert is told already."""
        if (wait_s := self.destination.take_slot(urgent=False)) > 0:
            return wait_s
        order = replace(hanging.order, target=hanging.target)
        answer = self._pictures.tried(hanging, await self._attempts.once(order, png=png))
        if isinstance(answer, RetryLater):
            self._outcomes.pause(answer)
        return 0.0

    async def _touch_up(self) -> float | None:
        """An escalation answered a message about many: its line is to say so too. Tried once, an edit like that of new
        figures: it may be dropped. Seconds until there is more to do; None where nothing waits for it.
        """
        place = self._planner.stale_message(now_ms=self._clock.monotonic_ms())
        if not isinstance(place, Told):
            return place
        if (wait_s := self._slot(urgent=False)) > 0:
            return wait_s
        self._planner.refreshed(place, now_ms=self._clock.monotonic_ms())
        order = await self._orders.anew_of(place, n_instruments=self._n_instruments())
        if order is None:
            self.destination.free_slot()
        elif isinstance(answer := await self._attempts.once(order), RetryLater):
            self._outcomes.pause(answer)
        elif isinstance(answer, Rejected) and answer.destination_dead:
            self._life.die(answer.reason)
        return 0.0

    async def leave(self) -> None:
        """Nothing is sent any more: note what can be noted."""
        self._notebook.give_up(self._now_ms())
        await self._notebook.write()
        await self.remember()

    async def remember(self) -> None:
        """Store what must not be forgotten over a restart."""
        await self._life.remember(at_once=self._closed)
