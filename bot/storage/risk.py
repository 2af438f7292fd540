"""What people may lose, and the stops that follow the market, in SQLite."""

import dataclasses
from collections.abc import Sequence
from typing import Final

import msgspec

from bot.model.outbox import OutboxRow
from bot.model.risk import RiskSettings
from bot.model.stop_watch import StopWatch
from bot.storage.alerts import ADD_ROW, row_values
from bot.storage.database import Database, Transaction

_SETTINGS: Final = tuple(f.name for f in dataclasses.fields(RiskSettings))
_PUT: Final = (
    f"INSERT INTO risk_settings (person, {', '.join(_SETTINGS)}) VALUES (?{', ?' * len(_SETTINGS)}) "  # noqa: S608
    f"ON CONFLICT (person) DO UPDATE SET {', '.join(f'{c} = excluded.{c}' for c in _SETTINGS)}"
)
_WATCH: Final = tuple(f.name for f in dataclasses.fields(StopWatch))
_ADD: Final = (
    f"INSERT INTO stop_watches ({', '.join(_WATCH)}) VALUES ({', '.join('?' * len(_WATCH))}) "  # noqa: S608
    "ON CONFLICT (id) DO NOTHING"
)
_MOVE: Final = "UPDATE stop_watches SET stop = ?, told = ?, best = ?, n_told = ?, touched_ms = ? WHERE id = ?"


class SqliteRiskStore:
    """The `RiskStore` port over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, person: str, settings: RiskSettings) -> None:
        values = (person, *(getattr(settings, name) for name in _SETTINGS))
        await self._database.write("set risk", lambda tx: tx.execute(_PUT, values))

    async def drop(self, person: str) -> bool:
        drop = "DELETE FROM risk_settings WHERE person = ?"
        return await self._database.write("drop risk", lambda tx: tx.execute(drop, (person,))) == 1

    async def all_settings(self) -> dict[str, RiskSettings]:
        rows = await self._database.fetch(
            "read risk",
            f"SELECT person, {', '.join(_SETTINGS)} FROM risk_settings ORDER BY person",  # noqa: S608
        )
        return {person: RiskSettings(*values) for person, *values in rows}

    async def add(self, watch: StopWatch) -> bool:
        values = tuple(getattr(watch, name) for name in _WATCH)
        return await self._database.write("add a stop", lambda tx: tx.execute(_ADD, values)) == 1

    async def move(self, watches: Sequence[StopWatch], rows: Sequence[OutboxRow]) -> None:
        moved = [(w.stop, w.told, w.best, w.n_told, w.touched_ms, w.id) for w in watches]
        told = [row_values(row) for row in rows]

        async def store(tx: Transaction) -> None:
            await tx.executemany(_MOVE, moved)
            await tx.executemany(ADD_ROW, told)

        await self._database.write("move stops", store)

    async def delete(self, watch_id: str) -> bool:
        drop = "DELETE FROM stop_watches WHERE id = ?"
        return await self._database.write("delete a stop", lambda tx: tx.execute(drop, (watch_id,))) == 1

    async def watches(self) -> list[StopWatch]:
        rows = await self._database.fetch(
            "read stops",
            f"SELECT {', '.join(_WATCH)} FROM stop_watches ORDER BY created_ms, id",  # noqa: S608
        )
        return [msgspec.convert(dict(zip(_WATCH, row, strict=True)), StopWatch) for row in rows]
