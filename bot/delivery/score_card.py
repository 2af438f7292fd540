"""The message under an alert that says how it fared. Pure.

It is one message, sent after the first horizon and edited after the others, so it says all that is known so far. Unknown is
said, never shown as zero.
"""

from collections.abc import Sequence
from typing import Final

from bot.delivery.text import Card, Line, Span, Style, clean, line
from bot.model import numbers
from bot.model.scorecard import Mark, ScoredAlert
from bot.model.view import AlertView
from bot.texts import say, say_n

MARK: Final = "📊"
MAX_LINES: Final = 15
"""Alerts of one message that get a line each."""


def _explained() -> str:
    return say("× = usual moves of the day before · data, not advice")


def score_card(view: AlertView) -> Card:
    """Of the alert, or the alerts, that one message told."""
    if len(view.scored) == 1:
        return _single(view, view.scored[0])
    return _several(view, view.scored)


def _single(view: AlertView, one: ScoredAlert) -> Card:
    after = numbers.window(one.marks[-1].horizon_ms) if one.marks else ""
    name = f"{clean(one.symbol, 60)} · {clean(one.title, 100)}"
    fired = numbers.clock_time(one.fired_ms, zone=view.zone)
    head = line(f"{MARK} ", Span(name, "bold"), "  ", say("{after} after {fired}", after=after, fired=fired))
    body = [text for mark in one.marks for text in _mark_lines(mark)]
    footer = line(Span(f"#{clean(one.short_id, 16)}", "code"), Span(f" · {_explained()}", "dim"))
    return Card(head, tuple(body), footer=footer)


def _mark_lines(mark: Mark) -> tuple[Line, ...]:
    """`15m  price +0.42% (1.3×)  OI +2.1% (1.7×)`, and how far it went."""
    first = line(
        Span(f"{numbers.window(mark.horizon_ms)}", "bold"),
        f"  {say('price')} ",
        *_change(mark.price, mark.price_times),
        f"  {say('OI')} ",
        *_change(mark.oi, mark.oi_times),
    )
    if mark.high is None or mark.low is None:
        return (first,)
    high, low = (numbers.percent(x, digits=2) for x in (mark.high, mark.low))
    way = say(
        "highest {high}, lowest {low}",
        high=f"{high}{_times(mark.high_times)}",
        low=f"{low}{_times(mark.low_times)}",
    )
    return first, line(Span(f"     {way}", "dim"))


def _change(change: float | None, times: float | None) -> tuple[Span | str, ...]:
    if change is None:
        return (say("not known"),)
    style: Style = "up" if change > 0 else "down" if change < 0 else "bold"
    return Span(numbers.percent(change, digits=2), style), _times(times)


def _times(times: float | None) -> str:
    """` (1.3×)`; empty where the usual move is not known."""
    return "" if times is None else f" ({times:.1f}×)"


def _several(view: AlertView, alerts: Sequence[ScoredAlert]) -> Card:
    horizon_ms = max((mark.horizon_ms for one in alerts for mark in one.marks), default=0)
    names = dict.fromkeys(clean(one.title, 60) for one in alerts)
    title = next(iter(names)) if len(names) == 1 else say("{n} rules", n=len(names))
    begun = numbers.clock_time(min(one.fired_ms for one in alerts), zone=view.zone)
    coins = say_n("{n} coin", "{n} coins", len({one.symbol for one in alerts}))
    after = say("{after} after {fired}", after=numbers.window(horizon_ms), fired=begun)
    head = line(f"{MARK} ", Span(f"{coins}: {title}", "bold"), f"  {after}")
    body = [_summary(alerts, horizon_ms)]
    body += [_alert_line(one) for one in alerts[:MAX_LINES]]
    if len(alerts) > MAX_LINES:
        body.append(line(say("and {n} more", n=len(alerts) - MAX_LINES)))
    return Card(head, tuple(body), footer=line(Span(_explained(), "dim")))


def _summary(alerts: Sequence[ScoredAlert], horizon_ms: int) -> Line:
    """`After 15m: price higher in 7, lower in 2, not known in 1`."""
    marks = [mark for one in alerts for mark in one.marks if mark.horizon_ms == horizon_ms]
    known = [mark.price for mark in marks if mark.price is not None]
    parts = [
        say("price higher in {n}", n=sum(x > 0 for x in known)),
        say("lower in {n}", n=sum(x < 0 for x in known)),
    ]
    if len(known) < len(marks):
        parts.append(say("not known in {n}", n=len(marks) - len(known)))
    if len(marks) < len(alerts):
        parts.append(say("still to come for {n}", n=len(alerts) - len(marks)))
    return line(say("After {window}: {parts}", window=numbers.window(horizon_ms), parts=", ".join(parts)))


def _alert_line(one: ScoredAlert) -> Line:
    """`BTCUSDT  15m +0.42% (1.3×) · 1h −0.10% (0.2×)  #7q4mk2px`."""
    parts: list[Span | str] = [Span(clean(one.symbol, 24), "bold"), "  "]
    for n, mark in enumerate(one.marks):
        parts += [" · " if n else "", f"{numbers.window(mark.horizon_ms)} ", *_change(mark.price, mark.price_times)]
    if not one.marks:
        parts.append(say("to come"))
    return line(*parts, "  ", Span(f"#{clean(one.short_id, 16)}", "code"))


def plain_marks(alerts: Sequence[ScoredAlert]) -> list[dict[str, object]]:
    """The same for programs: numbers, None where unknown."""
    return [
        {
            "symbol": clean(one.symbol, 100),
            "id": clean(one.short_id, 16),
            "fired_ms": one.fired_ms,
            "after": [
                {
                    "horizon_ms": m.horizon_ms,
                    "price": m.price,
                    "price_times": m.price_times,
                    "oi": m.oi,
                    "oi_times": m.oi_times,
                    "high": m.high,
                    "low": m.low,
                }
                for m in one.marks
            ],
        }
        for one in alerts
    ]
