"""Time: the only module that reads a clock or waits.

Everything else gets time as an argument or a `Clock` to wait on. Three times exist and are never mixed:

- wall time (UTC epoch milliseconds): for people, and for deadlines that must survive a restart;
- monotonic time (milliseconds from an arbitrary zero): for ages and waits inside one process;
- venue time: computed from the two and the venue's own stamps, see `bot.market.venue_time`.

`SystemClock(speed=60)` makes a minute pass in a second for the whole process, waits included. Two processes given
the same `epoch_ms` and `speed` agree on the time.

`machine_s` stands apart: it measures our own work, which is as slow on a fast clock as on any.
"""

import asyncio
import contextlib
import heapq
import time
from collections.abc import AsyncIterator
from typing import Protocol


def machine_s() -> float:
    """Seconds of the machine from an arbitrary zero, whatever a clock's speed; for measuring how long our work takes."""
    return time.perf_counter()


class Clock(Protocol):
    """What a component may know of time."""

    @property
    def speed(self) -> float:
        """Clock seconds per real second; library timers that cannot go through the clock are divided by it."""
        ...

    def wall_ms(self) -> int:
        """UTC epoch milliseconds."""
        ...

    def monotonic_ms(self) -> float:
        """Milliseconds that never go back; only differences mean anything."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait that many clock seconds; zero or less only yields."""
        ...

    def timeout(self, seconds: float | None) -> contextlib.AbstractAsyncContextManager[None]:
        """Raise `TimeoutError` when the body takes longer than that many clock seconds; None never."""
        ...


class SystemClock:
    """The machine's clock, optionally faster."""

    def __init__(self, *, speed: float = 1.0, epoch_ms: int | None = None) -> None:
        self._speed = speed
        now_ms = time.time_ns() / 1e6
        self._epoch_ms = now_ms if epoch_ms is None else float(epoch_ms)
        self._monotonic0_s = time.monotonic()

    @property
    def speed(self) -> float:
        return self._speed

    def wall_ms(self) -> int:
        now_ms = time.time_ns() / 1e6
        return int(now_ms if self._speed == 1.0 else self._epoch_ms + (now_ms - self._epoch_ms) * self._speed)

    def monotonic_ms(self) -> float:
        return (time.monotonic() - self._monotonic0_s) * 1000.0 * self._speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0.0) / self._speed)

    def block(self, seconds: float) -> None:
        """Wait where there is no loop, as in a command that does one thing."""
        time.sleep(max(seconds, 0.0) / self._speed)

    @contextlib.asynccontextmanager
    async def timeout(self, seconds: float | None) -> AsyncIterator[None]:
        async with asyncio.timeout(None if seconds is None else max(seconds, 0.0) / self._speed):
            yield


class ManualClock:
    """A clock that moves only when told; for tests.

    `advance` releases sleepers in the order of their deadlines and lets the loop settle after each, so code whose
    only waiting is on the clock runs deterministically.
    """

    speed = 1.0

    def __init__(self, *, wall_ms: int = 1_767_225_600_000) -> None:
        self._wall0_ms = wall_ms
        self._now_ms = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._n = 0

    def wall_ms(self) -> int:
        return int(self._wall0_ms + self._now_ms)

    def monotonic_ms(self) -> float:
        return self._now_ms

    def _wake_at(self, deadline_ms: float) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._n += 1
        heapq.heappush(self._sleepers, (deadline_ms, self._n, future))
        return future

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        await self._wake_at(self._now_ms + seconds * 1000.0)

    @contextlib.asynccontextmanager
    async def timeout(self, seconds: float | None) -> AsyncIterator[None]:
        async with asyncio.timeout(None) as scope:
            future = None
            if seconds is not None:
                future = self._wake_at(self._now_ms + seconds * 1000.0)
                future.add_done_callback(lambda f: None if f.cancelled() else scope.reschedule(0))
            try:
                yield
            finally:
                if future is not None and not future.done():
                    future.cancel()

    async def advance(self, seconds: float) -> None:
        """Move time forward, waking whoever is due on the way."""
        end_ms = self._now_ms + seconds * 1000.0
        await self._settle()
        while self._sleepers and self._sleepers[0][0] <= end_ms:
            deadline_ms, _, future = heapq.heappop(self._sleepers)
            self._now_ms = max(self._now_ms, deadline_ms)
            if not future.done():
                future.set_result(None)
            await self._settle()
        self._now_ms = end_ms
        await self._settle()

    @staticmethod
    async def _settle() -> None:
        for _ in range(20):
            await asyncio.sleep(0)
