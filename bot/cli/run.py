"""`oibot run` and `oibot record`: the bot on live data."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console

from bot import log, settings
from bot.app.checks import NO_CHAT, NO_OWNER
from bot.app.destinations import plan_of
from bot.cli.process import is_interactive, options_for, serve

HINT = "The bot keeps trying. `oibot check` says more; `make demo` shows it without an exchange."


def run(
    for_time: Annotated[str | None, typer.Option("--for", help="Stop after a while, such as 90s or 10m.")] = None,
) -> None:
    """Run the bot with your settings until it is stopped."""
    _go(for_time, delivers=True)


def record(
    for_time: Annotated[str | None, typer.Option("--for", help="Stop after a while, such as 90s or 10m.")] = None,
) -> None:
    """Run without telling anybody and write a journal for `oibot replay` into the data folder."""
    _go(for_time, delivers=False)


def _go(for_time: str | None, *, delivers: bool) -> None:
    config = settings.load()
    log.set_up(level=config.log.level, fmt=config.log.format)
    console = Console()
    for name in settings.unknown_in_environment():
        console.print(f"{name}: no such setting; .env.example lists them all", style="yellow", highlight=False)
    plan = plan_of(config, asks_secrets=delivers).require_sound()
    options = options_for(
        console,
        hint=HINT,
        reads_terminal=delivers and plan.console is not None and is_interactive(),
        delivers=delivers,
        plan=plan,
    )
    if delivers and config.telegram.token is not None and config.telegram.owner_id is None:
        console.print(
            f"{NO_CHAT if config.telegram.chat_id is None else NO_OWNER}; set OIBOT_TELEGRAM__OWNER_ID.",
            style="yellow",
            highlight=False,
        )
    if delivers and plan.file is None and plan.console is not None:
        console.print("Alerts are printed here: the settings name no chat to send them to.", style="dim")
    code = asyncio.run(serve(config, options, for_s=seconds(for_time)))
    if not delivers:
        console.print(f"Journal in {config.data_dir / 'journal'}", style="dim", highlight=False)
    raise typer.Exit(code)


def seconds(text: str | None) -> float | None:
    """`90s`, `10m`, `1h` or plain seconds; None stays None."""
    if text is None:
        return None
    units = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
    number, unit = (text[:-1], text[-1]) if text[-1:] in units else (text, "s")
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e9:
        raise typer.BadParameter(f"expected a time such as 90s, 10m or 1h, found {text!r}")
    return value * units[unit]
