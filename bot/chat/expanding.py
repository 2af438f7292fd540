"""`@majors` in a command becomes the symbols of that list, before anything else reads them."""

import re
from collections.abc import Sequence
from typing import Final

from bot.chat.asker import Asker
from bot.chat.commands import Command, shorten
from bot.chat.reply import Button, Reply, code, line, refusal
from bot.chat.watchlists import PINS, RECENT, Watchlists
from bot.texts import say

_EACH_A_WORD: Final = frozenset({"oi", "price", "funding", "pin", "unpin", "chart"})
_ALL_BUT_THE_FIRST: Final = frozenset({"watch"})
_ONE_WORD: Final = frozenset({"alert", "silence"})
"""Symbols of these are one word, separated by commas."""
_FREE_TEXT: Final = {
    "alert": re.compile(r"note|when", re.IGNORECASE),
    "silence": re.compile(r"until|till?|for|([0-9.,]+(s|m|min|h|d|w))+", re.IGNORECASE),
}
"""From such a word on no symbols are expected: what stands behind it may hold names of people."""


def expand(command: Command, asker: Asker, lists: Watchlists) -> Command | Reply:
    """The command with symbols in the place of lists, or what is wrong. Symbols are full keys, which every reader takes."""
    first = 1 if command.name in _ALL_BUT_THE_FIRST else 0
    is_one_word = command.name in _ONE_WORD
    if not is_one_word and command.name not in _EACH_A_WORD | _ALL_BUT_THE_FIRST:
        return command
    words = list(command.words[:first])
    free_from = _FREE_TEXT.get(command.name)
    is_free = False
    for word in command.words[first:]:
        is_free = is_free or (free_from is not None and free_from.fullmatch(word) is not None)
        # `@ 4000` is at that price.
        if is_free or not word.startswith("@") or word == "@":
            words.append(word)
            continue
        found = lists.find(asker.chat, word)
        if not found:
            return _unknown(word, command, tuple(lists.named(asker.chat)))
        words += [",".join(found)] if is_one_word else found
    return Command(command.name, tuple(words))


def _unknown(word: str, command: Command, names: Sequence[str]) -> Reply:
    if word.removeprefix("@").casefold() in {PINS, RECENT}:
        return refusal(say("Nothing is pinned here yet: /pin BTC ETH."))
    hint = say(" /watch shows all.") if names else say(" Make one: /watch majors BTC ETH SOL.")
    buttons = tuple(Button(f"@{name}", f"/{command.name} @{name}") for name in names[:5])
    shown = buttons if command.name in _EACH_A_WORD else ()
    text = line(say("There is no list "), code(shorten(word)), say(" here.") + hint)
    return Reply((text,), (shown,) if shown else (), is_refusal=True)
