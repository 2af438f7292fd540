"""The market as something that can be put down and taken up again: rings by name, tables of what is newest.

Rings are copied row by row (`Ring.rows`) or, where the past of some instruments was patched, column by column. What was
patched since a row was last copied is noted in `Patches`. A `State` is put together from such pieces and can be filled
into an empty market whose instruments have other rows, or whose rules need other lengths.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from bot.market.flows import Volume
from bot.market.series import GAUGES, INDEX, OI_USD, SAMPLED
from bot.market.tier import NO_AGE, Tier
from bot.model.instrument import Instrument

if TYPE_CHECKING:
    from bot.market.market import Market

Array = npt.NDArray[Any]

VOLUME: Final = "volume"
"""Name of the ring of traded volume; the rings of gauges are called `step:gauge`."""
NEWEST: Final = "newest"
PER_ROW: Final = "per row"
BARS: Final = "bars"
EVENTS: Final = "liquidations"


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A part of a state; its arrays belong to nobody else."""

    kind: str
    """`rows`: grid rows of a ring, each array (n, n_rows). `columns`: the same of some instruments, whose rows come first,
    each array (n, k). `table`: the newest of a thing, replaced as a whole. `events`: rows to add to a table.
    """
    name: str
    arrays: tuple[Array, ...]
    first: int = 0
    """Number of the first grid row."""

    @property
    def nbytes(self) -> int:
        return sum(a.nbytes for a in self.arrays)


@dataclass(frozen=True, slots=True)
class Head:
    """What a state is about; fixed for its life."""

    step_ms: int
    dtype: str
    n_rows: int
    rings: dict[str, int]
    """Name and number of grid points."""
    instruments: list[tuple[int, Instrument]]
    gauges: list[str] = field(default_factory=lambda: list(SAMPLED))
    """What the rows of the newest samples are."""


@dataclass(frozen=True, slots=True)
class Mark:
    """All that came before it is one state, as of `now_ms`."""

    now_ms: int
    newest: dict[str, int]
    """Number of the newest grid row of each ring."""
    alive: dict[str, int | None] = field(default_factory=dict)
    """Venue -> since when its liquidations have been seen; None while they are not."""
    lost: dict[str, int] = field(default_factory=dict)
    hours: dict[str, int | None] = field(default_factory=dict)
    """Scope -> hour of its last ranking."""


Part = Head | Piece | Mark


class Patches:
    """Cells behind the newest row that were written since they were last copied."""

    RECENT: Final = 128
    """Behind the newest by less than this, whole rows are copied again."""

    __slots__ = ("columns", "rows_from")

    def __init__(self) -> None:
        self.rows_from: int | None = None
        self.columns: dict[int, tuple[int, int]] = {}
        """Row of an instrument -> first and last number."""

    def note(self, rows: Iterable[int], first: int, last: int, newest: int) -> None:
        if newest - first < self.RECENT:
            self.rows_from = first if self.rows_from is None else min(first, self.rows_from)
            return
        for row in rows:
            before = self.columns.get(int(row), (first, last))
            self.columns[int(row)] = min(first, before[0]), max(last, before[1])


@dataclass(slots=True, eq=False)
class Ring:
    """One ring: planes of shape (anything, n_rows), of which `n_slots` rows from `base` are its own."""

    name: str
    planes: tuple[Array, ...]
    base: int
    n_slots: int
    newest: int

    @property
    def row_bytes(self) -> int:
        return sum(p[:1].nbytes for p in self.planes)

    @property
    def cell_bytes(self) -> int:
        return sum(p.itemsize for p in self.planes)

    def slots(self, first: int, last: int) -> "npt.NDArray[np.int64]":
        return self.base + np.arange(first, last + 1, dtype=np.int64) % self.n_slots

    def rows(self, first: int, last: int) -> Piece:
        """Copies of grid rows that the ring still holds."""
        slots = self.slots(first, last)
        return Piece("rows", self.name, tuple(p[slots] for p in self.planes), first)

    def columns(self, rows: Sequence[int], first: int, last: int) -> Piece:
        columns = np.array(rows, dtype=np.int64)
        at = np.ix_(self.slots(first, last), columns)
        return Piece("columns", self.name, (columns, *(p[at] for p in self.planes)), first)

    @property
    def oldest(self) -> int:
        return self.newest - self.n_slots + 1


def ring_name(tier: Tier, gauge: str) -> str:
    return f"{tier.step_ms}:{gauge}"


def _tier_rings(tier: Tier) -> list[Ring]:
    assert tier.newest is not None
    return [
        Ring(
            ring_name(tier, gauge),
            (tier.value, tier.age),
            int(tier.base[INDEX[gauge]]),
            int(tier.slots[INDEX[gauge]]),
            tier.newest,
        )
        for gauge in GAUGES
        if gauge in tier.names and gauge != GAUGES[OI_USD]
    ]


