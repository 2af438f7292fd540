"""Caps of one destination: so many messages a minute and a day, critical ones counted apart. Pure: time is an argument.

A cap that is reached stays closed until its minute or its day (UTC) is over, so that what it held back is told in one
message and not in driblets.
"""

from collections import deque
from typing import Final

from bot.delivery.manners import Manners

MINUTE_MS: Final = 60_000.0
DAY_MS: Final = 86_400_000


class _Cap:
    """One tier."""

    def __init__(self, per_minute: int, per_day: int) -> None:
        self._per_minute = per_minute
        self._per_day = per_day
        self._told: deque[float] = deque()
        self._closed_until_ms = 0.0
        self.day = 0
        self.n_today = 0

    def closed_s(self, now_ms: float, venue_ms: int) -> float:
        left_s = (self._closed_until_ms - now_ms) / 1000
        if venue_ms // DAY_MS == self.day and self.n_today >= self._per_day:
            left_s = max(left_s, ((self.day + 1) * DAY_MS - venue_ms) / 1000)
        return max(0.0, left_s)

    def count(self, now_ms: float, venue_ms: int) -> None:
        if venue_ms // DAY_MS != self.day:
            self.day, self.n_today = venue_ms // DAY_MS, 0
        self.n_today += 1
        self._told.append(now_ms)
        while self._told and now_ms - self._told[0] >= MINUTE_MS:
            self._told.popleft()
        if len(self._told) >= self._per_minute:
            self._closed_until_ms = now_ms + MINUTE_MS
            self._told.clear()


class Caps:
    """Both tiers, and which alerts were held back."""

    def __init__(self, manners: Manners) -> None:
        self._caps = {
            False: _Cap(manners.per_minute, manners.per_day),
            True: _Cap(manners.critical_per_minute, manners.critical_per_day),
        }
        self.held: dict[str, bool] = {}
        """Keys of alerts that wait for a cap, and whether they are critical."""

    def closed_s(self, *, urgent: bool, now_ms: float, venue_ms: int) -> float:
        """How long nothing may go; 0 when open."""
        return self._caps[urgent].closed_s(now_ms, venue_ms)

    def count(self, *, urgent: bool, now_ms: float, venue_ms: int) -> None:
        """A message arrived."""
        self._caps[urgent].count(now_ms, venue_ms)

    def dump(self) -> dict[str, list[int]]:
        """What must survive a restart: how many were told today."""
        return {str(int(urgent)): [cap.day, cap.n_today] for urgent, cap in self._caps.items()}

    def load(self, stored: object) -> None:
        """Take back what `dump` gave; anything else is ignored."""
        if not isinstance(stored, dict):
            return
        for urgent, cap in self._caps.items():
            match stored.get(str(int(urgent))):
                case [int(day), int(n)]:
                    cap.day, cap.n_today = day, n
