"""Where each firing was told, so that what follows it is told there, wherever the routes lead by then.

Rules and destinations may change while an alert fires. Its updates and its end belong to the messages that told it: whoever
saw the firing sees its end, and nobody else does. An escalation is news of its own: it also goes where the routes lead
now, and who hears of the alert by it hears of its end.
"""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from bot.alerts.muting import ENDINGS, group_of
from bot.model.alert import Notice, TellKind

MAX_FIRINGS: Final = 10_000
"""Of those before nothing is known. Not all end: what is told one time only, or is over at once, has no end to tell."""
OF_NO_FIRING: Final = frozenset({TellKind.LOST, TellKind.BACK})
"""A loss of data is stored like an alert that fires, but nothing tells it as a firing."""


class Followed:
    """Of the firings that go on."""

    def __init__(self, told: Mapping[str, Collection[str]] = MappingProxyType({})) -> None:
        """`told`: by the keys of firings, the oldest first, the destinations that they were told."""
        self._told: dict[str, tuple[str, ...]] = {}
        for key, names in told.items():
            self._keep(key, names)

    def __len__(self) -> int:
        return len(self._told)

    def of(
        self, notice: Notice, names: Iterable[str], places: Collection[str], unwilling: Collection[str] = ()
    ) -> tuple[str, ...]:
        """Who is told a notice, each once.

        Args:
            notice: What is told.
            names: Where the routes lead now.
            places: All destinations that there are.
            unwilling: Those of them that want no more of this alert than its end; with them their topics.
        """
        now, key, kind = tuple(names), notice.key, notice.kind
        if kind in OF_NO_FIRING:
            return now
        if kind is TellKind.FIRE:
            self._keep(key, (*self._told.get(key, ()), *now))
            return now
        told = self._told.pop(key, None) if kind in ENDINGS else self._told.get(key)
        if told is None:
            return now
        there = tuple(name for name in told if name in places)
        # Where nobody who saw it is left, rather others than nobody.
        is_lost = bool(told) and not there
        if kind in ENDINGS or is_lost:
            found = now if is_lost else there
        else:
            found = tuple(name for name in there if group_of(name) not in unwilling)
        if kind is TellKind.ESCALATE:
            # A topic of a group that knows of it, or the group of such a topic, would tell the same people twice.
            known = {group_of(name) for name in there}
            found += tuple(name for name in now if name not in found and group_of(name) not in known)
            self._keep(key, (*told, *found))
        return found

    def _keep(self, key: str, names: Iterable[str]) -> None:
        self._told[key] = tuple(dict.fromkeys(names))
        while len(self._told) > MAX_FIRINGS:
            del self._told[next(iter(self._told))]

    def rename(self, old: str, new: str) -> None:
        """What was told one destination was told another."""
        for key, names in self._told.items():
            if old in names:
                self._told[key] = tuple(dict.fromkeys(new if name == old else name for name in names))
