"""What fired and who was told, from SQLite: transitions joined with their ends, and outbox rows with their messages."""

import json
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from bot.model.alert import State, Transition
from bot.model.dashboard import PRIVATE, Firing, Receipt
from bot.storage.database import Database

_PRIVATE: Final = " AND ".join(f"substr(f.rule_id, 1, {len(prefix)}) != '{prefix}'" for prefix in PRIVATE)
_FIRINGS: Final = (
    "SELECT f.rule_id, f.venue, f.symbol, f.at_ms, f.value, f.key, e.state, e.at_ms, e.value, e.reason "  # noqa: S608
    "FROM transitions f LEFT JOIN transitions e ON e.rule_id = f.rule_id AND e.venue = f.venue AND e.symbol = f.symbol "
    "AND e.at_ms >= f.at_ms AND e.key = f.key AND e.state IN ('resolved', 'closed') "
    f"WHERE f.state = 'firing' AND (?2 = '' OR f.symbol = ?2) AND (({_PRIVATE}) "
    "OR f.rule_id IN (SELECT value FROM json_each(?3))) GROUP BY f.seq ORDER BY f.at_ms DESC, f.seq DESC LIMIT ?1"
)
_ROWS: Final = (
    "SELECT o.key, o.destination, o.state, o.created_ms, m.settled_ms, o.severity, o.view FROM outbox o "
    "LEFT JOIN messages m ON m.id = o.message_id "
    "WHERE o.kind = 'fire' AND o.key IN (SELECT value FROM json_each(?1)) ORDER BY o.seq"
)


class _Shown(msgspec.Struct, frozen=True):
    """The part of a view that a list shows."""

    title: str = ""
    value_text: str = ""
    value_is_ratio: bool = False


class SqliteFiringStore:
    """The `FiringStore` port over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def firings(self, *, limit: int, own: Sequence[str], symbol: str = "") -> Sequence[Firing]:
        found = await self._database.fetch("read firings", _FIRINGS, (limit, symbol, json.dumps(list(own))))
        rows = await self._database.fetch("read receipts", _ROWS, (json.dumps([row[5] for row in found]),))
        told: dict[str, list[tuple[Any, ...]]] = {}
        for row in rows:
            told.setdefault(row[0], []).append(row)
        return [_firing(row, told.get(row[5], [])) for row in found]

    async def counts(self, *, since_ms: int) -> dict[str, int]:
        rows = await self._database.fetch(
            "count firings",
            "SELECT rule_id, COUNT(*) FROM transitions WHERE at_ms >= ? AND state = 'firing' GROUP BY rule_id",
            (since_ms,),
        )
        return dict(rows)


def _firing(row: tuple[Any, ...], told: Sequence[tuple[Any, ...]]) -> Firing:
    rule_id, venue, symbol, at_ms, value, key, state, ended_ms, ended_value, reason = row
    fired = Transition(rule_id, venue, symbol, State.FIRING, at_ms, value, key)
    ended = None
    if state is not None:
        ended = Transition(rule_id, venue, symbol, State(state), ended_ms, ended_value, key, reason)
    shown = _shown(told[0][6]) if told else _Shown()
    return Firing(
        fired=fired,
        ended=ended,
        title=shown.title,
        severity=told[0][5] if told else "",
        value_text=shown.value_text,
        is_ratio=shown.value_is_ratio,
        receipts=tuple(
            receipt(to, is_in, created_ms, settled_ms) for _, to, is_in, created_ms, settled_ms, _, _ in told
        ),
    )


def receipt(destination: str, state: str, created_ms: int, settled_ms: int | None) -> Receipt:
    """Of a row in that state; `settled_ms` of its message."""
    is_there = state == "delivered" and settled_ms is not None
    return Receipt(destination, state, max(0, settled_ms - created_ms) if is_there and settled_ms is not None else None)


def _shown(view: str) -> _Shown:
    try:
        return msgspec.json.decode(view, type=_Shown)
    except (msgspec.MsgspecError, ValueError):
        # Written by another version.
        return _Shown()
