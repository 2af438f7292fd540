"""An alert by buttons alone: symbol, figure, size, window. Each button carries the words so far. Pure."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from bot.chat.alert_words import EVERYTHING, TOP, figure_of, number
from bot.chat.commands import shorten
from bot.chat.reply import Button, Line, Reply, code, line
from bot.model import numbers
from bot.model.rehearsal import Rehearsed
from bot.texts import mark, say

N_SYMBOLS: Final = 8
TRIED_WINDOW: Final = "15m"
LEAST_SPAN_MS: Final = 3_600_000
"""Less of the past says nothing."""
_FIGURES: Final = (
    (mark("Open interest"), "oi"),
    (mark("Price"), "price"),
    (mark("Funding"), "funding"),
    (mark("Volume"), "vol"),
)
_SIZES: Final = {
    "oi": ("±3%", "±5%", "±10%", "+5%", "-5%"),
    "price": ("±1%", "±3%", "±5%", "+3%", "-3%"),
    "funding": ("±0.05%", "±0.10%", "±0.20%"),
    "vol": ("2x", "3x", "5x"),
}
_WINDOWS: Final = ("5m", "15m", "1h", "4h")
_WITHOUT_WINDOW: Final = frozenset({"funding"})


def complete(words: Sequence[str]) -> str | None:
    """The words of `/alert` once enough is chosen."""
    if len(words) < 3 or (words[1] not in _WITHOUT_WINDOW and len(words) < 4):
        return None
    symbol, figure, size, *window = words
    return " ".join((symbol, figure, size, *window[:1]))


def begun(typed: str) -> tuple[str, ...] | None:
    """One symbol, or a symbol and a figure that can be chosen, and no more: the rest is asked for by buttons."""
    symbol, *more = typed.split()
    if symbol.casefold() in EVERYTHING:
        return None
    if len(more) > 1 or "," in symbol or TOP.match(symbol.casefold()) or not symbol[0].isalnum() or figure_of(symbol):
        return None
    figure = figure_of(more[0]) if more else None
    chosen = "vol" if figure == "volume" else figure or ""
    return (symbol, chosen) if chosen in _SIZES else None if more or number(symbol) else (symbol,)


def choices(words: Sequence[str]) -> list[tuple[str, str]]:
    """What can be chosen next, where each choice says when it would fire: its label, and the words of `/alert`.

    Sizes are tried with a window of 15 minutes.
    """
    if len(words) not in {2, 3} or words[1] not in _SIZES:
        return []
    symbol, figure, *size = words
    if size:
        return [(window, f"{symbol} {figure} {size[0]} {window}") for window in _WINDOWS]
    window = "" if figure in _WITHOUT_WINDOW else f" {TRIED_WINDOW}"
    return [(one, f"{symbol} {figure} {one}{window}") for one in _SIZES[figure]]


def _often(label: str, counts: Mapping[str, Rehearsed]) -> str:
    return f"{label} · {counts[label].n_fired}×" if label in counts else label


def _hint(words: Sequence[str], counts: Mapping[str, Rehearsed]) -> tuple[Line, ...]:
    """How often each choice would have fired."""
    if not counts:
        return ()
    span = numbers.duration(max(one.span_ms for one in counts.values()))
    told = ", ".join(f"{label} {one.n_fired}×" for label, one in counts.items())
    if len(words) == 2 and words[1] not in _WITHOUT_WINDOW:
        return (line(say("Would have fired in {span}, within 15m: {counts}.", span=span, counts=told)),)
    return (line(say("Would have fired in {span}: {counts}.", span=span, counts=told)),)


def _rows(labels: Sequence[tuple[str, str]], width: int) -> tuple[tuple[Button, ...], ...]:
    buttons = [Button(label, command) for label, command in labels]
    return tuple(tuple(buttons[i : i + width]) for i in range(0, len(buttons), width))


def page(
    words: Sequence[str], largest: Sequence[str] = (), counts: Mapping[str, Rehearsed] = MappingProxyType({})
) -> Reply:
    """The next choice. `counts`: what each would have done, by its label."""
    counts = {label: one for label, one in counts.items() if one.span_ms >= LEAST_SPAN_MS}
    so_far = " ".join(("/new", *words))
    if not words:
        hint = line(say("Or write it: "), code("/alert BTC oi > 5% 15m"))
        return Reply(
            (line(say("An alert about which symbol?")), hint), _rows([(s, f"{so_far} {s}") for s in largest], 3)
        )
    if len(words) == 1 or words[1] not in _SIZES:
        symbol = words[0]
        what = line(say("What of {symbol}?", symbol=symbol))
        if is_odd := len(words) > 1:
            figures = ", ".join(_SIZES)
            what = line(say("I expected one of {figures}, not {found}.", figures=figures, found=shorten(words[1])))
        return Reply((what,), _rows([(say(n), f"/new {symbol} {f}") for n, f in _FIGURES], 2), is_refusal=is_odd)
    if len(words) == 2:
        sizes = _SIZES[words[1]]
        return Reply(
            (line(say("{symbol} {figure}: how much?", symbol=words[0], figure=words[1])), *_hint(words, counts)),
            _rows([(_often(s, counts), f"{so_far} {s}") for s in sizes], 3),
        )
    return Reply(
        (line(say("{alert}: within which time?", alert=" ".join(words[:3]))), *_hint(words, counts)),
        _rows([(_often(w, counts), f"{so_far} {w}") for w in _WINDOWS], 2 if counts else 4),
    )
