"""What people type behind `/alert`, to a wish. Never raises; knows no instruments.

    WHOM FIGURE > NUMBER [WINDOW] [OPTIONS]        btc,eth oi > 5% 15m
    WHOM FIGURE up|down|moves|±|+|- NUMBER% …      sol price drops 3% 5m · top50 oi ±4% 1h
    WHOM volume > 3x 15m                           against the usual of a day
    WHOM [price] [crosses] LEVEL                   eth 4000
    WHOM when EXPRESSION [OPTIONS]                 btc when pct(oi, 15m) > 5% and funding > 0.01%

WHOM is a symbol, several with commas between, or `top50` by open interest. OPTIONS in any order: `once`, `silent`,
`for 2m`, `every 30m`, `cooldown 1h`, `until 18:00` or `until 3d`; `note …` comes last.
"""

import re
from dataclasses import replace
from typing import Final

from bot.chat.alert_options import first_option, read_options
from bot.chat.alert_phrases import instead, listed, millions, ordered, plain_signs, short, to_me
from bot.chat.alert_text import AlertWish, Options
from bot.chat.alert_words import (
    CROSSES,
    DOWN,
    EVERYTHING,
    LEVELS,
    MOVES,
    ONE_WAY,
    OPERATORS,
    SPLIT,
    TIMES,
    TOP,
    UP,
    Refused,
    figure_of,
    number,
)
from bot.chat.commands import shorten
from bot.chat.spec import Problem
from bot.model.chat_alert import ThresholdOp
from bot.rules.ast import MINUTE_MS, And, Call, Compare, Expr, Number, Or, Series, duration_text, text
from bot.rules.language import FLOWS, SERIES, Measure, did_you_mean
from bot.rules.lint_conditions import decided, few_faults
from bot.rules.parse import parse_condition
from bot.rules.schema import Scope
from bot.texts import say

DEFAULT_WINDOW_MS: Final = 15 * MINUTE_MS
MAX_SYMBOLS: Final = 10
MAX_TOP: Final = 200
MAX_NOTE_CHARS: Final = 100

_HARDLY_MEANT: Final = frozenset({"W301"})
"""Warnings that refuse an alert: 5 where 5% is meant."""
_COMMAS: Final = re.compile(r"\s*,\s+|\s+,\s*")
_SIGN_APART: Final = re.compile(r"(±|\+/-|\+-)\s+(?=[0-9.])")


def read_alert(typed: str) -> AlertWish | Problem:
    """Read the arguments of `/alert`."""
    typed = plain_signs(typed)
    try:
        return _read(typed)
    except Refused as refused:
        offered = tuple(one for one in instead(_cut(typed, "note")[0]) if readable(one.removeprefix("/alert ")))
        return Problem(str(refused), offered or ("/alert BTC oi > 5% 15m",))


def readable(typed: str) -> AlertWish | None:
    """The wish, where the text is one."""
    try:
        return _read(typed)
    except Refused:
        return None


def _read(typed: str) -> AlertWish:
    typed, _, note = _cut(to_me(typed), "note")
    if len(note) > MAX_NOTE_CHARS:
        raise Refused(say("A note has at most {n} characters.", n=MAX_NOTE_CHARS))
    head, has_when, condition = _cut(typed, "when")
    if not has_when and "(" in head and len(parts := head.split(maxsplit=1)) > 1:
        head, has_when, condition = parts[0], True, parts[1]
    words = _SIGN_APART.sub(r"\1", _COMMAS.sub(",", head)).split()
    words = listed(words) if has_when else ordered(SPLIT.sub(r" \1 ", short(" ".join(words))).split())
    whom = words[0] if words else ""
    rest = words[1:]
    symbols, top = _whom(whom, rest, has_when=has_when)
    wish = AlertWish(symbols=symbols, top=top, condition=Series("price"), options=Options(note=note))
    if has_when:
        if rest:
            raise Refused(say("Before when I expected symbols only, not {found}.", found=shorten(rest[0])))
        return _conditional(wish, condition)
    try:
        return _shaped(wish, rest)
    except Refused:
        if {"and", "or", "not"}.isdisjoint(word.casefold() for word in rest):
            raise
        return _conditional(wish, " ".join(rest))


