"""The windows over a restart: when they are put down, and whether they are taken up.

The loop copies in slices (`bot.engine.snapshots`); a thread of its own shrinks and writes them. So a disk that is slow,
full or hangs delays no tick and no stop: it is said once, the copy waits or is begun anew a minute later, and the last
good file stays.
"""

import asyncio
import contextlib
import queue
import threading
from pathlib import Path
from typing import Final, Protocol

from bot import log
from bot.clock import Clock
from bot.engine.engine import Engine
from bot.engine.snapshots import MovedError, Tracker, restore
from bot.errors import PayloadError
from bot.history.snapshot import Found, SnapshotFile, read, set_aside
from bot.market.state import Mark, Part, Piece

MAX_AGE_MS: Final = 2 * 3_600_000
"""An older snapshot is not taken up: most of what it knows would have to be asked of the venue anyway, and rules would look
at a hole of hours in the meantime."""
FULL_EVERY_MS: Final = 900_000
APPEND_EVERY_MS: Final = 60_000
_OFF_MS: Final = 30_000
"""Copies begin in the middle of a minute, when the engine has least to do."""
AHEAD_MS: Final = 10_000
"""A snapshot from further in the future was made by another clock."""
MAX_WAITING_BYTES: Final = 4_000_000
"""Copied and not written yet; beyond it the copy waits for the disk."""
SLOW_MS: Final = 30_000
_LOOK_EVERY_S: Final = 0.02

_log = log.get("snapshot")


class Journal(Protocol):
    """What a recorded run is told."""

    def restored(self, snapshot: Path, digest: str, at_ms: int) -> None: ...


