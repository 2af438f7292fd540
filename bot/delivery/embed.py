"""A message as a Discord webhook payload: one embed, inside Discord's limits, pinging nobody. Pure.

Text from outside is escaped for Discord's markdown; titles and field names carry no markup, but mentions in them are
harmless because `allowed_mentions` parses none.
"""

import contextlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bot.delivery import detail, layout, wording
from bot.delivery.destination import Order, repeated_text
from bot.delivery.keys import chart_url
from bot.delivery.markup import plain_text
from bot.delivery.text import Card, Line, clean, cut, plain, utf16_length
from bot.model import numbers
from bot.model.alert import TellKind
from bot.model.instrument import MARKET
from bot.model.outbox import OutboxRow
from bot.model.view import AlertView
from bot.texts import say

COLOURS = {"info": 0x64748B, "warning": 0xF59E0B, "critical": 0xEF4444}
ENDED_COLOUR = 0x22C55E
CONTENT_LIMIT = 2_000
TITLE_LIMIT, DESCRIPTION_LIMIT, FIELD_LIMIT, FOOTER_LIMIT = 256, 4_096, 1_024, 2_048
TOTAL_LIMIT = 6_000
SUPPRESS_NOTIFICATIONS = 4_096
"""Of a post: it arrives without a sound. An edit makes none."""

_MARKDOWN = re.compile(r"([\\*_~`|>\[\]#<@-])")
PICTURE = "chart.png"
Json = dict[str, Any]


def escape(text: str) -> str:
    """Text that Discord shows as it is."""
    return _MARKDOWN.sub(r"\\\1", text)


def _code(text: str) -> str:
    # A backtick cannot be escaped inside a code span.
    return f"`{text.replace('`', 'ʼ')}`" if text else ""


def _line(spans: Line) -> str:
    parts = []
    for span in spans:
        if span.style == "code":
            parts.append(_code(span.text))
        elif span.style in {"bold", "up", "down"}:
            parts.append(f"**{escape(span.text)}**")
        else:
            parts.append(escape(span.text))
    return "".join(parts)


def body_of(order: Order) -> Json:
    """The whole body of the request for an order."""
    if order.plain:
        return _body(cut(escape(plain_text(order.composed())), CONTENT_LIMIT), [], silent=order.silent)
    if order.card is not None:
        return card_payload(order)
    body = payload(order.rows, fire=order.fire, edit=order.edits)
    if order.repeated:
        footer = body["embeds"][0]["footer"]
        footer["text"] = cut(footer["text"] + repeated_text(), FOOTER_LIMIT)
        _fit(body["embeds"][0])
    return body


def with_picture(body: Json) -> Json:
    """The body of an edit that uploads `PICTURE` as its first file."""
    embeds = [
        {**one, "image": {"url": f"attachment://{PICTURE}"}} if n == 0 else one for n, one in enumerate(body["embeds"])
    ]
    return {**body, "embeds": embeds, "attachments": [{"id": 0, "filename": PICTURE}]}


def card_payload(order: Order) -> Json:
    """A card that is not the story of one alert: its lines as they stand."""
    card, severity = order.composed(), order.severity
    title = plain(card.head)
    lines = [_line(x) for x in card.body]
    if card.table:
        lines.append("```\n" + "\n".join(card.table).replace("`", "ʼ") + "\n```")
    lines += [_line(x) for x in card.details]
    embed: Json = {
        "title": cut(title, TITLE_LIMIT),
        "color": ENDED_COLOUR if title.startswith(layout.ENDED) else COLOURS.get(severity, COLOURS["warning"]),
        "description": cut("\n".join(lines), DESCRIPTION_LIMIT),
        "footer": {"text": cut(plain(card.footer), FOOTER_LIMIT)},
    }
    return _body("", [_fit(embed)], silent=order.silent)


def payload(rows: Sequence[OutboxRow], *, fire: AlertView | None, edit: bool) -> Json:
    """The whole body of the request."""
    view, kind = rows[-1].view, rows[-1].kind
    card = layout.compose(rows, fire=fire, edit=edit)
    if kind is TellKind.SUMMARY:
        return _summary(card, view)
    if kind in layout.FEEDS or kind is TellKind.SCORE:
        return card_payload(Order(rows=tuple(rows), card=card))
    ends = kind in layout.ENDINGS and not (kind is TellKind.END and wording.is_event(view))
    told = view
    if kind in layout.ENDINGS:
        told = fire or (rows[0].view if rows[0].kind is TellKind.FIRE else view)
    if kind is TellKind.ACK:
        told = fire or view
    embed: Json = {
        "title": cut(wording.title_of(view), TITLE_LIMIT),
        "color": ENDED_COLOUR if ends else COLOURS.get(view.severity, COLOURS["warning"]),
        "description": cut(_description(card, view, told, ends=ends), DESCRIPTION_LIMIT),
        "footer": {"text": cut(_footer(view), FOOTER_LIMIT)},
    }
    is_update = kind in {TellKind.ESCALATE, TellKind.REPEAT}
    fields = [] if is_update or layout.own_text(told) else _fields(told)
    if fields:
        embed["fields"] = fields
    if url := chart_url(view):
        embed["url"] = url
    with contextlib.suppress(ValueError, OverflowError, OSError):
        embed["timestamp"] = datetime.fromtimestamp(view.fired_ms / 1000, UTC).isoformat()
    return _body("", [_fit(embed)], silent=view.silent and not edit)


