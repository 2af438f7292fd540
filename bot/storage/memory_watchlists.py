"""Pins, named lists and what was looked at, in memory."""

from collections.abc import Sequence
from dataclasses import replace

from bot.model.watchlists import SymbolList


class MemoryWatchlistStore:
    """The `WatchlistStore` port."""

    def __init__(self) -> None:
        self._stored: dict[tuple[str, str, str], SymbolList] = {}

    async def put(self, one: SymbolList) -> None:
        place = (one.chat, one.kind, one.name)
        if one.instruments:
            self._stored[place] = one
        else:
            self._stored.pop(place, None)

    async def all(self) -> Sequence[SymbolList]:
        return [one for _, one in sorted(self._stored.items())]

    def chat_moved(self, old: str, new: str) -> None:
        """Let the lists of a chat belong to another; of a list that both have, the new one's stays."""
        for place, one in [(p, o) for p, o in self._stored.items() if o.chat == old]:
            del self._stored[place]
            self._stored.setdefault((new, one.kind, one.name), replace(one, chat=new))
