"""Several alerts typed as one, `btc price > 100k or eth price > 5k`: which they are. Never raises; knows no instruments.

Only what the grammar has refused is looked at, so nothing that can be read as one alert is taken apart.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bot.chat.alert_options import first_option
from bot.chat.alert_phrases import ordered, plain_signs, short, to_me
from bot.chat.alert_text import AlertWish, Options
from bot.chat.alert_words import SPLIT, figure_of, is_comparison, number
from bot.rules.literals import parse_duration_ms

MAX_APART: Final = 8
_MAX_CHUNKS: Final = 9
_MAX_CHARS: Final = 240
_BOTH: Final = frozenset({"and", "&", "&&", "+", "while", "if", "when"})
"""Between conditions that are to hold together."""
_EITHER: Final = frozenset({"or", "|", "||", "/"})
_NEXT: Final = frozenset({",", ";", "/alert", "/a", "alert", "also", "then"})
_JOINTS: Final = _BOTH | _EITHER | _NEXT
# No comma within a number: behind one and before a letter it is that of a list.
_COMMAS: Final = re.compile(r"\s*(?:;|,(?=\s)|(?<=\s),|(?<=[0-9%kmbhd]),(?=[a-z$/]))\s*", re.IGNORECASE)

Reader = Callable[[str], AlertWish | None]


@dataclass(frozen=True, slots=True)
class Apart:
    """What was meant as several."""

    typed: tuple[str, ...]
    """Each as the grammar reads it."""
    symbols: tuple[tuple[str, ...], ...]
    """Of each, as typed; none of the largest."""
    is_both: bool
    """They were to hold at the same time."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    joint: tuple[str, ...]
    """What stands before it."""
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    typed: str
    joint: tuple[str, ...]
    wish: AlertWish


def apart(typed: str, read: Reader) -> Apart | None:
    """The alerts that stand in a text that is none; `read` is the grammar. None where it is not made of several."""
    if len(typed) > _MAX_CHARS:
        return None
    body, note, said = _cut_note(to_me(plain_signs(typed)))
    chunks = _chunks(body)
    if not 2 <= len(chunks) <= _MAX_CHUNKS:
        return None
    pieces = _pieces(chunks, 0, read, {})
    if pieces is None or not 2 <= len(pieces) <= MAX_APART:
        return None
    joints = {word for piece in pieces[1:] for word in piece.joint}
    each = [piece.typed for piece in pieces]
    if not joints & _NEXT and all(piece.wish.options == Options() for piece in pieces[:-1]):
        # Behind one sentence, options are of all that it names.
        words = each[-1].split()
        options = words[first_option(words) :]
        each = [" ".join((one, *options)) for one in each[:-1]] + each[-1:]
    each = [f"{one} note {said}" if note else one for one in each]
    wishes = [wish for wish in map(read, each) if wish is not None]
    if len(wishes) < len(each):
        return None
    symbols = tuple(wish.symbols for wish in wishes)
    is_both = bool(joints & _BOTH)
    # A condition of one contract that could not be read is none of two.
    return None if is_both and len({*symbols}) == 1 else Apart(tuple(each), symbols, is_both)


def shown(typed: str, symbols: tuple[str, ...]) -> str:
    """As it is offered: its symbols in capitals."""
    for name in symbols:
        typed = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", name.upper(), typed, count=1)
    return typed


def _cut_note(typed: str) -> tuple[str, bool, str]:
    found = re.search(r"\snote\s+", typed, re.IGNORECASE)
    return (typed, False, "") if found is None else (typed[: found.start()], True, typed[found.end() :].strip())


def _chunks(typed: str) -> list[_Chunk]:
    """Cut at each joint, and where a word follows that cannot go on."""
    found: list[_Chunk] = []
    joint: list[str] = []
    words: list[str] = []
    for word in _COMMAS.sub(lambda one: f" {one[0].strip()} ", typed).split():
        is_joint = word.casefold() in _JOINTS
        if words and (is_joint or _begins_anew(word, words[-1])):
            found.append(_Chunk(tuple(joint), tuple(words)))
            joint, words = [], []
        (joint if is_joint else words).append(word.casefold() if is_joint else word)
    return [*found, _Chunk(tuple(joint), tuple(words))] if words else found


def _begins_anew(word: str, before: str) -> bool:
    """Whether a word that may be a symbol follows a number or a window, as the next line does."""
    is_end = number(before) is not None or parse_duration_ms(before.casefold()) is not None
    return is_end and _is_name(word)


def _is_name(word: str) -> bool:
    if figure_of(word) is not None or is_comparison(word) or number(word) is not None or first_option([word]) == 0:
        return False
    return parse_duration_ms(word.casefold()) is None and word.lstrip("$#").replace(",", "").isalnum()


def _pieces(
    chunks: list[_Chunk], at: int, read: Reader, known: dict[int, tuple[_Piece, ...] | None]
) -> tuple[_Piece, ...] | None:
    """The chunks from `at` on as alerts, each as short as can be; None where they are none."""
    if at == len(chunks):
        return ()
    if at not in known:
        known[at] = None
        for end in range(at + 1, len(chunks) + 1):
            rest = _pieces(chunks, end, read, known)
            if rest is not None and (piece := _piece(chunks, at, end, read)) is not None:
                known[at] = (piece, *rest)
                break
    return known[at]


def _piece(chunks: list[_Chunk], at: int, end: int, read: Reader) -> _Piece | None:
    first, *others = chunks[at:end]
    words = [*first.words, *(word for chunk in others for word in (*chunk.joint, *chunk.words))]
    typed = " ".join(words).replace(" , ", ",")
    tried = [typed]
    # Named once: the figure in `btc oi > 5% or eth > 3%`, the symbol in `btc price > 100k, price < 70k`.
    figure = next((word for chunk in chunks[:at] for word in chunk.words if figure_of(word) is not None), None)
    if figure is not None and all(figure_of(word) is None for word in words):
        tried.append(f"{typed} {figure}")
    names = [chunk.words[0] for chunk in chunks[:at] if _is_name(chunk.words[0])]
    if names and not any(map(_is_name, words)):
        tried = [f"{names[-1]} {typed}"] if _NEXT.issuperset(first.joint) else []
    for one in tried:
        written = one if "(" in one or "when" in words else " ".join(ordered(SPLIT.sub(r" \1 ", short(one)).split()))
        if (wish := read(written)) is not None:
            return _Piece(written, first.joint, wish)
    return None
