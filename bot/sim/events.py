"""Planted events: builds and flushes of positions at known times, so that a demo, a test or a backtest has something
to find.

An event adds to the logarithm of price and open interest of its coins along a piecewise linear shape that starts and
ends at zero, and multiplies their volume for a while. Two kinds exist: *planned* ones, a few per day, a pure function
of (seed, day); *scripted* ones, placed relative to an anchor, the moment the first subscriber gets its first
mark price; and *moves* of one coin, made on request. Shapes are written so that a 15-minute change read against 5-minute history rows crosses its threshold at
the stated second, and so that a build that ends does not look like a flush.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.sim import noise

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

DAY_MS = 86_400_000
_MIN = 60.0


@dataclass(frozen=True, slots=True)
class Shape:
    """Knots of one kind of event: seconds from its start, and the share of the full effect at each."""

    at_s: tuple[float, ...]
    oi: tuple[float, ...]
    price: tuple[float, ...]
    volume: tuple[float, ...]

    @property
    def length_s(self) -> float:
        return self.at_s[-1]


def _shape(*knots: tuple[float, float, float, float]) -> Shape:
    at_s, oi, price, volume = zip(*knots, strict=True)
    return Shape(at_s, oi, price, volume)


LEAD_S = 14 * _MIN
"""How long the opening build has been under way when its anchor is fixed."""

# Quick to 2.9 %, slowly on to 3.4 %, then through 5 % six seconds after the anchor. The quick start means that the
# reference point of a 15-minute window has caught up when the build ends; the last third stays for twenty minutes so
# that leaving the peak is no flush. Numbers are per cent / 9.5.
OPENING = _shape(
    (0, 0, 0, 0),
    (180, 2.9 / 9.5, 0.15, 0.5),
    (LEAD_S + 3, 3.4 / 9.5, 0.25, 0.5),
    (LEAD_S + 9, 6.5 / 9.5, 0.45, 1),
    (LEAD_S + 210, 1, 1, 1),
    (LEAD_S + 300, 1, 1, 0.4),
    (LEAD_S + 420, 4.9 / 9.5, 0.8, 0),
    (LEAD_S + 1500, 4.7 / 9.5, 0.7, 0),
    (LEAD_S + 5100, 0, 0, 0),
)
SURGE = _shape(
    (0, 0, 0, 0), (40, 1, 0.8, 1), (300, 1, 1, 0.5), (480, 0.45, 0.8, 0), (1500, 0.42, 0.6, 0), (5400, 0, 0, 0)
)
FLUSH = _shape(
    (0, 0, 0, 0), (75, 0.9, 1, 1), (240, 1, 0.9, 0.4), (480, 0.4, 0.5, 0), (1500, 0.35, 0.4, 0), (5400, 0, 0, 0)
)


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """One happening: which rows, how strongly, from when."""

    kind: str
    shape: Shape
    start_ms: int
    rows: I64
    oi: F64
    """Full effect on the logarithm of open interest, per row."""
    price: F64
    volume: float
    """Extra volume at full effect, in units of the average."""

    @property
    def end_ms(self) -> int:
        return self.start_ms + int(self.shape.length_s * 1000)

    def share(self, values: Sequence[float], t_ms: npt.ArrayLike) -> F64:
        """Return the shape's value at those times."""
        seconds = (np.asarray(t_ms, dtype=np.float64) - self.start_ms) / 1000.0
        return np.asarray(np.interp(seconds, self.shape.at_s, values))

    def extra_minutes(self, t_ms: npt.ArrayLike) -> F64:
        """Return the extra volume from the start up to those times, in minutes of average volume."""
        at = np.asarray(self.shape.at_s)
        height = np.asarray(self.shape.volume)
        total = np.concatenate(([0.0], np.cumsum((height[1:] + height[:-1]) / 2.0 * np.diff(at)))) / 60.0 * self.volume
        seconds = (np.asarray(t_ms, dtype=np.float64) - self.start_ms) / 1000.0
        return np.asarray(np.interp(seconds, at, total))


def _event(
    kind: str,
    shape: Shape,
    start_ms: int,
    rows: Iterable[int],
    rng: np.random.Generator,
    oi: tuple[float, float],
    price: tuple[float, float],
    volume: float,
) -> Event:
    coins = np.array(sorted(rows), dtype=np.int64)
    return Event(
        kind,
        shape,
        start_ms,
        coins,
        np.log1p(rng.uniform(*oi, coins.size)),
        np.log1p(rng.uniform(*price, coins.size)),
        volume,
    )


