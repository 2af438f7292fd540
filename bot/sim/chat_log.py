"""What people saw happen in their chats, in order: the story that tests compare with what the bot wanted to tell."""

from dataclasses import dataclass
from enum import StrEnum


class What(StrEnum):
    """A change in a chat."""

    NEW = "new"
    EDIT = "edit"
    DELETE = "delete"
    PIN = "pin"
    UNPIN = "unpin"


@dataclass(frozen=True, slots=True)
class Happening:
    """One change in one chat, by the bot."""

    service: str
    """`telegram` or `discord`."""
    chat: str
    """The Telegram chat's id, or the webhook's."""
    what: What
    message_id: str
    text: str
    """As people see it from now on; empty for what changes no text."""
    at_ms: float
    """Monotonic, of the server's clock."""
    reply_to: str | None = None
