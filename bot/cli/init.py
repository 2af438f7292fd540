"""`oibot init`: from nothing to a bot that knows its owner. Asks for a token, tests it, writes `.env` and the starter files,
and waits until the owner has opened a link.

Running it again changes nothing that is there: values are added or replaced one by one, files are never overwritten.
Exit code 0 when all is set up; 1 where something is wrong, or nobody opened the link.
"""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from bot import log, settings, settings_sections
from bot.app import env_file
from bot.app.claiming import TokenRefusedError, bot_name
from bot.app.destination_checks import check_discord, send_tests
from bot.app.destinations import plan_of
from bot.app.findings import Level, worst
from bot.app.ownership import with_owner
from bot.app.starters import write_starters
from bot.cli.check import line_of
from bot.cli.claim import make_owner
from bot.clock import Clock, SystemClock
from bot.errors import ConfigError
from bot.settings import Settings

ENV = Path(".env")
TOKEN = "OIBOT_TELEGRAM__TOKEN"  # noqa: S105, the name of the setting
WEBHOOK = "OIBOT_DISCORD__WEBHOOK_URL"
N_TRIES = 3
_STDIN = Path("-")


def init(
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", metavar="PATH|-", help="Read the bot token from a file, or from stdin."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing and do not wait: the running bot takes the link.")
    ] = False,
) -> None:
    """Set the bot up: token, files, owner. Harmless to repeat."""
    log.set_up(level="ERROR")
    console = Console(highlight=False)
    asks = not yes and sys.stdin.isatty()
    clock = _clock(settings.load())
    name = _telegram(token_file, console, clock, asks=asks)
    _discord(console, clock, asks=asks)
    config = settings.load()
    for starter in write_starters(config.rules_dir):
        _done(console, f"{'wrote' if starter.is_new else 'kept'} {starter.path}")
    owner = None
    if config.telegram.owner_id is not None:
        _done(console, f"the owner is {config.telegram.owner_id}, as OIBOT_TELEGRAM__OWNER_ID says")
    elif (known := with_owner(config)).telegram.owner_id is not None:
        _done(console, f"the owner is {known.telegram.owner_id}; `oibot claim` prints a link for another")
    else:
        owner = asyncio.run(make_owner(config, name, console=console, clock=clock, waits=not yes))
        if owner is None and not yes:
            raise typer.Exit(1)
    if owner is not None or not yes:
        _test(with_owner(config, owner), console, clock)
    console.print("Start now: oibot run     Look around first: oibot check")


def _clock(config: Settings) -> Clock:
    return SystemClock(speed=config.clock.speed, epoch_ms=config.clock.epoch_ms)


def _done(console: Console, text: str) -> None:
    console.print(Text.assemble(("✓ ", "green"), text), soft_wrap=True)


# -- Telegram ----------------------------------------------------------------------------------------------------------


def _telegram(token_file: Path | None, console: Console, clock: Clock, *, asks: bool) -> str:
    """Find a token that works and keep it; the bot's user name."""
    config = settings.load()
    if token_file is None and config.telegram.token is not None:
        try:
            name = asyncio.run(bot_name(config, clock))
        except TokenRefusedError as error:
            if not asks:
                raise
            console.print(f"✗ the token that is set: {error}", style="red", markup=False)
        else:
            _done(console, f"token works: @{name} (the one that is set already)")
            _protect(console)
            return name
    if token_file is None and not asks:
        raise ConfigError(
            "init: there is no token yet and nobody to ask; give it with --token-file PATH, or - for stdin"
        )
    token, name = _given(config, token_file, clock) if token_file else _asked(config, console, clock)
    _done(console, f"token works: @{name}")
    _keep(TOKEN, token, console)
    kept = settings.load().telegram.token
    if kept is None or kept.get_secret_value().strip() != token:
        raise ConfigError(
            f"init: the token stands in {ENV}, but another one counts: that of {TOKEN} in the environment, or of "
            f"{TOKEN}_FILE; remove it there"
        )
    return name


def _given(config: Settings, source: Path, clock: Clock) -> tuple[str, str]:
    try:
        text = sys.stdin.read() if source == _STDIN else source.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--token-file: cannot read {log.redact(str(source))}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"--token-file: {log.redact(str(source))} is not UTF-8 text") from None
    tried = _with_token(config, text.strip())
    return text.strip(), asyncio.run(bot_name(tried, clock))


def _asked(config: Settings, console: Console, clock: Clock) -> tuple[str, str]:
    for n in range(N_TRIES):
        token = typer.prompt("Telegram bot token (from @BotFather, /newbot)", hide_input=True).strip()
        try:
            with console.status("asking Telegram"):
                return token, asyncio.run(bot_name(_with_token(config, token), clock))
        except TokenRefusedError as error:
            if n == N_TRIES - 1:
                raise
            console.print(f"✗ {error}", style="red", markup=False)
    raise AssertionError("the last try returns or raises")


def _with_token(config: Settings, token: str) -> Settings:
    """The settings with another token; raises `TokenRefusedError` for what has not the form of one."""
    try:
        telegram = settings_sections.TelegramSection.model_validate(
            {"token": token, "api_url": config.telegram.api_url}
        )
    except ValueError:
        raise TokenRefusedError(
            "that is no bot token: expected digits, a colon and letters, as @BotFather gives them"
        ) from None
    if not token:
        raise TokenRefusedError("that is no bot token: it is empty")
    return config.model_copy(update={"telegram": telegram})


# -- Discord -----------------------------------------------------------------------------------------------------------


def _discord(console: Console, clock: Clock, *, asks: bool) -> None:
    """An address that works is kept; nothing typed means no Discord."""
    config = settings.load()
    if not asks or config.discord.webhook_url is not None:
        return
    for _ in range(N_TRIES):
        url = typer.prompt(
            "Discord webhook URL (optional, Enter skips it)", hide_input=True, default="", show_default=False
        )
        if not url.strip():
            return
        finding = asyncio.run(check_discord("discord", url.strip(), clock))
        if finding.level is Level.OK:
            _done(console, f"Discord: {finding.text}")
            _keep(WEBHOOK, url.strip(), console)
            return
        console.print(f"✗ Discord: {finding.text}; {finding.advice}", style="red", markup=False)
    console.print("Going on without Discord.")


# -- files and the end -------------------------------------------------------------------------------------------------


def _keep(name: str, value: str, console: Console) -> None:
    is_new = not ENV.exists()
    changed = env_file.write(ENV, {name: value})
    _done(console, f"{'wrote' if is_new else f'set {name} in' if changed else 'kept'} {ENV} (mode 600)")


def _protect(console: Console) -> None:
    if ENV.exists():
        env_file.write(ENV, {})
        _done(console, f"kept {ENV} (mode 600)")


def _test(config: Settings, console: Console, clock: Clock) -> None:
    """One message to where alerts will go."""
    plan = plan_of(config).require_sound()
    findings = asyncio.run(send_tests(config, plan, plan.main, console=console, clock=clock))
    for finding in findings:
        if finding.level is Level.OK:
            _done(console, f"test message to {finding.subject} {finding.text.partition(' as ')[0]}")
        else:
            console.print(line_of(finding))
    if worst(findings) is Level.FAIL:
        raise typer.Exit(1)
