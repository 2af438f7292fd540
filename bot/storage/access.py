"""Strangers, listed groups and the audit log in SQLite."""

import dataclasses
from typing import Final

from bot.model.access import Change, Group, Standing, Stranger
from bot.storage.database import Database, Transaction

_STRANGER: Final = tuple(f.name for f in dataclasses.fields(Stranger))
_GROUP: Final = tuple(f.name for f in dataclasses.fields(Group))
_CHANGE: Final = tuple(f.name for f in dataclasses.fields(Change))


def _put_into(table: str, columns: tuple[str, ...], verb: str = "REPLACE") -> str:
    return f"{verb} INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


class SqliteStrangerStore:
    """The `StrangerStore` port over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, stranger: Stranger) -> None:
        values = tuple(getattr(stranger, name) for name in _STRANGER)
        await self._database.write("store a stranger", lambda tx: tx.execute(_put_into("strangers", _STRANGER), values))

    async def drop(self, user: str) -> bool:
        gone = await self._database.write(
            "forget a stranger", lambda tx: tx.execute("DELETE FROM strangers WHERE user = ?", (user,))
        )
        return gone == 1

    async def all(self) -> list[Stranger]:
        rows = await self._database.fetch(
            "read strangers",
            f"SELECT {', '.join(_STRANGER)} FROM strangers ORDER BY asked_ms, user",  # noqa: S608
        )
        found = [dict(zip(_STRANGER, row, strict=True)) for row in rows]
        return [Stranger(**(one | {"standing": Standing(one["standing"])})) for one in found]

    async def prune(self, *, before_ms: int, keep: int) -> int:
        async def work(tx: Transaction) -> int:
            old = "DELETE FROM strangers WHERE asked_ms < ? AND standing <> 'blocked'"
            gone = await tx.execute(old, (before_ms,))
            latest = "SELECT user FROM strangers ORDER BY asked_ms DESC, user DESC LIMIT ?"
            return gone + await tx.execute(f"DELETE FROM strangers WHERE user NOT IN ({latest})", (keep,))  # noqa: S608

        return await self._database.write("prune strangers", work)


class SqliteGroupStore:
    """The `GroupStore` port over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, group: Group) -> None:
        values = tuple(getattr(group, name) for name in _GROUP)
        await self._database.write("store a group", lambda tx: tx.execute(_put_into("listed_groups", _GROUP), values))

    async def drop(self, chat: str) -> bool:
        gone = await self._database.write(
            "forget a group", lambda tx: tx.execute("DELETE FROM listed_groups WHERE chat = ?", (chat,))
        )
        return gone == 1

    async def all(self) -> list[Group]:
        rows = await self._database.fetch(
            "read groups",
            f"SELECT {', '.join(_GROUP)} FROM listed_groups ORDER BY since_ms, chat",  # noqa: S608
        )
        return [Group(*row) for row in rows]


class SqliteAuditLog:
    """The `AuditLog` port over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, change: Change) -> None:
        values = tuple(getattr(change, name) for name in _CHANGE)
        await self._database.write(
            "note a change", lambda tx: tx.execute(_put_into("audit", _CHANGE, "INSERT"), values)
        )

    async def latest(self, limit: int, offset: int = 0) -> list[Change]:
        rows = await self._database.fetch(
            "read changes",
            f"SELECT {', '.join(_CHANGE)} FROM audit ORDER BY at_ms DESC, seq DESC LIMIT ? OFFSET ?",  # noqa: S608
            (limit, offset),
        )
        return [Change(*row) for row in rows]

    async def prune(self, *, before_ms: int) -> int:
        return await self._database.write(
            "prune changes", lambda tx: tx.execute("DELETE FROM audit WHERE at_ms < ?", (before_ms,))
        )
