"""Anything that takes signed JSON over HTTPS, as a destination.

Each attempt is signed with its own time; the message's id is the same in all of them, so that the other side can drop what
it has. Redirects are not followed, answers are not read, and what a name resolves to is judged when connecting. Neither
address nor secret is in any reason or log line.
"""

import hashlib
import hmac
import math
import socket
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from bot import __version__, log
from bot.clock import Clock
from bot.delivery.destination import Answer, Order, fingerprint
from bot.delivery.http_destination import OverHttp, Unlimited
from bot.delivery.webhook_body import body_of, id_of
from bot.model import addresses
from bot.model.outbox import Delivered, Rejected, RetryLater
from bot.texts import mark

TOTAL_TIMEOUT_S: Final = 15.0
CONNECT_TIMEOUT_S: Final = 10.0
MIN_PAUSE_S: Final = 1.0
MAX_PAUSE_S: Final = 3_600.0
DEFAULT_PAUSE_S: Final = 5.0
UNNAMED_PAUSE_S: Final = 60.0
"""After a 429 that names no usable time."""
PRIVATE_PAUSE_S: Final = 300.0
USER_AGENT: Final = f"oibot/{__version__}"
MIN_SECRET_LENGTH: Final = 16
_SOON: Final = frozenset({408, 425})

_log = log.get("delivery.webhook")


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """`sha256=` and the hex HMAC-SHA256 over the timestamp, a full stop and the body."""
    return "sha256=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def pause_s(headers: Mapping[str, str], *, default_s: float, wall_ms: int) -> float:
    """What `Retry-After` says, in seconds or as a date, within sane limits."""
    text = headers.get("Retry-After", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - wall_ms / 1000
        except (ValueError, TypeError, OverflowError):
            return default_s
    if not math.isfinite(seconds):
        return default_s
    return min(max(seconds, MIN_PAUSE_S), MAX_PAUSE_S)


def answer_of(status: int, headers: Mapping[str, str], *, wall_ms: int) -> Answer:
    """What an answer means for the message. One that arrived has no id: it cannot be edited, and is not to be sent again
    where others would be.
    """
    name = f"the webhook answers {status}"
    if 200 <= status < 300:
        return Delivered(None)
    if status == 429:
        return RetryLater(
            pause_s(headers, default_s=UNNAMED_PAUSE_S, wall_ms=wall_ms), mark("the webhook asks for a pause")
        )
    if status in _SOON:
        return RetryLater(pause_s(headers, default_s=DEFAULT_PAUSE_S, wall_ms=wall_ms), name)
    if status >= 500:
        return RetryLater(pause_s(headers, default_s=DEFAULT_PAUSE_S, wall_ms=wall_ms), name, ambiguous=True)
    if status == 413:
        return Rejected(f"{name}: the message is too large for it")
    if 300 <= status < 400:
        return Rejected(f"{name}: redirects are not followed; give the final address", destination_dead=True)
    return Rejected(f"{name}: it does not take our messages", destination_dead=True)


class PrivateAddressError(OSError):
    """A name leads to an address that may not be connected to."""


class Guard(AbstractResolver):
    """Resolves names and refuses those that lead into a private network, at the moment of connecting."""

    def __init__(self, inner: AbstractResolver | None = None, *, private: bool) -> None:
        self._inner = inner if inner is not None else aiohttp.ThreadedResolver()
        self._private = private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if not all(addresses.may_connect(host, one["host"], private=self._private) for one in found):
            raise PrivateAddressError("a private address")
        return found

    async def close(self) -> None:
        await self._inner.close()


class WebhookDestination(OverHttp, Unlimited):
    """Posts to one address. Use as an async context manager: it owns HTTP connections."""

    def __init__(
        self,
        *,
        name: str = "webhook",
        url: str,
        secret: str,
        clock: Clock,
        private: bool = False,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """`private`: the address may be in a private network. `resolver` is asked for addresses; the system's if None."""
        super().__init__(name, fingerprint(url.strip(), secret))
        self._fault = addresses.fault_of(url.strip(), private=private)
        # As it is written: the other side may have signed it, or compare it byte by byte.
        self._url = URL(url.strip(), encoded=url.isascii()) if self._fault is None else URL()
        self._secret = secret.encode()
        self._clock = clock
        self._guard = Guard(resolver, private=private)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        await self._guard.close()

    def _make_session(self) -> aiohttp.ClientSession:
        speed = self._clock.speed
        return aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TOTAL_TIMEOUT_S / speed, connect=CONNECT_TIMEOUT_S / speed),
            connector=aiohttp.TCPConnector(resolver=self._guard, use_dns_cache=False),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": USER_AGENT, "Content-Type": "application/json"},
        )

    async def send(self, order: Order) -> Answer:
        """Make one attempt."""
        if self._fault is not None:
            return Rejected(f"the webhook's address cannot be used: {self._fault}", destination_dead=True)
        sent = id_of(order)
        body = body_of(order, message_id=sent)
        timestamp = str(self._clock.wall_ms() // 1000)
        headers = {
            "Idempotency-Key": sent,
            "X-Oibot-Timestamp": timestamp,
            "X-Oibot-Signature": signature(self._secret, timestamp, body),
        }
        try:
            async with self._open().post(self._url, data=body, headers=headers, allow_redirects=False) as response:
                return answer_of(response.status, response.headers, wall_ms=self._clock.wall_ms())
        except aiohttp.InvalidURL:
            return Rejected(mark("the webhook's address cannot be used"), destination_dead=True)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            if _is_private(error):
                reason = mark("the webhook's name leads to a private address; write private: true if that is meant")
                return RetryLater(PRIVATE_PAUSE_S, reason)
            _log.debug("attempt.failed", error=type(error).__name__)
            return RetryLater(DEFAULT_PAUSE_S, mark("the webhook cannot be reached"))
        except TimeoutError:
            return RetryLater(DEFAULT_PAUSE_S, mark("the webhook did not answer in time"), ambiguous=True)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = f"the connection to the webhook broke ({type(error).__name__})"
            return RetryLater(DEFAULT_PAUSE_S, reason, ambiguous=True)


def _is_private(error: BaseException) -> bool:
    """The client wraps what a resolver raises."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, PrivateAddressError):
            return True
        seen = getattr(seen, "os_error", None) or seen.__cause__
        if seen is error:
            return False
    return False
