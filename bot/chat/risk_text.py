"""What people type behind `/risk` and `/stop`, to values. Never raises; knows no instruments."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot.chat.alert_words import plain
from bot.chat.commands import shorten
from bot.chat.durations import joined
from bot.chat.spec import Problem
from bot.chat.table.risk import FOLLOW_WORDS
from bot.model.risk import RiskSettings, Side
from bot.rules.ast import DAY_MS, MINUTE_MS, Number, duration_text, number_text
from bot.rules.literals import parse_duration_ms, parse_number
from bot.texts import say

DEFAULT_WINDOW_MS: Final = 60 * MINUTE_MS
MIN_WINDOW_MS: Final = 5 * MINUTE_MS
MAX_WINDOW_MS: Final = DAY_MS
MAX_EQUITY: Final = 1e12
MAX_LEVERAGE: Final = 125.0
_SIDES: Final[dict[str, Side]] = {
    "long": "long",
    "buy": "long",
    "l": "long",
    "short": "short",
    "sell": "short",
    "s": "short",
    "longs": "long",
    "shorts": "short",
}
_LABELS: Final = frozenset(
    {"equity", "risk", "of", "with", "at", "@", "entry", "and", "per", "trade", "max", "is", "my", "on", "for", "from", "in", "over", "the", "please"}
)  # fmt: skip
_BEFORE_SYMBOL: Final = frozenset({"loss", "for", "on", "of", "my", "the", "a"})
_TIDIED: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), put)
    for pattern, put in (
        (r"[.,;!?]+(?=\s|$)", ""),
        (r"(?<=[0-9]) (?=[0-9]{3}(?![\w.,]))", ""),
        (r"(?<=[0-9])\s*per\s?cent(?=\s|$)", "%"),
        (r"(?<=[0-9])\s+(?=[%x](?:\s|$))", ""),
        (r"(?<!\S)x([0-9.]+)(?!\S)", r"\1x"),
        (r"(?<=[0-9kmb])\s*(?:\$|usdt?|dollars?)(?=\s|$)", ""),
        (r"(?<!\S)@(?=[0-9$])", ""),
    )
)
_POINTS: Final = re.compile(r"\$?[1-9][0-9]{0,2}(?:\.[0-9]{3})+", re.ASCII)
"""Ten thousand to some, ten to others."""


@dataclass(frozen=True, slots=True)
class StopWish:
    """What somebody asks about."""

    symbol: str
    """As typed."""
    side: Side
    entry: float | None = None
    window_ms: int = DEFAULT_WINDOW_MS
    watches: bool = False


def _tidied(words: Sequence[str]) -> list[str]:
    """Numbers with their signs as one word each, without what ends a sentence or names dollars."""
    text = " ".join(words)
    for pattern, put in _TIDIED:
        text = pattern.sub(put, text)
    return text.split()


def _amount(word: str) -> float | None:
    found = parse_number(plain(word))
    return None if found is None or found.unit else found.value


def read_risk(words: tuple[str, ...], before: RiskSettings | None) -> RiskSettings | Problem:
    """Take `10000`, `1%`, `5x`, with or without the words equity, risk, leverage, in any order."""
    after = before if before is not None else RiskSettings(0.0)
    rest, label, last = _tidied(words), "", ""
    amounts: list[str] = []
    while rest:
        word = rest.pop(0).casefold()
        # `1% risk` and `5x leverage` are labelled from behind.
        if (word == "risk" and last.endswith("%")) or (word in {"leverage", "lev"} and last.endswith("x")):
            continue
        if word in _LABELS:
            label = word if word in {"risk", "equity"} else label
            continue
        if word in {"leverage", "lev"}:
            word = (rest.pop(0).casefold().removesuffix("x") if rest else "") + "x"
        elif label == "risk" and not word.endswith("%"):
            # Without its sign it would be taken for the equity.
            return _no_share(word)
        label, last = "", word
        changed = _taken(word, after)
        if isinstance(changed, Problem):
            return replace(changed, try_instead=_without_points(words, before)) if _POINTS.fullmatch(word) else changed
        if not word.endswith(("%", "x")):
            amounts.append(word)
        if len(amounts) > 1:
            return _two_amounts(amounts, changed)
        after = changed
    if after.equity <= 0:
        return Problem(say("I need your equity first, such as 10000."))
    return after


def _two_amounts(amounts: Sequence[str], settings: RiskSettings) -> Problem:
    """Which is the equity is not guessed; what may be a leverage is offered as one."""
    first, second = (shorten(one) for one in amounts)
    said = say("Two amounts, {first} and {second}: one is the equity; a leverage has an x.", first=first, second=second)
    value = _amount(amounts[1]) or 0.0
    share = number_text(Number(settings.risk_ratio, "%"))
    return Problem(said, (f"/risk {first} {share} {value:g}x",) if 1 <= value <= MAX_LEVERAGE else ())


def _without_points(words: tuple[str, ...], before: RiskSettings | None) -> tuple[str, ...]:
    """The command with ten thousand written so that it is nothing else."""
    plain_words = tuple(word.replace(".", "") if _POINTS.fullmatch(word) else word for word in words)
    is_read = plain_words != words and isinstance(read_risk(plain_words, before), RiskSettings)
    return (f"/risk {' '.join(plain_words)}",) if is_read else ()


def _taken(word: str, settings: RiskSettings) -> RiskSettings | Problem:
    if word.endswith("x"):
        found = parse_number(plain(word[:-1]))
        if found is None or found.unit or not 1 <= found.value <= MAX_LEVERAGE:
            return Problem(
                say(
                    "I expected a leverage from 1x to {most:g}x, not {found}.",
                    most=MAX_LEVERAGE,
                    found=shorten(word),
                )
            )
        return replace(settings, leverage=found.value)
    if word.endswith("%"):
        found = parse_number(plain(word))
        if found is None or not 0 < found.value <= 1:
            return _no_share(word)
        return replace(settings, risk_ratio=found.value)
    equity = _amount(word)
    if equity is None or not 0 < equity <= MAX_EQUITY or _POINTS.fullmatch(word):
        return Problem(
            say(
                "I expected an equity such as 10000, a risk such as 1% or a leverage such as 5x, not {found}.",
                found=shorten(word),
            )
        )
    return replace(settings, equity=equity)


def _no_share(word: str) -> Problem:
    return Problem(say("I expected a risk per trade such as 1%, not {found}.", found=shorten(word)))


def _symbol_first(words: Sequence[str]) -> list[str]:
    """`long BTC` and `loss on BTC long` as `BTC long`; a contract may be called so as well."""
    found = list(words)
    while len(found) > 2 and found[0] in _BEFORE_SYMBOL:
        del found[0]
    if len(found) > 2 and parse_duration_ms(found[0].casefold()):
        found.append(found.pop(0))
    side, *rest = found
    if side.casefold() not in _SIDES or len(side) == 1 or any(word.casefold() in _SIDES for word in rest):
        return found
    at = next((k for k, word in enumerate(rest) if word.casefold() not in _LABELS), None)
    return found if at is None else [rest[at], side, *rest[:at], *rest[at + 1 :]]


def read_stop(words: tuple[str, ...]) -> StopWish | Problem:
    """`BTC long [ENTRY] [WINDOW] [watch]`, the symbol first, the rest in any order."""
    if not words:
        return Problem(say("I expected a symbol and long or short."))
    symbol, *rest = _symbol_first(joined(_tidied(words)) or words)
    side: Side | None = None
    wish = StopWish(symbol, "long")
    for typed in rest:
        word = typed.casefold()
        if word in _SIDES and side is None:
            side = _SIDES[word]
        elif word in FOLLOW_WORDS:
            wish = replace(wish, watches=True)
        elif word in _LABELS:
            continue
        elif (window_ms := parse_duration_ms(word)) is not None:
            if not MIN_WINDOW_MS <= window_ms <= MAX_WINDOW_MS:
                bounds = say("{least} to {most}", least=duration_text(MIN_WINDOW_MS), most=duration_text(MAX_WINDOW_MS))
                return Problem(say("I take windows from {bounds}, not {found}.", bounds=bounds, found=shorten(typed)))
            wish = replace(wish, window_ms=window_ms)
        elif (entry := _amount(word)) is not None and wish.entry is None:
            wish = replace(wish, entry=entry)
        else:
            return Problem(
                say(
                    "I expected long or short, an entry price, a window such as 1h, or watch, not {found}.",
                    found=shorten(typed),
                )
            )
    if side is None:
        return Problem(say("After {symbol} I expected long or short.", symbol=shorten(symbol)))
    return replace(wish, side=side)
