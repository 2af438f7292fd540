"""What a condition would have done over the past: a small engine of its own, the same rules, the same life.

Runs in a thread: it takes some tenths of a second for a day and touches nothing that others use.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import nan
from typing import Final

import numpy as np

from bot.engine.engine import Engine
from bot.engine.inputs import Listed, Samples
from bot.engine.past import Past
from bot.engine.subscriptions import expr_of
from bot.market.flows import KNOWN_SHARE
from bot.model.alert import Notice, TellKind
from bot.model.chat_alert import AlertAdded, ChatAlert
from bot.model.rehearsal import Rehearsed
from bot.model.updates import F64, I32, I64, Bars, InstrumentList
from bot.rules.ast import DAY_MS, Expr, series_used, windows_used
from bot.rules.schema import Rule

STEP_MS: Final = 60_000
N_BLOCK: Final = 512
VALID_MS: Final = 90_000
"""A price speaks for a minute and a half, as a bar does."""
OI_ROW_MS: Final = 300_000
"""Memory of before a start holds rows of open interest so far apart."""
MIN_OI_VALID_MS: Final = 5 * OI_ROW_MS // 2
OTHER_VALID_MS: Final = 3_600_000
FIRST_LOOKS: Final = 2
"""So many steps after its windows are full a rule that fires was true before."""


def rehearse(alerts: Sequence[ChatAlert], rules: Sequence[Rule], pasts: Sequence[Past]) -> dict[str, Rehearsed]:
    """Run them over the pasts of some instruments, of one time and the same series, by id. What is true from the beginning
    is not counted.
    """
    engine = Engine(rules, step_ms=STEP_MS, n_block=N_BLOCK, dtype="float64")
    start_ms = min(past.start_ms for past in pasts) // STEP_MS * STEP_MS
    for venue in sorted({past.instrument.venue for past in pasts}):
        named = tuple(past.instrument for past in pasts if past.instrument.venue == venue)
        engine.consume(Listed(InstrumentList(venue, named), start_ms))
    for alert in alerts:
        engine.consume(AlertAdded(alert))
    engine.alerts_loaded()
    lead = {alert.id: _lead_ms(expr_of(alert.measure)) for alert in alerts}
    lead |= {rule.id: _lead_ms(rule.when) for rule in rules}
    # Alerts of chat wait for the first false by themselves.
    first_looks = {rule.id: lead[rule.id] + waits_ms(rule, max(_oi_interval_ms(pasts), OI_ROW_MS)) for rule in rules}
    begun = {past.instrument.key: _begun_ms(past) for past in pasts}
    fired: dict[str, list[Notice]] = {id_: [] for id_ in lead}
    for notice in _run(engine, pasts, start_ms):
        looked_ms = first_looks.get(notice.rule_id)
        known_ms = 0 if looked_ms is None else begun.get(notice.instrument, start_ms) + looked_ms
        if notice.kind is TellKind.FIRE and notice.at_ms > known_ms + FIRST_LOOKS * STEP_MS:
            fired[notice.rule_id].append(notice)
    held_ms = pasts[0].now_ms - start_ms
    return {id_: _summary(told, max(0, held_ms - lead[id_])) for id_, told in fired.items()}


def _summary(told: Sequence[Notice], span_ms: int) -> Rehearsed:
    if not told:
        return Rehearsed(0, span_ms)
    last = max(told, key=lambda notice: notice.at_ms)
    symbol = last.instrument.partition(":")[2]
    n_symbols = len({notice.instrument for notice in told})
    return Rehearsed(len(told), span_ms, last.at_ms, last.view.value, symbol, n_symbols)


def _begun_ms(past: Past) -> int:
    """From here on there is a sample of each series that has any."""
    return max([past.start_ms, *(int(times[0]) for times, _ in past.samples.values() if len(times))])


def _oi_interval_ms(pasts: Sequence[Past]) -> int:
    return max(past.oi_interval_ms for past in pasts)


def waits_ms(rule: Rule, oi_interval_ms: int) -> int:
    """How long after a condition became true the rule fires at the latest: a `for` also waits for open interest."""
    uses_oi = bool({"oi", "oi_usd"} & series_used(rule.when))
    return max(rule.for_ms, oi_interval_ms if uses_oi else 0) if rule.for_ms else 0


def _lead_ms(condition: Expr) -> int:
    """How long it takes until all that it looks at is known."""
    return max((_filled_ms(window, function) for _, window, function in windows_used(condition)), default=0)


def _filled_ms(window_ms: int, function: str) -> int:
    # A ratio compares with the usual of a day, of which most has to be known.
    return max(window_ms, math.ceil(KNOWN_SHARE * DAY_MS)) if function == "ratio" else window_ms


@dataclass(frozen=True, slots=True, eq=False)
class _Stream:
    """One series of all instruments in order of time."""

    times: I64
    values: F64
    rows: I32

    @classmethod
    def of(cls, engine: Engine, pasts: Sequence[Past], name: str) -> "_Stream":
        found = [(engine.market.universe.row(past.instrument.key), *past.samples[name]) for past in pasts]
        times = np.concatenate([times for _, times, _ in found])
        values = np.concatenate([values for _, _, values in found])
        rows = np.concatenate([np.full(len(times), row, dtype=np.int32) for row, times, _ in found])
        order = np.argsort(times, kind="stable")
        return cls(times[order], values[order], rows[order])

    def newest(self, start: int, stop: int) -> tuple[I64, F64, I32]:
        """Of each instrument the last in a part."""
        _, behind = np.unique(self.rows[start:stop][::-1], return_index=True)
        at = stop - 1 - behind
        return self.times[at], self.values[at], self.rows[at]


def _run(engine: Engine, pasts: Sequence[Past], start_ms: int) -> Iterator[Notice]:
    interval_ms, now_ms = _oi_interval_ms(pasts), pasts[0].now_ms
    oi_valid_ms = max(MIN_OI_VALID_MS, 5 * interval_ms // 2)
    valid = {"price": VALID_MS, "index": VALID_MS, "funding": VALID_MS, "oi": oi_valid_ms}
    steps = np.arange(start_ms + STEP_MS, now_ms + 1, STEP_MS)
    streams = {name: _Stream.of(engine, pasts, name) for name in pasts[0].samples}
    stops = {name: np.searchsorted(one.times, steps, side="right").tolist() for name, one in streams.items()}
    places = dict.fromkeys(streams, 0)
    for k, at_ms in enumerate(steps.tolist()):
        for name, stream in streams.items():
            start, stop = places[name], stops[name][k]
            if start == stop:
                continue
            places[name] = stop
            times, values, rows = stream.newest(start, stop)
            if name == "volume":
                engine.consume(Bars(rows, times, values, np.full(len(rows), nan), STEP_MS, 0.0))
                continue
            engine.consume(
                Samples(
                    series=name,
                    rows=rows,
                    time_ms=times,
                    value=values,
                    valid_ms=valid.get(name, OTHER_VALID_MS),
                    interval_ms=max(STEP_MS, interval_ms),
                )
            )
        yield from engine.tick(at_ms).notices
    yield from engine.flush().notices
