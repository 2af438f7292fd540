"""How alerts fared, in SQLite."""

import json
from collections.abc import Sequence
from typing import Any, Final, cast

from bot.model.outbox import Layout, OutboxRow
from bot.model.scorecard import ALERT, FULL, Moment, Quadrant, Replies, Score, Scored, ToldIn
from bot.storage.database import Database, Transaction
from bot.storage.outbox import ROW, readable
from bot.storage.pruning import delete_in_batches

_MOMENT: Final = "m.key, m.rule_id, m.title, m.instrument, m.fired_ms, m.price, m.oi, m.quadrant, m.price_usual, m.oi_usual, m.is_public"
_N_MOMENT: Final = _MOMENT.count(",") + 1
_SCORE: Final = "s.draw, s.horizon_ms, s.price, s.oi, s.high, s.low"
_ADD: Final = "INSERT INTO score_moments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING"
_SETTLE: Final = (
    "INSERT INTO scores (key, draw, horizon_ms, price, oi, high, low) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 "
    "WHERE EXISTS (SELECT 1 FROM score_moments WHERE key = ?1) ON CONFLICT DO NOTHING"
)
_OWN: Final = (
    f"SELECT {_MOMENT}, {_SCORE} FROM score_moments m "  # noqa: S608
    f"LEFT JOIN scores s ON s.key = m.key AND s.draw = {ALERT} "
)
_ORDER: Final = " ORDER BY m.fired_ms, m.key, s.draw, s.horizon_ms"
_MANY: Final = 500
"""Keys in one question."""
_PORTION: Final = 100
"""Alerts whose scores are read at once."""


