"""What the engine is given to do: drawn expressions, rules over them, and 24 hours of history."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from bot.engine.engine import Engine
from bot.engine.inputs import Listed, Samples
from bot.model.alert import State
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
    return tuple(round(w) if w <= HOUR_S else round(w / 60) * 60 for w in drawn)


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
    """The least that makes an engine compute the expressions: one comparison each, which nothing reaches."""
    return rules_of([f"{w.text} {_never(w)}" for w in windows])


def _never(window: Window) -> str:
    return "> 9e14%" if window.function == "pct" else "> 9e14"


@dataclass(frozen=True, slots=True)
class Atom:
    """One comparison of an expression with a threshold of its own."""

    window: Window
    op: str
    threshold: float

    @property
    def text(self) -> str:
        """As the language takes it: shares in per cent, nothing between zero and 1e-12."""
        value = self.threshold if abs(self.threshold) >= 1e-12 else 0.0
        shown = f"{value * 100:.17g}%" if self.window.function == "pct" else f"{value:.17g}"
        return f"{self.window.text} {self.op} {shown}"

    def truth(self, values: np.ndarray) -> np.ndarray:
        """Where it holds; unknown does not."""
        return values > self.threshold if self.op == ">" else values < self.threshold


Pairs = list[tuple[Atom, Atom]]


def quiet(windows: Sequence[Window], values: Sequence[np.ndarray], n: int = N_RULES) -> Pairs:
    """Two-condition rules over a few hundred distinct comparisons that nothing reaches in the coming minutes."""
    atoms = []
    for k in range(N_QUIET_ATOMS):
        i = k % len(windows)
        low, high = np.nanmin(values[i]), np.nanmax(values[i])
        # A basis near zero makes shares of it jump by orders of magnitude from one second to the next.
        wide = 1e6 if (windows[i].function, windows[i].series) == ("pct", "basis") else 1
        away = (high - low) * (2 + k // len(windows)) * wide + 1e-9
        atoms.append(Atom(windows[i], "<", low - away) if k % 2 else Atom(windows[i], ">", high + away))
    rng = np.random.default_rng(5)
    chosen: set[tuple[int, int]] = set()
    while len(chosen) < n:
        a, b = (int(x) for x in rng.integers(0, len(atoms), 2))
        if a != b:
            chosen.add((a, b))
    return [(atoms[a], atoms[b]) for a, b in sorted(chosen)]


def worst(windows: Sequence[Window], values: Sequence[np.ndarray], n: int = N_RULES) -> Pairs:
    """Two-condition rules, every comparison with a threshold of its own, about one per cent of all cells true."""
    rng = np.random.default_rng(11)
    atoms = []
    for k in range(2 * n):
        i = k % len(windows)
        share = rng.uniform(0.002, 0.018)
        known = values[i][~np.isnan(values[i])]
        low, high = np.quantile(known, [share, 1 - share])
        below = k // len(windows) % 2
        atoms.append(Atom(windows[i], "<", float(low)) if below else Atom(windows[i], ">", float(high)))
    order = rng.permutation(2 * n)
    return [(atoms[a], atoms[b]) for a, b in zip(order[:n], order[n:], strict=True)]


def both(pairs: Pairs) -> list[Rule]:
    return rules_of([f"{a.text} and {b.text}" for a, b in pairs])


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

    def fill(self, step: Callable[[float], None] = lambda _share: None, *, until_ms: int = T0) -> None:
        """Minutes first, the last hour in seconds: the points of all windows, at a fortieth of the samples of a day."""
        first = self.walk.at_ms
        while self.walk.at_ms < until_ms:
            left_s = (until_ms - self.walk.at_ms) // 1_000
            whole_minute = self.walk.at_ms % 60_000 == 0
            self.next(60 if whole_minute and left_s > HOUR_S + 120 else 1)
            if self.walk.at_ms % 600_000 == 0:
                step((self.walk.at_ms - first) / (until_ms - first))

    def next(self, seconds: int = 1) -> Second:
        """The next second, given to all engines. They don't tick."""
        second = self.peek(seconds)
        for engine in self.engines.values():
            for batch in second.marks():
                engine.consume(batch)
        return second

    def peek(self, seconds: int = 1) -> Second:
        """The next second without its prices: whoever measures gives them. Polled open interest is given here."""
        polls, second = self.peek_apart(seconds)
        for engine in self.engines.values():
            if len(polls.rows):
                engine.consume(polls)
        return second

    def peek_apart(self, seconds: int = 1) -> tuple[Samples, Second]:
        """The next second, and what was polled in it; nothing is given to anybody."""
        second = self.walk.advance(seconds)
        self.past.add(second)
        return self.walk.polls(second, seconds), second

    def expected(self, windows: Iterable[Window]) -> list[np.ndarray]:
        return [compute(self.past, w.function, w.series, w.seconds) for w in windows]


def values_of(engine: Engine, window: Window) -> np.ndarray:
    """An expression as of the last tick."""
    expr = parse_value(window.text).expr
    assert expr is not None
    return np.asarray(engine.values(expr), dtype=np.float64)


def verify_rules(context: Context, what: str, stage: Stage, engine: Engine, pairs: Pairs) -> None:
    """After an engine's first tick: as many alerts are firing as the reference has cells where both comparisons hold."""
    windows = {atom.window for pair in pairs for atom in pair}
    values = dict(zip(windows, stage.expected(windows), strict=True))
    truth = {atom: atom.truth(values[atom.window]) for pair in pairs for atom in pair}
    want = sum(int((truth[a] & truth[b]).sum()) for a, b in pairs)
    got = engine.count(State.FIRING)
    if abs(got - want) > 0.001 * want:
        context.wrong.append(f"{what}: {got} alerts are firing, the reference says {want}")


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
