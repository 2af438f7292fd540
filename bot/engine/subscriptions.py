"""Alerts that people make in chat, inside the engine: what they measure, their ticks, and what is told of them.

The threshold book knows texts, keys and numbers; here the texts become expressions that the plan computes for all of
them at each tick, and changes become notices like those of rules.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final

import numpy as np

from bot.alerts.book import Change, policy_gap_ms
from bot.alerts.seen import Ticks
from bot.alerts.threshold_book import ThresholdBook
from bot.alerts.threshold_columns import Facts, Outcome
from bot.market.series import PARTS
from bot.model.alert import AlertRecord, State
from bot.model.chat_alert import AlertLife, AlertRemoved, ChatAlert, StoredAlerts, is_alert_id
from bot.model.instrument import Instrument
from bot.model.updates import F64
from bot.rules.ast import Compare, Expr, Number, series_used, text, windows_used
from bot.rules.evaluator import Evaluation
from bot.rules.meter import Measured
from bot.rules.numbers import Mask
from bot.rules.parse import parse_value
from bot.rules.program import EVERYWHERE, Program
from bot.rules.schema import Rule, Severity
from bot.texts import mark

GONE: Final = mark("the instrument left the venue")
DELETED: Final = mark("it was deleted")
"""What `AlertRemoved` says where nobody gave a reason."""
GONE_MEANWHILE: Final = mark("the instrument left the venue while the bot was down")


@cache
def expr_of(measure: str) -> Expr:
    """The expression of a measure's canonical text; it was checked when the alert was made."""
    parsed = parse_value(measure)
    if parsed.expr is None:
        raise ValueError(f"{measure!r}: expected a measure of the rule language, found {parsed.faults[0].message}")
    return parsed.expr


@cache
def uses_oi(measure: str) -> bool:
    """Whether a measure reads open interest, so that a short `for` waits for the next poll."""
    return any("oi" in PARTS.get(s, ()) for s in series_used(expr_of(measure)))


@dataclass(slots=True)
class Heard:
    """What the alerts of one step changed, and by id what they are about."""

    changes: list[Change] = field(default_factory=list)
    records: list[AlertRecord] = field(default_factory=list)
    facts: dict[str, Facts] = field(default_factory=dict)

    def take(self, outcome: Outcome) -> None:
        self.changes += outcome.changes
        self.records += outcome.records
        self.facts |= outcome.facts


