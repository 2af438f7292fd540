"""What a webhook is sent: the neutral content of alerts as JSON, for programs. Pure.

The form is documented in docs/destinations.md and numbered. Within one number fields are only added. The same rows give the
same bytes, so a repeated request is the same request.
"""

import hashlib
import json
import math
from dataclasses import replace
from typing import Final

from bot.delivery import markup
from bot.delivery.destination import Form, Order
from bot.delivery.plans import message_id
from bot.delivery.score_card import plain_marks
from bot.delivery.text import clean
from bot.model.outbox import OutboxRow
from bot.model.view import AlertView, Breadth, Member, Missed, Move

VERSION: Final = 1
MAX_BODY_BYTES: Final = 256 * 1024
MAX_MEMBERS: Final = 10
_MAX_TEXT: Final = 4_000
_MAX_CONDITION: Final = 2_000
_MAX_NAME: Final = 100

Json = dict[str, object]


def id_of(order: Order) -> str:
    """The same for the same content, however often it is sent."""
    if order.rows:
        return message_id(order.rows)
    return hashlib.sha256(markup.plain_text(order.composed()).encode()).hexdigest()[:32]


def _as_new(order: Order) -> Order:
    """Nothing can be edited there, so every text stands by itself."""
    return replace(order, form=Form.NEW, repeated=False)


def body_of(order: Order, *, message_id: str) -> bytes:
    """The bytes to sign and send. Above the limit the oldest events go, counted; the last one stays."""
    text = markup.plain_text(_as_new(order).composed())
    events = [_event(row) for row in order.rows]
    left_out = 0
    while True:
        body: Json = {"version": VERSION, "message_id": message_id, "text": text[:_MAX_TEXT], "events": events}
        data = _bytes(body | ({"left_out": left_out} if left_out else {}))
        if len(data) <= MAX_BODY_BYTES or len(events) <= 1:
            return data
        half = len(events) // 2
        events = events[half:]
        left_out += half


def _bytes(body: Json) -> bytes:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace")


def _event(row: OutboxRow) -> Json:
    view = row.view
    event: Json = {
        "id": row.id,
        "kind": view.kind,
        "at_ms": view.at_ms,
        "alert": {"key": row.key, "id": clean(view.short_id, 16), "fired_ms": view.fired_ms},
        "rule": {
            "id": clean(view.rule_id, _MAX_NAME),
            "title": clean(view.title, _MAX_NAME),
            "severity": view.severity,
            "tags": list(view.tags),
            "condition": clean(view.condition, _MAX_CONDITION),
        },
        "instrument": {
            "venue": clean(view.venue, _MAX_NAME),
            "symbol": clean(view.symbol, _MAX_NAME),
            "base": clean(view.base, _MAX_NAME),
        },
        "value": {
            "expression": clean(view.value_text, _MAX_CONDITION),
            "is_ratio": view.value_is_ratio,
            "now": _number(view.value),
            "before": _number(view.value_before),
            "peak": _number(view.peak),
        },
        "price": _move(view.price, view.price_age_ms),
        "price_moves": [_move(move, None) for move in view.price_moves],
        "price_unusual": _number(view.price_unusual),
        "oi": _move(view.oi, view.oi_age_ms),
        "oi_moves": [_move(move, None) for move in view.oi_moves],
        "oi_unusual": _number(view.oi_unusual),
        "oi_rank": view.oi_rank,
        "oi_change_rank": view.oi_change_rank,
        "n_ranked": view.n_ranked,
        "oi_usd": _number(view.oi_usd),
        "funding": _funding(view),
        "volume_24h": _number(view.volume_24h),
        "volume_ratio": _number(view.volume_ratio),
        "gap_ms": view.gap_ms,
        "is_already_true": view.is_already_true,
        "feed": _feed(view),
        "market": _market(view),
        "reason": clean(view.reason, 300),
    }
    if view.missed:
        event["missed"] = [_missed(missed) for missed in view.missed]
    if view.scored:
        event["scored"] = plain_marks(view.scored)
    return event


def _missed(missed: Missed) -> Json:
    alerts = [{"base": clean(coin, _MAX_NAME), "id": clean(short_id, 16)} for coin, short_id in missed.named]
    return {"title": clean(missed.title, _MAX_NAME), "n": missed.n, "alerts": alerts}


def _number(value: float | None) -> float | None:
    """JSON has no infinity and no NaN."""
    return value if value is not None and math.isfinite(value) else None


def _move(move: Move | None, age_ms: int | None) -> Json | None:
    if move is None:
        return None
    return {
        "window_ms": move.window_ms,
        "change": _number(move.change),
        "then": _number(move.then),
        "now": _number(move.now),
        "age_ms": age_ms,
    }


def _funding(view: AlertView) -> Json | None:
    if view.funding is None:
        return None
    return {
        "rate": _number(view.funding),
        "interval_h": _number(view.funding_interval_h),
        "next_ms": view.next_funding_ms,
    }


def _market(view: AlertView) -> Json | None:
    if view.n_members is None:
        return None
    members = [_member(member) for member in view.members[:MAX_MEMBERS]]
    return {"n_members": view.n_members, "n_true": view.n_true, "members": members, "breadth": _breadth(view.breadth)}


def _breadth(breadth: Breadth | None) -> Json | None:
    if breadth is None:
        return None
    found: Json = {"n_known": breadth.n_known, "n_oi_up": breadth.n_oi_up, "n_oi_down": breadth.n_oi_down}
    figures = ("oi_median", "price_median", "opened_usd", "opened_share", "oi_usd_change", "oi_usd")
    return found | {name: _number(getattr(breadth, name)) for name in figures}


def _feed(view: AlertView) -> Json | None:
    """Of lost data, and of data that is back."""
    if not view.feed:
        return None
    affected = [
        {"title": clean(a.title, _MAX_NAME), "symbol": clean(a.symbol, _MAX_NAME), "id": clean(a.short_id, 16)}
        for a in view.affected
    ]
    return {"name": clean(view.feed, _MAX_NAME), "n_affected": view.n_affected, "affected": affected}


def _member(member: Member) -> Json:
    return {
        "symbol": clean(member.symbol, _MAX_NAME),
        "value": _number(member.value),
        "oi_change": _number(member.oi_change),
        "price_change": _number(member.price_change),
        "opened_usd": _number(member.opened_usd),
    }
