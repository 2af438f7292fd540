"""The conditions that people made in chat, in SQLite."""

import dataclasses
import json
from typing import Any, Final

import msgspec

from bot.model.chat_rule import ChatRule
from bot.storage.database import Database

_COLUMNS: Final = tuple(f.name for f in dataclasses.fields(ChatRule))
_NAMES: Final = ", ".join(f'"{name}"' for name in _COLUMNS)
_INSERT: Final = (
    f"INSERT INTO chat_rules ({_NAMES}) VALUES ({', '.join('?' * len(_COLUMNS))}) "  # noqa: S608
    "ON CONFLICT (id) DO NOTHING"
)


def _values(rule: ChatRule) -> tuple[str | int | None, ...]:
    return tuple(
        json.dumps(rule.symbols, ensure_ascii=False) if name == "symbols" else getattr(rule, name) for name in _COLUMNS
    )


def _rule(row: tuple[Any, ...]) -> ChatRule:
    values = dict(zip(_COLUMNS, row, strict=True))
    # Not strict: SQLite has no truth values, 0 and 1 stand for them.
    return msgspec.convert(values | {"symbols": json.loads(values["symbols"])}, ChatRule, strict=False)


class SqliteChatRuleStore:
    """The `ChatRuleStore` port over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, rule: ChatRule) -> bool:
        return await self._database.write("add a chat rule", lambda tx: tx.execute(_INSERT, _values(rule))) == 1

    async def delete(self, rule_id: str, *, at_ms: int) -> bool:
        drop = "UPDATE chat_rules SET deleted_ms = ? WHERE id = ? AND deleted_ms IS NULL"
        return await self._database.write("delete a chat rule", lambda tx: tx.execute(drop, (at_ms, rule_id))) == 1

    async def restore(self, chat: str, rule_id: str, *, user: str | None = None) -> ChatRule | None:
        back = (
            "UPDATE chat_rules SET deleted_ms = NULL "
            "WHERE id = ?1 AND chat = ?2 AND deleted_ms IS NOT NULL AND (?3 IS NULL OR user = ?3)"
        )
        if await self._database.write("restore a chat rule", lambda tx: tx.execute(back, (rule_id, chat, user))) != 1:
            return None
        [row] = await self._database.fetch(
            "read a chat rule",
            f"SELECT {_NAMES} FROM chat_rules WHERE id = ?",  # noqa: S608
            (rule_id,),
        )
        return _rule(row)

    async def all(self) -> list[ChatRule]:
        rows = await self._database.fetch(
            "read chat rules",
            f"SELECT {_NAMES} FROM chat_rules WHERE deleted_ms IS NULL ORDER BY created_ms, id",  # noqa: S608
        )
        return [_rule(row) for row in rows]

    async def prune(self, *, before_ms: int) -> int:
        drop = "DELETE FROM chat_rules WHERE deleted_ms < ?"
        return await self._database.write("forget deleted chat rules", lambda tx: tx.execute(drop, (before_ms,)))
