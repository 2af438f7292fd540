"""`oibot ask '/oi BTC'`: one command to the running bot, its answer on standard output; `-` reads one a line.

Exit code 0; 1 where no bot answered or a command was refused.
"""

import sys
from collections.abc import Iterator
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from bot.chat.commands import clean
from bot.chat.local import Answer, Request
from bot.chat.terminal_text import to_text
from bot.chat.wire import unpack
from bot.cli.asking import ask_bot

EXIT_REFUSED = 1


def ask(
    command: Annotated[
        list[str], typer.Argument(metavar="COMMAND", help="As in chat, such as '/oi BTC'; - reads one a line.")
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each answer as a line of JSON: blocks, buttons.")
    ] = False,
) -> None:
    """Send a chat command to the running bot and print its answer."""
    console = Console(highlight=False, soft_wrap=True)
    refused = False
    for text in _commands(command):
        answer = ask_bot(Request("say", text=text), command="ask")
        refused = refused or not answer.ok
        if as_json:
            print(msgspec.json.encode(answer).decode(), flush=True)
        else:
            _show(answer, console)
    if refused:
        raise typer.Exit(EXIT_REFUSED)


def _commands(words: list[str]) -> Iterator[str]:
    lines = sys.stdin if words == ["-"] else [" ".join(words)]
    for line in lines:
        if text := clean(line):
            yield text


def _show(answer: Answer, console: Console) -> None:
    if answer.reply is None:
        print(f"oibot: {answer.error}", file=sys.stderr)
    elif answer.ok:
        console.print(to_text(unpack(answer.reply)))
    else:
        # A script may keep what it asked for apart from what it did not get.
        Console(highlight=False, soft_wrap=True, stderr=True).print(Text("oibot: ") + to_text(unpack(answer.reply)))
