"""The buttons below the message of one alert: what people do next about it. Pure.

Commands are written as people type them; whoever presses needs the right to type them.
"""

from dataclasses import dataclass
from typing import Final

from bot.delivery import layout
from bot.delivery.destination import Order
from bot.delivery.text import clean
from bot.model import links
from bot.model.alert import TellKind
from bot.model.chat_alert import is_alert_id
from bot.model.chat_rule import is_chat_rule_id
from bot.model.instrument import MARKET
from bot.model.view import AlertView
from bot.texts import say

MUTES: Final = ("1h", "4h", "24h")
MAX_LABEL: Final = 24
MAX_OFFER: Final = 60
PER_ROW: Final = 4
"""Buttons of alerts side by side."""
_NO_KEYS: Final = frozenset({TellKind.SUMMARY, TellKind.LOST, TellKind.BACK})


@dataclass(frozen=True, slots=True)
class Key:
    """One button: a command, or an address."""

    label: str
    command: str = ""
    url: str = ""


Keys = tuple[tuple[Key, ...], ...]
"""In rows."""


def keys_of(order: Order) -> Keys:
    """Below a message about many alerts one for each of the first; none for what tells of the bot itself, and none that
    mute where the alert is over.
    """
    if order.plain:
        return ()
    if order.card is not None:
        found = [Key(label, f"/why #{id_}") for label, id_ in order.card.choices]
        return tuple(tuple(found[i : i + PER_ROW]) for i in range(0, len(found), PER_ROW))
    if not order.rows:
        return ()
    row = order.rows[-1]
    view = row.view
    if view.report:
        return tuple((Key(clean(offer.label, MAX_OFFER), offer.command),) for offer in view.offers)
    if row.kind in _NO_KEYS:
        return ()
    if row.kind is TellKind.SCORE:
        return _score(view)
    chart = chart_url(view)
    more = (Key(say("❓ Why"), f"/why #{view.short_id}"), *((Key(say("Chart ↗"), url=chart),) if chart else ()))
    if row.kind in layout.ENDINGS:
        return (more,)
    seen = () if row.kind is TellKind.ACK else (Key(say("👍 Seen"), f"/ack #{view.short_id}"),)
    coin = () if view.symbol == MARKET else _mutes(view.base or view.symbol, view.symbol)
    return ((*seen, *more), *((coin,) if coin else ()), _mutes(view.title, view.rule_id))


def _score(view: AlertView) -> Keys:
    """None where there is no total to show: of several rules, and of what somebody made in a chat."""
    if len(view.scored) != 1 or is_alert_id(view.rule_id) or is_chat_rule_id(view.rule_id):
        return ()
    return ((Key(say("📊 The rule's score"), f"/score {view.rule_id}"),),)


def _mutes(name: str, what: str) -> tuple[Key, ...]:
    """One button for each length; the first names what it mutes."""
    named = f"💤 {clean(name, MAX_LABEL)} {MUTES[0]}"
    return tuple(
        Key(label, f"/silence {what} here {span}") for label, span in zip((named, *MUTES[1:]), MUTES, strict=True)
    )


def chart_url(view: AlertView) -> str | None:
    """A chart of the contract elsewhere; None where it has none."""
    return None if view.symbol == MARKET else links.tradingview(view.venue, clean(view.symbol, 60))
