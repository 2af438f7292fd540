"""What the engine is given to do: drawn expressions, rules over them, and 24 hours of history."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from bot.engine.engine import Engine
from bot.engine.inputs import Listed
from bot.model.updates import InstrumentList
from bot.rules.loader import load_text
from bot.rules.parse import parse_value
from bot.rules.schema import Rule
from tests.bench.frames import T0, Second, Walk, instruments
from tests.bench.harness import Context
from tests.bench.reference import DAY_S, FUNCTIONS, HOUR_S, SERIES, Past, agrees, compute

N_EXPRESSIONS = 100
N_RULES = 1_000
N_QUIET_ATOMS = 319
PER_RULE = 10
"""Comparisons in one rule where only the expressions are of interest."""
FILL_S = DAY_S + 900


@dataclass(frozen=True, slots=True)
class Window:
    """One expression: a function over a window of a series."""

    function: str
    series: str
    seconds: int

    @property
    def text(self) -> str:
        return f"{self.function}({self.series}, {self.seconds}s)"


@cache
def lengths() -> tuple[int, ...]:
    """30 window lengths from a minute to a day, evenly spread in their logarithm: seconds to an hour, then minutes."""
    drawn = np.geomspace(60, DAY_S, 30)
    return tuple(int(round(w)) if w <= HOUR_S else int(round(w / 60)) * 60 for w in drawn)


def draw(n: int, *, lengths_s: Sequence[int] | None = None, seed: int = 7) -> tuple[Window, ...]:
    """`n` distinct expressions, the same each time."""
    every = [Window(f, s, w) for f in FUNCTIONS for s in SERIES for w in lengths_s or lengths()]
    order = np.random.default_rng(seed).permutation(len(every))[:n]
    return tuple(every[i] for i in order)


def rules_of(conditions: Sequence[str]) -> list[Rule]:
    """Rules through the loader, as a file would give them."""
    rules: list[Rule] = []
    for start in range(0, len(conditions), 400):
        part = conditions[start : start + 400]
        body = "\n".join(f"- {{id: r{start + i}, when: '{when}'}}" for i, when in enumerate(part))
        loaded = load_text("bench", f"version: 1\nrules:\n{body}\n")
        assert len(loaded.rules) == len(part), loaded.problems[:3]
        rules += loaded.rules
    return rules


def only(windows: Sequence[Window]) -> list[Rule]:
    """As few rules as need all the expressions: ten comparisons each that nothing reaches, so all are evaluated."""
    groups = [windows[i : i + PER_RULE] for i in range(0, len(windows), PER_RULE)]
    return rules_of([" or ".join(f"{w.text} {_never(w)}" for w in group) for group in groups])


def _never(window: Window) -> str:
    return "> 90%" if window.function == "pct" else "> 1e18"


def number(value: float) -> str:
    return f"{value:.17g}"


def quiet(windows: Sequence[Window], values: Sequence[np.ndarray], n: int = N_RULES) -> list[Rule]:
    """Two-condition rules over a few hundred distinct comparisons that nothing reaches in the coming minutes."""
    atoms = []
    for k in range(N_QUIET_ATOMS):
        i = k % len(windows)
        low, high = np.nanmin(values[i]), np.nanmax(values[i])
        away = (high - low) * (2 + k // len(windows)) + 1e-9
        # A change as a share says so where it is large; the checker asks for a unit then.
        atoms.append(f"{windows[i].text} {_compare(k, low - away, high + away, windows[i])}")
    pairs = _pairs(n, len(atoms))
    return rules_of([f"{atoms[a]} and {atoms[b]}" for a, b in pairs])


def _compare(k: int, low: float, high: float, window: Window) -> str:
    below = k % 2 == 1
    value = low if below else high
    text = f"{number(value * 100)}%" if window.function == "pct" else number(value)
    return f"{'<' if below else '>'} {text}"


def worst(windows: Sequence[Window], values: Sequence[np.ndarray], n: int = N_RULES) -> list[Rule]:
    """Two-condition rules, every comparison with a threshold of its own, about one per cent of all cells true."""
    rng = np.random.default_rng(11)
    atoms = []
    for k in range(2 * n):
        i = k % len(windows)
        share = rng.uniform(0.002, 0.018)
        known = values[i][~np.isnan(values[i])]
        low, high = np.quantile(known, [share, 1 - share])
        atoms.append(f"{windows[i].text} {_compare(k // len(windows), low, high, windows[i])}")
    order = rng.permutation(2 * n)
    return rules_of([f"{atoms[a]} and {atoms[b]}" for a, b in zip(order[:n], order[n:], strict=True)])


def _pairs(n: int, n_atoms: int) -> list[tuple[int, int]]:
    rng = np.random.default_rng(5)
    pairs: set[tuple[int, int]] = set()
    while len(pairs) < n:
        a, b = (int(x) for x in rng.integers(0, n_atoms, 2))
        if a != b:
            pairs.add((a, b))
    return sorted(pairs)


class Stage:
    """Engines that are given the same market: a day of it, then second by second."""

    def __init__(self, n_instruments: int | None = None) -> None:
        self.listed = instruments(n_instruments) if n_instruments else instruments()
        self.symbols = [i.symbol for i in self.listed]
        self.engines: dict[str, Engine] = {}
        self.walk = Walk(len(self.listed), start_ms=T0 - FILL_S * 1_000)
        self.past = Past()

    def add(self, name: str, rules: Sequence[Rule], **options: object) -> Engine:
        """An engine with the instruments listed. Row i is instrument i, as `Second.marks` wants it."""
        engine = self.engines[name] = Engine(rules, **options)
        engine.consume(Listed(InstrumentList("binance", self.listed), self.walk.at_ms))
        rows = [row for row, _ in engine.market.universe.items()]
        assert rows == list(range(len(self.listed)))
        return engine

    def fill(self, step: Callable[[float], None] = lambda _share: None) -> None:
        """To T0: minutes first, the last hour in seconds. Windows that need a second of each minute get it."""
        first = self.walk.at_ms
        while self.walk.at_ms < T0:
            left_s = (T0 - self.walk.at_ms) // 1_000
            self.next(60 if left_s > HOUR_S + 120 else 1)
            if self.walk.at_ms % 600_000 == 0:
                step((self.walk.at_ms - first) / (T0 - first))

    def next(self, seconds: int = 1) -> Second:
        """The next second, given to all engines. They don't tick."""
        second = self.peek(seconds)
        for engine in self.engines.values():
            for batch in second.marks():
                engine.consume(batch)
        return second

    def peek(self, seconds: int = 1) -> Second:
        """The next second without its prices: whoever measures gives them. Polled open interest is given here."""
        second = self.walk.advance(seconds)
        self.past.add(second)
        polls = self.walk.polls(second, seconds)
        for engine in self.engines.values():
            if len(polls.rows):
                engine.consume(polls)
        return second

    def expected(self, windows: Iterable[Window]) -> list[np.ndarray]:
        return [compute(self.past, w.function, w.series, w.seconds) for w in windows]


def values_of(engine: Engine, window: Window) -> np.ndarray:
    """An expression as of the last tick."""
    expr = parse_value(window.text).expr
    assert expr is not None
    if hasattr(engine, "values"):
        return np.asarray(engine.values(expr), dtype=np.float64)
    return np.asarray(getattr(engine.view(), window.function)(window.series, window.seconds * 1_000)[0])


def verify(context: Context, what: str, stage: Stage, engine: Engine, windows: Sequence[Window]) -> None:
    """Compare an engine that has just ticked with the slow reference, on a spread of its expressions."""
    chosen = windows if len(windows) <= N_EXPRESSIONS else windows[:: len(windows) // N_EXPRESSIONS]
    off = [
        w.text
        for w, want in zip(chosen, stage.expected(chosen), strict=True)
        if not agrees(w.function, values_of(engine, w), want)
    ]
    if off:
        context.wrong.append(f"{what}: {len(off)} of {len(chosen)} expressions differ, such as {', '.join(off[:4])}")
