"""A reply as Telegram HTML, and as plain text for when Telegram refuses the markup.

Promises: valid HTML of the tags `b`, `code` and `pre` only, whose text has at most 4,096 UTF-16 units, as Telegram counts: markup
and entities are no part of it. What is too long becomes several messages (`parts`), or ends with a whole line or row, never
inside a tag or an entity. Buttons without a label, or with a command that is too long, are left out.
"""

import html
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from bot.chat.commands import clean
from bot.chat.reply import BLANK, Button, Line, Reply, Span, Style, Table, table_lines
from bot.model.buttons import MAX_COMMAND_CHARS

MAX_UNITS: Final = 4_096
MAX_CAPTION_UNITS: Final = 1_024
"""Below a picture or a file."""
MAX_PARTS: Final = 5
"""What is longer still is cut."""
MAX_URL_CHARS: Final = 1_000
MAX_ROW_BUTTONS: Final = 8
MAX_ROWS: Final = 12
MAX_LABEL_CHARS: Final = 40
MAX_SPAN_CHARS: Final = 1_000

_TAGS: Final = {Style.BOLD: "b", Style.CODE: "code"}
_CUT: Final = "…"


def utf16_units(text: str) -> int:
    """Telegram counts in these: most emoji are two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _kept(text: str) -> str:
    """What may be shown; spaces at the ends of a span separate it from the next."""
    cut = text if len(text) <= MAX_SPAN_CHARS else text[: MAX_SPAN_CHARS - 1] + _CUT
    cleaned = clean(f"|{cut}|")
    return cleaned[1:-1]


def _span(span: Span) -> str:
    text = html.escape(_kept(span.text), quote=False)
    tag = _TAGS.get(span.style)
    return f"<{tag}>{text}</{tag}>" if tag and text else text


@dataclass(frozen=True, slots=True)
class _Piece:
    """What stays whole when a message is cut: a line, or a row of a table. `table` is that of the row, else 0."""

    markup: str
    shown: str
    table: int = 0


def _pieces(reply: Reply) -> list[_Piece]:
    found = []
    for number, block in enumerate(reply.blocks, 1):
        if isinstance(block, Table):
            rows = [_kept(row) for row in table_lines(block)]
            found += [_Piece(html.escape(row, quote=False), row, number) for row in rows]
        else:
            markup = "".join(_span(span) for span in block.spans)
            found.append(_Piece(markup, "".join(_kept(span.text) for span in block.spans)))
    return found


class _Messages:
    """Blocks of messages as they fill up."""

    def __init__(self) -> None:
        self.blocks: list[list[Line | Table]] = [[]]
        self._left = MAX_UNITS

    def has_room(self, units: int) -> bool:
        """Also where there is none, but no further message may begin."""
        return units <= self._left or len(self.blocks) == MAX_PARTS

    def begin(self) -> None:
        self.blocks.append([])
        self._left = MAX_UNITS

    def add(self, block: Line | Table, units: int) -> None:
        self.blocks[-1].append(block)
        self._left -= units

    def add_line(self, one: Line) -> None:
        units = sum(utf16_units(_kept(span.text)) for span in one.spans) + 1
        if units > MAX_UNITS and len(one.spans) > 1:
            for span in one.spans:
                self.add_line(Line((span,)))
            return
        if not self.has_room(units):
            self.begin()
            if one == BLANK:
                return
        self.add(one, units)

    def add_table(self, table: Table) -> None:
        head, *sizes = (utf16_units(_kept(text)) + 1 for text in table_lines(table))
        start, units = 0, head
        for n, size in enumerate(sizes):
            if not self.has_room(units + size):
                if n > start:
                    self.add(replace(table, rows=table.rows[start:n]), units)
                self.begin()
                start, units = n, head
            units += size
        self.add(replace(table, rows=table.rows[start:]), units)


def parts(reply: Reply) -> tuple[Reply, ...]:
    """The messages that a reply becomes, the buttons below the last. Broken between lines and between rows of a table, which
    has its header in each.
    """
    messages = _Messages()
    for block in reply.blocks:
        if isinstance(block, Table):
            messages.add_table(block)
        else:
            messages.add_line(block)
    *first, last = (tuple(blocks) for blocks in messages.blocks)
    return (*(replace(reply, blocks=blocks, buttons=()) for blocks in first), replace(reply, blocks=last))


def _fitting(pieces: list[_Piece], limit: int) -> list[_Piece]:
    """As many as fit; the length that counts is that of what people see."""
    left = limit - sum(utf16_units(piece.shown) + 1 for piece in pieces)
    if left >= -1:
        return pieces
    left -= utf16_units(_CUT) + 1
    while left < -1:
        left += utf16_units(pieces.pop().shown) + 1
    return [*pieces, _Piece(_CUT, _CUT)]


def to_html(reply: Reply, *, limit: int = MAX_UNITS) -> str:
    """Text for `parse_mode=HTML`, one message of at most that many units."""
    blocks = []
    pieces = _fitting(_pieces(reply), limit)
    if not any(piece.shown.strip() for piece in pieces):
        return _CUT
    for table, rows in groupby(pieces, key=lambda piece: piece.table):
        text = "\n".join(row.markup for row in rows)
        blocks.append(f"<pre>{text}</pre>" if table else text)
    return "\n".join(blocks)


def to_plain(reply: Reply, *, limit: int = MAX_UNITS) -> str:
    """The same without any markup."""
    # Telegram refuses a message without a visible character.
    text = "\n".join(piece.shown for piece in _fitting(_pieces(reply), limit))
    return text if text.strip() else _CUT


def _is_sendable(button: Button) -> bool:
    """A page elsewhere, or a command that is not too long."""
    if button.url:
        return button.url.startswith("https://") and button.url.isascii() and len(button.url) <= MAX_URL_CHARS
    return 0 < len(button.command) <= MAX_COMMAND_CHARS


def keyboard(reply: Reply) -> tuple[tuple[Button, ...], ...]:
    """The buttons that Telegram will take."""
    rows = []
    for row in reply.buttons:
        fitting = [
            Button(label, button.command, button.url)
            for button in row
            if (label := _kept(button.label)[:MAX_LABEL_CHARS].strip()) and _is_sendable(button)
        ]
        rows += [tuple(fitting[:MAX_ROW_BUTTONS])] if fitting else []
    return tuple(rows[:MAX_ROWS])
