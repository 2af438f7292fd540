"""`@majors` in a command becomes the symbols of that list, before anything else reads them."""

from collections.abc import Sequence
from typing import Final

from bot.chat.asker import Asker
from bot.chat.commands import Command, shorten
from bot.chat.reply import Button, Reply, code, line
from bot.chat.watchlists import PINS, RECENT, Watchlists
from bot.texts import say

_EACH_A_WORD: Final = frozenset({"oi", "price", "funding", "pin", "unpin"})
_ALL_BUT_THE_FIRST: Final = frozenset({"watch"})
_ONE_WORD: Final = frozenset({"alert"})
"""Symbols of these are one word, separated by commas."""


def expand(command: Command, asker: Asker, lists: Watchlists) -> Command | Reply:
    """The command with symbols in the place of lists, or what is wrong. Symbols are full keys, which every reader takes."""
    first = 1 if command.name in _ALL_BUT_THE_FIRST else 0
    is_one_word = command.name in _ONE_WORD
    if not is_one_word and command.name not in _EACH_A_WORD | _ALL_BUT_THE_FIRST:
        return command
    words = list(command.words[:first])
    for word in command.words[first:]:
        if not word.startswith("@"):
            words.append(word)
            continue
        found = lists.find(asker.chat, word)
        if not found:
            return _unknown(word, command, tuple(lists.named(asker.chat)))
        words += [",".join(found)] if is_one_word else found
    return Command(command.name, tuple(words))


def _unknown(word: str, command: Command, names: Sequence[str]) -> Reply:
    if word.removeprefix("@").casefold() in {PINS, RECENT}:
        return Reply((line(say("Nothing is pinned here yet: /pin BTC ETH.")),))
    hint = "" if names else say(" Make one: /watch majors BTC ETH SOL.")
    buttons = tuple(Button(f"@{name}", f"/{command.name} @{name}") for name in names[:5])
    shown = buttons if command.name in _EACH_A_WORD else ()
    return Reply(
        (line(say("There is no list "), code(shorten(word)), say(" here.") + hint),), (shown,) if shown else ()
    )
