"""`oibot reload`: the running bot takes the rules folder as it is now.

Exit code 0, or 1 where it did not.
"""

import typer

from bot.chat.local_asking import Request
from bot.cli.asking import ask_bot


def reload() -> None:
    """Let the running bot take changed rules and destinations now, and say what came of it."""
    answer = ask_bot(Request("reload"), command="reload")
    for line in answer.lines or (answer.error,):
        print(line)
    if not answer.ok:
        raise typer.Exit(1)
