"""Which firings were true when the bot first looked, so that nobody knows since when.

After a start without any stored state every condition that holds is news to the bot, but not to the market. Such alerts
live like all others and only are told differently: together, as "already true". It concerns what fires within five minutes
of the start and has been true ever since its first known evaluation; afterwards nothing is looked at any more.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from bot.alerts.book import Change
from bot.engine.faults import Faults
from bot.model.alert import TellKind
from bot.model.instrument import MARKET
from bot.model.truth import FALSE, TRUE, UNKNOWN
from bot.model.updates import I64
from bot.rules.numbers import Mask
from bot.rules.plan import PlanResult, is_event
from bot.rules.schema import Rule

FRESH_MS: Final = 300_000
NEVER_MS: Final = 1 << 60

S = TypeVar("S", bound=np.generic)


class AlreadyTrue:
    """Watches the first truths of all rules. Crossings are events: they are never already true."""

    def __init__(self, rules: Sequence[Rule], faults: Faults, *, is_fresh: bool) -> None:
        """`is_fresh`: nothing was stored by an earlier process."""
        self._faults = faults
        self._rules = tuple(r for r in rules if not is_event(r)) if is_fresh else ()
        self._until_ms: int | None = None
        self._seen: dict[str, Mask] = {}
        """Per rule and instrument: whether its truth was known once."""
        self._over_ms: dict[str, I64] = {}
        """Since when it is not so any more; 0 where it never was."""

    def go_on(self, rules: Mapping[str, Rule], ended: Collection[str]) -> None:
        """Look at the rules as they are now; by id. What was seen of those that ended counts no more."""
        self._rules = tuple(rules[r.id] for r in self._rules if r.id in rules and r.id not in ended)
        for rule_id in ended:
            self._seen.pop(rule_id, None)
            self._over_ms.pop(rule_id, None)

    def is_over(self, now_ms: int) -> bool:
        """Whether nothing that fires from now on can be said to have been true already."""
        if not (self._rules or self._over_ms):
            return True
        return self._until_ms is not None and now_ms > self._until_ms

    def look(self, result: PlanResult, now_ms: Sequence[int]) -> None:
        """Take in the truths of a block of ticks, before its changes are told."""
        if not self._rules:
            return
        if self._until_ms is None:
            self._until_ms = now_ms[0] + FRESH_MS
        elif now_ms[0] > self._until_ms:
            self._rules = ()
            self._seen.clear()
            self._over_ms.clear()
            return
        self._rules = tuple([rule for rule in self._rules if self._follow(rule, result, now_ms)])

    def _follow(self, rule: Rule, result: PlanResult, now_ms: Sequence[int]) -> bool:
        """Whether there is still something to see: an instrument not known yet, or one that is true ever since."""
        try:
            truth = result.truth(rule)
        except Exception as error:  # noqa: BLE001, of one rule; it is noted and logged
            self._faults.note("following its alerts", rule.id, error)
            return True
        width = truth.when.shape[1]
        seen = _widened(self._seen.get(rule.id), width, np.bool_)
        over_ms = _widened(self._over_ms.get(rule.id), width, np.int64)
        for when, members, at_ms in zip(truth.when, truth.members, now_ms, strict=True):
            known = (when != UNKNOWN) & members
            over_ms[(when == FALSE) & (over_ms == NEVER_MS)] = at_ms
            over_ms[known & ~seen & (when == TRUE)] = NEVER_MS
            seen |= known
        self._seen[rule.id], self._over_ms[rule.id] = seen, over_ms
        return bool((over_ms == NEVER_MS).any() or not (seen | ~truth.members[-1]).all())

    def is_so(self, change: Change) -> bool:
        """Whether a change tells of a firing that was already true."""
        if change.tell is not TellKind.FIRE or self._until_ms is None or change.fired_ms > self._until_ms:
            return False
        over_ms = self._over_ms.get(change.rule_id)
        row = 0 if change.instrument == MARKET else change.row
        # Of a block of ticks the later ones were seen before this is asked.
        return over_ms is not None and row < len(over_ms) and bool(over_ms[row] > change.fired_ms)


def _widened(values: npt.NDArray[S] | None, width: int, dtype: type[S]) -> npt.NDArray[S]:
    """Room for instruments that were listed since; nothing is known of them."""
    found = np.zeros(width, dtype=dtype)
    if values is not None:
        found[: len(values)] = values
    return found
