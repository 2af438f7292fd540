"""What is wrong with a rule file, told so that it can be mended at once.

A `Problem` is a value with a place; it is never raised. Codes are stable: E1xx speak of files and keys, E2xx of
expressions, E4xx of message templates, E5xx of rule tests, W3xx and W5xx are warnings; `explain` says what each means. Text from files is shown
without control characters, so that a hostile file cannot paint the reader's terminal.
"""

import json
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

from bot import log

Severity = Literal["error", "warning"]
Format = Literal["text", "json", "github"]

_MAX_SHOWN_LINE: Final = 160
_BEFORE_CARET: Final = 60
_MAX_JSON_LINE: Final = 1_000


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One problem at one place. Lines and columns count from 1, columns and length in characters."""

    file: str
    """As it was named; empty for text that came from chat."""
    line: int
    column: int
    code: str
    message: str
    length: int = 1
    hint: str = ""
    """One suggestion; stands behind the caret."""
    source_line: str = ""
    """The whole line the problem is in; empty where there is none."""

    @property
    def severity(self) -> Severity:
        return "warning" if self.code.startswith("W") else "error"

    @property
    def is_error(self) -> bool:
        return self.severity == "error"


def without_secrets(problem: Problem) -> Problem:
    """Somebody may have written a secret where a name belongs; it is not shown again."""
    return replace(
        problem,
        message=log.redact(problem.message),
        hint=log.redact(problem.hint),
        source_line=log.redact(problem.source_line),
    )


_COLOURS: Final = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m"}
_BOLD: Final = "\x1b[1m"
_PLAIN: Final = "\x1b[0m"


def render(problem: Problem, *, colour: bool = False) -> str:
    """Place, what is wrong, the line, a caret and one suggestion; several lines, no newline at the end."""
    place = f"{printable(problem.file)}:{problem.line}:{problem.column}: " if problem.file else ""
    label = f"{problem.severity}[{problem.code}]"
    message = printable(problem.message)
    hint = printable(problem.hint)
    if colour:
        place = f"{_BOLD}{place}{_PLAIN}" if place else ""
        label = f"{_COLOURS[problem.severity]}{label}{_PLAIN}"
    head = f"{place}{label}: {message}"
    if not problem.source_line:
        return f"{head}\n  {hint}" if hint else head
    number = str(problem.line)
    margin = " " * len(number)
    shown, before, marked = _excerpt(problem)
    caret = f"{' ' * _cells(before)}{'^' * max(1, _cells(marked))}"
    if colour:
        caret = caret.replace("^", f"{_COLOURS[problem.severity]}^", 1) + _PLAIN
    return f"{head}\n{margin} |\n{number} | {shown}\n{margin} | {caret} {hint}".rstrip()


def _excerpt(problem: Problem) -> tuple[str, str, str]:
    """The line, or the part of a long one around the caret; what stands before the caret; what the caret marks."""
    line = problem.source_line
    at = min(problem.column - 1, len(line))
    first = 0
    if len(line) > _MAX_SHOWN_LINE:
        first = max(0, min(at - _BEFORE_CARET, len(line) - _MAX_SHOWN_LINE))
    shown = printable(line[first : first + _MAX_SHOWN_LINE])
    at -= first
    return shown.rstrip(), shown[:at], shown[at : at + problem.length]


def printable(text: str) -> str:
    """One line that is safe on a terminal; every character that is not printable becomes one that is."""
    return "".join(
        " " if char in "\t\n\r" else char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text
    )


def _cells(text: str) -> int:
    """Width on a terminal: East Asian wide characters take two cells, combining marks none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def render_all(problems: Iterable[Problem], *, style: Format = "text", colour: bool = False) -> str:
    """All problems, sorted by file, line and column; the empty string for none in `text` and `github`."""
    ordered = sorted(problems)
    match style:
        case "text":
            return "\n\n".join(render(problem, colour=colour) for problem in ordered)
        case "json":
            return json.dumps([_as_json(problem) for problem in ordered], indent=2, ensure_ascii=False)
        case "github":
            return "\n".join(_as_annotation(problem) for problem in ordered)


def _as_json(problem: Problem) -> dict[str, str | int]:
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "length": problem.length,
        "severity": problem.severity,
        "code": problem.code,
        "message": problem.message,
        "hint": problem.hint,
        "source_line": problem.source_line[:_MAX_JSON_LINE],
    }


def _as_annotation(problem: Problem) -> str:
    """A workflow command of GitHub Actions; its escapes are percent codes."""
    text = f"{problem.code}: {problem.message}" + (f" ({problem.hint})" if problem.hint else "")
    text = printable(text).replace("%", "%25")
    file = printable(problem.file).replace("%", "%25").replace(",", "%2C").replace(":", "%3A")
    return f"::{problem.severity} file={file},line={problem.line},col={problem.column}::{text}"
