"""The words of `/alert`: what stands for a figure, a comparison, a number."""

import re
from typing import Final

from bot.model.chat_alert import ThresholdOp
from bot.rules.ast import Number
from bot.rules.language import SERIES
from bot.rules.literals import parse_number

OPERATORS: Final[dict[str, ThresholdOp]] = {
    ">": ">",
    ">=": ">=",
    "=>": ">=",
    "≥": ">=",
    "above": ">",
    "over": ">",
    "<": "<",
    "<=": "<=",
    "=<": "<=",
    "≤": "<=",
    "below": "<",
    "under": "<",
}
EQUALS: Final = frozenset({"=", "=="})
UP: Final = frozenset(
    [
        "up",
        "rises",
        "rise",
        "rising",
        "gains",
        "gain",
        "jumps",
        "jump",
        "pumps",
        "pump",
        "grows",
        "climbs",
        "spikes",
        "spike",
        "surges",
        "surge",
        "soars",
        "increases",
    ]
)
DOWN: Final = frozenset(
    [
        "down",
        "drops",
        "drop",
        "falls",
        "fall",
        "falling",
        "loses",
        "lose",
        "dumps",
        "dump",
        "declines",
        "decreases",
        "crashes",
        "crash",
        "tanks",
        "dips",
    ]
)
EVERYTHING: Final = frozenset({"all", "everything", "any", "anything", "market", "*"})
MOVES: Final = frozenset(["moves", "move", "changes", "change", "swings"])
CROSSES: Final = frozenset(["crosses", "cross", "hits", "hit", "reaches", "touches", "touch", "at", "@", "to"])
ONE_WAY: Final[dict[str, ThresholdOp]] = {"crosses_above": ">=", "crosses_below": "<="}
OPTIONS: Final = frozenset({"once", "silent", "silently", "for", "every", "cooldown", "until", "till", "til"})
DOLLARS: Final = frozenset({"oi_usd", "volume", "volume_24h", "liq_long", "liq_short"})
"""Figures in dollars, of which nobody means minutes where an amount stands."""
LEVELS: Final = frozenset({"price", "index"})
"""Figures of which a bare number is a level to cross."""

SPLIT: Final = re.compile(r"\s*(>=|<=|=>|=<|==|!=|≥|≤|[<>=])\s*")
TIMES: Final = re.compile(r"^([0-9.,]+)[x×]$")
TOP: Final = re.compile(r"^top([0-9]{1,4})$")
_SIGNED: Final = re.compile(r"^(±|\+/-|\+-|[+-])?(.+)$")
_THOUSANDS: Final = re.compile(r"^([+-]?)\$?([1-9]\d{0,2}(?:,\d{3})+)(\.\d+)?(\D?)$", re.ASCII)
_DECIMAL: Final = re.compile(r"^([+-]?\$?)(0|[1-9]\d*(?!,\d{3}\D?$)|[1-9]\d{0,2}(?:\.\d{3})+),(\d+)(\D?)$", re.ASCII)
"""Any other comma is that of a decimal, as in `0,125` and `100.000,50`; but `1000,000` is to some a million."""
_FIGURES: Final = {
    "volume24h": "volume_24h",
    "vol24h": "volume_24h",
    "oiusd": "oi_usd",
    "funding8h": "funding_8h",
    "vol": "volume",
    "turnover": "volume",
    "openinterest": "oi",
    "open_interest": "oi",
    "mark": "price",
    "px": "price",
    "longshort": "long_short",
    "long/short": "long_short",
}


class Refused(Exception):  # noqa: N818, no error: an answer
    """Carries the problem out of the depth of reading."""


def figure_of(word: str) -> str | None:
    """The series that a word names."""
    name = word.casefold()
    name = _FIGURES.get(name, name)
    return name if name in SERIES else None


def is_comparison(word: str) -> bool:
    word = word.casefold()
    return word in OPERATORS or word in ONE_WAY or word in EQUALS or word in UP | DOWN | MOVES | CROSSES


def number(word: str) -> tuple[str, Number] | None:
    """Its sign as typed (`±`, `+`, `-` or none), and the number without it; `3x` counts as 3."""
    found = _SIGNED.match(word)
    if found is None:
        return None
    sign = "±" if found[1] in {"±", "+/-", "+-"} else found[1] or ""
    times = TIMES.match(found[2].casefold())
    read = parse_number(plain(times[1] if times else found[2]))
    return None if read is None or read.unit == "duration" else (sign, read)


def plain(amount: str) -> str:
    """As numbers are read: `$70,000` is 70000, `12b` is 12B, `$5m` is 5M."""
    is_money, amount = amount.startswith("$"), amount.removeprefix("$")
    if is_money and amount.endswith("m"):
        amount = f"{amount[:-1]}M"
    if found := _THOUSANDS.match(amount):
        sign, whole, fraction, suffix = found.groups()
        amount = f"{sign}{whole.replace(',', '')}{fraction or ''}{suffix}"
    elif found := _DECIMAL.match(amount):
        sign, whole, fraction, suffix = found.groups()
        amount = f"{sign}{whole.replace('.', '')}.{fraction}{suffix}"
    return amount[:-1] + "B" if amount.endswith("b") else amount