def _conditional(wish: AlertWish, condition: str) -> AlertWish:
    """Of an expression; what is none is perhaps a short form."""
    condition = millions(condition)
    words = condition.split()
    first = first_option(words)
    options, _ = read_options(words[first:], replace(wish.options), window=False)
    try:
        parsed = _parsed(" ".join(words[:first]))
    except Refused:
        try:
            return _shaped_parts(wish, condition)
        except Refused:
            pass
        raise
    return _checked(replace(wish, condition=parsed, options=options))


def _shaped_parts(wish: AlertWish, condition: str) -> AlertWish:
    """Short forms with `and` or `or` between them; options behind the last."""
    joint = re.search(r"\s(and|or)\s", condition, re.IGNORECASE)
    parts = [condition] if joint is None else re.split(rf"\s{joint[1]}\s", condition, flags=re.IGNORECASE)
    read = [_shaped(wish, _part(wish, part)) for part in parts]
    last = read[-1]
    if joint is None:
        return last
    if any(one.options != wish.options for one in read[:-1]):
        raise Refused(say("Options stand behind the last condition."))
    conditions = tuple(one.condition for one in read)
    both = And(conditions) if joint[1].casefold() == "and" else Or(conditions)
    assumed = any(one.assumed_window for one in read)
    return _checked(replace(last, condition=both, assumed_window=assumed))


def _part(wish: AlertWish, typed: str) -> list[str]:
    """Figure, comparison and number of one part. All parts are of the same symbols: others cannot be asked for in one alert."""
    whom = short(",".join(wish.symbols) or f"top{wish.top}")
    first, *rest = ordered(SPLIT.sub(r" \1 ", short(f"{whom} {typed}")).split())
    named = first.casefold().removeprefix(whom.casefold()).strip(",")
    if named and {*named.split(",")} != {*whom.casefold().split(",")}:
        raise Refused(say("Before when I expected symbols only, not {found}.", found=shorten(named)))
    return rest


def _cut(typed: str, word: str) -> tuple[str, bool, str]:
    """Before and behind a word that stands alone."""
    found = re.search(rf"(?:^|\s){word}(?:\s+|$)", typed, re.IGNORECASE)
    return (typed[: found.start()], True, typed[found.end() :].strip()) if found else (typed, False, "")


def _whom(whom: str, rest: list[str], *, has_when: bool) -> tuple[tuple[str, ...], int | None]:
    if not whom:
        raise Refused(say("An alert is a symbol, a figure, a comparison and a number."))
    if SPLIT.match(whom) or whom.casefold() in OPERATORS:
        raise Refused(say("Before {whom} I expected a symbol such as BTC.", whom=shorten(whom)))
    if figure_of(whom) and not has_when and (not rest or rest[0].casefold() in OPERATORS or number(rest[0])):
        raise Refused(say("Before {whom} I expected a symbol such as BTC.", whom=shorten(whom)))
    if not EVERYTHING.isdisjoint(whom.casefold().split(",")):
        raise Refused(say("I take symbols, or the largest by open interest: top1 to top{n}.", n=MAX_TOP))
    if found := TOP.match(whom.casefold()):
        n = int(found[1])
        if not 1 <= n <= MAX_TOP:
            raise Refused(say("I take top1 to top{n}.", n=MAX_TOP))
        return (), n
    symbols = tuple(dict.fromkeys(part for part in whom.split(",") if part))
    if not symbols:
        raise Refused(say("An alert is a symbol, a figure, a comparison and a number."))
    if len(symbols) > MAX_SYMBOLS:
        raise Refused(say("That is {n} symbols; I take up to {most} in one alert.", n=len(symbols), most=MAX_SYMBOLS))
    return symbols, None


# -- figure, comparison, number ----------------------------------------------------------------------------------


