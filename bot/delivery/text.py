"""Pieces of a message before any markup: spans, lines, and a card made of them.

Whatever comes from outside passes `clean` on its way into a span; renderers only add markup and escape. Lengths are
counted in UTF-16 units, as Telegram does.
"""

import unicodedata
from dataclasses import dataclass
from typing import Literal

Style = Literal["", "bold", "code", "dim", "up", "down"]
"""`up` and `down` are coloured where there is colour, else bold."""

CUT = "…"
_DROPPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_SPACES = frozenset({"Zs", "Zl", "Zp"})


def utf16_length(text: str) -> int:
    """An emoji counts two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, limit: int) -> str:
    """At most `limit` UTF-16 units, an ellipsis included, never half a character."""
    if utf16_length(text) <= limit:
        return text
    kept, units = [], utf16_length(CUT)
    for char in text:
        units += 2 if ord(char) > 0xFFFF else 1
        if units > limit:
            break
        kept.append(char)
    return "".join(kept).rstrip() + CUT


def clean(text: str, limit: int) -> str:
    """One line of visible text: no control, bidirectional or zero-width characters, no runs of spaces."""
    # Long input is cut before the loop, so that nobody's rule text costs time.
    visible = (
        " " if char in "\t\n\r\v\f" or unicodedata.category(char) in _SPACES else char
        for char in text[: 4 * limit]
        if char in "\t\n\r\v\f" or unicodedata.category(char) not in _DROPPED
    )
    return cut(" ".join("".join(visible).split()), limit)


@dataclass(frozen=True, slots=True)
class Span:
    """Clean text in one style."""

    text: str
    style: Style = ""


Line = tuple[Span, ...]


def line(*parts: Span | str) -> Line:
    spans = (part if isinstance(part, Span) else Span(part) for part in parts)
    return tuple(span for span in spans if span.text)


def plain(spans: Line) -> str:
    return "".join(span.text for span in spans)


@dataclass(frozen=True, slots=True)
class Card:
    """One message, most important first. An empty line separates."""

    head: Line
    """Stands alone: it is what a phone shows of the notification."""
    body: tuple[Line, ...] = ()
    table: tuple[str, ...] = ()
    """Rows of equal-width columns, header first."""
    details: tuple[Line, ...] = ()
    """What may be folded away."""
    footer: Line = ()
    choices: tuple[tuple[str, str], ...] = ()
    """Of a message about many alerts: label and short id of those that may be asked for by a button."""


def width(text: str) -> int:
    """Columns in a fixed-width font; wide East Asian characters take two."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def table(rows: list[list[str]]) -> tuple[str, ...]:
    """Columns aligned: the first to the left, the others to the right."""
    widths = [max(width(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0] + " " * (widths[0] - width(row[0]))]
        cells += [" " * (w - width(cell)) + cell for cell, w in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return tuple(lines)
