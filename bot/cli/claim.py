"""`oibot claim`: a link that makes whoever opens it first the owner of the bot.

Exit code 0 when somebody has opened it, or at once with `--no-wait`; 1 when its time was over.
"""

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from bot import log, settings
from bot.app.claiming import Claiming, Link, bot_name, open_claiming
from bot.app.ownership import is_claimable
from bot.chat.asker import telegram_number
from bot.cli.qr import show_qr
from bot.clock import Clock, SystemClock
from bot.errors import ConfigError
from bot.model.members import Member
from bot.settings import Settings

EXIT_EXPIRED = 1


def claim(
    waits: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until somebody has opened it; the running bot takes it too.")
    ] = True,
) -> None:
    """Print a link that makes whoever opens it the owner; an earlier one opens nothing any more."""
    log.set_up(level="ERROR")
    config = settings.load()
    console = Console(highlight=False)
    if not is_claimable(config):
        if config.telegram.token is None:
            raise ConfigError("claim: there is no Telegram bot yet; `oibot init` sets one up")
        raise ConfigError(
            f"claim: OIBOT_TELEGRAM__OWNER_ID names the owner, {config.telegram.owner_id}; remove it there to let a link "
            "decide"
        )
    clock = SystemClock(speed=config.clock.speed, epoch_ms=config.clock.epoch_ms)

    async def go() -> Member | None:
        name = await bot_name(config, clock)
        return await make_owner(config, name, console=console, clock=clock, waits=waits)

    if asyncio.run(go()) is None and waits:
        raise typer.Exit(EXIT_EXPIRED)


async def make_owner(config: Settings, name: str, *, console: Console, clock: Clock, waits: bool) -> Member | None:
    """Show a link of the bot called so and wait for whoever opens it; None where nobody did, or nobody waited."""
    async with open_claiming(config, clock) as claiming:
        if claiming.note:
            console.print(f"! the database: {claiming.note}", style="yellow", markup=False)
        link = await claiming.link(name)
        _show(link, console)
        if not waits:
            taker = (
                "The bot that runs here takes it." if link.is_taken_by_bot else "`oibot run` takes it, once started."
            )
            console.print(f"{taker} It counts until it is opened, at most 15 minutes.", markup=False)
            return None
        try:
            owner = await _wait(claiming, link, console, clock)
        except asyncio.CancelledError:
            console.print("Not waiting any more. The link still counts: `oibot run` takes it, or the bot that runs.")
            raise
    if owner is None:
        console.print("✗ nobody opened the link within 15 minutes; `oibot claim` prints a new one", style="red")
        return None
    console.print(Text.assemble(("✓ ", "green"), f"claimed by {owner.name} (id {telegram_number(owner.user)})"))
    return owner


def _show(link: Link, console: Console) -> None:
    if link.replaces is not None:
        console.print(
            f"! {link.replaces.name} (id {telegram_number(link.replaces.user)}) is the owner; whoever opens this link takes "
            "that place",
            style="yellow",
            markup=False,
        )
    console.print("Open this link on your phone and press Start to become the owner (15 minutes, once):")
    console.print(Text(f"  {link.url}", style="bold"), soft_wrap=True)
    show_qr(link.url, console)


class _Countdown:
    """A line that says at each look how much time is left, and what is wrong."""

    def __init__(self, claiming: Claiming, link: Link, clock: Clock) -> None:
        self._claiming = claiming
        self._link = link
        self._clock = clock

    def __rich__(self) -> Text:
        left_s = max(0, self._link.expires_ms - self._clock.wall_ms()) // 1000
        text = Text(f"waiting for you to press Start in Telegram · {left_s // 60}:{left_s % 60:02d} left")
        if self._claiming.trouble:
            text.append(f" · {self._claiming.trouble[:80]}", style="yellow")
        return text


async def _wait(claiming: Claiming, link: Link, console: Console, clock: Clock) -> Member | None:
    if not console.is_terminal:
        console.print("waiting for somebody to press Start in Telegram")
        return await claiming.wait(link)
    with console.status(_Countdown(claiming, link, clock)):
        return await claiming.wait(link)
