"""Another rule set while the engine runs: what lives on, what ends, what begins.

A rule goes on when its id, its condition (`when` and `clear`) and `per` are what they were; everything else about it may
change. Its alerts, clocks and cooldowns stay. Of any other rule the alerts end, told as closed with the reason, and what
takes its place begins as after a start.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bot.alerts.book import RuleBook
from bot.rules.schema import Rule
from bot.texts import mark

REMOVED: Final = mark("its rule was removed")
SWITCHED_OFF: Final = mark("its rule was switched off")
CHANGED: Final = mark("the condition of its rule was changed")


@dataclass(frozen=True, slots=True)
class RuleChange:
    """From one rule set to another. All values are of enabled rules."""

    rules: tuple[Rule, ...]
    """Those that watch from now on, in order."""
    ended: Mapping[str, str]
    """Ids of rules that do not go on, and why."""
    fresh: tuple[Rule, ...]
    """Rules that begin."""
    remeasured: frozenset[str]
    """Rules that go on and measure something else."""

    @classmethod
    def between(cls, before: Sequence[Rule], after: Sequence[Rule]) -> "RuleChange":
        """`before`: the rules that watch; `after`: all rules that are to be there, also those that are switched off."""
        found = {r.id: r for r in after}
        old = {r.id: r for r in before}
        enabled = tuple(r for r in after if r.enabled)
        ended = {r.id: why for r in before if (why := _why_ended(r, found.get(r.id)))}
        return cls(
            rules=enabled,
            ended=ended,
            fresh=tuple(r for r in enabled if r.id not in old or r.id in ended),
            remeasured=frozenset(
                r.id for r in enabled if r.id in old and r.id not in ended and r.value != old[r.id].value
            ),
        )


def _why_ended(before: Rule, after: Rule | None) -> str:
    """Empty for a rule that goes on."""
    if after is None:
        return REMOVED
    if not after.enabled:
        return SWITCHED_OFF
    same = after.condition_hash == before.condition_hash and after.per == before.per
    return "" if same else CHANGED


def rebook(books: dict[str, RuleBook], change: RuleChange, fresh: Mapping[str, RuleBook]) -> None:
    """Let the books be those of the new set, in its order. `fresh`: an empty book for each rule of it."""
    kept = dict(books)
    books.clear()
    for rule in change.rules:
        empty = fresh[rule.id]
        book = kept.get(rule.id)
        if book is None or rule.id in change.ended:
            books[rule.id] = empty
            continue
        book.follow(empty.policy, empty.measures, is_remeasured=rule.id in change.remeasured)
        books[rule.id] = book
