"""The dead-man's switch: somebody else's service that raises the alarm when our ping does not come.

A dead bot cannot report itself. So it asks for an address each minute, but only while it does its work. The services'
`/start` and `/fail` are used where they are asked for: at a start, and when the bot notices that it does not work. No
failure of a ping disturbs anything; the address is a secret and is never logged.
"""

from collections.abc import Callable
from typing import Final, Literal

import aiohttp
from yarl import URL

from bot import log
from bot.clock import Clock
from bot.model.readiness import Readiness

TIMEOUT_S: Final = 10.0
LOOK_EVERY_S: Final = 1.0
Style = Literal["plain", "healthchecks"]

_log = log.get("ping")


class Pinger:
    """`run` is a component."""

    def __init__(
        self, *, url: str, style: Style, every_s: float, readiness: Callable[[], Readiness], clock: Clock
    ) -> None:
        """`style`: `plain` asks for the address and nothing else."""
        self._url = URL(url)
        self._style = style
        self._every_s = every_s
        self._readiness = readiness
        self._clock = clock
        self._failed: frozenset[str] = frozenset()
        self._trouble = ""
        self.n_sent = 0
        self.n_failed = 0
        self.ok_ms: float | None = None
        """When the last ping arrived, `Clock.monotonic_ms`."""

    async def run(self) -> None:
        """Ping until cancelled."""
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(
            timeout=timeout, trust_env=True, cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            await self._say(session, "start", "")
            due_ms = self._clock.monotonic_ms()
            while True:
                found = self._readiness()
                if not found.is_ready and not found.is_starting:
                    await self._complain(session, found)
                elif found.is_ready and self._clock.monotonic_ms() >= due_ms:
                    self._failed = frozenset()
                    due_ms = self._clock.monotonic_ms() + self._every_s * 1000
                    await self._ask(session, self._url, "")
                await self._clock.sleep(min(LOOK_EVERY_S, self._every_s))

    async def _complain(self, session: aiohttp.ClientSession, found: Readiness) -> None:
        """Once for each kind of trouble, until all is well again."""
        codes = frozenset(reason.code for reason in found.reasons)
        if not codes <= self._failed:
            self._failed |= codes
            _log.warning("ping.withheld", reason=found.text)
            await self._say(session, "fail", found.text)

    async def _say(self, session: aiohttp.ClientSession, what: str, text: str) -> None:
        if self._style == "healthchecks":
            await self._ask(session, self._url.with_path(f"{self._url.path.rstrip('/')}/{what}", keep_query=True), text)

    async def _ask(self, session: aiohttp.ClientSession, url: URL, text: str) -> None:
        self.n_sent += 1
        try:
            async with (
                self._clock.timeout(TIMEOUT_S * max(1.0, self._clock.speed / 8)),
                session.request("POST" if text else "GET", url, data=text or None, allow_redirects=False) as answer,
            ):
                trouble = "" if answer.status < 300 else f"answered {answer.status}"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # The text of such an error may hold the address.
            trouble = "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
        if trouble:
            self.n_failed += 1
            if trouble != self._trouble:
                _log.warning("ping.failed", reason=trouble)
        else:
            self.ok_ms = self._clock.monotonic_ms()
            if self._trouble:
                _log.info("ping.recovered")
        self._trouble = trouble
