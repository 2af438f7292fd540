"""From what somebody asks for to a run: which contracts, which time, which bars, and which numbers to try."""

import fnmatch
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Protocol

import numpy as np
from rapidfuzz import process

from bot.errors import ConfigError
from bot.history.backtest import Backtest, backtest
from bot.history.chance import SEED
from bot.history.content import GAP_MS
from bot.history.outcomes import DAY_MS
from bot.history.playing import Asked
from bot.history.surveying import Bars
from bot.history.sweep import Solved, Sweep, Target, forms, solve
from bot.market.validity import valid_for_ms
from bot.model.history import BAR_MS, BarGrid
from bot.model.history_ports import Spans
from bot.model.updates import F64, I64, Mask
from bot.rules.ast import Number
from bot.rules.forms import number_of
from bot.rules.schema import Rule

STEPS_MS: Final = (BAR_MS, 5 * BAR_MS, 15 * BAR_MS, 30 * BAR_MS, 60 * BAR_MS, 240 * BAR_MS, DAY_MS)
"""Bars that a run can be over."""
ENOUGH: Final = 0.6
"""Share of bars of that step that are known, for it to be the step of a run."""
MAX_KEYS: Final = 1_000
FOR_EVER_MS: Final = 1 << 53
LOOK_MS: Final = 4 * 3_600_000
RATIO: Final = "long_short"


