"""What was wrong with a file, counted and the first few named."""

from dataclasses import dataclass, field
from typing import Final

MAX_NAMED: Final = 20
_EXCERPT: Final = 60


def excerpt(text: str, limit: int = _EXCERPT) -> str:
    """The beginning of what was found, on one line and printable."""
    line = "".join(c if c.isprintable() else "�" for c in text[: limit + 1])
    return line if len(line) <= limit else line[:limit] + "…"


@dataclass(slots=True)
class Findings:
    """Of one file, by what became of them."""

    name: str
    """As people are told it."""
    n_bad: int = 0
    """Rows that were left out."""
    n_unknown: int = 0
    """Fields that hold no usable number; the rest of their row was taken."""
    n_empty: int = 0
    """Fields without a value; the rest of their row was taken."""
    n_repeated: int = 0
    """Rows that say again what an earlier row of the file says."""
    n_differing: int = 0
    """Rows whose time an earlier row of the file has with other values: the earlier one stays."""
    named: list[str] = field(default_factory=list)

    def bad(self, line: int, expected: str, found: str) -> None:
        """A row that is left out."""
        self.n_bad += 1
        self._name(line, expected, found)

    def unknown(self, line: int, expected: str, found: str) -> None:
        """A field that is left out."""
        self.n_unknown += 1
        self._name(line, expected, found)

    def differing(self, line: int, expected: str, found: str) -> None:
        """A row that contradicts an earlier one."""
        self.n_differing += 1
        self._name(line, expected, found)

    def _name(self, line: int, expected: str, found: str) -> None:
        if len(self.named) < MAX_NAMED:
            self.named.append(f"{self.name}:{line}: expected {expected}, found {excerpt(found)!r}")
