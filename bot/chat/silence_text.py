"""What people type to keep alerts quiet, as wishes: `oi_surge BTC 2h maintenance`, `#7q4m for 4h`, `23:00-07:00`.

Before the time stand targets, all of which must match, and behind it a comment. Knows no rules and no instruments.
"""

import re
from dataclasses import dataclass
from typing import Final

from bot.chat.commands import shorten
from bot.chat.durations import joined, leading, with_parts
from bot.chat.grammars import MAX_SYMBOLS
from bot.chat.spec import Problem
from bot.model.silence import MAX_SILENCE_MS
from bot.rules.ast import HOUR_MS, MINUTE_MS, duration_text
from bot.texts import say

DEFAULT_MS: Final = 2 * HOUR_MS
MAX_COMMENT_CHARS: Final = 200
MAX_TARGET_CHARS: Final = 40
MIN_ID_CHARS: Final = 4
FILLERS: Final = frozenset(
    {"and", "&", "+", "the", "alert", "alerts", "on", "of", "for", "from", "about", "rule", "rules", "please", "me"}
)
"""Words between targets that name none."""
_OTHER_DAYS: Final = frozenset(
    {"tomorrow", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "next"}
)

_CLOCK: Final = re.compile(r"([01]?[0-9]|2[0-3])(?::([0-5][0-9]))?", re.ASCII)
_HALF_DAY: Final = re.compile(r"(1[0-2]|0?[1-9])(?::([0-5][0-9]))?(am|pm)", re.ASCII)
_TIME: Final = r"([0-9]{1,2}(?:[:.h]?[0-9]{2}|h)?(?:\s?[ap]m)?)"
_TO: Final = r"(?:\s*(?:[-–—~→]|(?<=\s)(?:to|until|till|and)(?=\s))\s*|\s+)"
_RANGE: Final = re.compile(rf"(?:from\s+|between\s+|on\s+)?{_TIME}{_TO}{_TIME}(?:\s+(.*))?", re.ASCII | re.IGNORECASE)
_NO_HOURS: Final = frozenset({"off", "none", "no", "stop", "end"})
_ALIKE: Final = str.maketrans("oil", "011")
"""Letters that ids do not have, for the digits that they are taken for."""


@dataclass(frozen=True, slots=True)
class SilenceWish:
    """What somebody wants to hear no more for a while."""

    targets: tuple[str, ...]
    """Words as typed, commas taken off; none means everything."""
    duration_ms: int | None = None
    until_min: int | None = None
    """Minutes after local midnight; None with a duration."""
    comment: str = ""
    also_critical: bool = False
    is_here: bool = False
    at: str = ""
    """A destination's name."""
    is_all: bool = False
    """Said, not only left open."""

    @property
    def is_open(self) -> bool:
        """Whether nothing said what is meant."""
        return not (self.is_all or self.targets)

    @property
    def assumed_time(self) -> bool:
        return self.duration_ms is None and self.until_min is None


def read_silence(words: tuple[str, ...]) -> SilenceWish | Problem:
    """Read the arguments of `/silence`. Never raises."""
    rest, targets = list(words), list[str]()
    also_critical, is_here, at = False, False, ""
    duration_ms: int | None = None
    until_min: int | None = None
    is_all = False
    while rest and duration_ms is None and until_min is None:
        word = rest.pop(0)
        lowered = word.casefold()
        if lowered in {"all", "everything"}:
            is_all = True
        elif lowered == "critical":
            also_critical = True
        elif lowered == "here":
            is_here = True
        elif lowered == "at":
            if not rest:
                return Problem(say("After at I expected where, such as telegram."))
            at = rest.pop(0)
        elif lowered in {"until", "till", "til"}:
            clock = _take_clock(rest, lowered)
            if isinstance(clock, Problem):
                return clock
            until_min = clock
        elif (found := _take_length(word, rest, has_targets=not FILLERS.issuperset(targets))) is not None:
            if isinstance(found, Problem):
                return found
            duration_ms = found
        elif any(len(one) > MAX_TARGET_CHARS for one in word.split(",")):
            return Problem(say("{word} is too long for a rule or a symbol.", word=shorten(word)))
        else:
            targets += [name for one in word.split(",") if (name := one.rstrip(".;!"))]
    if is_all:
        targets = [one for one in targets if one.casefold() not in FILLERS]
    if is_all and targets:
        return all_or(targets[0])
    if len(targets) > MAX_SYMBOLS:
        return too_many(len(targets))
    while rest and rest[0].casefold() in {"here", "critical"}:
        word = rest.pop(0).casefold()
        is_here, also_critical = is_here or word == "here", also_critical or word == "critical"
    comment = " ".join(rest)
    if len(comment) > MAX_COMMENT_CHARS:
        return Problem(say("A comment has at most {n} characters.", n=MAX_COMMENT_CHARS))
    return SilenceWish(tuple(targets), duration_ms, until_min, comment, also_critical, is_here, at, is_all)


def _take_clock(rest: list[str], word: str) -> int | Problem:
    """What stands behind `until`, taken off."""
    if len(rest) > 1 and rest[1].casefold().rstrip(".,;!") in {"am", "pm"}:
        rest[:2] = [rest[0] + rest[1]]
    found = read_clock(rest[0].rstrip(".,;!").replace(".", ":")) if rest else None
    behind = rest[1:2]
    if found is None or (behind and behind[0].casefold().rstrip(".,;!") in _OTHER_DAYS):
        shown = rest if found is None else behind
        return Problem(
            say("After {word} I expected a time such as 18:00, not {found}.", word=word, found=_shown(shown))
        )
    rest.pop(0)
    return found


