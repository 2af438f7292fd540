"""`oibot test`: runs tests of rules with the engine of the bot. Needs no network, changes nothing but the report that it is
asked for.

Exit code 0 where all tests pass, 1 where one fails or a file has an error.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from bot import settings
from bot.cli.junit import junit_xml
from bot.cli.rule_test_view import View
from bot.clock import SystemClock, machine_s
from bot.errors import ConfigError
from bot.history.rule_test_run import Outcome, rules_tested, run_rule_test
from bot.rules.files import TESTS, folder_mark
from bot.rules.problems import render_all
from bot.rules.rule_test import RuleTestFile
from bot.rules.rule_test_reader import RuleTests, load_rule_tests

EXIT_FAILED: Final = 1
LOOK_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Ran:
    """One test that was run."""

    file: str
    outcome: Outcome
    seconds: float


def rule_tests(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files of tests or folders; `tests` in the rules folder when left out.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("-k", metavar="NAME", help="Only tests whose file and name contain this.")
    ] = None,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Also show what was found and told in tests that pass.")
    ] = False,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write a report in the form of JUnit.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Run again whenever a file changes, until Ctrl-C.")] = False,
) -> None:
    """Run tests of rules: series in, expected states, values and messages out."""
    paths = files or [settings.load().rules_dir / TESTS]
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise ConfigError(
            f"test: no such file or folder: {', '.join(missing)}; docs/rule-tests.md tells how to write one"
        )
    console = Console(highlight=False, soft_wrap=True)
    while True:
        found, passed = _run(paths, name or "", console, verbose=verbose, junit=junit)
        if not watch:
            break
        _wait_for_change(found, console)
    if not passed:
        raise typer.Exit(EXIT_FAILED)


def _run(
    paths: Sequence[Path], name: str, console: Console, *, verbose: bool, junit: Path | None
) -> tuple[RuleTests, bool]:
    found = load_rule_tests(paths)
    if found.problems:
        print(render_all(found.problems, colour=console.is_terminal and not console.no_color), end="\n\n")
    view = View(console, verbose=verbose)
    ran = run_all(found.files, name, view.show)
    # Who picks out some tests does not ask about the others.
    missed = untested(found) if not name and all(path.is_dir() for path in paths) else []
    view.sum_up([one.outcome for one in ran], sum(one.seconds for one in ran), found, missed)
    if junit is not None:
        try:
            cases = [(one.file, one.outcome, one.seconds) for one in ran]
            junit.write_text(junit_xml(cases, found.errors), encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"--junit: cannot write {junit}: {error.strerror}") from error
    return found, bool(ran) and not found.errors and all(one.outcome.passed for one in ran)


def run_all(files: Sequence[RuleTestFile], name: str, show: Callable[[str, Outcome], None]) -> list[Ran]:
    """Run what is wanted; `show` is called after each with its file and what came of it."""
    ran: list[Ran] = []
    for file in files:
        for one in file.tests:
            if name.casefold() not in f"{file.file} {one.name}".casefold():
                continue
            begun_s = machine_s()
            outcome = run_rule_test(file, one)
            ran.append(Ran(file.file, outcome, machine_s() - begun_s))
            show(file.file, outcome)
    return ran


def untested(found: RuleTests) -> list[str]:
    """Ids of the rules that the files are about, of which no test expects anything."""
    tested = {rule_id for file in found.files for rule_id in rules_tested(file)}
    return list(dict.fromkeys(rule.id for file in found.files for rule in file.rules if rule.id not in tested))


def _wait_for_change(found: RuleTests, console: Console) -> None:
    console.print("waiting for a file to change, Ctrl-C ends", style="dim")
    clock = SystemClock()
    before = mark(found.read)
    while mark(found.read) == before:
        clock.block(LOOK_S)
    sys.stdout.write("\n")


def mark(paths: Sequence[Path]) -> tuple[str, ...]:
    """Changes when one of them is written, made or removed."""
    return tuple(folder_mark(path) if path.is_dir() else _file_mark(path) for path in paths)


def _file_mark(path: Path) -> str:
    try:
        seen = path.stat()
    except OSError as error:
        return str(error.errno)
    return f"{seen.st_mtime_ns} {seen.st_size} {seen.st_ino}"
