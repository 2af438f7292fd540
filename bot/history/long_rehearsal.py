"""What conditions would have done over the stored history of one instrument: the same engine, the same life, over bars."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from bot.engine.history_run import run
from bot.engine.subscriptions import expr_of
from bot.history.asking import History, Stepped, step_of
from bot.history.long_view import on_one
from bot.history.playing import columns_of, longest_ms
from bot.history.rehearsal import FIRST_LOOKS, waits_ms
from bot.history.surveying import pieces
from bot.model.alert import Notice, TellKind
from bot.model.chat_alert import ChatAlert
from bot.model.history import BAR_MS, BarGrid
from bot.model.rehearsal import Rehearsed
from bot.rules.resolution import answerable, facts_of, limits_of
from bot.rules.schema import Rule

OI_STEPS: Final = 3
"""A sample of open interest is taken to speak for so many of its steps."""


def rehearse_long(
    history: History, alerts: Sequence[ChatAlert], rules: Sequence[Rule], key: str, from_ms: int, to_ms: int
) -> dict[str, Rehearsed]:
    """Run them, by id; what the bars cannot answer is left out. A condition that is true from the first does not count.

    `span_ms` of what is found is the time of which prices, and open interest where it is asked for, are known.
    """
    step_ms = step_of(history, (key,), from_ms, to_ms)
    bars = Stepped(history, step_ms)
    from_ms, to_ms = from_ms // step_ms * step_ms, to_ms // step_ms * step_ms
    asked = {alert.id: Rule(alert.id, expr_of(alert.measure)) for alert in alerts} | {rule.id: rule for rule in rules}
    columns = columns_of(list(asked.values()))
    # A few weeks of one instrument are one piece.
    grids = [bars.grid((key,), *piece, columns) for piece in pieces(from_ms, to_ms, step_ms, 1)]
    if not grids:
        return {}
    facts = facts_of(max(grids, key=lambda grid: np.count_nonzero(np.isfinite(grid.columns["close"]))))
    found = {one.id for one in answerable(list(asked.values()), limits_of(list(asked.values()), facts))}
    instrument = grids[0].instruments[0]
    running = [on_one(rule, instrument) for rule in rules if rule.id in found]
    fired: dict[str, list[Notice]] = {id_: [] for id_ in found}
    known_from = {rule.id: _begun_ms(rule, grids) + longest_ms(rule) for rule in running}
    first_looks = {rule.id: waits_ms(rule, facts.oi_step_ms) + FIRST_LOOKS * step_ms for rule in running}
    for item in run(running, grids, alerts=[alert for alert in alerts if alert.id in found]):
        if not isinstance(item, Notice) or item.kind is not TellKind.FIRE:
            continue
        if item.at_ms > known_from.get(item.rule_id, 0) + first_looks.get(item.rule_id, 0):
            fired[item.rule_id].append(item)
    close = np.concatenate([grid.columns["close"][:, 0] for grid in grids])
    span = {False: int(np.isfinite(close).sum()) * step_ms}
    if "oi" in columns:
        oi = np.isfinite(np.concatenate([grid.columns["oi"][:, 0] for grid in grids]))
        n_steps = max(1, OI_STEPS * max(facts.oi_step_ms, BAR_MS) // step_ms)
        lately = np.convolve(oi, np.ones(n_steps), "full")[: len(oi)] > 0
        span[True] = int((lately & np.isfinite(close)).sum()) * step_ms
    return {
        id_: Rehearsed(
            len(told),
            span["oi" in columns_of([asked[id_]])],
            told[-1].at_ms if told else None,
            told[-1].view.value if told else None,
        )
        for id_, told in fired.items()
    }


def _begun_ms(rule: Rule, grids: Sequence[BarGrid]) -> int:
    """The first close from which on there is something of each column that the rule looks at."""
    firsts = []
    for name in columns_of([rule]):
        known = (grid.close_ms[np.isfinite(grid.columns[name][:, 0])] for grid in grids)
        firsts.append(next((int(closes[0]) for closes in known if len(closes)), int(grids[-1].close_ms[-1])))
    return max(firsts)
