"""Discord webhooks on loopback: posts, edits, deletions, threads, the published size limits, buckets and their headers."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from aiohttp import web

from bot.clock import Clock
from bot.sim import chat_faults
from bot.sim.chat_faults import CALL, Fault, FaultPlan, Json, Received
from bot.sim.chat_limits import DiscordAddress, DiscordBuckets, TooMany
from bot.sim.chat_log import Happening, What
from bot.sim.chat_payload import file_problem, problem, refusal, visible_text

WEBHOOK_ID: Final = "123456789012345678"
WEBHOOK_TOKEN: Final = "SIMULATED-webhook-token-SIMULATED-webhook-token-SIMULATED-webhook-to"  # noqa: S105, opens nothing

__all__ = ["WEBHOOK_ID", "WEBHOOK_TOKEN", "DiscordServer", "Webhook", "WebhookMessage", "problem"]


@dataclass(slots=True)
class WebhookMessage:
    """One message, as it stands in the channel now."""

    id: str
    payload: Json
    edits: list[Json] = field(default_factory=list)
    """Earlier payloads, oldest first."""
    thread: str = ""
    """`thread_id`."""
    files: dict[str, bytes] = field(default_factory=dict)
    """Attachments by file name."""

    @property
    def text(self) -> str:
        """All that people read of it."""
        return visible_text(self.payload)


@dataclass(slots=True)
class Webhook:
    """One webhook and its channel."""

    id: str
    token: str
    buckets: DiscordBuckets = field(default_factory=DiscordBuckets)
    messages: list[WebhookMessage] = field(default_factory=list)
    is_deleted: bool = False
    is_forum: bool = False
    """Messages need a thread."""
    threads: dict[str, bool] = field(default_factory=dict)
    """Whether each is open. Without any, every thread id is taken."""

    def thread_problem(self, query: dict[str, str], payload: Json) -> Fault | None:
        """Why a post cannot go where it should."""
        thread_id, name = query.get("thread_id"), payload.get("thread_name")
        if thread_id and name:
            text = "Webhooks can only be given a thread_id or a thread_name, not both"
            return chat_faults.discord_error(400, 220002, text)
        if self.is_forum and not (thread_id or name):
            text = "Webhooks posted to forum channels must have a thread_name or thread_id"
            return chat_faults.discord_error(400, 220001, text)
        if name and not self.is_forum:
            text = "Webhooks can only create threads in forum channels"
            return chat_faults.discord_error(400, 220003, text)
        if thread_id and self.threads:
            if thread_id not in self.threads:
                return chat_faults.discord_error(404, 10003, "Unknown Channel")
            if not self.threads[thread_id]:
                return chat_faults.discord_error(400, 160005, "Thread is locked")
        return None


class DiscordServer:
    """The state behind all webhooks; `messages` are those of the first."""

    def __init__(
        self, clock: Clock, record: Callable[[Received], None], happened: Callable[[Happening], None] = lambda _: None
    ) -> None:
        self._clock = clock
        self._record = record
        self._happened = happened
        self.faults = FaultPlan(clock)
        self.first = Webhook(WEBHOOK_ID, WEBHOOK_TOKEN)
        self._hooks = {WEBHOOK_ID: self.first}
        self._address = DiscordAddress()
        self.n_flooded = 0
        """Requests that broke a limit."""
        self._next_id = 1_300_000_000_000_000_001

    @property
    def messages(self) -> list[WebhookMessage]:
        return self.first.messages

    def add(self) -> Webhook:
        """One more webhook, in a channel of its own."""
        hook = Webhook(str(int(WEBHOOK_ID) + len(self._hooks)), WEBHOOK_TOKEN)
        self._hooks[hook.id] = hook
        return hook

    def fail(self, fault: Fault, *, method: str | None = None, **how: int) -> None:
        """Misbehave at the next request (`POST` or `PATCH`, or either); `how` is `times` and `skip`."""
        self.faults.add(fault, matches=lambda name, _: method in {None, name}, **how)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        payload, files = await _payload(request)
        at_ms = self._clock.monotonic_ms()
        request[CALL] = Received("discord", request.method, payload, at_ms, dict(request.headers))
        self._record(request[CALL])
        fault = self.faults.take(request.method, payload)
        return await self.faults.act(fault, request, lambda: self._answer(request, payload, files))

    def _hook(self, request: web.Request) -> Webhook | None:
        hook = self._hooks.get(request.match_info["id"])
        is_there = hook is not None and hook.token == request.match_info["token"] and not hook.is_deleted
        return hook if is_there else None

    async def look(self, request: web.Request) -> web.StreamResponse:
        """`GET` of a webhook: what it is, without posting."""
        hook = self._hook(request)
        if hook is None:
            return chat_faults.discord_error(404, 10015, "Unknown Webhook").response()
        return web.json_response({"id": hook.id, "type": 1, "name": "alerts", "channel_id": "42"})

    def _answer(self, request: web.Request, payload: Json, files: dict[str, bytes]) -> web.Response:
        now_ms = self._clock.monotonic_ms()
        if (banned := self._address.spend(now_ms)) is not None:
            return self._refuse(banned, now_ms, {})
        hook = self._hook(request)
        if hook is None:
            return chat_faults.discord_error(404, 10015, "Unknown Webhook").response()
        if "DiscordBot" not in request.headers.get("User-Agent", ""):
            self._address.refused(now_ms)
            return chat_faults.discord_error(403, 40333, "internal network error").response()
        too_many = hook.buckets.spend(now_ms)
        headers = hook.buckets.headers(now_ms, self._clock.wall_ms())
        if too_many is not None:
            return self._refuse(too_many, now_ms, headers)
        if request.method == "DELETE":
            return self._delete(hook, request, headers)
        wrong = problem(payload) or file_problem(payload, {name: len(file) for name, file in files.items()})
        if wrong is not None:
            return web.json_response(refusal(wrong), status=400, headers=headers)
        if request.method == "PATCH":
            return self._edit(hook, request, payload, headers, files)
        return self._post(hook, request, payload, headers, files)

    def _refuse(self, why: TooMany, now_ms: float, headers: dict[str, str]) -> web.Response:
        self.n_flooded += 1
        if why.is_banned:
            return chat_faults.discord_banned().response()
        self._address.refused(now_ms)
        wait_s = math.ceil(why.retry_after_s * 1_000) / 1_000
        fault = chat_faults.discord_too_many(wait_s, is_global=why.scope == "global")
        return replace(fault, headers={**headers, **fault.headers}).response()

    def _post(
        self, hook: Webhook, request: web.Request, payload: Json, headers: dict[str, str], files: dict[str, bytes]
    ) -> web.Response:
        wrong = hook.thread_problem(dict(request.query), payload)
        if wrong is not None:
            # Without `wait=true` a message that is not saved does not return an error.
            return wrong.response() if request.query.get("wait") == "true" else web.Response(status=204)
        message = WebhookMessage(str(self._next_id), payload, thread=request.query.get("thread_id", ""), files=files)
        self._next_id += 1
        hook.messages.append(message)
        self._note(What.NEW, hook, message)
        if request.query.get("wait") != "true":
            return web.Response(status=204, headers=headers)
        return web.json_response(self._json(hook, message), headers=headers)

    def _find(self, hook: Webhook, request: web.Request) -> WebhookMessage | None:
        wanted = request.match_info["message"], request.query.get("thread_id", "")
        return next((m for m in reversed(hook.messages) if (m.id, m.thread) == wanted), None)

    def _edit(
        self, hook: Webhook, request: web.Request, payload: Json, headers: dict[str, str], files: dict[str, bytes]
    ) -> web.Response:
        message = self._find(hook, request)
        if message is None:
            return chat_faults.discord_error(404, 10008, "Unknown Message", **headers).response()
        message.edits.append(message.payload)
        message.payload = message.payload | payload
        if "attachments" in payload:
            message.files = {}  # what is not listed goes
        message.files |= files
        self._note(What.EDIT, hook, message)
        return web.json_response(self._json(hook, message), headers=headers)

    def _delete(self, hook: Webhook, request: web.Request, headers: dict[str, str]) -> web.Response:
        message = self._find(hook, request)
        if message is None:
            return chat_faults.discord_error(404, 10008, "Unknown Message", **headers).response()
        hook.messages.remove(message)
        self._note(What.DELETE, hook, message)
        return web.Response(status=204, headers=headers)

    def _note(self, what: What, hook: Webhook, message: WebhookMessage) -> None:
        text = message.text if what is not What.DELETE else ""
        self._happened(Happening("discord", hook.id, what, message.id, text, self._clock.monotonic_ms()))

    @staticmethod
    def _json(hook: Webhook, message: WebhookMessage) -> Json:
        return {"id": message.id, "type": 0, "webhook_id": hook.id, "channel_id": "42", **message.payload}


async def _payload(request: web.Request) -> tuple[Json, dict[str, bytes]]:
    """JSON alone, or beside files in a form."""
    if request.content_type != "multipart/form-data":
        return (await request.json() if request.can_read_body else {}), {}
    form = await request.post()
    files = {
        value.filename: value.file.read()
        for name, value in form.items()
        if isinstance(value, web.FileField) and name.startswith("files[")
    }
    said = form.get("payload_json")
    # A part that names its type comes as bytes.
    text = bytes(said) if isinstance(said, bytearray | bytes) else said if isinstance(said, str) else "{}"
    return json.loads(text), files
