"""Alert state and its history in SQLite, committed together with the outbox rows they cause."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import msgspec

from bot.errors import StorageError
from bot.model.alert import AlertRecord, State, Transition, key_range
from bot.model.chat_alert import PREFIX
from bot.model.instrument import MARKET
from bot.model.outbox import OutboxRow
from bot.model.outbox_ports import Commit
from bot.storage.database import Database, Values
from bot.storage.pruning import delete_in_batches

_COLUMNS = tuple(f.name for f in dataclasses.fields(AlertRecord))
_UPSERT = (
    f"INSERT INTO alerts ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) "  # noqa: S608
    f"ON CONFLICT (rule_id, instrument) DO UPDATE SET {', '.join(f'{c} = excluded.{c}' for c in _COLUMNS[2:])}"
)
_TRANSITION = "rule_id, venue, symbol, state, at_ms, value, key, reason"
_ADD_TRANSITION = (
    "INSERT INTO transitions (rule_id, venue, symbol, state, at_ms, value, key, reason) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
ADD_ROW = (
    "INSERT INTO outbox (id, key, kind, destination, severity, created_ms, view) "
    "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
)
_KEEP_ROW = (
    "INSERT INTO outbox (id, key, kind, destination, severity, created_ms, view, state, muted_reason, muted_until_ms) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, 'muted', ?, ?) ON CONFLICT (id) DO NOTHING"
)
_RELEASE_ROW = "UPDATE outbox SET state = 'waiting', created_ms = ? WHERE id = ? AND state = 'muted'"
_FOLD_ROWS = "UPDATE outbox SET state = 'folded', told_by = ? WHERE key = ? AND destination = ? AND state = 'muted'"

# A left join keeps the order: a few alerts, and the rows of each by their index.
_FOLLOWED = (
    "SELECT a.key, o.destination FROM alerts a "
    "LEFT JOIN outbox o ON o.key = a.key AND o.kind IN ('fire', 'escalate') "
    "WHERE a.state = 'firing' AND a.key <> '' ORDER BY o.seq"
)
_OLD_TRANSITIONS = "SELECT seq FROM transitions WHERE at_ms < ? AND seq > ? ORDER BY seq LIMIT ?"
_OLD_ROWS = (
    "SELECT o.seq, o.key FROM outbox o JOIN messages m ON m.id = o.message_id "
    "WHERE m.state IN ('delivered', 'buried') AND m.settled_ms < ? AND o.seq > ? ORDER BY o.seq LIMIT ?"
)
_OLD_FOLDED = "SELECT seq, key FROM outbox WHERE state = 'folded' AND created_ms < ? AND seq > ? ORDER BY seq LIMIT ?"
_OLD_MESSAGES = (
    "SELECT id FROM messages m WHERE state IN ('delivered', 'buried') AND settled_ms < ? "
    "AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.message_id = m.id) AND id > ? ORDER BY id LIMIT ?"
)


def row_values(row: OutboxRow) -> Values:
    """For `ADD_ROW`."""
    try:
        view = msgspec.json.encode(row.view).decode()
    except (msgspec.MsgspecError, UnicodeError, TypeError) as error:
        raise StorageError(f"commit: the view of {row.id} cannot be written: {error}", may_pass=False) from error
    return (row.id, row.key, row.kind.value, row.destination, row.severity, row.created_ms, view)


def record_of(row: tuple[Any, ...]) -> AlertRecord:
    """Of a row with the columns of `AlertRecord`, in their order."""
    return msgspec.convert(dict(zip(_COLUMNS, row, strict=True)), AlertRecord)


class SqliteAlertStore:
    """The `AlertStore` port over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def commit(self, change: Commit) -> None:
        """Store all of it or nothing, in one transaction."""
        rows = [row_values(row) for row in change.rows]
        kept = [(*row_values(one.row), one.reason, one.until_ms) for one in change.kept]
        records = [tuple(getattr(record, column) for column in _COLUMNS) for record in change.records]
        transitions = [
            (t.rule_id, t.venue, t.symbol, t.state.value, t.at_ms, t.value, t.key, t.reason) for t in change.transitions
        ]
        async with self._database.transaction("commit") as tx:
            await tx.executemany(_UPSERT, records)
            await tx.executemany(_ADD_TRANSITION, transitions)
            await tx.executemany(ADD_ROW, rows)
            await tx.executemany(_KEEP_ROW, kept)
            await tx.executemany(_RELEASE_ROW, [(row.created_ms, row.id) for row in change.released])
            await tx.executemany(_FOLD_ROWS, [(f.told_by, f.key, f.destination) for f in change.folded])

    async def load(self) -> list[AlertRecord]:
        rows = await self._database.fetch(
            "load alerts",
            f"SELECT {', '.join(_COLUMNS)} FROM alerts WHERE substr(rule_id, 1, {len(PREFIX)}) <> '{PREFIX}' "  # noqa: S608
            "ORDER BY rule_id, instrument",
        )
        return [record_of(row) for row in rows]

    async def followed(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, dict[str, None]] = {}
        for key, destination in await self._database.fetch("read who was told", _FOLLOWED):
            names = found.setdefault(key, {})
            if destination is not None:
                names[destination] = None
        return {key: tuple(names) for key, names in found.items()}

    async def fired(self, since_ms: int) -> Mapping[str, int]:
        """How many firings began since then, by rule."""
        rows = await self._database.fetch(
            "count firings",
            "SELECT rule_id, COUNT(*) FROM transitions WHERE at_ms >= ? AND state = 'firing' GROUP BY rule_id",
            (since_ms,),
        )
        return dict(rows)

    async def transitions(
        self, *, rule_id: str | None = None, instrument: str | None = None, since_ms: int = 0, limit: int = 100
    ) -> list[Transition]:
        """Newest first. `instrument` is an instrument key, or `*`."""
        venue, symbol = (None, None) if instrument is None else split_instrument(instrument)
        rows = await self._database.fetch(
            "read transitions",
            f"SELECT {_TRANSITION} FROM transitions "  # noqa: S608
            "WHERE at_ms >= ?1 AND (?2 IS NULL OR rule_id = ?2) AND (?3 IS NULL OR symbol = ?3) "
            "AND (?4 IS NULL OR venue = ?4) ORDER BY at_ms DESC, seq DESC LIMIT ?5",
            (since_ms, rule_id, symbol, venue, limit),
        )
        return [_transition(row) for row in rows]

    async def by_id(self, prefix: str, *, limit: int = 100) -> list[Transition]:
        """Transitions of the firings whose short id begins so, newest first; none for what is no id."""
        wanted = key_range(prefix)
        if wanted is None:
            return []
        rows = await self._database.fetch(
            "find an alert",
            f"SELECT {_TRANSITION} FROM transitions "  # noqa: S608
            "WHERE key >= ?1 AND key < ?2 ORDER BY at_ms DESC, seq DESC LIMIT ?3",
            (*wanted, limit),
        )
        return [_transition(row) for row in rows]

    async def prune(self, *, before_ms: int) -> int:
        """Forget transitions and settled outbox rows older than that. Rows of alerts still firing stay: their end
        needs the message to edit. Returns how many rows and transitions went.
        """
        database, values = self._database, (before_ms,)
        gone = await delete_in_batches(
            database,
            "prune transitions",
            find=_OLD_TRANSITIONS,
            delete="DELETE FROM transitions WHERE seq = ?",
            values=values,
        )
        firing = {key for (key,) in await database.fetch("prune", "SELECT key FROM alerts WHERE state = 'firing'")}
        gone += await delete_in_batches(
            database,
            "prune the outbox",
            find=_OLD_ROWS,
            delete="DELETE FROM outbox WHERE seq = ?",
            values=values,
            keeps=lambda row: row[1] in firing,
        )
        gone += await delete_in_batches(
            database,
            "prune the outbox",
            find=_OLD_FOLDED,
            delete="DELETE FROM outbox WHERE seq = ? AND state = 'folded'",
            values=values,
            keeps=lambda row: row[1] in firing,
        )
        await delete_in_batches(
            database,
            "prune messages",
            find=_OLD_MESSAGES,
            # Once more whether it is free: a row may have joined it since it was found.
            delete="DELETE FROM messages WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM outbox WHERE message_id = ?1)",
            values=values,
            first=("",),
        )
        return gone


def _transition(row: tuple[Any, ...]) -> Transition:
    rule_id, venue, symbol, state, at_ms, value, key, reason = row
    return Transition(rule_id, venue, symbol, State(state), at_ms, value, key, reason)


def split_instrument(instrument: str) -> tuple[str | None, str]:
    """Venue and symbol of an instrument key; the market (`*`) is a symbol of any venue."""
    if instrument == MARKET:
        return None, MARKET
    venue, _, symbol = instrument.partition(":")
    return venue, symbol
