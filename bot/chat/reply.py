"""Answers before layout: lines of spans, tables, buttons. Fronts decide about colour, markup and width.

A `Reply` holds plain text only; escaping is the front's duty. A blank line is an empty `Line`. Buttons carry the text
of a command, so that a press is the same as typing it, or lead to a page elsewhere.
"""

import unicodedata
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bot.model.charts import BacktestChart, ChartData

TABLE_COLUMNS: Final = 30
"""Wider lines wrap on small phones and break a table."""


class Style(StrEnum):
    """How a span stands out."""

    PLAIN = "plain"
    BOLD = "bold"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Span:
    """A run of text in one style."""

    text: str
    style: Style = Style.PLAIN


@dataclass(frozen=True, slots=True)
class Line:
    """One line; empty for a blank one."""

    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """Monospace rows of equal length, the header first. The first column is a label; `right_label` aligns it right."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right_label: bool = False


@dataclass(frozen=True, slots=True)
class Button:
    """What to do next."""

    label: str
    command: str
    """Text as typed, such as `/oi BTCUSDT`, up to 1,000 characters; empty where `url` says where it leads."""
    url: str = ""
    """A page elsewhere that a press opens."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """One message."""

    blocks: tuple[Line | Table, ...]
    buttons: tuple[tuple[Button, ...], ...] = ()
    """In rows."""
    is_personal: bool = False
    """Its buttons are for whoever it answers, and for nobody else in the chat."""
    chart: ChartData | None = None
    """Shown with it, in the way the front can."""
    picture: BacktestChart | None = None
    """Shown over it by fronts that show pictures; the blocks say the same in words."""
    is_full_size: bool = False
    """Its chart is sent as a file, with the blocks as its caption, where files can be sent."""
    file: Attachment | None = None
    """Sent with it, with the blocks as its caption, where files can be sent."""
    is_refusal: bool = False
    """What was asked for was not done; told to scripts by their exit code."""
    later: "Callable[[], AsyncIterator[Reply]] | None" = None
    """What takes its place while a job runs, and when that has ended. A front that cannot change what it said says the last."""
    is_interim: bool = False
    """Another takes its place soon: where there is little room it need not be shown."""
    is_gone: bool = False
    """What a command speaks of is not there any more: the message that still shows it is out of date."""
    drawn_by: str = ""
    """Text as typed, which only looks and gives this anew; empty where there is none. Fronts fill it in."""
    did: str = ""
    """What was changed of others or for all, for the audit log; empty for nothing. Nobody is shown it here."""


def line(*parts: str | Span) -> Line:
    """A line of plain text and spans."""
    return Line(tuple(Span(part) if isinstance(part, str) else part for part in parts if part))


def refusal(*parts: str | Span) -> Reply:
    """One line that says why something was not done."""
    return Reply((line(*parts),), is_refusal=True)


def bold(text: str) -> Span:
    return Span(text, Style.BOLD)


def code(text: str) -> Span:
    return Span(text, Style.CODE)


BLANK: Final = Line()


def rows_of(buttons: Sequence[Button], per_row: int) -> tuple[tuple[Button, ...], ...]:
    """Buttons in rows of at most so many."""
    return tuple(tuple(buttons[i : i + per_row]) for i in range(0, len(buttons), per_row))


def columns(text: str) -> int:
    """How many columns of a monospace font a text takes; East Asian characters take two."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def _fit(text: str, width: int) -> str:
    if columns(text) <= width:
        return text
    while text and columns(text) > width - 1:
        text = text[:-1]
    return text + "…"


def _pad(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - columns(text))
    return space + text if right else text + space


def cell(text: str, width: int) -> str:
    """Exactly so many columns, left-aligned; what is longer is cut."""
    return _pad(_fit(text, width), width, right=False)


def table_lines(table: Table, *, width: int = TABLE_COLUMNS) -> tuple[str, ...]:
    """Lay a table out in at most `width` columns; when it is too wide the labels are cut, then whole lines."""
    rows = (table.header, *table.rows)
    widths = [max(columns(row[i]) for row in rows) for i in range(len(table.header))]
    gap = 2 if sum(widths) + 2 * (len(widths) - 1) <= width else 1
    too_wide = sum(widths) + gap * (len(widths) - 1) - width
    if too_wide > 0:
        widths[0] = max(4, widths[0] - too_wide)
    lines = []
    for row in rows:
        cells = [
            _pad(_fit(cell, widths[i]), widths[i], right=table.right_label if i == 0 else True)
            for i, cell in enumerate(row)
        ]
        lines.append(_fit((" " * gap).join(cells).rstrip(), width))
    return tuple(lines)
