"""What the word at the cursor may become: commands, symbols, rules, ids of alerts. For terminals."""

import re
from collections.abc import Iterable
from typing import Final

from bot.chat.commands import COMMANDS, find
from bot.chat.grammars import INVITED_ROLES, nothing
from bot.chat.table.rules import CHANGES
from bot.chat.wire import Words
from bot.texts import LANGUAGES

MAX_OFFERED: Final = 200
DELIMITERS: Final = " \t\n,"
_BETWEEN: Final = re.compile(f"[{DELIMITERS}]+")

_TAKES: Final[dict[str, tuple[str, ...]]] = {
    "why": ("symbols", "rules"),
    "silence": ("symbols", "rules"),
    "rules": ("rules",),
    "delete": ("alerts",),
    "tune": ("alerts",),
    "undo": ("alerts",),
    "whynot": ("symbols", "rules"),
    "help": ("commands",),
    "here": ("rules",),
    "backtest": ("rules", "symbols"),
    **dict.fromkeys(("alerts", "quiet", "risk", "users", "user", "admit", "audit"), ()),
}
"""Commands whose words are not symbols alone."""
_OWN: Final = {
    "status": ("details",),
    "board": ("on", "off"),
    "rules": tuple(sorted(CHANGES)),
    "here": ("all", "off"),
    "backtest": ("cancel",),
    "settings": ("zone", "detail", "charts"),
    "language": tuple(LANGUAGES),
    "invite": INVITED_ROLES,
    "forget": ("me",),
    "join": ("off",),
}
"""Words that belong to one command."""


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
    offered = list(_OWN.get(spec.name, ()))
    for kind in _TAKES.get(spec.name, () if offered else ("symbols",)):
        offered += (one.name for one in COMMANDS) if kind == "commands" else getattr(words, kind)
    return _beginning(partial, offered)


def _beginning(partial: str, offered: Iterable[str]) -> tuple[str, ...]:
    start = partial.casefold()
    return tuple(sorted({one for one in offered if one.casefold().startswith(start)})[:MAX_OFFERED])