def rings_of(market: "Market") -> dict[str, Ring]:
    """All rings that hold something of their own: products are computed. Empty before the first tick."""
    found: list[Ring] = []
    for tier in market.tiers:
        if tier.newest is not None:
            found += _tier_rings(tier)
    volume = market.volume
    if volume.is_held and volume.newest is not None:
        found.append(Ring(VOLUME, volume.planes, 0, volume.n_slots, volume.newest))
    return {ring.name: ring for ring in found}


def layout_of(market: "Market") -> tuple[int, ...]:
    """Changes whenever rings or rows mean something else than before."""
    rebuilt = [tier.n_rebuilt for tier in market.tiers]
    return (*rebuilt, market.volume.n_rebuilt, market.n_rows, market.universe.generation, len(rings_of(market)))


def watch(market: "Market") -> dict[str, Patches]:
    """Begin to note what is patched, afresh."""
    noted: dict[str, Patches] = {}
    for tier in market.tiers:
        tier.patches = {INDEX[g]: noted.setdefault(ring_name(tier, g), Patches()) for g in tier.names}
    market.volume.patches = noted.setdefault(VOLUME, Patches())
    market.liquidations.arrived = []
    return noted


def tables_of(market: "Market") -> list[Piece]:
    """What is newest, and the liquidations that came since the last call."""
    gauges, log = market.gauges, market.liquidations
    found = [
        Piece("table", NEWEST, (gauges.value.copy(), gauges.time_ms.copy(), gauges.expiry_ms.copy())),
        Piece("table", PER_ROW, tuple(c.copy() for c in _per_row(market))),
        Piece("table", BARS, tuple(c.copy() for c in _of_bars(market.volume))),
    ]
    if log.arrived:
        batches, log.arrived = log.arrived, []
        found.append(Piece("events", EVENTS, tuple(np.concatenate(c) for c in zip(*batches, strict=True))))
    return found


def _per_row(market: "Market") -> tuple[Array, ...]:
    return market.subscribed_ms, market.oi_interval_ms, market.oi_venue_ms, market.next_funding_ms


def _of_bars(volume: Volume) -> tuple[Array, ...]:
    return volume.close_ms, volume.expiry_ms, volume.newest_amount


# -- taking up ---------------------------------------------------------------------------------------------------------


class _Image:
    """A ring of a state."""

    def __init__(self, name: str, n_slots: int, n_rows: int, dtype: str) -> None:
        shape = (n_slots, n_rows)
        self.n_slots = n_slots
        self.newest: int | None = None
        self.planes: tuple[Array, ...] = (
            (np.zeros(shape, dtype=dtype), np.zeros(shape, dtype=np.uint8))
            if name == VOLUME
            else (np.full(shape, np.nan, dtype=dtype), np.full(shape, NO_AGE, dtype=np.uint16))
        )

    def put(self, piece: Piece) -> None:
        columns: Any = slice(None)
        arrays = piece.arrays
        if piece.kind == "columns":
            columns, arrays = arrays[0], arrays[1:]
        n = len(arrays[0])
        slots = np.arange(piece.first, piece.first + n) % self.n_slots
        for plane, values in zip(self.planes, arrays, strict=True):
            if values.dtype != plane.dtype or values.ndim != 2:
                raise ValueError(f"expected two dimensions of {plane.dtype}, found {values.ndim} of {values.dtype}")
            if piece.kind == "columns":
                plane[np.ix_(slots, columns)] = values
            else:
                plane[slots] = values


