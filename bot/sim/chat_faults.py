"""What a simulated chat server does instead of answering properly, and what it received."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from aiohttp import web

from bot.clock import Clock

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Received:
    """One request, in the order of arrival over both servers."""

    service: str
    """`telegram` or `discord`."""
    method: str
    """`sendMessage`, or `POST` and `PATCH`."""
    params: Json
    at_ms: float
    headers: Mapping[str, str]


CALL: Final = web.RequestKey("received", Received)
"""Where a handler keeps what it received, for who looks at the answer."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to misbehave. The steps happen in the order of the fields."""

    hang_s: float = 0.0
    """Wait that long, then go on; alone, only a slow answer."""
    accepts: bool = False
    """Do what was asked, although the answer will not say so."""
    holds_s: float = 0.0
    """Wait that long after it was done, before the answer."""
    cuts: bool = False
    """Close the connection without an answer."""
    status: int = 0
    """Answer this; 0 answers properly."""
    body: Json | bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> web.Response:
        if isinstance(self.body, bytes):
            return web.Response(status=self.status, body=self.body, headers=self.headers)
        return web.json_response(self.body, status=self.status, headers=self.headers)


def telegram_error(code: int, description: str, **parameters: Any) -> Fault:
    """The Bot API's own form of an error."""
    body: Json = {"ok": False, "error_code": code, "description": description}
    return Fault(status=code, body={**body, "parameters": parameters} if parameters else body)


def too_many_requests(retry_after: Any = 1) -> Fault:
    """As the server says it: in the text, in the parameters and in a header."""
    fault = telegram_error(429, f"Too Many Requests: retry after {retry_after}", retry_after=retry_after)
    return replace(fault, headers={"Retry-After": str(retry_after)})


def blocked() -> Fault:
    return telegram_error(403, "Forbidden: bot was blocked by the user")


def bad_request(description: str, **parameters: Any) -> Fault:
    return telegram_error(400, f"Bad Request: {description}", **parameters)


def unauthorized() -> Fault:
    return telegram_error(401, "Unauthorized")


def conflict() -> Fault:
    text = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
    return telegram_error(409, text)


def server_error() -> Fault:
    return telegram_error(500, "Internal Server Error: restart")


def bad_gateway() -> Fault:
    return Fault(status=502, body=b"<html><h1>502 Bad Gateway</h1></html>", headers={"Content-Type": "text/html"})


def broken_json() -> Fault:
    """Accepted, but the answer is cut in the middle."""
    return Fault(accepts=True, status=200, body=b'{"ok":true,"result":{"message_id":')


def dropped(*, accepted: bool) -> Fault:
    """The connection ends without an answer, after or before the request was carried out."""
    return Fault(accepts=accepted, cuts=True)


def held(seconds: float) -> Fault:
    """Carried out at once; the answer comes later, or never if somebody dies before."""
    return Fault(accepts=True, holds_s=seconds)


def discord_error(status: int, code: int, message: str, **headers: str) -> Fault:
    return Fault(status=status, body={"message": message, "code": code}, headers=headers)


def discord_too_many(retry_after: float, *, is_global: bool = False, is_shared: bool = False) -> Fault:
    what = "The resource is" if is_shared else "You are"
    body = {"message": f"{what} being rate limited.", "retry_after": retry_after, "global": is_global}
    scope = "global" if is_global else "shared" if is_shared else "user"
    headers = {"Retry-After": str(max(1, math.ceil(retry_after))), "X-RateLimit-Scope": scope}
    return Fault(status=429, body=body, headers=headers | ({"X-RateLimit-Global": "true"} if is_global else {}))


def discord_banned() -> Fault:
    """The network in front of Discord refuses the address; no header says for how long."""
    text = (
        "You are being blocked from accessing our API temporarily due to exceeding our rate limits frequently. "
        "Please read our docs at https://discord.com/developers/docs/topics/rate-limits to prevent this moving forward."
    )
    return Fault(status=429, body={"code": 0, "message": text})


@dataclass(slots=True)
class _Planned:
    fault: Fault
    matches: Callable[[str, Json], bool]
    left: int
    skip: int


class FaultPlan:
    """Faults that wait for their request."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._planned: list[_Planned] = []

    def add(
        self, fault: Fault, *, matches: Callable[[str, Json], bool] = lambda *_: True, times: int = 1, skip: int = 0
    ) -> None:
        """Misbehave at the next `times` requests that match, after letting `skip` of them pass."""
        self._planned.append(_Planned(fault, matches, times, skip))

    @property
    def n_waiting(self) -> int:
        """Faults that have not met their request."""
        return sum(planned.left for planned in self._planned)

    def clear(self) -> None:
        self._planned.clear()

    def take(self, method: str, params: Json) -> Fault | None:
        """The fault for this request, if one waits for it."""
        for planned in self._planned:
            if planned.left > 0 and planned.matches(method, params):
                if planned.skip > 0:
                    planned.skip -= 1
                    continue
                planned.left -= 1
                return planned.fault
        return None

    async def act(
        self, fault: Fault | None, request: web.Request, answer: Callable[[], web.Response]
    ) -> web.StreamResponse:
        """Answer with `answer`, or misbehave."""
        if fault is None:
            return answer()
        if fault.hang_s:
            await self._clock.sleep(fault.hang_s)
        proper = answer() if fault.accepts or not (fault.status or fault.cuts) else None
        if fault.holds_s:
            await self._clock.sleep(fault.holds_s)
        if fault.cuts:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        return fault.response() if fault.status or proper is None else proper
