"""What bars can answer: which rules have to be left out on a grid, and which its resolution changes, in plain sentences."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bot.market.quantiles import THEN_SHARE
from bot.market.series import ENDS, FLOWS, HOUR_MS, PARTS, SECOND_MS
from bot.model.history import BarGrid
from bot.model.numbers import window
from bot.rules.ast import Call, Expr, Number, functions_used, series_used, text, walk
from bot.rules.language import CROSSINGS
from bot.rules.program import exprs_of
from bot.rules.schema import Rule

COLUMN_OF: Final = {
    "price": "close",
    "index": "index",
    "basis": "index",
    "funding": "funding",
    "funding_8h": "funding",
    "oi": "oi",
    "oi_usd": "oi",
    "volume_24h": "volume",
    "taker_buy": "taker_buy",
    "long_short": "long_short",
    **{name: name for name in FLOWS},
}
"""Column of a grid that a series needs, besides the price."""
FEW_POINTS: Final = 10
POLL_UNIT_MS: Final = 5_000
"""How far apart samples of open interest are is told to so much."""
FUNDING: Final = frozenset({"funding", "funding_8h"})
SPARSE: Final = 0.5
"""Share of bars below which fundings are payments, and not what was said of them all the time."""


@dataclass(frozen=True, slots=True)
class GridFacts:
    """What is to be known of some bars to say which rules they answer."""

    step_ms: int
    columns: frozenset[str]
    """Columns with anything in them, as `BarGrid` calls them."""
    oi_step_ms: int = 0
    """Usual distance of the samples of open interest; 0 where there are none."""
    funding_share: float = 1.0
    """In which share of the bars with a price funding is known, of instruments of which it is at all."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to say of one rule on these bars."""

    rule_id: str
    is_left_out: bool
    """The bars cannot answer the rule at all; else it runs, and the sentence says what differs from a live run."""
    text: str


def facts_of(grid: BarGrid) -> GridFacts:
    """Of one grid; of several pieces of a run, the largest tells most."""
    found = frozenset(name for name, column in grid.columns.items() if np.isfinite(column).any())
    return GridFacts(grid.step_ms, found, _oi_step_ms(grid) if "oi" in found else 0, _funding_share(grid, found))


def _funding_share(grid: BarGrid, found: frozenset[str]) -> float:
    if not {"close", "funding"} <= found:
        return 1.0
    close, funding = (np.isfinite(grid.columns[name]) for name in ("close", "funding"))
    have = close & funding.any(axis=0)
    return float((have & funding).sum() / have.sum()) if have.any() else 1.0


def _oi_step_ms(grid: BarGrid) -> int:
    known = np.isfinite(grid.columns["oi"])
    steps = [np.diff(grid.columns["oi_ms"][known[:, row], row]) for row in range(known.shape[1])]
    every = np.concatenate(steps) if steps else np.zeros(0)
    if not len(every):
        # One sample each says nothing of when the next would come.
        return grid.step_ms
    # Polls come a moment late, now more, now less.
    return max(round(float(np.median(every)) / POLL_UNIT_MS), 1) * POLL_UNIT_MS


def limits_of(rules: Iterable[Rule], facts: GridFacts) -> tuple[Finding, ...]:
    """What to say of enabled rules on such bars, in their order; nothing about those that run as they would live."""
    found = []
    for rule in rules:
        if not rule.enabled:
            continue
        blind = list(dict.fromkeys(_blind(rule, facts)))
        differs = [] if blind else list(dict.fromkeys(_differences(rule, facts)))
        found += [Finding(rule.id, bool(blind), sentence) for sentence in (*blind, *differs)]
    return tuple(found)


def answerable(rules: Sequence[Rule], findings: Iterable[Finding]) -> tuple[Rule, ...]:
    """The enabled rules that are not left out."""
    left_out = {f.rule_id for f in findings if f.is_left_out}
    return tuple(r for r in rules if r.enabled and r.id not in left_out)


# -- what cannot be answered -----------------------------------------------------------------------------------------