def move(start_ms: int, row: int, *, price: float, oi: float, rise_s: float, hold_s: float, fall_s: float) -> Event:
    """Return one coin's move: up to the full changes (ratios, above -1), held there, and back."""
    knots = [(0.0, 0.0), (rise_s, 1.0), (rise_s + hold_s, 1.0), (rise_s + hold_s + fall_s, 0.0)]
    shape = _shape(*((at_s, share, share, share) for at_s, share in knots))
    return Event("move", shape, start_ms, np.array([row]), np.log1p([oi]), np.log1p([price]), 1.0)


def _breadth(start_ms: int, ranked: Sequence[int], rng: np.random.Generator) -> Event:
    rows = rng.choice(ranked[: min(92, len(ranked))], min(26, len(ranked)), replace=False).tolist()
    return _event("breadth", SURGE, start_ms, rows, rng, (0.037, 0.054), (0.008, 0.022), 5.0)


def _surge(start_ms: int, rows: Iterable[int], rng: np.random.Generator) -> Event:
    return _event("surge", SURGE, start_ms, rows, rng, (0.068, 0.088), (0.012, 0.028), 6.0)


def _flush(start_ms: int, rows: Iterable[int], rng: np.random.Generator) -> Event:
    return _event("flush", FLUSH, start_ms, rows, rng, (-0.074, -0.064), (-0.042, -0.028), 14.0)


def planned(seed: int, day: int, ranked: Sequence[int]) -> list[Event]:
    """Return the events of one UTC day. `ranked` are rows by open interest, the largest first."""
    rng = noise.generator(noise.key_of(seed, "planned"), day)
    pool = ranked[: min(100, len(ranked))]
    found: list[Event] = []
    for number in range(int(rng.integers(3, 7))):
        start_ms = day * DAY_MS + int(rng.integers(0, DAY_MS))
        rows = rng.choice(pool, min(int(rng.integers(1, 4)), len(pool)), replace=False).tolist()
        found.append((_flush if number % 2 else _surge)(start_ms, rows, rng))
    if rng.random() < 0.6:
        found.append(_breadth(day * DAY_MS + int(rng.integers(0, DAY_MS)), ranked, rng))
    return found


def opening_row(seed: int, ranked: Sequence[int]) -> int:
    """Return the row of the opening build: one of the twenty largest, never the largest three where there are more."""
    pool = ranked[3 : min(20, len(ranked))] or ranked
    return pool[noise.key_of(seed, "opening") % len(pool)]


def scripted(seed: int, anchor_ms: int, until_ms: int, ranked: Sequence[int]) -> list[Event]:
    """Return the events around the anchor that begin before `until_ms`: the opening build, the market-wide surge forty
    seconds later, and from the sixth minute something every ten minutes.
    """
    rng = noise.generator(noise.key_of(seed, "script"), 0)
    opening = opening_row(seed, ranked)
    start_ms = anchor_ms - int(LEAD_S * 1000)
    events = [_event("opening", OPENING, start_ms, [opening], rng, (0.0975, 0.0976), (0.019, 0.021), 4.0)]
    others = [row for row in ranked if row != opening]
    events.append(_breadth(anchor_ms + 40_000, others, rng))
    rested = dict.fromkeys((opening, *events[-1].rows.tolist()), anchor_ms + 90 * 60_000)
    number = 0
    while (start_ms := anchor_ms + 360_000 + number * 600_000) < until_ms:
        rng = noise.generator(noise.key_of(seed, "script"), number + 1)
        free = [row for row in ranked[:60] if rested.get(row, 0) <= start_ms] or list(ranked)
        rows = rng.choice(free, min(3, len(free)), replace=False).tolist()
        kind = (_flush, _surge, _flush, _breadth)[number % 4]
        event = (
            _breadth(start_ms, free if len(free) >= 26 else ranked, rng)
            if kind is _breadth
            else kind(start_ms, rows, rng)
        )
        rested.update(dict.fromkeys(event.rows.tolist(), event.end_ms))
        events.append(event)
        number += 1
    return events
