"""Where a process prints, made so that its failures harm nobody.

A disk that is full under `oibot run > oibot.log`, a pipe whose reader is gone, a terminal that was closed: what is said in
passing is lost and the bot goes on. Who must know whether something was printed asks for the failure afterwards.
"""

import contextlib
import errno
import io
import os
import sys
import threading
from typing import Final, TextIO, cast

from rich.console import Console

PASSING: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EAGAIN})
"""A disk, a quota or a pipe that is full; there may be room again."""


class Output(io.TextIOBase):
    """A text stream that never raises.

    Bytes go to the stream's descriptor where it has one: what a full disk refuses then waits in no buffer, from which it would
    come out by itself later, beside its repetition, or end the process with an error.
    """

    def __init__(self, stream: TextIO) -> None:
        """Write where `stream` writes."""
        super().__init__()
        self._stream = stream
        self._failures = threading.local()
        self._fd: int | None = None
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
        with contextlib.suppress(OSError, ValueError):
            self._fd = stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the library has a writable one
        return self._stream.encoding or "utf-8"

    def isatty(self) -> bool:
        with contextlib.suppress(ValueError):
            return self._stream.isatty()
        return False

    def fileno(self) -> int:
        return self._stream.fileno()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        """Write, or remember why not. All of the text counts as written."""
        try:
            if self._fd is None:
                self._stream.write(text)
            else:
                rest = memoryview(text.encode(self.encoding, "replace"))
                while rest:
                    rest = rest[os.write(self._fd, rest) :]
        except (OSError, ValueError) as error:
            self._failures.last = error
        return len(text)

    def flush(self) -> None:
        if self._fd is None:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._failures.last = error

    def take_failure(self) -> OSError | ValueError | None:
        """Why something that this thread wrote did not get out, since it asked last."""
        found: OSError | ValueError | None = getattr(self._failures, "last", None)
        self._failures.last = None
        return found


def console_on(stream: TextIO) -> Console:
    """A console whose printing never raises."""
    return Console(file=cast("TextIO", Output(stream)))


def complain(text: str) -> None:
    """One line to standard error, which may be full or gone: how a process ends must not depend on whether it could say why."""
    Output(sys.stderr).write(f"{text}\n")
