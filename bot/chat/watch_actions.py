"""`/pin`, `/unpin`, `/pins`, `/watch`, `/unwatch`: what a chat puts aside. What is confirmed is stored.

The lists belong to the chat: whoever the bot answers there may change them.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.chat import pages
from bot.chat.actions import Handler
from bot.chat.asker import Asker
from bot.chat.commands import Command, UsageError, find, shorten
from bot.chat.looking import Looking
from bot.chat.reply import BLANK, Button, Line, Reply, bold, code, line, refusal, rows_of
from bot.chat.symbols import Books, NotFound
from bot.chat.watchlists import Watchlists, list_name
from bot.model.instrument import Instrument
from bot.model.ports import MarketReader
from bot.model.watchlists import MAX_IN_LIST, MAX_LISTS, MAX_PINS
from bot.texts import say, say_n

MAX_NAMES_SHOWN = 8


def _nothing_pinned() -> Reply:
    return Reply((line(say("Nothing is pinned here yet: /pin BTC ETH.")),), ((Button(say("Open interest"), "/oi"),),))


def _no_lists() -> Reply:
    return Reply(
        (line(say("There are no lists here yet: /watch majors BTC ETH SOL.")), line(say("Then: /oi @majors.")))
    )


class WatchActions:
    """The commands."""

    def __init__(self, *, looking: Looking, market: MarketReader, lists: Watchlists) -> None:
        self._looking = looking
        self._lists = lists
        self._books = Books(market)
        self._changing = asyncio.Lock()
        """Looking at what there is and changing it are one step, so that of two commands at once neither is lost."""

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {
            "pin": self.pin,
            "unpin": self.unpin,
            "pins": self.pins,
            "watch": self.watch,
            "unwatch": self.unwatch,
        }

    async def pin(self, command: Command, asker: Asker) -> Reply:
        """`/pin SYMBOL…`: one is answered with its card."""
        found = self._resolve(command, command.words)
        if isinstance(found, Reply):
            return found
        async with self._changing:
            before = self._lists.pins(asker.chat)
            after = tuple(dict.fromkeys((*before, *(one.key for one in found))))
            if len(after) > MAX_PINS:
                return refusal(say("A chat pins up to {n} symbols. /unpin some first; /pins shows them.", n=MAX_PINS))
            if after != before:
                await self._lists.pin(asker.chat, after)
        said = line(
            say(
                "📌 Pinned: {names}. /oi shows them first, and their open interest is asked for more often.",
                names=_names(found),
            )
        )
        return self._answer(found, said, asker)

    async def unpin(self, command: Command, asker: Asker) -> Reply:
        """`/unpin SYMBOL…`, `/unpin all`"""
        if [word.casefold() for word in command.words] == ["all"]:
            await self._lists.pin(asker.chat, ())
            return Reply((line(say("Nothing is pinned here any more.")),))
        found = self._resolve(command, command.words)
        if isinstance(found, Reply):
            return found
        gone = {one.key for one in found}
        async with self._changing:
            before = self._lists.pins(asker.chat)
            after = tuple(key for key in before if key not in gone)
            if after == before:
                return self._answer(found, line(say("Not pinned here: {names}.", names=_names(found))), asker)
            await self._lists.pin(asker.chat, after)
        return self._answer(found, line(say("No longer pinned: {names}.", names=_names(found))), asker)

    async def pins(self, _command: Command, asker: Asker) -> Reply:
        """`/pins`"""
        keys = self._lists.pins(asker.chat)
        if not keys:
            return _nothing_pinned()
        table = await self._looking.table(keys, say("Pinned"))
        if table is None:
            return Reply((line(bold(say("Pinned"))), line(", ".join(key.partition(":")[2] for key in keys))))
        more = (Button(say("↻ Refresh"), "/pins"), Button(say("Unpin all"), "/unpin all"))
        return replace(table, buttons=(*table.buttons, more))

    async def watch(self, command: Command, asker: Asker) -> Reply:
        """`/watch`, `/watch NAME`, `/watch NAME SYMBOL…`"""
        named = self._lists.named(asker.chat)
        if not command.words:
            return _all_lists(named) if named else _no_lists()
        name = list_name(command.words[0])
        if name is None:
            taken = say(" is a name of my own. Take another, as in /watch majors BTC ETH.")
            return refusal(code(shorten(command.words[0])), taken)
        if len(command.words) == 1:
            return _one_list(name, named[name]) if name in named else self._no_such(name, named)
        found = self._resolve(command, command.words[1:], prefix=f"{name} ")
        if isinstance(found, Reply):
            return found
        if len(found) > MAX_IN_LIST:
            return refusal(say("That is {n} symbols; a list holds up to {most}.", n=len(found), most=MAX_IN_LIST))
        if name not in named and len(named) >= MAX_LISTS:
            return refusal(say("A chat has up to {n} lists. /unwatch one first; /watch shows them.", n=MAX_LISTS))
        keys = tuple(one.key for one in found)
        await self._lists.name(asker.chat, name, keys)
        return _one_list(name, keys)

    async def unwatch(self, command: Command, asker: Asker) -> Reply:
        """`/unwatch NAME`"""
        named = self._lists.named(asker.chat)
        name = list_name(command.words[0]) if command.words else None
        if name is None or name not in named:
            return self._no_such(command.words[0] if command.words else "", named)
        await self._lists.name(asker.chat, name, ())
        back = " ".join(key for key in named[name])
        return Reply(
            (line(say("The list @{name} is gone.", name=name)),), ((Button(say("Undo"), f"/watch {name} {back}"),),)
        )

    def _resolve(self, command: Command, words: Sequence[str], *, prefix: str = "") -> Sequence[Instrument] | Reply:
        """All of them, or why not: a list with a hole would be a silent guess."""
        if not words:
            spec = find(command.name)
            usage = spec.usage if spec is not None else ""
            return pages.usage(UsageError(say("Name symbols. Write it like {usage}.", usage=usage), (usage,)))
        book = self._books.now()
        found: dict[str, Instrument] = {}
        for word in words:
            one = book.resolve(word)
            if isinstance(one, NotFound):
                names = [(f"{prefix}{book.ask_for(near)}", near) for near in one.suggestions]
                example = f"/{command.name} {prefix}BTC"
                if len(words) == 1:
                    return pages.not_found(command.name, one, names, example=example)
                return pages.not_found(command.name, one, (), example=example)
            found[one.key] = one
        return tuple(found.values())

    def _answer(self, found: Sequence[Instrument], said: Line, asker: Asker) -> Reply:
        """What was done; above its card where it was one."""
        if len(found) > 1:
            return Reply((said,), ((Button(say("Open interest"), "/oi @pins"), Button(say("Pins"), "/pins")),))
        card = self._looking.card(found[0], asker)
        return replace(card, blocks=(said, BLANK, *card.blocks))

    @staticmethod
    def _no_such(word: str, named: Mapping[str, Sequence[str]]) -> Reply:
        if not named:
            return replace(_no_lists(), is_refusal=True)
        text = line(say("There is no list "), code(shorten(word) or "?"), say(" here. /watch shows all."))
        return Reply((text, *_all_lists(named).blocks), is_refusal=True)


def _names(found: Sequence[Instrument]) -> str:
    shown = ", ".join(one.symbol for one in found[:MAX_NAMES_SHOWN])
    return (
        shown
        if len(found) <= MAX_NAMES_SHOWN
        else say("{names} and {n} more", names=shown, n=len(found) - MAX_NAMES_SHOWN)
    )


def _symbols(keys: Sequence[str]) -> str:
    shown = " ".join(key.partition(":")[2] for key in keys[:MAX_NAMES_SHOWN])
    return (
        shown
        if len(keys) <= MAX_NAMES_SHOWN
        else say("{names} and {n} more", names=shown, n=len(keys) - MAX_NAMES_SHOWN)
    )


def _all_lists(named: Mapping[str, Sequence[str]]) -> Reply:
    blocks = [line(bold(f"@{name}"), f" · {_symbols(keys)}") for name, keys in named.items()]
    return Reply(tuple(blocks), rows_of([Button(f"@{name}", f"/oi @{name}") for name in named], 3))


def _one_list(name: str, keys: Sequence[str]) -> Reply:
    return Reply(
        (
            line(bold(f"@{name}"), say_n(" · {n} symbol", " · {n} symbols", len(keys))),
            line(_symbols(keys)),
        ),
        (
            tuple(
                Button(label, f"/{word} @{name}")
                for label, word in ((say("OI"), "oi"), (say("Price"), "price"), (say("Funding"), "funding"))
            ),
            (Button(say("Delete"), f"/unwatch {name}"),),
        ),
    )
