"""One function per command; what a person types and what the process answers with.

Holds no logic of its own beyond arguments, output and exit codes: 0 done, 1 failed, 2 wrong usage, 3 warnings under
`--strict`, 78 of `run` and `record` where only a person can mend what is wrong, 130 interrupted, by Ctrl-C or by a second signal
while the bot stops.
"""

import signal
import sys
from types import FrameType


def main() -> None:
    """Entry point. The commands are imported inside, so that a stop is quiet while Python is still loading them."""
    signal.signal(signal.SIGTERM, _end)
    try:
        from bot.cli.main import run_command

        run_command()
    except KeyboardInterrupt:
        sys.exit(130)


def _end(_number: int, _frame: FrameType | None) -> None:
    """Told to stop before anything has begun, which is no failure. Commands that do begin something decide anew."""
    sys.exit(0)
