"""`python -m tests.function_charts`: every function of the rule language on a chart, for docs/functions.md.

Made-up markets go through the real engine, minute by minute, and what `explain` says of each expression is drawn below the
curves that it looks at. The same seed gives the same pictures.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bot.charts import figure as charts
from bot.charts import look
from bot.engine.engine import Engine
from bot.engine.explaining import explain
from bot.engine.inputs import Listed, Samples
from bot.model import numbers
from bot.model.explanation import Node
from bot.model.instrument import MARKET, Instrument
from bot.model.updates import Bars, InstrumentList
from bot.rules.ast import functions_used
from bot.rules.loader import load_text
from bot.rules.schema import Rule

FOLDER = Path(__file__).parents[1] / "docs" / "functions"
MINUTE = 60_000
BEGIN_MS = 1_790_000_000_000 // 86_400_000 * 86_400_000
WARM = 24 * 60
"""Minutes before what is drawn, so that windows of a day are full."""
SHOWN = 6 * 60
COINS = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF")


@dataclass(frozen=True)
class Panel:
    """One condition; its left side is drawn, its threshold dashed, and where it is true is shaded."""

    condition: str
    per: str = "symbol"
    each: bool = False
    """One line for every coin."""


@dataclass(frozen=True)
class Sheet:
    """A picture: curves on top, functions over them below."""

    name: str
    curves: tuple[str, ...]
    panels: tuple[Panel, ...]
    each: bool = False


SHEETS = (
    Sheet(
        "change",
        ("oi",),
        (Panel("pct(oi, 15m) >= 4%"), Panel("delta(oi, 15m) >= 4_000"), Panel("abs(pct(oi, 15m)) >= 4%")),
    ),
    Sheet(
        "level",
        ("price",),
        (
            Panel("avg(price, 1h) > 101"),
            Panel("price >= max(price, 4h)"),
            Panel("price <= min(price, 4h)"),
            Panel("std(price, 1h) > 0.8"),
        ),
    ),
    Sheet("unusual", ("oi",), (Panel("zscore(oi, 4h) >= 3"), Panel("percentile(oi, 24h) >= 99"))),
    Sheet("together", ("price", "oi"), (Panel("slope(oi, 1h) >= 5%"), Panel("corr(price, oi, 4h) >= 0.15"))),
    Sheet("flow", ("volume",), (Panel("sum(volume, 15m) >= 40M"), Panel("ratio(volume, 5m) >= 4"))),
    Sheet(
        "crossing",
        ("price",),
        (Panel("crosses(price, 101)"), Panel("crosses_above(price, 101)"), Panel("crosses_below(price, 101)")),
    ),
    Sheet("age", ("oi",), (Panel("age(oi) >= 3m"), Panel("stale(oi)"))),
    Sheet(
        "scope",
        ("oi",),
        (
            Panel("rank(pct(oi, 1h)) <= 1", each=True),
            Panel("median(pct(oi, 1h)) >= 2%", per="market"),
            Panel("total(oi_usd) >= 63M", per="market"),
            Panel("count(pct(oi, 1h) >= 3%) >= 50%", per="market"),
        ),
        each=True,
    ),
)


@dataclass
class Market:
    """Six coins; the first is the one that most panels look at."""

    price: np.ndarray
    oi: np.ndarray
    volume: np.ndarray
    known: np.ndarray
    """Whether open interest of the first coin comes in that minute."""

    @classmethod
    def made(cls, seed: int = 7) -> "Market":
        rng = np.random.default_rng(seed)
        n, t = WARM + SHOWN, np.arange(WARM + SHOWN)
        ramp = lambda at, length, by: by * np.clip((t - WARM - at) / length, 0, 1)  # noqa: E731
        price = np.cumsum(rng.normal(0, 4e-4, (n, 6)), axis=0)
        price -= price[WARM]
        oi = np.cumsum(rng.normal(0, 5e-4, (n, 6)), axis=0)
        oi -= oi[WARM]
        oi[:, 0] += ramp(70, 12, 0.07) - ramp(190, 10, 0.06) - ramp(300, 40, 0.02)
        for coin in range(1, 5):
            oi[:, coin] += ramp(60 + 8 * coin, 30, 0.035 + 0.01 * coin) - ramp(200 + 5 * coin, 60, 0.03)
        price[:, 0] += ramp(80, 30, 0.025) - ramp(180, 40, 0.035) + ramp(260, 60, 0.03)
        volume = rng.gamma(4, 250_000, (n, 6))
        volume[:, 0] *= 1 + 7 * np.exp(-(((t - WARM - 90) / 9) ** 2)) + 3 * np.exp(-(((t - WARM - 205) / 14) ** 2))
        known = ~((t >= WARM + 225) & (t < WARM + 245))
        return cls(100 * np.exp(price), 100_000 * np.exp(oi), volume, known)


@dataclass
class Seen:
    """What one condition gave, minute by minute."""

    value: list[float] = field(default_factory=list)
    verdict: list[str] = field(default_factory=list)
    threshold: float | None = None
    unit: str = "number"


def rules_of(sheet: Sheet) -> tuple[Rule, ...]:
    """One for each panel."""
    rules = "".join(
        f"  - id: r{i}\n    per: {panel.per}\n    scope: {{quotes: [USDT]}}\n    cooldown: 0s\n    when: {panel.condition}\n"
        for i, panel in enumerate(sheet.panels)
    )
    loaded = load_text("sheet.yaml", f"version: 1\nrules:\n{rules}")
    if loaded.errors:
        raise ValueError(loaded.errors)
    return loaded.rules


def run(market: Market, sheet: Sheet) -> dict[tuple[str, int], Seen]:
    """By condition and coin."""
    engine = Engine(rules_of(sheet), step_ms=MINUTE, dtype="float64")
    listed = tuple(Instrument("binance", f"{coin}USDT", "perpetual", coin, "USDT", "TRADING") for coin in COINS)
    engine.consume(Listed(InstrumentList("binance", listed), BEGIN_MS))
    found: dict[tuple[str, int], Seen] = {}
    n = len(COINS)
    rows = np.arange(n, dtype=np.int32)
    for k in range(WARM + SHOWN):
        now_ms = BEGIN_MS + (k + 1) * MINUTE
        for series, values, valid_ms in (("price", market.price, 90_000), ("oi", market.oi, 4 * MINUTE)):
            here = rows if series == "price" or market.known[k] else rows[1:]
            times = np.full(len(here), now_ms, dtype=np.int64)
            engine.consume(Samples(series, here, times, values[k][here], valid_ms, MINUTE))
        closes = np.full(n, now_ms, dtype=np.int64)
        engine.consume(Bars(rows, closes, market.volume[k], market.volume[k] / 2, MINUTE, float(now_ms)))
        result = engine.tick(now_ms)
        if k < WARM:
            continue
        fired = {notice.rule_id for notice in result.notices if notice.kind == "fire"}
        for i, panel in enumerate(sheet.panels):
            for coin in range(n) if panel.each else range(1):
                key = MARKET if panel.per == "market" else f"binance:{COINS[coin]}USDT"
                told = explain(engine, f"r{i}", key)
                if told is None:
                    raise ValueError(f"{panel.condition}: nothing to explain")
                _note(found.setdefault((panel.condition, coin), Seen()), told.when, f"r{i}" in fired)
    return found


def _note(seen: Seen, node: Node, has_fired: bool) -> None:
    crossing = node.text.startswith("crosses")
    seen.value.append(math.nan if node.value is None else node.value)
    seen.verdict.append(("true" if has_fired else "false") if crossing else str(node.verdict))
    seen.threshold, seen.unit = node.threshold, node.unit


def _style(axes: Axes, title: str, *, mono: bool) -> None:
    axes.set_facecolor(look.BACKGROUND)
    axes.grid(color=look.GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=look.DIM, labelsize=8, length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_title(title, loc="left", color=look.TEXT, fontsize=9.5, fontfamily="monospace" if mono else None, pad=4)
    axes.set_xlim(0, SHOWN)


def _label(value: float, unit: str) -> str:
    match unit:
        case "ratio":
            return numbers.percent(value)
        case "duration" | "ms":
            return numbers.duration(value)
    return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) < 1_000 else numbers.amount(value)


def _shade(axes: Axes, verdicts: Sequence[str], *, is_event: bool) -> None:
    for wanted, colour in (("true", look.OI), ("unknown", look.HATCH)):
        begin = None
        for k, verdict in enumerate([*verdicts, "end"]):
            if verdict == wanted and begin is None:
                begin = k
            elif verdict != wanted and begin is not None:
                if is_event and wanted == "true":
                    axes.axvline(begin, color=colour, linewidth=1.6)
                elif wanted == "true":
                    axes.axvspan(begin, k, color=colour, alpha=0.28, linewidth=0)
                else:
                    axes.axvspan(begin, k, facecolor="none", edgecolor=colour, hatch="////", linewidth=0)
                begin = None


def draw(sheet: Sheet, market: Market, found: dict[tuple[str, int], Seen]) -> Figure:
    """Curves on top, one panel for each condition below, one axis of time."""
    n = len(sheet.curves) + len(sheet.panels)
    figure = Figure(figsize=(9, 0.55 + 1.32 * n), dpi=100, facecolor=look.BACKGROUND)
    every = figure.subplots(n, 1, sharex=True)
    colours = {"price": look.PRICE, "oi": look.OI, "volume": look.DIM}
    names = {"price": "price", "oi": "oi, coins", "volume": "volume, dollars a minute"}
    several = (look.OI, look.UP, look.FUNDING, look.RATIO, look.DOWN, look.DIM)
    for axes, series in zip(every, sheet.curves, strict=False):
        values = getattr(market, series)[WARM:].copy()
        if series == "oi":
            values[~market.known[WARM:], 0] = np.nan
        _style(axes, names[series] + (", six coins" if sheet.each else ""), mono=False)
        for coin in range(len(COINS)) if sheet.each else range(1):
            axes.plot(values[:, coin], color=several[coin] if sheet.each else colours[series], linewidth=1.4)
        axes.yaxis.set_major_formatter(lambda v, _at: numbers.amount(v))
    for axes, panel in zip(every[len(sheet.curves) :], sheet.panels, strict=True):
        _style(axes, panel.condition, mono=True)
        coins = range(len(COINS)) if panel.each else range(1)
        first = found[panel.condition, 0]
        is_event = panel.condition.startswith("crosses")
        _shade(axes, first.verdict, is_event=is_event)
        if is_event:
            # The two sides of the crossing say more than an empty axis.
            axes.plot(market.price[WARM:, 0], color=look.PRICE, linewidth=1.2)
            axes.axhline(101, color=look.STALE, linewidth=1, linestyle="--")
        for coin in coins if not is_event else ():
            seen = found[panel.condition, coin]
            faint = 0.35 if coin else 1.0
            axes.plot(seen.value, color=several[coin] if panel.each else look.UP, linewidth=1.4, alpha=faint)
        if isinstance(first.threshold, float) and math.isfinite(first.threshold) and not is_event:
            moving = panel.condition.startswith("price")
            if not moving:
                axes.axhline(first.threshold, color=look.STALE, linewidth=1, linestyle="--")
        if panel.condition.startswith("price"):
            window = market.price[:, 0]
            take = np.max if "max" in panel.condition else np.min
            edge = [take(window[k - 4 * 60 : k + 1]) for k in range(WARM, WARM + SHOWN)]
            axes.plot(edge, color=look.STALE, linewidth=1, linestyle="--")
        unit = first.unit
        axes.yaxis.set_major_formatter(lambda v, _at, unit=unit: _label(v, unit))
        if panel.condition.startswith("stale"):
            axes.set_yticks([])
    every[-1].set_xticks(range(0, SHOWN + 1, 60), [f"{h}h" for h in range(SHOWN // 60 + 1)])
    figure.subplots_adjust(
        left=0.085, right=0.985, top=1 - 0.34 / (0.55 + 1.32 * n), bottom=0.3 / (0.55 + 1.32 * n), hspace=0.42
    )
    return figure


def functions() -> set[str]:
    """Names of the functions that stand on some chart."""
    return {name for sheet in SHEETS for rule in rules_of(sheet) for name in functions_used(rule.when)}


def main() -> int:
    charts.prepare()
    market = Market.made()
    FOLDER.mkdir(exist_ok=True)
    for sheet in SHEETS:
        figure = draw(sheet, market, run(market, sheet))
        path = FOLDER / f"{sheet.name}.png"
        figure.savefig(path, facecolor=look.BACKGROUND, pil_kwargs={"optimize": True}, metadata={"Software": None})
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
