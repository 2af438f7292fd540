"""`oibot send-test [NAME|all]`: one test message to each destination, or to one, and what came of it.

Exit code 0 where all arrived, 1 where one did not.
"""

import asyncio
from typing import Annotated

import typer
from rich.console import Console

from bot import log, settings
from bot.app.destination_checks import send_tests
from bot.app.destinations import plan_of
from bot.app.findings import Level, worst
from bot.app.ownership import with_owner
from bot.cli.check import line_of
from bot.clock import SystemClock
from bot.errors import ConfigError
from bot.rules.language import did_you_mean

EXIT_FAILED = 1


def send_test(
    name: Annotated[
        str | None, typer.Argument(help="A destination, main, or all, which is meant when left out.")
    ] = None,
) -> None:
    """Send one test message to each destination, or to one, and say what came of it."""
    log.set_up(level="ERROR")
    config = with_owner(settings.load())
    plan = plan_of(config).require_sound()
    known = [described.name for described in plan.described]
    groups = {"all": known, "main": list(plan.main)}
    asked = name or "all"
    wanted = [asked] if asked in known else groups.get(asked, [asked])
    unknown = [one for one in wanted if one not in known]
    if unknown:
        meant = did_you_mean(unknown[0], frozenset(known))
        hint = f'did you mean "{meant}"?' if meant else f"there are: {', '.join(known)}"
        raise ConfigError(f"no destination is called {unknown[0][:40]!r}; {hint}")
    console = Console()
    clock = SystemClock(speed=config.clock.speed, epoch_ms=config.clock.epoch_ms)
    findings = asyncio.run(send_tests(config, plan, wanted, console=console, clock=clock))
    for finding in findings:
        console.print(line_of(finding))
    if worst(findings) is Level.FAIL:
        raise typer.Exit(EXIT_FAILED)
