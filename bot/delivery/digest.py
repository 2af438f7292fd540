"""Cards of messages about many alerts: digests, late digests, what a cap held back, and their ends. Pure.

No digest hides an id: what does not fit goes into another message, which `n_fitting` decides. Only what a cap held back
is a summary by its nature: it counts all and lists the ids that fit.
"""

from collections.abc import Sequence
from typing import Final

from bot.delivery import layout, market_card, wording
from bot.delivery.items import ENDINGS, Item, by_rule, counts_text, items_of, times_text
from bot.delivery.markup import to_plain
from bot.delivery.text import Card, Line, Span, clean, line, plain, utf16_length
from bot.model import numbers
from bot.model.instrument import MARKET
from bot.model.outbox import Layout, OutboxRow
from bot.texts import say, say_n

MOST: Final = {
    Layout.DIGEST: 30,
    Layout.MARKET: 300,
    Layout.MORE: 150,
    Layout.LATE: 100,
    Layout.HELD: 10_000,
    Layout.ALREADY: 30,
}
"""Alerts in one message."""
ROOM: Final = 3_500
"""UTF-16 units of what is told at first; the rest is for ends, and for what Discord needs to escape."""
FULL: Final = 3_900
_END_LENGTH: Final = 20
MAX_CHOICES: Final = 8
"""Buttons of alerts below one message."""


def compose(kind: Layout, rows: Sequence[OutboxRow], *, n_instruments: int) -> Card:
    """The card of a message that carries `rows`; ends among them are shown beside their alerts."""
    items = items_of(rows)
    match kind:
        case Layout.MARKET:
            return market_card.compose(items, n_instruments=n_instruments)
        case Layout.ALREADY:
            return _already(items)
        case Layout.LATE:
            return _late(items)
        case Layout.HELD:
            return _held(items)
        case Layout.MORE:
            what = say("{n} more of the same: {counts}", n=len(items), counts=counts_text(items))
            head = line(Span(f"{_marks(items)}{what}", "bold"))
            return Card(head=head, body=_compact(items), footer=wording.advice_line())
        case _:
            return _digest(items)


def endings_card(rows: Sequence[OutboxRow]) -> Card:
    """Ends of alerts that were told together, as a message of its own: where there is none to edit."""
    items = items_of(rows)
    if len(items) == 1 and (end := items[0].end) is not None and not wording.is_event(end):
        card = layout.ending_card(end, fire=None, edit=False)
        return Card(head=line(*card.head, "  ", _id(items[0])), body=card.body, footer=wording.advice_line())
    what = say("{n} ended: {counts}", n=len(items), counts=counts_text(items))
    head = line(Span(f"{layout.ENDED} {what}", "bold"))
    return Card(head=head, body=_compact(items), footer=wording.advice_line())


