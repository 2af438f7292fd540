"""What a check found: how it ended, about what, and what to do where it is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    level: Level
    subject: str
    text: str
    advice: str = ""
    cause: str = ""
    """What is wrong, by a name that programs may rely on, such as `clock-off`; empty where nothing is."""


def worst(findings: Sequence[Finding]) -> Level:
    """The level that decides the exit code."""
    levels = {f.level for f in findings}
    return Level.FAIL if Level.FAIL in levels else Level.WARN if Level.WARN in levels else Level.OK
