"""Who asks, and where: what answers depend on beside the command itself."""

from dataclasses import dataclass
from typing import Final

from bot.model.access import is_least
from bot.model.members import Role


@dataclass(frozen=True, slots=True)
class Asker:
    """One person in one chat, by names that are also stored with what they make."""

    chat: str
    """`terminal`, or `telegram:` and the number of the chat."""
    user: str
    """`terminal`, or `telegram:` and the number of the user."""
    role: Role | None = None
    """What they may do here; None: nothing."""
    name: str = ""
    """What people call them, as they wrote it themselves; never trusted."""
    place: str = ""
    """The destination below whose message a button was pressed; empty for what was typed, and for answers."""

    topic: int | None = None
    """Of a group that has topics, where it was asked in one."""

    @property
    def is_owner(self) -> bool:
        """May do everything everywhere."""
        return self.role is Role.OWNER

    @property
    def is_private(self) -> bool:
        """Whether nobody else reads along."""
        return self.chat == self.user

    def for_all(self, did: str) -> str:
        """A line for the audit log where what was set concerns others; empty in a private chat."""
        return "" if self.is_private else f"{did} in {self.chat}"

    def is_least(self, role: Role) -> bool:
        """Whether they may do what needs that role."""
        return is_least(self.role, role)

    def may_change(self, maker: str) -> bool:
        """Whether something that `maker` made in this chat may be changed."""
        return self.is_least(Role.ADMIN) or maker == self.user


AT_TERMINAL: Final = Asker("terminal", "terminal", Role.OWNER)
"""Who can type there owns the process."""


def in_telegram(
    chat_id: int,
    user_id: int,
    *,
    is_owner: bool = False,
    role: Role | None = Role.MEMBER,
    name: str = "",
    topic: int | None = None,
) -> Asker:
    """`is_owner` goes before `role`."""
    who = Role.OWNER if is_owner else role
    return Asker(f"telegram:{chat_id}", f"telegram:{user_id}", who, name=name, topic=topic)


def telegram_number(name: str) -> int | None:
    """The number in the name of a user or chat of Telegram; None for another's."""
    kind, _, number = name.partition(":")
    return int(number) if kind == "telegram" and number.removeprefix("-").isdecimal() else None
