"""How fast the real chat servers let themselves be written to. Pure; monotonic ms are an argument.

Telegram: thirty messages a second over all chats of a token, one a second in a chat, twenty a minute in a group. Who asks
again before a pause is over waits longer each time. Discord: a bucket per webhook that the headers tell of, thirty
requests a minute per webhook that they do not, fifty requests a second per address, and a ban of the address
after ten thousand refused ones in ten minutes.
"""

from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Final

SLACK: Final = 0.95
"""Requests need not arrive as evenly as they left."""
MAX_PENALTY_S: Final = 3_600


@dataclass(slots=True)
class Window:
    """What was let through within a sliding window."""

    n: int
    window_ms: float
    used: deque[float] = field(default_factory=deque)

    def wait_ms(self, now_ms: float) -> float:
        """0 when one more may pass."""
        while self.used and now_ms - self.used[0] >= self.window_ms:
            self.used.popleft()
        return 0.0 if len(self.used) < self.n else self.used[-self.n] + self.window_ms - now_ms

    def use(self, now_ms: float) -> None:
        self.used.append(now_ms)

    @property
    def remaining(self) -> int:
        return max(0, self.n - len(self.used))


@dataclass(slots=True)
class _Penalty:
    """A pause that a chat was told to keep."""

    until_ms: float = -1e18
    length_s: int = 0


class TelegramFlood:
    """The limits of one token."""

    def __init__(self) -> None:
        self._all = Window(30, 1_000 * SLACK)
        self._chats: dict[int, list[Window]] = defaultdict(lambda: [Window(1, 1_000 * SLACK)])
        self._penalties: dict[int, _Penalty] = defaultdict(_Penalty)

    def spend(self, chat_id: int, now_ms: float) -> int | None:
        """Let one message through (None), or say how many seconds to wait.

        A request inside a pause doubles it. A pause that was kept is forgotten a minute later.
        """
        windows = self._chats[chat_id]
        if chat_id < 0 and len(windows) == 1:
            windows.append(Window(20, 60_000 * SLACK))
        penalty = self._penalties[chat_id]
        if now_ms < penalty.until_ms:
            return self._punish(penalty, penalty.length_s * 2, now_ms)
        wait_ms = max(window.wait_ms(now_ms) for window in (self._all, *windows))
        if wait_ms > 0:
            again = penalty.length_s * 2 if now_ms - penalty.until_ms < 60_000 else 0
            return self._punish(penalty, max(1, -int(-wait_ms // 1000), again), now_ms)
        for window in (self._all, *windows):
            window.use(now_ms)
        return None

    @staticmethod
    def _punish(penalty: _Penalty, seconds: int, now_ms: float) -> int:
        penalty.length_s = min(seconds, MAX_PENALTY_S)
        # The text rounds up: who waits as told is let through.
        penalty.until_ms = now_ms + penalty.length_s * 1_000 * SLACK
        return penalty.length_s


@dataclass(frozen=True, slots=True)
class TooMany:
    """What a refusal tells."""

    retry_after_s: float
    scope: str
    """`user`, `shared` or `global`."""
    is_banned: bool = False
    """By the network in front, which says neither how long nor why."""


BUCKET: Final = (5, 2.0)
"""So many requests in so many seconds, as the headers tell."""
_HIDDEN: Final = (30, 60.0)
_GLOBAL: Final = (50, 1.0)
_INVALID: Final = (10_000, 600.0)


class DiscordAddress:
    """What one address may do, whichever webhooks it writes to."""

    def __init__(self) -> None:
        self._global = Window(_GLOBAL[0], _GLOBAL[1] * 1_000 * SLACK)
        self._invalid = Window(_INVALID[0], _INVALID[1] * 1_000)

    def spend(self, now_ms: float) -> TooMany | None:
        if (wait_ms := self._invalid.wait_ms(now_ms)) > 0:
            return TooMany(wait_ms / 1_000, "global", is_banned=True)
        if (wait_ms := self._global.wait_ms(now_ms)) > 0:
            return TooMany(wait_ms / 1_000, "global")
        self._global.use(now_ms)
        return None

    def refused(self, now_ms: float) -> None:
        """A 401, 403 or 429 that is not shared was answered."""
        self._invalid.use(now_ms)


class DiscordBuckets:
    """The limits of one webhook."""

    def __init__(self) -> None:
        self._told = Window(BUCKET[0], BUCKET[1] * 1_000 * SLACK)
        self._hidden = Window(_HIDDEN[0], _HIDDEN[1] * 1_000 * SLACK)

    def spend(self, now_ms: float) -> TooMany | None:
        """Let one request through, or say how long to wait."""
        windows = (self._told, self._hidden)
        wait_ms = max(window.wait_ms(now_ms) for window in windows)
        if wait_ms > 0:
            return TooMany(wait_ms / 1_000, "user")
        for window in windows:
            window.use(now_ms)
        return None

    def headers(self, now_ms: float, wall_ms: int) -> dict[str, str]:
        """What every answer tells of its bucket; the hidden limit is in none."""
        window = self._told
        window.wait_ms(now_ms)
        reset_s = (window.used[0] + BUCKET[1] * 1_000 - now_ms) / 1_000 if window.used else 0.0
        return {
            "X-RateLimit-Limit": str(window.n),
            "X-RateLimit-Remaining": str(window.remaining),
            "X-RateLimit-Reset": f"{wall_ms / 1_000 + reset_s:.3f}",
            "X-RateLimit-Reset-After": f"{reset_s:.3f}",
            "X-RateLimit-Bucket": "simulated",
        }
