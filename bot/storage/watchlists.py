"""Pins, named lists and what was looked at, in SQLite."""

from collections.abc import Sequence
from typing import Final

import msgspec

from bot.model.watchlists import SymbolList
from bot.storage.database import Database, Transaction

_PUT: Final = (
    "INSERT INTO watchlists (chat, kind, name, instruments, changed_ms) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (chat, kind, name) DO UPDATE SET instruments = excluded.instruments, changed_ms = excluded.changed_ms"
)
_DROP: Final = "DELETE FROM watchlists WHERE chat = ? AND kind = ? AND name = ?"


class SqliteWatchlistStore:
    """The `WatchlistStore` port over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, one: SymbolList) -> None:
        async def work(tx: Transaction) -> None:
            place = (one.chat, one.kind, one.name)
            if one.instruments:
                await tx.execute(_PUT, (*place, msgspec.json.encode(one.instruments).decode(), one.changed_ms))
            else:
                await tx.execute(_DROP, place)

        await self._database.write("store a list of symbols", work)

    async def all(self) -> Sequence[SymbolList]:
        rows = await self._database.fetch(
            "read lists of symbols",
            "SELECT chat, kind, name, instruments, changed_ms FROM watchlists ORDER BY chat, kind, name",
        )
        return [
            SymbolList(chat, kind, name, msgspec.json.decode(keys, type=tuple[str, ...]), changed_ms)
            for chat, kind, name, keys, changed_ms in rows
        ]
