"""Who is known beside members: strangers who asked, groups that were put on the list, and what people changed.

People and chats are named as `Asker` has them: `telegram:71`. All times are wall time in epoch ms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from bot.model.members import Role

DAY_MS: Final = 86_400_000
ASK_EVERY_MS: Final = DAY_MS
"""One card about a stranger, at most."""
STRANGERS_KEPT_MS: Final = 30 * DAY_MS
"""How long somebody is remembered who asked; those who are blocked stay."""
MAX_STRANGERS: Final = 10_000
AUDIT_KEPT_MS: Final = 90 * DAY_MS
MAX_GROUPS: Final = 200
FORGOTTEN: Final = "forgotten"
"""Stands for a person in what must stay after they asked to be forgotten."""


class Standing(StrEnum):
    """How it stands with somebody who is no member."""

    ASKED = "asked"
    DECLINED = "declined"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody who asked to be let in."""

    user: str
    chat: str
    name: str
    """As they wrote it themselves; never trusted, as `handle`."""
    handle: str
    """Their user name; empty for none."""
    standing: Standing
    asked_ms: int
    """When a card about them was last shown."""
    by: str = ""
    """Who decided; empty while nobody has."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group that somebody of ours put on the list."""

    chat: str
    title: str
    """As its people wrote it; never trusted."""
    since_ms: int
    by: str


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the audit log."""

    at_ms: int
    user: str
    """Who did it."""
    chat: str
    """Where."""
    what: str
    """In words, such as `made telegram:72 a member`."""


class StrangerStore(Protocol):
    """People at the door."""

    async def put(self, stranger: Stranger) -> None:
        """Keep, in the place of what was known of that `user`."""
        ...

    async def drop(self, user: str) -> bool:
        """Forget somebody; False where there was nobody."""
        ...

    async def all(self) -> Sequence[Stranger]:
        """Those who asked first come first."""
        ...

    async def prune(self, *, before_ms: int, keep: int) -> int:
        """Forget those who asked before that time and are not blocked, then the oldest beyond `keep`. How many went."""
        ...


class GroupStore(Protocol):
    """Groups on the list, beside those of the settings."""

    async def put(self, group: Group) -> None: ...

    async def drop(self, chat: str) -> bool:
        """False where it was not on the list."""
        ...

    async def all(self) -> Sequence[Group]:
        """The oldest first."""
        ...


class AuditLog(Protocol):
    """Who changed what, and when. Lines are only added, and pruned by age."""

    async def add(self, change: Change) -> None: ...

    async def latest(self, limit: int, offset: int = 0) -> Sequence[Change]:
        """The newest first."""
        ...

    async def prune(self, *, before_ms: int) -> int: ...


Rows = Sequence[Mapping[str, object]]
"""Stored rows by name of column; values are plain JSON."""


class PersonalData(Protocol):
    """All that is stored about one person."""

    async def export(self, user: str) -> Mapping[str, Rows]:
        """By name of table, those that hold something: what they made, what was made for them, what names them."""
        ...

    async def forget(self, user: str) -> None:
        """In one transaction: delete what is theirs alone (role, request, alerts, stops, risk, buttons, silences and quiet
        hours of their private chat), and put `FORGOTTEN` where a group or the audit log still needs the line.
        """
        ...


def is_least(role: Role | None, least: Role) -> bool:
    """Whether somebody may do what needs `least`; nobody without a role may."""
    return role is not None and _RANK[role] <= _RANK[least]


_RANK: Final = {role: n for n, role in enumerate(Role)}
