"""From the view of an alert to the card of its message: what is said, in which words and order. Pure.

A firing is a card of its own; an update the same with new figures, in its place; an escalation or a repeat one line; an
end a line above what the firing said. Unknown
values are left out, never shown as zero. A rule's own text takes the place of everything between the first line and the
last.
"""

from collections.abc import Sequence
from dataclasses import replace

from bot.delivery import detail
from bot.delivery.score_card import score_card
from bot.delivery.template import render_message
from bot.delivery.text import Card, Line, Span, Style, clean, line, table
from bot.delivery.wording import (
    advice_text,
    hashtags,
    is_event,
    mark_of,
    name_of,
    note_lines,
    title_of,
    value_name,
    value_text,
)
from bot.model import numbers
from bot.model.alert import TellKind
from bot.model.instrument import MARKET
from bot.model.outbox import OutboxRow
from bot.model.view import AlertView, Detail, Member, Missed, Move
from bot.texts import say, say_n

ENDED, CLOSED, ACKED, MUTED, DATA = "✅", "⏹", "👍", "🔕", "📡"
OLD_MS = 60_000
"""Data older than this is called old."""
ENDINGS = frozenset({TellKind.END, TellKind.CLOSE})
FEEDS = frozenset({TellKind.LOST, TellKind.BACK})
_MAX_TABLE_ROWS = 10


def compose(rows: Sequence[OutboxRow], *, fire: AlertView | None, edit: bool) -> Card:
    """The card of one message. `fire` is what the firing said, where known; `edit` replaces that firing's message."""
    view = rows[-1].view
    card = _composed(rows, fire=fire, edit=edit)
    return card if view.report or view.scored else in_detail(card, view.detail)


def in_detail(card: Card, detail: Detail) -> Card:
    """With as much as is wanted: `short` ends at the first gap and folds nothing, `full` folds nothing away."""
    if detail == "short":
        end = card.body.index(()) if () in card.body else len(card.body)
        return replace(card, body=card.body[:end], table=(), details=())
    if detail == "full" and card.details:
        gap: tuple[Line, ...] = ((),) if card.body else ()
        return replace(card, body=(*card.body, *gap, *card.details), details=())
    return card


def _composed(rows: Sequence[OutboxRow], *, fire: AlertView | None, edit: bool) -> Card:
    view = rows[-1].view
    kind = rows[-1].kind
    if kind in FEEDS:
        return feed_card(view)
    if kind is TellKind.SCORE:
        return score_card(view)
    if kind in ENDINGS:
        if fire is None and rows[0].kind is TellKind.FIRE:
            fire = rows[0].view
        if fire is not None and kind is TellKind.END and is_event(view):
            return fire_card(fire)
        return ending_card(view, fire=fire, edit=edit)
    if kind is TellKind.SUMMARY:
        return summary_card(view)
    if kind is TellKind.ACK:
        return ack_card(view, fire=fire, edit=edit)
    if kind in {TellKind.ESCALATE, TellKind.REPEAT}:
        return update_card(view, escalates=kind is TellKind.ESCALATE)
    return fire_card(view)


def _report_line(text: str) -> Line:
    """Four spaces before it: a line of a file, whose own spaces say where a caret stands."""
    if not text.startswith("    "):
        return line(clean(text, 600))
    words = text[4:].rstrip().split(" ")
    # What is cleaned loses its runs of spaces, so they are put back around it.
    return line(Span("\N{NO-BREAK SPACE}".join(clean(word, 200) for word in words), "code"))


def fire_card(view: AlertView) -> Card:
    """The full story of a firing."""
    head = line(
        f"{mark_of(view)} ", Span(title_of(view), "bold"), f"  {numbers.clock_time(view.fired_ms, zone=view.zone)}"
    )
    if view.report:
        body = tuple(_report_line(text) for text in view.report.split("\n"))
        return Card(head=head, body=body, footer=line(Span(f"#{clean(view.short_id, 16)}", "code")))
    around = note_lines(view)
    if own := own_lines(view):
        return Card(head=head, body=(*own, *around), details=detail.risk_lines(view), footer=_footer(view))
    return Card(
        head=head,
        body=(*_body(view), *around),
        table=member_table(view),
        details=(*_details(view), *detail.risk_lines(view), rule_line(view)),
        footer=_footer(view),
    )


