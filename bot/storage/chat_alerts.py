"""The alerts that people made in chat, in SQLite."""

import dataclasses
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from bot.model.alert import FOREVER_MS, AlertRecord
from bot.model.chat_alert import PREFIX, STORED_COLUMNS, ChatAlert, StoredAlerts
from bot.storage.alerts import record_of
from bot.storage.database import Database, Transaction
from bot.storage.pruning import delete_in_batches

_COLUMNS: Final = tuple(f.name for f in dataclasses.fields(ChatAlert))
_SELECT: Final = f"SELECT {', '.join(_COLUMNS)} FROM chat_alerts"  # noqa: S608
_INSERT: Final = (
    f"INSERT INTO chat_alerts ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) "  # noqa: S608
    "ON CONFLICT (id) DO NOTHING"
)

_BEHIND: Final = PREFIX[:-1] + chr(ord(PREFIX[-1]) + 1)
"""The least text behind all ids."""
_IS_OF_CHAT: Final = f"rule_id >= '{PREFIX}' AND rule_id < '{_BEHIND}'"
_IS_GONE: Final = "NOT EXISTS (SELECT 1 FROM chat_alerts c WHERE c.id = rule_id AND c.deleted_ms IS NULL)"
_LEFT_BEHIND: Final = (
    f"SELECT rule_id, instrument FROM alerts WHERE {_IS_OF_CHAT} AND state <> 'firing' "  # noqa: S608
    f"AND {_IS_GONE} AND (rule_id, instrument) > (?, ?) ORDER BY rule_id, instrument LIMIT ?"
)
_FORGET: Final = "DELETE FROM alerts WHERE rule_id = ? AND instrument = ? AND state <> 'firing'"

_RECORD: Final = ", ".join(f.name for f in dataclasses.fields(AlertRecord))
_STORED: Final = (
    f"SELECT {', '.join('c.' + name for name in STORED_COLUMNS)}, a.rule_id IS NOT NULL, "  # noqa: S608
    f"a.rule_id IS NOT NULL AND a.state = 'inactive' AND a.cooldown_until_ms >= {FOREVER_MS} FROM chat_alerts c "
    "LEFT JOIN alerts a ON a.rule_id = c.id AND a.instrument = c.instrument AND a.condition = c.id "
    "WHERE c.id > ? AND c.deleted_ms IS NULL ORDER BY c.id LIMIT ?"
)
_LIVES: Final = (
    f"SELECT {_RECORD} FROM alerts WHERE rule_id >= ? AND rule_id <= ? "  # noqa: S608
    f"AND (state <> 'inactive' OR cooldown_until_ms >= ? AND cooldown_until_ms < {FOREVER_MS} OR n_held > 0)"
)
_ORPHANS: Final = f"SELECT {_RECORD} FROM alerts WHERE {_IS_OF_CHAT} AND state <> 'inactive' AND {_IS_GONE}"  # noqa: S608

_IN_PLACE: Final = (
    "WITH RECURSIVE place (instrument, created_ms, deleted_ms) AS ("  # noqa: S608
    "SELECT instrument, created_ms, deleted_ms FROM chat_alerts WHERE id = ?1 AND chat = ?2 AND deleted_ms IS NOT NULL "
    "UNION SELECT c.instrument, c.created_ms, c.deleted_ms FROM place p JOIN chat_alerts c "
    "ON c.deleted_ms >= p.deleted_ms AND c.created_ms = p.deleted_ms AND c.created_ms > p.created_ms "
    "AND c.chat = ?2 AND c.instrument = p.instrument) "
    f"SELECT {', '.join('a.' + name for name in _COLUMNS)} FROM place p JOIN chat_alerts a "
    "ON a.chat = ?2 AND a.created_ms = p.deleted_ms AND a.created_ms > p.created_ms AND a.deleted_ms IS NULL "
    "AND a.instrument = p.instrument ORDER BY a.id LIMIT 1"
)


def _alert(row: tuple[Any, ...]) -> ChatAlert:
    # Not strict: SQLite has no truth values, 0 and 1 stand for them.
    return msgspec.convert(dict(zip(_COLUMNS, row, strict=True)), ChatAlert, strict=False)


