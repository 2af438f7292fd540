"""Row 8: ten expressions a second over 950 instruments, by the engine and by what a careful person would write instead.

Every candidate takes the next second and gives all ten values of all instruments. All are equal to the slow reference
before anything is timed. Peers get the values rounded as the engine stores them, in the form that suits them best.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from typing import Any, Protocol

import numpy as np

from bot.engine.engine import Engine
from bot.model.updates import MarkPrices
from tests.bench.engine_rows import Work, consume
from tests.bench.frames import OI_VALID_MS, Second
from tests.bench.harness import Context, Group, Result, median_ms, ratio, rounds
from tests.bench.reference import HOUR_S, SERIES, agrees
from tests.bench.workload import Stage, Window, only, verify

TEN = (
    Window("pct", "price", 300),
    Window("pct", "oi", 900),
    Window("delta", "oi", 3_600),
    Window("avg", "price", 900),
    Window("avg", "basis", 300),
    Window("min", "price", 3_600),
    Window("max", "price", 900),
    Window("std", "index", 900),
    Window("zscore", "price", 3_600),
    Window("zscore", "funding", 1_800),
)
SUMS = ("avg", "std", "zscore")
NAN = math.nan
VALID_S = {"price": 10, "index": 10, "basis": 10, "funding": 10, "oi": OI_VALID_MS // 1_000}
RIVER_SHARE = 10
"""River runs on every tenth instrument; its time is multiplied."""

Levels = dict[str, np.ndarray]


def levels(second: Second) -> Levels:
    return {name: getattr(second, name).astype(np.float32).astype(np.float64) for name in SERIES}


class Peer(Protocol):
    """`take` is the form of its input, not timed; `push` and `values` are."""

    def take(self, now: Levels) -> Any: ...
    def push(self, now: Any) -> None: ...
    def values(self) -> list: ...


class PurePython:
    """Standard library only: newest samples with their times, running sums (shifted, so that they stay exact) and counts
    of what is known, monotonic deques. Like the engine, and unlike the other peers, it knows what it does not know: a
    sample expires, and a window needs four fifths of its points.
    """

    def __init__(self, n: int) -> None:
        longest = {s: max((w.seconds for w in TEN if w.series == s), default=0) for s in SERIES}
        self._past = {s: deque(maxlen=w + 1) for s, w in longest.items() if w}
        self._newest = {s: [NAN] * n for s in self._past}
        self._time = {s: [-(10**9)] * n for s in self._past}
        self._shift: dict[str, list[float]] = {}
        self._nothing = ([NAN] * n, [0.0] * n, [False] * n)
        self._sums = {w: [0.0] * n for w in TEN if w.function in SUMS}
        self._squares = {w: [0.0] * n for w in TEN if w.function in {"std", "zscore"}}
        self._counts = {w: [0] * n for w in TEN if w.function not in {"pct", "delta"}}
        self._extremes = {w: [deque() for _ in range(n)] for w in TEN if w.function in {"min", "max"}}
        self._tick = 0

    def take(self, now: Levels) -> dict[str, tuple[range, list[float]]]:
        return {name: (range(len(now[name])), now[name].tolist()) for name in self._past}

    def push(self, now: dict[str, tuple[range, list[float]]]) -> None:
        self._tick += 1
        for name, past in self._past.items():
            newest, times, tick = self._newest[name], self._time[name], self._tick
            for i, x in zip(*now[name], strict=True):
                newest[i], times[i] = x, tick
            oldest = tick - VALID_S[name]
            row = [x if t > oldest else NAN for x, t in zip(newest, times, strict=True)]
            shift = self._shift.setdefault(name, list(row))
            # Running sums want the distance from a fixed level; changes and extremes want the value.
            moved = [x - s if x == x else 0.0 for x, s in zip(row, shift, strict=True)]
            past.append((row, moved, [x == x for x in row]))
        for window, counts in self._counts.items():
            new, old = self._ends(window)
            self._counts[window] = [c + a - b for c, a, b in zip(counts, new[2], old[2], strict=True)]
            if window in self._sums:
                sums = self._sums[window]
                self._sums[window] = [s + a - b for s, a, b in zip(sums, new[1], old[1], strict=True)]
            if window in self._squares:
                squares = self._squares[window]
                self._squares[window] = [q + a * a - b * b for q, a, b in zip(squares, new[1], old[1], strict=True)]
        for window, queues in self._extremes.items():
            self._push_extremes(queues, self._past[window.series][-1][0], window)

    def _ends(self, window: Window) -> tuple:
        past = self._past[window.series]
        return past[-1], past[-1 - window.seconds] if len(past) > window.seconds else self._nothing

    def _push_extremes(self, queues: list[deque], row: list[float], window: Window) -> None:
        tick, expired, is_min = self._tick, self._tick - window.seconds, window.function == "min"
        for queue, x in zip(queues, row, strict=True):
            if x == x:
                while queue and (queue[-1][1] >= x if is_min else queue[-1][1] <= x):
                    queue.pop()
                queue.append((tick, x))
            while queue and queue[0][0] <= expired:
                queue.popleft()

    def values(self) -> list:
        return [self._value(window) for window in TEN]

    def _value(self, window: Window) -> list[float]:
        new, old = self._ends(window)
        match window.function:
            case "pct":
                return [a / b - 1.0 for a, b in zip(new[0], old[0], strict=True)]
            case "delta":
                return [a - b for a, b in zip(new[0], old[0], strict=True)]
        counts, enough = self._counts[window], 0.8 * window.seconds
        known = [k and c >= enough for k, c in zip(new[2], counts, strict=True)]
        if window.function in {"min", "max"}:
            return [queue[0][1] if k else NAN for k, queue in zip(known, self._extremes[window], strict=True)]
        means = [s / c if k else NAN for k, s, c in zip(known, self._sums[window], counts, strict=True)]
        if window.function == "avg":
            return [m + s for m, s in zip(means, self._shift[window.series], strict=True)]
        stds = [
            max(q / c - m * m, 0.0) ** 0.5 if k else NAN
            for k, q, c, m in zip(known, self._squares[window], counts, means, strict=True)
        ]
        if window.function == "std":
            return stds
        return [(x - m) / s if s > 0 else NAN for x, m, s in zip(new[1], means, stds, strict=True)]


class Buffers:
    """Rows of each series one after another, so that the last so many are one array."""

    def __init__(self, n: int) -> None:
        self._rows = {s: np.empty((2 * HOUR_S + 2, n)) for s in {w.series for w in TEN}}
        self._end = 0

    def push(self, now: Levels) -> None:
        if self._end == 2 * HOUR_S + 2:
            for rows in self._rows.values():
                rows[: HOUR_S + 1] = rows[-HOUR_S - 1 :]
            self._end = HOUR_S + 1
        for name, rows in self._rows.items():
            rows[self._end] = now[name]
        self._end += 1

    def last(self, series: str, n: int) -> np.ndarray:
        return self._rows[series][self._end - n : self._end]


class PandasTails:
    """A wide frame per series, one column per instrument; each function over its tail."""

    def __init__(self, n: int) -> None:
        self._pd = import_module("pandas")
        self._buffers = Buffers(n)

    def take(self, now: Levels) -> Levels:
        return now

    def push(self, now: Levels) -> None:
        self._buffers.push(now)

    def values(self) -> list:
        frames = {s: self._pd.DataFrame(self._buffers.last(s, HOUR_S + 1), copy=False) for s in {w.series for w in TEN}}
        return [self._value(frames[w.series], w) for w in TEN]

    @staticmethod
    def _value(frame: Any, window: Window) -> Any:
        if window.function in {"pct", "delta"}:
            now, then = frame.iloc[-1], frame.iloc[-1 - window.seconds]
            return now / then - 1.0 if window.function == "pct" else now - then
        tail = frame.tail(window.seconds)
        match window.function:
            case "avg":
                return tail.mean()
            case "std":
                return tail.std(ddof=0)
            case "zscore":
                return (tail.iloc[-1] - tail.mean()) / tail.std(ddof=0)
        return getattr(tail, window.function)()


class River:
    """One rolling statistic per instrument and expression."""

    def __init__(self, n: int) -> None:
        self._stats = import_module("river.stats")
        self._rolling = import_module("river.utils").Rolling
        self._n = n // RIVER_SHARE
        self._state = {w: [self._new(w) for _ in range(self._n)] for w in TEN}
        self._now: dict[str, list[float]] = {}

    def _new(self, window: Window) -> tuple:
        stats, n = self._stats, window.seconds
        match window.function:
            case "pct" | "delta":
                return (stats.Shift(n),)
            case "avg":
                return (self._rolling(stats.Mean(), n),)
            case "min":
                return (stats.RollingMin(n),)
            case "max":
                return (stats.RollingMax(n),)
            case "std":
                return (self._rolling(stats.Var(ddof=0), n),)
        return self._rolling(stats.Mean(), n), self._rolling(stats.Var(ddof=0), n)

    def take(self, now: Levels) -> dict[str, list[float]]:
        return {name: column[::RIVER_SHARE].tolist() for name, column in now.items()}

    def push(self, now: dict[str, list[float]]) -> None:
        self._now = now
        for window, states in self._state.items():
            for x, state in zip(now[window.series], states, strict=False):
                for one in state:
                    one.update(x)

    def values(self) -> list:
        return [self._value(window) for window in TEN]

    def _value(self, window: Window) -> list[float]:
        now, states = self._now[window.series], self._state[window]
        match window.function:
            case "pct":
                return [x / s.get() - 1.0 for x, (s,) in zip(now, states, strict=False)]
            case "delta":
                return [x - s.get() for x, (s,) in zip(now, states, strict=False)]
            case "std":
                return [s.get() ** 0.5 for (s,) in states]
            case "zscore":
                return [
                    (x - m.get()) / (v.get() ** 0.5 or float("nan")) for x, (m, v) in zip(now, states, strict=False)
                ]
        return [s.get() for (s,) in states]


class Polars:
    """A wide frame per series, one column per instrument; each function selects over its tail."""

    def __init__(self, n: int) -> None:
        self._pl = import_module("polars")
        self._buffers = Buffers(n)
        self._columns = [str(i) for i in range(n)]
        self._frames: dict[str, Any] = {}

    def take(self, now: Levels) -> Levels:
        return now

    def push(self, now: Levels) -> None:
        """The history is gathered in arrays; a frame is made when it is first asked for, then extended."""
        if not self._frames:
            self._buffers.push(now)
            return
        for name, frame in self._frames.items():
            row = self._pl.DataFrame(now[name][None, :], schema=self._columns)
            self._frames[name] = frame.extend(row)

    def values(self) -> list:
        if not self._frames:
            self._frames = {
                s: self._pl.DataFrame(np.asfortranarray(self._buffers.last(s, HOUR_S + 1)), schema=self._columns)
                for s in {w.series for w in TEN}
            }
        return [self._value(self._frames[w.series], w) for w in TEN]

    def _value(self, frame: Any, window: Window) -> Any:
        every = self._pl.all()
        if window.function in {"pct", "delta"}:
            ends = frame.tail(window.seconds + 1)
            change = every.last() / every.first() - 1.0 if window.function == "pct" else every.last() - every.first()
            return ends.select(change)
        expressions = {
            "avg": every.mean(),
            "min": every.min(),
            "max": every.max(),
            "std": every.std(ddof=0),
            "zscore": (every.last() - every.mean()) / every.std(ddof=0),
        }
        return frame.tail(window.seconds).select(expressions[window.function])


PEERS: dict[str, tuple[Callable[[int], Peer], str, float, int]] = {
    "careful pure Python": (PurePython, "", 25, 1),
    "pandas tails": (PandasTails, "pandas", 120, 1),
    "River": (River, "river", 90, RIVER_SHARE),
    "polars": (Polars, "polars", 280, 1),
}
"""Class, package, goal, share of the instruments that it runs on."""


def column(value: Any) -> np.ndarray:
    """Values of one expression as an array, whatever the peer made."""
    return np.asarray(value.row(0) if hasattr(value, "row") else value, dtype=np.float64)


def build(context: Context, n: int) -> tuple[dict[str, Peer], list[Result]]:
    """The peers that are installed, and a line for each that is not."""
    found: dict[str, Peer] = {}
    missing = []
    for name, (make, package, goal, _) in PEERS.items():
        try:
            found[name] = make(n)
        except ModuleNotFoundError:
            note = f"not measured: {package} is not installed; `make bench` installs it"
            missing.append(Result("8", f"against {name}", None, goal, "x", at_least=True, note=note))
    return found, missing


def ten(context: Context) -> Sequence[Result]:
    stage = Stage()
    engine = stage.add("ten", only(TEN))
    peers, missing = build(context, len(stage.listed))
    context.say("filling 24 hours")
    stage.fill()
    engine.tick(stage.next().at_ms)
    context.say("filling the peers")
    kept = list(stage.past.seconds)
    for k, second in enumerate(kept):
        now = levels(second)
        for peer in peers.values():
            peer.push(peer.take(now))
        context.step(k / len(kept))
    check(context, stage, peers)
    verify(context, "row 8", stage, engine, TEN)

    def works(_: int) -> Iterator[Work]:
        # Each candidate does two seconds in a row and the second one counts: what ran before it, with caches full of
        # its own, is then no longer felt.
        first, second = stage.peek(), stage.peek()
        engine_second(engine, first)
        yield "ours", partial(engine_second, engine, second, second.marks())
        for name, peer in peers.items():
            earlier, later = peer.take(levels(first)), peer.take(levels(second))
            peer_second(peer, earlier)
            yield name, partial(peer_second, peer, later)

    context.say("rounds")
    times = rounds(context, works)
    check(context, stage, peers)
    verify(context, "row 8, after the rounds", stage, engine, TEN)
    results = []
    for name in peers:
        _, _, goal, share = PEERS[name]
        times[name] = [t * share for t in times[name]]
        note = f"{median_ms(times[name]):.1f} ms against {median_ms(times['ours']):.3f} ms a tick"
        note += f"; ran on 1/{share} of the instruments, multiplied" if share > 1 else ""
        value = ratio(times[name], times["ours"])
        results.append(Result("8", f"against {name}", value, goal, "x", at_least=True, note=note))
    return [*results, *missing]


def engine_second(engine: Engine, second: Second, batches: Sequence[MarkPrices] = ()) -> None:
    consume(engine, batches or second.marks())
    engine.tick(second.at_ms)


def peer_second(peer: Peer, taken: Any) -> None:
    peer.push(taken)
    peer.values()


def check(context: Context, stage: Stage, peers: dict[str, Peer]) -> None:
    for name, peer in peers.items():
        share = PEERS[name][3]
        for window, got, want in zip(TEN, peer.values(), stage.expected(TEN), strict=True):
            if not agrees(window.function, column(got), want[::share]):
                context.wrong.append(f"row 8: {name} differs in {window.text}")


GROUPS = (Group(("8",), ten),)
