"""Looking at the market and at the bot: cards, tables, health, help. Answering changes no alert and no rule."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from bot.chat import help_pages, pages, status_pages
from bot.chat.actions import Handler
from bot.chat.asker import Asker
from bot.chat.chart_actions import ChartActions, read_span
from bot.chat.commands import Command, find, least, shorten
from bot.chat.reply import BLANK, Line, Reply, Table, code, line, refusal
from bot.chat.spec import CommandSpec
from bot.chat.symbols import Books, NotFound, SymbolBook
from bot.chat.watchlists import Watchlists
from bot.clock import Clock
from bot.model.cards import InstrumentCard
from bot.model.instrument import Instrument
from bot.model.members import Role
from bot.model.ports import MarketReader, StatusReader
from bot.texts import mark, say

N_LARGEST: Final = 5
N_OWN: Final = 10
"""Of what a chat has pinned and looked at."""

_FIGURES: Final = frozenset({"oi", "price", "funding", "open", "interest"})
"""Beside symbols they say what is asked anyway."""
_EVERYTHING: Final = frozenset({"all", "top", "everything", "market", "largest", "biggest", "5", "10", "coins"})

Named = tuple[str, InstrumentCard]
"""What to type to get it, and the card."""

TablePage = Callable[[str, Sequence[InstrumentCard]], tuple[Line | Table, ...]]


class CardPage(Protocol):
    """Lays one card out."""

    def __call__(self, card: InstrumentCard, *, name: str, is_pinned: bool) -> Reply: ...


@dataclass(frozen=True, slots=True)
class Look:
    """One way to look at instruments."""

    card: CardPage
    table: TablePage
    title: str


OI: Final = Look(pages.oi_card, pages.oi_table, mark("Open interest"))
PRICE: Final = Look(pages.price_card, pages.price_table, mark("Prices"))
FUNDING: Final = Look(pages.funding_card, pages.funding_table, mark("Funding"))


def _no_data() -> Line:
    return line(say("No open interest is known yet. Try again in a minute."))


class Looking:
    """The commands that only read."""

    def __init__(
        self,
        *,
        market: MarketReader,
        status: StatusReader,
        clock: Clock,
        lists: Watchlists | None = None,
        charts: ChartActions | None = None,
    ) -> None:
        """`charts`: draws `/oi BTC 1y`; None where nothing is drawn."""
        self._market = market
        self._status = status
        self._clock = clock
        self._lists = lists
        self._charts = charts
        self._books = Books(market)

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {
            "oi": self._oi,
            "price": self._price,
            "status": self._tell_status,
            "help": self._help,
            "start": self._start,
        }

    async def _oi(self, command: Command, asker: Asker) -> Reply:
        *symbols, last = command.words or ("",)
        if self._charts is not None and len(symbols) == 1 and self._is_span(last):
            span = "max" if last.casefold() == "all" else last
            return await self._charts.answer(Command("chart", (symbols[0], span)), asker)
        return await self.look(command, asker, OI)

    def _is_span(self, word: str) -> bool:
        """`1y`, `max` or `all`, where no symbol is called so."""
        if word.casefold() != "all" and read_span(word) is None:
            return False
        return isinstance(self._books.now().resolve(word), NotFound)

    async def _price(self, command: Command, asker: Asker) -> Reply:
        return await self.look(command, asker, PRICE)

    async def look(self, command: Command, asker: Asker, look: Look) -> Reply:
        """One symbol gives a card, several a table, none what this chat has put aside, else the largest."""
        book = self._books.now()
        if not command.words:
            return await self._own_or_largest(command.name, asker, look)
        found = [book.resolve(word) for word in command.words]
        # There is a contract OPEN.
        known = [one for one in found if isinstance(one, Instrument) or one.text.casefold() not in _FIGURES]
        found = known or found
        if all(isinstance(one, NotFound) for one in found) and _EVERYTHING.issuperset(
            word.casefold().rstrip("?!.") for word in command.words
        ):
            return await self._own_or_largest(command.name, asker, look, is_own=False)
        there = list({one.key: one for one in found if isinstance(one, Instrument)}.values())
        if self._lists is not None and there:
            self._lists.looked_at(asker.chat, [one.key for one in there])
        if len(found) == 1:
            return self._one(command.name, found[0], asker, look, book)
        missing = [one for one in found if isinstance(one, NotFound)]
        named = await self._named(there, book)
        blocks = look.table(say(look.title), [card for _, card in named]) if named else ()
        gap = (BLANK,) if blocks and missing else ()
        unknown = tuple(line(say("I don't know the symbol "), code(shorten(one.text)), ".") for one in missing)
        near = [(book.ask_for(one), one) for lost in missing for one in lost.suggestions]
        buttons = (*pages.card_buttons(command.name, named), *pages.near_buttons(command.name, near))
        return Reply((*blocks, *gap, *unknown) or (_no_data(),), buttons)

    def card(self, instrument: Instrument, asker: Asker, look: Look = OI) -> Reply:
        """The card of one instrument."""
        return self._one("oi", instrument, asker, look, self._books.now())

    async def table(self, keys: Sequence[str], title: str, *, command: str = "oi", look: Look = OI) -> Reply | None:
        """Those of the keys that are known, in this order; None where none is."""
        by_key = {one.key: one for one in self._market.instruments()}
        named = await self._named([by_key[key] for key in keys if key in by_key], self._books.now())
        if not named:
            return None
        return Reply(look.table(title, [card for _, card in named]), pages.card_buttons(command, named))

    async def _own_or_largest(self, name: str, asker: Asker, look: Look, *, is_own: bool = True) -> Reply:
        if self._lists is not None and is_own:
            own = (*self._lists.pins(asker.chat), *self._lists.recent(asker.chat))
            keys = tuple(dict.fromkeys(own))[:N_OWN]
            found = await self.table(
                keys, say("{title} · pinned and recent", title=say(look.title)), command=name, look=look
            )
            if found is not None:
                return found
        largest = self._market.largest(N_LARGEST)
        return await self.table(
            largest, say("{title} · the {n} largest", title=say(look.title), n=len(largest)), command=name, look=look
        ) or Reply((_no_data(),))

    def _one(self, name: str, found: Instrument | NotFound, asker: Asker, look: Look, book: SymbolBook) -> Reply:
        if isinstance(found, NotFound):
            return pages.not_found(name, found, [(book.ask_for(one), one) for one in found.suggestions])
        card = self._market.card(found.key)
        if card is None:
            return refusal(say("No data for "), code(found.symbol), say(" yet. Try again in a minute."))
        is_pinned = self._lists is not None and found.key in self._lists.pins(asker.chat)
        return look.card(card, name=book.ask_for(found), is_pinned=is_pinned)

    async def _named(self, found: Sequence[Instrument], book: SymbolBook) -> list[Named]:
        named: list[Named] = []
        for one in found:
            # A card reads whole windows of the market: several at once would hold up a tick.
            await self._clock.sleep(0)
            card = self._market.card(one.key)
            if card is not None:
                named.append((book.ask_for(one), card))
        return named

    async def _tell_status(self, command: Command, _asker: Asker) -> Reply:
        status = await self._status.status()
        page = status_pages.details_page if command.words else status_pages.status_page
        return page(status, now_ms=self._clock.wall_ms())

    async def _help(self, command: Command, asker: Asker) -> Reply:
        in_group = not asker.is_private

        def may(one: CommandSpec) -> bool:
            return asker.is_least(least(one, in_group=in_group)) and not (in_group and one.is_private)

        if not command.words:
            return help_pages.help_page(may)
        spec = find(command.words[0])
        topic = help_pages.topic_page(command.words[0])
        if topic is not None:
            return topic
        return pages.help_topic(spec) if spec is not None else help_pages.no_such_topic(command.words[0])

    async def _start(self, _command: Command, asker: Asker) -> Reply:
        n = sum(one.is_trading and one.kind != "delivery" for one in self._market.instruments())
        return help_pages.start_page(n, may_set=asker.is_private and asker.is_least(Role.MEMBER))
