"""What an error of the Bot API means for a message, by (class, beginning of the description). Pure.

`BadRequest` and `TimedOut` are subclasses of `NetworkError`, so the order of the questions matters. No answer carries
the library's text: that of `InvalidToken` holds the token.
"""

import math
import os
from datetime import timedelta
from typing import Final

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

from bot import log
from bot.delivery.destination import Answer, TargetGone, Unlayable
from bot.delivery.text import clean
from bot.model.outbox import Delivered, Rejected, RetryLater
from bot.texts import mark

# Without it the library warns on every 429 that a number of seconds will become a timedelta.
os.environ.setdefault("PTB_TIMEDELTA", "1")

MIN_PAUSE_S: Final = 1.0
MAX_PAUSE_S: Final = 3_600.0
DEFAULT_PAUSE_S: Final = 5.0
UNNAMED_PAUSE_S: Final = 60.0
"""After a 429 that names no usable time."""
AMBIGUOUS_PAUSE_S: Final = 10.0
"""Longer, so that a message that did arrive has been seen before its twin comes."""

_UNCHANGED: Final = "message is not modified"
_TARGET_GONE: Final = (
    "message to edit not found",
    "message can't be edited",
    "message to be replied not found",
    "message to reply not found",
    "replied message not found",
    "message_id_invalid",
)
_CHAT_GONE: Final = (
    "chat not found",
    "private chat not found",
    "peer_id_invalid",
    "user not found",
    "have no access to the user",
    "chat_id is empty",
    "group chat was upgraded",
    "group chat was deactivated",
    "chat_write_forbidden",
    "chat_restricted",
    "chat_admin_required",
    "chat_send_plain_forbidden",
    "user_is_blocked",
    "input_user_deactivated",
    "have no rights to send",
    "not enough rights to send",
    "need administrator rights",
    "topic_closed",
    "topic_deleted",
    "message thread not found",
)
_NO_PICTURES: Final = ("chat_send_photos_forbidden", "chat_send_media_forbidden", "not enough rights to send photos")
_TOPIC_GONE: Final = ("topic_closed", "topic_deleted", "message thread not found")
_NOT_SENT: Final = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "ProxyError"})
"""Exceptions of the HTTP library after which surely nothing has left."""


def _cause(error: TelegramError) -> str:
    return type(error.__cause__).__name__ if error.__cause__ is not None else ""


def clamp_pause_s(seconds: object) -> float:
    """A sane pause from whatever the server sent as `retry_after`: a number, a duration, or nonsense."""
    if isinstance(seconds, timedelta):
        seconds = seconds.total_seconds()
    if not isinstance(seconds, (int, float)) or not math.isfinite(seconds):
        return UNNAMED_PAUSE_S
    return min(max(float(seconds), MIN_PAUSE_S), MAX_PAUSE_S)


def is_topic_gone(error: BadRequest) -> bool:
    """Whether only the topic is lost, and the chat may still be there."""
    return error.message.lower().startswith(_TOPIC_GONE)


def is_picture(error: BadRequest) -> bool:
    """Whether an edit of text met a message that has a caption instead."""
    return error.message.lower().startswith("there is no text in the message")


def answer_of(error: TelegramError, *, target: str | None = None) -> Answer:
    """What to do about it. `ChatMigrated` is the caller's: only it knows where it sends."""
    match error:
        case RetryAfter():
            return RetryLater(clamp_pause_s(error.retry_after), mark("Telegram asks for a pause"))
        case ChatMigrated():
            return RetryLater(MIN_PAUSE_S, mark("the group became a supergroup"))
        case InvalidToken() | EndPointNotFound():
            return Rejected(mark("Telegram refuses the bot token (or the address is wrong)"), destination_dead=True)
        case Forbidden():
            return Rejected(f"Telegram: {words(error)}", destination_dead=True)
        case Conflict():
            return RetryLater(60.0, mark("Telegram reports a conflict"))
        case BadRequest():
            return _bad_request(error, target)
        case TimedOut():
            if _cause(error) in _NOT_SENT:
                return RetryLater(DEFAULT_PAUSE_S, mark("Telegram cannot be reached"))
            return RetryLater(AMBIGUOUS_PAUSE_S, mark("Telegram did not answer in time"), ambiguous=True)
        case NetworkError():
            return _network(error)
        case _:
            return RetryLater(AMBIGUOUS_PAUSE_S, mark("Telegram's answer could not be read"), ambiguous=True)


def words(error: TelegramError) -> str:
    """The server's description, short and on one line. It goes into messages, so it must not repeat our own address."""
    return clean(log.redact(error.message), 120)


def _bad_request(error: BadRequest, target: str | None) -> Answer:
    text = error.message.lower()
    if text.startswith(_UNCHANGED):
        return Delivered(target)
    if text.startswith(_TARGET_GONE):
        return TargetGone(words(error))
    if text.startswith(_NO_PICTURES):
        # Also the words under a picture that is there cannot change then; a message of text says them.
        return TargetGone(mark("Telegram takes no pictures in this chat"))
    if text.startswith(_CHAT_GONE):
        return Rejected(f"Telegram: {words(error)}", destination_dead=True)
    return Unlayable(f"Telegram: {words(error)}")


def _network(error: NetworkError) -> Answer:
    cause = _cause(error)
    if cause in _NOT_SENT:
        return RetryLater(DEFAULT_PAUSE_S, mark("Telegram cannot be reached"))
    text = error.message.lower()
    if text.startswith("too many requests"):
        return RetryLater(UNNAMED_PAUSE_S, mark("Telegram asks for a pause"))
    if text.startswith("request entity too large"):
        return Unlayable(mark("Telegram: the message is too large"))
    if text.startswith("internal server error") and not cause:
        return RetryLater(DEFAULT_PAUSE_S, mark("Telegram has an internal error"))
    return RetryLater(
        AMBIGUOUS_PAUSE_S, f"the connection to Telegram broke{f' ({cause})' if cause else ''}", ambiguous=True
    )
