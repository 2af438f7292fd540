"""`oibot lint`: reads rule files and destinations as the bot would and tells every problem at once. Changes nothing, needs no
network.

With `--live` it asks the venue once which contracts there are, and also tells scopes that match none.

Exit code 0 where the files are sound, 1 with errors, 3 with warnings alone under `--strict`.
"""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from bot import settings
from bot.app.checks import ask_venue
from bot.app.destinations import Secrets, plan_of, plan_of_file
from bot.app.ownership import with_owner
from bot.clock import SystemClock
from bot.errors import ConfigError
from bot.model.instrument import Instrument
from bot.rules.destinations import Means, destination_file, load_destinations
from bot.rules.files import OTHER_FILES
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
    """Check rule files and destinations, and point at every mistake."""
    config = with_owner(settings.load())
    surroundings = Surroundings(instruments=asyncio.run(_listed(config))) if live else None
    found = _read(files or [config.rules_dir], config, surroundings)
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


def _read(paths: list[Path], config: settings.Settings, surroundings: Surroundings | None) -> RuleSet:
    """Rules of these files, with the destinations that stand among them, else with those of the bot's own folder."""
    named = [path for path in paths if path.name in OTHER_FILES]
    beside = [found for path in paths if path.is_dir() and (found := destination_file(path)) is not None]
    means = Means(Secrets(config).fault)
    plans = [plan_of_file(config, load_destinations(path, means=means)) for path in dict.fromkeys([*named, *beside])]
    plans = plans or [plan_of(config)]
    names = frozenset(name for plan in plans for name in plan.names)
    rules = load_files((p for p in paths if p not in named), destinations=names, surroundings=surroundings)
    problems = sorted({*rules.problems, *(problem for plan in plans for problem in plan.problems)})
    return replace(rules, problems=tuple(problems))


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
