"""The bot's side of the drawing process: starts it when the first chart is wanted, ends it when none was for a while.

Promises: `draw` never raises but for cancellation and never blocks the loop; it answers in a bounded time with a picture or
with the reason why there is none. One chart is drawn at a time, a bounded number waits. A worker that hangs, dies, or grows is
replaced; one that cannot start is not tried again at once.
"""

import asyncio
import contextlib
import os
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from bot import log
from bot.charts import wire
from bot.clock import Clock
from bot.model.charts import Drawing, NoPicture, Picture
from bot.texts import mark
from bot.worker import environment

MAX_WAITING: Final = 16
DRAW_S: Final = 5.0
START_S: Final = 20.0
IDLE_S: Final = 600.0
MAX_DRAWN: Final = 500
"""Then the worker is replaced, so that a leak in a library stays small."""
MEMORY_MB: Final = 256
"""What a drawing may take beyond what the libraries do."""
MAX_PEAK_MB: Final = 250.0
RETRY_S: Final = 60.0

TOO_MANY: Final = NoPicture(mark("too many charts were wanted at once"))
STOPPED: Final = NoPicture(mark("the bot is stopping"))

_log = log.get("charts")


@dataclass(slots=True)
class Limits:
    """What the drawing process may do. Seconds are real ones, however fast the clock."""

    draw_s: float = DRAW_S
    start_s: float = START_S
    idle_s: float = IDLE_S
    max_waiting: int = MAX_WAITING
    max_drawn: int = MAX_DRAWN
    memory_mb: int = MEMORY_MB
    max_peak_mb: float = MAX_PEAK_MB
    retry_s: float = RETRY_S


@dataclass(slots=True)
class StudioCounts:
    """Since the start."""

    drawn: int = 0
    failed: int = 0
    refused: int = 0
    """Because too many waited."""
    started: int = 0
    """Processes."""


@dataclass(slots=True, eq=False)
class _Job:
    data: Drawing
    answer: "asyncio.Future[Picture | NoPicture]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def settle(self, found: Picture | NoPicture) -> None:
        if not self.answer.done():
            self.answer.set_result(found)


