"""Whether REST may be used at all. Pure: time is an argument, nothing waits or sends.

Promises: after 429 nothing goes until `Retry-After` (else 60 s) is over; after 418 nothing goes until the ban's end (the
later of body and header, else ten minutes); after 403 or 451 one call an hour tries again, over restarts too; after three failures in a row
to reach the venue, pauses grow with full jitter up to 30 s. After every pause, and at the start, one call goes alone and
the others wait for its answer, so a ban costs one call. A pause is never shortened by answers of calls sent before it.

Times are milliseconds of a clock that is set to the epoch once and then only runs forward.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random
from typing import Final, Literal, get_args

import msgspec

from bot.feeds.backoff import Backoff
from bot.feeds.calls import RefusalKind, VenueError
from bot.feeds.trouble import Trouble, from_status

FailureKind = RefusalKind | Literal["unreachable"]
FAILURE_KINDS: Final[tuple[str, ...]] = (*get_args(RefusalKind), "unreachable")

_LIMIT_PAUSE_S: Final = 60.0
_BAN_S: Final = 600.0
_REFUSED_S: Final = 3600.0
_MARGIN_S: Final = 1.0
_FAILURES_TO_PAUSE: Final = 3
_PAUSES: Final[Mapping[str, FailureKind]] = {
    "limit": "limit", "ban": "ban", "region": "region", "firewall": "firewall"
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Failure:
    """A call without a usable answer. `text` is a sentence for people."""

    kind: FailureKind
    text: str
    until_ms: int | None = None
    """Epoch milliseconds until which nothing is sent because of it."""

    @property
    def is_passing(self) -> bool:
        """Whether the same call may succeed a moment later."""
        return self.kind in {"server", "maintenance", "unreachable"}

    @property
    def is_pause(self) -> bool:
        """Whether it concerns all calls, not this one."""
        return self.kind in _PAUSES


class StoredPause(msgspec.Struct, frozen=True):
    """A pause as it survives a restart."""

    kind: str = ""
    until_ms: int = 0
    text: str = ""
    host: str = ""
    """Who asked for it: another host has nothing to do with it."""


class Gate:
    """Open, closed until a time, or trying with one call."""

    def __init__(self, *, host: str, random: Random, longest_ban_s: float) -> None:
        self._host = host
        self._longest_ban_s = longest_ban_s
        self._random = random
        self._backoff = Backoff(random=random)
        self._n_failures = 0
        self.is_trying = True
        """One call at a time until one is answered."""
        self.closed_until_ms = 0.0
        self.failure: Failure | None = None
        """Why the latest calls failed; None once one is answered."""

    def wait_ms(self, now_ms: float) -> float:
        """How long nothing may be sent; zero when the gate is open."""
        return max(0.0, self.closed_until_ms - now_ms)

    def banned_until_ms(self, now_ms: float) -> int | None:
        banned = self.failure is not None and self.failure.kind == "ban" and self.closed_until_ms > now_ms
        return int(self.closed_until_ms) if banned else None

    def answered(self, now_ms: float) -> None:
        """A call was answered, be it with `no such symbol`. Answers to calls from before a pause change nothing."""
        if now_ms < self.closed_until_ms:
            return
        self.is_trying = False
        self.failure = None
        self._n_failures = 0
        self._backoff.reset()

    def _close(self, failure: Failure, pause_s: float, now_ms: float) -> Failure:
        self.is_trying = True
        until_ms = now_ms + pause_s * 1000.0
        if until_ms < self.closed_until_ms and self.failure is not None:
            return self.failure
        self.closed_until_ms = until_ms
        self.failure = replace(failure, until_ms=int(until_ms)) if failure.is_pause else failure
        return self.failure

    def unreachable(self, trouble: Trouble, now_ms: float) -> Failure:
        """No answer came at all, or only a part of one."""
        return self._failed(Failure("unreachable", trouble.text), now_ms)

    def _failed(self, failure: Failure, now_ms: float) -> Failure:
        self._n_failures += 1
        if self._n_failures >= _FAILURES_TO_PAUSE:
            self._close(failure, self._backoff.next_s(), now_ms)
        elif now_ms >= self.closed_until_ms:
            self.failure = failure
        return failure

    def refused(self, error: VenueError, now_ms: float, venue_now_ms: int) -> Failure:
        """The venue said no. `venue_now_ms` dates the ban's end that a body may tell."""
        if error.kind == "limit":
            pause_s = _LIMIT_PAUSE_S if error.retry_after_s is None else error.retry_after_s
            text = f"{self._host} says we ask too often: pausing for {pause_s:.0f} s"
            return self._close(Failure("limit", text), pause_s + _MARGIN_S, now_ms)
        if error.kind == "ban":
            pause_s = self._ban_s(error, venue_now_ms)
            until = datetime.fromtimestamp((venue_now_ms + pause_s * 1000.0) / 1000.0, UTC)
            text = f"{self._host} banned this address until {until:%Y-%m-%d %H:%M} UTC"
            return self._close(Failure("ban", text), pause_s + _MARGIN_S, now_ms)
        if error.kind in {"region", "firewall"}:
            trouble = from_status(451 if error.kind == "region" else 403, self._host)
            return self._close(Failure(error.kind, f"{trouble.text}; trying once an hour"), _REFUSED_S, now_ms)
        if error.kind in {"server", "maintenance"}:
            text = "is under maintenance" if error.kind == "maintenance" else f"fails ({error.text})"
            return self._failed(Failure(error.kind, f"{self._host} {text}"), now_ms)
        self.answered(now_ms)
        return Failure(error.kind, f"{self._host}: {error.text}")

    def state(self, now_ms: float) -> StoredPause:
        """What must be obeyed after a restart: what the venue asked for, and that it wants nothing to do with us."""
        failure = self.failure
        if failure is None or not failure.is_pause or self.closed_until_ms <= now_ms:
            return StoredPause()
        return StoredPause(failure.kind, int(self.closed_until_ms), failure.text, self._host)

    def restore(self, stored: StoredPause, now_ms: float) -> None:
        """Obey what an earlier process learned from this host, for as long as it can have been told at most."""
        kind = _PAUSES.get(stored.kind)
        if kind is None or stored.until_ms <= now_ms or stored.host != self._host:
            return
        longest_s = _REFUSED_S if kind in {"region", "firewall"} else self._longest_ban_s
        until_ms = min(float(stored.until_ms), now_ms + longest_s * 1000.0)
        self.closed_until_ms = until_ms
        self.failure = Failure(kind, stored.text, int(until_ms))

    def _ban_s(self, error: VenueError, venue_now_ms: int) -> float:
        told = [] if error.retry_after_s is None else [error.retry_after_s]
        if error.until_ms is not None:
            told.append((error.until_ms - venue_now_ms) / 1000.0)
        # A date that is over, or years away, says that a clock is wrong: ours or the venue's.
        usable = [seconds for seconds in told if 0 < seconds <= self._longest_ban_s]
        return max(usable) if usable else _BAN_S
