"""The command grammar: one table, and from it parsing, help and the menu of Telegram.

`parse` takes any text and returns a `Command`, a `UsageError` or None (not meant for this bot). It never raises.
Control, zero-width and direction characters are removed before anything else looks at the text, so no echo can carry
them on. To add a command: a row in `COMMANDS` and a handler in `actions`.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rapidfuzz.distance import JaroWinkler

MAX_ARGUMENTS_CHARS: Final = 1_000
MAX_SYMBOLS: Final = 10
MAX_WORD_CHARS: Final = 40
MAX_ALERT_WORDS: Final = 24
MAX_SILENCE_WORDS: Final = 60

_SEPARATORS = re.compile(r"[\s,;]+")
_HEAD = re.compile(r"^/([^\s@]*)(?:@(\S*))?(?:\s+(.*))?$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why arguments were refused, in words for people."""

    text: str


Grammar = Callable[[str], tuple[str, ...] | Problem]
"""Argument text, clean and stripped, to words."""


@dataclass(frozen=True, slots=True)
class Command:
    """A request that fits its grammar. `name` is the table's, whatever alias was typed."""

    name: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UsageError:
    """A request that cannot be understood, and what to type instead."""

    text: str
    try_instead: tuple[str, ...] = ()
    """Commands, offered as buttons."""
    is_unknown: bool = False
    """No such command, or no command at all; in a group it may be another bot's."""


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """One row of the table."""

    name: str
    aliases: tuple[str, ...]
    grammar: Grammar
    usage: str
    does: str
    """After the usage in `/help`, and in the menu."""
    section: str
    is_listed: bool
    details: tuple[str, ...] = ()
    """Lines of `/help NAME`."""


def _nothing(_text: str) -> tuple[str, ...] | Problem:
    return ()


def _symbols(text: str) -> tuple[str, ...] | Problem:
    words = tuple(dict.fromkeys(word for word in _SEPARATORS.split(text) if word))
    if len(words) > MAX_SYMBOLS:
        return Problem(f"That is {len(words)} symbols; I take up to {MAX_SYMBOLS} at once.")
    if any(len(word) > MAX_WORD_CHARS for word in words):
        return Problem(f"A symbol has at most {MAX_WORD_CHARS} characters.")
    return words


def _why(text: str) -> tuple[str, ...] | Problem:
    words = tuple(word for word in _SEPARATORS.split(text) if word)
    if len(words) > 2:
        return Problem(f"That is {len(words)} words; I take a symbol and a rule.")
    if any(len(word) > MAX_WORD_CHARS for word in words):
        return Problem(f"A symbol or a rule has at most {MAX_WORD_CHARS} characters.")
    return words


def _topic(text: str) -> tuple[str, ...] | Problem:
    words = text.split()
    return (words[0].removeprefix("/").casefold()[:MAX_WORD_CHARS],) if words else ()


def _alert(text: str) -> tuple[str, ...] | Problem:
    words = tuple(text.split())
    if len(words) > MAX_ALERT_WORDS or any(len(word) > MAX_WORD_CHARS for word in words):
        return Problem("That is too long for an alert.")
    return words


def _page(text: str) -> tuple[str, ...] | Problem:
    words = text.split()
    if not words:
        return ()
    if len(words) > 1 or not re.fullmatch(r"[0-9]{1,4}", words[0], re.ASCII):
        return Problem("I expected the number of a page, or nothing.")
    return (words[0],)


def _alert_prefix(text: str) -> tuple[str, ...] | Problem:
    """Some characters of an id, with or without the mark and the `a-`; or `all`."""
    words = text.casefold().split()
    if len(words) != 1:
        return Problem("I expected the id of one alert, or all.")
    digits = words[0].removeprefix("#").removeprefix("a-")
    if digits == "all" and "-" not in words[0]:
        return ("all",)
    if not re.fullmatch(r"[0-9a-z]{4,8}", digits, re.ASCII):
        return Problem("I expected four to eight characters of an alert's id, or all.")
    return (digits,)


def _dead_letters(text: str) -> tuple[str, ...] | Problem:
    """Nothing, or `retry` and an id or `all`."""
    words = text.casefold().replace("#", "").split()
    if not words:
        return ()
    if len(words) != 2 or words[0] != "retry" or not re.fullmatch(r"[0-9a-z]{3,8}", words[1], re.ASCII):
        return Problem("I expected nothing, or retry and an id or all.")
    return tuple(words)


