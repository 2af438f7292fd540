"""Putting an engine's windows down while it runs, and taking them up in another process.

`Tracker` copies in slices, so that no tick waits: first everything, oldest rows first; then what came or was patched in
the meantime, until the rest fits into one slice. That last slice ends with a `Mark`: all before it is one state. Later
copies begin where the last one ended. The state of alerts is not part of it, the database has that.
"""

from collections import deque
from collections.abc import Mapping
from typing import Final

import numpy as np

from bot.engine.engine import Engine
from bot.market.state import (
    EVENTS,
    Head,
    Mark,
    Part,
    Patches,
    Piece,
    Ring,
    Rows,
    State,
    fill,
    layout_of,
    rings_of,
    state_of,
    tables_of,
    watch,
)
from bot.model.alert import AlertRecord
from bot.rules.ast import And, Call, Expr, Number, text
from bot.rules.numbers import is_single
from bot.rules.program import Key, key_of

SLICE_BYTES: Final = 1_000_000
"""Copied in one tick at most: 0.1 ms on an idle machine of 2026, 1 ms on the same one while others use it; a machine of a
fifth of its speed stays within 2 ms.
"""
COLUMN_COST: Final = 4
"""Bytes of single columns count as this many: they lie apart."""
MAX_SLICES: Final = 60
"""Patches may come faster than they are copied, as while the past is filled in. After this many slices a copy ends
without the rest, which the next one takes; a row that lacks them only knows less.
"""


class MovedError(Exception):
    """Rings or rows mean something else than when the copy began; begin anew."""


