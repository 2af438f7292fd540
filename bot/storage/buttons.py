"""What stands behind the buttons of messages, in SQLite."""

from typing import Final

import msgspec

from bot.model.buttons import Keyboard
from bot.storage.database import Database
from bot.storage.pruning import delete_in_batches

_PUT: Final = (
    "INSERT INTO buttons (id, chat, user, place, commands, issued_ms, origin) VALUES (?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (id) DO UPDATE SET issued_ms = excluded.issued_ms"
)
_OLD: Final = (
    "SELECT issued_ms, id FROM buttons WHERE (issued_ms, id) > (?2, ?3) AND (issued_ms < ?1) "
    "ORDER BY issued_ms, id LIMIT ?4"
)


class SqliteButtonStore:
    """The `ButtonStore` port over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, keyboard: Keyboard) -> None:
        commands = msgspec.json.encode(keyboard.commands).decode()
        who = (keyboard.id, keyboard.chat, keyboard.user, keyboard.place)
        values = (*who, commands, keyboard.issued_ms, keyboard.origin)
        await self._database.write("store buttons", lambda tx: tx.execute(_PUT, values))

    async def get(self, keyboard_id: str) -> Keyboard | None:
        found = await self._database.fetch(
            "read buttons",
            "SELECT id, chat, user, place, commands, issued_ms, origin FROM buttons WHERE id = ?",
            (keyboard_id,),
        )
        if not found:
            return None
        id_, chat, user, place, commands, issued_ms, origin = found[0]
        return Keyboard(id_, chat, user, place, msgspec.json.decode(commands, type=tuple[str, ...]), issued_ms, origin)

    async def prune(self, *, before_ms: int, keep: int) -> int:
        # The time from which the latest `keep` were issued; older ones go, whatever their age.
        edge = await self._database.fetch(
            "prune buttons", "SELECT issued_ms FROM buttons ORDER BY issued_ms DESC, id DESC LIMIT 1 OFFSET ?", (keep,)
        )
        before_ms = max(before_ms, edge[0][0] + 1 if edge else before_ms)
        return await delete_in_batches(
            self._database,
            "prune buttons",
            find=_OLD,
            delete="DELETE FROM buttons WHERE issued_ms = ? AND id = ?",
            values=(before_ms,),
            first=(-1, ""),
        )
