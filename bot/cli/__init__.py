"""One function per command; what a person types and what the process answers with.

Holds no logic of its own beyond arguments, output and exit codes: 0 done, 1 failed, 2 wrong usage, 3 warnings under
`--strict`, 78 of `run` and `record` where only a person can mend what is wrong, 130 interrupted, by Ctrl-C or by a second signal
while the bot stops.
"""

import os
import signal
import sys
from types import FrameType


def main() -> None:
    """Entry point. The commands are imported inside, so that a stop is quiet while Python is still loading them."""
    signal.signal(signal.SIGTERM, _end)
    with_standard_streams()
    try:
        from bot.cli.main import run_command

        run_command()
    except KeyboardInterrupt:
        sys.exit(130)


def with_standard_streams() -> None:
    """What was closed leads nowhere. Else its number would become that of the database or of a socket, and whatever prints there
    would print into them.
    """
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
    os.close(fd)
    sys.stdin = sys.stdin or open(0, encoding="utf-8")  # noqa: SIM115, a descriptor, open as long as the process
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8")  # noqa: SIM115


def _end(_number: int, _frame: FrameType | None) -> None:
    """Told to stop before anything has begun, which is no failure. Commands that do begin something decide anew."""
    sys.exit(0)
