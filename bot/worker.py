"""Processes that do the bot's heavy work, seen from within: what each gets of the environment, and how each begins.

They come behind the bot, which starts them: they end when it does, get the processor after all others, and are the first to go
where memory runs out.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

MB: Final = 1_048_576
_PR_SET_PDEATHSIG: Final = 1
_NICE: Final = 10
_LOOK_S: Final = 0.2
_OOM_SCORE: Final = 500
"""Of 1,000: counts like half of the machine's memory on top of what it takes."""
_KEPT: Final = (
    "PATH",
    "PYTHONPATH",
    "PYTHONHOME",
    "VIRTUAL_ENV",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "TZDIR",
    "TMPDIR",
)


def environment() -> dict[str, str]:
    """What a process gets of ours; the rest may hold secrets and is none of its business."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ}


def begin(parent: int) -> BinaryIO:
    """Come behind the process `parent`; ends this one at once where that has ended. Returns where answers go, of which
    nothing is held back: what libraries print does not get there.
    """
    # Ctrl-C in the terminal is for the bot, which ends this process in its turn.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)  # it was faster
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE), encoding="ascii")
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return out


def give_up_beyond(memory_mb: int, *, say: Callable[[], None] = lambda: None) -> None:
    """End this process where it comes to hold more, after `say`. A limit of the address space would count what libraries
    reserve and never touch.
    """

    def watch() -> None:
        pause = threading.Event()
        while not pause.wait(_LOOK_S):
            if peak_mb() > memory_mb:
                say()
                os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def peak_mb() -> float:
    """The most memory that this process has held."""
    # What the system counts per process begins with what the bot held when it started this one.
    with contextlib.suppress(OSError, ValueError, StopIteration), open("/proc/self/status") as file:  # noqa: PTH123
        return int(next(line for line in file if line.startswith("VmHWM:")).split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (MB if sys.platform == "darwin" else 1024)
