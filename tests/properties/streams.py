"""Random streams of samples, told to the engine and to its slow twin alike; and random expressions to ask them for."""

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bot.engine.engine import Engine
from bot.engine.inputs import Coverage, Listed, Placed, Reset, Samples
from bot.model.alert import Notice
from bot.model.instrument import Instrument
from bot.model.updates import (
    Bars,
    History,
    InstrumentChange,
    InstrumentList,
    Liquidations,
    MarkPrices,
    Tickers,
)
from bot.rules.ast import Call, Expr, Series, text
from bot.rules.loader import load_text
from bot.rules.parse import parse_value
from bot.rules.schema import Rule
from tests.properties.twin import Lives, Transit, Twin, Within, everybody

T0 = 1_767_225_600_000
NAN = math.nan
MINUTE_MS = 60_000


def rules_of(text_: str) -> tuple[Rule, ...]:
    found = load_text("test.yaml", "version: 1\nrules:\n" + text_)
    assert not found.errors, found.errors
    return found.rules


def value_of(source: str) -> Expr:
    """A number expression, from its text."""
    parsed = parse_value(source)
    assert parsed.expr is not None, (source, parsed.faults)
    return parsed.expr


def rules_using(exprs: Iterable[Expr]) -> tuple[Rule, ...]:
    """Rules that make the engine keep what the expressions need."""
    lines = []
    for k, expr in enumerate(exprs):
        zero = "0s" if text(expr).startswith("age") else "0"
        lines.append(f"- {{id: r{k}, when: '{text(expr)} > {zero}', cooldown: 0s}}\n")
    return rules_of("".join(lines))


def perpetual(symbol: str, *, status: str = "TRADING", interval_h: float = 8.0) -> Instrument:
    return Instrument("binance", symbol, "perpetual", symbol, "USDT", status, funding_interval_h=interval_h)


