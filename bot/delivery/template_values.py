"""What a message template can name: the variables with their values, and the filters. Pure.

A `Figure` is a number that knows how it is written, so `{{ value }}` is `+6.06%` and `{% if value > 0.05 %}` still
compares. `Unknown` stands for a value that is not known: a dash, and no comparison with it is true.
"""

from collections.abc import Callable
from math import isfinite
from typing import Final, Self

from bot.delivery import detail
from bot.delivery.text import clean
from bot.delivery.wording import is_age
from bot.model import numbers
from bot.model.instrument import MARKET
from bot.model.view import AlertView
from bot.texts import say

EXAMPLE: Final = "such as {{ symbol }} {{ value }}"
LARGEST: Final = 1e15
_MAX_TEXT: Final = 200
_MAX_LINE: Final = 1_500
_MAX_MEMBERS: Final = 5
_MAX_DIGITS: Final = 12

DESCRIBED: Final[dict[str, tuple[bool, str]]] = {
    # name: whether it is a number, what it is
    "symbol": (False, "the venue's symbol, or Market"),
    "base": (False, "the coin, such as BTC"),
    "venue": (False, "the venue, such as binance"),
    "title": (False, "the rule's name"),
    "rule": (False, "the rule's id"),
    "id": (False, "the alert's id, such as #7k2m9q4x"),
    "severity": (False, "info, warning or critical"),
    "kind": (False, "fire, update, escalate, repeat, end or close"),
    "tags": (False, "the rule's tags, separated by spaces"),
    "condition": (False, "the rule's when"),
    "measured": (False, "the expression of the measured value"),
    "reason": (False, "why the alert was closed, where it was"),
    "time": (False, "when this happened, such as 14:31 UTC"),
    "fired": (False, "when the alert fired, such as 14:09 UTC"),
    "members": (False, "of a market-wide alert: the first five contracts and their values"),
    "value": (True, "the measured value"),
    "before": (True, "the value that was told last"),
    "peak": (True, "the furthest value of the alert"),
    "price": (True, "mark price"),
    "price_change": (True, "change of the price over the rule's window"),
    "oi": (True, "open interest in coins"),
    "oi_usd": (True, "open interest in dollars"),
    "oi_change": (True, "change of open interest over the rule's window"),
    "funding": (True, "funding rate"),
    "volume_24h": (True, "traded in 24 hours, in dollars"),
    "volume_ratio": (True, "volume over the window against the usual of a day, where the rule needs volume"),
    "funding_8h": (True, "funding rate, scaled to eight hours"),
    "next_funding": (True, "time until funding is paid next, in milliseconds when compared"),
    "oi_rank": (True, "place by open interest in dollars; 1 is the largest"),
    "oi_change_rank": (True, "place by the change of open interest, in its direction"),
    "n_ranked": (True, "contracts that have a place"),
    "oi_unusual": (True, "share of the day's moves of open interest that were smaller, 0.97 when compared"),
    "price_unusual": (True, "share of the day's moves of the price that were smaller"),
    "oi_age": (True, "how old open interest is, in milliseconds when compared"),
    "price_age": (True, "how old the price is, in milliseconds when compared"),
    "oi_moves": (False, "changes of open interest over several windows"),
    "price_moves": (False, "changes of the price over several windows"),
    "reading": (False, "what price and open interest together usually mean"),
    "gap": (True, "of a crossing: how long nothing was known before it, in milliseconds when compared"),
    "already_true": (False, "yes where it was true when the bot began to watch, else empty"),
    "oi_up": (True, "of a market-wide alert: members with more open interest"),
    "oi_down": (True, "of a market-wide alert: members with less open interest"),
    "oi_median": (True, "of a market-wide alert: the median change of open interest"),
    "price_median": (True, "of a market-wide alert: the median change of the price"),
    "opened": (True, "of a market-wide alert: dollars opened (below zero: closed) at today's prices"),
    "window": (True, "the rule's window, in milliseconds when compared"),
    "lasted": (True, "how long the alert has been firing, in milliseconds when compared"),
    "n_true": (True, "of a market-wide alert: for how many contracts it holds"),
    "n_members": (True, "of a market-wide alert: contracts in scope"),
}
"""Every variable; the guide says the same."""


