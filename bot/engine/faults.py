"""Faults of our own in the middle of a tick: each costs what it must and no more, and is said once.

Promises: what fails is logged with its traceback the first time and counted after that; nothing raises.
"""

from bot import log
from bot.texts import say

_log = log.get("engine")


class Faults:
    """Counts by what failed: a rule's walk, or the message of a change."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {}

    def note(self, where: str, rule_id: str, error: Exception) -> None:
        """`where` is what was being done."""
        n = self.counts.get((where, rule_id), 0)
        self.counts[where, rule_id] = n + 1
        if n == 0:
            _log.error("rule.failed", where=where, rule=rule_id, exc_info=error)

    def lines(self) -> tuple[str, ...]:
        """For `/status`."""
        return tuple(
            say(
                "Rule {rule_id} failed {n} times while {where}: a fault of the bot, see its log.",
                rule_id=rule_id,
                n=n,
                where=where,
            )
            for (where, rule_id), n in self.counts.items()
        )
