"""Which firings were true when the bot first looked, so that nobody knows since when.

After a start without any stored state every condition that holds is news to the bot, but not to the market. Such alerts
live like all others and only are told differently: together, as "already true". It concerns what fires within five minutes
of the start and has been true ever since its first known evaluation; afterwards nothing is looked at any more.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from bot.alerts.book import Change
from bot.model.alert import TellKind
from bot.model.instrument import MARKET
from bot.model.truth import FALSE, TRUE, UNKNOWN
from bot.rules.numbers import Mask
from bot.rules.plan import PlanResult, is_event
from bot.rules.schema import Rule

FRESH_MS: Final = 300_000


class AlreadyTrue:
    """Watches the first truths of all rules. Crossings are events: they are never already true."""

    def __init__(self, rules: Sequence[Rule], *, is_fresh: bool) -> None:
        """`is_fresh`: nothing was stored by an earlier process."""
        self._rules = tuple(r for r in rules if not is_event(r)) if is_fresh else ()
        self._until_ms: int | None = None
        self._seen: dict[str, Mask] = {}
        """Per rule and instrument: whether its truth was known once."""
        self._held: dict[str, Mask] = {}
        """Whether it was true then and has not been false since."""

    def look(self, result: PlanResult, now_ms: Sequence[int]) -> None:
        """Take in the truths of a block of ticks, before its changes are told."""
        if not self._rules:
            return
        if self._until_ms is None:
            self._until_ms = now_ms[0] + FRESH_MS
        elif now_ms[0] > self._until_ms:
            self._rules = ()
            self._seen.clear()
            self._held.clear()
            return
        for rule in self._rules:
            self._follow(rule, result)

    def _follow(self, rule: Rule, result: PlanResult) -> None:
        truth = result.truth(rule)
        width = truth.when.shape[1]
        seen, held = (_widened(masks.get(rule.id), width) for masks in (self._seen, self._held))
        for when, members in zip(truth.when, truth.members, strict=True):
            known = (when != UNKNOWN) & members
            held = (held & (when != FALSE)) | (known & ~seen & (when == TRUE))
            seen |= known
        self._seen[rule.id], self._held[rule.id] = seen, held

    def is_so(self, change: Change) -> bool:
        """Whether a change tells of a firing that was already true."""
        if change.tell is not TellKind.FIRE or self._until_ms is None or change.fired_ms > self._until_ms:
            return False
        held = self._held.get(change.rule_id)
        row = 0 if change.instrument == MARKET else change.row
        return held is not None and row < len(held) and bool(held[row])


def _widened(mask: Mask | None, width: int) -> Mask:
    """Room for instruments that were listed since; nothing is known of them."""
    found = np.zeros(width, dtype=np.bool_)
    if mask is not None:
        found[: len(mask)] = mask
    return found