class Subscriptions:
    """All chat alerts of one engine."""

    def __init__(self, records: Iterable[AlertRecord], *, step_ms: int) -> None:
        self.book = ThresholdBook(max_gap_ms=policy_gap_ms(step_ms))
        self._records = {r.rule_id: r for r in records if is_alert_id(r.rule_id)}
        """Stored lives of alerts that have not come yet."""
        self._compiled: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.book)

    # -- in ------------------------------------------------------------------------------------------------------

    def add(self, alert: ChatAlert, instruments: Mapping[str, int]) -> None:
        """Let an alert live; `instruments`: rows of those that are listed."""
        row = instruments.get(alert.instrument)
        if row is not None and not self.book.is_placed(alert.instrument):
            self.book.place([(row, alert.instrument)])
        self.book.add(alert, self._records.pop(alert.id, None), uses_oi=uses_oi(alert.measure))

    def load(self, many: StoredAlerts) -> None:
        """Let stored alerts live, as they were when that was stored."""
        self.book.load(many, uses_oi=uses_oi)

    def remove(self, item: AlertRemoved) -> Outcome:
        return self.book.remove(item.alert_id, item.at_ms, item.reason)

    def records(self) -> Iterator[AlertRecord]:
        """The stored state of all that have one."""
        yield from self.book.records()
        yield from self._records.values()

    def take_lost(self) -> list[AlertRecord]:
        """Stored lives whose alert is gone, once all alerts have come."""
        lost = [r for r in self._records.values() if r.state is not State.INACTIVE]
        self._records.clear()
        return lost

    def unlist(self, removed: Iterable[Instrument], now_ms: int) -> Heard:
        """Instruments left the venue."""
        heard = Heard()
        for instrument in removed:
            heard.take(self.book.unplace(instrument.key, now_ms, GONE))
        return heard

    def drop_absent(self, venue: str, listed: frozenset[str], now_ms: int) -> Heard:
        """A full list: close what fires on an instrument that left while nobody watched."""
        heard = Heard()
        for key in self.book.absent():
            if key.startswith(f"{venue}:") and key not in listed:
                heard.take(self.book.unplace(key, now_ms, GONE_MEANWHILE))
        return heard

    # -- what is measured ----------------------------------------------------------------------------------------

    @property
    def is_stale(self) -> bool:
        """Whether other numbers are measured now than those the plan computes."""
        return tuple(self.book.measures) != self._compiled

    def compile(self) -> Sequence[Expr]:
        """What the plan has to compute at each tick."""
        self._compiled = tuple(self.book.measures)
        return [expr_of(m) for m in self._compiled]

    # -- ticks ---------------------------------------------------------------------------------------------------

    def tick(self, evaluation: Evaluation, program: Program, ticks: Ticks, trading: Mask) -> Heard:
        """Move all alerts through a block."""
        rows = [program.row(expr_of(m), EVERYWHERE) for m in self._compiled]
        at = np.array([row for row in rows if row is not None], dtype=np.int64)
        assert len(at) == len(rows)
        heard = Heard()
        for t, now_ms in enumerate(ticks.now_ms.tolist()):
            values: F64 = np.ascontiguousarray(evaluation.values[at, t])
            outcome = self.book.tick(now_ms, values, trading, ticks.oi_ms[t], ticks.oi_interval_ms[t])
            # Several ticks are one block only on history; a change says in which tick of it it happened.
            outcome.changes = [_at_tick(c, t) for c in outcome.changes] if t else outcome.changes
            heard.take(outcome)
        return heard

    # -- looking -------------------------------------------------------------------------------------------------

    def life(self, alert_id: str, now_ms: int) -> AlertLife | None:
        return self.book.life(alert_id, now_ms)

    def alerts(self) -> Iterator[ChatAlert]:
        return self.book.alerts()

    def facts(self, alert_id: str) -> Facts | None:
        """What an alert is about; None for one that is gone."""
        return self.book.facts(alert_id)

    def value(self, alert_id: str, row: int, evaluation: Evaluation, program: Program) -> float | None:
        """What an alert measures at the first tick of a block; None where it is unknown."""
        facts = self.book.facts(alert_id)
        at = None if facts is None else program.row(expr_of(facts.measure), EVERYWHERE)
        value = np.nan if at is None else float(evaluation.values[at, 0, row])
        return value if np.isfinite(value) else None


def _at_tick(change: Change, t: int) -> Change:
    return replace(change, t=t)


def rule_of(alert_id: str, facts: Facts) -> Rule:
    """An alert as a rule, for messages."""
    expr = expr_of(facts.measure)
    when = Compare(facts.op, expr, Number(facts.level, "%" if facts.is_ratio else ""))
    return Rule(
        id=alert_id,
        when=when,
        name=f"{text(when)} · {facts.note}" if facts.note else text(when),
        severity=_SEVERITIES[facts.severity],
        notify=(facts.chat,),
        silent=facts.silent,
    )


_SEVERITIES: Final[dict[str, Severity]] = {"info": "info", "warning": "warning", "critical": "critical"}


def measured(change: Change, facts: Facts) -> Measured:
    """What a change of an alert measured."""
    return Measured(
        value=change.value,
        option=0,
        text=facts.measure,
        is_ratio=facts.is_ratio,
        threshold=facts.level,
        direction=1 if facts.op in {">", ">="} else -1,
        window_ms=max((w for _, w, _ in windows_used(expr_of(facts.measure))), default=0),
    )
