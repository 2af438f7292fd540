"""What people set for their chats, in SQLite."""

import dataclasses
from typing import Any, Final

import msgspec

from bot.model.subscriptions import Look, Subscription, TopicRoute
from bot.storage.database import Database

_SUBSCRIPTION: Final = tuple(f.name for f in dataclasses.fields(Subscription))
_LOOK: Final = ("chat", *(f.name for f in dataclasses.fields(Look)))
_TOPIC: Final = tuple(f.name for f in dataclasses.fields(TopicRoute))


def _put(table: str, columns: tuple[str, ...]) -> str:
    return f"REPLACE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608


def _subscription(row: tuple[Any, ...]) -> Subscription:
    # Not strict: SQLite has no truth values, 0 and 1 stand for them.
    return msgspec.convert(dict(zip(_SUBSCRIPTION, row, strict=True)), Subscription, strict=False)


class SqliteSubscriptionStore:
    """The `SubscriptionStore` port over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, one: Subscription) -> None:
        sql, values = _put("subscriptions", _SUBSCRIPTION), tuple(getattr(one, name) for name in _SUBSCRIPTION)
        if one.says_nothing:
            sql, values = "DELETE FROM subscriptions WHERE chat = ? AND rule = ?", (one.chat, one.rule)
        await self._database.write("set a subscription", lambda tx: tx.execute(sql, values))

    async def forget(self, chat: str) -> int:
        sql = "DELETE FROM subscriptions WHERE chat = ?"
        return await self._database.write("forget subscriptions", lambda tx: tx.execute(sql, (chat,)))

    async def all(self) -> list[Subscription]:
        rows = await self._database.fetch(
            "read subscriptions",
            f"SELECT {', '.join(_SUBSCRIPTION)} FROM subscriptions ORDER BY chat, rule",  # noqa: S608
        )
        return [_subscription(row) for row in rows]

    async def put_look(self, chat: str, look: Look) -> None:
        values = (chat, *(getattr(look, name) for name in _LOOK[1:]))
        await self._database.write("set the look of a chat", lambda tx: tx.execute(_put("looks", _LOOK), values))

    async def forget_look(self, chat: str) -> None:
        sql = "DELETE FROM looks WHERE chat = ?"
        await self._database.write("forget the look of a chat", lambda tx: tx.execute(sql, (chat,)))

    async def looks(self) -> dict[str, Look]:
        rows = await self._database.fetch(
            "read looks",
            f"SELECT {', '.join(_LOOK)} FROM looks",  # noqa: S608
        )
        return {row[0]: msgspec.convert(dict(zip(_LOOK[1:], row[1:], strict=True)), Look, strict=False) for row in rows}

    async def put_topic(self, route: TopicRoute) -> None:
        values = tuple(getattr(route, name) for name in _TOPIC)
        await self._database.write("set a topic", lambda tx: tx.execute(_put("topic_routes", _TOPIC), values))

    async def drop_topic(self, chat: str, topic: int) -> int:
        sql = "DELETE FROM topic_routes WHERE chat = ? AND topic = ?"
        return await self._database.write("forget a topic", lambda tx: tx.execute(sql, (chat, topic)))

    async def topics(self) -> list[TopicRoute]:
        rows = await self._database.fetch(
            "read topics",
            f"SELECT {', '.join(_TOPIC)} FROM topic_routes ORDER BY chat, topic, what",  # noqa: S608
        )
        return [TopicRoute(*row) for row in rows]
