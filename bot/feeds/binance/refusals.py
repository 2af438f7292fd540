"""Why Binance refused a call: status, headers and body -> one value to act on.

Promises: any answer gives a `VenueError`; nothing raises. The text is one short line for people and logs, without
our own address and without markup.
"""

import math
import re
from collections.abc import Mapping
from typing import Final

import msgspec

from bot.feeds.binance.constants import LONGEST_BAN_S, USED_WEIGHT_HEADER
from bot.feeds.binance.decoding import UNREADABLE
from bot.feeds.calls import RefusalKind, VenueError

_BY_CODE: Final[Mapping[int, RefusalKind]] = {
    -1003: "limit",
    -1000: "server",
    -1001: "server",
    -1006: "server",
    -1007: "server",
    -1008: "server",
    -1016: "maintenance",
    -1121: "unknown_symbol",
    -4144: "unknown_symbol",
    # Not in the official list, yet what openInterest answers for a contract that is halted, delivering or closed.
    -4108: "not_trading",
}

_BANNED_UNTIL: Final = re.compile(r"banned until\s+(\d{13})(?!\d)", re.IGNORECASE)
_OWN_ADDRESS: Final = re.compile(r"IP\s*\([^)]*\)")
_MARKUP: Final = re.compile(r"<(?:script|style)\b.*?</(?:script|style)>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_BODY_LIMIT: Final = 8192
_TEXT_LIMIT: Final = 200


def _header(headers: Mapping[str, str], name: str) -> str | None:
    return next((value for key, value in headers.items() if key.lower() == name), None)


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds of the header, at most the longest ban. The form with a date is not read: it needs our clock."""
    try:
        seconds = float(_header(headers, "retry-after") or "")
    except ValueError:
        return None
    if not math.isfinite(seconds) or seconds < 0:
        return None
    return min(seconds, LONGEST_BAN_S)


def parse_used_weight(headers: Mapping[str, str]) -> int | None:
    """Weight used in this minute by our address, as the venue counts it; None where the header is absent or odd."""
    value = (_header(headers, USED_WEIGHT_HEADER) or "").strip()
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None


def _read(body: bytes) -> tuple[int | None, str]:
    """Code and message of an error body. Bodies without `code` are joined to one text; HTML loses its tags."""
    head = body[:_BODY_LIMIT]
    try:
        answer: object = msgspec.json.decode(head)
    except UNREADABLE:
        return None, _MARKUP.sub(" ", head.decode("utf-8", "replace"))
    if not isinstance(answer, dict):
        return None, str(answer)
    code = answer.get("code")
    text = str(answer["msg"]) if "msg" in answer else "; ".join(f"{key}: {value}" for key, value in answer.items())
    return (code if isinstance(code, int) and not isinstance(code, bool) else None), text


def _kind(status: int, code: int | None, text: str, until_ms: int | None) -> RefusalKind:
    low = text.lower()
    if status == 451 or "restricted location" in low:
        return "region"
    if status == 418 or until_ms is not None:
        return "ban"
    if status == 429:
        return "limit"
    if status == 403:
        return "firewall"
    if code is not None and code in _BY_CODE:
        return _BY_CODE[code]
    if "maintenance" in low:
        return "maintenance"
    if status >= 500 or status == 408 or status < 400:
        return "server"
    return "bad_request"


def classify_error(status: int, headers: Mapping[str, str], body: bytes) -> VenueError:
    """What a refused call means.

    An answer below 400 that could not be used (a proxy's page, a redirect) counts as `server`: asking again may help.
    """
    code, raw = _read(body)
    found = _BANNED_UNTIL.search(raw)
    until_ms = int(found[1]) if found else None
    text = " ".join(_OWN_ADDRESS.sub("IP(…)", raw).split())[:_TEXT_LIMIT]
    return VenueError(
        kind=_kind(status, code, text, until_ms),
        until_ms=until_ms,
        retry_after_s=_retry_after_s(headers),
        code=code,
        text=f"HTTP {status}: {text}" if text else f"HTTP {status}",
    )
