"""Small values that must survive a restart, in SQLite."""

from bot.storage.database import Database


class SqliteKeyValues:
    """The `KeyValues` port over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, key: str) -> str | None:
        rows = await self._database.fetch("read a value", "SELECT value FROM key_values WHERE key = ?", (key,))
        return rows[0][0] if rows else None

    async def put(self, key: str, value: str) -> None:
        await self._database.write(
            "store a value",
            lambda tx: tx.execute(
                "INSERT INTO key_values (key, value) VALUES (?, ?) "
                "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (key, value),
            ),
        )