def _few_words(text: str) -> tuple[str, ...] | Problem:
    """Read by the command itself."""
    words = tuple(text.split())
    return words if len(words) <= MAX_SILENCE_WORDS else Problem("That is too long for me.")


def _some_words(text: str) -> tuple[str, ...] | Problem:
    return _few_words(text) if text.split() else Problem("I expected what to keep quiet.")


def _silence_prefix(text: str) -> tuple[str, ...] | Problem:
    words = text.casefold().split()
    if len(words) != 1:
        return Problem("I expected the id of one silence, or all.")
    digits = words[0].removeprefix("s-")
    if digits == "all" and "-" not in words[0]:
        return ("all",)
    if not re.fullmatch(r"[0-9a-z]{1,8}", digits, re.ASCII):
        return Problem("I expected the first characters of a silence's id, or all.")
    return (digits,)


COMMANDS: Final[tuple[CommandSpec, ...]] = (
    CommandSpec(
        "oi",
        ("o",),
        _symbols,
        "/oi BTC",
        "open interest, changes, funding",
        "Look",
        True,
        (
            "/oi BTC · one card: size, rank, changes over 5m to 24h",
            "/oi BTC ETH SOL · a table of several",
            "/oi · the five largest",
            "Symbols as you like: btc, BTC/USDT, $sol, bitcoin, BTCUSDT:binance.",
        ),
    ),
    CommandSpec(
        "price",
        ("p",),
        _symbols,
        "/price BTC",
        "price and 24h range",
        "Look",
        True,
        (
            "/price BTC · mark price, 24h range, index, basis",
            "/price BTC ETH · a table of several",
            "/price · the five largest by open interest",
        ),
    ),
    CommandSpec(
        "why",
        ("w",),
        _why,
        "/why BTC",
        "why a rule fires or does not",
        "Look",
        True,
        (
            "/why BTC · all rules that look at it, the nearest first",
            "/why BTC oi_surge · one rule in full: values, windows, ages, what is missing",
            "/why #7q4m · an alert by its id, or by four or more characters of it",
            "/why breadth_surge · a rule about the whole market",
            "✓ true, ✗ false, ? unknown; ● firing, ◐ pending, ◌ cooling, ○ inactive.",
        ),
    ),
    CommandSpec(
        "alert",
        ("a",),
        _alert,
        "/alert BTC oi > 5% 15m",
        "make an alert",
        "Alerts",
        True,
        (
            "/alert BTC oi > 5% 15m · a change over a window",
            "/alert BTC price > 70000 · a level",
            "/alert ETH funding < -0.05%",
            "Figures: price, oi, oi_usd, funding, funding_8h, basis, index, volume_24h.",
            "Behind it: once · for 2m · every 30m (again while true) · cooldown 1h.",
            "One that is true already waits until it was false once.",
        ),
    ),
    CommandSpec(
        "alerts",
        ("al",),
        _page,
        "/alerts",
        "alerts of this chat",
        "Alerts",
        True,
        ("/alerts · what this chat has asked for, and how far it is", "/alerts 2 · the second page"),
    ),
    CommandSpec(
        "delete",
        ("del",),
        _alert_prefix,
        "/delete a-7q4m",
        "delete an alert",
        "Alerts",
        True,
        ("/delete a-7q4m · four characters of its id are enough", "/delete all · all alerts of this chat"),
    ),
    CommandSpec(
        "silence",
        ("mute",),
        _some_words,
        "/silence BTC 2h",
        "keep alerts quiet for a while",
        "Quiet",
        True,
        (
            "/silence BTC 2h · a symbol; oi_surge, oi_*, #7q4m, a-7q4m, tag:NAME, severity:info as well",
            "/silence oi_surge BTC until 18:00 moving house · both must match; a comment comes last",
            "/silence all 2h · everything but critical alerts; with all critical 2h these too",
            "here behind the target: in this chat alone.",
            "What fires meanwhile is kept: told at the end if it still fires, else in a summary.",
        ),
    ),
    CommandSpec("silences", (), _nothing, "/silences", "what is quiet now", "Quiet", True),
    CommandSpec(
        "unsilence",
        ("unmute",),
        _silence_prefix,
        "/unsilence s-7q4m",
        "end a silence now",
        "Quiet",
        True,
        ("/unsilence s-7q4m · the first characters of its id are enough", "/unsilence all · all that you may end"),
    ),
    CommandSpec(
        "ack",
        (),
        _few_words,
        "/ack #7q4m for 4h",
        "I have seen it: no repeats",
        "Quiet",
        True,
        ("/ack #7q4m · no repeats and escalations until it ends", "/ack #7q4m for 4h · for that long at most"),
    ),
    CommandSpec(
        "quiet",
        (),
        _few_words,
        "/quiet 23:00-07:00 Europe/Berlin",
        "hours for critical alerts only",
        "Quiet",
        True,
        (
            "/quiet 23:00-07:00 Europe/Berlin · info and warnings of this chat are kept until they end",
            "/quiet · what is set",
            "/quiet off",
        ),
    ),
    CommandSpec(
        "deadletters",
        ("dead",),
        _dead_letters,
        "/deadletters",
        "what could not be told",
        "Bot",
        True,
        (
            "/deadletters · what could not be told, and why; for the owner",
            "/deadletters retry 7q4mk2px · tell it after all",
            "/deadletters retry all",
        ),
    ),
    CommandSpec("status", (), _nothing, "/status", "feeds, delays, alerts", "Bot", True),
    CommandSpec("help", ("h",), _topic, "/help oi", "more about one command", "Bot", True),
    CommandSpec("start", (), _nothing, "/start", "what I do", "Bot", False),
)