class _Writer:
    """A thread before the disk. It dies with the process, so that a disk that hangs cannot keep it."""

    def __init__(self, path: Path) -> None:
        self._file = SnapshotFile(path)
        self._queue: queue.SimpleQueue[list[Part] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._n_waiting = 0
        self._n_open = 0
        self._is_broken = False
        """The copy under way cannot be finished; the next one begins with a head."""
        self.failure = ""
        """Why the last copy came to nothing; empty where it is on the disk."""
        self.n_done = 0
        self.n_failed = 0
        threading.Thread(target=self._run, name="snapshot", daemon=True).start()

    @property
    def n_waiting_bytes(self) -> int:
        return self._n_waiting

    @property
    def is_idle(self) -> bool:
        return self._n_open == 0

    def put(self, parts: list[Part]) -> None:
        with self._lock:
            self._n_waiting += _nbytes(parts)
            self._n_open += 1
        self._queue.put(parts)

    def drop(self) -> None:
        """The copy under way is given up."""
        with self._lock:
            self._n_open += 1
        self._queue.put(None)

    def _run(self) -> None:
        while True:
            parts = self._queue.get()
            try:
                self._take(parts)
            except Exception as error:  # noqa: BLE001, whatever it was, the next copy starts afresh
                self._is_broken = True
                self.failure = (error.strerror or str(error)) if isinstance(error, OSError) else repr(error)
                self.n_failed += 1
                with contextlib.suppress(Exception):
                    self._file.abort()
            with self._lock:
                self._n_waiting -= _nbytes(parts or [])
                self._n_open -= 1

    def _take(self, parts: list[Part] | None) -> None:
        if parts is None:
            self._is_broken = True
            self._file.abort()
            return
        for part in parts:
            if not isinstance(part, (Piece, Mark)):
                self._is_broken = False
            if self._is_broken:
                return
            self._file.put(part)
            if isinstance(part, Mark):
                self.failure = ""
                self.n_done += 1


def _nbytes(parts: list[Part]) -> int:
    return sum(part.nbytes for part in parts if isinstance(part, Piece))


class Snapshots:
    """The `Keeper` of the main loop."""

    def __init__(self, engine: Engine, path: Path, clock: Clock, *, journal: Journal | None = None) -> None:
        self._engine = engine
        self._path = path
        self._clock = clock
        self._journal = journal
        self._found: Found | None = None
        self._tracker = Tracker(engine)
        self._writer = _Writer(path)
        self._is_copying = False
        self._minute: int | None = None
        self._full_due_ms = 0
        self._copying_since_ms = 0
        self._n_failed = 0
        self._n_done_at_trouble: int | None = None
        self._n_done = 0
        self.written_ms: int | None = None
        """Venue time when a copy of this run was last found on the disk; None before the first."""

    # -- taking up -----------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Read the last run's file, before anything else is under way. What cannot be used is set aside and told."""
        try:
            self._found = await asyncio.to_thread(read, self._path)
        except FileNotFoundError:
            return
        except (PayloadError, OSError) as error:
            self._set_aside(str(error))
            return
        if self._found.n_ignored:
            _log.info("snapshot.cut_short", ignored_bytes=self._found.n_ignored, file=str(self._path))

    def time_known(self, now_ms: int) -> None:
        """Take up what was read, if it is young enough."""
        found, self._found = self._found, None
        if found is None:
            return
        age_ms = now_ms - found.state.now_ms
        if age_ms > MAX_AGE_MS:
            _log.info("snapshot.too_old", age_s=age_ms // 1_000, at_most_s=MAX_AGE_MS // 1_000)
            return
        if age_ms < -AHEAD_MS:
            self._set_aside(f"expected a time before the venue's, found one {-age_ms // 1_000} s ahead of it")
            return
        try:
            n = restore(self._engine, found.state, now_ms)
        except (ValueError, LookupError) as error:
            self._set_aside(str(error))
            return
        if self._journal is not None:
            self._journal.restored(self._path, found.digest, now_ms)
        _log.info("snapshot.restored", instruments=n, age_s=max(age_ms, 0) // 1_000)

    def _set_aside(self, reason: str) -> None:
        try:
            aside = set_aside(self._path, self._clock.wall_ms())
        except OSError as error:
            _log.warning("snapshot.unusable", reason=reason, kept=f"it could not be moved: {error.strerror}")
            return
        _log.warning("snapshot.set_aside", reason=reason, moved_to=str(aside), now="starting without")

    # -- putting down --------------------------------------------------------------------------------------------

    def ticked(self, now_ms: int) -> None:
        """After a tick: begin a copy when it is time, or copy the next slice."""
        self._look_at_writer(now_ms)
        if self._is_copying:
            if self._writer.n_waiting_bytes < MAX_WAITING_BYTES:
                self._step()
            return
        minute = (now_ms + _OFF_MS) // APPEND_EVERY_MS
        if self._minute is None:
            self._minute = minute
        if minute == self._minute or not self._tracker.is_ready or not self._writer.is_idle:
            return
        self._minute = minute
        self._begin(now_ms)

    def _begin(self, now_ms: int) -> None:
        self._is_copying, self._copying_since_ms = True, now_ms
        if self._tracker.can_go_on and now_ms < self._full_due_ms:
            self._tracker.go_on()
            return
        self._full_due_ms = (now_ms // FULL_EVERY_MS + 1) * FULL_EVERY_MS
        head = self._tracker.begin()
        self._writer.put([head, *self._tracker.log()])

    def _step(self, n_bytes: int | None = None) -> None:
        try:
            parts = self._tracker.step() if n_bytes is None else self._tracker.step(n_bytes)
        except MovedError:
            # Instruments or rules changed in the middle: the next tick begins a whole copy.
            self._is_copying, self._minute = False, -1
            self._writer.drop()
            return
        self._writer.put(parts)
        self._is_copying = not any(isinstance(part, Mark) for part in parts)

    def _look_at_writer(self, now_ms: int) -> None:
        writer = self._writer
        if writer.n_done > self._n_done:
            self._n_done, self.written_ms = writer.n_done, now_ms
        if writer.n_failed > self._n_failed:
            self._n_failed = writer.n_failed
            self._is_copying = False
            self._tracker.forget()
            self._trouble(writer.failure)
        elif not writer.is_idle and now_ms - self._copying_since_ms > SLOW_MS:
            self._trouble("the disk takes long")
        elif self._n_done_at_trouble is not None and writer.n_done > self._n_done_at_trouble:
            self._n_done_at_trouble = None
            _log.info("snapshot.recovered")

    def _trouble(self, reason: str) -> None:
        """Told once, until a copy is on the disk again."""
        if self._n_done_at_trouble is None:
            _log.warning("snapshot.not_written", reason=reason, file=str(self._path), then="trying on; alerts go on")
        self._n_done_at_trouble = self._writer.n_done

    # -- stop ----------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """At stop: hand over all that is missing. Where a snapshot of this run exists that is little."""
        self._look_at_writer(self._engine.now_ms)
        if not self._tracker.is_ready or self._n_done_at_trouble is not None:
            return
        if not self._is_copying:
            self._begin(self._engine.now_ms)
        while self._is_copying:
            self._step(1 << 62)

    async def written(self, within_s: float) -> bool:
        """Wait until what was handed over is on the disk. What is not by then is lost, the last whole state is not."""
        with contextlib.suppress(TimeoutError):
            async with self._clock.timeout(within_s):
                while not self._writer.is_idle:
                    await self._clock.sleep(_LOOK_EVERY_S)
                return True
        _log.warning("snapshot.abandoned", after_s=within_s)
        return False
