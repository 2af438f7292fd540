"""All lanes together: one task each, so that a destination that hangs delays no other.

At the start, attempts that an earlier process left open become due again. A lane that crashes is logged and started
again; it never takes the others with it.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from bot import log
from bot.clock import Clock
from bot.delivery.destination import Destination
from bot.delivery.lane import Lane
from bot.delivery.life import Renew, as_before
from bot.delivery.manners import Manners
from bot.delivery.notebook import STORAGE_RETRY_S
from bot.delivery.notices import Notices
from bot.delivery.unsettled import Unsettled
from bot.errors import StorageError
from bot.model.chart_ports import AlertPictures
from bot.model.histogram import Histogram
from bot.model.outbox import OutboxRow
from bot.model.outbox_ports import Outbox
from bot.model.ports import KeyValues
from bot.texts import say

LEAVE_S: Final = 5.0
"""For what may go at once to a destination that is taken out."""
LAST_ATTEMPT_S: Final = 60.0
MAX_LEFT_BEHIND: Final = 100
"""Names; of those before it is forgotten what only this process knew."""
_RESTART_S: Final = 5.0

OnLeft = Callable[[Destination], Awaitable[None]]

_log = log.get("delivery")


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """One lane as people see it."""

    name: str
    dead_reason: str | None
    paused_s: float
    delivered: int
    retried: int
    ambiguous: int
    buried: int
    plain: int
    """Messages whose markup was refused, so that they went on as plain text."""
    told: int
    """Firings that arrived."""
    failing_s: float
    """For how long every attempt has failed; 0 when the last one did not, or nothing waits."""
    turned_s: float | None
    """How long ago the lane last looked for work; None before it ran."""
    latency_s: Histogram
    """From a firing to its delivery."""


class Lanes:
    """Delivers what stands in the outbox."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        destinations: Sequence[Destination],
        clock: Clock,
        venue_now: Callable[[], int] | None = None,
        manners: Manners | None = None,
        store: KeyValues | None = None,
        n_instruments: Callable[[], int] = lambda: 0,
        preferred: Sequence[str] | None = None,
        renew: Renew = as_before,
        desk: AlertPictures | None = None,
        language_of: Callable[[str], str] = lambda _: "",
    ) -> None:
        """Prepare one lane per destination.

        Args:
            outbox: What is to be told.
            destinations: Where to; their names are those of the rows.
            clock: Of waits and ages.
            venue_now: Venue time in ms, by which rows age; a wrong wall clock then buries nothing.
            manners: How much is told at once, in a minute and in a day.
            store: Keeps dead destinations, pauses and counts over a restart; None forgets them.
            n_instruments: How many coins there are; 0 while unknown.
            preferred: Where the owner is told of the bot's own troubles, the best first; None: on any.
            renew: Makes a dead destination anew when its address or secret changed.
            desk: Draws charts for alerts; None: they go without.
            language_of: What is spoken at a destination; empty for English.
        """
        self._outbox, self._clock = outbox, clock
        self._offset_ms = clock.wall_ms() - clock.monotonic_ms()
        self.notices = Notices(  # tells the owner of troubles, those of the lanes among them
            lambda: self._lanes.values(),  # noqa: PLW0108, made below
            preferred=preferred,
            clock=clock,
            venue_now=venue_now if venue_now is not None else clock.wall_ms,
            language_of=language_of,
        )
        self._make = partial(
            Lane,
            outbox=outbox,
            clock=clock,
            venue_now=venue_now,
            manners=manners,
            store=store,
            n_instruments=n_instruments,
            notices=self.notices,
            renew=renew,
            desk=desk,
            language_of=language_of,
            offset_ms=self._offset_ms,
        )
        self._lanes = {d.name: self._make(d) for d in destinations}
        self._tasks: dict[Lane, asyncio.Task[None]] = {}
        self._begun, self._gone = set[Lane](), set[Lane]()
        self._before: dict[Lane, asyncio.Task[None]] = {}  # the leaving of a lane whose place another one takes
        self._leaving: dict[str, tuple[Lane, asyncio.Task[None]]] = {}  # those taken out that have not left yet
        self._left_behind: dict[str, Unsettled] = {}  # what those that left knew and the database does not
        self._group: asyncio.TaskGroup | None = None  # while it runs

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._lanes)

    def destination(self, name: str) -> Destination | None:
        """What a lane sends with; None where there is no such lane."""
        lane = self._lanes.get(name)
        return None if lane is None else lane.destination

    def notify(self) -> None:
        """Rows were committed: look now."""
        for lane in self._lanes.values():
            lane.notify()

    def offer(self, rows: Sequence[OutboxRow]) -> None:
        """Tell rows that the database has not taken (full, locked, slow). Should it take them later, they are not told
        twice; should the process die before, they are lost. Rows of unknown destinations are ignored.
        """
        for row in rows:
            if row.destination in self._lanes:
                self._lanes[row.destination].offer(row)

    def dead(self) -> dict[str, str]:
        """Destinations that take no messages any more, and why."""
        return {lane.name: say(lane.dead_reason) for lane in self._lanes.values() if lane.dead_reason is not None}

    def revive(self, name: str) -> bool:
        """Try a dead destination again; False for one that is not dead, or not known."""
        lane = self._lanes.get(name)
        return lane is not None and lane.revive()

    def status(self) -> tuple[LaneStatus, ...]:
        now_ms = self._clock.monotonic_ms()
        return tuple(_status(lane, now_ms) for lane in self._lanes.values())

    async def run(self) -> None:
        """Deliver for ever; ends only by cancellation. What is under way then becomes due again at the next start."""
        recovered = await self._recover()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                if not recovered:
                    group.create_task(self._recover_later(), name="recover-outbox")
                for lane in self._lanes.values():
                    self._start(group, lane)
                # Also where the last lane leaves: another may come.
                await asyncio.Event().wait()
        finally:
            self._group = None
            for known in (self._tasks, self._begun, self._gone, self._before, self._leaving):
                known.clear()

    def _start(self, group: asyncio.TaskGroup, lane: Lane) -> None:
        self._tasks[lane] = group.create_task(self._keep(lane), name=f"lane-{lane.name}")

    def switch(self, made: Sequence[Destination], gone: Collection[str], *, on_left: OnLeft) -> None:
        """Let other destinations be told from now on. Call it in the loop; it waits for nothing.

        Args:
            made: New ones; those of a name that is there take the place of the old one, when that has ended its attempt.
            gone: Names that are told no more. They have a few seconds for what may go now; what is left stays in the outbox.
            on_left: Called with each destination that is gone or replaced, when nothing is sent to it any more.
        """
        for name in gone:
            if name in self._lanes:
                self.notices.left(name)
                self._leave(self._lanes.pop(name), on_left)
        for destination in made:
            old = self._lanes.get(destination.name)
            before, leaving = self._leaving.get(destination.name, (None, None)) if old is None else (old, None)
            unsettled = self._left_behind.pop(destination.name, None) if before is None else before.unsettled
            new = self._make(destination, unsettled=unsettled)
            self._lanes[destination.name] = new
            if old is not None:
                self._leave(old, on_left, heir=new)
            elif leaving is not None:
                # It came back at once: two never send for one name.
                self._before[new] = leaving
            if self._group is not None:
                self._start(self._group, new)
            if old is not None and old.dead_reason is not None:
                self.notices.revived(new.name)
        self.notices.look_again()

    def _leave(self, lane: Lane, on_left: OnLeft, heir: Lane | None = None) -> None:
        if self._group is None:
            lane.close()
            return
        self._gone.add(lane)
        leaving = self._group.create_task(self._left(lane, on_left, heir), name=f"leaving-{lane.name}")
        if heir is not None:
            self._before[heir] = leaving
        else:
            self._leaving[lane.name] = lane, leaving

    async def _left(self, lane: Lane, on_left: OnLeft, heir: Lane | None) -> None:
        if lane in self._begun:
            if heir is None:
                lane.hurry()
                await self._within(LEAVE_S, lane)
            lane.close()
            lane.notify()
            # An attempt that is under way says what came of it.
            await self._within(LAST_ATTEMPT_S, lane)
        elif lane in self._before:
            await asyncio.wait([self._before[lane]])
        for known in (self._begun, self._gone):
            known.discard(lane)
        self._before.pop(lane, None)
        task = self._tasks.pop(lane, None)
        if task is not None:
            task.cancel()
        try:
            await lane.leave()
            await on_left(lane.destination)
        except Exception:  # noqa: BLE001, one lane must not end the others
            _log.exception("lane.left_badly", destination=lane.name)
        if self._leaving.get(lane.name, (None,))[0] is lane:
            del self._leaving[lane.name]
        if lane.name not in self._lanes and lane.unsettled.let_go():
            self._left_behind[lane.name] = lane.unsettled
            while len(self._left_behind) > MAX_LEFT_BEHIND:
                del self._left_behind[next(iter(self._left_behind))]

    async def _within(self, seconds: float, lane: Lane) -> None:
        with contextlib.suppress(TimeoutError):
            async with self._clock.timeout(seconds):
                await lane.drained()

    async def _recover(self) -> bool:
        try:
            # The time of the lanes, which a wall clock that was set meanwhile does not change.
            n = await self._outbox.recover(now_ms=round(self._offset_ms + self._clock.monotonic_ms()))
        except StorageError as error:
            _log.warning("outbox.unavailable", reason=str(error))
            return False
        if n:
            _log.info("attempts.recovered", n=n)
        return True

    async def _recover_later(self) -> None:
        """A full disk must not keep the lanes from sending. An attempt under way is settled by its lane all the same."""
        while True:
            await self._clock.sleep(STORAGE_RETRY_S)
            if await self._recover():
                self.notify()
                return

    async def _keep(self, lane: Lane) -> None:
        if lane in self._before:
            await asyncio.wait([self._before[lane]])
            if lane in self._gone:
                return
            del self._before[lane]
        self._begun.add(lane)
        while True:
            try:
                await lane.run()
            except Exception:  # noqa: BLE001, one lane must not end the others
                _log.exception("lane.crashed", destination=lane.name)
                await self._clock.sleep(_RESTART_S)

    async def drain(self, timeout_s: float) -> bool:
        """Before a stop: let the lanes send what may go now, then begin nothing more. True when nothing was left
        that could have gone; what waits for a pause, a backoff or a dead destination stays in the outbox.
        """
        if self._group is None:
            return True
        drained = True
        for lane in self._lanes.values():
            lane.hurry()
        try:
            async with self._clock.timeout(timeout_s), asyncio.TaskGroup() as group:
                for lane in self._lanes.values():
                    group.create_task(lane.drained())
        except TimeoutError:
            drained = False
            _log.warning("drain.abandoned", after_s=timeout_s)
        for lane in self._lanes.values():
            lane.close()
            await lane.remember()
        return drained


def _status(lane: Lane, now_ms: float) -> LaneStatus:
    stats = lane.stats
    return LaneStatus(
        name=lane.name,
        dead_reason=lane.dead_reason,
        paused_s=lane.paused_s,
        delivered=stats.delivered,
        retried=stats.retried,
        ambiguous=stats.ambiguous,
        buried=stats.buried,
        plain=stats.plain,
        told=stats.told,
        failing_s=0.0 if stats.failing_since_ms is None else (now_ms - stats.failing_since_ms) / 1000,
        turned_s=None if stats.turned_ms is None else (now_ms - stats.turned_ms) / 1000,
        latency_s=stats.latency_s,
    )