def _take_length(word: str, rest: list[str], *, has_targets: bool) -> int | Problem | None:
    """Of a word and those behind it, taken off; None where they are no length of time."""
    is_for = word.casefold() == "for"
    words = [*rest] if is_for else [word, *rest]
    for n_before in range(min(len(words), 3)):
        found = with_parts(words[n_before:])
        if found is not None:
            ms, n = found
            del rest[: n_before + n - (0 if is_for else 1)]
            return _bounded(ms, " ".join(words[n_before : n_before + n]))
        if words[n_before].casefold() not in {"the", "next"}:
            break
    # `alerts for btc 2h` has none yet.
    return read_duration(rest[0] if rest else "") if is_for and has_targets else None


def too_many(n: int) -> Problem:
    return Problem(say("That is {n} symbols; I take up to {most} at once.", n=n, most=MAX_SYMBOLS))


def all_or(typed: str) -> Problem:
    return Problem(say("All, or {name}? I take one of them.", name=shorten(typed)))


def _shown(rest: list[str]) -> str:
    return shorten(rest[0]) if rest else say("nothing")


def read_duration(typed: str) -> int | Problem:
    """Milliseconds between a minute and thirty days."""
    found = leading([typed])
    if found is None:
        return Problem(say("I expected a duration such as 2h, not {found}.", found=shorten(typed) or say("nothing")))
    return _bounded(found[0], typed)


def _bounded(ms: int, typed: str) -> int | Problem:
    if not MINUTE_MS <= ms <= MAX_SILENCE_MS:
        bounds = say("between {least} and {most}", least=duration_text(MINUTE_MS), most=duration_text(MAX_SILENCE_MS))
        return Problem(say("I take a duration {bounds}, not {found}.", bounds=bounds, found=shorten(typed)))
    return ms


def read_clock(typed: str) -> int | None:
    """Minutes after midnight of `18:00`, `7:30`, `18` or `6pm`."""
    if (half := _HALF_DAY.fullmatch(typed.casefold())) is not None:
        return (int(half[1]) % 12 + (12 if half[3] == "pm" else 0)) * 60 + int(half[2] or 0)
    found = _CLOCK.fullmatch(typed)
    return None if found is None else int(found[1]) * 60 + int(found[2] or 0)


@dataclass(frozen=True, slots=True)
class AckWish:
    """Which firing somebody has seen, and for how long that counts."""

    prefix: str
    duration_ms: int | None = None


def read_id(typed: str) -> str | Problem:
    """The digits of a short id, with or without the mark."""
    digits = typed.casefold().removeprefix("#").translate(_ALIKE)
    if not re.fullmatch(r"[0-9a-hjkmnp-tv-z]{4,8}", digits, re.ASCII):
        return Problem(
            say(
                "I expected four to eight characters of an alert's id, such as #7q4m, not {found}.",
                found=shorten(typed),
            )
        )
    return digits


def read_ack(words: tuple[str, ...]) -> AckWish | Problem:
    """`#7q4m`, `#7q4m for 4h` or `#7q4m 4h`."""
    if not words:
        return Problem(say("I expected the id of an alert, such as #7q4m."))
    prefix = read_id(words[0])
    if isinstance(prefix, Problem):
        return prefix
    rest = joined(words[2:] if len(words) > 1 and words[1].casefold() == "for" else words[1:])
    if len(words) == 1:
        return AckWish(prefix)
    if len(rest) > 1:
        return Problem(say("Behind the duration I expected nothing, not {found}.", found=shorten(rest[1])))
    duration = read_duration(rest[0] if rest else "")
    return duration if isinstance(duration, Problem) else AckWish(prefix, duration)


@dataclass(frozen=True, slots=True)
class QuietWish:
    """Quiet hours to set, to end, or (`is_look`) to look at."""

    starts_min: int = 0
    ends_min: int = 0
    zone: str = ""
    """As typed; empty where it was left out."""
    at: str = ""
    is_off: bool = False
    is_look: bool = False


def read_quiet(words: tuple[str, ...]) -> QuietWish | Problem:
    """`23:00-07:00`, `23:00-07:00 Europe/Berlin`, `off`, nothing; `at NAME` behind it."""
    at = ""
    if len(words) >= 2 and words[-2].casefold() == "at":
        words, at = words[:-2], words[-1]
    if not words:
        return QuietWish(at=at, is_look=True)
    text = " ".join(words).rstrip(".,;!?")
    if text.casefold() in _NO_HOURS:
        return QuietWish(at=at, is_off=True)
    found = _RANGE.fullmatch(text) or _RANGE.fullmatch(" ".join((*words[1:], words[0])))
    starts_min, ends_min = (_read_hour(found[1]), _read_hour(found[2])) if found else (None, None)
    # `10-7am` could begin in the morning or at night.
    is_clear = found is not None and (found[1][-1] in "mM") == (found[2][-1] in "mM")
    if found is None or starts_min is None or ends_min is None or not is_clear:
        return Problem(say("I expected hours such as 23:00-07:00, or off, not {found}.", found=shorten(text)))
    if starts_min == ends_min:
        return Problem(say("Quiet hours need an end other than their start; /silence all is for longer."))
    zone = re.sub(r"^(?:in|at)\s+", "", (found[3] or "").strip("() "), flags=re.IGNORECASE)
    return QuietWish(starts_min, ends_min, "_".join(zone.split()), at)


def _read_hour(typed: str) -> int | None:
    """As `read_clock`, and `7h`, `7h30`, `7.30`, `7 am`."""
    typed = re.sub(r"[.h]", ":", typed.casefold().replace(" ", "")).rstrip(":")
    return read_clock(re.sub(r"(?<=^[0-9]{2})(?=[0-9]{2}$)", ":", typed))
