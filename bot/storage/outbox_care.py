"""The outbox by hand: looking at it, telling again, giving up. Each method is one transaction, so a bot may run beside it."""

from collections.abc import Sequence

import msgspec

from bot.model.outbox import Entry
from bot.storage.database import Database, Transaction
from bot.storage.outbox import ROW, read_row

_TOLD_LATER = (
    "EXISTS (SELECT 1 FROM outbox later WHERE later.key = outbox.key AND later.destination = outbox.destination "
    "AND later.seq > outbox.seq AND later.state = 'delivered')"
)


BY_HAND = "by-hand-"
"""Begins the ids of messages that somebody gave up."""
_DROPPED = f"o.state = 'buried' AND o.kind = 'update' AND m.id NOT LIKE '{BY_HAND}%'"
"""Updates are dropped as a matter of course, such as those of a terminal: nobody missed anything."""


class SqliteOutboxCare:
    """The `OutboxCare` port over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def entries(self, states: Sequence[str], *, destination: str | None = None, limit: int) -> list[Entry]:
        marks = ", ".join("?" * len(states))
        found = await self._database.fetch(
            "read the outbox",
            f"SELECT {ROW}, o.state, COALESCE(m.attempts, 0), COALESCE(m.reason, ''), "  # noqa: S608
            "COALESCE(CASE WHEN o.state IN ('delivered', 'buried') THEN m.settled_ms ELSE m.due_ms END, 0) "
            f"FROM outbox o LEFT JOIN messages m ON m.id = o.message_id WHERE o.state IN ({marks}) "
            f"AND NOT ({_DROPPED}) AND (? IS NULL OR o.destination = ?) ORDER BY o.seq DESC LIMIT ?",
            (*states, destination, destination, limit),
        )
        entries = []
        for values in found:
            try:
                entries.append(Entry(read_row(values[:8]), *values[8:]))
            except (msgspec.MsgspecError, ValueError):
                continue
        return entries

    async def retry(self, row_ids: Sequence[str]) -> int:
        async def again(tx: Transaction) -> int:
            n = 0
            for row_id in row_ids:
                n += await tx.execute(
                    "UPDATE outbox SET state = 'waiting', message_id = NULL, again = 1 "  # noqa: S608
                    f"WHERE id = ? AND state IN ('buried', 'waiting') AND NOT {_TOLD_LATER}",
                    (row_id,),
                )
            await tx.execute(
                "DELETE FROM messages WHERE state IN ('buried', 'waiting') "
                "AND NOT EXISTS (SELECT 1 FROM outbox WHERE message_id = messages.id)"
            )
            return n

        return await self._database.write("retry", again)

    async def bury(self, row_ids: Sequence[str], reason: str, *, now_ms: int) -> int:
        async def give_up(tx: Transaction) -> int:
            n = 0
            for row_id in row_ids:
                found = await tx.fetch("SELECT destination FROM outbox WHERE id = ? AND state = 'waiting'", (row_id,))
                if not found:
                    continue
                # A message of its own: what else its old one carries may still go.
                await tx.execute(
                    "INSERT INTO messages (id, destination, provider_id, text_version, state, attempts, due_ms, "
                    "settled_ms, reason) VALUES (?1, ?2, NULL, 0, 'buried', 0, 0, ?3, ?4) ON CONFLICT (id) DO UPDATE SET "
                    "state = 'buried', settled_ms = ?3, reason = ?4",
                    (f"{BY_HAND}{row_id}", found[0][0], now_ms, reason),
                )
                n += await tx.execute(
                    "UPDATE outbox SET state = 'buried', message_id = ? WHERE id = ?", (f"{BY_HAND}{row_id}", row_id)
                )
            await tx.execute(
                "DELETE FROM messages WHERE state = 'waiting' "
                "AND NOT EXISTS (SELECT 1 FROM outbox WHERE message_id = messages.id)"
            )
            return n

        return await self._database.write("bury", give_up)
