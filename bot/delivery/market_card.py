"""A storm over the whole market as one card: how broad, how far in the middle, how much in all, and who stands out. Pure.

Open interest of different coins cannot be added in coins. Its change is therefore added in dollars twice: at today's
prices, which is what was opened or closed, and the rest, which only the price did to what was open already.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bot.delivery import layout, wording
from bot.delivery.items import Item
from bot.delivery.text import Card, Line, Span, clean, line, utf16_length
from bot.model import numbers
from bot.model.outbox import OutboxRow
from bot.model.view import AlertView
from bot.texts import say

N_SHOWN: Final = 5
OUTLIER_Z: Final = 3.5
"""A usual bound for a robust z-score."""
_MAD_TO_SIGMA: Final = 0.6745
_ROOM_FOR_IDS: Final = 2_700


def direction_of(view: AlertView) -> int:
    """+1 or -1 by what the rule measured, else by open interest, else by price; 0 where nothing moved."""
    moves = (view.oi, view.price)
    of_moves = [move.change for move in moves if move is not None and move.change]
    value = view.value if view.value_is_ratio else None
    found = value or (of_moves[0] if of_moves else 0.0)
    return (found > 0) - (found < 0)


def storms(
    alerts: Sequence[list[OutboxRow]], *, n_instruments: int, share: float, least: int
) -> list[list[list[OutboxRow]]]:
    """Alerts of one rule and one direction that are so many that they tell of the market, the largest storm first. None
    while nobody knows how large the market is.
    """
    if n_instruments <= 0:
        return []
    groups: dict[tuple[str, int], list[list[OutboxRow]]] = {}
    for alert in alerts:
        view = alert[0].view
        groups.setdefault((view.rule_id, direction_of(view)), []).append(alert)
    bound = max(least, share * n_instruments)
    found = [group for (_, way), group in groups.items() if way and len(group) >= bound]
    return sorted(found, key=len, reverse=True)


@dataclass(frozen=True, slots=True)
class Totals:
    """In dollars; None where too little is known."""

    opened: float | None
    """Change of open interest at today's prices."""
    by_price: float | None
    """What the price did to what was open before."""


def opened_usd(view: AlertView) -> float | None:
    """Change of one coin's open interest at today's price."""
    if view.oi is None or view.oi.then is None or view.oi.now is None:
        return None
    price = view.price.now if view.price is not None else None
    if price is None and view.oi_usd is not None and view.oi.now:
        price = view.oi_usd / view.oi.now
    return None if price is None else (view.oi.now - view.oi.then) * price


def by_price_usd(view: AlertView) -> float | None:
    """What one coin's price did to what was open before."""
    if view.oi is None or view.oi.then is None or view.price is None:
        return None
    if view.price.then is None or view.price.now is None:
        return None
    return view.oi.then * (view.price.now - view.price.then)


def totals(items: Sequence[Item]) -> Totals:
    opened = [x for item in items if (x := opened_usd(item.view)) is not None]
    by_price = [x for item in items if (x := by_price_usd(item.view)) is not None]
    return Totals(sum(opened) if opened else None, sum(by_price) if by_price else None)


def outliers(items: Sequence[Item]) -> list[tuple[Item, float, float]]:
    """Those that moved beyond the others: the item, its change less the median, and its robust z-score."""
    known = [(item, item.view.oi.change) for item in items if item.view.oi is not None]
    changes = [(item, change) for item, change in known if change is not None]
    if len(changes) < 3:
        return []
    middle = statistics.median(change for _, change in changes)
    spread = statistics.median(abs(change - middle) for _, change in changes)
    if spread <= 0:
        return []
    scored = [(item, change - middle, _MAD_TO_SIGMA * (change - middle) / spread) for item, change in changes]
    way = 1 if middle >= 0 else -1
    return sorted((one for one in scored if one[2] * way > OUTLIER_Z), key=lambda one: -abs(one[2]))


def _coin(view: AlertView) -> str:
    return clean(view.base or view.symbol, 20)


