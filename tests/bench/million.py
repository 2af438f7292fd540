"""A data folder with very many alerts that were made in chat, as years of users leave it: for the row that loads them.

Each was seen false once, as nearly all are after their first seconds, so each has a stored life as well. Levels are far
from what a calm market reaches; instruments, figures and windows are as people choose them.
"""

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from bot.alerts.slot_table import id_of
from bot.alerts.threshold_book import ThresholdBook
from bot.model.instrument import Instrument
from bot.storage import preparing
from bot.storage.chat_alerts import SqliteChatAlertStore
from bot.storage.database import join_database

ALERTS_PER_CHAT = 50
FIGURES = ("oi", "price", "oi_usd")
WINDOWS = ("1m", "3m", "5m", "10m", "15m", "30m", "1h", "2h", "4h", "24h")
COOLDOWNS_MS = (900_000, 900_000, 900_000, 1_800_000, 3_600_000)
_SPREAD = 0x9E3779B97F4A7C15
_INSERT = (
    "INSERT INTO chat_alerts (id, chat, user, instrument, measure, op, level, is_ratio, created_ms, cooldown_ms, for_ms, "
    "once, severity) VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?, 0, 0, 'warning')"
)
_LIFE = (
    "INSERT INTO alerts (rule_id, instrument, condition, state, held_ms, pending_since_ms, fired_ms, cooldown_until_ms, "
    "key, told_ms, n_told) VALUES (?, ?, ?, 'inactive', 0, 0, 0, 0, '', 0, 0)"
)


def prepare(path: Path, listed: Sequence[Instrument], n: int, *, now_ms: int) -> int:
    """Write a database with n of them; returns its size in bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    preparing.prepare(path, now_ms=now_ms)
    with closing(sqlite3.connect(path)) as database:
        # In the order of ids, in which the tables are kept.
        rows = sorted(_rows(listed, n, now_ms))
        with database:
            database.executemany(_INSERT, rows)
            database.executemany(_LIFE, ((row[0], row[3], row[0]) for row in rows))
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.stat().st_size


def sizes(path: Path, listed: Sequence[Instrument]) -> Mapping[str, int]:
    """Bytes of the index and of the columns with all of them loaded and all instruments listed."""

    async def load() -> Mapping[str, int]:
        book = ThresholdBook(max_gap_ms=10_000)
        database = await join_database(path)
        try:
            async for many in SqliteChatAlertStore(database).stored(cool_ms=0):
                book.load(many, uses_oi=lambda measure: "oi" in measure)
        finally:
            await database.disconnect()
        book.place((row, instrument.key) for row, instrument in enumerate(listed))
        return book.nbytes

    return asyncio.run(load())


def _rows(listed: Sequence[Instrument], n: int, now_ms: int) -> Iterator[tuple[object, ...]]:
    rng = np.random.default_rng(19)
    keys = [i.key for i in listed]
    measures = [f"pct({figure}, {window})" for figure in FIGURES for window in WINDOWS]
    which, what = rng.integers(0, len(keys), n).tolist(), rng.integers(0, len(measures), n).tolist()
    level = (0.25 + 0.75 * rng.random(n)).round(4)
    up = rng.random(n) < 0.5
    levels = np.where(up, level, -level / 2).tolist()
    for k in range(n):
        chat = f"telegram:{100_000_000 + k // ALERTS_PER_CHAT}"
        alert_id = id_of((k * _SPREAD) & ((1 << 40) - 1))
        yield (
            *(alert_id, chat, chat, keys[which[k]], measures[what[k]], ">=" if up[k] else "<=", levels[k]),
            *(now_ms - 86_400_000, COOLDOWNS_MS[k % len(COOLDOWNS_MS)]),
        )