def n_fitting(kind: Layout, alerts: Sequence[Sequence[OutboxRow]]) -> int:
    """How many of these alerts one message holds, at least one."""
    n = min(len(alerts), MOST.get(kind, 1))
    if kind is Layout.HELD:
        return n
    while n > 1:
        rows = [row for alert in alerts[:n] for row in alert]
        open_ends = sum(not any(row.kind in ENDINGS for row in alert) for alert in alerts[:n])
        size = utf16_length(to_plain(compose(kind, rows, n_instruments=len(alerts))))
        # Ends of the market card are counted, not spelled out.
        if size + (0 if kind is Layout.MARKET else _END_LENGTH * open_ends) <= FULL and size <= ROOM:
            break
        n -= max(1, n // 10)
    return n


def _marks(items: Sequence[Item]) -> str:
    if all(item.end is not None for item in items):
        return f"{layout.ENDED} "
    worst = min(items, key=lambda item: item.rank)
    return f"{wording.mark_of(worst.view)} "


def _digest(items: Sequence[Item]) -> Card:
    groups = by_rule(items)
    ended = sum(item.end is not None for item in items)
    if len(groups) == 1:
        title, group = groups[0]
        window = group[0].view.window_ms
        what = f"{_things(group)}: {title}" + (f" ({numbers.window(window)})" if window else "")
    else:
        what = say("{n} alerts: {counts}", n=len(items), counts=counts_text(items))
    fired = min(item.view.fired_ms for item in items)
    tail = f"  {numbers.clock_time(fired, zone=items[0].view.zone)}" + (say(" · {n} ended", n=ended) if ended else "")
    body = _rows(items, titled=len(groups) > 1)
    head = line(_marks(items), Span(what, "bold"), tail)
    return Card(head=head, body=body, footer=wording.advice_line(), choices=_choices(items))


def _already(items: Sequence[Item]) -> Card:
    ended = sum(item.end is not None for item in items)
    tail = say("  when the bot began to watch") + (say(" · {n} ended", n=ended) if ended else "")
    what = say_n("Already true: {n} alert", "Already true: {n} alerts", len(items))
    head = line(_marks(items), Span(what, "bold"), tail)
    return Card(head=head, body=_rows(items, titled=True), footer=wording.advice_line(), choices=_choices(items))


def _rows(items: Sequence[Item], *, titled: bool) -> tuple[Line, ...]:
    """One line per alert, by rule; the first are numbered as their buttons are."""
    body: list[Line] = []
    number = 0
    for title, group in by_rule(items):
        if titled:
            body += [()] if body else []
            body.append(line(Span(title, "bold")))
        for item in group:
            number += 1
            body.append(_row(item, marked=len({one.rank for one in items}) > 1, number=number))
    return tuple(body)


def _choices(items: Sequence[Item]) -> tuple[tuple[str, str], ...]:
    """In the order of their lines."""
    listed = [item for _, group in by_rule(items) for item in group][:MAX_CHOICES]
    return tuple(
        (f"{n} {clean(item.view.base or item.view.symbol, 12)}", clean(item.view.short_id, 16))
        for n, item in enumerate(listed, start=1)
    )


def _things(items: Sequence[Item]) -> str:
    coins = all(item.view.symbol != MARKET for item in items)
    return say_n("{n} coin", "{n} coins", len(items)) if coins else say("{n} alerts", n=len(items))


def _name(item: Item) -> str:
    return clean(wording.name_of(item.view), 24)


def _row(item: Item, *, marked: bool, number: int) -> Line:
    """`1 BTCUSDT  +6.06% · price +0.89%  #7q4mk2px`, with its end where it has one."""
    view = item.view
    mark = layout.ENDED if item.end is not None else wording.mark_of(view) if marked else ""
    parts = []
    if view.symbol == MARKET and view.n_true is not None and view.n_members is not None:
        parts.append(say("{n_true} of {n} coins", n_true=view.n_true, n=view.n_members))
    elif view.value is not None:
        name = wording.value_name(view)
        short = name if name in {say("OI"), say("Price")} else ""
        parts.append(f"{short} {wording.value_text(view, view.value)}".strip())
    price = view.price.change if view.price is not None else None
    if price is not None and not (view.value_is_ratio and view.value == price):
        parts.append(say("price {change}", change=numbers.percent(price, digits=2)))
    if item.seen is not None:
        parts.append(say("seen by {name}", name=clean(item.seen.reason, 40)))
    if item.end is not None:
        parts.append(say("ended after {duration}", duration=numbers.duration(item.end.at_ms - view.fired_ms)))
    rest = " · ".join(parts)
    place = Span(f"{number} ", "dim") if number <= MAX_CHOICES else ""
    return line(place, f"{mark} " if mark else "", _name(item), f"  {rest}" if rest else "", "  ", _id(item))


def _id(item: Item) -> Span:
    return Span(f"#{clean(item.view.short_id, 16)}", "code")


def _short(item: Item) -> str:
    """`BTCUSDT 14:31–14:33 #7q4mk2px ✅`."""
    ended = f" {layout.ENDED}" if item.end is not None else ""
    return f"{_name(item)} {times_text(item)} #{clean(item.view.short_id, 16)}{ended}"


def _compact(items: Sequence[Item]) -> tuple[Line, ...]:
    """One paragraph per rule."""
    found: list[Line] = []
    for title, group in by_rule(items):
        found += [()] if found else []
        found += [line(Span(title, "bold")), line(" · ".join(_short(item) for item in group))]
    return tuple(found)


def _late(items: Sequence[Item]) -> Card:
    first = numbers.clock_time(min(item.view.fired_ms for item in items), zone=items[0].view.zone, is_named=False)
    last = numbers.clock_time(max(item.view.fired_ms for item in items), zone=items[0].view.zone)
    when = (
        say("fired {time}", time=last)
        if last.startswith(first)
        else say("fired {first} to {last}", first=first, last=last)
    )
    head = line("⏰ ", Span(say("told late: {counts}, {when}", counts=counts_text(items), when=when), "bold"))
    return Card(head=head, body=_compact(items), footer=wording.advice_line())


def _held(items: Sequence[Item]) -> Card:
    """All are counted; ids as far as they fit."""
    head = line("✋ ", Span(say("held back {n}: {counts}", n=len(items), counts=counts_text(items)), "bold"))
    body: list[Line] = []
    room = ROOM - utf16_length(plain(head))
    left = 0
    for title, group in by_rule(items):
        shown: list[str] = []
        size = utf16_length(title) + 3
        for item in group:
            text = _short(item)
            if size + utf16_length(text) + 3 > room:
                left += 1
                continue
            shown.append(text)
            size += utf16_length(text) + 3
        if shown:
            room -= size
            body += [()] if body else []
            body += [line(Span(title, "bold")), line(" · ".join(shown))]
    if left:
        body += [(), line(say("and {n} more", n=left))]
    return Card(head=head, body=tuple(body), footer=wording.advice_line())
