"""Alert state and outbox rows into the database, without letting a slow disk stop the watching.

Changes are committed one after another, in order. The engine waits for its commit up to two seconds; then it goes on
while the commit is still under way, said once. What cannot be stored is kept (bounded) and tried again.
"""

import asyncio
from collections import deque
from typing import Final

from bot import log
from bot.clock import Clock
from bot.errors import StorageError
from bot.model.ports import AlertStore, Commit

PATIENCE_S: Final = 2.0
RETRY_S: Final = 5.0
MAX_WAITING: Final = 10_000


class Committer:
    """Single producer. `run` is the component that writes."""

    def __init__(self, store: AlertStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._log = log.get("committer")
        self._waiting: deque[Commit] = deque()
        self._arrived = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self.is_behind = False
        self.n_lost = 0

    @property
    def n_waiting(self) -> int:
        return len(self._waiting)

    async def commit(self, change: Commit) -> bool:
        """Hand over a change; True once it is stored, False when that takes longer than the engine may wait."""
        if len(self._waiting) >= MAX_WAITING:
            del self._waiting[1]  # the first is being written
            self.n_lost += 1
            self._log.error("commit.dropped", waiting=len(self._waiting), lost=self.n_lost)
        self._waiting.append(change)
        self._empty.clear()
        self._arrived.set()
        if self.is_behind:
            return False
        try:
            async with self._clock.timeout(PATIENCE_S):
                await self._empty.wait()
        except TimeoutError:
            self.is_behind = True
            self._log.warning("commit.delayed", waiting=len(self._waiting), after_s=PATIENCE_S)
            return False
        return True

    async def drain(self, within_s: float) -> bool:
        """At stop: wait for what is under way."""
        try:
            async with self._clock.timeout(within_s):
                await self._empty.wait()
        except TimeoutError:
            self._log.error("commit.abandoned", waiting=len(self._waiting))
            return False
        return True

    async def run(self) -> None:
        while True:
            await self._arrived.wait()
            while self._waiting:
                try:
                    await self._store.commit(self._waiting[0])
                except StorageError as error:
                    self._log.error("commit.failed", reason=str(error), waiting=len(self._waiting))
                    await self._clock.sleep(RETRY_S)
                    continue
                self._waiting.popleft()
            if self.is_behind:
                self.is_behind = False
                self._log.info("commit.recovered")
            self._arrived.clear()
            self._empty.set()
