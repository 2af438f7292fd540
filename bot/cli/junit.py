"""Outcomes of rule tests in the form of JUnit, which build servers read."""

from collections.abc import Sequence
from itertools import groupby
from xml.sax.saxutils import escape, quoteattr

from bot.cli.rule_test_view import strip_lines
from bot.history.rule_test_run import Failure, Outcome, after
from bot.rules.problems import Problem, printable, render

Case = tuple[str, Outcome, float]
"""File, what came of one test in it, and how many seconds it took."""


def junit_xml(cases: Sequence[Case], errors: Sequence[Problem] = ()) -> str:
    """One suite per file, in the order in which they ran; then those of files with errors, a case for each error.

    A test that could not be read would otherwise just be missing, and the build would pass.
    """
    suites = [_suite(file, list(group)) for file, group in groupby(cases, key=lambda case: case[0])]
    suites += [_unread(file, list(group)) for file, group in groupby(errors, key=lambda problem: problem.file)]
    head = f"<testsuites name={_attribute('oibot test')} {_counts(cases, len(errors))}>"
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', head, *suites, "</testsuites>", ""])


def _counts(cases: Sequence[Case], n_errors: int = 0) -> str:
    n_failed = sum(not outcome.passed for _, outcome, _ in cases)
    seconds = sum(seconds for _, _, seconds in cases)
    counts = f'tests="{len(cases) + n_errors}" failures="{n_failed}" errors="{n_errors}" skipped="0"'
    return f'{counts} time="{seconds:.3f}"'


def _suite(file: str, cases: Sequence[Case]) -> str:
    head = f"  <testsuite name={_attribute(file)} {_counts(cases)}>"
    return "\n".join([head, *(_case(*case) for case in cases), "  </testsuite>"])


def _unread(file: str, errors: Sequence[Problem]) -> str:
    lines = [f"  <testsuite name={_attribute(file)} {_counts([], len(errors))}>"]
    for problem in errors:
        name = f"{problem.code} in line {problem.line}"
        place = f'file={_attribute(file)} line="{problem.line}" time="0.000"'
        text = "\n".join(printable(line) for line in render(problem).split("\n"))
        lines += [
            f"    <testcase classname={_attribute(file)} name={_attribute(name)} {place}>",
            f'      <error type="{problem.code}" message={_attribute(problem.message)}>{escape(text)}</error>',
            "    </testcase>",
        ]
    return "\n".join([*lines, "  </testsuite>"])


def _case(file: str, outcome: Outcome, seconds: float) -> str:
    test = outcome.test
    head = (
        f"    <testcase classname={_attribute(file)} name={_attribute(test.name)} file={_attribute(file)} "
        f'line="{test.line}" time="{seconds:.3f}"'
    )
    if outcome.passed:
        return f"{head}/>"
    return "\n".join([f"{head}>", f"      {_failure(file, outcome.failures)}", "    </testcase>"])


def _failure(file: str, failures: Sequence[Failure]) -> str:
    """All that was not met as one element: most readers look at the first one alone."""
    first = failures[0]
    at = "" if first.at_ms is None else f"at {after(first.at_ms)} "
    found = first.found.partition("\n")[0]
    more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
    message = f"{at}{first.about}: expected {first.expected}, found {found}{more}"
    text = "\n\n".join(_told(file, failure) for failure in failures)
    return f'<failure type="expectation" message={_attribute(message)}>{escape(text)}</failure>'


def _told(file: str, failure: Failure) -> str:
    at = "" if failure.at_ms is None else f" at {after(failure.at_ms)}"
    lines = [
        f"{file}:{failure.line}{at}  {failure.about}",
        f"expected  {failure.expected}",
        f"found     {failure.found}",
    ]
    lines += [line for strip in failure.strips for line in strip_lines(strip)]
    if failure.explanation is not None:
        lines += [f"when {failure.explanation.when.text}", *failure.explanation.why]
    return "\n".join(printable(line) for whole in lines for line in whole.split("\n"))


def _attribute(text: str) -> str:
    return quoteattr(printable(text))
