"""`oibot top`: the market and the bot, live in a terminal; asks the running bot once a second.

In a pipe, or with `--once`, one frame is printed. Exit code 0; 1 when no bot runs, or it goes away.
"""

import contextlib
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.live import Live

from bot import settings
from bot.chat.local_asking import Request
from bot.cli.asking import ask_bot
from bot.cli.top_view import Frame
from bot.clock import SystemClock
from bot.errors import BotError
from bot.model.cards import CARD_WINDOWS_MS
from bot.model.overview import Overview

WINDOWS: Final = dict(zip(("5m", "15m", "1h", "4h", "24h"), CARD_WINDOWS_MS, strict=True))
PIPE_WIDTH: Final = 100


def top(
    over: Annotated[str, typer.Option("--window", "-w", help=f"Changes over {', '.join(WINDOWS)}.")] = "15m",
    rows: Annotated[int, typer.Option("--rows", "-n", min=1, max=100, help="How many of each kind.")] = 10,
    every_s: Annotated[float, typer.Option("--every", min=0.2, max=3600.0, help="Seconds between two looks.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Print one frame and end.")] = False,
) -> None:
    """Watch the strongest movers, feeds, alerts and queue of the running bot; Ctrl-C ends it."""
    if over not in WINDOWS:
        raise typer.BadParameter(f"expected one of {', '.join(WINDOWS)}, found {over[:20]!r}", param_hint="--window")
    request = Request("overview", window_ms=WINDOWS[over], n=rows)
    config = settings.load()
    clock = SystemClock(speed=config.clock.speed, epoch_ms=config.clock.epoch_ms)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PIPE_WIDTH)
    first = _ask(request)
    if once or not console.is_terminal:
        console.print(Frame(first, clock.wall_ms()))
        return
    with Live(Frame(first, clock.wall_ms(), console.height), console=console, screen=True, auto_refresh=False) as live:
        live.refresh()
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                clock.block(every_s)
                live.update(Frame(_ask(request), clock.wall_ms(), console.height), refresh=True)


def _ask(request: Request) -> Overview:
    answer = ask_bot(request, command="top")
    if answer.overview is None:
        raise BotError(f"top: {answer.error}")
    return answer.overview