def _shaped(wish: AlertWish, rest: list[str]) -> AlertWish:
    whom = wish.symbols[-1] if wish.symbols else f"top{wish.top}"
    if not rest:
        raise Refused(say("After {whom} I expected a figure such as oi or price.", whom=shorten(whom)))
    word = rest[0].casefold()
    found = number(rest[0])
    is_share = found is not None and (found[1].unit == "%" or bool(TIMES.match(word)))
    if word in OPERATORS or rest[0] in {"=", "==", "!="} or word in UP | DOWN | MOVES or is_share:
        raise Refused(say("After {whom} I expected a figure such as oi or price.", whom=shorten(whom)))
    if word in ONE_WAY:
        return _crossing(wish, "price", rest[1:], ONE_WAY[word])
    if word in CROSSES or found is not None:
        return _crossing(wish, "price", rest[1:] if word in CROSSES else rest)
    name = _figure(rest[0])
    if len(rest) < 2:
        raise Refused(say("After {found} I expected a comparison, > or <.", found=shorten(rest[0])))
    sign = rest[1].casefold()
    if sign in CROSSES:
        return _crossing(wish, name, rest[2:])
    if sign in ONE_WAY:
        return _crossing(wish, name, rest[2:], ONE_WAY[sign])
    if sign in OPERATORS:
        return _compared(wish, name, OPERATORS[sign], sign, rest[2:])
    if sign in UP | DOWN | MOVES:
        return _moved(wish, name, sign, rest[2:])
    found = number(rest[1])
    if found is None:
        raise Refused(say("After {name} I expected > or <, not {found}.", name=name, found=shorten(rest[1])))
    signed, _ = found
    if TIMES.match(rest[1].casefold()) or rest[1].endswith("%"):
        word = "moves" if signed == "±" else "down" if signed == "-" else "up"
        return _moved(wish, name, word, rest[1:])
    if name in LEVELS and not signed:
        return _crossing(wish, name, rest[1:])
    raise Refused(say("After {name} I expected > or < before {found}.", name=name, found=shorten(rest[1])))


def _figure(word: str) -> str:
    if (found := figure_of(word)) is not None:
        return found
    name = word.casefold()
    known = frozenset(SERIES)
    meant = did_you_mean(name, known)
    hint = (
        say("did you mean {meant}?", meant=meant) if meant else say("I know {names}.", names=", ".join(sorted(known)))
    )
    raise Refused(say("I don't know the figure {word}: {hint}", word=shorten(word), hint=hint))


def _amount(sign: str, rest: list[str]) -> tuple[Number, bool]:
    """The number behind a comparison, and whether it counts times the usual."""
    if not rest:
        raise Refused(say("After {sign} I expected a number.", sign=sign))
    times = bool(TIMES.match(rest[0].casefold()))
    found = number(rest[0])
    if found is None or found[0] == "±":
        raise Refused(
            say(
                "After {sign} I expected a number such as 5% or 70_000, not {found}.", sign=sign, found=shorten(rest[0])
            )
        )
    signed, size = found
    return (replace(size, value=-size.value) if signed == "-" else size), times


def _compared(wish: AlertWish, name: str, op: ThresholdOp, sign: str, rest: list[str]) -> AlertWish:
    level, times = _amount(sign, rest)
    options, window_ms = read_options(rest[1:], wish.options, window=True)
    possible(name, op, level)
    if not level.value and SERIES[name] is Measure.RATIO:
        level = replace(level, unit="%")
    if times:
        measure, assumed = _ratio(name, window_ms)
    else:
        measure, assumed = _measure(name, level, window_ms)
    return _checked(replace(wish, condition=Compare(op, measure, level), options=options, assumed_window=assumed))


def possible(name: str, op: ThresholdOp, level: Number) -> None:
    """Refuses what can never be, or never be otherwise."""
    if SERIES[name] is Measure.RATIO:
        return
    if level.unit != "%" and level.value < 0:
        raise Refused(say("{name} is never below zero.", name=name))
    if level.unit == "%" and op in {"<", "<="} and level.value <= -1:
        raise Refused(say("{name} cannot fall by more than 100%.", name=name))


def _moved(wish: AlertWish, name: str, word: str, rest: list[str]) -> AlertWish:
    if not rest:
        raise Refused(say("After {word} I expected a size such as 5%.", word=word))
    if TIMES.match(rest[0].casefold()):
        return _compared(wish, name, ">=", word, rest)
    found = number(rest[0])
    if found is None or found[1].unit != "%":
        raise Refused(
            say("After {word} I expected a size in percent such as 5%, not {found}.", word=word, found=shorten(rest[0]))
        )
    size = replace(found[1], value=abs(found[1].value))
    possible(name, "<" if word in DOWN else ">", replace(size, value=-size.value))
    options, window_ms = read_options(rest[1:], wish.options, window=True)
    # Funding and basis are percentages themselves: without a window the size is a level.
    if window_ms is None and SERIES[name] is Measure.RATIO:
        measure: Expr = Series(name)
        assumed = False
    else:
        assumed = window_ms is None
        measure = _pct(name, DEFAULT_WINDOW_MS if window_ms is None else window_ms)
    if word in MOVES:
        condition = Compare(">=", Call("abs", (measure,)), size)
    elif word in DOWN:
        condition = Compare("<=", measure, replace(size, value=-size.value))
    else:
        condition = Compare(">=", measure, size)
    return _checked(replace(wish, condition=condition, options=options, assumed_window=assumed))