class State:
    """A state put together from its parts, in their order. Raises `ValueError` or `KeyError` where they do not fit."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self.mark: Mark | None = None
        self.rings = {n: _Image(n, slots, head.n_rows, head.dtype) for n, slots in head.rings.items()}
        self.tables: dict[str, tuple[Array, ...]] = {}
        self._events: list[tuple[Array, ...]] = []

    @property
    def now_ms(self) -> int:
        return 0 if self.mark is None else self.mark.now_ms

    def put(self, part: Piece | Mark) -> None:
        if isinstance(part, Mark):
            self.mark = part
            for name, newest in part.newest.items():
                self.rings[name].newest = newest
        elif part.kind == "table":
            self.tables[part.name] = part.arrays
        elif part.kind == "events":
            self._events.append(part.arrays)
        else:
            self.rings[part.name].put(part)

    def check(self) -> None:
        """Raise `ValueError` where it could not be taken up."""
        head = self.head
        if self.mark is None or head.gauges != list(SAMPLED):
            raise ValueError("no mark, or other gauges than ours")
        if any(not 0 <= row < head.n_rows for row, _ in head.instruments):
            raise ValueError("an instrument outside of all rows")
        expected = {NEWEST: (3, (len(SAMPLED), head.n_rows)), PER_ROW: (4, (head.n_rows,)), BARS: (3, (head.n_rows,))}
        for name, (n, shape) in expected.items():
            found = [a.shape for a in self.tables.get(name, ())]
            if found != [shape] * n:
                raise ValueError(f"{n} arrays of {shape} as {name}, found {found}")
        if any(image.newest is None for image in self.rings.values()):
            raise ValueError("a ring without a place in time")

    def events(self) -> tuple[Array, ...] | None:
        """Liquidations in order of time: time, row, USD, whether long. None where there are none."""
        if not self._events:
            return None
        columns = tuple(np.concatenate(c) for c in zip(*self._events, strict=True))
        order = np.argsort(columns[0], kind="stable")
        return tuple(c[order] for c in columns)


def state_of(parts: Iterable[Part]) -> State:
    """A checked state from its head and all that follows."""
    parts = iter(parts)
    head = next(parts)
    if not isinstance(head, Head):
        raise TypeError(f"expected a head, found {type(head).__name__}")
    state = State(head)
    for part in parts:
        if isinstance(part, Head):
            raise TypeError("a second head")
        state.put(part)
    state.check()
    return state


Rows = tuple["npt.NDArray[np.intp]", "npt.NDArray[np.intp]"]
"""Rows of instruments in the state, and their rows in the market."""


def fill(market: "Market", state: State, rows: Rows, now_ms: int) -> None:
    """Take up a state in a market that holds no samples yet. Instruments that are not in `rows` stay unknown."""
    source, target = rows
    market.resumed_ms = now_ms
    market.gauges.reset()
    market.volume.reset()
    for tier in market.tiers:
        _fill_tier(tier, state.rings, rows)
    _fill_volume(market.volume, state.rings.get(VOLUME), rows)
    gauges = market.gauges
    for column, kept in zip((gauges.value, gauges.time_ms, gauges.expiry_ms), state.tables[NEWEST], strict=True):
        column[:, target] = kept[:, source]
    gauges.restored()
    for column, kept in zip(_per_row(market), state.tables[PER_ROW], strict=True):
        column[target] = kept[source]
    for column, kept in zip(_of_bars(market.volume), state.tables[BARS], strict=True):
        column[target] = kept[source]
    _fill_liquidations(market, state, rows)


def _copy(image: _Image, planes: Iterable[Array], slots: Array, newest: int, n_kept: int, rows: Rows) -> None:
    source, target = rows
    numbers = np.arange(newest - n_kept + 1, newest + 1)
    n_rows = image.planes[0].shape[1]
    is_same = len(source) == n_rows and np.array_equal(source, target)
    for plane, kept in zip(planes, image.planes, strict=True):
        if is_same and plane.shape[1] == n_rows:
            plane[slots] = kept[numbers % image.n_slots]
        else:
            plane[np.ix_(slots, target)] = kept[np.ix_(numbers % image.n_slots, source)]


def _fill_tier(tier: Tier, images: Mapping[str, _Image], rows: Rows) -> None:
    newest: int | None = None
    for gauge in tier.names:
        image = images.get(ring_name(tier, gauge))
        if image is None or image.newest is None:
            continue
        newest, index = image.newest, INDEX[gauge]
        n_kept = min(image.n_slots, int(tier.slots[index]))
        slots = tier.numbers_of(index, newest - n_kept + 1, n_kept)
        _copy(image, (tier.value, tier.age), slots, newest, n_kept, rows)
    if newest is not None:
        tier.restored(newest)


def _fill_volume(volume: Volume, image: _Image | None, rows: Rows) -> None:
    if image is None or image.newest is None or not volume.is_held:
        return
    n_kept = min(image.n_slots, volume.n_slots)
    slots = np.arange(image.newest - n_kept + 1, image.newest + 1) % volume.n_slots
    _copy(image, volume.planes, slots, image.newest, n_kept, rows)
    volume.restored(image.newest)


def _fill_liquidations(market: "Market", state: State, rows: Rows) -> None:
    source, target = rows
    events = state.events()
    if events is not None:
        new_row = np.full(state.head.n_rows, -1, dtype=np.int32)
        new_row[source] = target
        time_ms, row, usd, is_long = events
        kept = new_row[row] >= 0
        market.liquidations.restored(time_ms[kept], new_row[row[kept]], usd[kept], is_long[kept])
    if state.mark is not None:
        # What happened from here to the first new message was not seen.
        for venue, since in state.mark.alive.items():
            at_ms = state.now_ms if since is not None else state.mark.lost.get(venue, state.now_ms)
            market.liquidations.cover(venue, live=False, at_ms=at_ms)
