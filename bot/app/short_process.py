"""Processes that live for one piece of work, with what is too heavy or too slow for the bot. Each ends with the bot.

They get no secrets: of the environment only what a Python needs to start.
"""

import asyncio
import contextlib
import os
import sys
from typing import Final

from bot.worker import environment

_LINE: Final = 1 << 16
# Threads of the linear algebra reserve memory for each core, and arrow's own pool gives none back.
_ENVIRONMENT: Final = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}


def command_of(module: str) -> tuple[str, ...]:
    """What starts a module that takes our process id as its first argument."""
    return sys.executable, "-P", "-m", module


async def start(command: tuple[str, ...], *arguments: str, max_line: int = _LINE) -> asyncio.subprocess.Process:
    """It hears on stdin and answers on stdout, in lines of at most `max_line` bytes. Raises `OSError`."""
    return await asyncio.create_subprocess_exec(
        *command,
        str(os.getpid()),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=max_line,
        # Ctrl-C in the terminal is for the bot, which ends the process in its turn.
        start_new_session=True,
        env={**environment(), **_ENVIRONMENT},
    )


def kill(process: asyncio.subprocess.Process) -> None:
    """Harmless for one that has ended."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()


async def end(process: asyncio.subprocess.Process) -> None:
    """It is gone when this returns, also where it is cancelled."""
    kill(process)
    try:
        await process.wait()
    except asyncio.CancelledError:
        # Killed, so it takes no time; left behind, it would be nobody's.
        await process.wait()
        raise
