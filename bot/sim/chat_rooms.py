"""The chats behind a simulated Bot API: who is in them, their topics, pins, and whether the bot may write there."""

from dataclasses import dataclass, field
from typing import Any, Final

from bot.sim import chat_faults
from bot.sim.chat_faults import Fault, Json

MAX_TEXT: Final = 4_096
MAX_CAPTION: Final = 1_024


class Refusal(Exception):  # noqa: N818, an answer of the server and no fault of ours
    """An error answer."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault.status))
        self.fault = fault


@dataclass(slots=True)
class ChatMessage:
    """One message of the bot, as it stands in the chat now."""

    chat_id: int
    message_id: int
    source: str
    """As sent, with markup."""
    text: str
    """As people see it."""
    date: int
    reply_to: int | None = None
    markup: Any = None
    silent: bool = False
    edits: list[str] = field(default_factory=list)
    """Earlier texts, oldest first."""
    topic: int | None = None
    """`message_thread_id`."""
    photo: bytes = b""
    """The picture over the text, as uploaded."""
    document: bytes = b""
    """The file over the text, as uploaded."""

    @property
    def has_photo(self) -> bool:
        return bool(self.photo)


@dataclass(slots=True)
class Room:
    """One chat."""

    closed: str = ""
    """Why the bot may not write (`bot was blocked by the user` …); empty while it may."""
    migrated_to: int | None = None
    closed_topics: set[int] = field(default_factory=set)
    pinned: list[int] = field(default_factory=list)
    """Message ids, the newest last."""
    administrators: set[int] = field(default_factory=set)
    reactions: dict[int, str] = field(default_factory=dict)
    """The bot's, by message; empty where it took one away."""


class Rooms:
    """All chats of one bot. Every chat exists as soon as somebody writes to it, unless `is_strict`."""

    def __init__(self) -> None:
        self._rooms: dict[int, Room] = {}
        self.topics: dict[int, set[int]] = {}
        """Of chats that are forums; a message to another topic is refused."""
        self.is_strict = False
        """A private chat whose person never wrote refuses the bot, and unknown groups are not found."""

    def of(self, chat_id: int) -> Room:
        return self._rooms.setdefault(chat_id, Room())

    def enter(self, chat_id: int, topic: int | None = None) -> None:
        """The bot writes there. Raises `Refusal` as the server would."""
        if self.is_strict and chat_id not in self._rooms:
            if chat_id > 0:
                raise Refusal(chat_faults.telegram_error(403, "Forbidden: bot can't initiate conversation with a user"))
            raise Refusal(chat_faults.bad_request("chat not found"))
        room = self.of(chat_id)
        if room.migrated_to is not None:
            raise Refusal(
                chat_faults.bad_request(
                    "group chat was upgraded to a supergroup chat", migrate_to_chat_id=room.migrated_to
                )
            )
        if room.closed:
            raise Refusal(chat_faults.telegram_error(403, f"Forbidden: {room.closed}"))
        if topic is not None and topic not in self.topics.get(chat_id, ()):
            raise Refusal(chat_faults.bad_request("message thread not found"))
        if topic in room.closed_topics:
            raise Refusal(chat_faults.bad_request("TOPIC_CLOSED"))


def chat_json(chat_id: int) -> Json:
    if chat_id > 0:
        return {"id": chat_id, "type": "private", "first_name": "Owner"}
    return {"id": chat_id, "type": "supergroup" if chat_id < -(10**12) else "group", "title": "Group"}


def user_json(user_id: int, username: str) -> Json:
    return {"id": user_id, "is_bot": False, "first_name": username.title(), "username": username, "language_code": "en"}
