"""Rules over stored bars, and what came of it: which alerts fired, what a chat would have got, what prices did afterwards.

Runs over the history piece by piece; of a month of a hundred contracts it holds one column, the closes. Bars before the
first wanted one fill the windows, bars after the last one tell what came later; neither holds a firing that counts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from bot.history import messages
from bot.history.chance import Comparison, compare
from bot.history.outcomes import DAY_MS, After, Moments, Prices, all_after
from bot.history.playing import Asked, Fired, Played, Progress, columns_of, known_from, play
from bot.history.surveying import Bars, survey
from bot.model.instrument import MARKET, Instrument
from bot.model.updates import Mask
from bot.rules.ast import series_used
from bot.rules.program import exprs_of
from bot.rules.resolution import Finding, GridFacts, answerable
from bot.rules.schema import Rule

BURST_GAP_MS: Final = 900_000
"""Firings that follow each other within this are one burst."""


@dataclass(frozen=True, slots=True)
class Burst:
    """The most firings one after the other."""

    n: int
    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What followed after one length of time."""

    after: After
    size: Comparison
    signed: Comparison
    adjusted: Comparison


@dataclass(frozen=True, slots=True, eq=False)
class RuleResult:
    """What came of one rule."""

    rule: Rule
    fired: tuple[Fired, ...]
    per_symbol: tuple[tuple[str, int], ...]
    """The most often first."""
    per_day: tuple[tuple[int, int], ...]
    """Begin of each day (UTC) with firings, and their number."""
    burst: Burst | None
    messages: messages.Messages
    looks: tuple[Look, ...]
    known_from_ms: int
    """From here on the rule's windows could be full."""


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """All of a run."""

    asked: Asked
    rules: tuple[RuleResult, ...]
    messages: messages.Messages
    """Of all rules together, told to one chat."""
    findings: tuple[Finding, ...]
    facts: GridFacts
    prices: Prices
    instruments: tuple[Instrument, ...]
    n_looks: int
    """How many comparisons with chance were made, of all rules and lengths of time."""


def backtest(
    bars: Bars, rules: Sequence[Rule], asked: Asked, *, progress: Progress | None = None, outcomes: bool = True
) -> Backtest:
    """Run the rules that the bars can answer; `findings` says which they cannot.

    Args:
        bars: Where to read.
        rules: In the order in which they are shown; those that are switched off are left out.
        asked: What to run over; contracts that have no bars then are left out.
        progress: Told how far it is.
        outcomes: Whether to say what prices did afterwards.

    Raises:
        ConfigError: Nothing is stored of what was asked for, or too much.
        StorageError, PayloadError: As `bars` raises them.
    """
    tell = progress or (lambda _share: None)
    wanted = [rule for rule in rules if rule.enabled]
    found = survey(bars, wanted, asked.keys, asked.from_ms, asked.to_ms, columns_of(wanted))
    asked = replace(asked, keys=found.keys)
    running = answerable(wanted, found.findings)
    played = play(bars, running, asked, found.facts, tell)
    looks = _looks(running, asked, played) if outcomes else {}
    n_looks = sum(one.is_enough for looked in looks.values() for look in looked for one in (look.size, look.signed))
    tell(1.0)
    return Backtest(
        asked=asked,
        rules=tuple(_result(rule, asked, played, looks.get(rule.id, ())) for rule in running),
        messages=messages.count(played.notices, n_instruments=len(played.instruments)),
        findings=found.findings,
        facts=found.facts,
        prices=played.prices,
        instruments=played.instruments,
        n_looks=n_looks,
    )


def _looks(rules: Sequence[Rule], asked: Asked, played: Played) -> dict[str, tuple[Look, ...]]:
    prices = played.prices
    fired = [rule for rule in rules if any(f.rule_id == rule.id for f in played.fired)]
    if len(prices.close_ms) < 2 or not fired:
        return {}
    places = {i.symbol: n for n, i in enumerate(played.instruments)} | {MARKET: -1}
    in_time = prices.close_ms <= asked.to_ms

    def moments(rule: Rule) -> Moments:
        mine = [f for f in played.fired if f.rule_id == rule.id]
        rows = [(f.at_ms - int(prices.close_ms[0])) // prices.step_ms for f in mine]
        return Moments(np.array(rows, dtype=np.int64), np.array([places[f.symbol] for f in mine], dtype=np.int64))

    def eligible(rule: Rule) -> Callable[[int], Mask]:
        may = in_time & (prices.close_ms >= known_from(rule, asked))
        uses_oi = bool({"oi", "oi_usd"} & {name for expr in exprs_of(rule) for name in series_used(expr)})

        def of(column: int) -> Mask:
            if not uses_oi or played.has_oi is None or column < 0:
                return may.copy()
            speaks = max(1, played.facts.oi_step_ms * 5 // 2 // prices.step_ms)
            return may & _lately_true(played.has_oi[:, column], speaks, len(may))

        return of

    found = all_after(prices, [(moments(rule), eligible(rule)) for rule in fired])
    return {rule.id: tuple(_look(one, asked.seed) for one in all_of) for rule, all_of in zip(fired, found, strict=True)}


def _look(one: After, seed: int) -> Look:
    return Look(one, *(compare(matched, seed=seed) for matched in (one.sizes, one.signed, one.adjusted)))


def _lately_true(given: Mask, steps: int, length: int) -> Mask:
    """Whether it was true in one of the last `steps` rows; the rest of `length` is False."""
    number = np.concatenate([[0], np.cumsum(given)])
    end = np.arange(1, len(given) + 1)
    found = np.zeros(length, dtype=np.bool_)
    found[: len(given)] = number[end] > number[np.maximum(0, end - steps)]
    return found


def _result(rule: Rule, asked: Asked, played: Played, looks: tuple[Look, ...]) -> RuleResult:
    mine = tuple(f for f in played.fired if f.rule_id == rule.id)
    per_symbol: dict[str, int] = {}
    per_day: dict[int, int] = {}
    for one in mine:
        per_symbol[one.symbol] = per_symbol.get(one.symbol, 0) + 1
        day = one.at_ms // DAY_MS * DAY_MS
        per_day[day] = per_day.get(day, 0) + 1
    told = (n for n in played.notices if n.rule_id == rule.id)
    return RuleResult(
        rule=rule,
        fired=mine,
        per_symbol=tuple(sorted(per_symbol.items(), key=lambda x: (-x[1], x[0]))),
        per_day=tuple(sorted(per_day.items())),
        burst=_burst(mine),
        messages=messages.count(told, n_instruments=len(played.instruments)),
        looks=looks,
        known_from_ms=known_from(rule, asked),
    )


def _burst(fired: Sequence[Fired]) -> Burst | None:
    best: Burst | None = None
    begin = 0
    for place, one in enumerate(fired):
        if place and one.at_ms - fired[place - 1].at_ms > BURST_GAP_MS:
            begin = place
        n = place - begin + 1
        if best is None or n > best.n:
            best = Burst(n, fired[begin].at_ms, one.at_ms)
    return best
