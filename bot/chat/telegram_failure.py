"""Why a call to the Bot API failed, by what to do about it. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    EndPointNotFound,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)

_UNREADABLE = ("can't parse", "is too long", "message text is empty", "button_data_invalid", "too_long")
_CANNOT_EDIT = (
    "there is no text in the message to edit",
    "message to edit not found",
    "message can't be edited",
    "message_id_invalid",
)
_TOO_LATE = ("query is too old",)
_NO_TOPIC = ("thread not found", "topic_closed", "topic_deleted")


class Kind(StrEnum):
    """Why a call failed, by what to do about it."""

    UNAUTHORIZED = "unauthorized"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    WEBHOOK = "webhook"
    FLOOD = "flood"
    FORBIDDEN = "forbidden"
    MIGRATED = "migrated"
    NOT_MODIFIED = "not_modified"
    CANNOT_EDIT = "cannot_edit"
    NO_TOPIC = "no_topic"
    UNREADABLE = "unreadable"
    """Telegram refuses our text or buttons."""
    TOO_LATE = "too_late"
    """For a press of a button, whose person waits no more."""
    BAD_REQUEST = "bad_request"
    TIMED_OUT = "timed_out"
    """Perhaps it arrived."""
    NETWORK = "network"
    BUSY = "busy"
    """Not tried: our own limits leave no room for what can wait."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that did not work. `text` is safe to log."""

    kind: Kind
    text: str
    retry_after_s: float = 0.0
    new_chat_id: int | None = None
    """Of a group that became a supergroup."""


def _bad_request(text: str) -> Kind:
    low = text.casefold()
    if "is not modified" in low:
        return Kind.NOT_MODIFIED
    for marks, kind in (
        *((_CANNOT_EDIT, Kind.CANNOT_EDIT), (_NO_TOPIC, Kind.NO_TOPIC)),
        *((_UNREADABLE, Kind.UNREADABLE), (_TOO_LATE, Kind.TOO_LATE)),
    ):
        if any(mark in low for mark in marks):
            return kind
    return Kind.BAD_REQUEST


def classify(error: TelegramError) -> tuple[Kind, float]:
    """Kind and seconds to wait. `BadRequest` and `TimedOut` are network errors to the library: they are looked at first."""
    match error:
        case RetryAfter():
            pause = error.retry_after
            return Kind.FLOOD, pause.total_seconds() if isinstance(pause, timedelta) else float(pause)
        case InvalidToken() | EndPointNotFound():
            # The library drops the description; the error below keeps it. 404 is a wrong address or a malformed token.
            is_404 = isinstance(error, EndPointNotFound) or "not found" in f"{error} {error.__cause__}".casefold()
            return (Kind.NOT_FOUND if is_404 else Kind.UNAUTHORIZED), 0.0
        case Conflict():
            return (Kind.WEBHOOK if "webhook is active" in str(error).casefold() else Kind.CONFLICT), 0.0
        case ChatMigrated():
            return Kind.MIGRATED, 0.0
        case Forbidden():
            return Kind.FORBIDDEN, 0.0
        case BadRequest():
            return _bad_request(str(error)), 0.0
        case TimedOut():
            return Kind.TIMED_OUT, 0.0
        case NetworkError():
            return Kind.NETWORK, 0.0
        case _:
            return Kind.OTHER, 0.0
