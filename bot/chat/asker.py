"""Who asks, and where: what answers depend on beside the command itself."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Asker:
    """One person in one chat, by names that are also stored with what they make."""

    chat: str
    """`terminal`, or `telegram:` and the number of the chat."""
    user: str
    """`terminal`, or `telegram:` and the number of the user."""
    is_owner: bool = False
    """May change what others made."""
    name: str = ""
    """What people call them, as they wrote it themselves; never trusted."""
    place: str = ""
    """The destination below whose message a button was pressed; empty for what was typed, and for answers."""

    def may_change(self, maker: str) -> bool:
        """Whether something that `maker` made in this chat may be changed."""
        return self.is_owner or maker == self.user


AT_TERMINAL: Final = Asker("terminal", "terminal", is_owner=True)
"""Who can type there owns the process."""


def in_telegram(chat_id: int, user_id: int, *, is_owner: bool, name: str = "") -> Asker:
    return Asker(f"telegram:{chat_id}", f"telegram:{user_id}", is_owner=is_owner, name=name)


def telegram_number(name: str) -> int | None:
    """The number in the name of a user or chat of Telegram; None for another's."""
    kind, _, number = name.partition(":")
    return int(number) if kind == "telegram" and number.removeprefix("-").isdecimal() else None
