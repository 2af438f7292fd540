"""The history of a running bot: minutes are gathered at ticks, a thread writes them into a log, and a process of its own makes
parts of the logs once an hour.

A disk that is slow, full or hangs delays no tick: what waits is bounded, what does not fit is dropped, counted and said once.
The process that knows Parquet lives for a few seconds an hour; the bot itself never loads it.
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from bot import log
from bot.app import short_process
from bot.clock import Clock
from bot.engine.engine import Engine
from bot.history.bar_log import BarLog
from bot.market.minutes import Minutes
from bot.model import numbers
from bot.model.history import BarRows
from bot.model.instrument import Instrument
from bot.texts import mark, say

HOUR_MS: Final = 3_600_000
MAX_WAITING: Final = 10
"""Minutes that are not written yet; more are dropped."""
FIRST_WORK_S: Final = 150.0
"""After a start there is enough to do; only then the logs of earlier runs are looked at."""
MIN_PAUSE_S: Final = 3_000.0
WORK_S: Final = 900.0
"""How long the process may take."""
SLOW: Final = mark("the disk takes long")
_MAX_ANSWER: Final = 100_000

_log = log.get("history")
Minute = tuple[tuple[Instrument, ...], Sequence[BarRows]]


class Order(msgspec.Struct, frozen=True):
    """What the process is asked to do."""

    folder: str
    keep_days: int
    now_ms: int


class Report(msgspec.Struct, frozen=True):
    """What it says when it is done."""

    n_logs: int = 0
    n_rows: int = 0
    n_cut_bytes: int = 0
    """At the ends of logs, where a crash cut them short."""
    n_put_together: int = 0
    n_removed: int = 0
    n_bytes: int = 0
    """Of all parts and logs."""
    first_ms: int = 0
    """Close of the oldest bar that the bot saw itself; 0 where there is none."""
    n_bad: int = 0
    """Parts that were set aside so far."""
    peak_mb: float = 0.0
    took_s: float = 0.0
    error: str = ""


@dataclass(slots=True)
class HistoryCounts:
    """Since the start."""

    n_minutes: int = 0
    """On the disk."""
    n_rows: int = 0
    n_bytes: int = 0
    n_dropped: int = 0
    """Minutes that could not be written."""
    n_worked: int = 0
    n_work_failed: int = 0


class _Writer:
    """A thread before the disk. It dies with the process, so that a disk that hangs cannot keep it."""

    def __init__(self, folder: Path, clock: Clock, counts: HistoryCounts) -> None:
        self._folder = folder
        self._clock = clock
        self._counts = counts
        self._queue: queue.SimpleQueue[Minute] = queue.SimpleQueue()
        self._log: BarLog | None = None
        self._hour: int | None = None
        self.failure = ""
        """Why the last minute is not on the disk; empty where it is."""
        self.first_ms: int | None = None
        """Of this run."""
        self.n_ended = 0
        """Logs that are complete."""
        threading.Thread(target=self._run, name="history", daemon=True).start()

    def put(self, minute: Minute) -> bool:
        """False where too many wait."""
        if self._queue.qsize() >= MAX_WAITING:
            return False
        self._queue.put(minute)
        return True

    @property
    def is_behind(self) -> bool:
        return self._queue.qsize() > 1

    def _run(self) -> None:
        while True:
            minute = self._queue.get()
            try:
                self._write(*minute)
                self.failure = ""
            except Exception as error:  # noqa: BLE001, whatever it was, the next minute is tried anew
                self.failure = (error.strerror or str(error)) if isinstance(error, OSError) else repr(error)
                self._counts.n_dropped += 1
                if self._log is not None and self._log.is_broken:
                    self._end()

    def _write(self, instruments: tuple[Instrument, ...], pieces: Sequence[BarRows]) -> None:
        hour = (int(pieces[0].close_ms[0]) - 1) // HOUR_MS
        if self._log is not None and hour != self._hour:
            self._end()
        before = 0
        if self._log is None:
            self._hour = hour
            self._log = BarLog(self._folder, self._clock.wall_ms())
        else:
            before = self._log.n_bytes
        self._log.append(instruments, pieces)
        self._counts.n_minutes += 1
        self._counts.n_rows += len(pieces[0].row)
        self._counts.n_bytes += self._log.n_bytes - before
        if self.first_ms is None:
            self.first_ms = int(pieces[0].close_ms[0])

    def _end(self) -> None:
        ended, self._log = self._log, None
        if ended is not None:
            self.n_ended += 1
            with contextlib.suppress(OSError):
                ended.close()


class LiveHistory:
    """A `Keeper` of the main loop, with components of its own. With `keep_days` of 0 it keeps nothing."""

    def __init__(self, engine: Engine, folder: Path, clock: Clock, *, keep_days: int) -> None:
        self._minutes = Minutes(engine.market)
        self._folder = folder
        self._clock = clock
        self._keep_days = keep_days
        self._command = short_process.command_of("bot.app.history_worker")
        self.counts = HistoryCounts()
        self._writer = _Writer(folder, clock, self.counts) if keep_days else None
        self._said = ""
        self.report = Report()
        """Of the last time that the process did its work."""
        self._n_bytes_then = 0
        """Written by the time of that."""
        self._work_failure = ""

    @property
    def is_on(self) -> bool:
        return self._writer is not None

    @property
    def components(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """What the supervisor runs, by name."""
        return {"history": self.run} if self.is_on else {}

    @property
    def n_bytes(self) -> int:
        """Of parts and logs, as far as it is known without looking at the disk."""
        return self.report.n_bytes + self.counts.n_bytes - self._n_bytes_then

    def text(self) -> str:
        """For `/status`: `12d of minutes, 410 MB; 30 days are kept`."""
        if self._writer is None:
            return ""
        first_ms = self.report.first_ms or self._writer.first_ms
        if first_ms is None:
            return say("nothing yet; {n_days} days will be kept", n_days=self._keep_days)
        age = numbers.duration(max(60_000, self._clock.wall_ms() - first_ms))
        return say(
            "{age} of minutes, {size_mb} MB; {n_days} days are kept",
            age=age,
            size_mb=f"{self.n_bytes / 1e6:,.0f}",
            n_days=self._keep_days,
        )

    def troubles(self) -> tuple[str, ...]:
        """For `/status`: why history is not kept as it should be."""
        found = self._write_trouble()
        writing = (say("History is not written: {reason}.", reason=say(found)),) if found else ()
        failure = self._work_failure
        return (*writing, say("History is not tidied up: {reason}.", reason=say(failure))) if failure else writing

    # -- in the loop of ticks ------------------------------------------------------------------------------------

    def time_known(self, now_ms: int) -> None:
        """Nothing has to be done before the first tick."""

    def ticked(self, now_ms: int) -> None:
        """Gather what is new."""
        if self._writer is None:
            return
        pieces = self._minutes.ticked(now_ms)
        if not pieces:
            return
        if not self._writer.put((self._minutes.instruments, pieces)):
            self.counts.n_dropped += 1
        self._say()

    def _say(self) -> None:
        """Each change once."""
        trouble = self._write_trouble()
        if trouble and not self._said:
            _log.warning(
                "history.not_written", reason=trouble, folder=str(self._folder), then="trying on; alerts go on"
            )
        elif self._said and not trouble:
            _log.info("history.recovered", minutes_lost=self.counts.n_dropped)
        self._said = trouble

    def _write_trouble(self) -> str:
        if self._writer is None:
            return ""
        return self._writer.failure or (SLOW if self._writer.is_behind else "")

    # -- the process ---------------------------------------------------------------------------------------------

    def _real(self, seconds: float) -> float:
        """A process is as slow as it is, however fast the clock runs."""
        return seconds * max(1.0, self._clock.speed)

    async def run(self) -> None:
        """Have parts made of logs, each hour, until cancelled."""
        await self._clock.sleep(FIRST_WORK_S)
        n_ended = -1
        while self._writer is not None:
            if self._writer.n_ended != n_ended:
                n_ended = self._writer.n_ended
                self._take(await self._work())
                await self._clock.sleep(self._real(MIN_PAUSE_S))
            await self._clock.sleep(60.0)

    def _take(self, report: Report) -> None:
        if report.error:
            self.counts.n_work_failed += 1
            self._work_failure = report.error
            _log.warning(
                "history.not_tidied", reason=report.error, then="tried again in an hour; nothing is lost by that"
            )
            return
        self.report, self._n_bytes_then = report, self.counts.n_bytes
        self.counts.n_worked += 1
        self._work_failure = ""
        if report.n_cut_bytes:
            _log.warning("history.log_cut_short", bytes=report.n_cut_bytes, then="all before that is kept")
        _log.info(
            "history.tidied",
            logs=report.n_logs,
            rows=report.n_rows,
            put_together=report.n_put_together,
            removed=report.n_removed,
            bytes=report.n_bytes,
            took_s=report.took_s,
            peak_mb=report.peak_mb,
        )

    async def _work(self) -> Report:
        order = Order(str(self._folder), self._keep_days, self._clock.wall_ms())
        process: asyncio.subprocess.Process | None = None
        try:
            process = await short_process.start(self._command, msgspec.json.encode(order).decode())
            assert process.stdout is not None
            async with self._clock.timeout(self._real(WORK_S)):
                answer = await process.stdout.read(_MAX_ANSWER)
                await process.wait()
            return msgspec.json.decode(answer, type=Report)
        except TimeoutError:
            return Report(error=mark("it took too long"))
        except (OSError, msgspec.DecodeError) as error:
            return Report(error=f"the process ended ({type(error).__name__})")
        finally:
            if process is not None:
                await short_process.end(process)
