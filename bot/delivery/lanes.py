"""All lanes together: one task each, so that a destination that hangs delays no other.

At the start, attempts that an earlier process left open become due again. A lane that crashes is logged and started
again; it never takes the others with it.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from bot import log
from bot.clock import Clock
from bot.delivery.destination import Destination
from bot.delivery.lane import Lane
from bot.delivery.manners import Manners
from bot.delivery.notebook import STORAGE_RETRY_S
from bot.errors import StorageError
from bot.model.outbox import OutboxRow
from bot.model.ports import AlertPictures, KeyValues, Outbox

REPORT_EVERY_S: Final = 3_600.0
"""The owner hears of one thing no more often."""
MAX_TOPICS: Final = 1_000
_RESTART_S: Final = 5.0

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
        owner: str | None = None,
        desk: AlertPictures | None = None,
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
            owner: Where the owner is told of the bot's own troubles; the first destination that lives otherwise.
            desk: Draws charts for alerts; None: they go without.
        """
        self._outbox = outbox
        self._clock = clock
        self._owner = owner
        self._reported_ms: dict[str, float] = {}
        self._unreported: dict[str, str] = {}
        self._lanes = {
            d.name: Lane(
                d,
                outbox,
                clock,
                venue_now=venue_now,
                manners=manners,
                store=store,
                n_instruments=n_instruments,
                report=self.report,
                desk=desk,
            )
            for d in destinations
        }
        self._running = False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._lanes)

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

    def revive(self, name: str) -> None:
        """Try a dead destination again; unknown names are ignored."""
        if name in self._lanes:
            self._lanes[name].revive()
            self._reported_ms.pop(f"dead:{name}", None)
            self._unreported.pop(f"dead:{name}", None)
            waiting, self._unreported = self._unreported, {}
            for topic, text in waiting.items():
                self._pass_on(topic, text)

    def report(self, topic: str, text: str) -> None:
        """Tell the owner, in a destination that lives; of one topic at most once an hour. Kept while none does."""
        now_ms = self._clock.monotonic_ms()
        last_ms = self._reported_ms.get(topic)
        if last_ms is not None and (now_ms - last_ms) / 1000 < REPORT_EVERY_S:
            return
        self._reported_ms[topic] = now_ms
        while len(self._reported_ms) > MAX_TOPICS:
            self._reported_ms.pop(next(iter(self._reported_ms)))
        self._pass_on(topic, text)

    def _pass_on(self, topic: str, text: str) -> None:
        names = [name for name in (self._owner, *self._lanes) if name is not None]
        living = [self._lanes[name] for name in names if name in self._lanes and not self._lanes[name].dead_reason]
        if not living:
            self._unreported[topic] = text
            return
        living[0].note(text)
        dead = self._lanes.get(topic.removeprefix("dead:")) if topic.startswith("dead:") else None
        if dead is not None:
            dead.owner_told()

    def status(self) -> tuple[LaneStatus, ...]:
        return tuple(
            LaneStatus(
                name=lane.name,
                dead_reason=lane.dead_reason,
                paused_s=lane.paused_s,
                delivered=lane.stats.delivered,
                retried=lane.stats.retried,
                ambiguous=lane.stats.ambiguous,
                buried=lane.stats.buried,
            )
            for lane in self._lanes.values()
        )

    async def run(self) -> None:
        """Deliver for ever; ends only by cancellation. What is under way then becomes due again at the next start."""
        recovered = await self._recover()
        self._running = True
        try:
            async with asyncio.TaskGroup() as group:
                if not recovered:
                    group.create_task(self._recover_later(), name="recover-outbox")
                for lane in self._lanes.values():
                    group.create_task(self._keep(lane), name=f"lane-{lane.name}")
        finally:
            self._running = False

    async def _recover(self) -> bool:
        try:
            n = await self._outbox.recover(now_ms=self._clock.wall_ms())
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
        if not self._running:
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
