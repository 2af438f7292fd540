"""Who may use which command where: one decision, over the rows of the table. Pure.

| role | may |
|---|---|
| viewer, and anyone in a listed group | look |
| member | also make alerts, silences and stops, and change their own |
| admin | also change what others made, the settings of groups, let people in |
| owner | everything: admins, what concerns all chats, the bot itself |

What a command does to a thing of somebody else is decided where the thing is known, by `Asker.may_change`.
"""

from typing import Final

from bot.chat.asker import Asker
from bot.chat.spec import CommandSpec
from bot.model.access import is_least
from bot.model.members import Role
from bot.texts import mark, say

RATES: Final = {Role.OWNER: 20, Role.ADMIN: 20, Role.MEMBER: 20, Role.VIEWER: 10}
"""Commands a minute, of one person."""
ALERTS: Final = {Role.OWNER: 1_000, Role.ADMIN: 200, Role.MEMBER: 50, Role.VIEWER: 0}
"""Alerts that one person may have in one chat; the settings limit what a chat may have in all."""
_WHO: Final = {
    Role.OWNER: mark("the owner"),
    Role.ADMIN: mark("admins"),
    Role.MEMBER: mark("members"),
    Role.VIEWER: mark("people whom I know"),
}


def needed(spec: CommandSpec, words: tuple[str, ...], *, in_group: bool) -> Role:
    """The least role for a command with these words."""
    if spec.looks is not None and spec.looks(words):
        return Role.VIEWER
    return spec.needs_in_group if in_group and spec.needs_in_group is not None else spec.needs


def may(asker: Asker, spec: CommandSpec, words: tuple[str, ...]) -> bool:
    """Whether somebody may use a command there."""
    return is_least(asker.role, needed(spec, words, in_group=not asker.is_private))


def refusal(asker: Asker, spec: CommandSpec, words: tuple[str, ...]) -> str | None:
    """Why not, in words for people; None where they may."""
    if may(asker, spec, words):
        return None
    role = needed(spec, words, in_group=not asker.is_private)
    where = say(" in groups") if not asker.is_private and spec.needs_in_group is not None else ""
    return say("Only {who} may do that{where}.", who=say(_WHO[role]), where=where)


def alerts_of(role: Role | None) -> int:
    """How many alerts one person may have in one chat."""
    return 0 if role is None else ALERTS[role]


def rate_of(role: Role | None) -> int:
    """Commands a minute; strangers at the door have that of viewers."""
    return RATES[role if role is not None else Role.VIEWER]