def _blind(rule: Rule, facts: GridFacts) -> Iterator[str]:
    exprs = (rule.when, rule.end)
    if any("stale" in functions_used(e) for e in exprs):
        yield "it asks whether data is out of date; of bars that says only where some are missing"
    wanted = dict.fromkeys(sorted({name for e in exprs_of(rule) for name in series_used(e)}))
    missing = [name for name in wanted if not _has(name, facts)]
    if missing:
        yield f"the bars hold no {' and no '.join(missing)}"
    for figure, wants in (
        (rule.scope.by, rule.scope.top is not None),
        ("oi_usd", rule.scope.min_oi_usd is not None),
        ("volume_24h", rule.scope.min_volume_24h is not None),
    ):
        if wants and not _has(figure, facts) and COLUMN_OF[figure] not in {COLUMN_OF[name] for name in missing}:
            yield f"which contracts it watches depends on {figure}, and the bars hold no {COLUMN_OF[figure]}"
    for call in _windows(exprs_of(rule)):
        step_ms = _step_ms(call, facts)
        if _over_flow(call):
            continue
        if call.window_ms < facts.step_ms:
            yield f"{text(call)} is shorter than one bar, {window(facts.step_ms)}"
        elif call.name in ENDS and call.window_ms < step_ms:
            yield f"{text(call)} is shorter than the {window(step_ms)} between two samples of open interest"


def _has(series: str, facts: GridFacts) -> bool:
    return "close" in facts.columns and COLUMN_OF[series] in facts.columns


# -- what is answered otherwise than live ----------------------------------------------------------------------------


def _differences(rule: Rule, facts: GridFacts) -> Iterator[str]:
    step = window(facts.step_ms)
    if rule.for_ms % facts.step_ms:
        waited_ms = -(-rule.for_ms // facts.step_ms) * facts.step_ms
        yield f"for: {window(rule.for_ms)} takes {window(waited_ms)} on bars of {step}"
    uses_oi = any("oi" in PARTS.get(s, ()) for s in series_used(rule.when))
    if uses_oi and 0 < rule.for_ms < facts.oi_step_ms and facts.oi_step_ms > facts.step_ms:
        yield (
            f"for: {window(rule.for_ms)} also waits for the next sample of open interest, "
            f"up to {window(facts.oi_step_ms)}"
        )
    if facts.funding_share < SPARSE and any(FUNDING & series_used(e) for e in exprs_of(rule)):
        yield "funding is known only in the bars in which it was paid: neither `for` nor windows get on between them"
    for call in _windows(exprs_of(rule)):
        oi_step_ms = _step_ms(call, facts)
        if call.name in ENDS:
            if oi_step_ms > facts.step_ms and call.window_ms < THEN_SHARE * (oi_step_ms - facts.step_ms):
                yield (
                    f"{text(call)} is known only while the sample at its begin is at most "
                    f"{window(call.window_ms // THEN_SHARE)} old; samples of open interest are "
                    f"{window(oi_step_ms)} apart"
                )
        elif not _over_flow(call) and _inner(call) is None and call.window_ms <= HOUR_MS:
            n = call.window_ms // max(facts.step_ms, oi_step_ms)
            if n < FEW_POINTS:
                live = call.window_ms // SECOND_MS
                yield f"{text(call)} looks at {max(n, 1)} different points here, at up to {live} live"
    if any(functions_used(e) & CROSSINGS for e in (rule.when, rule.end)):
        yield f"a crossing and its return within one bar of {step} are not seen"


# -- helpers ---------------------------------------------------------------------------------------------------------


def _windows(exprs: Iterable[Expr]) -> Iterator[Call]:
    for expr in exprs:
        for node in walk(expr):
            if isinstance(node, Call) and node.args and isinstance(node.args[-1], Number) and node.window_ms:
                yield node


def _inner(call: Call) -> Call | None:
    return call.args[0] if isinstance(call.args[0], Call) else None


def _over_flow(call: Call) -> bool:
    return bool(series_used(call) & set(FLOWS))


def _step_ms(call: Call, facts: GridFacts) -> int:
    """How far apart the samples of the series under a window are."""
    uses_oi = any("oi" in PARTS.get(s, ()) for s in series_used(call))
    return max(facts.oi_step_ms, facts.step_ms) if uses_oi else facts.step_ms
