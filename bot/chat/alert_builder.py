"""An alert by buttons alone: symbol, figure, size, window. Each button carries the words so far. Pure."""

from collections.abc import Sequence
from typing import Final

from bot.chat.commands import shorten
from bot.chat.reply import Button, Reply, code, line
from bot.texts import mark, say

N_SYMBOLS: Final = 8
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


def _rows(labels: Sequence[tuple[str, str]], width: int) -> tuple[tuple[Button, ...], ...]:
    buttons = [Button(label, command) for label, command in labels]
    return tuple(tuple(buttons[i : i + width]) for i in range(0, len(buttons), width))


def page(words: Sequence[str], largest: Sequence[str] = ()) -> Reply:
    """The next choice."""
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
            (line(say("{symbol} {figure}: how much?", symbol=words[0], figure=words[1])),),
            _rows([(s, f"{so_far} {s}") for s in sizes], 3),
        )
    return Reply(
        (line(say("{alert}: within which time?", alert=" ".join(words[:3]))),),
        _rows([(w, f"{so_far} {w}") for w in _WINDOWS], 4),
    )
