"""How fast a destination may be used by its published limits, so that it never has to refuse us."""

from collections import deque
from collections.abc import Sequence
from typing import Final

from bot.clock import Clock

MARGIN_S: Final = 0.05
"""Clocks differ a little in how long a second is."""


class Pace:
    """At most n uses in any window, for several windows at once. One user: the lane."""

    def __init__(self, clock: Clock, limits: Sequence[tuple[int, float]]) -> None:
        """`limits`: pairs of a count and a window in seconds."""
        self._clock = clock
        self._limits = [(n, window_s + MARGIN_S, deque[float](maxlen=n)) for n, window_s in limits]
        self._not_before_ms = 0.0

    def ready_in_s(self) -> float:
        now_ms = self._clock.monotonic_ms()
        wait_ms = self._not_before_ms - now_ms
        for n, window_s, used in self._limits:
            if len(used) == n:
                wait_ms = max(wait_ms, used[0] + window_s * 1000 - now_ms)
        return max(0.0, wait_ms / 1000)

    def use(self) -> None:
        """Note a request, once it is answered: from then on the next cannot arrive too soon, however the way was."""
        now_ms = self._clock.monotonic_ms()
        for _, _, used in self._limits:
            used.append(now_ms)

    def hold(self, seconds: float) -> None:
        """The other side says that the next request may come no sooner."""
        self._not_before_ms = max(self._not_before_ms, self._clock.monotonic_ms() + seconds * 1000)
