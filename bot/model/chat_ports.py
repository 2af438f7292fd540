"""Ports around chats: buttons below messages, and groups that move."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from bot.model.buttons import Keyboard


class ButtonStore(Protocol):
    """What stands behind the buttons of messages, over restarts."""

    async def put(self, keyboard: Keyboard) -> None:
        """Store one; of one that is there already only `issued_ms` changes."""
        ...

    async def get(self, keyboard_id: str) -> Keyboard | None: ...

    async def prune(self, *, before_ms: int, keep: int) -> int:
        """Forget those issued before that time, and all but the `keep` latest. Returns how many went."""
        ...


class ButtonIssuer(Protocol):
    """What delivery may ask of the chat's buttons."""

    async def issue(
        self, commands: Sequence[str], *, chat: str, user: str = "", place: str = "", origin: str = ""
    ) -> tuple[str, ...]:
        """What to put behind each button (callback data of at most 64 bytes), in order. Never raises; a button that could
        not be stored lives as long as this process.
        """
        ...


class ChatMoves(Protocol):
    """Chats that became others, such as a group that became a supergroup."""

    async def move(self, old: str, new: str) -> None:
        """Let everything that belongs to a chat belong to another, all of it or nothing: alerts, buttons."""
        ...

    async def rename(self, old: str, new: str) -> None:
        """Let everything of a destination belong to one of another name, all of it or nothing: what is to be told and
        was, silences, acknowledgements, quiet hours, what its lane remembers.
        """
        ...


class ChatFollower(Protocol):
    """Where Telegram groups went that became supergroups."""

    listeners: list[Callable[[int, int], None]]
    """Called with the old and the new number of each group that moves."""

    def now(self, chat_id: int) -> int:
        """The number of a chat today; its own where it did not move."""
        ...

    async def moved(self, old: int, new: int) -> None:
        """A group has another number: everything of it follows, at once and over restarts. Never raises."""
        ...


class Revival(Protocol):
    """What chat may ask about destinations that take no messages any more."""

    def dead(self) -> Mapping[str, str]:
        """Their names, and why."""
        ...

    def revive(self, name: str) -> bool:
        """Try one again now; False for one that is not dead, or not known."""
        ...
