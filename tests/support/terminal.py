"""A program on a terminal of its own: what a person sees and types there."""

import contextlib
import fcntl
import os
import pty
import struct
import sys
import termios
import threading
from pathlib import Path

from tests.support.harness import Harness, Process, eventually

_SIZE = struct.pack("HHHH", 40, 100, 0, 0)


class Terminal:
    """The far side of a pseudo-terminal."""

    def __init__(self) -> None:
        self.near, self.far = pty.openpty()
        fcntl.ioctl(self.far, termios.TIOCSWINSZ, _SIZE)
        self.before = termios.tcgetattr(self.far)
        self._seen = bytearray()
        self._process: Process | None = None
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def screen(self) -> str:
        """Everything that was shown so far."""
        return bytes(self._seen).decode(errors="replace")

    @property
    def is_as_before(self) -> bool:
        """Whether the program left the terminal as it found it."""
        return termios.tcgetattr(self.far) == self.before

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while chunk := os.read(self.near, 65_536):
                self._seen += chunk

    async def start(self, harness: Harness, *arguments: str, env: dict[str, str]) -> Process:
        """Run `oibot` on it, as the terminal's own session."""
        env = {"TERM": "xterm", "INPUTRC": str(Path(os.devnull)), **env}
        # A session of its own with this terminal as its controlling one: else Ctrl-C reaches nobody.
        shim = (
            "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
            "os.execv(sys.argv[1], sys.argv[1:])"
        )
        command = [sys.executable, "-c", shim, sys.executable, "-m", "bot", *arguments]
        return await harness.spawn(command, env=env, stdin=self.far, stdout=self.far)

    def type(self, text: str) -> None:
        os.write(self.near, text.encode())

    async def shows(self, text: str, *, n: int = 1, within_s: float = 30.0) -> None:
        await eventually(lambda: self.screen.count(text) >= n, within_s=within_s, why=lambda: self.screen)

    def close(self) -> None:
        for descriptor in (self.far, self.near):
            with contextlib.suppress(OSError):
                os.close(descriptor)
