"""A run over stored bars, piece by piece: alerts go their way, and of the bars only closes are kept."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from bot.engine.history_run import run
from bot.errors import ConfigError
from bot.history.chance import SEED
from bot.history.outcomes import DAY_MS, HOUR_MS, Prices
from bot.history.surveying import Bars, pieces
from bot.model.alert import Notice, State, Transition
from bot.model.history import BarGrid
from bot.model.instrument import Instrument
from bot.model.updates import Mask
from bot.rules.ast import Call, Expr, series_used, walk
from bot.rules.program import exprs_of
from bot.rules.resolution import GridFacts
from bot.rules.schema import Rule

MAX_PRICES: Final = 60_000_000
"""Closes that are kept to say what came later: a quarter of a gigabyte."""
EXACT_PRICES: Final = 8_000_000
"""Up to so many closes are kept in full, more with seven digits."""
LATER_MS: Final = DAY_MS
_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "index": ("index",),
    "basis": ("index",),
    "funding": ("funding",),
    "funding_8h": ("funding",),
    "oi": ("oi", "oi_ms", "oi_valid_ms"),
    "oi_usd": ("oi", "oi_ms", "oi_valid_ms"),
    "volume": ("volume",),
    "volume_24h": ("volume",),
    "taker_buy": ("taker_buy", "volume"),
    "liq_long": ("liq_long",),
    "liq_short": ("liq_short",),
    "long_short": ("long_short",),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What to run over. Closes in (`from_ms`, `to_ms`] count, whole multiples of the step."""

    keys: tuple[str, ...]
    from_ms: int
    to_ms: int
    first_ms: int
    """From here on bars are stored; those before `from_ms` fill windows."""
    last_ms: int
    seed: int = SEED
    whole_from_ms: int = 0
    """From here on to `from_ms`, or to the first bar after it, no day is without bars; 0: from `first_ms` on."""

    @property
    def n_days(self) -> float:
        return (self.to_ms - self.from_ms) / DAY_MS


@dataclass(frozen=True, slots=True)
class Fired:
    """One firing."""

    rule_id: str
    symbol: str
    """`*` for the whole market."""
    at_ms: int
    value: float | None
    id: str


Progress = Callable[[float], None]
"""Told the share that is done, 0 to 1."""
WALKED: Final = 0.9
"""Share of the work of a run that is done when all bars have been walked over."""


@dataclass(slots=True)
class Played:
    """What a run left behind."""

    facts: GridFacts
    prices: Prices
    """Of the time asked for, and as far after it as outcomes reach."""
    has_oi: Mask | None
    """Shape as the closes asked for: whether a sample of open interest stands there."""
    fired: list[Fired] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    instruments: tuple[Instrument, ...] = ()


def longest_ms(rule: Rule) -> int:
    """How far back a rule looks."""
    return max((_reach(expr) for expr in exprs_of(rule)), default=0)


def _reach(expr: Expr) -> int:
    """Windows within windows add up, and a day of volume is one."""
    calls = [node for node in walk(expr) if isinstance(node, Call)]
    reach = max((_own(call) + max((_reach(arg) for arg in call.args), default=0) for call in calls), default=0)
    return max(reach, DAY_MS if "volume_24h" in series_used(expr) else 0)


def _own(call: Call) -> int:
    # A ratio compares with a day.
    return DAY_MS if call.name == "ratio" else call.window_ms or 0


def _lead_ms(rule: Rule, facts: GridFacts) -> int:
    """How long before a time a rule has to be run for its alerts to stand at that time where a longer run would have them."""
    # An instrument's day of volume, and the hour at which ranks are taken anew.
    known_ms = max(longest_ms(rule), DAY_MS + HOUR_MS if rule.scope.is_ranked else 0)
    # Windows on open interest are known from its rows on, which may come later than the bars.
    return known_ms + 5 * facts.oi_step_ms // 2 + rule.for_ms + rule.cooldown_ms


def known_from(rule: Rule, asked: Asked) -> int:
    """From here on a rule's windows could be full."""
    return max(asked.from_ms, max(asked.first_ms, asked.whole_from_ms) + longest_ms(rule))


