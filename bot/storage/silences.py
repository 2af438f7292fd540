"""Silences, acknowledgements and quiet hours in SQLite."""

import dataclasses
from typing import Any, Final

import msgspec

from bot.model.silence import Ack, QuietHours, Silence
from bot.storage.database import Database, Transaction

_SILENCE: Final = tuple(f.name for f in dataclasses.fields(Silence))
_ACK: Final = tuple(f.name for f in dataclasses.fields(Ack))
_QUIET: Final = tuple(f.name for f in dataclasses.fields(QuietHours))


def _insert(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608


_ADD: Final = f"{_insert('silences', _SILENCE)} ON CONFLICT (id) DO NOTHING"
_ACKNOWLEDGE: Final = (
    f"{_insert('acks', _ACK)} ON CONFLICT (key, destination) DO UPDATE SET "
    "by = excluded.by, at_ms = excluded.at_ms, until_ms = excluded.until_ms"
)
_PUT_QUIET: Final = (
    f"{_insert('quiet_hours', _QUIET)} ON CONFLICT (destination) DO UPDATE SET starts_min = excluded.starts_min, "
    "ends_min = excluded.ends_min, zone = excluded.zone, author = excluded.author"
)


def _values(silence: Silence) -> tuple[str | int | None, ...]:
    flat = dataclasses.replace(silence, severities=())
    values = {name: getattr(flat, name) for name in _SILENCE}
    return tuple((values | {"severities": ",".join(silence.severities)}).values())


def _silence(row: tuple[Any, ...]) -> Silence:
    values = dict(zip(_SILENCE, row, strict=True))
    return msgspec.convert(values | {"severities": [s for s in values["severities"].split(",") if s]}, Silence)


class SqliteSilenceStore:
    """The `SilenceStore` port over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, silence: Silence) -> bool:
        return await self._database.write("add a silence", lambda tx: tx.execute(_ADD, _values(silence))) == 1

    async def expire(self, silence_id: str, *, at_ms: int) -> bool:
        sql = "UPDATE silences SET expired_ms = ?1 WHERE id = ?2 AND expired_ms IS NULL AND ends_ms > ?1"
        return await self._database.write("end a silence", lambda tx: tx.execute(sql, (at_ms, silence_id))) == 1

    async def all(self) -> list[Silence]:
        rows = await self._database.fetch(
            "read silences",
            f"SELECT {', '.join(_SILENCE)} FROM silences ORDER BY created_ms, id",  # noqa: S608
        )
        return [_silence(row) for row in rows]

    async def acknowledge(self, ack: Ack) -> None:
        values = tuple(getattr(ack, name) for name in _ACK)
        await self._database.write("store an acknowledgement", lambda tx: tx.execute(_ACKNOWLEDGE, values))

    async def acks(self) -> list[Ack]:
        rows = await self._database.fetch(
            "read acknowledgements",
            f"SELECT {', '.join(_ACK)} FROM acks ORDER BY key, destination",  # noqa: S608
        )
        return [Ack(*row) for row in rows]

    async def put_quiet(self, quiet: QuietHours) -> None:
        values = tuple(getattr(quiet, name) for name in _QUIET)
        await self._database.write("set quiet hours", lambda tx: tx.execute(_PUT_QUIET, values))

    async def drop_quiet(self, destination: str) -> bool:
        sql = "DELETE FROM quiet_hours WHERE destination = ?"
        return await self._database.write("drop quiet hours", lambda tx: tx.execute(sql, (destination,))) == 1

    async def quiet_hours(self) -> list[QuietHours]:
        rows = await self._database.fetch(
            "read quiet hours",
            f"SELECT {', '.join(_QUIET)} FROM quiet_hours ORDER BY destination",  # noqa: S608
        )
        return [QuietHours(*row) for row in rows]

    async def prune(self, *, before_ms: int) -> int:
        async def remove(tx: Transaction) -> int:
            gone = await tx.execute(
                "DELETE FROM silences WHERE min(ends_ms, COALESCE(expired_ms, ends_ms)) < ?", (before_ms,)
            )
            return gone + await tx.execute(
                "DELETE FROM acks WHERE at_ms < ? AND key NOT IN (SELECT key FROM alerts WHERE state = 'firing')",
                (before_ms,),
            )

        return await self._database.write("prune silences", remove)