def feed_card(view: AlertView) -> Card:
    """Data that firing alerts wait for: that it is missing, or comes again. Never that they are over."""
    feed = say(clean(view.feed, 60)).capitalize()
    footer = line(Span(f"#{clean(view.short_id, 16)}", "code"))
    known = numbers.duration(view.at_ms - view.fired_ms)
    since = numbers.clock_time(view.fired_ms, zone=view.zone)
    if view.kind == TellKind.BACK:
        head = line(
            f"{DATA} ", Span(say("{feed}: data is back", feed=feed), "bold"), say(" after {known}", known=known)
        )
        return Card(head, body=(line(say("Alerts go on from here; what is over by now ends now.")),), footer=footer)
    n = view.n_affected
    head = line(
        f"{DATA} ",
        Span(say("{feed}: no data for {known}", feed=feed, known=known), "bold"),
        say("  since {since}", since=since),
    )
    stand = say_n(
        "{n} alert stands still until it is back, neither going on nor over:",
        "{n} alerts stand still until it is back, neither going on nor over:",
        n,
    )
    body = [line(stand)]
    for one in view.affected:
        name = say("Market") if one.symbol == MARKET else clean(one.symbol, 60)
        body.append(line(f"{name} · {clean(one.title, 100)}  ", Span(f"#{clean(one.short_id, 16)}", "code")))
    if n > len(view.affected):
        body.append(line(say("and {n} more", n=n - len(view.affected))))
    return Card(head=head, body=tuple(body), footer=footer)


def update_card(view: AlertView, *, escalates: bool) -> Card:
    """`🟠 BTCUSDT OI now +9.2% (was +6.1%)`, or that it still fires."""
    now = value_text(view, view.value, digits=1)
    before = view.value_before
    was = say(" (was {value})", value=value_text(view, before, digits=1)) if before is not None else ""
    what = value_name(view)
    if escalates:
        head = line(
            say("{mark} {name} {what} now ", mark=mark_of(view), name=name_of(view), what=what),
            Span(now, "bold"),
            was,
        )
    else:
        after = numbers.duration(view.at_ms - view.fired_ms)
        head = line(
            say(
                "{mark} {title}: still, after {after}: {what} ",
                mark=mark_of(view),
                title=title_of(view),
                after=after,
                what=what,
            ),
            Span(now, "bold"),
            was,
        )
    return Card(head=head, body=own_lines(view) or move_lines(view), footer=_footer(view))


def ack_card(view: AlertView, *, fire: AlertView | None, edit: bool) -> Card:
    """Who has seen a firing, above what it said; one line where that cannot be edited."""
    by = clean(view.reason, 120)
    if not edit or fire is None:
        return Card(
            line(f"{ACKED} ", Span(title_of(view), "bold"), say("  seen by {name}", name=by)), footer=_footer(view)
        )
    told = fire_card(fire)
    head = line(f"{ACKED} ", Span(say("Seen by {name}", name=by), "bold"))
    return Card(head, (told.head, (), *told.body), told.table, told.details, told.footer)


def summary_card(view: AlertView) -> Card:
    """What fired and ended while it was muted: by rule, with coins and ids."""
    n = view.n_true or 0
    why = f" ({clean(view.reason, 120)})" if view.reason else ""
    said = say_n(
        "While muted{why}: {n} alert fired and ended", "While muted{why}: {n} alerts fired and ended", n, why=why
    )
    head = line(f"{MUTED} ", Span(said, "bold"))
    return Card(head=head, body=missed_lines(view), footer=_footer(view))


def missed_lines(view: AlertView) -> tuple[Line, ...]:
    """`OI surge 3: BTC #7q4mk2px, ETH #…`."""
    lines = []
    for missed in view.missed:
        parts: list[Span | str] = [Span(f"{missed_title(missed)} {missed.n}", "bold")]
        for n, (coin, short_id) in enumerate(missed.named):
            parts += [", " if n else ": ", f"{clean(coin, 24)} ", Span(f"#{clean(short_id, 16)}", "code")]
        more = missed.n - len(missed.named)
        parts += [say(" and {n} more", n=more)] if missed.named and more > 0 else []
        lines.append(line(*parts))
    return tuple(lines)


