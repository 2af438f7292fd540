"""What stands behind a condition of `/alert`: once, silent, for, every, cooldown, until. Raises `Refused` alone."""

from dataclasses import replace
from typing import Final

from bot.chat.alert_text import Options
from bot.chat.alert_words import OPTIONS, Refused
from bot.chat.commands import shorten
from bot.chat.silence_text import read_clock
from bot.rules.ast import DAY_MS, MINUTE_MS, duration_text
from bot.rules.literals import parse_duration_ms
from bot.texts import say

MAX_FOR_MS: Final = DAY_MS
MAX_PAUSE_MS: Final = 7 * DAY_MS
MAX_LIFE_MS: Final = 365 * DAY_MS


def first_option(words: list[str]) -> int:
    """Where the options behind an expression begin; expressions hold none of their words outside of names."""
    return next((k for k, word in enumerate(words) if word.casefold() in OPTIONS), len(words))


def read_options(words: list[str], options: Options, *, window: bool) -> tuple[Options, int | None]:
    """Options, and the window where one may stand."""
    rest, window_ms = list(words), None
    while rest:
        word = rest.pop(0).casefold()
        if word == "once":
            options = replace(options, once=True)
        elif word in {"silent", "silently"}:
            options = replace(options, silent=True)
        elif word in {"for", "every", "cooldown"}:
            options = _paused(options, word, rest.pop(0) if rest else "")
        elif word in {"until", "till", "til"}:
            options = _ending(options, word, rest.pop(0) if rest else "")
        elif window and window_ms is None and (found := parse_duration_ms(word)) is not None:
            window_ms = found
        else:
            raise Refused(
                say(
                    "I expected a window such as 15m, or once, silent, for 2m, every 30m, cooldown 1h, until 18:00, not {found}.",
                    found=shorten(word),
                )
            )
    return options, window_ms


def _paused(options: Options, word: str, typed: str) -> Options:
    ms = parse_duration_ms(typed.casefold())
    longest, shortest = (MAX_FOR_MS, 0) if word == "for" else (MAX_PAUSE_MS, MINUTE_MS if word == "every" else 0)
    if ms is None:
        raise Refused(
            say(
                "After {word} I expected a duration such as 30m, not {found}.",
                word=word,
                found=shorten(typed) or say("nothing"),
            )
        )
    if not shortest <= ms <= longest:
        bounds = say("between {least} and {most}", least=duration_text(shortest), most=duration_text(longest))
        raise Refused(
            say("After {word} I take a duration {bounds}, not {found}.", word=word, bounds=bounds, found=shorten(typed))
        )
    if word == "for":
        return replace(options, for_ms=ms)
    return replace(options, repeat_ms=ms) if word == "every" else replace(options, cooldown_ms=ms)


def _ending(options: Options, word: str, typed: str) -> Options:
    if (minute := read_clock(typed)) is not None and not typed.isdecimal():
        return replace(options, until_min=minute, life_ms=None)
    ms = parse_duration_ms(typed.casefold())
    if ms is None or not MINUTE_MS <= ms <= MAX_LIFE_MS:
        raise Refused(
            say(
                "After {word} I expected a time such as 18:00 or a duration such as 3d, not {found}.",
                word=word,
                found=shorten(typed),
            )
        )
    return replace(options, life_ms=ms, until_min=None)
