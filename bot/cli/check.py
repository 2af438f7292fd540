"""`oibot check`: settings, rules, folder, database, clock, venue and destinations, each with what to do when it is wrong.

Exit code 0 when the bot can run, 1 when something is wrong, 3 with warnings alone under `--strict`.
"""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from bot import log, settings
from bot.app.checks import check_all
from bot.app.findings import Finding, Level, worst
from bot.errors import ConfigError

EXIT_FAILED = 1
EXIT_WARNINGS = 3
_COLOUR = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}


def check(
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 when there are warnings.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Leave out what needs a network.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the findings as JSON, with a name for each cause.")
    ] = False,
) -> None:
    """Check everything the bot needs; each failure says what to do. Nothing is changed or posted."""
    log.set_up(level="ERROR")
    try:
        config = settings.load()
        findings = asyncio.run(check_all(config, is_offline=offline))
    except ConfigError as error:
        findings = [Finding(Level.FAIL, "settings", str(error), "compare with .env.example", "settings-wrong")]
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(findings), indent=2).decode())
    else:
        _print(findings)
    if worst(findings) is Level.FAIL:
        raise typer.Exit(EXIT_FAILED)
    if strict and worst(findings) is Level.WARN:
        raise typer.Exit(EXIT_WARNINGS)


def _print(findings: Sequence[Finding]) -> None:
    console = Console()
    for finding in findings:
        console.print(line_of(finding))
    failed = sum(f.level is Level.FAIL for f in findings)
    warned = sum(f.level is Level.WARN for f in findings)
    console.print(f"{failed} failed, {warned} warning{'' if warned == 1 else 's'}", highlight=False)


def line_of(finding: Finding) -> Text:
    """As every command prints it that checks something."""
    text = Text.assemble(
        (f"{finding.level.value:>5} ", _COLOUR[finding.level]), (f"{finding.subject:<15} ", "bold"), finding.text
    )
    if finding.advice:
        text.append(f"\n      → {finding.advice}", style="cyan")
    return text
