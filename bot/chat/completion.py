"""What the word at the cursor may become: commands, symbols, rules, ids of alerts. For terminals."""

import re
from collections.abc import Iterable
from typing import Final

from bot.chat.commands import COMMANDS, find
from bot.chat.grammars import nothing
from bot.chat.wire import Words

MAX_OFFERED: Final = 200
DELIMITERS: Final = " \t\n,"
_BETWEEN: Final = re.compile(f"[{DELIMITERS}]+")

_TAKES: Final[dict[str, tuple[str, ...]]] = {
    "why": ("symbols", "rules"),
    "silence": ("symbols", "rules"),
    "rules": ("rules",),
    "delete": ("alerts",),
    "tune": ("alerts",),
    "help": ("commands",),
    **dict.fromkeys(("alerts", "board", "quiet", "risk", "settings", "status", "undo"), ()),
}
"""Commands whose words are not symbols alone."""


def complete(before: str, words: Words) -> tuple[str, ...]:
    """Whole words that the one before the cursor may become, sorted; case does not matter.

    Args:
        before: The line up to the cursor.
        words: What the bot knows.
    """
    *typed, partial = _BETWEEN.split(before.lstrip(DELIMITERS))
    if not typed:
        slash = "/" if partial.startswith("/") else ""
        return _beginning(partial, (slash + spec.name for spec in COMMANDS))
    spec = find(typed[0].removeprefix("/").casefold())
    if spec is None or spec.grammar is nothing:
        return ()
    offered: list[str] = []
    for kind in _TAKES.get(spec.name, ("symbols",)):
        offered += (one.name for one in COMMANDS) if kind == "commands" else getattr(words, kind)
    return _beginning(partial, offered)


def _beginning(partial: str, offered: Iterable[str]) -> tuple[str, ...]:
    start = partial.casefold()
    return tuple(sorted({one for one in offered if one.casefold().startswith(start)})[:MAX_OFFERED])