class History(Protocol):
    """The store."""

    def keys(self, from_ms: int, to_ms: int) -> tuple[str, ...]: ...

    def spans(self, keys: Sequence[str]) -> Spans:
        """When there may be bars of any of them, ascending."""
        ...

    def grid(
        self, keys: Sequence[str] | None, from_ms: int, to_ms: int, columns: Sequence[str], *, step_ms: int = BAR_MS
    ) -> BarGrid: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for."""

    symbols: tuple[str, ...] = ()
    """Symbols, coins or globs; empty for all that there are bars of."""
    from_ms: int | None = None
    to_ms: int | None = None
    days: float | None = None
    """The last so many; not together with `from_ms`."""
    step_ms: int | None = None
    """None: the finest that the bars have."""
    seed: int = SEED


@dataclass(frozen=True, slots=True)
class Stepped:
    """A store, read in steps of one length as a run reads it: what comes in rows speaks as long as it does live."""

    history: History
    step_ms: int

    def grid(self, keys: Sequence[str], from_ms: int, to_ms: int, columns: Sequence[str]) -> BarGrid:
        found = self.history.grid(keys, from_ms, to_ms, columns, step_ms=self.step_ms)
        # The last bar of a row speaks for one and a half, as every bar does.
        n_more = max(0, valid_for_ms(RATIO) - 3 * self.step_ms // 2) // self.step_ms
        if RATIO not in columns or not n_more:
            return found
        before = self.history.grid(keys, from_ms - n_more * self.step_ms, from_ms, (RATIO,), step_ms=self.step_ms)
        spoken = _spoken(before.columns[RATIO], found.columns[RATIO], n_more)
        return replace(found, columns={**found.columns, RATIO: spoken})


def _spoken(before: F64, values: F64, n_more: int) -> F64:
    """`values`, and each for so many rows more where no other follows. Shape (T, N), as both."""
    column = np.concatenate([before, values])
    place = np.arange(len(column))[:, None]
    newest = np.maximum.accumulate(np.where(np.isfinite(column), place, -1 - n_more), axis=0)
    found = np.take_along_axis(column, np.maximum(newest, 0), axis=0)
    return np.where(place - newest <= n_more, found, np.nan)[len(before) :]


def settle(history: History, wanted: Wanted) -> tuple[Asked, Bars, tuple[str, ...]]:
    """What is stored of what is wanted, how to read it, and what to say about that choice.

    Without a begin it is the last stretch without a gap of a day. Raises `ConfigError` where nothing is stored of it.
    """
    known = history.keys(0, FOR_EVER_MS)
    if not known:
        raise ConfigError("backtest: the history is empty; fill it with `oibot history import` or `oibot history fill`")
    keys = choose(known, wanted.symbols)
    stretches = stretches_of(history, keys, is_all=len(keys) == len(known))
    before = [one for one in stretches if wanted.to_ms is None or one[0] < wanted.to_ms]
    if not before:
        raise ConfigError(f"backtest: expected a time with bars, found none; there are some {_shown(stretches)}")
    first_ms, last_ms = stretches[0][0], stretches[-1][1]
    to_ms = before[-1][1] if wanted.to_ms is None else min(wanted.to_ms, before[-1][1])
    notes: tuple[str, ...] = ()
    if wanted.from_ms is not None:
        from_ms = max(wanted.from_ms, first_ms - BAR_MS)
    else:
        # The close of the first bar counts.
        from_ms = before[-1][0] - BAR_MS
        if wanted.days is not None:
            from_ms = max(from_ms, to_ms - round(wanted.days * DAY_MS))
        if len(stretches) > 1:
            notes = (f"there are bars {_shown(stretches)}; --from and --to choose others",)
    if from_ms >= to_ms:
        raise ConfigError(f"backtest: expected a time with bars, found none; there are some {_shown(stretches)}")
    step_ms = wanted.step_ms or step_of(history, keys, from_ms, to_ms)
    from_ms, to_ms = from_ms // step_ms * step_ms, to_ms // step_ms * step_ms
    if from_ms >= to_ms:
        raise ConfigError(f"backtest: expected a time of more than one bar of {step_ms // BAR_MS} min, found less")
    # What lies before a gap of more than a day fills no window.
    whole_from_ms = next((first for first, last in stretches if last > from_ms), first_ms)
    asked = Asked(keys, from_ms, to_ms, first_ms, last_ms, wanted.seed, whole_from_ms)
    return asked, Stepped(history, step_ms), notes


def stretches_of(history: History, keys: Sequence[str], *, is_all: bool) -> Spans:
    """Of these instruments, which are all there are or not; pieces with less than a day between them are one."""
    joined: list[tuple[int, int]] = []
    for first, last in history.spans(keys):
        if joined and first - joined[-1][1] <= DAY_MS:
            joined[-1] = joined[-1][0], max(joined[-1][1], last)
        elif is_all or _has_bars(history, keys, first, last):
            joined.append((first, last))
    return tuple(joined)


def _has_bars(history: History, keys: Sequence[str], first_ms: int, last_ms: int) -> bool:
    """A file of many instruments may have none of these: three looks at it tell."""
    for begin in (first_ms - BAR_MS, (first_ms + last_ms) // 2, last_ms - LOOK_MS):
        grid = history.grid(keys, begin, min(begin + LOOK_MS, last_ms), ("close", "oi"))
        if any(np.isfinite(column).any() for column in grid.columns.values()):
            return True
    return False


def _shown(stretches: Spans) -> str:
    return ", ".join(f"from {_day(first)} to {_day(last)}" for first, last in stretches) or "nowhere"


def choose(keys: Sequence[str], words: Sequence[str]) -> tuple[str, ...]:
    """Keys that words mean: `BTCUSDT`, `btc` (in USDT where there are several), `BTC*`. Raises `ConfigError`."""
    found = [key for word in words for key in _meant(keys, word)] if words else list(keys)
    chosen = tuple(dict.fromkeys(found))
    if len(chosen) > MAX_KEYS:
        raise ConfigError(
            f"backtest: expected at most {MAX_KEYS} contracts, found {len(chosen)}; name some with --symbols"
        )
    return chosen


def _meant(keys: Sequence[str], word: str) -> list[str]:
    upper = word.upper()
    symbols = {key: key.rpartition(":")[2] for key in keys}
    for pattern in (upper, f"{upper}USDT", f"{upper}USDC", f"{upper}USD*"):
        if found := [key for key, symbol in symbols.items() if fnmatch.fnmatchcase(symbol, pattern)]:
            return found
    near = [match for match, score, _ in process.extract(upper, list(symbols.values()), limit=3) if score >= 60]
    hint = f"; did you mean {' or '.join(near)}?" if near else "; `oibot history status` lists what there is"
    raise ConfigError(f"--symbols: expected a contract in the history, found {word!r}{hint}")


def step_of(history: History, keys: Sequence[str], from_ms: int, to_ms: int) -> int:
    """The finest step of which bars are mostly known, by one day in the middle; what lies in a gap says nothing of it."""
    middle = (from_ms + to_ms) // 2
    begin = max(from_ms, middle - DAY_MS // 2)
    end = min(to_ms, begin + DAY_MS)
    some = keys[:20]
    grid = history.grid(some, begin, end, ("close",))
    known: Mask = np.any(np.isfinite(grid.columns["close"]), axis=1)
    looked_at = ~_in_gaps(grid.close_ms, known)
    for step_ms in STEPS_MS:
        at = known[looked_at & (grid.close_ms % step_ms == 0)]
        if len(at) and at.mean() >= ENOUGH:
            return step_ms
    return BAR_MS


def _in_gaps(close_ms: I64, known: Mask) -> Mask:
    """Closes that lie further from known ones than bars usually do."""
    found = close_ms[known]
    if len(found) < 2:
        return np.zeros(len(close_ms), dtype=np.bool_)
    longest_ms = max(GAP_MS, 2 * int(np.median(np.diff(found))))
    ends = np.concatenate([close_ms[:1] - BAR_MS, found, close_ms[-1:] + BAR_MS])
    place = np.searchsorted(ends, close_ms)
    is_far: Mask = ends[place] - ends[place - 1] > longest_ms
    return is_far & ~known


def _day(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


# -- numbers ---------------------------------------------------------------------------------------------------------


def swept(bars: Bars, rule: Rule, sweep: Sweep, asked: Asked, *, progress: Callable[[float], None]) -> Backtest:
    """One run, with a rule per number. Raises `ConfigError` where the bars cannot answer it."""
    found = backtest(bars, forms(rule, sweep), asked, progress=progress)
    if len(found.rules) != len(sweep.values):
        raise ConfigError(
            f"--sweep: {rule.id} cannot be run: {'; '.join(dict.fromkeys(f.text for f in found.findings))}"
        )
    return found


def solved(
    bars: Bars, rule: Rule, target: Target, asked: Asked, *, measure: str | None, progress: Callable[[float], None]
) -> Solved:
    """The number with which the rule fires as often as wanted. Raises `ConfigError` where the bars cannot answer it."""
    found = number_of(rule, measure)

    def rates(numbers: Sequence[Number]) -> Sequence[float]:
        assert found is not None
        sweep = Sweep(found.measure, tuple(numbers))
        ran = backtest(bars, forms(rule, sweep), asked, progress=progress, outcomes=False)
        if not ran.rules:
            raise ConfigError(f"--target: {rule.id} cannot be run: {'; '.join(f.text for f in ran.findings[:2])}")
        return [len(one.fired) / asked.n_days for one in ran.rules]

    return solve(rule, target, rates, measure=measure)


def only(rules: Sequence[Rule], ids: Sequence[str]) -> tuple[Rule, ...]:
    """These of the rules, switched on, in the order named; all that are on where none is. Raises `ConfigError`."""
    if not ids:
        return tuple(rule for rule in rules if rule.enabled)
    known = {rule.id: rule for rule in rules}
    missing = [one for one in ids if one not in known]
    if missing:
        near = [match for match, score, _ in process.extract(missing[0], list(known), limit=2) if score >= 60]
        hint = f"; did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(known)}"
        raise ConfigError(f"--rule: expected the id of a rule, found {missing[0]!r}{hint}")
    return tuple(replace(known[one], enabled=True) for one in dict.fromkeys(ids))