class SqliteChatAlertStore:
    """The `ChatAlertStore` port over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, alert: ChatAlert) -> bool:
        values = tuple(getattr(alert, column) for column in _COLUMNS)
        return await self._database.write("add a chat alert", lambda tx: tx.execute(_INSERT, values)) == 1

    async def delete(self, alert_id: str, *, at_ms: int) -> bool:
        async def remove(tx: Transaction) -> int:
            await tx.execute("DELETE FROM alerts WHERE rule_id = ? AND state <> 'firing'", (alert_id,))
            return await tx.execute(
                "UPDATE chat_alerts SET deleted_ms = ? WHERE id = ? AND deleted_ms IS NULL", (at_ms, alert_id)
            )

        return await self._database.write("delete a chat alert", remove) == 1

    async def restore(self, chat: str, alert_id: str, *, user: str | None = None) -> ChatAlert | None:
        async def bring_back(tx: Transaction) -> int:
            return await tx.execute(
                "UPDATE chat_alerts SET deleted_ms = NULL "
                "WHERE id = ?1 AND chat = ?2 AND deleted_ms IS NOT NULL AND (?3 IS NULL OR user = ?3)",
                (alert_id, chat, user),
            )

        if await self._database.write("restore a chat alert", bring_back) != 1:
            return None
        [row] = await self._database.fetch("read a chat alert", f"{_SELECT} WHERE id = ?", (alert_id,))
        return _alert(row)

    async def in_place_of(self, chat: str, alert_id: str) -> ChatAlert | None:
        rows = await self._database.fetch("follow a chat alert", _IN_PLACE, (alert_id, chat))
        return _alert(rows[0]) if rows else None

    async def of_chat(self, chat: str, *, limit: int, offset: int = 0) -> list[ChatAlert]:
        rows = await self._database.fetch(
            "read chat alerts",
            f"{_SELECT} WHERE chat = ? AND deleted_ms IS NULL ORDER BY created_ms, id LIMIT ? OFFSET ?",
            (chat, limit, offset),
        )
        return [_alert(row) for row in rows]

    async def count(self, chat: str) -> int:
        rows = await self._database.fetch(
            "count chat alerts", "SELECT count(*) FROM chat_alerts WHERE chat = ? AND deleted_ms IS NULL", (chat,)
        )
        return int(rows[0][0])

    async def find(self, chat: str, prefix: str, *, limit: int) -> list[ChatAlert]:
        # Ids hold no character that sorts behind "~".
        rows = await self._database.fetch(
            "find chat alerts",
            f"{_SELECT} WHERE chat = ? AND id >= ? AND id < ? AND deleted_ms IS NULL ORDER BY id LIMIT ?",
            (chat, prefix, prefix + "~", limit),
        )
        return [_alert(row) for row in rows]

    async def ended(self, now_ms: int, *, limit: int) -> list[ChatAlert]:
        rows = await self._database.fetch(
            "find ended chat alerts",
            f"{_SELECT} WHERE ends_ms <= ? AND deleted_ms IS NULL ORDER BY ends_ms, id LIMIT ?",
            (now_ms, limit),
        )
        return [_alert(row) for row in rows]

    async def prune(self, *, before_ms: int) -> int:
        await self._database.write(
            "forget deleted chat alerts",
            lambda tx: tx.execute("DELETE FROM chat_alerts WHERE deleted_ms < ?", (before_ms,)),
        )
        return await delete_in_batches(
            self._database,
            "prune chat alerts",
            find=_LEFT_BEHIND,
            delete=_FORGET,
            values=(),
            first=("", ""),
        )

    async def stored(self, *, cool_ms: int, batch: int = 10_000) -> AsyncIterator[StoredAlerts]:
        last = ""
        while rows := await self._database.fetch("load chat alerts", _STORED, (last, batch)):
            first, last = rows[0][0], rows[-1][0]
            lives = await self._database.fetch("load lives of chat alerts", _LIVES, (first, last, max(1, cool_ms)))
            columns = dict(zip((*STORED_COLUMNS, "is_armed", "is_done"), zip(*rows, strict=True), strict=True))
            yield StoredAlerts(**columns, lives=[record_of(life) for life in lives])

    async def orphans(self) -> list[AlertRecord]:
        rows = await self._database.fetch("load lives of deleted chat alerts", _ORPHANS)
        return [record_of(row) for row in rows]