class Tracker:
    """Copies of one engine. `begin` or `go_on`, then `step` after each tick until it has given a `Mark`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._layout: tuple[int, ...] = ()
        self._copied: dict[str, int] = {}
        """Number of the newest row of each ring that was copied."""
        self._todo: deque[tuple[str, int, int]] = deque()
        self._crossings: deque[Key] = deque()
        self._late_crossings: tuple[Key, ...] = ()
        self._patches: dict[str, Patches] = {}
        self._slices_left = 0

    @property
    def is_ready(self) -> bool:
        """Whether there is anything to copy."""
        return bool(self._engine.market.n_rows) and bool(rings_of(self._engine.market))

    @property
    def can_go_on(self) -> bool:
        """Whether what was copied before is still of use."""
        return bool(self._layout) and self._layout == layout_of(self._engine.market)

    def forget(self) -> None:
        """What was copied is lost; the next copy has to be whole."""
        self._layout = ()

    def begin(self) -> Head:
        """Start a copy of everything."""
        market = self._engine.market
        rings = rings_of(market)
        self._layout = layout_of(market)
        self._patches = watch(market)
        self._todo = deque((ring.name, ring.oldest, ring.newest) for ring in rings.values())
        self._copied = {name: ring.newest for name, ring in rings.items()}
        self._start()
        return Head(
            step_ms=market.fine_ms,
            dtype=market.dtype.name,
            n_rows=market.n_rows,
            rings={name: ring.n_slots for name, ring in rings.items()},
            instruments=list(market.universe.items()),
        )

    def log(self) -> list[Piece]:
        """The whole log of liquidations as it is when a copy of everything begins; its arrays are never written into."""
        columns = self._engine.market.liquidations.columns
        return [Piece("events", EVENTS, columns)] if len(columns[0]) else []

    def go_on(self) -> None:
        """Start a copy of what came since the last one."""
        self._start()

    def _start(self) -> None:
        self._slices_left = MAX_SLICES
        crossings = self._engine.plan.program.crossings
        # Few are copied with the mark. Of many each is a state of its own, so some ticks between them do no harm.
        are_many = sum(sum(a.nbytes for a in c.columns()) for c in crossings.values()) > SLICE_BYTES // 4
        self._crossings = deque(crossings if are_many else ())
        self._late_crossings = () if are_many else tuple(crossings)

    def step(self, n_bytes: int = SLICE_BYTES) -> list[Part]:
        """The next slice; a `Mark` at its end is the end of the copy. Raises `MovedError`."""
        market = self._engine.market
        if self._layout != layout_of(market):
            self._layout = ()
            raise MovedError
        rings = rings_of(market)
        parts: list[Part] = []
        left = self._copy_base(rings, n_bytes, parts)
        while self._crossings and left > 0 and not self._todo:
            left -= self._copy_crossing(self._crossings.popleft(), parts)
        if self._todo or self._crossings:
            return parts
        self._slices_left -= 1
        left = self._copy_columns(rings, left, parts)
        behind = {name: self._first_missing(ring) for name, ring in rings.items()}
        needed = sum((ring.newest - behind[name] + 1) * ring.row_bytes for name, ring in rings.items())
        is_last = self._slices_left <= 0
        if not is_last and (needed > left or any(p.columns for p in self._patches.values())):
            self._copy_rows(rings, behind, left, parts)
            return parts
        self._copy_rows(rings, behind, needed, parts)
        for key in self._late_crossings:
            self._copy_crossing(key, parts)
        parts += tables_of(market)
        parts += self._scopes()
        parts.append(self._mark(rings))
        return parts

    def _copy_base(self, rings: Mapping[str, Ring], left: int, parts: list[Part]) -> int:
        while self._todo and left > 0:
            name, first, last = self._todo.popleft()
            ring = rings[name]
            # What has left the ring meanwhile is gone; its place is taken by rows that come at the end.
            first = max(first, ring.oldest)
            if first > last:
                continue
            n = min(last - first + 1, max(1, left // ring.row_bytes))
            parts.append(ring.rows(first, first + n - 1))
            left -= n * ring.row_bytes
            if first + n <= last:
                self._todo.appendleft((name, first + n, last))
        return left

    def _copy_crossing(self, key: Key, parts: list[Part]) -> int:
        crossing = self._engine.plan.program.crossings.get(key)
        if crossing is None:
            return 0
        piece = Piece("table", _crossing_name(key), crossing.columns())
        parts.append(piece)
        return piece.nbytes

    def _copy_columns(self, rings: Mapping[str, Ring], left: int, parts: list[Part]) -> int:
        for name, ring in rings.items():
            columns = self._patches[name].columns
            while columns and left > 0:
                some = list(columns)[: max(1, left // (ring.n_slots * ring.cell_bytes * COLUMN_COST))]
                spans = [columns.pop(row) for row in some]
                first, last = max(min(s[0] for s in spans), ring.oldest), min(max(s[1] for s in spans), ring.newest)
                if first <= last:
                    piece = ring.columns(some, first, last)
                    parts.append(piece)
                    left -= COLUMN_COST * piece.nbytes
        return left

    def _first_missing(self, ring: Ring) -> int:
        first = self._copied[ring.name] + 1
        patched = self._patches[ring.name].rows_from
        return max(ring.oldest, first if patched is None else min(first, patched))

    def _copy_rows(self, rings: Mapping[str, Ring], behind: Mapping[str, int], left: int, parts: list[Part]) -> None:
        for name, ring in rings.items():
            first = behind[name]
            n = min(ring.newest - first + 1, left // ring.row_bytes)
            if n > 0:
                parts.append(ring.rows(first, first + n - 1))
                left -= n * ring.row_bytes
                self._copied[name] = first + n - 1
                self._patches[name].rows_from = None

    def _scopes(self) -> list[Piece]:
        trackers = self._engine.plan.trackers
        return [
            Piece("table", f"scope {scope!r}", (tracker.members.copy(),))
            for scope, tracker in trackers.items()
            if scope.is_ranked and tracker.hour is not None
        ]

    def _mark(self, rings: Mapping[str, Ring]) -> Mark:
        log = self._engine.market.liquidations
        return Mark(
            now_ms=self._engine.now_ms,
            newest={name: ring.newest for name, ring in rings.items()},
            alive=dict(log.alive_since_ms),
            lost=dict(log.lost_ms),
            hours={repr(scope): tracker.hour for scope, tracker in self._engine.plan.trackers.items()},
        )


def whole_state(engine: Engine) -> State:
    """Everything at once, as of the last tick."""
    tracker = Tracker(engine)
    return state_of([tracker.begin(), *tracker.log(), *tracker.step(1 << 62)])


def restore(engine: Engine, state: State, now_ms: int) -> int:
    """Take up a state at a venue time in an engine without samples. Returns how many instruments were found in it.

    Where no instrument is listed yet, those of the state are taken with their rows; else only those are taken up whose
    key and time of listing are the same. Raises `ValueError` for another step or type of numbers.
    """
    market, head = engine.market, state.head
    if (head.step_ms, head.dtype) != (market.fine_ms, market.dtype.name):
        raise ValueError(
            f"expected windows in steps of {market.fine_ms} ms as {market.dtype.name}, "
            f"found steps of {head.step_ms} ms as {head.dtype}"
        )
    if state.mark is None or np.isfinite(market.gauges.value).any():
        raise ValueError("expected a finished state and an engine without samples")
    engine.prepare()
    if not len(market.universe):
        engine.load(head.instruments, state.now_ms)
    rows = _match(engine, state)
    fill(market, state, rows, now_ms)
    engine.now_ms = state.now_ms
    _restore_crossings(engine, state, rows)
    _restore_scopes(engine, state, rows)
    return len(rows[0])


def _match(engine: Engine, state: State) -> Rows:
    universe = engine.market.universe
    source, target = [], []
    for old, instrument in state.head.instruments:
        row = universe.row(instrument.key)
        now = None if row is None else universe.at(row)
        # A contract listed anew under an old symbol is another one.
        if row is not None and now is not None and now.onboard_ms == instrument.onboard_ms:
            source.append(old)
            target.append(row)
    return np.array(source, dtype=np.intp), np.array(target, dtype=np.intp)


def _crossing_name(key: Key) -> str:
    return f"crossing {text(key[0])} of {key[1]!r}"


def _restore_crossings(engine: Engine, state: State, rows: Rows) -> None:
    source, target = rows
    for key, crossing in engine.plan.program.crossings.items():
        kept = state.tables.get(_crossing_name(key))
        if kept is None:
            continue
        if is_single(key[0]):
            crossing.side, crossing.known_ms, crossing.since_ms = (column[:1].copy() for column in kept)
            continue
        inside = source < len(kept[0])
        crossing.make_room(engine.market.n_rows)
        crossing.side[target[inside]] = kept[0][source[inside]]
        crossing.known_ms[target[inside]] = kept[1][source[inside]]
        crossing.since_ms[target[inside]] = kept[2][source[inside]]
    _follow_told(engine)


def _follow_told(engine: Engine) -> None:
    """What crossed after the last copy, and was told, is not to be told again: that is stored by itself, at once."""
    program = engine.plan.program
    for rule in engine.plan.rules:
        parts = rule.when.items if isinstance(rule.when, And) else (rule.when,)
        keys = [key_of(part, rule.scope) for part in parts]
        crossings = [(key, program.crossings[key]) for key in keys if key in program.crossings]
        book = engine.book(rule.id)
        if not crossings or book is None:
            continue
        for row in book.rows():
            record = book.look(row)
            for key, crossing in crossings:
                crossing.told(0 if is_single(key[0]) else row, record.fired_ms, _side_of(record, key[0]))


def _side_of(record: AlertRecord, crossed: Expr) -> int:
    """Where an alert that fired says that the price, or whatever crossed a number, was then: 1 above, -1 below; 0 where it
    does not say. It may have fired twice since the last copy, up and down again.
    """
    match crossed:
        case Call(args=(left, Number(value=number))) if record.value is not None and record.measure == text(left):
            return (record.value > number) - (record.value < number)
        case _:
            return 0


def _restore_scopes(engine: Engine, state: State, rows: Rows) -> None:
    source, target = rows
    assert state.mark is not None
    for scope, tracker in engine.plan.trackers.items():
        kept = state.tables.get(f"scope {scope!r}")
        if kept is not None:
            members = np.zeros(engine.market.n_rows, dtype=np.bool_)
            members[target] = kept[0][source]
            tracker.restore(members, state.mark.hours.get(repr(scope)))
