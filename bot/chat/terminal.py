"""Chat in the terminal: the same commands and answers, for whoever sits at it.

Reads lines without blocking the loop and without threads or non-blocking flags (they would spread to the terminal's
other users). End of input ends it quietly, so a bot without a terminal just has no terminal chat. Needs no access rules:
who can type here owns the process.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Final

from rich.console import Console

from bot import log
from bot.chat.actions import Actions
from bot.chat.asker import AT_TERMINAL
from bot.chat.commands import clean, parse
from bot.chat.front import answer_safely
from bot.chat.reply import Reply
from bot.chat.terminal_text import to_text
from bot.clock import Clock
from bot.texts import speaking

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
        async with asyncio.TaskGroup() as jobs, contextlib.aclosing(_lines(self._fd, self._clock)) as lines:
            async for raw in lines:
                text = clean(raw)
                if text.casefold() in {"/quit", "quit", "/exit", "exit"}:
                    self._on_quit()
                    return
                asked = parse(text, is_slash_optional=True)
                if asked is not None:
                    reply = await answer_safely(self._actions, asked, asker=AT_TERMINAL, clock=self._clock)
                    self._console.print(to_text(reply))
                    if reply.later is not None:
                        with speaking(self._actions.language_of(AT_TERMINAL.chat)):
                            jobs.create_task(self._finish(reply.later()), name="later answer")
        _log.debug("terminal.ended")

    async def _finish(self, replies: AsyncIterator[Reply]) -> None:
        """Lines once printed stay, so only the last is."""
        try:
            async for reply in replies:
                if not reply.is_interim:
                    self._console.print(to_text(reply))
        except Exception:  # noqa: BLE001 - one answer; logged, and the chat goes on
            _log.exception("terminal.failed")


async def _when_readable(fd: int) -> bytes:
    """Read once there is something.

    The read happens in the loop's callback, where the descriptor is known to be readable; a read any later could find it
    empty and block the whole process. Raises `OSError` where it cannot be read or watched.
    """
    loop = asyncio.get_running_loop()
    arrived: asyncio.Future[bytes] = loop.create_future()

    def read() -> None:
        loop.remove_reader(fd)
        if arrived.done():
            return
        try:
            arrived.set_result(os.read(fd, READ_BYTES))
        except OSError as error:
            arrived.set_exception(error)

    loop.add_reader(fd, read)
    try:
        return await arrived
    finally:
        loop.remove_reader(fd)


async def _read(fd: int, clock: Clock) -> bytes:
    """The next bytes; empty at the end, and where there is nothing to read from."""
    while True:
        try:
            return await _when_readable(fd)
        except BlockingIOError:
            continue  # someone else on the same terminal was faster
        except PermissionError:
            # A plain file or /dev/null: the loop refuses to watch it, and reading it never blocks.
            await clock.sleep(0)
            return os.read(fd, READ_BYTES)
        except (OSError, ValueError):
            return b""  # closed


async def _lines(fd: int, clock: Clock) -> AsyncGenerator[str, None]:
    buffer, is_skipping = b"", False
    while chunk := await _read(fd, clock):
        *done, buffer = (buffer + chunk).split(b"\n")
        for line in done:
            if not is_skipping:
                yield line.decode("utf-8", "replace")
            is_skipping = False
        if len(buffer) > MAX_LINE_BYTES:
            buffer, is_skipping = b"", True
    if buffer and not is_skipping:
        yield buffer.decode("utf-8", "replace")
