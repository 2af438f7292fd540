"""Why a venue cannot be reached, as a value with a sentence for people.

Promises: every exception that a connection attempt can end with becomes a `Trouble`; the text names the host and what to
look at, and carries no path, query or credential.
"""

import errno
import re
import socket
import ssl
from dataclasses import dataclass
from enum import StrEnum


class TroubleKind(StrEnum):
    """What stands in the way."""

    NAME = "name not resolved"
    REFUSED = "refused"
    TLS = "TLS"
    TIMEOUT = "timeout"
    NETWORK = "network"
    REGION = "region"
    FORBIDDEN = "firewall"
    LIMIT = "limit"
    HTTP = "HTTP"
    NO_DATA = "connected but no data"
    SILENT = "silent"
    GARBAGE = "garbage"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One reason, and how long the venue asked us to stay away."""

    kind: TroubleKind
    text: str
    retry_after_s: float | None = None


_ERRNO = re.compile(r"\[Errno (-?\d+)\]")
_UNREACHABLE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN})


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what it was raised from, outermost first. Also follows the `os_error` of HTTP clients."""
    found: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop(0)
        if one is None or one in found:
            continue
        found.append(one)
        inner = getattr(one, "os_error", None)
        todo += [inner if isinstance(inner, BaseException) else None, one.__cause__]
        if isinstance(one, BaseExceptionGroup):
            todo += one.exceptions
    return found


def _errnos(error: BaseException) -> set[int]:
    """Error numbers of an error; several addresses tried give one error that only quotes them."""
    own = {error.errno} if isinstance(error, OSError) and error.errno is not None else set()
    return own | {int(number) for number in _ERRNO.findall(str(error))}


def from_exception(error: BaseException, host: str) -> Trouble:
    """What a failed attempt to reach `host` means."""
    errors = _chain(error)
    tls = [e for e in errors if isinstance(e, ssl.SSLError)]
    if tls:
        # HTTP clients wrap such an error in one of their own that is an `SSLError` without its fields.
        details = [getattr(e, name, "") for name in ("verify_message", "reason") for e in tls]
        detail = next((text for text in details if text), "handshake failed")
        hint = "a proxy, a captive portal or a wrong clock may be in the way"
        return Trouble(TroubleKind.TLS, f"no trusted connection to {host}: {detail}; {hint}")
    if any(isinstance(e, socket.gaierror) for e in errors):
        return Trouble(
            TroubleKind.NAME, f"the name {host} could not be resolved: check DNS and the internet connection"
        )
    numbers = set().union(*(_errnos(e) for e in errors))
    if errno.ECONNREFUSED in numbers:
        return Trouble(TroubleKind.REFUSED, f"{host} refused the connection")
    if any(isinstance(e, TimeoutError) for e in errors) or errno.ETIMEDOUT in numbers:
        return Trouble(TroubleKind.TIMEOUT, f"{host} did not answer in time")
    if any(isinstance(e, ConnectionResetError) for e in errors):
        return Trouble(TroubleKind.NETWORK, f"the connection to {host} was cut while it was being opened")
    if numbers & _UNREACHABLE:
        return Trouble(TroubleKind.NETWORK, f"no route to {host}: check the internet connection")
    text = " ".join(str(error).split())[:120] or type(error).__name__
    return Trouble(TroubleKind.NETWORK, f"connection to {host} failed: {text}")


def from_status(status: int, host: str, retry_after_s: float | None = None) -> Trouble:
    """What an HTTP status means that came where a connection was expected."""
    if status == 451:
        return Trouble(TroubleKind.REGION, f"{host} does not serve this location (HTTP 451)", retry_after_s)
    if status == 403:
        return Trouble(TroubleKind.FORBIDDEN, f"the firewall of {host} refused us (HTTP 403)", retry_after_s)
    if status in (418, 429):
        return Trouble(TroubleKind.LIMIT, f"{host} says we ask too often (HTTP {status})", retry_after_s)
    return Trouble(TroubleKind.HTTP, f"{host} answered HTTP {status} instead of opening a stream", retry_after_s)
