"""What a condition would have done over the past: a small engine of its own, the same rules, the same life.

Runs in a thread: it takes some tenths of a second for a day and touches nothing that others use.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from bot.engine.engine import Engine
from bot.engine.inputs import Listed, Samples
from bot.engine.past import Past
from bot.model.alert import Notice, TellKind
from bot.model.chat_alert import AlertAdded, ChatAlert
from bot.model.rehearsal import Rehearsed
from bot.model.updates import InstrumentList
from bot.rules.ast import windows_used
from bot.rules.schema import Rule

STEP_MS: Final = 60_000
N_BLOCK: Final = 512
VALID_MS: Final = 90_000
"""A price speaks for a minute and a half, as a bar does."""
MIN_OI_VALID_MS: Final = 750_000
"""Memory of before a start holds five-minute rows of open interest; two and a half of them."""
OTHER_VALID_MS: Final = 3_600_000
FIRST_LOOKS: Final = 2
"""So many steps after its windows are full a rule that fires was true before."""


def rehearse(alerts: Sequence[ChatAlert], rules: Sequence[Rule], past: Past) -> dict[str, Rehearsed]:
    """Run them over the past, by id. What is true from the beginning is not counted."""
    engine = Engine(rules, step_ms=STEP_MS, n_block=N_BLOCK, dtype="float64")
    start_ms = past.start_ms // STEP_MS * STEP_MS
    engine.consume(Listed(InstrumentList(past.instrument.venue, (past.instrument,)), start_ms))
    for alert in alerts:
        engine.consume(AlertAdded(alert))
    engine.alerts_loaded()
    ids = [*(alert.id for alert in alerts), *(rule.id for rule in rules)]
    fired: dict[str, list[Notice]] = {id_: [] for id_ in ids}
    known_from = {rule.id: start_ms + _longest_ms(rule) + FIRST_LOOKS * STEP_MS for rule in rules}
    for notice in _run(engine, past, start_ms):
        # Alerts of chat wait for the first false by themselves.
        if notice.kind is TellKind.FIRE and notice.at_ms > known_from.get(notice.rule_id, 0):
            fired[notice.rule_id].append(notice)
    known_ms = past.now_ms - past.start_ms
    return {
        id_: Rehearsed(len(told), known_ms, told[-1].at_ms if told else None, told[-1].view.value if told else None)
        for id_, told in fired.items()
    }


def _longest_ms(rule: Rule) -> int:
    return max((window for _, window, _ in windows_used(rule.when)), default=0)


def _run(engine: Engine, past: Past, start_ms: int) -> Iterator[Notice]:
    oi_valid_ms = max(MIN_OI_VALID_MS, 5 * past.oi_interval_ms // 2)
    valid = {"price": VALID_MS, "index": VALID_MS, "funding": VALID_MS, "oi": oi_valid_ms}
    places = dict.fromkeys(past.samples, 0)
    row = np.zeros(1, dtype=np.int32)
    for now_ms in range(start_ms + STEP_MS, past.now_ms + 1, STEP_MS):
        for name, (times, values) in past.samples.items():
            stop = int(np.searchsorted(times, now_ms, side="right"))
            if stop > places[name]:
                places[name] = stop
                engine.consume(
                    Samples(
                        series=name,
                        rows=row,
                        time_ms=times[stop - 1 : stop],
                        value=values[stop - 1 : stop],
                        valid_ms=valid.get(name, OTHER_VALID_MS),
                        interval_ms=max(STEP_MS, past.oi_interval_ms),
                    )
                )
        yield from engine.tick(now_ms).notices
    yield from engine.flush().notices
