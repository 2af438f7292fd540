"""Alerts as a message about many of them sees them: one item per alert, from its rows. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.delivery.text import clean
from bot.model import numbers
from bot.model.alert import TellKind
from bot.model.outbox import OutboxRow
from bot.model.view import AlertView
from bot.texts import say

ENDINGS = frozenset({TellKind.END, TellKind.CLOSE})
_RANKS = {"critical": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class Item:
    """One alert."""

    view: AlertView
    """The newest before its end."""
    end: AlertView | None = None
    seen: AlertView | None = None
    """Who acknowledged it."""

    @property
    def rank(self) -> int:
        """0 is the most severe."""
        return _RANKS.get(self.view.severity, 1)

    @property
    def strength(self) -> float:
        return abs(self.view.value or 0.0)


def items_of(rows: Sequence[OutboxRow]) -> list[Item]:
    """In the order of their first rows. An alert of which only an end is known is told by it."""
    groups: dict[str, list[OutboxRow]] = {}
    for row in rows:
        groups.setdefault(row.key, []).append(row)
    found = []
    for group in groups.values():
        ends = [row.view for row in group if row.kind in ENDINGS]
        seen = [row.view for row in group if row.kind is TellKind.ACK]
        told = [row.view for row in group if row.kind not in {*ENDINGS, TellKind.ACK}] or ends or seen
        found.append(Item(told[-1], ends[-1] if ends else None, seen[-1] if seen else None))
    return found


def by_rule(items: Sequence[Item]) -> list[tuple[str, list[Item]]]:
    """Title and items of each rule: the most severe rule first, then the one with the most alerts; inside, the most
    severe and the strongest first.
    """
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.view.rule_id, []).append(item)
    for group in groups.values():
        group.sort(key=lambda item: (item.rank, -item.strength))
    ordered = sorted(groups.values(), key=lambda group: (group[0].rank, -len(group)))
    return [(clean(group[0].view.title, 60), group) for group in ordered]


def counts_text(items: Sequence[Item], *, limit: int = 8) -> str:
    """`12 OI surge, 3 OI flush`."""
    parts = [f"{len(group)} {title}" for title, group in sorted(by_rule(items), key=lambda pair: -len(pair[1]))]
    if len(parts) > limit:
        parts = [*parts[:limit], say("{n} rules more", n=len(parts) - limit)]
    return ", ".join(parts)


def times_text(item: Item) -> str:
    """`14:31`, or `14:31–14:33` of one that ended."""
    fired = numbers.clock_time(item.view.fired_ms, zone=item.view.zone, is_named=False)
    if item.end is None:
        return fired
    ended = numbers.clock_time(item.end.at_ms, zone=item.view.zone, is_named=False)
    return f"{fired}–{ended}"