def compose(items: Sequence[Item], *, n_instruments: int) -> Card:
    view = items[0].view
    worst = min(items, key=lambda item: item.rank).view
    ended = sum(item.end is not None for item in items)
    mark = layout.ENDED if ended == len(items) else wording.mark_of(worst)
    fired = numbers.clock_time(min(item.view.fired_ms for item in items), zone=view.zone)
    rule, n = clean(view.title, 60), len(items)
    title = (
        say("Market up: {title} on {n} coins", title=rule, n=n)
        if direction_of(view) > 0
        else say("Market down: {title} on {n} coins", title=rule, n=n)
    )
    tail = f"  {fired}" + (say(" · {ended} of {n} ended", ended=ended, n=len(items)) if ended else "")
    body = [_breadth(items, n_instruments), _medians(items), _total(items)]
    body += [_contributors(items), _beyond(items)]
    return Card(
        head=line(f"{mark} ", Span(title, "bold"), tail),
        body=tuple(one for one in body if one),
        details=_ids(items),
        footer=wording.advice_line(),
        choices=tuple((_coin(item.view), clean(item.view.short_id, 16)) for item, _, _ in outliers(items)[:N_SHOWN]),
    )


def _breadth(items: Sequence[Item], n_instruments: int) -> Line:
    if n_instruments < len(items):
        return ()
    share = numbers.percent(len(items) / n_instruments, sign=False, digits=0)
    return line(Span(say("{n_true} of {n} coins", n_true=len(items), n=n_instruments), "bold"), f" ({share})")


def _medians(items: Sequence[Item]) -> Line:
    parts = []
    for name, moves in ((say("OI"), [i.view.oi for i in items]), (say("price"), [i.view.price for i in items])):
        changes = [move.change for move in moves if move is not None and move.change is not None]
        if changes:
            parts.append(f"{name} {numbers.percent(statistics.median(changes), digits=2)}")
    window_ms = items[0].view.window_ms
    return (
        line(
            say("Median {changes}", changes=" · ".join(parts))
            + (say(" in {window}", window=numbers.window(window_ms)) if window_ms else "")
        )
        if parts
        else ()
    )


def _signed_usd(x: float) -> str:
    return f"+{numbers.usd(x)}" if x > 0 else numbers.usd(x)


def _total(items: Sequence[Item]) -> Line:
    found = totals(items)
    if found.opened is None:
        return ()
    did = (
        say("Positions opened, in coins at today's prices: ")
        if found.opened >= 0
        else say("Positions closed, in coins at today's prices: ")
    )
    said: list[str | Span] = [
        did,
        Span(_signed_usd(found.opened), "bold"),
    ]
    if found.by_price is not None:
        said.append(say("; with the price {change}", change=_signed_usd(found.opened + found.by_price)))
    return line(*said)


def _contributors(items: Sequence[Item]) -> Line:
    known = [(item.view, x) for item in items if (x := opened_usd(item.view)) is not None]
    known.sort(key=lambda one: -abs(one[1]))
    shown = [f"{_coin(view)} {_coins(view)} ({_signed_usd(x)})" for view, x in known[:N_SHOWN]]
    return line(say("Most: "), ", ".join(shown)) if shown else ()


def _coins(view: AlertView) -> str:
    assert view.oi is not None
    change = (view.oi.now or 0.0) - (view.oi.then or 0.0)
    return f"+{numbers.amount(change)}" if change > 0 else numbers.amount(change)


def _beyond(items: Sequence[Item]) -> Line:
    shown = [
        f"{_coin(item.view)} {numbers.percent(beyond, digits=1)} (z {numbers.amount(abs(z))})"
        for item, beyond, z in outliers(items)[:N_SHOWN]
    ]
    return line(say("Beyond the market: "), ", ".join(shown)) if shown else ()


def _ids(items: Sequence[Item]) -> tuple[Line, ...]:
    """All of them: with the coins where there is room."""
    ordered = sorted(items, key=lambda item: (item.rank, -item.strength))
    ids = [f"#{clean(item.view.short_id, 16)}" for item in ordered]
    named = " · ".join(f"{_coin(item.view)} {one}" for item, one in zip(ordered, ids, strict=True))
    return (line(named if utf16_length(named) <= _ROOM_FOR_IDS else " ".join(ids)),)