class Unknown:
    """A value that is not known. False, equal to nothing, shown as a dash."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return numbers.UNKNOWN

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return False

    def __lt__(self, other: object) -> bool:
        return False

    __le__ = __gt__ = __ge__ = __lt__

    def __contains__(self, other: object) -> bool:
        return False


UNKNOWN: Final = Unknown()


class Figure(float):
    """A number and how it is written."""

    __slots__ = ("shown", "write")

    def __new__(cls, value: float, write: Callable[[float], str]) -> Self:
        self = super().__new__(cls, value)
        self.write = write
        self.shown = write(value)
        return self

    write: Callable[[float], str]
    shown: str

    def __str__(self) -> str:
        return self.shown


Value = str | Figure | Unknown


def context(view: AlertView) -> dict[str, Value]:
    """Every variable of `DESCRIBED` for one view."""
    measure = _measure(view)
    move, oi_move = view.price, view.oi
    return {
        "symbol": say("Market") if view.symbol == MARKET else _text(view.symbol),
        "base": _text(view.base),
        "venue": _text(view.venue),
        "title": _text(view.title),
        "rule": _text(view.rule_id),
        "id": f"#{_text(view.short_id)}",
        "severity": _text(view.severity),
        "kind": _text(view.kind),
        "tags": " ".join(_text(tag) for tag in view.tags),
        "condition": _text(view.condition),
        "measured": _text(view.value_text),
        "reason": _text(view.reason),
        "time": numbers.clock_time(view.at_ms, zone=view.zone),
        "fired": numbers.clock_time(view.fired_ms, zone=view.zone),
        "members": ", ".join(
            f"{_text(member.symbol)} {measure(member.value)}" for member in view.members[:_MAX_MEMBERS]
        ),
        "value": _figure(view.value, measure),
        "before": _figure(view.value_before, measure),
        "peak": _figure(view.peak, measure),
        "price": _figure(move.now if move else None, numbers.price),
        "price_change": _figure(move.change if move else None, numbers.percent),
        "oi": _figure(oi_move.now if oi_move else None, numbers.amount),
        "oi_usd": _figure(view.oi_usd, numbers.usd),
        "oi_change": _figure(oi_move.change if oi_move else None, numbers.percent),
        "funding": _figure(view.funding, numbers.percent),
        "volume_24h": _figure(view.volume_24h, numbers.usd),
        **_more(view),
        "window": _figure(view.window_ms or None, numbers.window),
        "lasted": _figure(view.at_ms - view.fired_ms, numbers.duration),
        "n_true": _figure(view.n_true, numbers.amount),
        "n_members": _figure(view.n_members, numbers.amount),
    }


def _more(view: AlertView) -> dict[str, Value]:
    """What only some messages know."""
    interval_h, breadth = view.funding_interval_h, view.breadth
    funding_8h = view.funding * 8 / interval_h if view.funding is not None and interval_h else None
    left_ms = view.next_funding_ms - view.at_ms if view.next_funding_ms else None
    return {
        "volume_ratio": _figure(view.volume_ratio, lambda x: f"{numbers.amount(x)}×"),
        "funding_8h": _figure(funding_8h, numbers.percent),
        "next_funding": _figure(left_ms if left_ms and left_ms > 0 else None, numbers.duration),
        "oi_rank": _figure(view.oi_rank, numbers.amount),
        "oi_change_rank": _figure(view.oi_change_rank, numbers.amount),
        "n_ranked": _figure(view.n_ranked or None, numbers.amount),
        "oi_unusual": _figure(view.oi_unusual, detail.share_text),
        "price_unusual": _figure(view.price_unusual, detail.share_text),
        "oi_age": _figure(view.oi_age_ms, numbers.duration),
        "price_age": _figure(view.price_age_ms, numbers.duration),
        "oi_moves": detail.windows_text(view.oi, view.oi_moves),
        "price_moves": detail.windows_text(view.price, view.price_moves),
        "reading": detail.reading_text(view),
        "gap": _figure(view.gap_ms or None, numbers.duration),
        "already_true": "yes" if view.is_already_true else "",
        "oi_up": _figure(breadth.n_oi_up if breadth else None, numbers.amount),
        "oi_down": _figure(breadth.n_oi_down if breadth else None, numbers.amount),
        "oi_median": _figure(breadth.oi_median if breadth else None, numbers.percent),
        "price_median": _figure(breadth.price_median if breadth else None, numbers.percent),
        "opened": _figure(breadth.opened_usd if breadth else None, detail.opened_text),
    }


def one_line(text: str) -> str:
    """Visible characters of one line; what a symbol or name could smuggle in is gone."""
    return clean(text, _MAX_LINE)


def _text(text: str) -> str:
    return clean(text, _MAX_TEXT)


def _measure(view: AlertView) -> Callable[[float | None], str]:
    """How the measured value is written."""
    if view.value_is_ratio:
        return numbers.percent
    if is_age(view):
        return numbers.duration
    return numbers.price if view.value_text in {"price", "index"} else numbers.amount


def _figure(value: float | None, write: Callable[[float | None], str]) -> Figure | Unknown:
    return UNKNOWN if value is None or not isfinite(value) else Figure(value, write)


def _number_filter(write: Callable[[float], str]) -> Callable[[float | Unknown], str]:
    return lambda value: numbers.UNKNOWN if isinstance(value, Unknown) else write(float(value))


def _digits(number: float) -> int:
    return min(max(0, int(number)), _MAX_DIGITS)


def _percent(value: float | Unknown, digits: float | None = None) -> str:
    if isinstance(value, Unknown):
        return numbers.UNKNOWN
    return numbers.percent(float(value), digits=None if digits is None else _digits(digits))


def _round(value: float | Unknown, digits: float = 0) -> str:
    return numbers.UNKNOWN if isinstance(value, Unknown) else f"{float(value):.{_digits(digits)}f}"


def _abs(value: float | Unknown) -> float | Unknown:
    if isinstance(value, Figure):
        return Figure(abs(float(value)), value.write)
    return value if isinstance(value, Unknown) else abs(value)


def _default(value: Value, other: str = "") -> str:
    return other if isinstance(value, Unknown) or value in {"", numbers.UNKNOWN} else str(value)


FILTERS: Final[dict[str, Callable[..., object]]] = {
    "abs": _abs,
    "amount": _number_filter(numbers.amount),
    "usd": _number_filter(numbers.usd),
    "price": _number_filter(numbers.price),
    "percent": _percent,
    "round": _round,
    "default": _default,
    "upper": lambda value: str(value).upper(),
    "lower": lambda value: str(value).lower(),
}
