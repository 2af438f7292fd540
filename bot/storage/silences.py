"""Silences, acknowledgements and quiet hours in SQLite."""

import dataclasses
from typing import Any, Final

import msgspec

from bot.model.silence import Ack, QuietHours, Silence
from bot.storage.database import Database

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
        async with self._database.transaction("add a silence") as tx:
            return await tx.execute(_ADD, _values(silence)) == 1

    async def expire(self, silence_id: str, *, at_ms: int) -> bool:
        async with self._database.transaction("end a silence") as tx:
            gone = await tx.execute(
                "UPDATE silences SET expired_ms = ?1 WHERE id = ?2 AND expired_ms IS NULL AND ends_ms > ?1",
                (at_ms, silence_id),
            )
            return gone == 1

    async def all(self) -> list[Silence]:
        rows = await self._database.fetch(
            "read silences",
            f"SELECT {', '.join(_SILENCE)} FROM silences ORDER BY created_ms, id",  # noqa: S608
        )
        return [_silence(row) for row in rows]

    async def acknowledge(self, ack: Ack) -> None:
        async with self._database.transaction("store an acknowledgement") as tx:
            await tx.execute(_ACKNOWLEDGE, tuple(getattr(ack, name) for name in _ACK))

    async def acks(self) -> list[Ack]:
        rows = await self._database.fetch(
            "read acknowledgements",
            f"SELECT {', '.join(_ACK)} FROM acks ORDER BY key, destination",  # noqa: S608
        )
        return [Ack(*row) for row in rows]

    async def put_quiet(self, quiet: QuietHours) -> None:
        async with self._database.transaction("set quiet hours") as tx:
            await tx.execute(_PUT_QUIET, tuple(getattr(quiet, name) for name in _QUIET))

    async def drop_quiet(self, destination: str) -> bool:
        async with self._database.transaction("drop quiet hours") as tx:
            return await tx.execute("DELETE FROM quiet_hours WHERE destination = ?", (destination,)) == 1

    async def quiet_hours(self) -> list[QuietHours]:
        rows = await self._database.fetch(
            "read quiet hours",
            f"SELECT {', '.join(_QUIET)} FROM quiet_hours ORDER BY destination",  # noqa: S608
        )
        return [QuietHours(*row) for row in rows]

    async def prune(self, *, before_ms: int) -> int:
        async with self._database.transaction("prune silences") as tx:
            gone = await tx.execute(
                "DELETE FROM silences WHERE min(ends_ms, COALESCE(expired_ms, ends_ms)) < ?", (before_ms,)
            )
            return gone + await tx.execute(
                "DELETE FROM acks WHERE at_ms < ? AND key NOT IN (SELECT key FROM alerts WHERE state = 'firing')",
                (before_ms,),
            )
