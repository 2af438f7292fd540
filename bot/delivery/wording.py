"""What cards of all kinds say of one alert: what it is about, what it measured, and how it came to be told. Pure."""

from bot.delivery.text import Line, Span, clean, line
from bot.model import numbers
from bot.model.alert import TellKind
from bot.model.instrument import MARKET
from bot.model.view import AlertView, HeldBack
from bot.texts import say

MARKS = {"info": "⚪", "warning": "🟠", "critical": "🔴"}
LONG_GAP_MS = 60_000
"""A crossing after a longer gap may have come any time in it."""
_MAX_HELD = 900


def advice_text() -> str:
    """At the end of a line."""
    return say(" · data, not advice")


def advice_line() -> Line:
    """Below a message about many."""
    return line(Span(say("data, not advice"), "dim"))


def name_of(view: AlertView) -> str:
    return say("Market") if view.symbol == MARKET else clean(view.symbol, 60)


def title_of(view: AlertView) -> str:
    """`BTCUSDT · OI surge`; news of the bot itself concern no coin."""
    if view.report:
        return clean(view.title, 100)
    return f"{name_of(view)} · {clean(view.title, 100)}"


def mark_of(view: AlertView) -> str:
    return MARKS.get(view.severity, MARKS["warning"])


def value_text(view: AlertView, x: float | None, *, digits: int | None = None) -> str:
    """A measured value in its own unit."""
    if view.value_is_ratio:
        return numbers.percent(x, digits=digits)
    if is_age(view):
        return numbers.duration(x)
    if any(series in view.value_text for series in ("price", "index")) and "(" not in view.value_text:
        return numbers.price(x)
    return numbers.amount(x)


def is_age(view: AlertView) -> bool:
    """Whether the measured value is how old a series is, in milliseconds."""
    return view.value_text.startswith("age(") and view.value_text.find(")") == len(view.value_text) - 1


def value_name(view: AlertView) -> str:
    """What the value is called in a sentence: `OI`, `Price`, or its expression."""
    # A difference such as `pct(oi, 15m) - median(pct(oi, 15m))` begins in the same way and is another thing.
    if view.value_text.count("(") == 1:
        if view.value_text.startswith("pct(oi,"):
            return say("OI")
        if view.value_text.startswith("pct(price,"):
            return say("Price")
    return clean(view.value_text, 200)


def is_event(view: AlertView) -> bool:
    """Fired and ended in one step, such as a crossing."""
    return view.at_ms == view.fired_ms


def note_lines(view: AlertView) -> tuple[Line, ...]:
    """What has to be known about how it is told: after a gap, late, anew, or in the place of others."""
    found = []
    if view.gap_ms > LONG_GAP_MS:
        found.append(
            line(Span(say("crossed during a gap of {n} min in the data", n=round(view.gap_ms / 60000)), "dim"))
        )
    if view.is_already_true:
        found.append(line(Span(say("already true when the bot began to watch"), "dim")))
    if view.kind == TellKind.UPDATE:
        was = (
            say(", was {value}", value=value_text(view, view.value_before, digits=1))
            if view.value_before is not None
            else ""
        )
        found.append(
            line(
                Span(
                    say("updated {time}{was}", time=numbers.clock_time(view.at_ms, zone=view.zone), was=was),
                    "dim",
                )
            )
        )
    if view.kind == TellKind.FIRE and view.at_ms > view.fired_ms:
        until = numbers.clock_time(view.at_ms, zone=view.zone)
        found.append(
            line(Span(say("held back until {until}, while a rule that inhibits it fired", until=until), "dim"))
        )
    if view.held_back:
        parts = "; ".join(_held_text(held) for held in view.held_back)
        said = (
            say("held back before: {alerts}", alerts=parts)
            if view.kind == TellKind.FIRE
            else say("held back meanwhile: {alerts}", alerts=parts)
        )
        found.append(line(clean(said, _MAX_HELD)))
    return tuple(found)


def _held_text(held: HeldBack) -> str:
    """`OI surge 3 (BTC, ETH, SOL)`."""
    coins = [clean(coin, 40) for coin in held.coins]
    more = held.n_coins - len(coins)
    coins += [say("{n} more", n=more)] if coins and more > 0 else []
    return f"{clean(held.title, 100)} {held.n}" + (f" ({', '.join(coins)})" if coins else "")


def hashtags(view: AlertView) -> str:
    """The rule's tags as chats mark them; a hyphen would end one."""
    return " ".join(f"#{clean(tag, 40).replace('-', '_')}" for tag in view.tags)
