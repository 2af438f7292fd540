"""The command grammar: one table, and from it parsing, help and the menu of Telegram.

`parse` takes any text and returns a `Command`, a `UsageError` or None (not meant for this bot). It never raises.
Control, zero-width and direction characters are removed before anything else looks at the text, so no echo can carry
them on. To add a command: a row in a module of `bot.chat.table` and a handler in a family of `bot.chat.actions`.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from rapidfuzz.distance import JaroWinkler

from bot.chat.grammars import MAX_WORD_CHARS
from bot.chat.spec import CommandSpec, Problem
from bot.chat.table import alerts, bot, look, people, quiet, risk, rules
from bot.model.access import is_least
from bot.model.members import Role
from bot.texts import say

MAX_ARGUMENTS_CHARS: Final = 1_000
MAX_BARE_CHARS: Final = 16
MAX_QUESTION_CHARS: Final = 100
MAX_QUESTION_SYMBOLS: Final = 3
_FIGURES: Final = {
    **dict.fromkeys(("oi", "interest"), "oi"),
    **dict.fromkeys(("price", "prices", "worth"), "price"),
    **dict.fromkeys(("funding", "fundings"), "funding"),
    **dict.fromkeys(("chart", "graph", "plot"), "chart"),
}
_QUESTION_WORDS: Final = frozenset({
    "a", "an", "and", "are", "at", "can", "current", "for", "give", "how", "i", "in", "is", "it", "let", "me",
    "much", "now", "of", "on", "open", "please", "pls", "rate", "rates", "see", "show", "tell", "that", "the", "to",
    "us", "usd", "usdt", "want", "what", "what's", "whats", "you",
})  # fmt: skip

_MEANT: Final = {
    **dict.fromkeys(("history", "graph", "plot", "candles"), "chart"),
    **dict.fromkeys(("remove", "cancel"), "delete"),
    "list": "alerts",
}
"""What commands are called elsewhere."""

_HEAD = re.compile(r"^/([^\s@]*)(?:@(\S*))?(?:\s+(.*))?$", re.DOTALL)


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


_LINKS: Final = (
    (re.compile(r"oi_(\w{1,40})"), "/oi {}"),
    (re.compile(r"al_([0-9a-z]{4,8})", re.ASCII), "/why #{}"),
    (re.compile(r"al_a-([0-9a-z]{4,8})", re.ASCII), "/alerts a-{}"),
)
"""What links may ask for, told by the server as `/start PAYLOAD`."""

COMMANDS: Final[tuple[CommandSpec, ...]] = (
    *look.ROWS,
    *alerts.ROWS,
    *quiet.ROWS,
    *rules.ROWS,
    *risk.ROWS,
    *people.ROWS,
    *bot.ROWS,
)

_BY_NAME: Final = {word: spec for spec in COMMANDS for word in (spec.name, *spec.aliases)}


def find(word: str) -> CommandSpec | None:
    """The row of a name or alias."""
    return _BY_NAME.get(word)


def clean(text: str) -> str:
    """Remove what could break or disguise a message; line breaks and tabs become spaces.

    Gone are control and format characters (zero-width, direction overrides) and lone surrogates, which have no UTF-8.
    """
    kept = (" " if char in "\n\r\t\v\f\x85\u2028\u2029" else char for char in text)
    return "".join(char for char in kept if unicodedata.category(char) not in {"Cc", "Cf", "Cs"}).strip()


def shorten(text: str, limit: int = 32) -> str:
    """Cut what came from outside before it is echoed."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


_WIDE: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}


def _narrow(text: str) -> str:
    """Words in the wide letters, digits and signs of East Asian keyboards as plain ones; in a sentence of another script they stay."""

    def plain(found: re.Match[str]) -> str:
        word = found[0].translate(_WIDE)
        return word if word.isascii() else found[0]

    return re.sub(r"\S*[\uff01-\uff5e]\S*", plain, text)


