"""`oibot status`: the condition of the running bot at one look, the same that `/status` tells in chat.

Exit code 0 when a bot answered, whatever it said; 1 when none runs.
"""

from typing import Annotated

import msgspec
import typer
from rich.console import Console

from bot import settings
from bot.chat.local_asking import Request
from bot.chat.reply import Reply
from bot.chat.status_pages import status_page
from bot.chat.terminal_text import to_text
from bot.cli.asking import ask_bot
from bot.clock import SystemClock
from bot.errors import BotError


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
) -> None:
    """Ask the running bot how it is: feeds, delays, alerts, memory."""
    answer = ask_bot(Request("status"), command="status")
    if answer.status is None:
        raise BotError(f"status: {answer.error}")
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(answer.status), indent=2).decode())
        return
    config = settings.load()
    now_ms = SystemClock(speed=config.clock.speed, epoch_ms=config.clock.epoch_ms).wall_ms()
    page = status_page(answer.status, now_ms=now_ms)
    Console(highlight=False, soft_wrap=True).print(to_text(Reply(page.blocks)))