class SqliteScoreStore:
    """The `ScoreStore` port over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def unseen(self, *, after: int, since_ms: int, limit: int) -> tuple[Sequence[OutboxRow], int]:
        found = await self._database.fetch(
            "look for alerts to score",
            f"SELECT {ROW}, o.seq FROM outbox o WHERE o.seq > ? AND o.kind = 'fire' AND o.created_ms >= ? "  # noqa: S608
            "AND NOT EXISTS (SELECT 1 FROM score_moments m WHERE m.key = o.key) ORDER BY o.seq LIMIT ?",
            (after, since_ms, limit),
        )
        rows = {row.key: row for row in reversed(readable([values[:8] for values in found]))}
        return list(reversed(rows.values())), found[-1][8] if found else after

    async def add(self, moments: Sequence[Moment]) -> None:
        values = [
            (
                m.key,
                m.rule_id,
                m.title,
                m.instrument,
                m.fired_ms,
                m.price,
                m.oi,
                m.quadrant.value,
                json.dumps(m.price_usual),
                json.dumps(m.oi_usual),
                m.is_public,
            )
            for m in moments
        ]
        await self._database.write("add alerts to score", lambda tx: tx.executemany(_ADD, values))

    async def settle(self, scores: Sequence[Score]) -> None:
        values = [(s.key, s.draw, s.horizon_ms, s.price, s.oi, s.high, s.low) for s in scores]
        await self._database.write("settle scores", lambda tx: tx.executemany(_SETTLE, values))

    async def _own(self, where: str, values: tuple[Any, ...]) -> list[Scored]:
        """Of some alerts, with the scores of their own."""
        found = await self._database.fetch("read scores", _OWN + where + _ORDER, values)
        groups: dict[str, tuple[Moment, list[Score]]] = {}
        for row in found:
            if (group := groups.get(row[0])) is None:
                group = groups[row[0]] = (_moment(row[:_N_MOMENT]), [])
            if row[_N_MOMENT] is not None:
                group[1].append(Score(group[0].key, *row[_N_MOMENT:]))
        return [Scored(moment, tuple(scores)) for moment, scores in groups.values()]

    async def _bare(self, where: str, values: tuple[Any, ...]) -> list[Scored]:
        """Of many alerts, with the prices of all scores. Read in portions: others wait for the disk too."""
        sql = f"SELECT {_MOMENT} FROM score_moments m {where} ORDER BY m.fired_ms, m.key"  # noqa: S608
        moments = await self._database.fetch("read scores", sql, values)
        found = []
        for n in range(0, len(moments), _PORTION):
            part = {row[0]: _moment(row) for row in moments[n : n + _PORTION]}
            scores: dict[str, list[Score]] = {key: [] for key in part}
            rows = await self._database.fetch(
                "read scores",
                f"SELECT key, draw, horizon_ms, price FROM scores WHERE key IN ({_marks(list(part))}) "  # noqa: S608
                "ORDER BY key, draw, horizon_ms",
                tuple(part),
            )
            for key, draw, horizon_ms, price in rows:
                scores[key].append(Score(part[key].key, draw, horizon_ms, price, None, None, None))
            found += [Scored(moment, tuple(scores[key])) for key, moment in part.items()]
        return found

    async def open(self, *, since_ms: int) -> Sequence[Scored]:
        n_scores = "(SELECT count(*) FROM scores n WHERE n.key = m.key)"
        return await self._bare(f"WHERE m.fired_ms >= ? AND {n_scores} < ?", (since_ms, FULL))

    async def untold(self, *, since_ms: int) -> Sequence[Scored]:
        return await self._own(
            "WHERE m.fired_ms >= ? AND m.key IN (SELECT key FROM scores WHERE draw = 0 AND is_told = 0)",
            (since_ms,),
        )

    async def mark_told(self, scores: Sequence[tuple[str, int]]) -> None:
        mark = "UPDATE scores SET is_told = 1 WHERE key = ? AND draw = ? AND horizon_ms = ?"
        values = [(key, ALERT, horizon_ms) for key, horizon_ms in scores]
        await self._database.write("note told scores", lambda tx: tx.executemany(mark, values))

    async def told_in(self, keys: Sequence[str]) -> Sequence[ToldIn]:
        found: dict[tuple[str, str], ToldIn] = {}
        for part in _parts(keys):
            rows = await self._database.fetch(
                "look for told alerts",
                "SELECT DISTINCT o.key, o.destination, o.message_id, m.layout FROM outbox f "  # noqa: S608
                "JOIN outbox o ON o.message_id = f.message_id AND o.kind = 'fire' JOIN messages m ON m.id = o.message_id "
                f"WHERE f.key IN ({_marks(part)}) AND f.kind = 'fire' AND m.state = 'delivered' "
                "ORDER BY o.message_id, o.key",
                part,
            )
            found |= {(row[0], row[1]): ToldIn(row[0], row[1], row[2], row[3] == Layout.ALERT) for row in rows}
        return sorted(found.values(), key=lambda one: (one.message_id, one.key))

    async def own(self, keys: Sequence[str]) -> Sequence[Scored]:
        found: list[Scored] = []
        for part in _parts(keys):
            found += await self._own(f"WHERE m.key IN ({_marks(part)})", part)
        return sorted(found, key=lambda one: (one.moment.fired_ms, one.moment.key))

    async def scored(self, *, since_ms: int, rule_id: str = "", symbol: str = "") -> Sequence[Scored]:
        where = "WHERE m.is_public AND m.fired_ms >= ?"
        filters: list[Any] = [since_ms]
        if rule_id:
            where += " AND m.rule_id = ?"
            filters.append(rule_id)
        if symbol:
            where += " AND substr(m.instrument, instr(m.instrument, ':') + 1) = ?"
            filters.append(symbol)
        return await self._bare(where, tuple(filters))

    async def title(self, rule_id: str) -> str | None:
        found = await self._database.fetch(
            "read scores",
            "SELECT title FROM score_moments WHERE is_public AND rule_id = ? ORDER BY fired_ms DESC LIMIT 1",
            (rule_id,),
        )
        return str(found[0][0]) if found else None

    async def replies(self) -> dict[str, Replies]:
        found = await self._database.fetch(
            "read score replies", "SELECT destination, replies FROM score_replies ORDER BY destination"
        )
        return {destination: cast("Replies", replies) for destination, replies in found}

    async def set_replies(self, destination: str, replies: Replies | None) -> None:
        async def put(tx: Transaction) -> None:
            await tx.execute("DELETE FROM score_replies WHERE destination = ?", (destination,))
            if replies is not None:
                await tx.execute("INSERT INTO score_replies VALUES (?, ?)", (destination, replies))

        await self._database.write("set score replies", put)

    async def prune(self, *, before_ms: int, private_before_ms: int, keep: int) -> int:
        limit = "SELECT fired_ms + 1 FROM score_moments ORDER BY fired_ms DESC LIMIT 1 OFFSET ?"
        for (at_ms,) in await self._database.fetch("prune scores", limit, (keep,)):
            before_ms, private_before_ms = max(before_ms, at_ms), max(private_before_ms, at_ms)
        is_old = "m.fired_ms < iif(m.is_public, ?, ?)"
        values = (before_ms, private_before_ms)
        # One by one: a transaction is not to delete all scores of many alerts.
        await delete_in_batches(
            self._database,
            "prune scores",
            find="SELECT s.key, s.draw, s.horizon_ms FROM scores s JOIN score_moments m ON m.key = s.key "  # noqa: S608
            f"WHERE {is_old} AND (s.key, s.draw, s.horizon_ms) > (?, ?, ?) ORDER BY 1, 2, 3 LIMIT ?",
            delete="DELETE FROM scores WHERE key = ? AND draw = ? AND horizon_ms = ?",
            values=values,
            first=("", 0, 0),
        )
        return await delete_in_batches(
            self._database,
            "prune scores",
            find=f"SELECT m.key FROM score_moments m WHERE {is_old} AND m.key > ? ORDER BY m.key LIMIT ?",  # noqa: S608
            delete="DELETE FROM score_moments WHERE key = ?",
            values=values,
            first=("",),
        )


def _moment(row: tuple[Any, ...]) -> Moment:
    key, rule_id, title, instrument, fired_ms, price, oi, quadrant, price_usual, oi_usual, is_public = row
    return Moment(
        key=key,
        rule_id=rule_id,
        title=title,
        instrument=instrument,
        fired_ms=fired_ms,
        price=price,
        oi=oi,
        quadrant=Quadrant(quadrant),
        price_usual=tuple(json.loads(price_usual)),
        oi_usual=tuple(json.loads(oi_usual)),
        is_public=bool(is_public),
    )


def _parts(keys: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(keys[n : n + _MANY]) for n in range(0, len(keys), _MANY)]


def _marks(part: Sequence[str]) -> str:
    return ", ".join("?" * len(part))
