"""Rows 6 and 7: chat thresholds by cursor, and the peers a careful person would try.

`python -m tests.bench.thresholds` prints them; `rows()` gives them to whoever makes the table. All peers reach the same
slots on every tick, which is checked before anything is timed.
"""

import gc
import sqlite3
import statistics
import time
import tracemalloc
from array import array
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
import orjson
from sortedcontainers import SortedList

from bot.alerts.slot_table import id_of
from bot.alerts.threshold_book import ThresholdBook
from bot.alerts.thresholds import TriggerIndex
from bot.model.alert import AlertRecord, State
from bot.model.chat_alert import ChatAlert
from tests.bench.frames import T0, Walk, instruments

N_EXPRS, N_ROWS = 30, 650
N_GROUPS = N_EXPRS * N_ROWS
N_ROUNDS = 15
CALM_STEP, BUSY_STEP = 2e-4, 2.8e-4
"""How far values move in a tick; the busy ones so that about 65 of 100,000 are reached."""


@dataclass(frozen=True, slots=True)
class Row:
    row: str
    name: str
    value: float
    goal: float | None
    unit: str
    met: bool


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Group, side, level of each slot, as arrays."""

    group: np.ndarray
    above: np.ndarray
    level: np.ndarray


def thresholds(n: int, *, calm: bool, seed: int = 1) -> Thresholds:
    """Levels N(1, 5 %) around a value of 1; calm: none within 0.15 % of it."""
    rng = np.random.default_rng(seed)
    level = 1 + 0.05 * rng.standard_normal(n)
    if calm:
        near = np.abs(level - 1) < 0.0015
        level[near] = 1.01
    return Thresholds(rng.integers(0, N_GROUPS, n).astype(np.int64), level > 1, level)


def values(n_ticks: int, step: float, seed: int = 2) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.standard_normal((n_ticks, N_EXPRS, N_ROWS)) * step, axis=0)
    return list(np.exp(walk))


Hits = Callable[[np.ndarray], list[int]]


def cursor(t: Thresholds) -> Hits:
    return build(t).hits


def build(t: Thresholds) -> TriggerIndex:
    levels = array("d", t.level)
    index = TriggerIndex(lambda slot, _above: levels[slot])
    for slot, (group, above) in enumerate(zip(t.group.tolist(), t.above.tolist(), strict=True)):
        e, i = divmod(group, N_ROWS)
        index.add(e, i, above=above, slot=slot)
    return index


def full_scan(t: Thresholds) -> Hits:
    waiting = np.ones(len(t.level), dtype=bool)

    def hits(now: np.ndarray) -> list[int]:
        v = now.ravel()[t.group]
        hit = np.flatnonzero(np.where(t.above, v >= t.level, v <= t.level) & waiting)
        waiting[hit] = False
        return hit.tolist()

    return hits


def sorted_lists(t: Thresholds) -> Hits:
    sides: list[dict[int, SortedList]] = [{}, {}]
    for slot, (group, above, level) in enumerate(
        zip(t.group.tolist(), t.above.tolist(), t.level.tolist(), strict=True)
    ):
        sides[not above].setdefault(group, SortedList()).add((level, slot))

    def hits(now: np.ndarray) -> list[int]:
        flat = now.ravel().tolist()
        found = []
        for side, lists in enumerate(sides):
            for group, waiting in lists.items():
                bound = (flat[group], 1 << 32) if side == 0 else (flat[group], -1)
                reached = list(waiting.irange(None, bound) if side == 0 else waiting.irange(bound, None))
                for one in reached:
                    waiting.remove(one)
                found += [slot for _, slot in reached]
        return found

    return hits


def sqlite(t: Thresholds) -> Hits:
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE t (slot INTEGER PRIMARY KEY, above INTEGER, g INTEGER, level REAL)")
    rows = zip(range(len(t.level)), t.above.astype(int).tolist(), t.group.tolist(), t.level.tolist(), strict=True)
    db.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", rows)
    db.execute("CREATE INDEX by_level ON t (above, g, level)")
    db.execute("CREATE TABLE v (g INTEGER PRIMARY KEY, value REAL)")
    query = (
        "SELECT slot FROM v CROSS JOIN t ON t.above = 1 AND t.g = v.g AND t.level <= v.value "
        "UNION ALL SELECT slot FROM v CROSS JOIN t ON t.above = 0 AND t.g = v.g AND t.level >= v.value"
    )

    def hits(now: np.ndarray) -> list[int]:
        db.execute("DELETE FROM v")
        db.executemany("INSERT INTO v VALUES (?, ?)", enumerate(now.ravel().tolist()))
        found = [slot for (slot,) in db.execute(query)]
        db.executemany("DELETE FROM t WHERE slot = ?", [(slot,) for slot in found])
        return found

    return hits


PEERS: dict[str, Callable[[Thresholds], Hits]] = {
    "cursor": cursor,
    "NumPy full scan": full_scan,
    "sortedcontainers irange": sorted_lists,
    "SQLite index": sqlite,
}


def frames() -> Iterator[tuple[bytes, ...]]:
    walk, symbols = Walk(), [i.symbol for i in instruments()]
    while True:
        yield walk.advance().frames(symbols)


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ticks(n: int, *, calm: bool, goal: float, row: str, peers: bool = True) -> list[Row]:
    """Every peer over the same ticks, interleaved with J. The first tick takes what is true from the start."""
    t = thresholds(n, calm=calm)
    names = list(PEERS) if peers else ["cursor"]
    made = {name: PEERS[name](t) for name in names}
    path = values(N_ROUNDS + 1, CALM_STEP if calm else BUSY_STEP)
    expected = [sorted(made["cursor"](v)) for v in path]
    made["cursor"] = cursor(t)
    took: dict[str, list[float]] = {name: [] for name in names}
    gc.collect()
    gc.freeze()
    for k, (v, frame) in enumerate(zip(path, frames(), strict=False)):
        j = min(timed(lambda f=frame: [orjson.loads(x) for x in f]) for _ in range(3))
        for name in names:
            found: list[int] = []
            spent = timed(lambda h=made[name], found=found, v=v: found.extend(h(v)))
            assert sorted(found) == expected[k], name
            if k:
                took[name].append(spent / j)
    gc.unfreeze()
    n_hits = statistics.mean(len(e) for e in expected[1:])
    what = f"{n:,} thresholds {'calm' if calm else 'busy'}, {n_hits:.0f} hits a tick"
    results = []
    for name in names:
        ratio = statistics.median(took[name])
        own = goal if name == "cursor" else None
        results.append(Row(row, f"{what}: {name}", ratio, own, "J", own is None or ratio <= own))
    return results


def book_ticks(n: int, *, calm: bool) -> list[Row]:
    """The whole life cycle over the index, with the moves of those that are hit; a diagnostic without a goal."""
    t = thresholds(n, calm=calm)
    book = ThresholdBook(max_gap_ms=10_000)
    keys = [f"binance:C{i}USDT" for i in range(N_ROWS)]
    book.place(enumerate(keys))
    started = time.perf_counter()
    for slot, (group, above, level) in enumerate(
        zip(t.group.tolist(), t.above.tolist(), t.level.tolist(), strict=True)
    ):
        e, i = divmod(group, N_ROWS)
        # Ids as random as real ones; a record says that it was seen false.
        id_ = id_of((slot * 0x9E3779B97F4A7C15) & ((1 << 40) - 1))
        record = AlertRecord(id_, keys[i], id_, State.INACTIVE)
        op = ">=" if above else "<="
        book.add(ChatAlert(id_, "terminal", "terminal", keys[i], f"pct(oi, {e + 1}m)", op, level, True, T0), record)
    added_us = (time.perf_counter() - started) / n * 1e6
    order = [int(text[8:-2]) - 1 for text in book.measures]
    trading, zeros = np.ones(N_ROWS, dtype=bool), np.zeros(N_ROWS, dtype=np.int64)
    took, n_moved = [], []
    gc.collect()
    gc.freeze()
    for k, (v, frame) in enumerate(zip(values(N_ROUNDS + 1, CALM_STEP if calm else BUSY_STEP), frames(), strict=False)):
        j = min(timed(lambda f=frame: [orjson.loads(x) for x in f]) for _ in range(3))
        start = time.perf_counter()
        outcome = book.tick(T0 + k * 1_000, v[order], trading, zeros, zeros)
        took.append((time.perf_counter() - start) / j)
        n_moved.append(len(outcome.changes))
    gc.unfreeze()
    what = f"{n:,} chat alerts {'calm' if calm else 'busy'}, {statistics.mean(n_moved[1:]):.0f} changes a tick"
    return [
        Row("6", f"{what}: with their lives", statistics.median(took[1:]), None, "J", True),
        Row("7", f"add a chat alert, of {n:,}", added_us, None, "us", True),
    ]


def edits(n: int = 50_000, rounds: int = 400) -> list[Row]:
    """Add and remove inside one large group: levels at random places, and all at one round price."""
    rng = np.random.default_rng(3)
    results = []
    for name, levels in (("random levels", 1 + rng.random(n)), ("one level", np.full(n, 70_000.0))):
        # Those that are added have the levels of those that are there.
        both = array("d", np.repeat(levels, 2))
        index = TriggerIndex(lambda slot, _above, both=both: both[slot])
        for slot in range(n):
            index.add(0, 0, above=True, slot=2 * slot)
        picks = (2 * rng.choice(n, rounds, replace=False) + 1).tolist()
        added = [timed(lambda p=p, index=index: index.add(0, 0, above=True, slot=p)) for p in picks]
        removed = [timed(lambda p=p, index=index: index.remove(0, 0, above=True, slot=p)) for p in picks]
        for what, times in (("add", added), ("remove", removed)):
            us = statistics.median(times) * 1e6
            results.append(Row("7", f"{what} in a group of {n:,}, {name}", us, 20.0, "us", us <= 20.0))
    return results


def memory(n: int = 1_000_000) -> list[Row]:
    t = thresholds(n, calm=False)
    parts = (t.group.tolist(), t.above.tolist())
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    # With the levels: without them nothing can be found.
    levels = array("d", t.level)
    index = TriggerIndex(lambda slot, _above: levels[slot])
    for slot, (group, above) in enumerate(zip(*parts, strict=True)):
        e, i = divmod(group, N_ROWS)
        index.add(e, i, above=above, slot=slot)
    each = (tracemalloc.get_traced_memory()[0] - before) / n
    tracemalloc.stop()
    name = f"memory of each of {n:,} in {N_GROUPS:,} groups"
    return [Row("7", name, each, 32.0, "B", each <= 32.0)]


def rows() -> list[Row]:
    """Rows 6 and 7."""
    return [
        *ticks(1_000_000, calm=True, goal=0.5, row="6"),
        *ticks(100_000, calm=False, goal=1.0, row="6"),
        *book_ticks(1_000_000, calm=True),
        *book_ticks(100_000, calm=False),
        *edits(),
        *memory(),
    ]


if __name__ == "__main__":
    for result in rows():
        print(asdict(result))
