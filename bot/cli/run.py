"""`oibot run` and `oibot record`: the bot on live data."""

import asyncio
import faulthandler
import sys
from typing import Annotated

import typer
from rich.console import Console

from bot import log, settings
from bot.app.checks import BECOME_OWNER, NO_CHAT, NO_OWNER, check_quickly
from bot.app.destinations import Plan, plan_of
from bot.app.findings import Level
from bot.app.options import Options
from bot.app.ownership import is_claimable, with_owner
from bot.app.rereading import with_secrets_of
from bot.cli.process import is_interactive, options_for, serve
from bot.cli.stopping import run_until_stopped
from bot.delivery.output import complain, console_on
from bot.errors import ConfigError, StorageError
from bot.model.members import Member

_log = log.get("run")

EXIT_CONFIG = 78
"""What is wrong is for a person to mend: a service manager that starts us again would only do so for ever."""
HINT = "The bot keeps trying. `oibot check` says more; `make demo` shows it without an exchange."


def run(
    for_time: Annotated[str | None, typer.Option("--for", help="Stop after a while, such as 90s or 10m.")] = None,
) -> None:
    """Run the bot with your settings until it is stopped."""
    _go_or_give_up(for_time, delivers=True)


def record(
    for_time: Annotated[str | None, typer.Option("--for", help="Stop after a while, such as 90s or 10m.")] = None,
) -> None:
    """Run without telling anybody and write a journal for `oibot replay` into the data folder.

    What fires meanwhile is stored, and the next `oibot run` on that folder tells it: to keep the two apart, set
    OIBOT_DATA_DIR.
    """
    _go_or_give_up(for_time, delivers=False)


def _go_or_give_up(for_time: str | None, *, delivers: bool) -> None:
    try:
        _go(for_time, delivers=delivers)
    except (ConfigError, StorageError) as error:
        if error.may_pass:
            raise
        complain(f"oibot: {error}")
        raise typer.Exit(EXIT_CONFIG) from None


def _go(for_time: str | None, *, delivers: bool) -> None:
    read = settings.load()
    log.set_up(level=read.log.level, fmt=read.log.format, collapse=read.log.collapse)
    # A service manager ends a bot that is stuck by SIGABRT: the log then says where.
    faulthandler.enable()
    console = console_on(sys.stdout)
    for name in settings.unknown_in_environment():
        console.print(f"{name}: no such setting; .env.example lists them all", style="yellow", highlight=False)

    def made(owner: Member | None = None) -> tuple[settings.Settings, Options]:
        config = with_owner(read, owner)
        plan = plan_of(config, asks_secrets=delivers).require_sound()
        if delivers:
            _say_where(config, plan, console)
        reads_terminal = delivers and plan.console is not None and is_interactive()
        options = options_for(
            console,
            hint=HINT,
            reads_terminal=reads_terminal,
            delivers=delivers,
            reread=lambda: with_secrets_of(config, settings.load()),
            is_claimable=delivers and is_claimable(read),
        )
        return config, options

    config, options = made()
    asyncio.run(_look_around(config))
    for_s = seconds(for_time)
    code = run_until_stopped(lambda signals: serve(config, options, signals, for_s=for_s, again=made))
    if not delivers:
        console.print(f"Journal in {config.data_dir / 'journal'}", style="dim", highlight=False)
    raise typer.Exit(code)


async def _look_around(config: settings.Settings) -> None:
    """The quick part of `oibot check`, into the log."""
    findings = [f for f in await check_quickly(config, plan_of(config)) if f.cause != "no-owner"]  # said already
    for finding in findings:
        if finding.level is not Level.OK:
            _log.warning(
                "check.warned" if finding.level is Level.WARN else "check.failed",
                cause=finding.cause,
                subject=finding.subject,
                text=finding.text,
                fix=finding.advice,
            )
    _log.info("check.done", n=len(findings), n_wrong=sum(f.level is not Level.OK for f in findings))


def _say_where(config: settings.Settings, plan: Plan, console: Console) -> None:
    if config.telegram.token is not None and config.telegram.owner_id is None:
        said = f"{NO_CHAT if config.telegram.chat_id is None else NO_OWNER}; {BECOME_OWNER}."
        console.print(said[0].upper() + said[1:], style="yellow", highlight=False)
    if plan.file is None and plan.console is not None:
        console.print("Alerts are printed here: the settings name no chat to send them to.", style="dim")


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
