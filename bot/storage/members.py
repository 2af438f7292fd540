"""Members and codes in SQLite."""

import contextlib
import dataclasses
import sqlite3
from pathlib import Path
from typing import Any, Final

from bot.model.members import EXPIRED_KEPT_MS, HOUR_MS, MAX_WRONG, Code, Member, Redeemed, Role, higher
from bot.storage.copies import reading
from bot.storage.database import Database, Transaction

_MEMBER: Final = tuple(f.name for f in dataclasses.fields(Member))
_CODE: Final = tuple(f.name for f in dataclasses.fields(Code))
_SELECT: Final = f"SELECT {', '.join(_MEMBER)} FROM members"  # noqa: S608
_OWNER: Final = f"{_SELECT} WHERE role = 'owner'"
_PUT: Final = f"REPLACE INTO members ({', '.join(_MEMBER)}) VALUES ({', '.join('?' * len(_MEMBER))})"  # noqa: S608
_PUT_CODE: Final = f"REPLACE INTO codes ({', '.join(_CODE)}) VALUES ({', '.join('?' * len(_CODE))})"  # noqa: S608


def _member(row: tuple[Any, ...]) -> Member:
    values = dict(zip(_MEMBER, row, strict=True))
    return Member(**(values | {"role": Role(values["role"])}))


async def _put(tx: Transaction, member: Member) -> None:
    if member.role is Role.OWNER:
        await tx.execute("DELETE FROM members WHERE role = 'owner'")
    await tx.execute(_PUT, tuple(getattr(member, name) for name in _MEMBER))


class SqliteMemberStore:
    """The `MemberStore` port over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put_code(self, code: Code, *, alone: bool) -> None:
        async def work(tx: Transaction) -> None:
            if alone:
                await tx.execute("UPDATE codes SET uses_left = 0 WHERE kind = ?", (code.kind,))
                await tx.execute("DELETE FROM wrong_codes")
            await tx.execute(_PUT_CODE, tuple(getattr(code, name) for name in _CODE))

        await self._database.write("store a code", work)

    async def redeem(self, digest: str, kind: str, member: Member, *, now_ms: int) -> Redeemed:
        async def work(tx: Transaction) -> Redeemed:
            [(n_wrong,)] = await tx.fetch("SELECT count(*) FROM wrong_codes WHERE at_ms > ?", (now_ms - HOUR_MS,))
            if n_wrong >= MAX_WRONG:
                return Redeemed.CLOSED
            found = await tx.fetch(
                "SELECT role, expires_ms, uses_left, by FROM codes WHERE digest = ? AND kind = ?", (digest, kind)
            )
            if not found:
                await tx.execute(
                    "INSERT INTO wrong_codes (kind, at_ms, user) VALUES (?, ?, ?)", (kind, now_ms, member.user)
                )
                return Redeemed.WRONG
            [(role, expires_ms, uses_left, by)] = found
            if now_ms >= expires_ms or not uses_left:
                return Redeemed.EXPIRED
            await tx.execute("UPDATE codes SET uses_left = uses_left - 1 WHERE digest = ?", (digest,))
            known = await tx.fetch("SELECT role FROM members WHERE user = ?", (member.user,))
            roles = [Role(role), *(Role(had) for (had,) in known)]
            if not known or higher(*roles) is not roles[1]:
                await _put(tx, dataclasses.replace(member, role=Role(role), by=by))
            return Redeemed.TAKEN

        return await self._database.write("redeem a code", work)

    async def put(self, member: Member) -> None:
        await self._database.write("store a member", lambda tx: _put(tx, member))

    async def drop(self, user: str) -> bool:
        gone = await self._database.write(
            "forget a member", lambda tx: tx.execute("DELETE FROM members WHERE user = ?", (user,))
        )
        return gone == 1

    async def all(self) -> list[Member]:
        rows = await self._database.fetch("read members", f"{_SELECT} ORDER BY since_ms, user")
        return [_member(row) for row in rows]

    async def owner(self) -> Member | None:
        rows = await self._database.fetch("read the owner", _OWNER)
        return _member(rows[0]) if rows else None

    async def prune(self, *, now_ms: int) -> int:
        async def work(tx: Transaction) -> int:
            gone = await tx.execute("DELETE FROM codes WHERE expires_ms < ?", (now_ms - EXPIRED_KEPT_MS,))
            return gone + await tx.execute("DELETE FROM wrong_codes WHERE at_ms <= ?", (now_ms - HOUR_MS,))

        return await self._database.write("prune codes", work)


def peek_owner(path: Path) -> Member | None:
    """The owner that a database file knows, in use or not; None also where it cannot be read. Blocks; changes nothing."""
    try:
        if not path.is_file():
            return None
        with contextlib.closing(reading(path)) as connection:
            row = connection.execute(_OWNER).fetchone()
            return None if row is None else _member(tuple(row))
    except (OSError, sqlite3.Error):
        return None
