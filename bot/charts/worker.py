"""The drawing process: charts come in on stdin, pictures go out on stdout, one at a time.

It ends with the bot, whose end it also sees in its input, takes no more memory than it was given, and runs behind everything
else on the machine. It imports matplotlib, holds no secrets and writes no file but its cache of fonts.
"""

import gc
import os
import queue
import resource
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO

from bot.charts.wire import HEADER, Answer, frame, length, read_chart
from bot.model.charts import Drawing, Picture
from bot.worker import MB, begin, peak_mb


def main() -> None:
    """`argv[1]` is the memory limit in MB, `argv[2]` the bot's process id."""
    memory_mb, parent = int(sys.argv[1]), int(sys.argv[2])
    out = begin(parent)
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


def _send(out: BinaryIO, answer: Answer) -> None:
    left = memoryview(frame(answer))
    try:
        while left:
            left = left[out.write(left) :]
    except OSError:
        os._exit(0)


if __name__ == "__main__":
    main()
