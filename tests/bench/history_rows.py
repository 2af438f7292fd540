"""Row 17: rules over a month of bars, in instrument-steps per second of processor time; and one rule against pandas.

The bars are 100 instruments by the minute with open interest every five minutes, as published files have it. The rules
are the shipped ones that such bars can answer: their life, cooldown, inhibition and messages included. The script in
pandas says the minutes at which one rule begins to fire, and nothing else; both have to say the same.
"""

import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from bot.engine.history_run import run
from bot.model.alert import State, Transition
from bot.model.history import BAR_MS, BarGrid
from bot.model.instrument import Instrument
from bot.rules.loader import load_folder, load_text
from bot.rules.resolution import answerable, facts_of, limits_of
from bot.rules.schema import Rule
from tests.bench.frames import T0
from tests.bench.harness import Context, Group, Result, ratio, rounds

N_INSTRUMENTS = 100
N_DAYS, N_QUICK_DAYS = 30, 4
N_RULES = 10
GRID_BARS = 5 * 1_440
GOAL_STEPS = 2e6
OI_MS = 300_000
ROOT = Path(__file__).parents[2]
ONE = """
version: 1
rules:
- {id: surge, when: 'pct(oi, 15m) >= 5%', cooldown: 0s}
"""


def bars(n_days: int) -> tuple[BarGrid, ...]:
    """A month as a store would hand it out, in pieces. Walks with common moves and a jump here and there."""
    draw = np.random.default_rng(17)
    shape = n_days * 1_440, N_INSTRUMENTS
    close_ms = T0 + BAR_MS * np.arange(1, shape[0] + 1, dtype=np.int64)
    jumps = (draw.random(shape) < 2e-5) * draw.normal(0, 0.02, shape)
    moves = draw.normal(0, 0.0008, shape) + draw.normal(0, 0.0006, (shape[0], 1)) + jumps
    price = np.exp(np.cumsum(moves, axis=0)) * draw.uniform(0.1, 1_000, N_INSTRUMENTS)
    has_oi = np.broadcast_to((close_ms % OI_MS == 0)[:, None], shape)
    level = np.cumsum(np.where(has_oi, draw.normal(0, 0.003, shape), 0.0) + 2 * jumps, axis=0)
    oi = np.exp(level) * 5e7 / price[0] * draw.uniform(1, 40, N_INSTRUMENTS)
    funding = np.repeat(draw.normal(1e-4, 2e-4, (shape[0] // 480, N_INSTRUMENTS)), 480, axis=0)
    columns = {
        "close": price,
        "oi": np.where(has_oi, oi, np.nan),
        "oi_ms": np.where(has_oi, close_ms[:, None].astype(np.float64), np.nan),
        "oi_valid_ms": np.where(has_oi, OI_MS * 1.5, np.nan),
        "volume": draw.lognormal(12, 1, shape),
        "funding": funding,
    }
    instruments = tuple(
        Instrument("binance", f"S{k}USDT", "perpetual", f"S{k}", "USDT", "TRADING") for k in range(N_INSTRUMENTS)
    )
    return tuple(
        BarGrid(instruments, close_ms[a : a + GRID_BARS], BAR_MS, {n: c[a : a + GRID_BARS] for n, c in columns.items()})
        for a in range(0, shape[0], GRID_BARS)
    )


def shipped(grid: BarGrid) -> tuple[Rule, ...]:
    rules = load_folder(ROOT / "rules").rules
    return answerable(rules, limits_of(rules, facts_of(grid)))[:N_RULES]


def fired(rules: Sequence[Rule], grids: Sequence[BarGrid]) -> list[tuple[int, str]]:
    """Time and symbol of each firing."""
    return [(x.at_ms, x.symbol) for x in run(rules, grids) if isinstance(x, Transition) and x.state is State.FIRING]


def by_pandas(pandas: Any, oi: Any) -> Any:
    """The same rule over a frame of samples, a row a minute: where it begins to be true, unknown kept as it was."""
    now = oi.ffill(limit=7)
    change = now / oi.ffill(limit=5).shift(15) - 1
    holds = (change >= 0.05).where(change.notna()).ffill().fillna(0.0).astype(bool)
    begins = holds & ~holds.shift(fill_value=False)
    return begins.stack().loc[lambda x: x].index


def history(context: Context) -> Sequence[Result]:
    context.say("making bars")
    grids = bars(N_QUICK_DAYS if context.is_quick else N_DAYS)
    n_steps = sum(len(g.close_ms) for g in grids) * N_INSTRUMENTS
    rules, one = shipped(grids[-1]), load_text("one.yaml", ONE).rules
    spent: list[float] = []
    found: list[int] = []

    def all_rules() -> None:
        start = time.thread_time()
        n = len(fired(rules, grids))
        spent.append(n_steps / (time.thread_time() - start))
        found.append(n)

    works = {"all": all_rules, "one": lambda: fired(one, grids)}
    try:
        pandas = import_module("pandas")
    except ImportError:
        pandas = None
    else:
        index = np.concatenate([g.close_ms for g in grids])
        oi = pandas.DataFrame(
            np.concatenate([g.columns["oi"] for g in grids]), index, [i.symbol for i in grids[0].instruments]
        )
        works["pandas"] = lambda: by_pandas(pandas, oi)
        mine, theirs = fired(one, grids), sorted((int(t), str(s)) for t, s in by_pandas(pandas, oi))
        if sorted(mine) != theirs:
            context.wrong.append(f"row 17: {len(mine)} firings, pandas says {len(theirs)}")
    context.say(f"{n_steps:,} instrument-steps")
    times = rounds(context, lambda _k: works)
    speed = float(np.median(spent[-context.n_rounds :])) / 1e6
    note = (
        f"{len(rules)} shipped rules, {n_steps:,} instrument-steps, {found[-1]:,} firings; processor time of one thread"
    )
    results = [Result("17", "rules over a month of bars", speed, GOAL_STEPS / 1e6, "M/s", at_least=True, note=note)]
    name = "one rule against a vectorised script in pandas"
    if pandas is None:
        return [*results, Result("17", name, None, 1.0, "x", note="pandas is not installed")]
    against = ratio(times["one"], times["pandas"])
    return [*results, Result("17", name, against, 1.0, "x", note=f"pandas {pandas.__version__}, the same firings")]


GROUPS = (Group(("17",), history),)
