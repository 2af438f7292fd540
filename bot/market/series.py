"""The series of the market, and what loaded rules need of them.

A gauge is a thing with a level; a flow is an amount per time. `Leaf` is one function over a window (or a bare series),
the smallest thing that the market computes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60_000
FIVE_MINUTES_MS: Final = 300_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000

SAMPLED: Final = (
    "price",
    "index",
    "basis",
    "funding",
    "funding_8h",
    "oi",
    "volume_24h",
    "taker_buy",
    "long_short",
)
"""Gauges with samples of their own, in the order of their rows in `Gauges`."""
GAUGES: Final = (*SAMPLED, "oi_usd")
"""All gauges; `oi_usd` is the product of two."""
N_SAMPLED: Final = len(SAMPLED)
INDEX: Final[Mapping[str, int]] = {name: i for i, name in enumerate(GAUGES)}
PRICE: Final = INDEX["price"]
OI: Final = INDEX["oi"]
OI_USD: Final = INDEX["oi_usd"]
POSITIVE: Final = frozenset({"price", "index", "oi", "oi_usd", "long_short"})
"""Gauges whose samples are above zero, so that dividing by them is always sound."""
FLOWS: Final = ("volume", "liq_long", "liq_short")
PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    **{name: (name,) for name in SAMPLED},
    "oi_usd": ("price", "oi"),
}
"""Sampled gauges from which each gauge is computed."""

ALWAYS_FINE_MS: Final = 900_000
"""Of price and open interest so much is held at the finest step, whatever the rules need."""
EXTREMA: Final = frozenset({"min", "max"})
MOMENTS: Final = frozenset({"avg", "std", "zscore"})
TRENDS: Final = frozenset({"slope", "corr"})
ENDS: Final = frozenset({"pct", "delta"})
QUANTILES: Final = frozenset({"percentile"})
SUMS: Final = frozenset({"sum", "ratio"})


@dataclass(frozen=True, slots=True, order=True)
class Leaf:
    """A function over a window of a series, or (function `now`) the newest value of one."""

    function: str
    series: str
    window_ms: int = 0
    other: str = ""
    """The second series of `corr`."""
    inner_ms: int = 0
    """Window of the `pct` that `zscore` and `percentile` are taken of; 0 where they are taken of the series."""


@dataclass(frozen=True, slots=True)
class Grids:
    """Grid steps of a run, in ms."""

    fine_ms: int
    coarse_ms: int
    week_ms: int

    @classmethod
    def of(cls, step_ms: int) -> "Grids":
        return cls(max(step_ms, SECOND_MS), max(step_ms, MINUTE_MS), max(step_ms, FIVE_MINUTES_MS))

    def step_ms(self, leaf: Leaf) -> int:
        """The grid on which the points of a window lie."""
        if leaf.inner_ms or leaf.window_ms > DAY_MS:
            return self.week_ms
        return self.ends_ms(leaf.window_ms)

    def ends_ms(self, window_ms: int) -> int:
        """The grid of a window of at most a day."""
        return self.fine_ms if window_ms <= HOUR_MS else self.coarse_ms


@dataclass(frozen=True, slots=True)
class Needs:
    """What the market must hold for a set of leaves. Lengths in ms, by grid step and gauge."""

    leaves: frozenset[Leaf] = frozenset()

    @classmethod
    def of(cls, leaves: Iterable[Leaf]) -> "Needs":
        return cls(frozenset(leaves))

    def lengths(self, grids: Grids) -> dict[int, dict[str, int]]:
        """Step -> gauge -> how far back its ring must reach."""
        found: dict[int, dict[str, int]] = {}

        def need(step: int, series: Iterable[str], length_ms: int) -> None:
            held = found.setdefault(step, {})
            for name in series:
                held[name] = max(held.get(name, 0), length_ms)

        need(grids.fine_ms, ("price", "oi"), ALWAYS_FINE_MS)
        need(grids.coarse_ms, ("price", "oi"), DAY_MS)
        over = [leaf for leaf in self.leaves if leaf.series not in FLOWS and leaf.window_ms]
        for leaf in over:
            if leaf.function not in ENDS:
                for series in filter(None, (leaf.series, leaf.other)):
                    need(grids.step_ms(leaf), {series, *PARTS[series]}, leaf.window_ms + leaf.inner_ms)
        # Of a product that is only looked at from end to end, its factors are enough.
        ends = [(leaf.series, leaf.window_ms) for leaf in over if leaf.function in ENDS]
        ends += [(leaf.series, leaf.inner_ms) for leaf in over if leaf.inner_ms]
        for series, length_ms in ends:
            step_ms = grids.ends_ms(length_ms)
            held = {series} & found.get(step_ms, {}).keys()
            need(step_ms, {*held, *PARTS[series]}, length_ms)
        return found

    def lookback_ms(self, series: str) -> int:
        """The longest window that looks at a series; 0 where none does."""
        return max(
            (w.window_ms + w.inner_ms for w in self.leaves if series in {w.series, w.other, *PARTS.get(w.series, ())}),
            default=0,
        )

    def flow_ms(self, flow: str) -> int:
        """How far back the sums over a flow look; 0 where nothing asks for it."""
        asked = [w for w in self.leaves if w.series == flow]
        # A ratio compares with a whole day.
        return max((DAY_MS if w.function == "ratio" else max(w.window_ms, MINUTE_MS) for w in asked), default=0)
