"""A Telegram Bot API on loopback: chats, messages, updates with the server's own rules for offsets and long polls.

It checks lengths and HTML as the server does, answers with the server's texts, and enforces the published limits when
asked to. Every private or group chat exists as soon as somebody writes to it, unless `rooms.is_strict`. People may
block the bot, throw it out, close topics, and turn a group into a supergroup.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web

from bot.clock import Clock
from bot.sim import chat_faults
from bot.sim.chat_faults import CALL, Fault, FaultPlan, Json, Received
from bot.sim.chat_html import utf16_length
from bot.sim.chat_log import Happening
from bot.sim.chat_methods import ADMINISTRATOR_RIGHTS, BOT, Methods
from bot.sim.chat_params import decoded, integer
from bot.sim.chat_rooms import ChatMessage, Refusal, Rooms, chat_json, user_json

TOKEN: Final = "1234567890:SIMULATEDtokenSIMULATEDtokenSIMULATE"  # noqa: S105, opens nothing
_MORE_OF_STATUS: Final[dict[str, Json]] = {"kicked": {"until_date": 0}, "administrator": ADMINISTRATOR_RIGHTS}
MAX_POLL_S: Final = 50.0
FILE: Final = "<file>"
"""Stands for an upload among the parameters."""
UPDATE_LIFE_MS: Final = 24 * 3_600_000.0


class TelegramServer:
    """The state behind one bot token."""

    def __init__(
        self,
        clock: Clock,
        record: Callable[[Received], None],
        happened: Callable[[Happening], None] = lambda _: None,
        *,
        enforce_limits: bool = False,
    ) -> None:
        self._clock = clock
        self._record = record
        self._methods = Methods(clock, happened, enforce_limits=enforce_limits)
        self._methods.on_left = lambda chat_id: self._tell_membership(chat_id, before="member", after="left", by=BOT)
        self.token = TOKEN
        self.faults = FaultPlan(clock)
        self._updates: deque[tuple[float, Json]] = deque()
        self._next_update = 1
        self._poll = 0
        self._allowed: list[str] | None = None
        self._arrived = asyncio.Event()

    @property
    def messages(self) -> list[ChatMessage]:
        """What the bot said, in order, as it stands now."""
        return self._methods.messages

    @property
    def rooms(self) -> Rooms:
        return self._methods.rooms

    @property
    def topics(self) -> dict[int, set[int]]:
        """Of chats that are forums; a message to another topic is refused."""
        return self.rooms.topics

    @property
    def answered(self) -> list[Json]:
        """Answers to button presses."""
        return self._methods.answered

    @property
    def menus(self) -> dict[tuple[str, str], list[Json]]:
        """Commands by scope and language; both are empty for all."""
        return self._methods.menus

    @property
    def webhook_url(self) -> str:
        return self._methods.webhook_url

    @webhook_url.setter
    def webhook_url(self, value: str) -> None:
        self._methods.webhook_url = value

    @property
    def n_flooded(self) -> int:
        """Requests that broke the limits."""
        return self._methods.n_flooded

    def find(self, chat_id: int, message_id: int | None) -> ChatMessage | None:
        return self._methods.find(chat_id, message_id)

    def fail(self, fault: Fault, *, method: str = "sendMessage", chat_id: int | None = None, **how: int) -> None:
        """Misbehave at the next request of that method (and chat); `how` is `times` and `skip`."""
        self.faults.add(
            fault,
            matches=lambda name, params: name == method and chat_id in {None, integer(params.get("chat_id"))},
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
            "message_id": self._methods.new_message_id(),
            "date": self._clock.wall_ms() // 1000,
            "chat": chat_json(chat_id),
            "from": user_json(user_id if user_id is not None else abs(chat_id), username),
            **({"text": text} if text else {}),
            **({"entities": entities} if entities else {}),
            **extra,
        }
        self.rooms.of(chat_id)
        return self.push({"message": message})

    def press(self, data: str, message: ChatMessage, *, user_id: int | None = None, username: str = "owner") -> int:
        """Somebody presses a button under a message of the bot; returns the update's id."""
        query = {
            "id": str(self._next_update),
            "from": user_json(user_id if user_id is not None else abs(message.chat_id), username),
            "chat_instance": "1",
            "message": self._methods.json_of(message),
            "data": data,
        }
        return self.push({"callback_query": query})

    def push(self, update: Json) -> int:
        """Queue any update; it gets the next id."""
        number = self._next_update
        self._next_update += 1
        now_ms = self._clock.monotonic_ms()
        self._updates.append((now_ms, {"update_id": number, **update}))
        query = update.get("callback_query")
        if isinstance(query, dict):
            self._methods.queries[str(query.get("id"))] = now_ms
        self._arrived.set()
        return number

    def block(self, chat_id: int, why: str = "bot was blocked by the user") -> None:
        """Nobody there reads the bot any more; `why` is the end of the server's `Forbidden`."""
        self.rooms.of(chat_id).closed = why
        self._tell_membership(chat_id, before="member", after="kicked")

    def unblock(self, chat_id: int) -> None:
        self.rooms.of(chat_id).closed = ""
        self._tell_membership(chat_id, before="kicked", after="member")

    @property
    def left(self) -> list[int]:
        """Groups that the bot went out of by itself, in order."""
        return self._methods.left

    def add_to_group(self, chat_id: int, *, by: int, username: str = "somebody", title: str = "Group") -> None:
        """Somebody adds the bot to a group."""
        self.rooms.of(chat_id).closed = ""
        self._tell_membership(chat_id, before="left", after="member", by=user_json(by, username), title=title)

    def _tell_membership(
        self, chat_id: int, *, before: str, after: str, by: Json | None = None, title: str = ""
    ) -> None:
        def member(status: str) -> Json:
            return {"user": BOT, "status": status, **_MORE_OF_STATUS.get(status, {})}

        change = {
            "chat": {**chat_json(chat_id), **({"title": title} if title else {})},
            "from": by if by is not None else user_json(abs(chat_id), "owner"),
            "date": self._clock.wall_ms() // 1000,
            "old_chat_member": member(before),
            "new_chat_member": member(after),
        }
        self.push({"my_chat_member": change})

    def upgrade(self, chat_id: int) -> int:
        """A group becomes a supergroup; returns its new id. Its members see it, so does the bot."""
        new_id = -(10**12) + chat_id
        room = self.rooms.of(chat_id)
        self.rooms.of(new_id).administrators = set(room.administrators)
        room.migrated_to = new_id
        self.say("", chat_id=chat_id, user_id=1, migrate_to_chat_id=new_id)
        self.say("", chat_id=new_id, user_id=1, migrate_from_chat_id=chat_id)
        return new_id

    def open_topic(self, chat_id: int) -> int:
        """A forum topic; returns its thread id."""
        number = self._methods.new_message_id()
        self.topics.setdefault(chat_id, set()).add(number)
        return number

    def close_topic(self, chat_id: int, topic: int) -> None:
        self.rooms.of(chat_id).closed_topics.add(topic)

    def delete_topic(self, chat_id: int, topic: int) -> None:
        self.topics.get(chat_id, set()).discard(topic)
        self.messages[:] = [m for m in self.messages if (m.chat_id, m.topic) != (chat_id, topic)]

    @property
    def n_unread(self) -> int:
        """Updates that the bot has not confirmed."""
        return len(self._updates)

    # What the bot asks.

    async def handle(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        params, files = await _params(request)
        request[CALL] = Received("telegram", method, params, self._clock.monotonic_ms(), dict(request.headers))
        self._record(request[CALL])
        fault = self.faults.take(method, params)
        if request.match_info["token"] != self.token:
            return chat_faults.unauthorized().response()
        if method == "getUpdates" and fault is None:
            return await self._get_updates(params)
        return await self.faults.act(fault, request, lambda: self._answer(method, params, files))

    def _answer(self, method: str, params: Json, files: dict[str, bytes]) -> web.Response:
        if method == "getUpdates":
            return web.json_response({"ok": True, "result": [update for _, update in self._updates]})
        action = self._methods.table.get(method)
        if action is None:
            return chat_faults.telegram_error(404, "Not Found: method not found").response()
        self._methods.files = files
        try:
            result: Json = {"ok": True, "result": action(params)}
            return web.json_response(result)
        except Refusal as refusal:
            return refusal.fault.response()

    async def _get_updates(self, params: Json) -> web.StreamResponse:
        if self.webhook_url:
            active = "Conflict: can't use getUpdates method while webhook is active"
            text = f"{active}; use deleteWebhook to delete the webhook first"
            return chat_faults.telegram_error(409, text).response()
        self._poll += 1
        mine = self._poll
        self._arrived.set()  # an older poll ends now, with a conflict
        offset, limit = integer(params.get("offset")) or 0, integer(params.get("limit")) or 100
        if allowed := decoded(params.get("allowed_updates")):
            self._allowed = list(allowed)
        self._confirm(offset)
        self._forget_old()
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
        while offset > 0 and self._updates and self._updates[0][1]["update_id"] < offset:
            self._updates.popleft()

    def _forget_old(self) -> None:
        now_ms = self._clock.monotonic_ms()
        while self._updates and now_ms - self._updates[0][0] > UPDATE_LIFE_MS:
            self._updates.popleft()

    def _ready(self, offset: int) -> list[Json]:
        wanted = self._allowed
        return [
            u
            for _, u in self._updates
            if u["update_id"] >= offset and (not wanted or any(kind in u for kind in wanted))
        ]


async def _params(request: web.Request) -> tuple[Json, dict[str, bytes]]:
    """Parameters may come in the query, as a form, or as JSON; files come in forms, and stand apart."""
    found: Json = dict(request.query)
    files: dict[str, bytes] = {}
    if request.content_type == "application/json":
        found.update(await request.json())
        return found, files
    for key, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            files[key] = value.file.read()
            found[key] = FILE
        else:
            found[key] = value if isinstance(value, str) else FILE
    return found, files
