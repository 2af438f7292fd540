"""Watches the event loop from a thread: how late it is, and what holds it up.

Four times a second the thread asks the loop to sign and measures how long that takes. Where the signature does not come
in time, the thread looks at what the loop is doing and logs it, at most once a minute: afterwards nobody could tell.
Times are those of the machine, whatever the clock's speed.
"""

import asyncio
import sys
import threading
from typing import Final

from bot import log
from bot.clock import machine_s
from bot.model.histogram import WORK_S, Histogram

PROBE_EVERY_S: Final = 0.25
SAY_EVERY_S: Final = 60.0
MAX_FRAMES: Final = 12

_log = log.get("loop")


class LoopWatch:
    """`run` is a component; it watches the loop in which it runs."""

    def __init__(self, *, blocked_s: float, say_every_s: float = SAY_EVERY_S) -> None:
        """`blocked_s`: how late the loop may be before it is looked at."""
        self._blocked_s = blocked_s
        self._say_every_s = say_every_s
        self._said_s = float("-inf")
        self._n_unsaid = 0
        self._end = threading.Event()
        self.lag_s = Histogram(WORK_S)
        self.n_blocked = 0

    async def run(self) -> None:
        """Watch until cancelled."""
        self._end.clear()
        loop = asyncio.get_running_loop()
        watched = threading.get_ident()
        thread = threading.Thread(target=self._watch, args=(loop, watched), name="loop watch", daemon=True)
        thread.start()
        try:
            await asyncio.Event().wait()
        finally:
            self._end.set()

    def _watch(self, loop: asyncio.AbstractEventLoop, watched: int) -> None:
        while not self._end.wait(PROBE_EVERY_S):
            signed = threading.Event()
            asked_s = machine_s()
            try:
                loop.call_soon_threadsafe(signed.set)
            except RuntimeError:  # the loop has ended
                return
            if not signed.wait(self._blocked_s):
                self._look(watched, asked_s)
                while not signed.wait(PROBE_EVERY_S):
                    if self._end.is_set():
                        return
                self._released(machine_s() - asked_s)
            self.lag_s.add(machine_s() - asked_s)

    def _look(self, watched: int, asked_s: float) -> None:
        frame = sys._current_frames().get(watched)  # noqa: SLF001, the way the standard library documents
        self.n_blocked += 1
        now_s = machine_s()
        if now_s - self._said_s < self._say_every_s:
            self._n_unsaid += 1
            return
        self._said_s = now_s
        where: list[str] = []
        # Not by `traceback`, which reads the source of every frame, while the loop waits, and keeps it.
        while frame is not None and len(where) < MAX_FRAMES:
            where.append(f"{_short(frame.f_code.co_filename)}:{frame.f_lineno} {frame.f_code.co_name}")
            frame = frame.f_back
        late_ms = round((now_s - asked_s) * 1000)
        _log.warning("loop.blocked", since_ms=late_ms, where=where, not_said_before=self._n_unsaid)
        self._n_unsaid = 0

    def _released(self, lasted_s: float) -> None:
        if machine_s() - self._said_s <= lasted_s:
            _log.warning("loop.released", after_ms=round(lasted_s * 1000))


def _short(path: str) -> str:
    """Package, folder and file; the rest is the same for all."""
    return "/".join(path.split("/")[-3:])
