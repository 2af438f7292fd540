"""How a process is told to stop, and that it really ends.

SIGTERM and SIGINT are heard by a thread of its own: whatever blocks the loop, such as a disk that hangs or a terminal that
nobody reads, a stop ends within `LIMIT_S`. The orderly stop is the bot's, and shorter; what is cut off here is as safe as after
`kill -9`. A second signal ends the process at once with `IMPATIENT`.
"""

import asyncio
import contextlib
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine
from types import FrameType, TracebackType
from typing import Final, Self

LIMIT_S: Final = 9.5
"""From the signal; real seconds. Ten are promised."""
AFTERWARDS_S: Final = 1.0
"""From the end of the orderly stop; then only threads are left that hang, such as one that looks a name up."""
IMPATIENT: Final = 130
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_FINISHED: Final = 0


class StopSignals:
    """Hears the signals while it is entered. Only for the main thread of a process."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._lock = threading.Lock()
        self._on_stop: Callable[[], None] | None = None
        self._on_hang_up: Callable[[], None] | None = None
        self._is_heard = False
        self._code = 0
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            # The interpreter writes the number into the socket at once, also while the main thread is blocked.
            self._before[number] = signal.signal(number, _nothing)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._hear, name="signals", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(-1)
        for number, before in self._before.items():
            signal.signal(number, before)
        self._writer.close()

    def call(self, on_stop: Callable[[], None], *, on_hang_up: Callable[[], None] | None = None) -> None:
        """What is called, in the running loop, at the first signal; also when that came before. `on_hang_up` is called at
        each SIGHUP; without it that is a signal to stop like the others.
        """
        loop = asyncio.get_running_loop()

        def in_loop(work: Callable[[], None]) -> Callable[[], None]:
            def hand_over() -> None:
                with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                    loop.call_soon_threadsafe(work)

            return hand_over

        stop = in_loop(on_stop)
        self._before.setdefault(signal.SIGHUP, signal.signal(signal.SIGHUP, _nothing))
        with self._lock:
            self._on_hang_up = None if on_hang_up is None else in_loop(on_hang_up)
            self._on_stop = stop
            is_heard = self._is_heard
        if is_heard:
            stop()

    def finished(self, code: int) -> None:
        """The orderly stop is over: threads that hang are not waited for."""
        self._code = code
        self._writer.send(bytes([_FINISHED]))

    def _hear(self) -> None:
        while True:
            try:
                received = self._reader.recv(16)
            except TimeoutError:
                _say(b"oibot: something hangs; what is stored is safe\n")
                os._exit(self._code)
            if not received:
                self._reader.close()
                return
            for number in received:
                if number == _FINISHED:
                    self._reader.settimeout(AFTERWARDS_S)
                elif number == signal.SIGHUP and self._on_hang_up is not None:
                    self._on_hang_up()
                elif number in _SIGNALS or number == signal.SIGHUP:
                    self._take()

    def _take(self) -> None:
        with self._lock:
            if self._is_heard:
                os._exit(IMPATIENT)
            self._is_heard = True
            on_stop = self._on_stop
        self._reader.settimeout(LIMIT_S)
        if on_stop is not None:
            on_stop()


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """Python tells the wakeup socket only about signals that have a handler."""


def _say(text: bytes) -> None:
    """Past the loggers, whose locks may be held; and never waits for a reader."""
    with contextlib.suppress(OSError, ValueError):
        number = sys.stderr.fileno()
        if select.select([], [number], [], 0)[1]:
            os.write(number, text)


def run_until_stopped(main: Callable[[StopSignals], Coroutine[None, None, int]]) -> int:
    """Run `main` in a loop of its own; returns its exit code."""

    async def whole(signals: StopSignals) -> int:
        code = await main(signals)
        signals.finished(code)
        return code

    with StopSignals() as signals:
        return asyncio.run(whole(signals))
