"""Lengths of time as people type them: `2h`, `2 hours`, `an hour`, `half an hour`, `1h30m`, `2 weeks`. Never raises; bounds are others' business."""

import re
from collections.abc import Sequence
from typing import Final

from bot.rules.ast import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, duration_text
from bot.rules.literals import parse_duration_ms

_WEEK_MS: Final = 7 * DAY_MS
UNIT_WORDS: Final = {
    "s": ("sec", "secs", "second", "seconds"),
    "m": ("min", "mins", "minute", "minutes"),
    "h": ("hr", "hrs", "hour", "hours"),
    "d": ("day", "days"),
}
"""How people write the units that rules know."""
_SIZES_MS: Final = {"s": SECOND_MS, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
_UNITS: Final[dict[str, int]] = {
    **{word: _SIZES_MS[unit] for unit, words in UNIT_WORDS.items() for word in (unit, *words)},
    **dict.fromkeys(("w", "wk", "week", "weeks"), _WEEK_MS),
    **dict.fromkeys(("mo", "month", "months"), 30 * DAY_MS),
    **dict.fromkeys(("y", "yr", "year", "years"), 365 * DAY_MS),
}
_COUNTS: Final = {"a": 1.0, "an": 1.0, "next": 1.0, "last": 1.0, "past": 1.0, "one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0, "six": 6.0,
                  "eight": 8.0, "ten": 10.0, "twelve": 12.0}  # fmt: skip
_NUMBER: Final = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,3})?", re.ASCII)
_DECIMAL_COMMA: Final = re.compile(r"(?<=[0-9]),(?=[0-9]{1,2}(?![0-9,]))")
_SHORT: Final = re.compile(r"[0-9.]+[a-z]?", re.ASCII | re.IGNORECASE)
_PARTS: Final = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)-?([a-z]+)", re.ASCII)


def leading(words: Sequence[str]) -> tuple[int, int] | None:
    """Milliseconds, and of how many words, where the first of them are a length of time."""
    if not words:
        return None
    first, *rest = (word.casefold().rstrip(".,;!?") for word in words[:3])
    if (ms := _one_word(first)) is not None:
        return ms, 1
    unit = _UNITS.get(rest[0]) if rest else None
    if first == "half" and len(rest) == 2 and rest[0] in {"an", "a"} and rest[1] in {"hour", "day"}:
        return _UNITS[rest[1]] // 2, 3
    if unit is None:
        return None
    # One letter behind a word is no unit: `a d` is none.
    first = _DECIMAL_COMMA.sub(".", first)
    count = float(first) if _NUMBER.fullmatch(first) else _COUNTS.get(first) if len(rest[0]) > 1 else None
    return None if count is None else (int(count * unit), 2)


def with_parts(words: Sequence[str]) -> tuple[int, int] | None:
    """As `leading`, with the smaller unit that may follow: `1 hour 30 minutes`."""
    found = leading(words)
    if found is None or not found[0]:
        return found
    ms, n = found
    behind = n + (len(words) > n and words[n].casefold() == "and")
    more = leading(words[behind:]) if len(words) > behind and words[behind][0].isdigit() else None
    unit = next((size for size in reversed(_SIZES_MS.values()) if ms % size == 0), SECOND_MS)
    return (ms + more[0], behind + more[1]) if more is not None and 0 < more[0] < unit else found


def _one_word(word: str) -> int | None:
    word = _DECIMAL_COMMA.sub(".", word)
    if (ms := parse_duration_ms(word)) is not None:
        return ms
    parts = _PARTS.findall(word)
    if not parts or _PARTS.sub("", word) or any(unit not in _UNITS for _, unit in parts):
        return None
    return sum(int(float(count) * _UNITS[unit]) for count, unit in parts)


def joined(words: Sequence[str]) -> list[str]:
    """The words, with each length of time that is of several as one: `7 days` becomes `7d`."""
    found, rest = list[str](), list(words)
    while rest:
        length = leading(rest)
        if length is None or length[0] <= 0 or (length[1] == 1 and _SHORT.fullmatch(rest[0])):
            found.append(rest.pop(0))
            continue
        found.append(duration_text(length[0]))
        del rest[: length[1]]
    return found