class Pair:
    """The engine and its twin, fed with the same samples."""

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        step_ms: int = 1_000,
        dtype: str = "float32",
        n_block: int = 1,
        withins: Sequence[Within] | None = None,
        watches: bool = False,
    ):
        """`withins`: which symbols the scope of each rule has. `watches`: whether the twin lives the rules too."""
        scoped = list(zip(rules, withins or [everybody] * len(rules), strict=True))
        self.engine = Engine(rules, step_ms=step_ms, dtype=dtype, n_block=n_block)
        self.twin = Twin([(rule.when, w) for rule, w in scoped if watches], step_ms=step_ms, dtype=dtype)
        self.is_watching = watches
        self.listed: dict[str, Instrument] = {}
        self._rules = {rule.id: rule for rule in rules}
        self._lives = [Lives(rule.id, rule.when, w, per_market=rule.per == "market") for rule, w in scoped]
        self.transitions: list[Transit] = []
        """Of the engine, in its order."""
        self.notices: list[Notice] = []
        self.expected: list[Transit] = []
        """Of the twin."""

    def row(self, symbol: str) -> int:
        row = self.engine.market.universe.row(f"binance:{symbol}")
        assert row is not None
        return row

    # -- instruments ---------------------------------------------------------------------------------------------

    def listing(self, symbols: Iterable[str], at_ms: int) -> None:
        """The venue's full list."""
        symbols = list(symbols)
        for gone in set(self.listed) - set(symbols):
            self._gone(gone, at_ms)
        for symbol in symbols:
            self.listed.setdefault(symbol, perpetual(symbol))
            one = self.listed[symbol]
            self.twin.listing(symbol, at_ms, interval_h=one.funding_interval_h, is_trading=one.is_trading)
        self.engine.consume(Listed(InstrumentList("binance", tuple(self.listed.values())), at_ms))

    def change(self, symbol: str, at_ms: int, *, status: str = "TRADING", interval_h: float = 8.0) -> None:
        """A halt, its end, another interval; `status="CLOSE"` ends the contract."""
        news = replace(perpetual(symbol), status=status, funding_interval_h=interval_h)
        if status == "CLOSE":
            self._gone(symbol, at_ms)
        else:
            self.listed[symbol] = news
            self.twin.listing(symbol, at_ms, interval_h=interval_h, is_trading=news.is_trading)
        self.engine.consume(Listed(InstrumentChange(news), at_ms))

    def _gone(self, symbol: str, at_ms: int) -> None:
        del self.listed[symbol]
        self.twin.remove(symbol)
        for life in self._lives:
            self.expected += life.close(symbol, at_ms)

    def reset(self, at_ms: int) -> None:
        self.engine.consume(Reset(at_ms))
        self.twin.reset(at_ms)
        self.twin.now_ms = at_ms

    # -- samples -------------------------------------------------------------------------------------------------

    def _rows(self, symbols: Iterable[str]) -> "np.typing.NDArray[np.int32]":
        return np.array([self.row(symbol) for symbol in symbols], dtype=np.int32)

    def marks(self, found: dict[str, tuple[int, float, float, float]]) -> None:
        """(time, price, index, funding) of some symbols, in one message."""
        if not found:
            return
        times, price, index, funding = (np.array(column) for column in zip(*found.values(), strict=True))
        nothing = np.zeros(len(times), dtype=np.int64)
        self.engine.consume(
            MarkPrices(
                self._rows(found),
                price.astype(np.float64),
                index.astype(np.float64),
                funding.astype(np.float64),
                nothing,
                times.astype(np.int64),
                0.0,
            )
        )
        for symbol, (time_ms, *rest) in found.items():
            self.twin.mark(symbol, time_ms, *rest)

    def tickers(self, found: dict[str, tuple[int, float]]) -> None:
        if not found:
            return
        times = np.array([t for t, _ in found.values()], dtype=np.int64)
        values = np.array([float(v) for _, v in found.values()])
        self.engine.consume(Tickers(self._rows(found), values, times, 0.0))
        for symbol, (time_ms, value) in found.items():
            self.twin.ticker(symbol, time_ms, value)

    def poll(self, symbol: str, at_ms: int, amount: float, *, venue_ms: int, interval_ms: int) -> None:
        self.engine.consume(Placed(self.row(symbol), amount, at_ms, venue_ms, interval_ms))
        self.twin.poll(symbol, at_ms, amount, venue_ms=venue_ms, interval_ms=interval_ms)

    def samples(self, series: str, found: dict[str, tuple[int, float]], *, valid_ms: int, interval_ms: int) -> None:
        if not found:
            return
        times = np.array([t for t, _ in found.values()], dtype=np.int64)
        values = np.array([float(v) for _, v in found.values()])
        self.engine.consume(Samples(series, self._rows(found), times, values, valid_ms, interval_ms))
        for symbol, (time_ms, value) in found.items():
            self.twin.sample(symbol, series, time_ms, value, valid_ms=valid_ms, interval_ms=interval_ms)

    def history(self, symbol: str, series: str, rows: Sequence[tuple[int, float]], valid_ms: int) -> None:
        times = np.array([t for t, _ in rows], dtype=np.int64)
        values = np.array([float(v) for _, v in rows])
        self.engine.consume(History(self.row(symbol), series, times, values, valid_ms))
        for time_ms, value in rows:
            self.twin.sample(symbol, series, time_ms, value, valid_ms=valid_ms)

    def bars(self, found: Sequence[tuple[str, int, float, float]], span_ms: int) -> None:
        """(symbol, close, volume, taker buy) of closed bars of one span."""
        if not found:
            return
        self.engine.consume(
            Bars(
                self._rows(symbol for symbol, *_ in found),
                np.array([close for _, close, _, _ in found], dtype=np.int64),
                np.array([float(volume) for _, _, volume, _ in found]),
                np.array([float(taker) for *_, taker in found]),
                span_ms,
                0.0,
            )
        )
        for symbol, close_ms, volume, taker in found:
            self.twin.bar(symbol, close_ms, volume, taker, span_ms=span_ms)

    def liquidations(self, found: Sequence[tuple[str, int, float, bool]]) -> None:
        """(symbol, time, amount, whether a long was closed)."""
        if not found:
            return
        self.engine.consume(
            Liquidations(
                self._rows(symbol for symbol, *_ in found),
                np.array([time_ms for _, time_ms, _, _ in found], dtype=np.int64),
                np.array([float(usd) for _, _, usd, _ in found]),
                np.array([is_long for *_, is_long in found], dtype=np.bool_),
                0.0,
            )
        )
        for symbol, time_ms, usd, is_long in found:
            self.twin.liquidation(symbol, time_ms, usd, is_long=is_long)

    def cover(self, at_ms: int, *, live: bool) -> None:
        self.engine.consume(Coverage("liquidations", live, at_ms))
        self.twin.cover(at_ms, live=live)

    # -- ticks and answers ---------------------------------------------------------------------------------------

    def tick(self, now_ms: int) -> None:
        self._take(self.engine.tick(now_ms))
        self.twin.tick(now_ms)
        if self.is_watching:
            for life in self._lives:
                self.expected += life.step(self.twin)

    def flush(self) -> None:
        self._take(self.engine.flush())

    def check_transitions(self) -> None:
        """The engine's transitions are the twin's; told with the condition of the first that is not."""
        assert self.is_watching
        got, want = set(self.transitions), set(self.expected)
        if got != want:
            first = min(got ^ want, key=lambda transit: transit[3])
            who = "only the engine" if first in got else "only the twin"
            raise AssertionError(f"{who} says {first}, {first[3] - T0} after T0: {text(self._rules[first[0]].when)}")
        assert len(got) == len(self.transitions), "a transition came twice"
        assert [t[3] for t in self.transitions] == sorted(t[3] for t in self.transitions)

    def _take(self, result) -> None:
        self.notices += result.notices
        self.transitions += [(t.rule_id, t.symbol, str(t.state), t.at_ms) for t in result.transitions]

    def differences(self, exprs: Iterable[Expr], tolerance: "Tolerance") -> list[str]:
        """Each expression and symbol for which the two say different things, in words."""
        found = []
        for expr in exprs:
            fast = self.engine.values(expr)
            for symbol in self.twin.instruments:
                want, got = self.twin.value(expr, symbol), float(fast[self.row(symbol)])
                series = expr.args[0].name if isinstance(expr, Call) and isinstance(expr.args[0], Series) else ""
                largest = self.twin.largest(series, symbol) if series in GAUGES else 0.0
                if not tolerance.allows(got, want, expr, largest):
                    found.append(
                        f"{text(expr)} of {symbol} at T0+{self.twin.now_ms - T0}: engine {got!r}, twin {want!r}"
                    )
        return found


