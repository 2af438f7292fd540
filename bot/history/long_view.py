"""The stored history of one instrument by days, and the tops and bottoms that rules find in it, with what came of them.

The rules run over the stored bars by the engine of backtests, on this instrument alone: how it ranks among others does not
matter here. A day has one mark of a kind at most, its first. What followed is read from the closes after a mark and is
seen by no rule.
"""

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from bot.errors import ConfigError
from bot.history.asking import History, Stepped, step_of, stretches_of
from bot.history.backtest import backtest
from bot.history.outcomes import DAY_MS
from bot.history.playing import Asked
from bot.model.charts import LongView, Turn, Usual
from bot.model.history import BAR_MS
from bot.model.instrument import Instrument
from bot.model.past import DailyPast, Day
from bot.model.updates import F64, I64
from bot.rules.resolution import Finding
from bot.rules.schema import Rule, Scope

WEEK_MS: Final = 7 * DAY_MS
CHUNK_MS: Final = 60 * DAY_MS
"""So much is read of minutes at a time: three columns of two megabytes."""
WHOLE_SHARE: Final = 0.9
"""A day counts as whole with so many of the volumes that the fullest day has."""


@dataclass(frozen=True, slots=True, eq=False)
class Closes:
    """Closes that are known, ascending."""

    at_ms: I64
    price: F64

    def at(self, when_ms: int, step_ms: int) -> float | None:
        """As a rule would read it: a bar speaks for one more bar."""
        place = int(np.searchsorted(self.at_ms, when_ms, side="right")) - 1
        if place < 0 or when_ms - int(self.at_ms[place]) > step_ms:
            return None
        return float(self.price[place])

    def after(self, when_ms: int, later_ms: int, step_ms: int) -> float | None:
        """The relative move; None where either end is unknown."""
        then, later = self.at(when_ms, step_ms), self.at(when_ms + later_ms, step_ms)
        return None if then is None or later is None else later / then - 1


def daily_past(history: History, rules: Sequence[tuple[bool, Rule]], key: str, from_ms: int, to_ms: int) -> DailyPast:
    """Read it.

    Args:
        history: The store.
        rules: Those that find tops (True) and bottoms (False).
        key: Of the instrument.
        from_ms: Any time.
        to_ms: Any time.

    Raises `StorageError` where the store does.
    """
    spans = [
        (first, last) for first, last in stretches_of(history, [key], is_all=True) if last > from_ms and first <= to_ms
    ]
    days, closes = _days(history, key, [(max(first - BAR_MS, from_ms), min(last, to_ms)) for first, last in spans])
    if not days:
        return DailyPast()
    known = [day for day in days if day.oi is not None]
    turns: list[Turn] = []
    findings: list[Finding] = []
    for first, last in spans if known else ():
        asked = Asked((key,), max(first - BAR_MS, from_ms), min(last, to_ms), first, last)
        turns += _turns(history, rules, asked, closes, findings)
    turns = sorted(_first_of_days(turns), key=lambda turn: turn.at_ms)
    view = LongView(
        oi_from_ms=known[0].close_ms if known else None,
        turns=tuple(turns),
        tops=_mean(turn for turn in turns if turn.is_top),
        bottoms=_mean(turn for turn in turns if not turn.is_top),
        days=_mean(_every_day(days, closes)),
        missing=() if turns else tuple(dict.fromkeys(finding.text for finding in findings)),
    )
    return DailyPast(tuple(days), view)


def _days(history: History, key: str, spans: Sequence[tuple[int, int]]) -> tuple[list[Day], Closes]:
    """Thinned chunk by chunk; of minutes, closes alone are kept."""
    times, prices = [np.zeros(0, dtype=np.int64)], [np.zeros(0)]
    days: list[tuple[Day, int]] = []
    for start, end in _chunks(spans):
        grid = history.grid([key], start, end, ("close", "oi", "volume"))
        close, oi, volume = (grid.columns[name][:, 0] for name in ("close", "oi", "volume"))
        known = np.isfinite(close) & (close > 0)
        times.append(grid.close_ms[known])
        prices.append(close[known])
        # The bar that closes at midnight is the last of its day.
        number = (grid.close_ms - 1) // DAY_MS
        for day in np.unique(number[known | np.isfinite(oi) | np.isfinite(volume)]).tolist():
            at = slice(*np.searchsorted(number, [day, day + 1]).tolist())
            some = np.isfinite(volume[at])
            seen = known[at] | np.isfinite(oi[at])
            last_ms = int(grid.close_ms[at][seen][-1]) if seen.any() else (day + 1) * DAY_MS
            whole = Day(last_ms, _last(np.where(known[at], close[at], np.nan)), _last(oi[at]), None)
            days.append((replace(whole, volume=float(volume[at][some].sum()) if some.any() else None), int(some.sum())))
    fullest = max((n for _, n in days), default=0)
    kept = [day if n >= WHOLE_SHARE * fullest else replace(day, volume=None) for day, n in days]
    return _by_day(kept), Closes(np.concatenate(times), np.concatenate(prices))


