"""Chats and destinations that became others, in SQLite: everything that names them follows in one transaction."""

from typing import Final

from bot.storage.database import Database, Transaction

_OF_CHATS: Final = ("chat_alerts", "chat_rules", "stop_watches", "buttons")
_ONE_FOR_EACH_CHAT: Final = ("subscriptions", "looks", "topic_routes", "watchlists")
"""Tables in which a chat has one row for a thing: what the new one has already stays."""
_OF_DESTINATIONS: Final = ("outbox", "messages", "silences")
_ONE_FOR_EACH: Final = ("acks", "quiet_hours", "score_replies")
"""Tables in which a destination has one row for a thing: what the new name has already stays."""


class SqliteChatMoves:
    """The `ChatMoves` port over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def move(self, old: str, new: str) -> None:
        async def work(tx: Transaction) -> None:
            for table in _OF_CHATS:
                await tx.execute(f"UPDATE {table} SET chat = ? WHERE chat = ?", (new, old))  # noqa: S608
            await tx.execute("UPDATE OR REPLACE listed_groups SET chat = ? WHERE chat = ?", (new, old))
            for table in _ONE_FOR_EACH_CHAT:
                await tx.execute(f"UPDATE OR IGNORE {table} SET chat = ? WHERE chat = ?", (new, old))  # noqa: S608
                await tx.execute(f"DELETE FROM {table} WHERE chat = ?", (old,))  # noqa: S608

        await self._database.write("move a chat", work)

    async def rename(self, old: str, new: str) -> None:
        async def work(tx: Transaction) -> None:
            for table in _OF_DESTINATIONS:
                await tx.execute(f"UPDATE {table} SET destination = ? WHERE destination = ?", (new, old))  # noqa: S608
            for table in _ONE_FOR_EACH:
                await tx.execute(f"UPDATE OR IGNORE {table} SET destination = ? WHERE destination = ?", (new, old))  # noqa: S608
                await tx.execute(f"DELETE FROM {table} WHERE destination = ?", (old,))  # noqa: S608
            await tx.execute("UPDATE buttons SET place = ? WHERE place = ?", (new, old))
            keys = f"delivery.lane.{old}", f"delivery.lane.{new}"
            await tx.execute("UPDATE OR IGNORE key_values SET key = ?2 WHERE key = ?1", keys)
            await tx.execute("DELETE FROM key_values WHERE key = ?1", keys[:1])

        await self._database.write("rename a destination", work)
