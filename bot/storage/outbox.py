"""The outbox in SQLite.

A row is open (`waiting`, `sending`) or settled (`delivered`, `buried`); its state repeats that of its message. Rows of
one alert leave in their order: none is handed out while an earlier one is under way or not due yet. A row that is
`muted` belongs to no lane until it is released; a `folded` one is told by another.
"""

import dataclasses
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from bot import log
from bot.model.alert import TellKind, key_range
from bot.model.outbox import Backlog, Delivered, Kept, Layout, Message, OutboxRow, Outcome, Rejected, RetryLater, Tried
from bot.model.silence import Fired
from bot.model.view import AlertView
from bot.storage.database import Database, Transaction

_log = log.get("storage")

STATES = ("waiting", "sending", "delivered", "buried")
"""Counted even where there are none."""
MAX_WAIT_MS = 3_600_000
"""No message waits longer after a start: the clock that set its time may have been wrong."""
ROW = "o.id, o.key, o.kind, o.destination, o.severity, o.created_ms, o.view, o.again"
_TRIED = "m.id AS tried_in, m.layout AS tried_layout, m.ambiguous AS tried_ambiguous"
_OPEN = (
    f"SELECT {ROW}, {_TRIED}, o.seq, o.state, COALESCE(m.due_ms, 0) AS due_ms, "  # noqa: S608
    "MIN(o.seq) OVER (PARTITION BY o.key) AS head, "
    "MAX(o.severity = 'critical') OVER (PARTITION BY o.key) AS urgent, "
    "MAX(o.state = 'sending' OR COALESCE(m.due_ms, 0) > ?2) OVER (PARTITION BY o.key ORDER BY o.seq) AS held "
    "FROM outbox o LEFT JOIN messages m ON m.id = o.message_id "
    "WHERE o.destination = ?1 AND o.state IN ('waiting', 'sending')"
)
_WAITING = (
    "SELECT id, key, kind, destination, severity, created_ms, view, again, "  # noqa: S608
    f"tried_in, tried_layout, tried_ambiguous FROM ({_OPEN}) WHERE NOT held ORDER BY urgent DESC, head, seq LIMIT ?3"
)
_NEXT_DUE = f"SELECT MIN(due_ms) FROM ({_OPEN}) WHERE seq = head AND state = 'waiting' AND due_ms > ?3"  # noqa: S608
_STORE_MESSAGE = (
    "INSERT INTO messages (id, destination, provider_id, text_version, state, attempts, due_ms, settled_ms, reason, "
    "layout, ambiguous) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) "
    "ON CONFLICT (id) DO UPDATE SET provider_id = excluded.provider_id, text_version = excluded.text_version, "
    "state = excluded.state, due_ms = excluded.due_ms, settled_ms = excluded.settled_ms, reason = excluded.reason, "
    "layout = excluded.layout, attempts = max(attempts, excluded.attempts), ambiguous = max(ambiguous, excluded.ambiguous)"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Buried:
    """A row that will never be told, and why."""

    row: OutboxRow
    reason: str
    at_ms: int


def read_row(values: tuple[Any, ...]) -> OutboxRow:
    """The columns of `ROW`, and where there are more, those of the message that it was tried in."""
    return OutboxRow(
        id=values[0],
        key=values[1],
        kind=TellKind(values[2]),
        destination=values[3],
        severity=values[4],
        created_ms=values[5],
        view=msgspec.json.decode(values[6], type=AlertView),
        again=bool(values[7]),
        tried=Tried(values[8], Layout(values[9]), bool(values[10])) if values[8:] and values[8] else None,
    )


def readable(found: Sequence[tuple[Any, ...]]) -> list[OutboxRow]:
    """Rows without those that another version wrote."""
    rows = []
    for values in found:
        try:
            rows.append(read_row(values))
        except (msgspec.MsgspecError, ValueError) as error:
            _log.error("outbox.unreadable", row=values[0], error=str(error))
    return rows


class SqliteOutbox:
    """The `Outbox` port over a database. Rows are added by `SqliteAlertStore.commit`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def waiting(self, destination: str, *, now_ms: int, limit: int) -> list[OutboxRow]:
        """Critical alerts first, then the oldest; the rows of one alert stand together and in order."""
        found = await self._database.fetch("read the outbox", _WAITING, (destination, now_ms, limit))
        rows = []
        for values in found:
            try:
                rows.append(read_row(values))
            except (msgspec.MsgspecError, ValueError) as error:
                # Written by another version: it must not stop the rows behind it.
                _log.error("outbox.unreadable", row=values[0], error=str(error))
                message = Message(
                    id=f"unreadable-{values[0]}", destination=destination, row_ids=(values[0],), attempts=0
                )
                await self.settle(message, Rejected("its content cannot be read"), now_ms=now_ms)
        return rows

    async def begin(self, message: Message) -> None:
        """Note that an attempt starts. A row that was in another message leaves it."""
        await self._database.write("begin an attempt", lambda tx: self._store(tx, message, state="sending", attempts=1))

    async def settle(self, message: Message, outcome: Outcome, *, now_ms: int) -> None:
        """Note what came of it. Works without a `begin` that was stored, should the disk have been full then."""

        async def note(tx: Transaction) -> None:
            match outcome:
                case Delivered(provider_id):
                    told = dataclasses.replace(message, provider_id=provider_id)
                    await self._store(tx, told, state="delivered", settled_ms=now_ms)
                case RetryLater(after_s, reason, ambiguous):
                    due_ms = now_ms + round(after_s * 1000)
                    await self._store(tx, message, state="waiting", due_ms=due_ms, reason=reason, ambiguous=ambiguous)
                case Rejected(reason):
                    await self._store(tx, message, state="buried", settled_ms=now_ms, reason=reason)

        await self._database.write("settle an attempt", note)

    async def _store(
        self,
        tx: Transaction,
        message: Message,
        *,
        state: str,
        attempts: int = 0,
        due_ms: int = 0,
        settled_ms: int = 0,
        reason: str = "",
        ambiguous: bool = False,
    ) -> None:
        known = await tx.fetch("SELECT attempts FROM messages WHERE id = ?", (message.id,))
        attempts = max(attempts + (known[0][0] if known else 0), message.attempts)
        await tx.execute(
            _STORE_MESSAGE,
            (
                message.id,
                message.destination,
                message.provider_id,
                message.text_version,
                state,
                attempts,
                due_ms,
                settled_ms,
                reason,
                message.layout.value,
                int(ambiguous),
            ),
        )
        # One question for all: a message may carry thousands, and commits wait meanwhile.
        found = await tx.fetch(
            "SELECT DISTINCT message_id FROM outbox WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(message.row_ids),),
        )
        left = {old for (old,) in found}
        await tx.executemany(
            "UPDATE outbox SET message_id = ?, state = ? WHERE id = ?",
            [(message.id, state, row_id) for row_id in message.row_ids],
        )
        await tx.executemany(
            "DELETE FROM messages WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM outbox WHERE message_id = ?1)",
            [(old,) for old in left - {None, message.id}],
        )

    async def message_of(self, key: str, kind: str, destination: str) -> Message | None:
        found = await self._database.fetch(
            "read a message",
            "SELECT m.id, m.attempts, m.provider_id, m.text_version, m.layout FROM outbox o JOIN messages m ON m.id = o.message_id "
            "WHERE o.key = ? AND o.kind = ? AND o.destination = ? AND m.state = 'delivered' ORDER BY o.seq DESC LIMIT 1",
            (key, kind, destination),
        )
        if not found:
            return None
        message_id, attempts, provider_id, text_version, layout = found[0]
        rows = await self._database.fetch(
            "read a message", "SELECT id FROM outbox WHERE message_id = ? ORDER BY seq", (message_id,)
        )
        return Message(
            id=message_id,
            destination=destination,
            row_ids=tuple(row[0] for row in rows),
            attempts=attempts,
            provider_id=provider_id,
            text_version=text_version,
            layout=Layout(layout),
        )

    async def rows_of(self, message_id: str) -> list[OutboxRow]:
        sql = f"SELECT {ROW} FROM outbox o WHERE o.message_id = ? ORDER BY o.seq"  # noqa: S608
        return readable(await self._database.fetch("read a message", sql, (message_id,)))

    async def later_of(self, message_id: str) -> list[OutboxRow]:
        sql = (
            f"SELECT {ROW} FROM outbox o JOIN (SELECT DISTINCT key, destination FROM outbox WHERE message_id = ?) told "  # noqa: S608
            "ON told.key = o.key AND told.destination = o.destination "
            "WHERE (o.kind IN ('end', 'close') OR o.state = 'delivered') AND o.message_id IS NOT ? ORDER BY o.seq"
        )
        return readable(await self._database.fetch("read a message", sql, (message_id, message_id)))

    async def row_of(self, key: str, kind: str, destination: str) -> OutboxRow | None:
        found = await self._database.fetch(
            "read a row",
            f"SELECT {ROW} FROM outbox o WHERE o.key = ? AND o.kind = ? AND o.destination = ? "  # noqa: S608
            "ORDER BY o.seq DESC LIMIT 1",
            (key, kind, destination),
        )
        try:
            return read_row(found[0]) if found else None
        except (msgspec.MsgspecError, ValueError) as error:
            _log.error("outbox.unreadable", row=found[0][0], error=str(error))
            return None

    async def recover(self, *, now_ms: int) -> int:
        async def reopen(tx: Transaction) -> int:
            await tx.execute("UPDATE outbox SET state = 'waiting' WHERE state = 'sending'")
            await tx.execute(
                "UPDATE messages SET due_ms = min(due_ms, ?) WHERE state = 'waiting'", (now_ms + MAX_WAIT_MS,)
            )
            return await tx.execute(
                "UPDATE messages SET state = 'waiting', due_ms = ?, ambiguous = 1, reason = 'the bot stopped during the attempt' "
                "WHERE state = 'sending'",
                (now_ms,),
            )

        return await self._database.write("recover the outbox", reopen)

    async def counts(self) -> dict[str, int]:
        found = await self._database.fetch("count the outbox", "SELECT state, count(*) FROM outbox GROUP BY state")
        return dict.fromkeys(STATES, 0) | dict(found)

    async def backlog(self) -> list[Backlog]:
        found = await self._database.fetch(
            "count the outbox",
            "SELECT destination, count(*), min(created_ms) FROM outbox WHERE state IN ('waiting', 'sending') "
            "GROUP BY destination ORDER BY destination",
        )
        return [Backlog(*values) for values in found]

    async def next_due_ms(self, destination: str, *, after_ms: int = -1) -> int | None:
        """0 for rows that were never tried."""
        found = await self._database.fetch("read the outbox", _NEXT_DUE, (destination, 0, after_ms))
        return found[0][0] if found else None

    async def kept(self, *, batch: int = 1_000) -> AsyncIterator[list[Kept]]:
        """Muted rows in the order in which they came. What cannot be read is logged and left out."""
        last = -1
        while found := await self._database.fetch(
            "read muted rows",
            f"SELECT {ROW}, o.muted_reason, o.muted_until_ms, o.seq FROM outbox o "  # noqa: S608
            "WHERE o.state = 'muted' AND o.seq > ? ORDER BY o.seq LIMIT ?",
            (last, batch),
        ):
            rows = []
            for values in found:
                try:
                    rows.append(Kept(read_row(values[:8]), values[8], values[9]))
                except (msgspec.MsgspecError, ValueError) as error:
                    _log.error("outbox.unreadable", row=values[0], error=str(error))
            yield rows
            last = found[-1][-1]

    async def fired(self, prefix: str, *, destination: str = "", limit: int) -> list[Fired]:
        """Firings whose short id begins like that, the latest first; with `destination`, those told or kept there."""
        span = key_range(prefix)
        if span is None:
            return []
        found = await self._database.fetch(
            "find firings",
            f"SELECT {ROW}, EXISTS (SELECT 1 FROM outbox e WHERE e.key = o.key AND e.kind IN ('end', 'close')) "  # noqa: S608
            "FROM outbox o WHERE o.kind = 'fire' AND o.key >= ? AND o.key < ? ORDER BY o.seq DESC LIMIT 1000",
            span,
        )
        fired: dict[str, Fired] = {}
        for values in found:
            try:
                row, ended = read_row(values[:8]), bool(values[8])
            except (msgspec.MsgspecError, ValueError):
                continue
            known = fired.get(row.key)
            where = (row.destination, *(known.destinations if known else ()))
            fired[row.key] = Fired(row.key, row.view, tuple(sorted(where)), ended)
        return [one for one in fired.values() if destination in {"", *one.destinations}][:limit]

    async def buried(self, *, limit: int = 100) -> list[Buried]:
        """What will never be told, newest first, with the reason. Updates may be dropped and are not listed."""
        found = await self._database.fetch(
            "read the outbox",
            f"SELECT {ROW}, m.reason, m.settled_ms FROM outbox o JOIN messages m ON m.id = o.message_id "  # noqa: S608
            "WHERE o.state = 'buried' AND o.kind != 'update' ORDER BY m.settled_ms DESC, o.seq DESC LIMIT ?",
            (limit,),
        )
        rows = []
        for values in found:
            try:
                rows.append(Buried(row=read_row(values[:8]), reason=values[8], at_ms=values[9]))
            except (msgspec.MsgspecError, ValueError):
                continue
        return rows