_BY_NAME: Final = {word: spec for spec in COMMANDS for word in (spec.name, *spec.aliases)}


def find(word: str) -> CommandSpec | None:
    """The row of a name or alias."""
    return _BY_NAME.get(word)


def clean(text: str) -> str:
    """Remove what could break or disguise a message; line breaks and tabs become spaces.

    Gone are control and format characters (zero-width, direction overrides) and lone surrogates, which have no UTF-8.
    """
    kept = (" " if char in "\n\r\t\v\f" else char for char in text)
    return "".join(char for char in kept if unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}).strip()


def shorten(text: str, limit: int = 32) -> str:
    """Cut what came from outside before it is echoed."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _unknown(word: str) -> UsageError:
    name = word.casefold()[:MAX_WORD_CHARS]
    scored = ((JaroWinkler.similarity(name, spec.name), spec) for spec in COMMANDS if spec.is_listed)
    score, nearest = max(scored, key=lambda pair: pair[0])
    if name and score >= 0.75:
        return UsageError(
            f"I don't know /{shorten(word)}. Did you mean /{nearest.name}?", (f"/{nearest.name}",), is_unknown=True
        )
    return UsageError(f"I don't know /{shorten(word)}. /help shows what I can do.", ("/help",), is_unknown=True)


def parse(text: str, *, bot_name: str | None = None, is_slash_optional: bool = False) -> Command | UsageError | None:
    """Read one line of a person.

    Args:
        text: Anything.
        bot_name: Our user name without `@`; a command addressed to another name is not ours.
        is_slash_optional: In the terminal and in a private chat `oi btc` is as good as `/oi btc`.
    """
    line = clean(text)
    if not line.startswith("/"):
        return _parse_bare(line) if is_slash_optional else None
    found = _HEAD.match(line)
    if found is None:
        return None
    word, addressee, arguments = found[1], found[2], (found[3] or "").strip()
    if addressee is not None and addressee.casefold() != (bot_name or "").casefold():
        return None
    spec = _BY_NAME.get(word.casefold())
    if spec is None:
        return _unknown(word)
    if len(arguments) > MAX_ARGUMENTS_CHARS:
        return UsageError(f"That is too long for me. Write it like {spec.usage}.", (spec.usage,))
    words = spec.grammar(arguments)
    if isinstance(words, Problem):
        return UsageError(f"{words.text} Write it like {spec.usage}.", (spec.usage,))
    return Command(spec.name, words)


def _parse_bare(line: str) -> Command | UsageError | None:
    if not line:
        return None
    head = line.split(maxsplit=1)[0]
    if head.partition("@")[0].casefold() in _BY_NAME and "@" not in head:
        return parse("/" + line)
    return UsageError("I read commands such as /oi BTC. /help shows them all.", ("/help",), is_unknown=True)


def menu() -> tuple[tuple[str, str], ...]:
    """Names and short descriptions for Telegram's command menu."""
    return tuple((spec.name, spec.does) for spec in COMMANDS if spec.is_listed)
