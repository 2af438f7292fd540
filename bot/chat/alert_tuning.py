"""An alert that is nearly right: the same with another size, another window, both ways, once, without a sound. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bot.chat.alert_grammar import possible
from bot.chat.alert_words import Refused
from bot.chat.commands import shorten
from bot.chat.spec import Problem
from bot.model.chat_alert import DIRECTIONS, ChatAlert
from bot.rules.ast import Call, Expr, Number, Series, duration_text, text
from bot.rules.literals import parse_duration_ms, parse_number
from bot.rules.parse import parse_value
from bot.texts import say

LADDER: Final = (0.01, 0.02, 0.03, 0.05, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5)
"""Sizes of changes that people choose from."""
WINDOWS_MS: Final = (300_000, 900_000, 3_600_000, 14_400_000)
NOISY_PER_DAY: Final = 20
CALM_PER_DAY: Final = 8


def _expr(alert: ChatAlert) -> Expr | None:
    return parse_value(alert.measure).expr


def _change(expr: Expr | None) -> tuple[Call, bool] | None:
    """The `pct` that is measured, and whether its sign is taken off."""
    is_both = isinstance(expr, Call) and expr.name == "abs" and len(expr.args) == 1
    inner = expr.args[0] if is_both and isinstance(expr, Call) else expr
    return (inner, is_both) if isinstance(inner, Call) and inner.name == "pct" else None


def window_ms(alert: ChatAlert) -> int | None:
    """Of a change; None for what has none."""
    found = _change(_expr(alert))
    return None if found is None else found[0].window_ms


def is_both_ways(alert: ChatAlert) -> bool:
    found = _change(_expr(alert))
    return found is not None and found[1]


def steps(alert: ChatAlert) -> tuple[float, ...]:
    """Up to three levels to choose from: one below, its own, one above. None for what is no change."""
    if window_ms(alert) is None or not alert.is_ratio or not alert.level:
        return ()
    size, sign = abs(alert.level), 1 if alert.level > 0 else -1
    below = max((x for x in LADDER if x < size), default=None)
    above = min((x for x in LADDER if x > size), default=None)
    return tuple(sign * x for x in (below, size, above) if x is not None)


def harder(alert: ChatAlert) -> tuple[float, ...]:
    """Levels further away, the nearest first."""
    size, sign = abs(alert.level), 1 if alert.level > 0 else -1
    return tuple(sign * x for x in LADDER if x > size)[:4] if steps(alert) else ()


def at_level(alert: ChatAlert, level: float) -> ChatAlert:
    return replace(alert, level=level)


def tuned(alert: ChatAlert, words: Sequence[str]) -> ChatAlert | Problem:
    """The alert with what the words change; its id is still the old one."""
    for word in words:
        changed = _with_word(alert, word.casefold())
        if isinstance(changed, Problem):
            return changed
        alert = changed
    return alert


def _with_word(alert: ChatAlert, word: str) -> ChatAlert | Problem:
    match word:
        case "once" | "again":
            return replace(alert, once=word == "once")
        case "silent" | "loud":
            return replace(alert, silent=word == "silent")
        case "both" | "oneway":
            return _with_ways(alert, both=word == "both")
    if (ms := parse_duration_ms(word)) is not None:
        return _with_window(alert, ms)
    number = parse_number(word)
    if number is None or number.unit == "duration":
        return Problem(
            say(
                "I expected a size such as 8%, a window such as 1h, both, once or silent, not {word}.",
                word=shorten(word),
            )
        )
    if (number.unit == "%") is not alert.is_ratio:
        return Problem(
            say("{measure} is compared with a percentage.", measure=alert.measure)
            if alert.is_ratio
            else say("{measure} is compared with a number.", measure=alert.measure)
        )
    return _with_level(alert, number, is_signed=word.startswith(("+", "-")))


def _with_level(alert: ChatAlert, size: Number, *, is_signed: bool) -> ChatAlert | Problem:
    """How far a fall goes may be said without its sign, and a change both ways has none."""
    expr = _expr(alert)
    value, found = size.value, _change(expr)
    if found is not None and found[1]:
        value = abs(value)
    elif found is not None and alert.level < 0 and not is_signed:
        value = -value
    measured = expr if found is None else found[0].args[0]
    if isinstance(measured, Series):
        try:
            possible(measured.name, alert.op, replace(size, value=value))
        except Refused as refused:
            return Problem(str(refused))
    return replace(alert, level=value)


def _with_window(alert: ChatAlert, ms: int) -> ChatAlert | Problem:
    found = _change(_expr(alert))
    if found is None:
        return Problem(say("{measure} has no window.", measure=alert.measure))
    call, is_both = found
    return _measuring(alert, Call("pct", (call.args[0], Number(float(ms), "duration"))), is_both=is_both)


def _with_ways(alert: ChatAlert, *, both: bool) -> ChatAlert | Problem:
    found = _change(_expr(alert))
    if found is None:
        return Problem(say("{measure} has no direction.", measure=alert.measure))
    call, is_both = found
    if both and not is_both:
        is_up = DIRECTIONS[alert.op] > 0
        op = alert.op if is_up else (">" if alert.op == "<" else ">=")
        alert = replace(alert, level=abs(alert.level), op=op)
    return _measuring(alert, call, is_both=both)


def _measuring(alert: ChatAlert, call: Call, *, is_both: bool) -> ChatAlert | Problem:
    measure = text(Call("abs", (call,)) if is_both else call)
    parsed = parse_value(measure)
    faults = [fault for fault in parsed.faults if fault.is_error]
    if parsed.expr is None or faults:
        return Problem(f"{measure}: {faults[0].message if faults else say('it is too long')}.")
    return replace(alert, measure=measure)


def words_of(level: float) -> str:
    """A level as it is typed: `8%`."""
    return text(Number(level, "%"))


def window_text(ms: int) -> str:
    return duration_text(ms)
