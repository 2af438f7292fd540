"""What is wrong with a rule file, told so that it can be mended at once.

A `Problem` is a value with a place; it is never raised. Codes are stable: E1xx speak of files and keys, E2xx of
expressions, W3xx are warnings. `CODES` explains each in a sentence, `docs/rule-errors.md` says the same. Text from
files is shown without control characters, so that a hostile file cannot paint the reader's terminal.
"""

import json
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

Severity = Literal["error", "warning"]
Format = Literal["text", "json", "github"]

CODES: Final[dict[str, str]] = {
    "E101": "The file is not valid YAML; usually indentation, a missing colon or an unclosed quote.",
    "E102": "The key is not one that stands here; a misspelt key would otherwise be ignored without a word.",
    "E103": "The same key is given twice in one place; only one could count.",
    "E104": "A key that every rule needs is missing.",
    "E105": "The value is not a duration: a number and s, m, h or d, such as 15m.",
    "E106": "The value is not one that this key takes.",
    "E107": "The value has the wrong shape, such as a list where one word is expected.",
    "E108": "A limit on size, depth, aliases or count is exceeded.",
    "E109": "The file is not plain UTF-8 text.",
    "E110": "Two rules have the same id; ids tell alerts apart and must be unique over all files.",
    "E111": "The id is not made of lower-case letters, digits and underscores.",
    "E112": "No destination has this name.",
    "E113": "The file is written for another version of the rule language.",
    "E114": "The number or length is outside the range that this key takes.",
    "E115": "The file or folder cannot be read.",
    "E116": "Two keys of the rule contradict each other.",
    "E201": "The expression cannot be read at this point.",
    "E202": "The number is not written in a known way, such as 5%, 15m, 2.5k or 20_000_000.",
    "E203": "There is no function of this name.",
    "E204": "There is no series of this name.",
    "E205": "The function is given the wrong number or kind of arguments.",
    "E206": "The two sides are of different kinds, such as a percentage and a duration.",
    "E207": "A condition stands where a number is needed, or a number where a condition is needed.",
    "E208": "The window is not allowed: whole seconds up to 1h, whole minutes above, at most 24h.",
    "E209": "The language has this word, but this version of oibot cannot evaluate it yet.",
    "E210": "Functions over the scope and per: market do not go together in this way.",
    "E211": "The expression is too long, too deep or has too many parts.",
    "E212": "The expression looks at no series, so it would always say the same.",
    "E213": "A crossing is an event: it is a condition of its own and cannot last.",
    "W301": "A plain number is compared with a ratio, where 1 means 100%.",
    "W302": "The key is understood but has no effect in this version.",
    "W303": "The scope names a symbol that its other keys leave out.",
    "W304": "The clear condition looks in the same direction as when, so it may end the alert at once or never.",
    "W305": "The key does nothing without another key beside it.",
    "W306": "There are no rules here.",
}
"""Every code with one sentence for `oibot explain E204`."""

_MAX_SHOWN_LINE: Final = 160
_BEFORE_CARET: Final = 60


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
    line = printable(problem.source_line)
    at = min(problem.column - 1, len(line))
    first = 0
    if len(line) > _MAX_SHOWN_LINE:
        first = max(0, min(at - _BEFORE_CARET, len(line) - _MAX_SHOWN_LINE))
    shown = line[first : first + _MAX_SHOWN_LINE]
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
        "source_line": problem.source_line,
    }


def _as_annotation(problem: Problem) -> str:
    """A workflow command of GitHub Actions; its escapes are percent codes."""
    text = f"{problem.code}: {problem.message}" + (f" ({problem.hint})" if problem.hint else "")
    text = printable(text).replace("%", "%25")
    file = printable(problem.file).replace("%", "%25").replace(",", "%2C").replace(":", "%3A")
    return f"::{problem.severity} file={file},line={problem.line},col={problem.column}::{text}"