def columns_of(rules: Sequence[Rule]) -> tuple[str, ...]:
    """What has to be read of the store to run them."""
    series = {name for rule in rules for expr in exprs_of(rule) for name in series_used(expr)}
    for rule in rules:
        if rule.scope.is_ranked:
            by_volume = rule.scope.by == "volume_24h" or rule.scope.min_volume_24h is not None
            series |= {"volume_24h"} if by_volume else set()
            series |= {"oi_usd"} if rule.scope.top is not None and rule.scope.by == "oi_usd" else set()
            series |= {"oi_usd"} if rule.scope.min_oi_usd is not None else set()
    wanted = {"close", *(column for name in series for column in _COLUMNS.get(name, ()))}
    return tuple(sorted(wanted))


def play(bars: Bars, rules: Sequence[Rule], asked: Asked, facts: GridFacts, progress: Progress) -> Played:
    """Run. Raises `ConfigError` where more closes would have to be kept than fit."""
    step_ms = facts.step_ms
    later_ms = min(asked.to_ms + LATER_MS, asked.last_ms // step_ms * step_ms)
    n_asked = (asked.to_ms - asked.from_ms) // step_ms
    n_times = (max(later_ms, asked.to_ms) - asked.from_ms) // step_ms
    n_cells = n_times * len(asked.keys)
    if n_cells > MAX_PRICES:
        raise ConfigError(
            f"backtest: expected at most {MAX_PRICES:,} bars, found {n_cells:,}; take fewer days or contracts, or --step 5m"
        )
    times = asked.from_ms + step_ms * np.arange(1, n_times + 1, dtype=np.int64)
    close = np.full((n_times, len(asked.keys)), np.nan, dtype=np.float64 if n_cells <= EXACT_PRICES else np.float32)
    has_oi = np.zeros((n_asked, len(asked.keys)), dtype=np.bool_) if "oi" in facts.columns else None
    played = Played(facts, Prices(times, step_ms, close), has_oi)
    for item in run(rules, _grids(bars, rules, asked, played, progress)):
        if isinstance(item, Transition):
            if item.state is State.FIRING and item.at_ms > asked.from_ms:
                played.fired.append(Fired(item.rule_id, item.symbol, item.at_ms, item.value, item.id))
        elif item.at_ms > asked.from_ms:
            played.notices.append(item)
    for start, end in pieces(asked.to_ms, later_ms, step_ms, len(asked.keys)):
        _keep(played, bars.grid(asked.keys, start, end, ("close",)), asked)
    return played


def _grids(bars: Bars, rules: Sequence[Rule], asked: Asked, played: Played, progress: Progress) -> Iterator[BarGrid]:
    """From where windows fill to the end of what was asked for."""
    step_ms, columns = played.facts.step_ms, columns_of(rules)
    reach = max((_lead_ms(rule, played.facts) for rule in rules), default=0)
    begin_ms = max(asked.first_ms - step_ms, asked.from_ms - reach - step_ms) // step_ms * step_ms
    for start, end in pieces(min(begin_ms, asked.from_ms), asked.to_ms, step_ms, len(asked.keys)):
        grid = bars.grid(asked.keys, start, end, columns)
        played.instruments = tuple(grid.instruments)
        _keep(played, grid, asked)
        progress(WALKED * (end - begin_ms) / max(1, asked.to_ms - begin_ms))
        yield grid


def _keep(played: Played, grid: BarGrid, asked: Asked) -> None:
    """What is needed of bars once they are gone: their closes, and whether there was a sample of open interest."""
    counts = grid.close_ms > asked.from_ms
    if not counts.any():
        return
    row = (int(grid.close_ms[counts][0]) - asked.from_ms) // played.facts.step_ms - 1
    fresh = grid.columns["close"][counts]
    played.prices.close[row : row + len(fresh)] = fresh
    if played.has_oi is not None and "oi" in grid.columns:
        played.has_oi[row : row + len(fresh)] = np.isfinite(grid.columns["oi"][counts])
