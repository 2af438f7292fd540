"""What fired and ended while it was muted, as one row for a destination. Pure."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bot.model.alert import TellKind, short_id
from bot.model.instrument import MARKET
from bot.model.outbox import OutboxRow, row_id
from bot.model.view import AlertView, HeldBack, Missed

MAX_RULES: Final = 20
MAX_NAMED: Final = 40
"""Alerts named with their ids; the others are counted, and the database knows which row tells them."""
MIN_NAMED: Final = 3
_SEVERITIES: Final = ("info", "warning", "critical")


@dataclass(frozen=True, slots=True)
class Over:
    """One alert that is over, in short: a long silence may keep many."""

    key: str
    rule_id: str
    title: str
    coin: str
    short_id: str
    severity: str
    fired_ms: int
    held_back: tuple[HeldBack, ...] = ()
    """What it kept quiet by itself, as its end says."""


def summary_row(over: Sequence[Over], destination: str, now_ms: int, reasons: Sequence[str]) -> OutboxRow:
    """One row that tells them all. Derived: the same alerts give the same row."""
    keys = "\n".join(sorted(one.key for one in over))
    key = hashlib.sha256(f"summary\n{destination}\n{keys}".encode()).hexdigest()
    severity = max((one.severity for one in over), key=_rank)
    view = AlertView(
        rule_id="",
        title="While muted",
        symbol=MARKET,
        venue="",
        base="",
        severity=severity,
        short_id=short_id(key),
        kind=TellKind.SUMMARY.value,
        at_ms=now_ms,
        fired_ms=min(one.fired_ms for one in over),
        condition="",
        value_text="",
        value=None,
        value_is_ratio=False,
        n_true=len(over),
        reason=", ".join(reasons),
        missed=_missed(over),
    )
    return OutboxRow(
        id=row_id(key, TellKind.SUMMARY, 0, destination),
        key=key,
        kind=TellKind.SUMMARY,
        destination=destination,
        severity=severity,
        created_ms=now_ms,
        view=view,
    )


def _rank(severity: str) -> int:
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else 1


def _missed(over: Sequence[Over]) -> tuple[Missed, ...]:
    """By rule, the rule with the most alerts first; the least frequent of very many are one line."""
    by_rule: dict[str, list[Over]] = {}
    for one in sorted(over, key=lambda one: (-one.fired_ms, one.key)):
        by_rule.setdefault(one.rule_id, []).append(one)
    rules = sorted(by_rule.values(), key=lambda found: (-len(found), found[0].title))
    n_named = max(MIN_NAMED, MAX_NAMED // min(len(rules), MAX_RULES))
    told = [
        Missed(found[0].title, len(found), tuple((one.coin, one.short_id) for one in found[:n_named]))
        for found in rules[:MAX_RULES]
    ]
    held: Counter[str] = Counter()
    for one in over:
        held.update({about.title: about.n for about in one.held_back})
    told += [Missed(title, n, (), "held back") for title, n in held.most_common(MAX_RULES)]
    if rest := rules[MAX_RULES:]:
        told.append(Missed(str(len(rest)), sum(len(found) for found in rest), (), "rest"))
    return tuple(told)
