"""From notices to outbox rows: which destinations a rule's `notify` names mean, and who else subscribes.

`main` is the default destination, or all of those that the settings describe where there is no file of destinations. What
was asked for in a chat is told in that chat and nowhere else: its name, such as `telegram:-1001`, leads to a destination of
its own, unless a described one goes to that chat anyway.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from bot.model.alert import Notice
from bot.model.chat_alert import is_alert_id
from bot.model.destinations import Described
from bot.model.outbox import OutboxRow, row_id
from bot.rules.schema import CHAT_PREFIX

MAIN: Final = "main"


@dataclass(frozen=True, slots=True)
class Routes:
    """Names that rules may use, and the destinations behind each."""

    by_name: Mapping[str, tuple[str, ...]]

    by_chat: dict[str, str] = field(default_factory=dict)
    """The destination of each chat in which alerts can be made; a chat that becomes another is added."""

    subscribers: tuple[Described, ...] = ()
    """Destinations that also get what matches their selectors."""

    @classmethod
    def of(cls, destinations: Sequence[str], *, chats: Mapping[str, str] | None = None) -> "Routes":
        """Each destination under its own name, and all of them as `main`."""
        names = {name: (name,) for name in destinations}
        return cls({**names, MAIN: tuple(destinations)}, dict(chats or {}))

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.by_name)

    @property
    def places(self) -> frozenset[str]:
        """All destinations that something may be told at."""
        named = {name for names in self.by_name.values() for name in names}
        return frozenset(named | set(self.by_chat.values()) | {d.name for d in self.subscribers})

    def rows(self, notices: Sequence[Notice]) -> tuple[OutboxRow, ...]:
        """One row per notice and destination, each destination once."""
        return tuple(row_of(notice, name) for notice in notices for name in self.destinations(notice))

    def of_chat(self, chat: str) -> tuple[str, ...]:
        """Where what was asked for in a chat is told; `main` where the chat is gone."""
        return (self.by_chat[chat],) if chat in self.by_chat else self.by_name[MAIN]

    def destinations(self, notice: Notice) -> tuple[str, ...]:
        """Who is told, each once. A name or chat that is gone means `main`: rather too many than nobody."""
        return self.of_rule(notice.rule_id, notice.notify, notice.severity, notice.view.tags)

    def of_rule(self, rule_id: str, notify: Sequence[str], severity: str, tags: tuple[str, ...]) -> tuple[str, ...]:
        """Who is told of the alerts of a rule."""
        if is_alert_id(rule_id) or rule_id.startswith(CHAT_PREFIX):
            return tuple(dict.fromkeys(name for chat in notify for name in self.of_chat(chat)))
        main = self.by_name[MAIN]
        named = [name for wanted in notify for name in self.by_name.get(wanted, main)]
        also = [d.name for d in self.subscribers if d.wants(severity, tags)]
        return tuple(dict.fromkeys([*named, *also]))


def row_of(notice: Notice, destination: str) -> OutboxRow:
    return OutboxRow(
        id=row_id(notice.key, notice.kind, notice.n, destination),
        key=notice.key,
        kind=notice.kind,
        destination=destination,
        severity=notice.severity,
        created_ms=notice.at_ms,
        view=notice.view,
    )
