"""The drawing process: charts come in on stdin, pictures go out on stdout, one at a time.

It ends with the bot: its input ends then, and Linux is told to kill it. It takes no more memory than it was given and runs
behind everything else on the machine. It imports matplotlib, holds no secrets and writes no file but its cache of fonts.
"""

import contextlib
import ctypes
import gc
import os
import queue
import resource
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from bot.charts.wire import HEADER, Answer, frame, length, read_chart
from bot.model.charts import Drawing, Picture

MB: Final = 1_048_576
_PR_SET_PDEATHSIG: Final = 1
_NICE: Final = 10
_OOM_SCORE: Final = 500
"""Of 1,000: counts like half of the machine's memory on top of what it takes."""


def main() -> None:
    """`argv[1]` is the memory limit in MB, `argv[2]` the bot's process id."""
    memory_mb, parent = int(sys.argv[1]), int(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(parent)
    # Whatever a library prints must not get between the pictures.
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    waiting: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, waiting), daemon=True).start()
    try:
        draw = _load(memory_mb)
    except Exception as error:  # noqa: BLE001, told to whoever asked
        _send(out, Answer(error=f"{type(error).__name__}: {error}"[:300]))
        return
    _send(out, Answer(peak_mb=peak_mb()))
    while True:
        _send(out, _draw(draw, waiting.get()))
        # A figure is a knot of references; without this a dozen of them pile up, at five megabytes each.
        gc.collect()


def serve(parent: int) -> None:
    """Come behind the bot, which is the parent: end when it does, at once where it has; get the processor after all others, and
    be the first to go where memory runs out.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)  # it was faster
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE), encoding="ascii")


def _load(memory_mb: int) -> Callable[[Drawing], Picture]:
    # Half a second and 60 MB that only this process pays.
    from bot.charts import drawing, figure  # noqa: PLC0415

    figure.prepare()
    if memory_mb:
        # After the libraries: what they reserve and never use would count.
        limit = _address_space() + memory_mb * MB
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    return drawing.png_of


def _address_space() -> int:
    """What is mapped now, in bytes; generous where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123, a file of the kernel
            return int(file.read().split()[0]) * resource.getpagesize()
    except (OSError, ValueError):
        return 1 << 32


def _read(source: BinaryIO, waiting: "queue.Queue[bytes]") -> None:
    """In a thread of its own, so that the end of the bot is seen in the middle of a drawing."""
    while True:
        header = source.read(HEADER.size)
        if len(header) < HEADER.size:
            os._exit(0)
        n = length(header)
        body = source.read(n)
        if len(body) < n:
            os._exit(0)
        waiting.put(body)


def _draw(draw: Callable[[Drawing], Picture], body: bytes) -> Answer:
    try:
        found = draw(read_chart(body))
    except MemoryError:
        return Answer(error="it needs more memory than it may have", peak_mb=peak_mb())
    except Exception as error:  # noqa: BLE001, one chart; told to whoever asked
        return Answer(error=f"{type(error).__name__}: {error}"[:300], peak_mb=peak_mb())
    return Answer(found.png, found.width_px, found.height_px, peak_mb=peak_mb())


def peak_mb() -> float:
    """The most memory that this process has held."""
    # What the system counts per process begins with what the bot held when it started this one.
    with contextlib.suppress(OSError, ValueError, StopIteration), open("/proc/self/status") as file:  # noqa: PTH123
        return int(next(line for line in file if line.startswith("VmHWM:")).split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (MB if sys.platform == "darwin" else 1024)


def _send(out: BinaryIO, answer: Answer) -> None:
    left = memoryview(frame(answer))
    try:
        while left:
            left = left[out.write(left) :]
    except OSError:
        os._exit(0)


if __name__ == "__main__":
    main()
