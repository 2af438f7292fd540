"""What a lane must not forget over a restart: a dead destination, since when it leads where it does, a pause that was asked
for, how much it told today.

Kept as one small value per destination. A database that takes or gives nothing costs this memory and nothing else.
"""

import json
from dataclasses import dataclass, field
from typing import Final

from bot import log
from bot.errors import StorageError
from bot.model.ports import KeyValues

MAX_PAUSE_MS: Final = 3_600_000

_log = log.get("delivery")


@dataclass(slots=True)
class LaneMemory:
    """Times are wall ms where nothing else is said: they outlive the process."""

    dead_reason: str | None = None
    fingerprint: str = ""
    """Of the address that died."""
    address: str = ""
    """Fingerprint of where it leads."""
    address_since_ms: int = 0
    """Venue time since when; 0: as far as is known, always."""
    is_owner_told: bool = False
    paused_until_ms: int = 0
    """The destination asked for it."""
    held_until_ms: int = 0
    """The other side asked for it, for all destinations there."""
    told_today: dict[str, list[int]] = field(default_factory=dict)

    def pauses_s(self, now_ms: int) -> tuple[float, float]:
        """What is left of both pauses, in seconds; a clock that was wrong cannot make them endless."""
        lane, held = (min(max(until - now_ms, 0), MAX_PAUSE_MS) for until in (self.paused_until_ms, self.held_until_ms))
        return lane / 1000, held / 1000


def _key(name: str) -> str:
    return f"delivery.lane.{name}"


async def recall(store: KeyValues | None, name: str) -> LaneMemory:
    """What was remembered; nothing where there is no store, no value, or no sense in it."""
    if store is None:
        return LaneMemory()
    try:
        found = json.loads(await store.get(_key(name)) or "{}")
        dead = found.get("dead")
        return LaneMemory(
            dead_reason=dead if isinstance(dead, str) else None,
            fingerprint=str(found.get("fingerprint", "")),
            address=str(found.get("address", "")),
            address_since_ms=int(found.get("address_since_ms", 0)),
            is_owner_told=found.get("owner_told") is True,
            paused_until_ms=int(found.get("paused_until_ms", 0)),
            held_until_ms=int(found.get("held_until_ms", 0)),
            told_today=dict(found.get("told_today", {})),
        )
    except (StorageError, ValueError, TypeError, AttributeError) as error:
        _log.warning("lane.forgot", destination=name, error=type(error).__name__)
        return LaneMemory()


async def remember(store: KeyValues | None, name: str, memory: LaneMemory) -> bool:
    """Whether it is stored."""
    if store is None:
        return True
    value = {
        "dead": memory.dead_reason,
        "fingerprint": memory.fingerprint,
        "address": memory.address,
        "address_since_ms": memory.address_since_ms,
        "owner_told": memory.is_owner_told,
        "paused_until_ms": memory.paused_until_ms,
        "held_until_ms": memory.held_until_ms,
        "told_today": memory.told_today,
    }
    try:
        await store.put(_key(name), json.dumps(value))
    except StorageError as error:
        _log.warning("lane.unnoted", destination=name, reason=str(error))
        return False
    return True
