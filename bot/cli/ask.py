"""`oibot ask '/oi BTC'`: one command to the running bot, its answer on standard output; `-` reads one a line.

What takes the place of an answer later is waited for, and the last is printed. Exit code 0; 1 where no bot answered, a command
was refused, or a job had not ended in time.
"""

import sys
from collections.abc import Iterator
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from bot.chat.commands import clean
from bot.chat.local_asking import Answer, Request
from bot.chat.terminal_text import to_text
from bot.chat.wire import unpack
from bot.cli.asking import WAIT_S, follow_bot
from bot.errors import BotError

EXIT_REFUSED = 1


def ask(
    command: Annotated[
        list[str], typer.Argument(metavar="COMMAND", help="As in chat, such as '/oi BTC'; - reads one a line.")
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each answer as a line of JSON: blocks, buttons.")
    ] = False,
    wait_s: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0.0, help="How long to wait for a job; 0: not at all.")
    ] = WAIT_S,
) -> None:
    """Send a chat command to the running bot and print its answer."""
    console = Console(highlight=False, soft_wrap=True)
    refused = False
    for text in _commands(command):
        answer = _last(Request("say", text=text, wait_s=wait_s))
        refused = refused or not answer.ok or (answer.is_interim and wait_s > 0.0)
        if as_json:
            print(msgspec.json.encode(answer).decode(), flush=True)
        else:
            _show(answer, console)
    if refused:
        raise typer.Exit(EXIT_REFUSED)


def _last(request: Request) -> Answer:
    """What is left when all was said. Raises `BotError` where nobody answers."""
    last = None
    for last in follow_bot(request, command="ask"):
        if last.is_interim and last.reply is not None and sys.stderr.isatty():
            # Who sits there sees that something happens; a script gets the answer alone.
            print(to_text(unpack(last.reply)).plain, file=sys.stderr)
    if last is None:
        raise BotError("ask: the bot hung up without an answer; its log may say why")
    if last.is_interim and request.wait_s > 0.0:
        print("oibot: it has not ended; ask for it again, or wait longer with --wait", file=sys.stderr)
    return last


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