def _chunks(spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Whole days each, but for the ends."""
    for first, last in spans:
        start = first
        while start < last:
            end = min(last, start // DAY_MS * DAY_MS + CHUNK_MS)
            yield start, end
            start = end


def _by_day(days: Sequence[Day]) -> list[Day]:
    """One for each: of two stretches that share a day, what is known last."""
    found: dict[int, Day] = {}
    for day in days:
        number = (day.close_ms - 1) // DAY_MS
        before = found.get(number, day)
        found[number] = Day(
            day.close_ms,
            day.price if day.price is not None else before.price,
            day.oi if day.oi is not None else before.oi,
            day.volume if day.volume is not None else before.volume,
        )
    return list(found.values())


def _last(values: F64) -> float | None:
    known = values[np.isfinite(values)]
    return float(known[-1]) if len(known) else None


def _turns(
    history: History, rules: Sequence[tuple[bool, Rule]], asked: Asked, closes: Closes, findings: list[Finding]
) -> Iterator[Turn]:
    """Firings of one stretch without a gap of a day."""
    step_ms = step_of(history, asked.keys, asked.from_ms, asked.to_ms)
    asked = replace(asked, from_ms=asked.from_ms // step_ms * step_ms, to_ms=asked.to_ms // step_ms * step_ms)
    if asked.from_ms >= asked.to_ms:
        return
    instrument = history.grid(asked.keys, asked.to_ms, asked.to_ms, ("close",)).instruments[0]
    is_top = {rule.id: top for top, rule in rules}
    try:
        running = [on_one(rule, instrument) for _, rule in rules]
        found = backtest(Stepped(history, step_ms), running, asked, outcomes=False)
    except ConfigError:
        # Bars of other instruments only.
        return
    findings += [one for one in found.findings if one.is_left_out]
    for result in found.rules:
        for fired in result.fired:
            price = closes.at(fired.at_ms, step_ms)
            if price is not None:
                day, week = (closes.after(fired.at_ms, later, step_ms) for later in (DAY_MS, WEEK_MS))
                yield Turn(fired.at_ms, is_top[fired.rule_id], price, day, week)


def on_one(rule: Rule, instrument: Instrument) -> Rule:
    """The rule as it watches one instrument, switched on, whomever it ranks or leaves out."""
    scope = Scope(symbols=(glob.escape(instrument.symbol),), types=(instrument.kind,), quotes=(instrument.quote,))
    return replace(rule, enabled=True, scope=scope)


def _first_of_days(turns: Sequence[Turn]) -> list[Turn]:
    found: dict[tuple[int, bool], Turn] = {}
    for turn in sorted(turns, key=lambda turn: turn.at_ms):
        # The bar that closes at midnight is the last of its day.
        found.setdefault(((turn.at_ms - 1) // DAY_MS, turn.is_top), turn)
    return list(found.values())


def _every_day(days: Sequence[Day], closes: Closes) -> Iterator[Turn]:
    """A moment at the end of each day of which open interest is known too: others could have no mark."""
    for day in days:
        if day.price is not None and day.oi is not None:
            one, seven = (closes.after(day.close_ms, later, BAR_MS) for later in (DAY_MS, WEEK_MS))
            yield Turn(day.close_ms, True, day.price, one, seven)


def _mean(turns: "Iterator[Turn]") -> Usual:
    found = list(turns)
    day = [turn.after_day for turn in found if turn.after_day is not None]
    week = [turn.after_week for turn in found if turn.after_week is not None]
    return Usual(len(day), sum(day) / len(day) if day else None, len(week), sum(week) / len(week) if week else None)
