"""`BTC oi > 5% 15m` to a wish for an alert, in the rule language's own words.

SYMBOL FIGURE COMPARISON NUMBER [WINDOW] and, in any order, `once`, `for 2m`, `every 30m`, `cooldown 1h`. A percentage
with a window is the change over it; a percentage of a figure that is none itself, without a window, gets the window of
15 minutes, and the wish says so. The result passed the checks that rules in files pass. Knows no instruments.
"""

import re
from dataclasses import dataclass
from typing import Final

from bot.chat.commands import shorten
from bot.chat.spec import Problem
from bot.model.chat_alert import ChatAlert, ThresholdOp
from bot.rules.ast import DAY_MS, MINUTE_MS, Call, Compare, Expr, Number, Series, duration_text, text
from bot.rules.language import FLOWS, SERIES, Measure, did_you_mean
from bot.rules.literals import parse_duration_ms, parse_number
from bot.rules.parse import parse_condition
from bot.rules.schema import DEFAULT_COOLDOWN_MS

DEFAULT_WINDOW_MS: Final = 15 * MINUTE_MS
MAX_FOR_MS: Final = DAY_MS
MAX_PAUSE_MS: Final = 7 * DAY_MS

_OPERATOR: Final = re.compile(r"\s*(>=|<=|=>|=<|==|!=|≥|≤|[<>=])\s*")
_OPERATORS: Final[dict[str, ThresholdOp]] = {
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
_THOUSANDS: Final = re.compile(r"^([+-]?)\$?(\d{1,3}(?:,\d{3})+)(\.\d+)?(\D?)$")
_OTHER_FIGURES: Final = {
    "volume24h": "volume_24h",
    "vol24h": "volume_24h",
    "oiusd": "oi_usd",
    "funding8h": "funding_8h",
}


@dataclass(frozen=True, slots=True)
class AlertWish:
    """What somebody wants to be told, but for the instrument."""

    symbol: str
    """As typed."""
    measure: str
    """Canonical text."""
    op: ThresholdOp
    level: float
    is_ratio: bool
    for_ms: int = 0
    cooldown_ms: int = DEFAULT_COOLDOWN_MS
    repeat_ms: int | None = None
    once: bool = False
    assumed_window: bool = False
    """The window was left out, and 15 minutes were taken."""


def read_alert(typed: str) -> AlertWish | Problem:
    """Read the arguments of `/alert`. Never raises."""
    words = _OPERATOR.sub(r" \1 ", typed.replace("−", "-")).split()
    if not words:
        return Problem("An alert is a symbol, a figure, a comparison and a number.")
    if len(words) > 1 and words[1] in _OPERATORS:
        place = "Before" if words[0].casefold() in SERIES else "After"
        missing = "a symbol such as BTC" if place == "Before" else "a figure such as oi or price"
        return Problem(f"{place} {shorten(words[0])} I expected {missing}.")
    if len(words) < 4:
        missing = ("a figure such as oi or price", "a comparison, > or <", "a number")[len(words) - 1]
        return Problem(f"After {shorten(words[-1])} I expected {missing}.")
    symbol, figure, sign, amount, *rest = words
    name = _figure(figure)
    if isinstance(name, Problem):
        return name
    op = _OPERATORS.get(sign.casefold())
    if op is None:
        return Problem(f"After {name} I expected > or <, not {shorten(sign)}.")
    level = parse_number(_plain(amount))
    if level is None or level.unit == "duration":
        return Problem(f"After {sign} I expected a number such as 5% or 70_000, not {shorten(amount)}.")
    options = _options(rest)
    if isinstance(options, Problem):
        return options
    measure = _measure(name, level, options.window_ms)
    if isinstance(measure, Problem):
        return measure
    return _checked(symbol, Compare(op, measure, level), options)


@dataclass(slots=True)
class _Options:
    window_ms: int | None = None
    for_ms: int = 0
    cooldown_ms: int = DEFAULT_COOLDOWN_MS
    repeat_ms: int | None = None
    once: bool = False


def _figure(word: str) -> str | Problem:
    name = word.casefold()
    name = _OTHER_FIGURES.get(name, name)
    known = frozenset(SERIES) - FLOWS
    if name in known:
        return name
    if name in SERIES:
        return Problem(f"{name} cannot be compared in a short alert yet.")
    meant = did_you_mean(name, known)
    hint = f"did you mean {meant}?" if meant else "I know " + ", ".join(sorted(known)) + "."
    return Problem(f"I don't know the figure {shorten(word)}: {hint}")


def _plain(amount: str) -> str:
    """`$70,000` is 70000, `12b` is 12B."""
    amount = amount.removeprefix("$")
    if found := _THOUSANDS.match(amount):
        sign, whole, fraction, suffix = found.groups()
        amount = f"{sign}{whole.replace(',', '')}{fraction or ''}{suffix}"
    return amount[:-1] + "B" if amount.endswith("b") else amount


def _options(words: list[str]) -> _Options | Problem:
    options, rest = _Options(), list(words)
    while rest:
        word = rest.pop(0).casefold()
        if word == "once":
            options.once = True
        elif word in {"for", "every", "cooldown"}:
            problem = _duration(options, word, rest.pop(0) if rest else "")
            if problem is not None:
                return problem
        elif (window_ms := parse_duration_ms(word)) is not None and options.window_ms is None:
            options.window_ms = window_ms
        else:
            return Problem(
                f"I expected a window such as 15m, or once, for 2m, every 30m, cooldown 1h, not {shorten(word)}."
            )
    return options


def _duration(options: _Options, word: str, typed: str) -> Problem | None:
    ms = parse_duration_ms(typed.casefold())
    longest, shortest = (MAX_FOR_MS, 0) if word == "for" else (MAX_PAUSE_MS, MINUTE_MS if word == "every" else 0)
    if ms is None:
        return Problem(f"After {word} I expected a duration such as 30m, not {shorten(typed) or 'nothing'}.")
    if not shortest <= ms <= longest:
        bounds = f"between {duration_text(shortest)} and {duration_text(longest)}"
        return Problem(f"After {word} I take a duration {bounds}, not {shorten(typed)}.")
    if word == "for":
        options.for_ms = ms
    elif word == "every":
        options.repeat_ms = ms
    else:
        options.cooldown_ms = ms
    return None


def _measure(name: str, level: Number, window_ms: int | None) -> Expr | Problem:
    if level.unit != "%" and SERIES[name] is Measure.RATIO:
        return Problem(f"{name} is a percentage: write {text(level)}%.")
    if window_ms is None and (level.unit != "%" or SERIES[name] is Measure.RATIO):
        return Series(name)
    if level.unit != "%":
        window = duration_text(window_ms or 0)
        return Problem(f"With a window I compare a change in percent, such as {name} > 5% {window}.")
    return Call("pct", (Series(name), Number(float(DEFAULT_WINDOW_MS if window_ms is None else window_ms), "duration")))


def _checked(symbol: str, wanted: Compare, options: _Options) -> AlertWish | Problem:
    """Through the parser of the rules, so that what chat takes is what rules take."""
    parsed = parse_condition(text(wanted))
    found = parsed.expr
    errors = [fault for fault in parsed.faults if fault.is_error]
    if errors or not isinstance(found, Compare) or not isinstance(found.right, Number):
        said = f"{errors[0].message}{f' ({errors[0].hint})' if errors[0].hint else ''}" if errors else "it is too long"
        return Problem(f"{text(wanted)}: {said}.")
    return AlertWish(
        symbol=symbol,
        measure=text(found.left),
        op=_OPERATORS[found.op],
        level=found.right.value,
        is_ratio=found.right.unit == "%",
        for_ms=options.for_ms,
        cooldown_ms=options.cooldown_ms,
        repeat_ms=options.repeat_ms,
        once=options.once,
        assumed_window=options.window_ms is None and isinstance(found.left, Call),
    )


def condition_text(one: AlertWish | ChatAlert) -> str:
    """Canonical text of the condition, such as `pct(oi, 15m) > 5%`."""
    return f"{one.measure} {one.op} {text(Number(one.level, '%' if one.is_ratio else ''))}"


def extras_text(one: AlertWish | ChatAlert) -> str:
    """Its options as typed, such as `for 2m once`; empty without any."""
    parts = [f"for {duration_text(one.for_ms)}"] if one.for_ms else []
    parts += [f"every {duration_text(one.repeat_ms)}"] if one.repeat_ms is not None else []
    parts += [f"cooldown {duration_text(one.cooldown_ms)}"] if one.cooldown_ms != DEFAULT_COOLDOWN_MS else []
    parts += ["once"] if one.once else []
    return " ".join(parts)
