"""A backtest of one rule as a chat shows it: short sentences, and a table that fits a phone."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from bot.history.backtest import Backtest, RuleResult
from bot.history.backtest_picture import picture_of
from bot.history.chance import Comparison
from bot.history.surveying import Bars
from bot.history.verdicts import rate, signed, span, verdict
from bot.model.backtests import BacktestAnswer
from bot.model.instrument import MARKET
from bot.model.numbers import duration
from bot.rules.ast import text

N_SYMBOLS: Final = 3
HEADER: Final = ("after", "move", "random", "95%")


def answer_of(found: Backtest, bars: Bars, *, asked_days: float) -> BacktestAnswer:
    """Of a run of one rule; `bars` for the picture."""
    asked = found.asked
    notes = tuple(one.text for one in found.findings)
    if not found.rules:
        return BacktestAnswer(asked.from_ms, asked.to_ms, asked_days, "", notes=notes)
    result = found.rules[0]
    return BacktestAnswer(
        from_ms=asked.from_ms,
        to_ms=asked.to_ms,
        asked_days=asked_days,
        condition=text(result.rule.when),
        facts=tuple(_facts(result, found)),
        table=_table(result),
        verdict=verdict(result, found.n_looks),
        notes=notes,
        chart=picture_of(found, bars) if result.fired else None,
    )


def _facts(result: RuleResult, found: Backtest) -> Iterator[str]:
    n, days = len(result.fired), found.asked.n_days
    if not n:
        yield f"never fired on {len(found.instruments)} contract{'s' * (len(found.instruments) != 1)}"
        return
    is_market = result.per_symbol[0][0] == MARKET
    k = len(result.per_symbol)
    where = "" if is_market else f" on {k} of {len(found.instruments)} contracts"
    yield f"{n} firing{'s' * (n != 1)}{where}, {rate(n / days, 1)} a day"
    if not is_market:
        yield "most on " + ", ".join(f"{symbol} {count}" for symbol, count in result.per_symbol[:N_SYMBOLS])
    day, most = max(result.per_day, key=lambda x: x[1])
    busiest = f"busiest day {datetime.fromtimestamp(day / 1000, UTC):%Y-%m-%d} ({most})"
    burst = result.burst
    if burst is not None and burst.n > 1:
        span_ms = burst.to_ms - burst.from_ms
        busiest += f", longest burst {burst.n} " + (f"within {duration(span_ms)}" if span_ms else "at once")
    yield busiest
    told = result.messages
    yield f"{told.n} message{'s' * (told.n != 1)} after cooldown and digest"


def _table(result: RuleResult) -> tuple[tuple[str, ...], ...]:
    rows = [
        (span(look), _number(look.size.at_firings), _number(look.size.at_random), _interval(look.size))
        for look in result.looks
        if look.size.n
    ]
    return (HEADER, *rows) if rows else ()


def _number(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "–"


def _interval(found: Comparison) -> str:
    if not found.is_enough:
        return "too few"
    low, high = found.interval()
    return f"{signed(low)}…{signed(high)}"