def _body(content: str, embeds: list[Json], *, silent: bool) -> Json:
    body: Json = {"content": content, "embeds": embeds, "allowed_mentions": {"parse": []}}
    return {**body, "flags": SUPPRESS_NOTIFICATIONS} if silent else body


def _footer(view: AlertView) -> str:
    tags = wording.hashtags(view)
    text = f"{clean(view.rule_id, 80)} · #{clean(view.short_id, 16)}"
    if view.report:
        return text
    text += wording.advice_text()
    return f"{text} · {tags}" if tags else text


def _summary(card: Card, view: AlertView) -> Json:
    """Of no single alert: no figures, no chart."""
    lines = [_line(card.head), *(_line(spans) for spans in card.body)]
    embed: Json = {
        "title": say("While muted"),
        "color": COLOURS.get(view.severity, COLOURS["warning"]),
        "description": cut("\n".join(lines), DESCRIPTION_LIMIT),
        "footer": {"text": cut(f"#{clean(view.short_id, 16)}{wording.advice_text()}", FOOTER_LIMIT)},
    }
    return _body("", [_fit(embed)], silent=view.silent)


def _description(card: Card, view: AlertView, told: AlertView, *, ends: bool) -> str:
    """`view`: what happens now; `told`: what the firing said, for an end."""
    own = layout.own_lines(told)
    if view.kind in {TellKind.ESCALATE, TellKind.REPEAT}:
        return "\n".join(_line(x) for x in (card.head, *(own or layout.move_lines(told))))
    above: list[Line] = []
    below = wording.note_lines(told)
    if view.kind == TellKind.ACK:
        above = [card.head]
    elif ends and told is view:
        above, below = [card.head, *below], ()
    elif ends:
        above = [card.head, *layout.own_lines(view, only_of_ends=True), *wording.note_lines(view)]
    story = [_line(x) for x in own] or _story(card, told)
    return "\n".join(x for x in (*map(_line, above), *story, *map(_line, below)) if x)


def _story(card: Card, told: AlertView) -> list[str]:
    """What the built-in layout says of a firing."""
    if told.report:
        return [_line(x) for x in card.body]
    lines: list[str] = []
    if told.symbol == MARKET:
        if told.n_true is not None and told.n_members is not None:
            lines.append(f"**{say('{n_true} of {n} coins', n_true=told.n_true, n=told.n_members)}**")
        lines += [_line(x) for x in detail.breadth_lines(told)]
    else:
        lines.append(_moves(told))
        lines.append(detail.reading_text(told))
    lines.append(_code(clean(told.condition, 600)))
    if card.table:
        lines.append("```\n" + "\n".join(card.table).replace("`", "ʼ") + "\n```")
    return lines


def _moves(view: AlertView) -> str:
    parts = []
    shown = [move.change for move in (view.oi, view.price) if move is not None]
    if view.value is not None and view.value_text and not (view.value_is_ratio and view.value in shown):
        parts.append(f"{escape(wording.value_name(view))} = **{wording.value_text(view, view.value)}**")
    if view.oi is not None and view.oi.change is not None:
        parts.append(
            say(
                "**OI {change}** in {window}",
                change=numbers.percent(view.oi.change, digits=2),
                window=numbers.window(view.oi.window_ms),
            )
        )
    if view.price is not None and view.price.change is not None:
        parts.append(say("price **{change}**", change=numbers.percent(view.price.change, digits=2)))
    return " · ".join(parts)


def _old(age_ms: int | None) -> str:
    return (
        say(", {duration} old", duration=numbers.duration(age_ms))
        if age_ms is not None and age_ms > layout.OLD_MS
        else ""
    )


def _fields(view: AlertView) -> list[Json]:
    found = []
    if view.oi is not None and view.oi.change is not None:
        dollars = f" ({numbers.usd(view.oi_usd)})" if view.oi_usd is not None else ""
        path = " → ".join(numbers.from_to(view.oi.then, view.oi.now, "amount")) + f" {escape(clean(view.base, 40))}"
        found.append((say("OI"), path.rstrip() + dollars + _old(view.oi_age_ms)))
    if view.price is not None and view.price.change is not None:
        path = " → ".join(numbers.from_to(view.price.then, view.price.now, "price"))
        found.append((say("Price"), path + _old(view.price_age_ms)))
    if funding := layout.funding_text(view):
        found.append((say("Funding"), funding))
    if volume := detail.volume_text(view):
        found.append((say("Volume"), volume))
    found += [(name, text) for name, text in ((say("OI rank"), detail.rank_text(view)),) if text]
    fold = say("More")
    folded = [plain(x) for x in detail.window_lines(view)]
    folded += [say("Unusual: {text}", text=text) for text in (detail.unusual_text(view),) if text]
    if folded:
        # Spoilers are what Discord has instead of a fold.
        found.append((fold, "\n".join(f"||{escape(x)}||" for x in folded)))
    return [{"name": name, "value": cut(value, FIELD_LIMIT), "inline": name != fold} for name, value in found]


def _length(embed: Json) -> int:
    fields = sum(utf16_length(f["name"]) + utf16_length(f["value"]) for f in embed.get("fields", []))
    texts = (embed["title"], embed["description"], embed["footer"]["text"])
    return fields + sum(utf16_length(text) for text in texts)


def _fit(embed: Json) -> Json:
    over = _length(embed) - TOTAL_LIMIT
    if over > 0:
        embed["description"] = cut(embed["description"], max(1, utf16_length(embed["description"]) - over))
    return embed
