"""Chat in the terminal: the same commands and answers, for whoever sits at it.

Reads lines without blocking the loop and without threads or non-blocking flags (they would spread to the terminal's
other users). End of input ends it quietly, so a bot without a terminal just has no terminal chat. Needs no access rules:
who can type here owns the process.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Callable
from typing import Final

from rich.console import Console

from bot import log
from bot.chat.actions import Actions
from bot.chat.commands import clean, parse
from bot.chat.front import answer_safely
from bot.chat.terminal_text import to_text
from bot.clock import Clock

MAX_LINE_BYTES: Final = 16_384
"""A longer line is thrown away."""
READ_BYTES: Final = 4_096

_log = log.get("chat.terminal")


class TerminalChat:
    """Answers lines from a file descriptor until it ends or `/quit` is typed."""

    def __init__(
        self,
        *,
        actions: Actions,
        clock: Clock,
        on_quit: Callable[[], None],
        console: Console | None = None,
        stdin_fd: int = 0,
    ) -> None:
        """Prepare. `on_quit` is called once by `/quit`; `stdin_fd` may be a terminal, a pipe, a file or closed."""
        self._actions = actions
        self._clock = clock
        self._on_quit = on_quit
        self._console = console if console is not None else Console()
        self._fd = stdin_fd

    async def run(self) -> None:
        """Answer until the end of input, `/quit` or cancellation."""
        async with contextlib.aclosing(_lines(self._fd, self._clock)) as lines:
            async for raw in lines:
                text = clean(raw)
                if text.casefold() in {"/quit", "quit", "/exit", "exit"}:
                    self._on_quit()
                    return
                asked = parse(text, is_slash_optional=True)
                if asked is not None:
                    self._console.print(to_text(await answer_safely(self._actions, asked, clock=self._clock)))
        _log.debug("terminal.ended")


async def _chunks(fd: int, clock: Clock) -> AsyncGenerator[bytes, None]:
    """Bytes as they come; ends with the input."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(fd, ready.set)
        is_watched = True
    except PermissionError:
        is_watched = False  # a plain file or /dev/null: never blocks, and the loop refuses to watch it
    except (OSError, ValueError):
        return  # closed
    try:
        while True:
            if is_watched:
                await ready.wait()
                ready.clear()
            else:
                await clock.sleep(0)
            try:
                chunk = os.read(fd, READ_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                return
            if not chunk:
                return
            yield chunk
    finally:
        if is_watched:
            loop.remove_reader(fd)


async def _lines(fd: int, clock: Clock) -> AsyncGenerator[str, None]:
    buffer, is_skipping = b"", False
    async with contextlib.aclosing(_chunks(fd, clock)) as chunks:
        async for chunk in chunks:
            *done, buffer = (buffer + chunk).split(b"\n")
            for line in done:
                if not is_skipping:
                    yield line.decode("utf-8", "replace")
                is_skipping = False
            if len(buffer) > MAX_LINE_BYTES:
                buffer, is_skipping = b"", True
    if buffer and not is_skipping:
        yield buffer.decode("utf-8", "replace")
