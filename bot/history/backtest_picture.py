"""What a picture of a backtest shows."""

from dataclasses import replace
from typing import Final

import numpy as np

from bot.history.backtest import Backtest, Look, RuleResult
from bot.history.outcomes import CAP, DAY_MS, HOUR_MS
from bot.history.surveying import Bars
from bot.history.verdicts import rate, span, verdict
from bot.model.charts import BacktestChart, Columns, Curve
from bot.model.instrument import MARKET
from bot.model.updates import F64, I64

MAX_POINTS: Final = 900
N_BINS: Final = 20
MEAN: Final = "mean of all"


def picture_of(found: Backtest, bars: Bars, rule_id: str = "") -> BacktestChart | None:
    """Of one rule (the one that fired most where none is named), on the contract on which it fired most; None where none ran."""
    ran = [r for r in found.rules if r.rule.id == rule_id] or list(found.rules)
    if not ran:
        return None
    result = max(ran, key=lambda r: len(r.fired))
    symbol = result.per_symbol[0][0] if result.per_symbol else found.instruments[0].symbol
    asked = found.asked
    times = found.prices.close_ms
    counts = times <= asked.to_ms
    place = next((n for n, i in enumerate(found.instruments) if i.symbol == symbol), None)
    price = _mean(found.prices.close) if place is None else found.prices.close[:, place].astype(np.float64)
    shown = BacktestChart(
        title=result.rule.title,
        subtitle=_subtitle(result, found),
        symbol=MEAN if symbol == MARKET else symbol,
        from_ms=asked.from_ms,
        to_ms=asked.to_ms,
        price=_thin(times[counts], price[counts], found.facts.step_ms),
        oi=Curve() if place is None else _oi(found, bars, place),
        fired_ms=tuple(one.at_ms for one in result.fired if one.symbol == symbol),
        per_day=Columns(tuple(day for day, _ in result.per_day), tuple(float(n) for _, n in result.per_day), DAY_MS),
        verdict=verdict(result, found.n_looks),
    )
    look = _shown(result)
    return shown if look is None else _with_sizes(shown, look)


def _subtitle(result: RuleResult, found: Backtest) -> str:
    n, k = len(result.fired), len(result.per_symbol)
    where = "the whole market" if result.rule.per == "market" else f"{k} of {len(found.instruments)} contracts"
    return f"{n} firing{'s' * (n != 1)} on {where}, {rate(n / found.asked.n_days, 1)} a day"


def _mean(close: F64) -> F64:
    """Of all contracts, each 100 where it is first known."""
    total, number = np.zeros(len(close)), np.zeros(len(close))
    for column in close.T:
        known = np.isfinite(column)
        if known.any():
            total += np.where(known, column / column[known][0] * 100, 0.0)
            number += known
    with np.errstate(invalid="ignore"):
        return np.where(number > 0, total / number, np.nan)


def _oi(found: Backtest, bars: Bars, place: int) -> Curve:
    if "oi" not in found.facts.columns:
        return Curve()
    asked, step_ms = found.asked, found.facts.oi_step_ms or found.facts.step_ms
    grid = bars.grid((asked.keys[place],), asked.from_ms, asked.to_ms, ("oi", "oi_ms", "oi_valid_ms"))
    values = grid.columns["oi"][:, 0]
    known = np.isfinite(values)
    return _thin(grid.close_ms[known], values[known], step_ms)


def _thin(times: I64, values: F64, step_ms: int) -> Curve:
    stride = max(1, -(-len(times) // MAX_POINTS))
    return Curve(tuple(times[::stride].tolist()), tuple(values[::stride].tolist()), 5 * step_ms * stride // 2)


def _shown(result: RuleResult) -> Look | None:
    """After an hour where that is known, else the shortest."""
    looks = [look for look in result.looks if look.after.fired_bins.sum() > 0]
    return next((look for look in looks if look.after.after_ms == HOUR_MS), looks[0] if looks else None)


def _with_sizes(chart: BacktestChart, look: Look) -> BacktestChart:
    def shares(bins: F64) -> tuple[float, ...]:
        wide = bins.reshape(N_BINS, -1).sum(axis=1)
        return tuple((wide / max(wide.sum(), 1e-9)).tolist())

    return replace(
        chart,
        after=span(look),
        edges=tuple((np.arange(N_BINS + 1) * CAP / N_BINS).tolist()),
        fired=shares(look.after.fired_bins),
        random=shares(look.after.random_bins),
    )