def _crossing(wish: AlertWish, name: str, rest: list[str], op: ThresholdOp | None = None) -> AlertWish:
    """A level that fires from either side, or from one; once, unless it is to be told again."""
    if name in FLOWS:
        raise Refused(say("{name} has no level to cross: write {name} > 3x 15m.", name=name))
    level, times = _amount("crosses", rest)
    possible(name, ">", level)
    if not level.value and SERIES[name] is Measure.RATIO:
        level = replace(level, unit="%")
    if times or (level.unit != "%" and SERIES[name] is Measure.RATIO) or (level.unit == "%" and name in LEVELS):
        raise Refused(say("{found} is no level of {name}.", found=shorten(rest[0]), name=name))
    options, window_ms = read_options(rest[1:], wish.options, window=True)
    if window_ms is not None:
        raise Refused(say("A level has no window: write {name} crosses {level}.", name=name, level=text(level)))
    if options.repeat_ms is None and options.cooldown_ms is None:
        options = replace(options, once=True)
    options = replace(options, repeat_ms=None, cooldown_ms=options.cooldown_ms or options.repeat_ms)
    figure = Series(name)
    condition = Call("crosses", (figure, level)) if op is None else Compare(op, figure, level)
    return _checked(replace(wish, condition=condition, options=options))


def _measure(name: str, level: Number, window_ms: int | None) -> tuple[Expr, bool]:
    if name in FLOWS and level.unit == "%":
        raise Refused(say("{name} is compared with the usual: write {name} > 3x 15m.", name=name))
    if name in FLOWS:
        window = DEFAULT_WINDOW_MS if window_ms is None else window_ms
        return Call("sum", (Series(name), _duration(window))), window_ms is None
    if level.unit != "%" and SERIES[name] is Measure.RATIO:
        raise Refused(say("{name} is a percentage: write {level}%.", name=name, level=text(level)))
    if window_ms is None and (level.unit != "%" or SERIES[name] is Measure.RATIO):
        return Series(name), False
    if level.unit != "%":
        window_text = duration_text(window_ms or 0)
        raise Refused(
            say(
                "With a window I compare a change in percent, such as {name} > 5% {window}.",
                name=name,
                window=window_text,
            )
        )
    return _pct(name, DEFAULT_WINDOW_MS if window_ms is None else window_ms), window_ms is None


def _ratio(name: str, window_ms: int | None) -> tuple[Expr, bool]:
    if name != "volume":
        raise Refused(say("Times the usual is for volume, not for {name}.", name=name))
    return Call("ratio", (Series(name), _duration(window_ms or DEFAULT_WINDOW_MS))), window_ms is None


def _pct(name: str, window_ms: int) -> Expr:
    return Call("pct", (Series(name), _duration(window_ms)))


def _duration(ms: int) -> Number:
    return Number(float(ms), "duration")


# -- the language of rules ---------------------------------------------------------------------------------------


def _parsed(typed: str) -> Expr:
    if not typed:
        raise Refused(say("After when I expected a condition such as pct(oi, 15m) > 5% and funding > 0.01%."))
    parsed = parse_condition(typed)
    errors = [fault for fault in parsed.faults if fault.is_error or fault.code in _HARDLY_MEANT]
    if errors or parsed.expr is None:
        raise Refused(
            _said(typed, errors[0].message if errors else say("it is too long"), errors[0].hint if errors else "")
        )
    return parsed.expr


def _said(typed: str, message: str, hint: str | None) -> str:
    return f"{shorten(typed, 60)}: {message}{f' ({hint})' if hint else ''}."


def _checked(wish: AlertWish) -> AlertWish:
    """Through the parser of the rules, so that what chat takes is what rules take."""
    wish = replace(wish, condition=_parsed(text(wish.condition)))
    if (found := decided(wish.condition)) is not None:
        never, always = say("this is never true"), say("this is always true")
        raise Refused(_said(text(wish.condition), never if found == "never" else always, ""))
    if wish.threshold is None or wish.top is not None:
        # It becomes a rule, which looks at nobody else; a plain comparison is with the whole market.
        for fault in few_faults(wish.condition, Scope(symbols=wish.symbols, top=wish.top)):
            raise Refused(_said(text(wish.condition), fault.message, fault.hint))
    return wish