class Studio:
    """Draws charts, by way of one worker. `run` has to be running."""

    def __init__(
        self, *, clock: Clock, cache_dir: Path, limits: Limits | None = None, command: Sequence[str] | None = None
    ) -> None:
        """Prepare; nothing is started before the first chart.

        Args:
            clock: Of all waits.
            cache_dir: Where the worker keeps its list of fonts; made when it is missing.
            limits: See there.
            command: What to start instead of our worker.
        """
        self._clock = clock
        self._cache_dir = cache_dir
        self._limits = limits if limits is not None else Limits()
        self._command = tuple(command or (sys.executable, "-P", "-m", "bot.charts.worker"))
        self._waiting: deque[_Job] = deque()
        self._arrived = asyncio.Event()
        self._worker: asyncio.subprocess.Process | None = None
        self._n_drawn = 0
        self._peak_mb = 0.0
        self._broken: tuple[float, NoPicture] | None = None
        self._is_running = False
        self.counts = StudioCounts()

    @property
    def pid(self) -> int | None:
        """Of the worker; None while there is none."""
        return None if self._worker is None else self._worker.pid

    @property
    def peak_mb(self) -> float:
        """The most memory that the present worker has held."""
        return self._peak_mb

    async def draw(self, data: Drawing) -> Picture | NoPicture:
        """A picture, or why there is none."""
        if not self._is_running:
            return STOPPED
        if (found := self._still_broken()) is not None:
            return found
        if len(self._waiting) >= self._limits.max_waiting:
            self.counts.refused += 1
            return TOO_MANY
        job = _Job(data)
        self._waiting.append(job)
        self._arrived.set()
        return await job.answer

    async def run(self) -> None:
        """Draw what is wanted until cancelled; the worker ends with this."""
        self._is_running = True
        try:
            while True:
                job = await self._next()
                if job is None:
                    await self._end("idle")
                    continue
                found = await self._draw(job)
                job.settle(found)
                if isinstance(found, Picture):
                    self.counts.drawn += 1
                else:
                    self.counts.failed += 1
                    _log.warning("chart.failed", symbol=job.data.symbol[:40], reason=found.reason)
        finally:
            self._is_running = False
            while self._waiting:
                self._waiting.popleft().settle(STOPPED)
            await self._end("stop")

    async def _next(self) -> _Job | None:
        """The next chart that somebody still waits for; None when none came for a while and a worker idles."""
        while True:
            while self._waiting:
                job = self._waiting.popleft()
                if not job.answer.done():
                    return job
            self._arrived.clear()
            try:
                async with self._clock.timeout(None if self._worker is None else self._real(self._limits.idle_s)):
                    await self._arrived.wait()
            except TimeoutError:
                return None

    def _real(self, seconds: float) -> float:
        """A process is as slow as it is, however fast the clock runs."""
        return seconds * max(1.0, self._clock.speed)

    # The worker

    def _still_broken(self) -> NoPicture | None:
        if self._broken is not None and self._clock.monotonic_ms() < self._broken[0]:
            return self._broken[1]
        return None

    async def _draw(self, job: _Job) -> Picture | NoPicture:
        try:
            if (broken := self._still_broken()) is not None or (broken := await self._ready()) is not None:
                return broken
            async with self._clock.timeout(self._real(self._limits.draw_s)):
                answer = await self._ask(job.data)
        except TimeoutError:
            await self._end("hung")
            return NoPicture(mark("drawing took too long"))
        except (OSError, EOFError, ValueError, msgspec.DecodeError) as error:
            await self._end("died")
            return NoPicture(f"the drawing process ended ({type(error).__name__})")
        except asyncio.CancelledError:
            job.settle(STOPPED)
            raise
        self._n_drawn += 1
        self._peak_mb = max(self._peak_mb, answer.peak_mb)
        if self._n_drawn >= self._limits.max_drawn or self._peak_mb > self._limits.max_peak_mb or answer.error:
            await self._end("replaced")
        if answer.error:
            return NoPicture(f"it could not be drawn: {answer.error}")
        return Picture(answer.png, answer.width_px, answer.height_px)

    async def _ready(self) -> NoPicture | None:
        """Start a worker where there is none. Returns why that is not possible."""
        if self._worker is not None and self._worker.returncode is None:
            return None
        await self._end("gone")
        reason = ""
        try:
            async with self._clock.timeout(self._real(self._limits.start_s)):
                self._worker = await self._start()
                answer = await self._read()
            reason = answer.error
            self._peak_mb = answer.peak_mb
        except TimeoutError:
            reason = mark("it took too long to start")
        except (OSError, EOFError, ValueError, msgspec.DecodeError) as error:
            reason = f"it did not start ({type(error).__name__})"
        if not reason:
            self._broken = None
            return None
        await self._end("unusable")
        found = NoPicture(f"charts cannot be drawn here: {reason}")
        self._broken = self._clock.monotonic_ms() + self._limits.retry_s * 1000, found
        return found

    async def _start(self) -> asyncio.subprocess.Process:
        self._n_drawn = 0
        self.counts.started += 1
        self._cache_dir.mkdir(parents=True, exist_ok=True)
        made = await asyncio.create_subprocess_exec(
            *self._command,
            str(self._limits.memory_mb),
            str(os.getpid()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            # Ctrl-C in the terminal is for the bot, which ends the worker in its turn.
            start_new_session=True,
            env={
                **environment(),
                "MPLCONFIGDIR": str(self._cache_dir),
                "MPLBACKEND": "agg",
                # Threads of the linear algebra that no chart needs reserve memory for each core.
                "OPENBLAS_NUM_THREADS": "1",
                "OMP_NUM_THREADS": "1",
            },
        )
        _log.info("worker.started", pid=made.pid)
        return made

    async def _ask(self, data: Drawing) -> wire.Answer:
        assert self._worker is not None
        assert self._worker.stdin is not None
        self._worker.stdin.write(wire.frame(data))
        await self._worker.stdin.drain()
        return await self._read()

    async def _read(self) -> wire.Answer:
        assert self._worker is not None
        assert self._worker.stdout is not None
        header = await self._worker.stdout.readexactly(wire.HEADER.size)
        return wire.read_answer(await self._worker.stdout.readexactly(wire.length(header)))

    async def _end(self, why: str) -> None:
        """No worker any more."""
        worker, self._worker = self._worker, None
        if worker is None:
            return
        _log.info("worker.ended", pid=worker.pid, why=why, drawn=self._n_drawn)
        with contextlib.suppress(ProcessLookupError):
            worker.kill()
        if worker.stdin is not None:
            worker.stdin.close()
        await worker.wait()
