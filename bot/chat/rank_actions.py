"""`/top` and `/funding`: lists over the whole market, and the funding of single contracts."""

from collections.abc import Mapping
from typing import Final, cast

from bot.chat import rank_pages
from bot.chat.actions import Handler
from bot.chat.asker import Asker
from bot.chat.commands import Command
from bot.chat.looking import FUNDING, Looking
from bot.chat.reply import Reply
from bot.chat.symbols import Books
from bot.model.cards import CARD_WINDOWS_MS
from bot.model.ports import MarketReader
from bot.model.rankings import Ranked, RankReader, TopBy

_WINDOWS_MS: Final = dict(zip(("5m", "15m", "1h", "4h", "24h"), CARD_WINDOWS_MS, strict=True))


class Rankings:
    """The two commands."""

    def __init__(self, *, looking: Looking, market: MarketReader, ranks: RankReader) -> None:
        self._looking = looking
        self._ranks = ranks
        self._books = Books(market)

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {"top": self.top, "funding": self.funding}

    async def top(self, command: Command, _asker: Asker) -> Reply:
        """`/top [oi|price|funding|volume] [WINDOW] [PAGE]`"""
        by, window, page = command.words or ("oi", "15m", "1")
        found = self._ranks.top(
            cast("TopBy", by),
            _WINDOWS_MS[window],
            offset=(int(page) - 1) * rank_pages.PAGE_ROWS,
            n=rank_pages.PAGE_ROWS,
        )
        return rank_pages.top_page(found, self._name_of)

    async def funding(self, command: Command, asker: Asker) -> Reply:
        """`/funding [SYMBOL…]`"""
        if not command.words:
            return rank_pages.funding_page(self._ranks.funding(rank_pages.FUNDING_ROWS), self._name_of)
        return await self._looking.look(command, asker, FUNDING)

    def _name_of(self, row: Ranked) -> str:
        return row.key if self._books.now().has_many_venues else row.symbol
