"""A card as Telegram HTML and as plain text. Pure; escapes everything, fits the length limit."""

import html
from dataclasses import replace

from bot.delivery.text import Card, Line, cut, plain, utf16_length

TELEGRAM_LIMIT = 4_096
"""UTF-16 units of the text after its entities are parsed."""
CAPTION_LIMIT = 1_024
"""The same under a picture."""

_TAGS = {"bold": "b", "code": "code", "up": "b", "down": "b"}


def fit(card: Card, limit: int) -> Card:
    """Drop what matters least until the plain text fits: details, table, then the end of the body."""
    while utf16_length(to_plain(card)) > limit:
        if card.details:
            card = replace(card, details=card.details[:-1])
        elif card.table:
            card = replace(card, table=card.table[:-1])
        elif card.body:
            card = replace(card, body=card.body[:-1])
        else:
            break
    return card


def to_plain(card: Card) -> str:
    """Without any markup: for destinations that refused ours."""
    blocks = [[plain(card.head)], [plain(x) for x in card.body], list(card.table), [plain(x) for x in card.details]]
    return "\n\n".join("\n".join(block) for block in [*blocks, [plain(card.footer)]] if any(block))


def plain_text(card: Card, limit: int = TELEGRAM_LIMIT) -> str:
    return cut(to_plain(fit(card, limit)), limit)


def _html(spans: Line) -> str:
    parts = []
    for span in spans:
        text = html.escape(span.text, quote=False)
        tag = _TAGS.get(span.style)
        parts.append(f"<{tag}>{text}</{tag}>" if tag and text.strip() else text)
    return "".join(parts)


def telegram_html(card: Card, limit: int = TELEGRAM_LIMIT) -> str:
    """Valid Telegram HTML of at most so many units of text."""
    card = fit(card, limit)
    blocks = [_html(card.head)]
    if card.body:
        blocks.append("\n".join(_html(x) for x in card.body))
    if card.table:
        blocks.append(f"<pre>{html.escape(chr(10).join(card.table), quote=False)}</pre>")
    if card.details:
        blocks.append(f"<blockquote expandable>{chr(10).join(_html(x) for x in card.details)}</blockquote>")
    if card.footer:
        blocks.append(_html(card.footer))
    return "\n\n".join(blocks)
