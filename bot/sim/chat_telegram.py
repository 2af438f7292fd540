"""A Telegram Bot API on loopback: chats, messages, updates with the server's own rules for offsets and long polls.

It checks lengths and HTML as the server does, answers with the server's texts, and enforces the published limits when
asked to. Every private or group chat exists as soon as somebody writes to it.
"""

import asyncio
import contextlib
import json
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from bot.clock import Clock
from bot.sim import chat_faults
from bot.sim.chat_faults import Fault, FaultPlan, Json, Received
from bot.sim.chat_html import MarkupError, parse, utf16_length

TOKEN: Final = "1234567890:SIMULATEDtokenSIMULATEDtokenSIMULATE"  # noqa: S105, opens nothing
BOT_ID: Final = 1_234_567_890
MAX_TEXT: Final = 4_096
MAX_POLL_S: Final = 50.0
_LIMIT_SLACK: Final = 0.95
"""Requests need not arrive as evenly as they left."""


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
    topic: int | None = None
    """`message_thread_id`."""
    edits: list[str] = field(default_factory=list)
    """Earlier texts, oldest first."""


class TelegramServer:
    """The state behind one bot token."""

    def __init__(self, clock: Clock, record: Callable[[Received], None], *, enforce_limits: bool = False) -> None:
        self._clock = clock
        self._record = record
        self._enforce_limits = enforce_limits
        self.token = TOKEN
        self.faults = FaultPlan(clock)
        self.messages: list[ChatMessage] = []
        self.answered: list[Json] = []
        """Answers to button presses."""
        self.commands: list[Json] = []
        self.topics: dict[int, set[int]] = {}
        """Of chats that are forums; a message to another topic is refused."""
        self.webhook_url = ""
        self.n_flooded = 0
        """Requests that broke the limits."""
        self._updates: deque[Json] = deque()
        self._next_update = 1
        self._next_message = 1
        self._poll = 0
        self._allowed: list[str] | None = None
        self._arrived = asyncio.Event()
        self._sent_ms: dict[int | None, deque[float]] = defaultdict(deque)

    def fail(self, fault: Fault, *, method: str = "sendMessage", chat_id: int | None = None, **how: int) -> None:
        """Misbehave at the next request of that method (and chat); `how` is `times` and `skip`."""
        self.faults.add(
            fault,
            matches=lambda name, params: name == method and chat_id in {None, _integer(params.get("chat_id"))},
            **how,
        )

    # What people do.

    def say(
        self, text: str, *, chat_id: int = 1, user_id: int | None = None, username: str = "owner", **extra: Any
    ) -> int:
        """Somebody writes; returns the update's id. Private chats carry their user's id."""
        entities = []
        if text.startswith("/"):
            entities = [{"type": "bot_command", "offset": 0, "length": utf16_length(text.split(maxsplit=1)[0])}]
        message = {
            "message_id": self._new_message_id(),
            "date": self._clock.wall_ms() // 1000,
            "chat": _chat(chat_id),
            "from": _user(user_id if user_id is not None else abs(chat_id), username),
            "text": text,
            **({"entities": entities} if entities else {}),
            **extra,
        }
        return self.push({"message": message})

    def press(self, data: str, message: ChatMessage, *, user_id: int | None = None, username: str = "owner") -> int:
        """Somebody presses a button under a message of the bot; returns the update's id."""
        query = {
            "id": str(self._next_update),
            "from": _user(user_id if user_id is not None else abs(message.chat_id), username),
            "chat_instance": "1",
            "message": self._json(message),
            "data": data,
        }
        return self.push({"callback_query": query})

    def push(self, update: Json) -> int:
        """Queue any update; it gets the next id."""
        number = self._next_update
        self._next_update += 1
        self._updates.append({"update_id": number, **update})
        self._arrived.set()
        return number

    @property
    def n_unread(self) -> int:
        """Updates that the bot has not confirmed."""
        return len(self._updates)

    # What the bot asks.

    async def handle(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        params = await _params(request)
        self._record(Received("telegram", method, params, self._clock.monotonic_ms(), dict(request.headers)))
        fault = self.faults.take(method, params)
        if request.match_info["token"] != self.token:
            return chat_faults.unauthorized().response()
        if method == "getUpdates" and fault is None:
            return await self._get_updates(params)
        return await self.faults.act(fault, request, lambda: self._answer(method, params))

    def _answer(self, method: str, params: Json) -> web.Response:
        actions: dict[str, Callable[[Json], Any]] = {
            "getMe": self._get_me,
            "getChat": lambda p: _chat(self._chat_id(p)),
            "getUpdates": lambda _: list(self._updates),
            "sendMessage": self._send,
            "editMessageText": self._edit,
            "deleteMessage": self._delete,
            "answerCallbackQuery": self._answer_query,
            "setMyCommands": self._set_commands,
            "deleteWebhook": self._delete_webhook,
            "sendChatAction": lambda _: True,
        }
        action = actions.get(method)
        if action is None:
            return chat_faults.telegram_error(404, "Not Found: method not found").response()
        try:
            result: Json = {"ok": True, "result": action(params)}
            return web.json_response(result)
        except Refusal as refusal:
            return refusal.fault.response()

    async def _get_updates(self, params: Json) -> web.StreamResponse:
        if self.webhook_url:
            text = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete it first"
            return chat_faults.telegram_error(409, text).response()
        self._poll += 1
        mine = self._poll
        self._arrived.set()  # an older poll ends now, with a conflict
        offset, limit = _integer(params.get("offset")) or 0, _integer(params.get("limit")) or 100
        if allowed := _decoded(params.get("allowed_updates")):
            self._allowed = list(allowed)
        self._confirm(offset)
        wait_s = min(float(params.get("timeout") or 0), MAX_POLL_S)
        with contextlib.suppress(TimeoutError):
            async with self._clock.timeout(wait_s):
                while not self._ready(offset) and mine == self._poll:
                    self._arrived.clear()
                    await self._arrived.wait()
        if mine != self._poll:
            return chat_faults.conflict().response()
        found = self._ready(offset)[: min(max(limit, 1), 100)]
        return web.json_response({"ok": True, "result": found})

    def _confirm(self, offset: int) -> None:
        """What lies before the offset is forgotten; a negative one keeps that many of the newest."""
        if offset < 0:
            while len(self._updates) > -offset:
                self._updates.popleft()
        while offset > 0 and self._updates and self._updates[0]["update_id"] < offset:
            self._updates.popleft()

    def _ready(self, offset: int) -> list[Json]:
        wanted = self._allowed
        return [
            u for u in self._updates if u["update_id"] >= offset and (not wanted or any(kind in u for kind in wanted))
        ]

    def _send(self, params: Json) -> Json:
        chat_id = self._chat_id(params)
        source, text = self._text(params)
        reply = _decoded(params.get("reply_parameters")) or {}
        reply_to = _integer(reply.get("message_id"))
        if reply_to is not None and self.find(chat_id, reply_to) is None:
            if not reply.get("allow_sending_without_reply"):
                raise Refusal(chat_faults.bad_request("message to be replied not found"))
            reply_to = None
        topic = _integer(params.get("message_thread_id"))
        if topic is not None and topic not in self.topics.get(chat_id, ()):
            raise Refusal(chat_faults.bad_request("message thread not found"))
        self._spend(chat_id)
        message = ChatMessage(
            chat_id=chat_id,
            message_id=self._new_message_id(),
            source=source,
            text=text,
            date=self._clock.wall_ms() // 1000,
            reply_to=reply_to,
            markup=_decoded(params.get("reply_markup")),
            silent=str(params.get("disable_notification", "")).lower() == "true",
            topic=topic,
        )
        self.messages.append(message)
        return self._json(message)

    def _edit(self, params: Json) -> Json:
        chat_id = self._chat_id(params)
        message = self.find(chat_id, _integer(params.get("message_id")))
        if message is None:
            raise Refusal(chat_faults.bad_request("message to edit not found"))
        source, text = self._text(params)
        markup = _decoded(params.get("reply_markup"))
        if (text, source, markup) == (message.text, message.source, message.markup):
            same = "specified new message content and reply markup are exactly the same as a current content"
            raise Refusal(chat_faults.bad_request(f"message is not modified: {same} and reply markup of the message"))
        self._spend(chat_id)
        message.edits.append(message.text)
        message.source, message.text, message.markup = source, text, markup
        return self._json(message)

    def _delete(self, params: Json) -> bool:
        message = self.find(self._chat_id(params), _integer(params.get("message_id")))
        if message is None:
            raise Refusal(chat_faults.bad_request("message to delete not found"))
        self.messages.remove(message)
        return True

    def _answer_query(self, params: Json) -> bool:
        self.answered.append(params)
        return True

    def _set_commands(self, params: Json) -> bool:
        self.commands = list(_decoded(params.get("commands")) or [])
        return True

    def _delete_webhook(self, _: Json) -> bool:
        self.webhook_url = ""
        return True

    @staticmethod
    def _get_me(_: Json) -> Json:
        return {
            "id": BOT_ID,
            "is_bot": True,
            "first_name": "oibot",
            "username": "oi_sim_bot",
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
        }

    def find(self, chat_id: int, message_id: int | None) -> ChatMessage | None:
        return next((m for m in self.messages if (m.chat_id, m.message_id) == (chat_id, message_id)), None)

    def _new_message_id(self) -> int:
        self._next_message += 1
        return self._next_message - 1

    @staticmethod
    def _chat_id(params: Json) -> int:
        chat_id = _integer(params.get("chat_id"))
        if chat_id is None:
            raise Refusal(
                chat_faults.bad_request("chat_id is empty" if not params.get("chat_id") else "chat not found")
            )
        return chat_id

    @staticmethod
    def _text(params: Json) -> tuple[str, str]:
        source = str(params.get("text", ""))
        text = source.strip()
        if params.get("parse_mode") == "HTML":
            try:
                text = parse(source)
            except MarkupError as error:
                raise Refusal(chat_faults.bad_request(f"can't parse entities: {error}")) from error
        if not text:
            raise Refusal(chat_faults.bad_request("message text is empty"))
        if utf16_length(text) > MAX_TEXT:
            raise Refusal(chat_faults.bad_request("message is too long"))
        return source, text

    def _spend(self, chat_id: int) -> None:
        """One message a second and chat, twenty a minute and group, thirty a second over all."""
        now_ms = self._clock.monotonic_ms()
        if self._enforce_limits:
            limits = [(chat_id, 1, 1.0), (None, 30, 1.0)] + ([(chat_id, 20, 60.0)] if chat_id < 0 else [])
            for who, n, window_s in limits:
                recent = [at for at in self._sent_ms[who] if now_ms - at < window_s * 1000 * _LIMIT_SLACK]
                if len(recent) >= n:
                    self.n_flooded += 1
                    raise Refusal(chat_faults.too_many_requests(max(1, round(window_s - (now_ms - recent[0]) / 1000))))
        for who in (chat_id, None):
            self._sent_ms[who].append(now_ms)
            while self._sent_ms[who][0] < now_ms - 60_000:
                self._sent_ms[who].popleft()

    @staticmethod
    def _json(message: ChatMessage) -> Json:
        sender = {"id": BOT_ID, "is_bot": True, "first_name": "oibot", "username": "oi_sim_bot"}
        return {
            "message_id": message.message_id,
            "date": message.date,
            "chat": _chat(message.chat_id),
            "from": sender,
            "text": message.text,
            **({"message_thread_id": message.topic, "is_topic_message": True} if message.topic is not None else {}),
            **({"edit_date": message.date} if message.edits else {}),
        }


def _chat(chat_id: int) -> Json:
    if chat_id > 0:
        return {"id": chat_id, "type": "private", "first_name": "Owner"}
    return {"id": chat_id, "type": "supergroup" if chat_id < -(10**12) else "group", "title": "Group"}


def _user(user_id: int, username: str) -> Json:
    return {"id": user_id, "is_bot": False, "first_name": username.title(), "username": username, "language_code": "en"}


def _integer(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _decoded(value: Any) -> Any:
    """Nested parameters are JSON inside the form."""
    return json.loads(value) if isinstance(value, str) and value else value


async def _params(request: web.Request) -> Json:
    """Parameters may come in the query, as a form, or as JSON."""
    found: Json = dict(request.query)
    if request.content_type == "application/json":
        found.update(await request.json())
    else:
        found.update(
            {key: value if isinstance(value, str) else "<file>" for key, value in (await request.post()).items()}
        )
    return found