def missed_title(missed: Missed) -> str:
    """`OI surge`, `OI surge, held back by these:`, `10 more rules`."""
    title = clean(missed.title, 100)
    if missed.what == "held back":
        return say("{title}, held back by these:", title=title)
    return say("{n} more rules", n=title) if missed.what == "rest" else title


def ending_text(view: AlertView) -> str:
    """`ended after 22m · peak +9.2%`, `closed after 22m: the rule was removed`."""
    after = numbers.duration(view.at_ms - view.fired_ms)
    said = (
        say("closed after {duration}", duration=after)
        if view.kind == TellKind.CLOSE
        else say("ended after {duration}", duration=after)
    )
    return f"{said}{_reason_and_peak(view)}"


def _reason_and_peak(view: AlertView) -> str:
    reason = say(clean(view.reason, 300)) if view.kind == TellKind.CLOSE else ""
    peak = (
        say(" · peak {value}", value=value_text(view, view.peak, digits=1))
        if view.peak is not None and view.value_text
        else ""
    )
    return (f": {reason}" if reason else "") + peak


def ending_card(view: AlertView, *, fire: AlertView | None, edit: bool) -> Card:
    """An end above what the firing said. As a message of its own it names the coin and both times."""
    mark = CLOSED if view.kind == TellKind.CLOSE else ENDED
    if edit:
        head = line(f"{mark} ", Span(ending_text(view), "bold"))
    else:
        fired = numbers.clock_time(view.fired_ms, zone=view.zone, is_named=False)
        over = numbers.clock_time(view.at_ms, zone=view.zone)
        times = (
            say("  fired {fired}, closed {over}", fired=fired, over=over)
            if view.kind == TellKind.CLOSE
            else say("  fired {fired}, ended {over}", fired=fired, over=over)
        )
        head = line(f"{mark} ", Span(title_of(view), "bold"), times, _reason_and_peak(view))
    own = (*own_lines(view, only_of_ends=fire is not None), *note_lines(view))
    if fire is None:
        return Card(head=head, body=own, details=(rule_line(view),), footer=_footer(view))
    told = fire_card(fire)
    gap: tuple[Line, ...] = ((),) if own else ()
    body = (*own, *gap, told.head, (), *told.body) if edit else (*own, *gap, *told.body)
    return Card(head=head, body=body, table=told.table, details=told.details, footer=told.footer)


def own_text(view: AlertView) -> str:
    """The rule's own text for a view; empty where there is none."""
    if view.message is None:
        return ""
    try:
        return render_message(view.message, view)
    except ValueError:
        return ""  # stored by a version whose templates could do more


def own_lines(view: AlertView, *, only_of_ends: bool = False) -> tuple[Line, ...]:
    """The rule's own text, line by line. `only_of_ends`: nothing where it would say the same of a firing."""
    text = own_text(view)
    if only_of_ends and text == own_text(replace(view, kind=TellKind.FIRE.value)):
        return ()
    return tuple(line(x) for x in text.split("\n")) if text else ()


def _body(view: AlertView) -> tuple[Line, ...]:
    lines: list[Line] = []
    if view.symbol == MARKET:
        if view.n_true is not None and view.n_members is not None:
            lines.append(line(Span(say("{n_true} of {n} coins", n_true=view.n_true, n=view.n_members), "bold")))
        elif view.value is not None:
            lines.append(measured_line(view))
        return (*lines, *detail.breadth_lines(view))
    shown = [move.change for move in (view.oi, view.price) if move is not None]
    if view.value is not None and view.value_text and not (view.value_is_ratio and view.value in shown):
        lines.append(measured_line(view))
    lines += move_lines(view)
    if reading := detail.reading_text(view):
        lines += [(), line(f"📖 {reading}")]
    return tuple(lines)


