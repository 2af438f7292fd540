"""HTTP as one awaitable: a target in, status, headers and body out.

Promises: `Http.get` raises only what a network does (`aiohttp.ClientError`, `OSError`, `ValueError`); redirects are not
followed, cookies not kept, bodies bounded. It has no timeout of its own: the caller's clock decides. Proxies are taken
from the environment; certificates are always checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import aiohttp
from yarl import URL

from bot.feeds.trouble import Trouble, TroubleKind, from_exception

USER_AGENT: Final = "oibot"
_MAX_BODY_BYTES: Final = 32 * 2**20


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """Something that can ask one host."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def get(self, target: str) -> Answer:
        """Ask for a path with its query, percent-encoded."""
        ...


class Http:
    """The real one. `speed` is the clock's: idle connections are dropped after 15 of its seconds."""

    def __init__(self, *, base_url: str, connections: int, speed: float = 1.0) -> None:
        self._base = base_url.rstrip("/")
        self._connections = connections
        self._keep_s = 15.0 / speed
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=self._keep_s, ttl_dns_cache=60),
            timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
            headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=True,
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(self, target: str) -> Answer:
        assert self._session is not None, "used before it was opened"
        url = URL(self._base + target, encoded=True)
        # A redirect is never the venue's: a captive portal or a proxy asks for a browser.
        async with self._session.get(url, allow_redirects=False) as response:
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > _MAX_BODY_BYTES:
                    raise ValueError(f"an answer of over {_MAX_BODY_BYTES} bytes")
            return Answer(response.status, response.headers, bytes(body))


def trouble_of(error: Exception, host: str) -> Trouble:
    """Why `get` did not come back with an answer."""
    if isinstance(error, aiohttp.ClientPayloadError):
        return Trouble(TroubleKind.CLOSED, f"{host} broke off in the middle of an answer")
    if isinstance(error, (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError)):
        return Trouble(TroubleKind.NETWORK, "the proxy named in HTTPS_PROXY or HTTP_PROXY cannot be used")
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return Trouble(TroubleKind.CLOSED, f"{host} closed the connection without an answer")
    return from_exception(error, host)
