"""Looking at the market and at the bot: cards, tables, health, help. Answering changes nothing."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from bot.chat import pages
from bot.chat.actions import Handler
from bot.chat.asker import Asker
from bot.chat.commands import Command, find, least, shorten
from bot.chat.reply import BLANK, Line, Reply, Table, code, line
from bot.chat.spec import CommandSpec
from bot.chat.symbols import NotFound, SymbolBook
from bot.clock import Clock
from bot.model.cards import InstrumentCard
from bot.model.instrument import Instrument
from bot.model.ports import MarketReader, StatusReader

N_LARGEST: Final = 5

Named = tuple[str, InstrumentCard]
"""What to type to get it, and the card."""

TablePage = Callable[[str, Sequence[InstrumentCard]], tuple[Line | Table, ...]]


class CardPage(Protocol):
    """Lays one card out."""

    def __call__(self, card: InstrumentCard, *, name: str) -> Reply: ...


_NO_DATA: Final = line("No open interest is known yet. Try again in a minute.")


class Looking:
    """The commands that only read."""

    def __init__(self, *, market: MarketReader, status: StatusReader, clock: Clock) -> None:
        self._market = market
        self._status = status
        self._clock = clock

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {
            "oi": self._oi,
            "price": self._price,
            "status": self._tell_status,
            "help": self._help,
            "start": self._start,
        }

    async def _oi(self, command: Command, _asker: Asker) -> Reply:
        return await self._look(command, pages.oi_card, pages.oi_table, "Open interest")

    async def _price(self, command: Command, _asker: Asker) -> Reply:
        return await self._look(command, pages.price_card, pages.price_table, "Prices")

    async def _look(
        self,
        command: Command,
        card_page: CardPage,
        table: TablePage,
        title: str,
    ) -> Reply:
        """One symbol gives a card, several a table, none the largest."""
        book = SymbolBook(self._market.instruments())
        if not command.words:
            largest = await self._largest(book)
            if not largest:
                return Reply((_NO_DATA,))
            blocks = table(f"{title} · the {len(largest)} largest", [card for _, card in largest])
            return Reply(blocks, pages.card_buttons(command.name, largest))
        found = [book.resolve(word) for word in command.words]
        if len(found) == 1:
            return self._one(command.name, found[0], book, card_page)
        missing = [one for one in found if isinstance(one, NotFound)]
        named = await self._named([one for one in found if isinstance(one, Instrument)], book)
        blocks = table(title, [card for _, card in named]) if named else ()
        gap = (BLANK,) if blocks and missing else ()
        unknown = tuple(line("I don't know the symbol ", code(shorten(one.text)), ".") for one in missing)
        near = [(book.ask_for(one), one) for lost in missing for one in lost.suggestions]
        buttons = (*pages.card_buttons(command.name, named), *pages.near_buttons(command.name, near))
        return Reply((*blocks, *gap, *unknown) or (_NO_DATA,), buttons)

    def _one(self, name: str, found: Instrument | NotFound, book: SymbolBook, page: CardPage) -> Reply:
        if isinstance(found, NotFound):
            return pages.not_found(name, found, [(book.ask_for(one), one) for one in found.suggestions])
        card = self._market.card(found.key)
        if card is None:
            return Reply((line("No data for ", code(found.symbol), " yet. Try again in a minute."),))
        return page(card, name=book.ask_for(found))

    async def _named(self, found: Sequence[Instrument], book: SymbolBook) -> list[Named]:
        named: list[Named] = []
        for one in {one.key: one for one in found}.values():
            # A card reads whole windows of the market: several at once would hold up a tick.
            await self._clock.sleep(0)
            card = self._market.card(one.key)
            if card is not None:
                named.append((book.ask_for(one), card))
        return named

    async def _largest(self, book: SymbolBook) -> list[Named]:
        by_key = {one.key: one for one in self._market.instruments()}
        return await self._named([by_key[k] for k in self._market.largest(N_LARGEST) if k in by_key], book)

    async def _tell_status(self, _command: Command, _asker: Asker) -> Reply:
        return pages.status_page(await self._status.status(), now_ms=self._clock.wall_ms())

    async def _help(self, command: Command, asker: Asker) -> Reply:
        spec = find(command.words[0]) if command.words else None
        in_group = not asker.is_private

        def may(one: CommandSpec) -> bool:
            return asker.is_least(least(one, in_group=in_group)) and not (in_group and one.is_private)

        return pages.help_page(may) if spec is None else pages.help_topic(spec)

    async def _start(self, _command: Command, _asker: Asker) -> Reply:
        return pages.start_page(sum(one.is_trading and one.kind != "delivery" for one in self._market.instruments()))
