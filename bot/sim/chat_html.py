"""Telegram's HTML as the server reads it: the text that remains, or the error that it answers."""

import re
from html import unescape
from typing import Final

_TAGS: Final = frozenset(
    {
        *("b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "code", "pre", "a", "span", "blockquote"),
        *("tg-spoiler", "tg-emoji", "tg-time"),
    }
)
_ENTITIES: Final = re.compile(r"&(#\d{1,7}|#x[0-9a-fA-F]{1,6}|lt|gt|amp|quot);")
_PIECE: Final = re.compile(r"<(/?)([a-zA-Z][\w-]*)?((?:\s+[\w-]+(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>]+))?)*)\s*>|<|&")


class MarkupError(Exception):
    """The text cannot be parsed; the message is the end of the server's description."""


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def parse(source: str) -> str:
    """The visible text. Raises `MarkupError` for what the server would refuse."""
    out: list[str] = []
    open_tags: list[str] = []
    at = 0
    for found in _PIECE.finditer(source):
        out.append(source[at : found.start()])
        at = found.end()
        piece, offset = found[0], len(source[: found.start()].encode())
        if piece == "&":
            entity = _ENTITIES.match(source, found.start())
            # An unknown entity stays as it is.
            out.append(unescape(entity[0]) if entity else "&")
            at = entity.end() if entity else at
            continue
        name = (found[2] or "").lower()
        if piece == "<" or name not in _TAGS:
            raise MarkupError(f'Unsupported start tag "{name}" at byte offset {offset}')
        if not found[1]:
            open_tags.append(name)
        elif not open_tags:
            raise MarkupError(f"Unexpected end tag at byte offset {offset}")
        elif open_tags.pop() != name:
            raise MarkupError(f'Unmatched end tag at byte offset {offset}, expected another than "</{name}>"')
    if open_tags:
        raise MarkupError(f"Can't find end tag corresponding to start tag {open_tags[-1]}")
    out.append(source[at:])
    return "".join(out).strip()
