"""Whether one destination lives, how long it wants to be left alone, and what of that must not be forgotten.

A dead one lives again when its person writes, when somebody asks for it by hand (a chat command, or a command of this
machine that leaves its wish in the store), or when its address or secret is another: those are read anew now and then.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from bot import log
from bot.clock import Clock
from bot.delivery.attempts import MAX_LANE_BACKOFF_S, backoff_s
from bot.delivery.caps import Caps
from bot.delivery.destination import Destination
from bot.delivery.lane_memory import LaneMemory, recall, remember
from bot.delivery.notices import Notices
from bot.errors import StorageError
from bot.model.news import DestinationDied
from bot.model.outbox import RetryLater
from bot.model.ports import KeyValues

REMEMBER_EVERY_S: Final = 30.0
WORTH_REMEMBERING_S: Final = 5.0
LOOK_EVERY_S: Final = 20.0
"""A dead destination looks for a reason to live."""

Renew = Callable[[str], Awaitable[Destination | None]]
"""The destination of a name with the address and secrets of now; None where they are as before, or cannot be had."""


def wish_key(name: str) -> str:
    """Where a command of this machine leaves the wish to try a destination again; any text, empty once it is heard."""
    return f"delivery.revive.{name}"


async def as_before(_name: str) -> Destination | None:
    """A `Renew` for addresses that do not change."""
    return None


class Life:
    """Of the destination of one lane."""

    def __init__(
        self,
        destination: Destination,
        clock: Clock,
        *,
        store: KeyValues | None,
        caps: Caps,
        notices: Notices,
        renew: Renew = as_before,
        venue_now: Callable[[], int],
    ) -> None:
        """Prepare; `caps` are remembered with the rest."""
        self.destination = destination
        self._clock = clock
        self._store = store
        self._caps = caps
        self._notices = notices
        self._renew = renew
        self._venue_now = venue_now
        self._log = log.get("delivery").bind(destination=destination.name)
        self._memory: LaneMemory | None = None
        self.is_dirty = False
        """Something changed that is not stored yet."""
        self._remember_ms = 0.0
        self._look_ms = 0.0
        self._resume_ms = 0.0
        self._failures = 0
        self.dead_reason: str | None = None

    @property
    def name(self) -> str:
        return self.destination.name

    @property
    def paused_s(self) -> float:
        """How long it still is to be left alone, because it asked for it or fails."""
        return max(0.0, (self._resume_ms - self._clock.monotonic_ms()) / 1000)

    def succeeded(self) -> None:
        self._failures = 0
        self.is_dirty = True

    def pause(self, outcome: RetryLater) -> None:
        self._failures += 1
        pause_s = max(outcome.after_s, backoff_s(self._failures, MAX_LANE_BACKOFF_S))
        self._resume_ms = max(self._resume_ms, self._clock.monotonic_ms() + pause_s * 1000)
        if pause_s >= WORTH_REMEMBERING_S:
            self._must_remember()

    # -- death and life --------------------------------------------------------------------------------------------

    def die(self, reason: str) -> None:
        self._log.error("destination.died", reason=reason)
        self.dead_reason = reason
        self._look_ms = self._clock.monotonic_ms() + LOOK_EVERY_S * 1000
        if self._memory is not None:
            self._memory.dead_reason, self._memory.fingerprint = reason, self.destination.fingerprint
            self._must_remember()
        self._notices.report(DestinationDied(self.name, reason))
        self._notices.look_again()

    def revive(self) -> bool:
        """False where it was not dead."""
        if self.dead_reason is None:
            return False
        self._log.info("destination.revived")
        self.dead_reason = None
        self._resume_ms = 0.0
        if self._memory is not None:
            self._memory.dead_reason, self._memory.is_owner_told = None, False
            self._must_remember()
        self._notices.revived(self.name)
        return True

    def owner_told(self) -> None:
        """The owner knows that it is dead."""
        if self._memory is not None and self.dead_reason is not None:
            self._memory.is_owner_told = True
            self._must_remember()

    async def lives(self) -> bool:
        """Whether it lives, or lives again: a dead one looks for a reason now and then."""
        now_ms = self._clock.monotonic_ms()
        self._note_address()
        if self.dead_reason is None or now_ms < self._look_ms:
            return self.dead_reason is None
        self._look_ms = now_ms + LOOK_EVERY_S * 1000
        anew = await self._renew(self.name)
        if anew is not None:
            self._log.info("destination.renewed")
            self.destination = anew
            self._note_address()
        # Not one after the other: a wish must not outlive a life that began for another reason.
        if await self._wished() or anew is not None:
            self.revive()
        return self.dead_reason is None

    async def _wished(self) -> bool:
        if self._store is None:
            return False
        try:
            if not await self._store.get(wish_key(self.name)):
                return False
            await self._store.put(wish_key(self.name), "")
        except StorageError as error:
            self._log.debug("wish.unreadable", reason=str(error))
            return False
        return True

    # -- memory ----------------------------------------------------------------------------------------------------

    def _must_remember(self) -> None:
        self.is_dirty, self._remember_ms = True, 0.0

    async def recall(self) -> None:
        """What an earlier process knew; once."""
        if self._memory is not None:
            return
        memory = self._memory = await recall(self._store, self.name)
        lane_s, held_s = memory.pauses_s(self._clock.wall_ms())
        self._resume_ms = max(self._resume_ms, self._clock.monotonic_ms() + lane_s * 1000)
        self.destination.hold(held_s)
        self._caps.load(memory.told_today)
        self._note_address()
        if memory.dead_reason is None:
            return
        if memory.fingerprint != self.destination.fingerprint:
            # Another address or secret by now.
            memory.dead_reason, memory.is_owner_told = None, False
            return
        self._log.warning("destination.still_dead", reason=memory.dead_reason)
        self.dead_reason = memory.dead_reason
        if not memory.is_owner_told:
            self._notices.report(DestinationDied(self.name, memory.dead_reason))

    @property
    def address_since_ms(self) -> int:
        """Venue time since when it leads where it does: messages of before are elsewhere. 0: as far as is known, always."""
        return 0 if self._memory is None else self._memory.address_since_ms

    def _note_address(self) -> None:
        memory, address = self._memory, self.destination.fingerprint
        if memory is None or memory.address == address:
            return
        if memory.address:
            memory.address_since_ms = self._venue_now()
        memory.address = address
        self._must_remember()

    async def remember(self, *, at_once: bool) -> None:
        """Store what must not be forgotten, now and then, and at once what matters."""
        now_ms = self._clock.monotonic_ms()
        if self._memory is None or not self.is_dirty or (now_ms < self._remember_ms and not at_once):
            return
        wall_ms = self._clock.wall_ms()
        self._memory.paused_until_ms = round(wall_ms + self.paused_s * 1000)
        self._memory.held_until_ms = round(wall_ms + self.destination.held_s * 1000)
        self._memory.told_today = self._caps.dump()
        self._remember_ms = now_ms + REMEMBER_EVERY_S * 1000
        self.is_dirty = not await remember(self._store, self.name, self._memory)