def measured_line(view: AlertView) -> Line:
    return line(f"{value_name(view)} = ", Span(value_text(view, view.value), "bold"))


def move_lines(view: AlertView) -> tuple[Line, ...]:
    """Open interest and price, each with its window, from and to, and its age when old."""
    found = []
    if view.oi is not None and view.oi.change is not None:
        base = clean(view.base, 40)
        path = _path(*numbers.from_to(view.oi.then, view.oi.now, "amount"), base)
        dollars = f"  ({numbers.usd(view.oi_usd)})" if view.oi_usd is not None else ""
        found.append(line(say("OI "), *_change(view.oi), path, dollars, _age(view.oi_age_ms)))
    if view.price is not None and view.price.change is not None:
        path = _path(*numbers.from_to(view.price.then, view.price.now, "price"), "")
        found.append(line(say("Price "), *_change(view.price), path, _age(view.price_age_ms)))
    return tuple(found)


def _change(move: Move) -> tuple[Span, Span]:
    style: Style = "up" if (move.change or 0) > 0 else "down"
    return Span(numbers.percent(move.change, digits=2), style), Span(
        say(" in {window}", window=numbers.window(move.window_ms))
    )


def _path(then: str, now: str, unit: str) -> str:
    return f"   {then} → {now}" + (f" {unit}" if unit else "")


def _age(age_ms: int | None) -> str:
    return say(" · {duration} old", duration=numbers.duration(age_ms)) if age_ms is not None and age_ms > OLD_MS else ""


def funding_text(view: AlertView) -> str:
    """`+0.0081% / 8h · next in 1h 29m`; empty when unknown."""
    if view.funding is None:
        return ""
    per = f" / {numbers.amount(view.funding_interval_h)}h" if view.funding_interval_h else ""
    left_ms = (view.next_funding_ms or 0) - view.at_ms
    following = say(" · next in {duration}", duration=numbers.duration(left_ms)) if left_ms > 0 else ""
    return f"{numbers.percent(view.funding, digits=4)}{per}{following}"


def _details(view: AlertView) -> tuple[Line, ...]:
    named = (
        (say("Volume"), detail.volume_text(view)),
        (say("Funding"), funding_text(view)),
        (say("OI rank"), detail.rank_text(view)),
        (say("Unusual"), detail.unusual_text(view)),
    )
    return (*detail.window_lines(view), *(line(f"{name} {text}") for name, text in named if text))


def rule_line(view: AlertView) -> Line:
    condition = clean(view.condition, 600)
    rule = Span(clean(view.rule_id, 80), "code")
    return line(say("Rule "), rule, " · ", Span(condition, "code")) if condition else line(say("Rule "), rule)


def _footer(view: AlertView) -> Line:
    tags = hashtags(view)
    return line(
        Span(f"#{clean(view.short_id, 16)}", "code"), Span(advice_text(), "dim"), Span(f" · {tags}" if tags else "")
    )


def member_table(view: AlertView) -> tuple[str, ...]:
    """The members that matter most, one row each; empty when there are none."""
    if not view.members:
        return ()
    shown = view.members[:_MAX_TABLE_ROWS]
    known = any(m.oi_change is not None or m.price_change is not None for m in shown)
    window = f" {numbers.window(view.window_ms)}" if view.window_ms else ""
    opened = any(m.opened_usd is not None for m in shown)
    rows = [
        ["", f"{say('OI')}{window}", f"{say('price')}{window}", *([say("opened")] if opened else [])]
        if known
        else ["", say("value")]
    ]
    rows += [_member_row(view, member, changes=known, opened=opened) for member in shown]
    lines = table(rows)
    more = (view.n_true or len(view.members)) - len(shown)
    return (*lines, say("and {n} more", n=more)) if more > 0 else lines


def _member_row(view: AlertView, member: Member, *, changes: bool, opened: bool) -> list[str]:
    name = clean(member.symbol, 24)
    if not changes:
        return [name, value_text(view, member.value)]
    figures = [numbers.percent(x, digits=2) for x in (member.oi_change, member.price_change)]
    return [name, *figures, *([detail.opened_text(member.opened_usd)] if opened else [])]
