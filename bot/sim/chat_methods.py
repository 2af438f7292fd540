"""What the simulated Bot API does with messages, buttons, pins and the menu; each method answers or raises `Refusal`.

Lengths are counted in UTF-16 units after the markup is parsed, as the real server does.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from bot.clock import Clock
from bot.sim import chat_faults
from bot.sim.chat_faults import Json
from bot.sim.chat_html import utf16_length
from bot.sim.chat_limits import TelegramFlood
from bot.sim.chat_log import Happening, What
from bot.sim.chat_params import chat_id_of, decoded, integer, markup_of, text_of
from bot.sim.chat_photo import check_photo, size_of
from bot.sim.chat_rooms import MAX_CAPTION, MAX_TEXT, ChatMessage, Refusal, Rooms, chat_json, user_json

BOT_ID: Final = 1_234_567_890
BOT: Final[Json] = {"id": BOT_ID, "is_bot": True, "first_name": "oibot", "username": "oi_sim_bot"}
MAX_ANSWER: Final = 200
MAX_DOCUMENT_BYTES: Final = 50_000_000
REACTIONS: Final = frozenset("👍👎🔥👀🤔🎉🙏👌")
"""Some of those that any chat allows."""
QUERY_LIFE_MS: Final = 15 * 60_000.0
_COMMAND: Final = re.compile(r"[a-z0-9_]{1,32}")
_LANGUAGE: Final = re.compile(r"[a-z]{2}")
_NOT_MODIFIED: Final = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current content "
    "and reply markup of the message"
)


class Methods:
    """The messages of one bot and what may be done to them."""

    def __init__(self, clock: Clock, happened: Callable[[Happening], None], *, enforce_limits: bool) -> None:
        self._clock = clock
        self._happened = happened
        self._enforce_limits = enforce_limits
        self._flood = TelegramFlood()
        self._next_message = 1
        self.rooms = Rooms()
        self.messages: list[ChatMessage] = []
        self.answered: list[Json] = []
        self.menus: dict[tuple[str, str], list[Json]] = {}
        """By scope and language, both as they were given; empty for all."""
        self.queries: dict[str, float] = {}
        """Button presses that wait for their answer, and when they were made."""
        self.left: list[int] = []
        self.on_left: Callable[[int], None] = lambda _: None
        self.webhook_url = ""
        self.n_flooded = 0
        self.files: dict[str, bytes] = {}
        """Uploads of the request that is being answered, by name."""
        self.table: dict[str, Callable[[Json], Any]] = {
            "getMe": self._get_me,
            "sendMessage": self._send_message,
            "sendPhoto": self._send_photo,
            "sendDocument": self._send_document,
            "setMessageReaction": self._react,
            "editMessageText": self._edit_text,
            "editMessageCaption": self._edit_caption,
            "editMessageMedia": self._edit_media,
            "editMessageReplyMarkup": self._edit_markup,
            "deleteMessage": self._delete,
            "pinChatMessage": self._pin,
            "unpinChatMessage": self._unpin,
            "answerCallbackQuery": self._answer_query,
            "setMyCommands": self._set_commands,
            "setWebhook": self._set_webhook,
            "deleteWebhook": self._delete_webhook,
            "getWebhookInfo": self._webhook_info,
            "getChat": self._get_chat,
            "getChatMember": self._get_member,
            "sendChatAction": self._act,
            "deleteMyCommands": self._delete_commands,
            "leaveChat": self._leave,
        }

    def find(self, chat_id: int, message_id: int | None) -> ChatMessage | None:
        return next((m for m in reversed(self.messages) if (m.chat_id, m.message_id) == (chat_id, message_id)), None)

    def new_message_id(self) -> int:
        self._next_message += 1
        return self._next_message - 1

    # Messages

    def _send_message(self, params: Json) -> Json:
        return self._send(params, *text_of(params, "text", MAX_TEXT, "message is too long"))

    def _send_photo(self, params: Json) -> Json:
        if not params.get("photo"):
            raise Refusal(chat_faults.bad_request("there is no photo in the request"))
        photo = check_photo(self.files.get("photo", b""))
        return self._send(params, *text_of(params, "caption", MAX_CAPTION, CAPTION_TOO_LONG), photo=photo)

    def _send_document(self, params: Json) -> Json:
        document = self.files.get("document")
        if not document:
            raise Refusal(chat_faults.bad_request("there is no document in the request"))
        if len(document) > MAX_DOCUMENT_BYTES:
            raise Refusal(chat_faults.telegram_error(413, "Request Entity Too Large"))
        return self._send(params, *text_of(params, "caption", MAX_CAPTION, CAPTION_TOO_LONG), document=document)

    def _react(self, params: Json) -> bool:
        """A bot has one reaction to a message; an empty list takes it away."""
        chat_id, message_id = chat_id_of(params), integer(params.get("message_id"))
        self.rooms.enter(chat_id)
        if message_id is None or not 0 < message_id < self._next_message:
            raise Refusal(chat_faults.bad_request("message to react not found"))
        reactions = decoded(params.get("reaction")) or []
        if any(one.get("type") != "emoji" or one.get("emoji") not in REACTIONS for one in reactions):
            raise Refusal(chat_faults.bad_request("REACTION_INVALID"))
        if len(reactions) > 1:
            raise Refusal(chat_faults.bad_request("REACTIONS_TOO_MANY"))
        self.rooms.of(chat_id).reactions[message_id] = reactions[0]["emoji"] if reactions else ""
        return True

    def _send(self, params: Json, source: str, text: str, *, photo: bytes = b"", document: bytes = b"") -> Json:
        chat_id, topic = chat_id_of(params), integer(params.get("message_thread_id"))
        if not text and not photo and not document:
            raise Refusal(chat_faults.bad_request("message text is empty"))
        markup = markup_of(params)
        self.rooms.enter(chat_id, topic)
        reply_to = self._reply_to(chat_id, params)
        self._spend(chat_id)
        message = ChatMessage(
            chat_id=chat_id,
            message_id=self.new_message_id(),
            source=source,
            text=text,
            date=self._clock.wall_ms() // 1000,
            reply_to=reply_to,
            markup=markup,
            silent=str(params.get("disable_notification", "")).lower() == "true",
            topic=topic,
            photo=photo,
            document=document,
        )
        self.messages.append(message)
        self._note(What.NEW, message)
        return self.json_of(message)

    def _reply_to(self, chat_id: int, params: Json) -> int | None:
        reply = decoded(params.get("reply_parameters")) or {}
        found = integer(reply.get("message_id"))
        if found is None or self.find(chat_id, found) is not None:
            return found
        if not reply.get("allow_sending_without_reply"):
            raise Refusal(chat_faults.bad_request("message to be replied not found"))
        return None

    def _edit_text(self, params: Json) -> Json:
        message = self._editable(params)
        if message.has_photo or message.document:
            raise Refusal(chat_faults.bad_request("there is no text in the message to edit"))
        source, text = text_of(params, "text", MAX_TEXT, "message is too long")
        if not text:
            raise Refusal(chat_faults.bad_request("message text is empty"))
        return self._change(message, source, text, markup_of(params))

    def _edit_caption(self, params: Json) -> Json:
        message = self._editable(params)
        if not message.has_photo and not message.document:
            raise Refusal(chat_faults.bad_request("there is no caption in the message to edit"))
        source, text = text_of(params, "caption", MAX_CAPTION, CAPTION_TOO_LONG)
        return self._change(message, source, text, markup_of(params))

    def _edit_media(self, params: Json) -> Json:
        """A text may become a picture, or a picture another one."""
        message = self._editable(params)
        media = decoded(params.get("media")) or {}
        if media.get("type") != "photo" or not str(media.get("media", "")).startswith("attach://"):
            raise Refusal(chat_faults.bad_request("wrong type of the web page content"))
        photo = check_photo(self.files.get(str(media["media"]).removeprefix("attach://"), b""))
        source, text = text_of(media, "caption", MAX_CAPTION, CAPTION_TOO_LONG)
        return self._change(message, source, text, markup_of(params), photo=photo)

    def _edit_markup(self, params: Json) -> Json:
        message = self._editable(params)
        return self._change(message, message.source, message.text, markup_of(params))

    def _editable(self, params: Json) -> ChatMessage:
        chat_id = chat_id_of(params)
        self.rooms.enter(chat_id)
        message = self.find(chat_id, integer(params.get("message_id")))
        if message is None:
            raise Refusal(chat_faults.bad_request("message to edit not found"))
        return message

    def _change(self, message: ChatMessage, source: str, text: str, markup: Any, *, photo: bytes | None = None) -> Json:
        photo = message.photo if photo is None else photo
        if (text, source, markup, photo) == (message.text, message.source, message.markup, message.photo):
            raise Refusal(chat_faults.bad_request(_NOT_MODIFIED))
        self._spend(message.chat_id)
        message.edits.append(message.text)
        message.source, message.text, message.markup, message.photo = source, text, markup, photo
        self._note(What.EDIT, message)
        return self.json_of(message)

    def _delete(self, params: Json) -> bool:
        message = self.find(chat_id_of(params), integer(params.get("message_id")))
        if message is None:
            raise Refusal(chat_faults.bad_request("message to delete not found"))
        self.messages.remove(message)
        room = self.rooms.of(message.chat_id)
        room.pinned = [n for n in room.pinned if n != message.message_id]
        self._note(What.DELETE, message)
        return True

    def _pin(self, params: Json) -> bool:
        chat_id = chat_id_of(params)
        self.rooms.enter(chat_id)
        message = self.find(chat_id, integer(params.get("message_id")))
        if message is None:
            raise Refusal(chat_faults.bad_request("message to pin not found"))
        room = self.rooms.of(chat_id)
        room.pinned = [*(n for n in room.pinned if n != message.message_id), message.message_id]
        self._note(What.PIN, message)
        return True

    def _unpin(self, params: Json) -> bool:
        """Without an id the newest pin goes."""
        chat_id = chat_id_of(params)
        room = self.rooms.of(chat_id)
        wanted = integer(params.get("message_id"))
        wanted = wanted if wanted is not None or not room.pinned else room.pinned[-1]
        message = self.find(chat_id, wanted)
        if message is None or wanted not in room.pinned:
            raise Refusal(chat_faults.bad_request("message to unpin not found"))
        room.pinned.remove(message.message_id)
        self._note(What.UNPIN, message)
        return True

    def _note(self, what: What, message: ChatMessage) -> None:
        self._happened(
            Happening(
                service="telegram",
                chat=str(message.chat_id),
                what=what,
                message_id=str(message.message_id),
                text=message.text if what in {What.NEW, What.EDIT} else "",
                at_ms=self._clock.monotonic_ms(),
                reply_to=None if message.reply_to is None else str(message.reply_to),
            )
        )

    def _spend(self, chat_id: int) -> None:
        if not self._enforce_limits:
            return
        wait_s = self._flood.spend(chat_id, self._clock.monotonic_ms())
        if wait_s is not None:
            self.n_flooded += 1
            raise Refusal(chat_faults.too_many_requests(wait_s))

    # The rest

    def _answer_query(self, params: Json) -> bool:
        now_ms = self._clock.monotonic_ms()
        made_ms = self.queries.pop(str(params.get("callback_query_id")), None)
        if made_ms is None or now_ms - made_ms > QUERY_LIFE_MS:
            text = "query is too old and response timeout expired or query ID is invalid"
            raise Refusal(chat_faults.bad_request(text))
        if utf16_length(str(params.get("text") or "")) > MAX_ANSWER:
            raise Refusal(chat_faults.bad_request("MESSAGE_TOO_LONG"))
        self.answered.append(params)
        return True

    def _set_commands(self, params: Json) -> bool:
        commands = list(decoded(params.get("commands")) or [])
        for one in commands:
            if not _COMMAND.fullmatch(str(one.get("command", "")).removeprefix("/")):
                raise Refusal(chat_faults.bad_request("BOT_COMMAND_INVALID"))
            if not 1 <= utf16_length(str(one.get("description", ""))) <= 256:
                raise Refusal(chat_faults.bad_request("BOT_COMMAND_DESCRIPTION_INVALID"))
        if len(commands) > 100:
            raise Refusal(chat_faults.bad_request("BOT_COMMANDS_TOO_MUCH"))
        self.menus[_menu_of(params)] = commands
        return True

    def _delete_commands(self, params: Json) -> bool:
        self.menus.pop(_menu_of(params), None)
        return True

    def _leave(self, params: Json) -> bool:
        """The bot is told of it as anybody else is."""
        chat_id = chat_id_of(params)
        self.rooms.enter(chat_id)
        if chat_id > 0:
            raise Refusal(chat_faults.bad_request("chat member status can't be changed in private chats"))
        self.rooms.of(chat_id).closed = "bot is not a member of the supergroup chat"
        self.left.append(chat_id)
        self.on_left(chat_id)
        return True

    def _set_webhook(self, params: Json) -> bool:
        self.webhook_url = str(params.get("url") or "")
        return True

    def _delete_webhook(self, _: Json) -> bool:
        self.webhook_url = ""
        return True

    def _webhook_info(self, _: Json) -> Json:
        return {"url": self.webhook_url, "has_custom_certificate": False, "pending_update_count": 0}

    @staticmethod
    def _get_me(_: Json) -> Json:
        rights = {"can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": False}
        return {**BOT, **rights}

    def _get_chat(self, params: Json) -> Json:
        chat_id = chat_id_of(params)
        self.rooms.enter(chat_id)
        return {**chat_json(chat_id), "accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": _NO_GIFTS}

    def _get_member(self, params: Json) -> Json:
        chat_id, user_id = chat_id_of(params), integer(params.get("user_id"))
        self.rooms.enter(chat_id)
        if user_id is None:
            raise Refusal(chat_faults.bad_request("invalid user_id specified"))
        is_administrator = user_id in self.rooms.of(chat_id).administrators
        status = {"status": "administrator", **ADMINISTRATOR_RIGHTS} if is_administrator else {"status": "member"}
        return {"user": user_json(user_id, "somebody"), **status}

    def _act(self, params: Json) -> bool:
        self.rooms.enter(chat_id_of(params))
        return True

    def json_of(self, message: ChatMessage) -> Json:
        """A message as the API tells it."""
        thread = {"message_thread_id": message.topic, "is_topic_message": True}
        said = {"caption" if message.has_photo or message.document else "text": message.text}
        file = {"file_id": "document", "file_unique_id": "document", "file_size": len(message.document)}
        return {
            "message_id": message.message_id,
            "date": message.date,
            "chat": chat_json(message.chat_id),
            "from": BOT,
            **(said if message.text else {}),
            **({"photo": [_photo_json(message.photo)]} if message.has_photo else {}),
            **({"document": file} if message.document else {}),
            **(thread if message.topic is not None else {}),
            **({"edit_date": message.date} if message.edits else {}),
            **({"reply_markup": message.markup} if message.markup else {}),
        }


CAPTION_TOO_LONG: Final = "message caption is too long"
_NO_GIFTS: Final[Json] = dict.fromkeys(
    ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels"), False
)
ADMINISTRATOR_RIGHTS: Final[Json] = {
    "can_be_edited": False,
    "is_anonymous": False,
    **dict.fromkeys(
        (
            *("can_manage_chat", "can_delete_messages", "can_manage_video_chats", "can_restrict_members"),
            *("can_promote_members", "can_change_info", "can_invite_users", "can_post_stories", "can_edit_stories"),
            "can_delete_stories",
        ),
        True,
    ),
}


def _photo_json(photo: bytes) -> Json:
    width, height = size_of(photo) or (0, 0)
    return {"file_id": "photo", "file_unique_id": "photo", "width": width, "height": height, "file_size": len(photo)}


def _menu_of(params: Json) -> tuple[str, str]:
    language = str(params.get("language_code") or "")
    if language and not _LANGUAGE.fullmatch(language):
        raise Refusal(chat_faults.bad_request("LANG_CODE_INVALID"))
    scope = decoded(params.get("scope")) or {}
    return str(scope.get("chat_id") or scope.get("type") or ""), language