@dataclass(frozen=True)
class Tolerance:
    """How far the engine may be from the twin."""

    relative: float
    exact: frozenset[str] = frozenset({"pct", "delta", "min", "max", "percentile", "rank", "age"})

    def allows(self, got: float, want: float, expr: Expr, largest: float = 0.0) -> bool:
        """`largest`: that the series ever was; a deviation below a billionth of it is rounding, not movement."""
        if math.isnan(got) or math.isnan(want):
            return math.isnan(got) and math.isnan(want)
        name = getattr(expr, "name", "")
        if name in self.exact or text(expr).startswith("sum(liq_"):
            return got == want
        # Scores, correlations and trends are differences of near numbers: what is lost there is lost absolutely.
        absolute = max(1e-6, 10 * self.relative) if name in {"zscore", "corr", "slope"} else self.relative * 1e-3
        if name in {"avg", "std"}:
            absolute = 1e-9 * largest
        return math.isclose(got, want, rel_tol=self.relative, abs_tol=absolute)


# -- streams ---------------------------------------------------------------------------------------------------------


@dataclass
class _Path:
    """One number that moves: a walk, a few levels in turn (ties), a constant, or nothing for a while."""

    dice: random.Random
    level: float
    kind: str
    signed: bool = False
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self._at = self.level

    def next(self) -> float:
        match self.kind:
            case "walk":
                self._at = self._at * math.exp(self.dice.gauss(0, 0.01))
                sign = -1.0 if self.signed and self.dice.random() < 0.3 else 1.0
                return self._at * sign
            case "levels":
                return self.level * self.dice.choice([1.0, 1.01, 0.99] if not self.signed else [0.0, 1.0, -0.618])
            case _:
                return self.level


BAD = (NAN, 0.0, -1.0, math.inf)


