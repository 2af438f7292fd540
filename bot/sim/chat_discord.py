"""A Discord webhook on loopback: posts, edits, the published size limits, and rate-limit headers."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from bot.clock import Clock
from bot.sim import chat_faults
from bot.sim.chat_faults import Fault, FaultPlan, Json, Received
from bot.sim.chat_html import utf16_length

WEBHOOK_ID: Final = "123456789012345678"
WEBHOOK_TOKEN: Final = "SIMULATED-webhook-token-SIMULATED-webhook-token-SIMULATED-webhook-to"  # noqa: S105, opens nothing
BUCKET: Final = (5, 2.0)
"""So many requests in so many seconds."""
_TEXT_LIMITS: Final = {"title": 256, "description": 4_096}


@dataclass(slots=True)
class WebhookMessage:
    """One message, as it stands in the channel now."""

    id: str
    payload: Json
    thread: str = ""
    """`thread_id`."""
    edits: list[Json] = field(default_factory=list)
    """Earlier payloads, oldest first."""

    @property
    def text(self) -> str:
        """All that people read of it."""
        found = [str(self.payload.get("content") or "")]
        for embed in self.payload.get("embeds", []):
            found += [str(embed.get("title", "")), str(embed.get("description", ""))]
            found += [f"{f['name']} {f['value']}" for f in embed.get("fields", [])]
            found.append(str(embed.get("footer", {}).get("text", "")))
        return "\n".join(x for x in found if x)


class DiscordServer:
    """The state behind one webhook."""

    def __init__(self, clock: Clock, record: Callable[[Received], None]) -> None:
        self._clock = clock
        self._record = record
        self.faults = FaultPlan(clock)
        self.messages: list[WebhookMessage] = []
        self.n_flooded = 0
        self._used_ms: deque[float] = deque()
        self._next_id = 1_300_000_000_000_000_001

    def fail(self, fault: Fault, *, method: str | None = None, **how: int) -> None:
        """Misbehave at the next request (`POST` or `PATCH`, or either); `how` is `times` and `skip`."""
        self.faults.add(fault, matches=lambda name, _: method in {None, name}, **how)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        payload: Json = await request.json()
        at_ms = self._clock.monotonic_ms()
        self._record(Received("discord", request.method, payload, at_ms, dict(request.headers)))
        fault = self.faults.take(request.method, payload)
        return await self.faults.act(fault, request, lambda: self._answer(request, payload))

    async def look(self, request: web.Request) -> web.StreamResponse:
        """`GET` of a webhook: what it is, without posting."""
        if (request.match_info["id"], request.match_info["token"]) != (WEBHOOK_ID, WEBHOOK_TOKEN):
            return chat_faults.discord_error(404, 10015, "Unknown Webhook").response()
        return web.json_response({"id": WEBHOOK_ID, "type": 1, "name": "alerts", "channel_id": "42"})

    def _answer(self, request: web.Request, payload: Json) -> web.Response:
        if (request.match_info["id"], request.match_info["token"]) != (WEBHOOK_ID, WEBHOOK_TOKEN):
            return chat_faults.discord_error(404, 10015, "Unknown Webhook").response()
        if "DiscordBot" not in request.headers.get("User-Agent", ""):
            return chat_faults.discord_error(403, 40333, "internal network error").response()
        headers = self._spend()
        if headers is None:
            self.n_flooded += 1
            return chat_faults.discord_too_many(self._reset_s()).response()
        if wrong := problem(payload):
            body = {"message": "Invalid Form Body", "code": 50035, "errors": {"_errors": [{"message": wrong}]}}
            return web.json_response(body, status=400, headers=headers)
        if request.method == "PATCH":
            return self._edit(request.match_info["message"], payload, headers)
        message = WebhookMessage(str(self._next_id), payload, request.query.get("thread_id", ""))
        self._next_id += 1
        self.messages.append(message)
        if request.query.get("wait") != "true":
            return web.Response(status=204, headers=headers)
        return web.json_response(self._json(message), headers=headers)

    def _edit(self, message_id: str, payload: Json, headers: dict[str, str]) -> web.Response:
        message = next((m for m in self.messages if m.id == message_id), None)
        if message is None:
            return chat_faults.discord_error(404, 10008, "Unknown Message", **headers).response()
        message.edits.append(message.payload)
        message.payload = payload
        return web.json_response(self._json(message), headers=headers)

    @staticmethod
    def _json(message: WebhookMessage) -> Json:
        return {"id": message.id, "type": 0, "webhook_id": WEBHOOK_ID, "channel_id": "42", **message.payload}

    def _reset_s(self) -> float:
        return max(0.0, BUCKET[1] - (self._clock.monotonic_ms() - self._used_ms[0]) / 1000)

    def _spend(self) -> dict[str, str] | None:
        """Take one from the bucket; the headers to answer with, or None when it is empty."""
        n, window_s = BUCKET
        now_ms = self._clock.monotonic_ms()
        while self._used_ms and now_ms - self._used_ms[0] >= window_s * 1000:
            self._used_ms.popleft()
        if len(self._used_ms) >= n:
            return None
        self._used_ms.append(now_ms)
        return {
            "X-RateLimit-Limit": str(n),
            "X-RateLimit-Remaining": str(n - len(self._used_ms)),
            "X-RateLimit-Reset-After": f"{self._reset_s():.3f}",
            "X-RateLimit-Bucket": "simulated",
        }


def problem(payload: Json) -> str | None:
    """What Discord would refuse, in its words; None for a sound payload."""
    content, embeds = payload.get("content") or "", payload.get("embeds") or []
    if not content and not embeds:
        return "Cannot send an empty message"
    if not isinstance(content, str) or utf16_length(content) > 2_000:
        return "Must be 2000 or fewer in length."
    if len(embeds) > 10:
        return "Must be 10 or fewer in length."
    total = 0
    for embed in embeds:
        lengths = _lengths(embed)
        if any(size > limit or size < low for size, limit, low in lengths) or len(embed.get("fields", [])) > 25:
            return "Must be between 1 and its limit in length."
        total += sum(size for size, _, _ in lengths)
    return "Embed size exceeds maximum size of 6000" if total > 6_000 else None


def _lengths(embed: Json) -> list[tuple[int, int, int]]:
    """Size, limit and least size of each text."""
    found: list[tuple[Any, int, int]] = [(embed.get(name, ""), limit, 0) for name, limit in _TEXT_LIMITS.items()]
    found.append((embed.get("footer", {}).get("text", ""), 2_048, 0))
    for one in embed.get("fields", []):
        found += [(one.get("name", ""), 256, 1), (one.get("value", ""), 1_024, 1)]
    return [(utf16_length(str(text)), limit, low) for text, limit, low in found]
