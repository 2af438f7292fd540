"""`oibot invite ROLE`: a link that lets one person in. It is shown here and nowhere else; the bot that runs takes it."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from bot import log, settings
from bot.app.claiming import bot_name, open_members
from bot.app.ownership import with_owner
from bot.chat.grammars import INVITED_ROLES
from bot.chat.invites import Invites, invite_link
from bot.cli.qr import show_qr
from bot.clock import SystemClock
from bot.errors import ConfigError
from bot.model.members import Role


def invite(
    role: Annotated[
        str, typer.Argument(help="viewer: only looks; member: makes alerts; admin: also lets people in.")
    ] = "member",
) -> None:
    """Print a link that lets one person in: it counts once, for 24 hours."""
    log.set_up(level="ERROR")
    if role not in INVITED_ROLES:
        raise ConfigError(f"invite: {role} is no role that a link gives; expected {', '.join(INVITED_ROLES)}")
    config = with_owner(settings.load())
    if config.telegram.token is None:
        raise ConfigError("invite: there is no Telegram bot yet; `oibot init` sets one up")
    if config.telegram.owner_id is None:
        raise ConfigError("invite: nobody is the owner yet, so nobody is let in; `oibot claim` makes one")
    clock, console = SystemClock(speed=config.clock.speed, epoch_ms=config.clock.epoch_ms), Console(highlight=False)

    async def go() -> tuple[str, bool]:
        name = await bot_name(config, clock)
        async with open_members(config, clock) as (store, _, is_bot_running, _):
            return invite_link(name, await Invites(store, clock).issue(Role(role))), is_bot_running

    url, is_bot_running = asyncio.run(go())
    console.print(f"Whoever opens this link first is let in as {role} (24 hours, once). Send it to that person alone:")
    console.print(Text(f"  {url}", style="bold"), soft_wrap=True)
    show_qr(url, console)
    if not is_bot_running:
        console.print("`oibot run` takes it, once started.")