def _unknown(word: str, arguments: str) -> UsageError:
    """`arguments`: what stands behind it, which is offered with the nearest command where that takes it."""
    name = word.casefold()[:MAX_WORD_CHARS]
    name = _MEANT.get(name, name)
    scored = ((JaroWinkler.similarity(name, spec.name), spec) for spec in COMMANDS if spec.is_listed)
    score, nearest = max(scored, key=lambda pair: pair[0])
    if name and score >= 0.75:
        whole = f"/{nearest.name} {arguments}".rstrip()
        is_taken = len(whole) <= MAX_QUESTION_CHARS and isinstance(parse(whole), Command)
        return UsageError(
            say("I don't know /{word}. Did you mean /{name}?", word=shorten(word), name=nearest.name),
            (whole if is_taken else f"/{nearest.name}",),
            is_unknown=True,
        )
    return UsageError(
        say("I don't know /{word}. /help shows what I can do.", word=shorten(word)), ("/help",), is_unknown=True
    )


def parse(text: str, *, bot_name: str | None = None, is_slash_optional: bool = False) -> Command | UsageError | None:
    """Read one line of a person.

    Args:
        text: Anything.
        bot_name: Our user name without `@`; a command addressed to another name is not ours.
        is_slash_optional: In the terminal and in a private chat `oi btc` is as good as `/oi btc`.
    """
    line = clean(text)
    if line.startswith("／"):
        line = f"/{line[1:].lstrip()}"
    if not line.startswith("/"):
        return _parse_bare(line) if is_slash_optional else None
    found = _HEAD.match(line)
    if found is None:
        return None
    word, addressee, arguments = found[1], found[2], _narrow((found[3] or "").strip())
    if addressee is not None and addressee.casefold() != (bot_name or "").casefold():
        return None
    spec = _BY_NAME.get(word.casefold())
    if spec is None:
        return _unknown(word, arguments)
    if spec.name == "start" and (linked := _linked(arguments)):
        return parse(linked)
    if len(arguments) > MAX_ARGUMENTS_CHARS:
        return UsageError(say("That is too long for me. Write it like {usage}.", usage=spec.usage), (spec.usage,))
    words = spec.grammar(arguments)
    if isinstance(words, Problem):
        said = say("{text} Write it like {usage}.", text=words.text, usage=spec.usage)
        return UsageError(said, (spec.usage, *words.try_instead))
    return Command(spec.name, words)


def _linked(payload: str) -> str:
    """The command that a link to the bot stands for, `https://t.me/NAME?start=oi_BTCUSDT`; empty for any other link."""
    for form, command in _LINKS:
        if (found := form.fullmatch(payload)) is not None:
            return command.format(found[1])
    return ""


def _parse_bare(line: str) -> Command | UsageError | None:
    if not line:
        return None
    head = line.split(maxsplit=1)[0]
    if head.partition("@")[0].casefold() in _BY_NAME and "@" not in head:
        return parse("/" + line)
    # Most who write one word mean a contract.
    is_bare = len(line) <= MAX_BARE_CHARS and line.replace("/", "").isalnum()
    bare = (f"/oi {line}",) if is_bare else _question(line)
    said = say("I read commands such as /oi BTC. /help shows them all.")
    return UsageError(said, (*bare, "/help"), is_unknown=True)


def _question(line: str) -> tuple[str, ...]:
    """The command that a sentence asks for: a figure, and symbols beside it."""
    words = [word.strip("?!.,;:$#'\"") for word in line.split()] if len(line) <= MAX_QUESTION_CHARS else []
    asked = [name for word in words if (name := _FIGURES.get(word.casefold())) is not None]
    symbols = [word for word in words if word and word.casefold() not in {*_FIGURES, *_QUESTION_WORDS}]
    if not 1 <= len(symbols) <= MAX_QUESTION_SYMBOLS or not all(word.replace("/", "").isalnum() for word in symbols):
        return ()
    if not asked and (len(words) > 1 or len(symbols[0]) > MAX_BARE_CHARS):
        return ()
    name = "chart" if "chart" in asked else asked[0] if asked else "oi"
    return (f"/{name} {' '.join(symbols)}",)


def menu(role: Role | None = Role.OWNER, *, in_group: bool = False) -> tuple[tuple[str, str], ...]:
    """Names and short descriptions for Telegram's command menu: what somebody with that role may use there."""
    listed = [spec for spec in COMMANDS if spec.is_listed and (not in_group or not spec.is_private)]
    return tuple((spec.name, say(spec.does)) for spec in listed if is_least(role, least(spec, in_group=in_group)))


def least(spec: CommandSpec, *, in_group: bool) -> Role:
    """The least role that a command takes in any of its forms."""
    if spec.looks is not None:
        return Role.VIEWER
    return spec.needs_in_group if in_group and spec.needs_in_group is not None else spec.needs
