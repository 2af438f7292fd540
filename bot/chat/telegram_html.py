"""A reply as Telegram HTML, and as plain text for when Telegram refuses the markup.

Promises: valid HTML of the tags `b`, `code` and `pre` only, at most 4,096 UTF-16 units with the markup counted; text is
cut before it is escaped, never inside a tag or an entity. Buttons without a label, or with a command that is too long,
are left out.
"""

import html
from typing import Final

from bot.chat.commands import clean
from bot.chat.reply import Button, Line, Reply, Span, Style, Table, table_lines
from bot.model.buttons import MAX_COMMAND_CHARS

MAX_UNITS: Final = 4_096
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


def _block(block: Line | Table) -> str:
    if isinstance(block, Table):
        return f"<pre>{html.escape(chr(10).join(_kept(row) for row in table_lines(block)), quote=False)}</pre>"
    return "".join(_span(span) for span in block.spans)


def _plain_block(block: Line | Table) -> str:
    if isinstance(block, Table):
        return "\n".join(_kept(row) for row in table_lines(block))
    return "".join(_kept(span.text) for span in block.spans)


def _join(pieces: list[str]) -> str:
    """As many blocks as fit."""
    text = "\n".join(pieces)
    while utf16_units(text) > MAX_UNITS:
        pieces = [*pieces[: -2 if pieces[-1] == _CUT else -1], _CUT]
        text = "\n".join(pieces)
    # Telegram refuses a message without a visible character.
    return text if text.strip() else _CUT


def to_html(reply: Reply) -> str:
    """Text for `parse_mode=HTML`."""
    return _join([_block(block) for block in reply.blocks])


def to_plain(reply: Reply) -> str:
    """The same without any markup."""
    return _join([_plain_block(block) for block in reply.blocks])


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
