"""What is stored about one person, in SQLite: to be handed out, or to be forgotten.

Every column that can hold the name of a person or of their private chat is listed here; a test compares the list with the
schema, so that a new table is not overlooked.
"""

import json
from typing import Final

from bot.model.access import FORGOTTEN, Rows
from bot.storage.database import Database, Transaction

OWN: Final[dict[str, tuple[str, ...]]] = {
    "members": ("user", "chat"),
    "strangers": ("user", "chat"),
    "wrong_codes": ("user",),
    "chat_alerts": ("user", "chat"),
    "chat_rules": ("user", "chat"),
    "subscriptions": ("chat",),
    "looks": ("chat",),
    "watchlists": ("chat",),
    "stop_watches": ("person", "chat"),
    "risk_settings": ("person",),
    "buttons": ("user", "chat"),
}
"""Rows that are somebody's alone, by the columns that name them or their private chat."""
NAMED: Final[dict[str, tuple[str, ...]]] = {
    "members": ("by",),
    "codes": ("by",),
    "strangers": ("by",),
    "listed_groups": ("by",),
    "silences": ("author",),
    "quiet_hours": ("author",),
    "topic_routes": ("author",),
    "audit": ("user", "chat"),
}
"""Rows of others that name somebody."""
_OF_PLACE: Final = ("silences", "quiet_hours", "acks", "score_replies")
"""What is set for a destination goes with a private chat, whose destination bears its name."""
_TOLD: Final = ("outbox", "messages")
"""What is to be told in a private chat, and was; rows of the first refer to those of the second."""
_SCORED: Final = "score_moments"
"""Of scored alerts, those that were made in a private chat; others are told elsewhere too. Their scores go with them."""
_MADE_HERE: Final = "is_public = 0 AND key IN (SELECT key FROM outbox WHERE destination = ?1)"
_SUBJECT: Final = "audit"
"""Its `what` may name somebody inside the text."""
REFUSED_KEYS: Final = "telegram.refused.%"


class SqlitePersonalData:
    """The `PersonalData` port over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def export(self, user: str) -> dict[str, Rows]:
        found: dict[str, Rows] = {}
        for table in dict.fromkeys([*OWN, *NAMED, *_OF_PLACE, *_TOLD, _SCORED]):
            columns = [*OWN.get(table, ()), *NAMED.get(table, ())]
            columns += ["destination"] if table in (*_OF_PLACE, *_TOLD) else []
            where = " OR ".join(f"{column} = ?1" for column in columns)
            where = _MADE_HERE if table == _SCORED else where
            where += " OR (' ' || what || ' ') LIKE '% ' || ?1 || ' %'" if table == _SUBJECT else ""
            columns_of = "SELECT name FROM pragma_table_info(?)"
            names = [name for (name,) in await self._database.fetch("read columns", columns_of, (table,))]
            quoted = ", ".join(f'"{name}"' for name in names)
            rows = await self._database.fetch(
                "read personal data",
                f"SELECT {quoted} FROM {table} WHERE {where}",  # noqa: S608
                (user,),
            )
            if rows:
                found[table] = [dict(zip(names, row, strict=True)) for row in rows]
        return found

    async def forget(self, user: str) -> None:
        async def work(tx: Transaction) -> None:
            for table, columns in OWN.items():
                where = " OR ".join(f"{column} = ?1" for column in columns)
                await tx.execute(f"DELETE FROM {table} WHERE {where}", (user,))  # noqa: S608
            await tx.execute(f"DELETE FROM {_SCORED} WHERE {_MADE_HERE}", (user,))  # noqa: S608
            for table in (*_OF_PLACE, *_TOLD):
                await tx.execute(f"DELETE FROM {table} WHERE destination = ?", (user,))  # noqa: S608
            for table, columns in NAMED.items():
                for column in columns:
                    await tx.execute(f"UPDATE {table} SET {column} = ?2 WHERE {column} = ?1", (user, FORGOTTEN))  # noqa: S608
            await tx.execute(
                "UPDATE audit SET what = trim(replace(' ' || what || ' ', ' ' || ?1 || ' ', ' ' || ?2 || ' ')) "
                "WHERE (' ' || what || ' ') LIKE '% ' || ?1 || ' %'",
                (user, FORGOTTEN),
            )
            number = user.partition(":")[2]
            for key, value in await tx.fetch("SELECT key, value FROM key_values WHERE key LIKE ?", (REFUSED_KEYS,)):
                kept = _without(value, number)
                if kept != value:
                    await tx.execute("UPDATE key_values SET value = ? WHERE key = ?", (kept, key))

        await self._database.write("forget a person", work)


def _without(text: str, number: str) -> str:
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return json.dumps({k: v for k, v in found.items() if k != number}) if isinstance(found, dict) else text
