"""One HTTP request for a check, whose failure is a sentence without the URL: that may hold a token."""

from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from bot.clock import Clock
from bot.delivery.webhook import Guard
from bot.feeds.transport import trouble_of

WAIT_S: Final = 12.0


@dataclass(frozen=True, slots=True)
class Said:
    """What came back."""

    status: int | None
    """None where nothing came."""
    body: dict[str, Any] = field(default_factory=dict)
    """Empty where it is no JSON object."""
    trouble: str = ""
    """Why nothing came, for people."""


def patience_s(clock: Clock) -> float:
    """How long an answer may take: a fast clock must not leave a slow machine without time."""
    return max(WAIT_S, 5.0 * clock.speed)


async def ask(method: str, url: str, clock: Clock, *, guard: Guard | None = None) -> Said:
    """Ask once and briefly; never raises for what a network does. `guard` refuses addresses, and goes by no proxy."""
    timeout = aiohttp.ClientTimeout(total=None)
    connector = aiohttp.TCPConnector(resolver=guard) if guard is not None else None
    try:
        async with (
            clock.timeout(patience_s(clock)),
            aiohttp.ClientSession(timeout=timeout, connector=connector, trust_env=guard is None) as session,
            session.request(method, url, allow_redirects=False) as answer,
        ):
            try:
                body = await answer.json(content_type=None)
            except ValueError:
                body = {}
            return Said(answer.status, body if isinstance(body, dict) else {})
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        host = urlsplit(url).hostname or "the address"
        # An error of the library that quotes its URL must not get through.
        text = trouble_of(error, host).text
        return Said(None, trouble=text if "/" not in text else f"{host} cannot be reached")
