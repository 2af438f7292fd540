"""One function per command; what a person types and what the process answers with.

Holds no logic of its own beyond arguments, output and exit codes: 0 done, 1 failed, 2 wrong usage, 3 warnings under
`--strict`, 78 of `run` and `record` where only a person can mend what is wrong, 130 interrupted.
"""

import sys


def main() -> None:
    """Entry point. The commands are imported inside, so that Ctrl-C is quiet while Python is still loading them."""
    try:
        from bot.cli.main import run_command

        run_command()
    except KeyboardInterrupt:
        sys.exit(130)
