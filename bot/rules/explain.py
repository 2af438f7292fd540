"""What each code of the linter means, with an example that is really linted. The texts stand in `codes.toml`.

`docs/rule-errors.md` lists the same titles; a test compares them.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from textwrap import fill
from types import MappingProxyType
from typing import Final, Literal

from rapidfuzz.distance import OSA

from bot.rules.destinations import load_destinations_text
from bot.rules.loader import load_text
from bot.rules.problems import Problem, render_all
from bot.rules.rule_test_reader import read_rule_tests

WIDTH: Final = 100
FILE: Final = "rules/mine.yaml"
DESTINATION_FILE: Final = "rules/destinations.yaml"
TEST_FILE: Final = "rules/tests/mine.yaml"
TESTED: Final = "rules:\n  - id: surge\n    when: pct(oi, 15m) > 5%\n"
"""The rules of which the examples of tests speak."""
DESTINATIONS: Final = frozenset({"main", "ops"})
"""Those of the examples."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One code. `wrong` and `right` are files, empty where no file alone can show the mistake."""

    code: str
    title: str
    meaning: str
    wrong: str = ""
    right: str = ""
    shown: str = ""
    """What the linter says, where it cannot be made from `wrong`."""
    retired: bool = False
    of: Literal["rules", "destinations", "tests"] = "rules"
    """What the examples are."""

    def problems(self, example: str) -> tuple[Problem, ...]:
        """What the linter says to an example."""
        if self.of == "destinations":
            return load_destinations_text(DESTINATION_FILE, example).problems
        if self.of == "tests":
            return read_rule_tests(TEST_FILE, example.encode(), lambda _: load_text(FILE, TESTED))[1]
        return load_text(FILE, example, destinations=DESTINATIONS).problems


@cache
def explanations() -> "MappingProxyType[str, Explanation]":
    """All codes in their order."""
    source = resources.files("bot.rules").joinpath("codes.toml").read_text(encoding="utf-8")
    return MappingProxyType({code: Explanation(code, **fields) for code, fields in tomllib.loads(source).items()})


def find(code: str) -> Explanation | None:
    """The explanation of a code, however its letter is written."""
    return explanations().get(code.strip().upper())


def nearest(code: str) -> str | None:
    """The code that was probably meant: one slip away, or the same digits with another letter."""
    word = code.strip().upper()[:20]
    known = list(explanations())
    same_digits = [name for name in known if name[1:] == word.lstrip("EW")]
    distance, best = min((OSA.distance(word, name), name) for name in known)
    return same_digits[0] if len(same_digits) == 1 else best if distance <= 1 else None


def render(explanation: Explanation, *, colour: bool = False) -> str:
    """Title, meaning, the mistake as the linter shows it, and how it is mended; no newline at the end."""
    sections = [fill(f"{explanation.code}: {explanation.title}", WIDTH), fill(explanation.meaning, WIDTH)]
    if shown := told(explanation, colour=colour):
        sections.append(f"For example\n\n{_indented(shown)}")
    if explanation.right:
        sections.append(f"Mended\n\n{_indented(explanation.right.rstrip())}")
    return "\n\n".join(sections)


def told(explanation: Explanation, *, colour: bool = False) -> str:
    """What the linter says to the wrong example; the empty string for a retired code."""
    if not explanation.wrong:
        return explanation.shown
    return render_all(explanation.problems(explanation.wrong), colour=colour)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.split("\n"))