class Stream:
    """Tells a pair what a venue would, with everything that goes wrong."""

    def __init__(self, pair: Pair, seed: int, *, n: int, step_ms: int, trouble: float = 0.08):
        self.pair, self.dice, self.step_ms, self.trouble = pair, random.Random(seed), step_ms, trouble
        self.symbols = [f"S{k}" for k in range(n)]
        self.now_ms = T0 + self.dice.choice([0, 0, 137, 999])
        self.is_live = False
        pair.listing(self.symbols, self.now_ms)
        kinds = ("walk", "walk", "levels", "constant")
        self.paths = {
            (symbol, name): _Path(self.dice, level, self.dice.choice(kinds), signed=name == "funding")
            for symbol in self.symbols
            for name, level in {
                "price": self.dice.choice([0.0123, 1.7, 67_000.1]),
                "funding": 1e-4,
                "oi": 1e6 * self.dice.random() + 1,
                "volume_24h": 1e8 * self.dice.random() + 1,
                "volume": 1e5,
                "long_short": 1.4,
            }.items()
        }

    def warm(self) -> None:
        """A day of history as a start fetches it, and a stream of liquidations that has been alive for long."""
        for symbol in self._some(0.8):
            for series, span, n in (("price", MINUTE_MS, 99), ("price", 300_000, 290), ("oi", 300_000, 292)):
                last = self.now_ms // span * span
                rows = [(last - k * span, self._next(symbol, series)) for k in range(n - 1, -1, -1)]
                self.pair.history(symbol, series, rows, span * 3 // 2)
        self.coarse_bars()
        self.is_live = True
        self.pair.cover(self.now_ms - 2 * 86_400_000, live=True)

    def _next(self, symbol: str, name: str) -> float:
        return self.dice.choice(BAD) if self.dice.random() < self.trouble / 2 else self.paths[symbol, name].next()

    def _stamp(self) -> int:
        """Mostly just now, sometimes late."""
        late = self.dice.random() < self.trouble
        return self.now_ms - (self.dice.randrange(1, 90_000) if late else self.dice.randrange(0, 900))

    def advance(self, *, jump: bool = True) -> None:
        """Let time pass, bring news, tick."""
        before = self.now_ms
        if self.step_ms == 1_000:
            step = self.dice.choice([1_000, 1_000, 1_000, 437, 3_000])
            if jump and self.dice.random() < self.trouble:
                step = self.dice.choice([12_000, 61_000, 400_000, 2_000_000])
        else:
            self.now_ms = self.now_ms // self.step_ms * self.step_ms
            step = self.step_ms * (self.dice.choice([2, 9, 100]) if jump and self.dice.random() < self.trouble else 1)
        self.now_ms += step
        for act in (self._instruments, self._marks, self._polls, self._files, self._tickers, self._history):
            act()
        self._bars(before)
        self._liquidations()
        self.pair.tick(self.now_ms)

    def _instruments(self) -> None:
        if self.dice.random() > self.trouble:
            return
        symbol = self.dice.choice(self.symbols)
        match self.dice.randrange(4):
            case 0 if len(self.pair.listed) > 1 and symbol in self.pair.listed:
                self.pair.change(symbol, self.now_ms, status="CLOSE")
            case 1 if symbol in self.pair.listed:
                self.pair.change(symbol, self.now_ms, status="BREAK")
            case 2:
                self.pair.change(symbol, self.now_ms, interval_h=self.dice.choice([1.0, 4.0, 8.0]))
            case _:
                self.pair.listing(self.symbols, self.now_ms)

    def _some(self, share: float = 0.95) -> list[str]:
        return [symbol for symbol in self.pair.listed if self.dice.random() < share]

    def _marks(self) -> None:
        found = {}
        stamp = self._stamp()
        for symbol in self._some():
            price = self._next(symbol, "price")
            index = price * self.dice.choice([1.0, 0.999, 1.0005]) if self.dice.random() > self.trouble else NAN
            at = stamp if self.dice.random() < 0.9 else self._stamp()
            found[symbol] = (at, price, index, self._next(symbol, "funding"))
        self.pair.marks(found)
        if found and self.dice.random() < self.trouble:
            # The same message again, as over two connections; its other prices must not count.
            self.pair.marks({symbol: (at, price * 1.5, i, f) for symbol, (at, price, i, f) in found.items()})

    def _polls(self) -> None:
        for symbol in self._some(0.6):
            at = self._stamp()
            interval = self.dice.choice([15_000, 15_000, 60_000] if self.step_ms < MINUTE_MS else [60_000, 120_000])
            self.pair.poll(
                symbol,
                at,
                self._next(symbol, "oi"),
                venue_ms=at - self.dice.choice([0, 500, 500, 40_000]),
                interval_ms=interval,
            )

    def _files(self) -> None:
        """Rows that come for several instruments at once, as polled ratios and as bar files do."""
        at = self.now_ms // self.step_ms * self.step_ms
        rows = {s: (at, self._next(s, "long_short")) for s in self._some(0.3)}
        self.pair.samples("long_short", rows, valid_ms=450_000, interval_ms=300_000)
        if self.step_ms >= MINUTE_MS:
            rows = {s: (at, self._next(s, "price")) for s in self._some(0.5)}
            self.pair.samples("price", rows, valid_ms=90_000, interval_ms=self.step_ms)

    def _tickers(self) -> None:
        self.pair.tickers({s: (self._stamp(), self._next(s, "volume_24h")) for s in self._some(0.5)})

    def _history(self) -> None:
        for symbol in self._some(self.trouble):
            series = self.dice.choice(["price", "oi", "long_short", "long_short"])
            span = self.dice.choice([60_000, 300_000]) if series == "price" else 300_000
            last = self.now_ms // span * span - span * self.dice.choice([0, 0, 3])
            rows = [(last - k * span, self._next(symbol, series)) for k in range(self.dice.randrange(1, 30), -1, -1)]
            self.pair.history(symbol, series, rows, span * 3 // 2)

    def _bars(self, before_ms: int) -> None:
        close = self.now_ms // MINUTE_MS * MINUTE_MS
        if close <= before_ms and self.dice.random() > 0.1:
            return
        found = []
        for symbol in self._some():
            back = self.dice.choice([1, 1, 1, 2, 12])
            for k in range(back - 1, -1, -1):
                volume = self.dice.choice([0.0, *BAD]) if self.dice.random() < self.trouble else None
                volume = self.paths[symbol, "volume"].next() if volume is None else volume
                found.append((symbol, close - k * MINUTE_MS, volume, volume * self.dice.choice([0.0, 0.25, 0.5, 1.0])))
        self.pair.bars(found, MINUTE_MS)

    def coarse_bars(self) -> None:
        """Five-minute bars of the past, as a start fetches them."""
        close = self.now_ms // 300_000 * 300_000 - 300_000
        for symbol in self._some(0.7):
            n = self.dice.choice([290, 290, 290, self.dice.randrange(1, 290)])
            volumes = [self.paths[symbol, "volume"].next() for _ in range(n)]
            self.pair.bars([(symbol, close - (n - 1 - k) * 300_000, v, v / 2) for k, v in enumerate(volumes)], 300_000)

    def _liquidations(self) -> None:
        if self.dice.random() < (self.trouble / 2 if self.is_live else 0.5):
            self.is_live = not self.is_live
            late = 0 if self.is_live else self.dice.choice([0, 5_000, 90_000])
            self.pair.cover(self.now_ms - late, live=self.is_live)
        found = [
            (symbol, self._stamp(), float(self.dice.randrange(1, 10**6)), self.dice.random() < 0.5)
            for symbol in self._some(0.3)
            for _ in range(self.dice.randrange(1, 3))
        ]
        self.pair.liquidations(found)


# -- expressions -----------------------------------------------------------------------------------------------------

GAUGES = (
    "price", "index", "basis", "funding", "funding_8h", "oi", "oi_usd", "volume_24h", "taker_buy", "long_short",
)  # fmt: skip
FLOWS = ("volume", "liq_long", "liq_short")
WINDOWS = (*("7s", "10s", "20s", "30s") * 4, "1s", "1m", "90s", "5m", "15m", "1h", "2h", "24h")
BAR_WINDOWS = (*("2m", "4m", "5m", "7m", "15m") * 3, "1m", "1h", "2h", "24h")
GRID_FUNCTIONS = ("pct", "delta", "avg", "min", "max", "std", "zscore", "percentile", "slope")


def expressions(dice: random.Random, n: int, *, step_ms: int) -> list[Expr]:
    """Distinct number expressions, simple and composed."""
    windows = WINDOWS if step_ms < MINUTE_MS else BAR_WINDOWS
    found: dict[Expr, None] = {}
    while len(found) < n:
        found[value_of(_expression(dice, windows))] = None
    return list(found)


LIVELY = ("price", "oi", "oi_usd")
"""With a history, and moving at all."""


def _gauge(dice: random.Random) -> str:
    return dice.choice(LIVELY if dice.random() < 0.4 else GAUGES)


def _simple(dice: random.Random, windows: Sequence[str]) -> str:
    gauge, flow, window = _gauge(dice), dice.choice(FLOWS), dice.choice(windows)
    match dice.randrange(10):
        case 0:
            return dice.choice([*GAUGES, *FLOWS])
        case 1:
            return f"sum({flow}, {window})"
        case 2:
            # A day compared with itself is refused.
            return f"ratio({flow}, {'2h' if window == '24h' else window})"
        case 3:
            return f"corr({gauge}, {_gauge(dice)}, {window})"
        case 4:
            inner = f"pct({gauge}, {dice.choice(['5m', '10m', '1h'])})"
            return f"{dice.choice(['zscore', 'percentile'])}({inner}, {dice.choice(['5m', '15m', '1h', '2h'])})"
        case _:
            return f"{dice.choice(GRID_FUNCTIONS)}({gauge}, {window})"


def _expression(dice: random.Random, windows: Sequence[str]) -> str:
    gauge, window = _gauge(dice), dice.choice(windows)
    pct = f"pct({gauge}, {window})"
    match dice.randrange(14):
        case 0:
            return f"age({dice.choice([*GAUGES, *FLOWS])})"
        case 1:
            return f"{dice.choice(['rank', 'median', 'total'])}({pct})"
        case 2:
            return f"{pct} - median({pct})"
        case 3:
            return f"abs({pct}) / abs(pct({dice.choice(GAUGES)}, {window}))"
        case 4:
            return f"-{pct} * 3"
        case 5:
            return f"{gauge} / avg({dice.choice(LIVELY)}, {window})"
        case _:
            return _simple(dice, windows)


def conditions(dice: random.Random, n: int, *, step_ms: int) -> list[tuple[str, str]]:
    """(condition, "symbol" or "market"), of functions that are exact, or with thresholds that nothing meets exactly."""
    windows = WINDOWS if step_ms < MINUTE_MS else BAR_WINDOWS
    return [_rule(dice, windows) for _ in range(n)]


def _rule(dice: random.Random, windows: Sequence[str]) -> tuple[str, str]:
    gauge, window = _gauge(dice), dice.choice(windows)
    match dice.randrange(8):
        case 0 | 1:
            inner = _condition(dice, windows)
            bound = dice.choice(["1", "2", "20%", "50%", "80%", "0", "100%"])
            return f"count({inner}) {dice.choice(['<', '<=', '>', '>='])} {bound}", "market"
        case 2:
            return f"median(pct({gauge}, {window})) > {dice.choice(['0%', '0.5%'])}", "market"
        case 3:
            name = dice.choice(["crosses", "crosses_above", "crosses_below"])
            pair = dice.choice(
                [
                    f"pct({gauge}, {window}), 0%",
                    f"{gauge}, min({gauge}, {window})",
                    f"sum(liq_long, {window}), 400_000.5",
                    f"delta({gauge}, {window}), 0" if gauge in {"price", "oi", "index"} else "price, index",
                ]
            )
            return f"{name}({pair})", "symbol"
        case 4:
            return f"rank(pct({gauge}, {window})) <= {dice.choice('123')}", "symbol"
        case 5:
            return f"pct({gauge}, {window}) - median(pct({gauge}, {window})) > 0.3%", "symbol"
        case 6:
            joint = dice.choice(["and", "or"])
            return f"{_condition(dice, windows)} {joint} not ({_condition(dice, windows)})", "symbol"
        case _:
            return _condition(dice, windows), "symbol"


def _condition(dice: random.Random, windows: Sequence[str]) -> str:
    gauge, flow, window = _gauge(dice), dice.choice(FLOWS), dice.choice(windows)
    match dice.randrange(9):
        case 0:
            return f"stale({dice.choice([*GAUGES, *FLOWS])})"
        case 1:
            return f"age({dice.choice([*GAUGES, *FLOWS])}) > {dice.choice(['2s', '1m', '5m'])}"
        case 2:
            return f"{gauge} {dice.choice(['>=', '=='])} max({gauge}, {window})"
        case 3:
            return f"{gauge} {dice.choice(['<=', '!='])} min({gauge}, {window})"
        case 4:
            return f"sum({flow}, {window}) > {dice.choice(['0', '123_456.7'])}"
        case 5:
            return f"percentile({gauge}, {window}) {dice.choice(['>', '>='])} {dice.choice(['50', '90', '12'])}"
        case 6:
            return f"zscore({gauge}, {window}) < {dice.choice(['0.7341', '-1.1113'])}"
        case _:
            op = dice.choice(["<", "<=", ">", ">=", "==", "!="])
            return f"pct({gauge}, {window}) {op} {dice.choice(['0%', '0.4%', '-0.7%'])}"
