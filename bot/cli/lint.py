"""`oibot lint`: reads rule files as the bot would and tells every problem at once. Changes nothing, needs no network.

With `--live` it asks the venue once which contracts there are, and also tells scopes that match none.

Exit code 0 where the files are sound, 1 with errors, 3 with warnings alone under `--strict`.
"""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from bot import settings
from bot.app.bot import destination_names
from bot.app.checks import ask_venue
from bot.app.routing import Routes
from bot.clock import SystemClock
from bot.errors import ConfigError
from bot.model.instrument import Instrument
from bot.rules.loader import RuleSet, load_files
from bot.rules.problems import Format, render_all
from bot.rules.surroundings import Surroundings

EXIT_ERRORS = 1
EXIT_WARNINGS = 3


def lint(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Rule files or folders; the bot's rules folder when left out.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 when there are warnings.")] = False,
    format: Annotated[  # noqa: A002, the name of the option
        Format, typer.Option("--format", help="text for people, json for programs, github for its annotations.")
    ] = "text",
    live: Annotated[bool, typer.Option("--live", help="Also ask the exchange which contracts there are.")] = False,
) -> None:
    """Check rule files and point at every mistake."""
    config = settings.load()
    surroundings = Surroundings(instruments=asyncio.run(_listed(config))) if live else None
    names = Routes.of(destination_names(config)).names
    found = load_files(files or [config.rules_dir], destinations=names, surroundings=surroundings)
    colour = format == "text" and sys.stdout.isatty()
    report = render_all(found.problems, style=format, colour=colour)
    if report:
        print(report)
    if format == "text":
        if report:
            print()
        print(_summary(found))
    if found.errors:
        raise typer.Exit(EXIT_ERRORS)
    if strict and found.warnings:
        raise typer.Exit(EXIT_WARNINGS)


async def _listed(config: settings.Settings) -> list[Instrument]:
    findings, instruments = await ask_venue(config, SystemClock(speed=config.clock.speed))
    if instruments is None:
        raise ConfigError(f"--live: {findings[-1].subject}: {findings[-1].text}; {findings[-1].advice}")
    return instruments


def _summary(found: RuleSet) -> str:
    return ", ".join(
        f"{number} {word}{'s' * (number != 1)}"
        for number, word in ((len(found.rules), "rule"), (len(found.errors), "error"), (len(found.warnings), "warning"))
    )
