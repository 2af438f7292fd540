"""What the stored bars of a run hold, found by a few looks before it: which contracts, which columns, how often open interest.

A contract of which nothing is stored in the time asked for is no candidate of any rule: it was not there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from bot.errors import ConfigError
from bot.model.history import BarGrid
from bot.model.instrument import Instrument
from bot.rules.resolution import COLUMN_OF, Finding, GridFacts, facts_of, limits_of
from bot.rules.schema import Rule, Scope
from bot.rules.scope import KNOWN_SHARE, matches

LOOK_MS: Final = 12 * 3_600_000
MIN_STEPS: Final = 12
"""A look is at so many bars at least."""
MAX_CELLS: Final = 600_000
"""Bars that are held at a time, over all instruments; each column takes eight bytes of each."""


class Bars(Protocol):
    """Stored bars."""

    def grid(self, keys: Sequence[str], from_ms: int, to_ms: int, columns: Sequence[str]) -> BarGrid:
        """Closes in (from_ms, to_ms] of these instruments, in this order."""
        ...


@dataclass(frozen=True, slots=True)
class Survey:
    """What there is."""

    keys: tuple[str, ...]
    """Those asked for that have bars in that time."""
    facts: GridFacts
    findings: tuple[Finding, ...]


@dataclass(slots=True)
class _Seen:
    """By key: which columns had anything in them in any look."""

    columns: dict[str, set[str]]
    facts: list[GridFacts] = field(default_factory=list)
    instruments: dict[str, Instrument] = field(default_factory=dict)

    def look(self, grid: BarGrid) -> None:
        self.instruments.update((instrument.key, instrument) for instrument in grid.instruments)
        for name, column in grid.columns.items():
            for place in np.flatnonzero(np.isfinite(column).any(axis=0)).tolist():
                self.columns[grid.instruments[place].key].add(name)
        facts = facts_of(grid)
        if facts.columns:
            self.facts.append(facts)

    @property
    def nowhere(self) -> list[str]:
        return [key for key, columns in self.columns.items() if not columns]


def survey(
    bars: Bars, rules: Sequence[Rule], keys: Sequence[str], from_ms: int, to_ms: int, columns: Sequence[str]
) -> Survey:
    """Look at the begin, the middle and the end; for those not seen there at everything.

    Raises `ConfigError` where nothing is stored of that time.
    """
    seen = _Seen({key: set() for key in keys})
    step_ms = bars.grid(keys[:1], to_ms, to_ms, ("close",)).step_ms
    long_ms = max(LOOK_MS, MIN_STEPS * step_ms)
    middle_ms = (from_ms + to_ms + long_ms) // 2
    ends = dict.fromkeys(min(end, to_ms) for end in (from_ms + long_ms, middle_ms, to_ms))
    for end in ends:
        seen.look(bars.grid(keys, max(from_ms, end - long_ms), end, columns))
    if missing := seen.nowhere:
        for start, end in pieces(from_ms, to_ms, step_ms, len(missing)):
            seen.look(bars.grid(missing, start, end, columns))
    if not seen.facts:
        raise ConfigError("backtest: expected bars in the history, found none of that time; see `oibot history status`")
    held = frozenset(name for one in seen.facts for name in one.columns)
    facts = GridFacts(
        seen.facts[-1].step_ms,
        held,
        max(one.oi_step_ms for one in seen.facts),
        min(one.funding_share for one in seen.facts),
    )
    kept = {seen.instruments[key]: columns for key, columns in seen.columns.items() if columns}
    findings = tuple(f for rule in rules for f in (*limits_of([rule], facts), *_unranked(rule, kept, facts)))
    return Survey(tuple(one.key for one in kept), facts, findings)


def pieces(from_ms: int, to_ms: int, step_ms: int, n_keys: int) -> Iterator[tuple[int, int]]:
    """A stretch of time in pieces of bars that may be held at a time."""
    span = max(1, MAX_CELLS // max(1, n_keys)) * step_ms
    for start in range(from_ms, to_ms, span):
        yield start, min(start + span, to_ms)


def _figures(scope: Scope) -> list[str]:
    """What a scope has to know of its candidates."""
    wants = (
        (scope.by, scope.top is not None),
        ("oi_usd", scope.min_oi_usd is not None),
        ("volume_24h", scope.min_volume_24h is not None),
    )
    return list(dict.fromkeys(figure for figure, is_wanted in wants if is_wanted))


def _unranked(rule: Rule, kept: Mapping[Instrument, set[str]], facts: GridFacts) -> Iterator[Finding]:
    """A scope that never gets to know enough of its candidates watches none."""
    if not rule.enabled:
        return
    candidates = [columns for instrument, columns in kept.items() if matches(rule.scope, instrument)]
    for figure in _figures(rule.scope):
        column = COLUMN_OF[figure]
        known = sum(column in columns for columns in candidates)
        if column in facts.columns and known < KNOWN_SHARE * len(candidates):
            said = (
                f"which contracts it watches depends on {figure}, known here of {known} of {len(candidates)} and needed of "
                f"{KNOWN_SHARE:.0%}; leave the others out with --symbols"
            )
            yield Finding(rule.id, True, said)
