"""What an answer to a Discord webhook call means for a message, by status and Discord's own code. Pure."""

import json
import math
from collections.abc import Mapping
from typing import Final

from bot.delivery.destination import Answer, TargetGone, Unlayable
from bot.model.outbox import Delivered, Rejected, RetryLater
from bot.texts import mark

MIN_PAUSE_S: Final = 0.5
MAX_PAUSE_S: Final = 3_600.0
DEFAULT_PAUSE_S: Final = 5.0
AMBIGUOUS_PAUSE_S: Final = 10.0
BLOCKED_PAUSE_S: Final = 60.0
"""Cloudflare's own 429 names no time."""

_NOT_TO_EDIT: Final = frozenset({10008, 50083})
"""A message that is gone, or in a thread that was archived since: only a new message opens that again."""
_DEAD: Final = frozenset({10003, 10015, 40333, 50001, 50013, 50027, 160005, 220001, 220002, 220003, 220004})
_BUSY: Final = frozenset({20028, 20029, 40062, 130000})
_OURS: Final = frozenset({40005, 50006, 50035, 50109})


def read_json(body: bytes) -> dict[str, object]:
    """The answer's object, or nothing when it is none (HTML of a proxy, a cut answer)."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        seconds = float(value)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) else None


def pause_s(headers: Mapping[str, str], body: Mapping[str, object]) -> float:
    """How long to wait after a 429: the body's fraction, else the header, else a minute."""
    found = _seconds(body.get("retry_after"))
    if found is None:
        found = _seconds(headers.get("Retry-After"))
    return min(max(BLOCKED_PAUSE_S if found is None else found, MIN_PAUSE_S), MAX_PAUSE_S)


def is_for_all(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a 429 means our address and not one webhook: Discord's global limit, or Cloudflare's ban."""
    if status != 429:
        return False
    found = read_json(body)
    if found.get("global") is True or headers.get("X-RateLimit-Global", "").lower() == "true":
        return True
    return _seconds(found.get("retry_after")) is None and not any(name.startswith("X-RateLimit") for name in headers)


def answer_of(status: int, headers: Mapping[str, str], body: bytes, *, target: str | None) -> Answer:
    """`target` is the id of the message that was to be edited."""
    found = read_json(body)
    code = found.get("code")
    code = code if isinstance(code, int) else 0
    name = f"Discord answers {status}" + (f" ({code})" if code else "")
    if 200 <= status < 300:
        sent = found.get("id")
        return Delivered(target or (sent if isinstance(sent, str) and sent else None))
    if status == 429:
        return RetryLater(pause_s(headers, found), mark("Discord asks for a pause"))
    if code in _NOT_TO_EDIT and target is not None:
        return TargetGone(name)
    if code in _BUSY:
        return RetryLater(DEFAULT_PAUSE_S, name)
    if status in {401, 403, 404} or code in _DEAD:
        return Rejected(f"{name}: the webhook does not work any more", destination_dead=True)
    if status in {400, 413} or code in _OURS:
        return Unlayable(name)
    if status >= 500:
        # JSON comes from Discord itself; a gateway's page says nothing about what happened behind it.
        return RetryLater(DEFAULT_PAUSE_S if found else AMBIGUOUS_PAUSE_S, name, ambiguous=not found)
    if 300 <= status < 400:
        return Rejected(f"{name}: the address is not a webhook", destination_dead=True)
    return Rejected(name)
