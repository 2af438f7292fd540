"""One Discord webhook as a destination: posts with `wait=true` to learn the id, patches to edit.

Redirects are not followed and answers are read up to a cap. Discord's rate-limit headers set the pace. The webhook's
address is a secret: no log line, reason or exception that leaves this module holds it.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import aiohttp
from yarl import URL

from bot import __version__, log
from bot.clock import Clock
from bot.delivery import embed
from bot.delivery.destination import Answer, Form, Order, fingerprint
from bot.delivery.discord_errors import AMBIGUOUS_PAUSE_S, DEFAULT_PAUSE_S, answer_of, is_for_all
from bot.delivery.http_destination import Named, OverHttp
from bot.delivery.limits import DiscordLimits
from bot.delivery.pace import Pace
from bot.model.outbox import Rejected, RetryLater
from bot.texts import mark

TOTAL_TIMEOUT_S: Final = 30.0
CONNECT_TIMEOUT_S: Final = 10.0
MAX_ANSWER_BYTES: Final = 65_536
_JSON: Final = "application/json"
USER_AGENT: Final = f"DiscordBot (https://github.com/oibot/oibot, {__version__})"
_LIMITS: Final = ((5, 2.0), (30, 60.0))
"""Known from experience, not from the documents; the headers may only slow us further."""

_log = log.get("delivery.discord")


class DiscordDestination(OverHttp, Named):
    """Sends to one webhook. Use as an async context manager: it owns HTTP connections."""

    def __init__(
        self,
        *,
        name: str = "discord",
        webhook_url: str,
        clock: Clock,
        thread: int | None = None,
        limits: DiscordLimits | None = None,
    ) -> None:
        """`thread` is one of the webhook's channel; `limits` are shared by all webhooks."""
        super().__init__(name, fingerprint(webhook_url.strip(), str(thread)))
        self._limits = limits if limits is not None else DiscordLimits(clock)
        try:
            self._url: URL | None = URL(webhook_url.strip())
            if thread is not None:
                self._url = self._url.update_query(thread_id=str(thread))
        except ValueError:
            self._url = None
        self._speed = clock.speed
        self._pace = Pace(clock, _LIMITS)

    @property
    def held_s(self) -> float:
        return self._limits.paused_s

    def hold(self, seconds: float) -> None:
        self._limits.pause_all(seconds)

    def take_slot(self, *, urgent: bool) -> float:  # noqa: ARG002, a webhook has one user, its lane
        return max(self._pace.ready_in_s(), self._limits.paused_s)

    def free_slot(self) -> None:
        """Nothing is taken before a request is made."""

    def _make_session(self) -> aiohttp.ClientSession:
        timeout = aiohttp.ClientTimeout(total=TOTAL_TIMEOUT_S / self._speed, connect=CONNECT_TIMEOUT_S / self._speed)
        return aiohttp.ClientSession(timeout=timeout, headers={"User-Agent": USER_AGENT}, trust_env=True)

    async def send(self, order: Order) -> Answer:
        """Make one attempt."""
        if self._url is None or self._url.scheme not in {"http", "https"} or not self._url.host:
            return Rejected(mark("the webhook address is not a URL"), destination_dead=True)
        target = order.target if order.edits and (order.target or "").isdigit() else None
        if target is None and order.edits:
            order = replace(order, form=Form.NEW, target=None)
        body = embed.body_of(order)
        method, url = "POST", self._url.update_query(wait="true")
        if target is not None:
            method, url = "PATCH", (self._url / "messages" / target).with_query(self._url.query)
        return await self._request(method, url, aiohttp.JsonPayload(body), target)

    async def attach(self, order: Order, png: bytes) -> Answer:
        """Put a picture into a message. Later edits name no attachments, which leaves it where it is."""
        target = order.target or ""
        if self._url is None or not target.isdigit():
            return Rejected(mark("the message has no number"))
        form = aiohttp.FormData()
        form.add_field("payload_json", json.dumps(embed.with_picture(embed.body_of(order))), content_type=_JSON)
        form.add_field("files[0]", png, filename=embed.PICTURE, content_type="image/png")
        url = (self._url / "messages" / target).with_query(self._url.query)
        return await self._request("PATCH", url, form(), target)

    async def _request(self, method: str, url: URL, body: aiohttp.payload.Payload, target: str | None) -> Answer:
        try:
            async with self._open().request(method, url, data=body, allow_redirects=False) as response:
                self._obey(response.headers)
                found = await _read(response)
                answer = answer_of(response.status, response.headers, found, target=target)
                if isinstance(answer, RetryLater) and is_for_all(response.status, response.headers, found):
                    self._limits.pause_all(answer.after_s)
                return answer
        except (
            aiohttp.ClientConnectorError,
            aiohttp.ClientHttpProxyError,
            aiohttp.ConnectionTimeoutError,
            aiohttp.InvalidURL,
        ) as error:
            _log.debug("attempt.failed", error=type(error).__name__)
            return RetryLater(DEFAULT_PAUSE_S, mark("Discord cannot be reached"))
        except TimeoutError:
            return RetryLater(AMBIGUOUS_PAUSE_S, mark("Discord did not answer in time"), ambiguous=True)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = f"the connection to Discord broke ({type(error).__name__})"
            return RetryLater(AMBIGUOUS_PAUSE_S, reason, ambiguous=True)
        finally:
            self._pace.use()

    def _obey(self, headers: Mapping[str, str]) -> None:
        """When nothing is left in this bucket, wait until it is refilled."""
        try:
            remaining = int(headers.get("X-RateLimit-Remaining", "1"))
            reset_s = float(headers.get("X-RateLimit-Reset-After", "0"))
        except ValueError:
            return
        if remaining <= 0 and reset_s > 0:
            self._pace.hold(min(reset_s, 3_600.0))


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The answer up to the cap; what is beyond it is not read."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_chunked(8_192):
        parts.append(part)
        size += len(part)
        if size >= MAX_ANSWER_BYTES:
            response.close()
            break
    return b"".join(parts)[:MAX_ANSWER_BYTES]
