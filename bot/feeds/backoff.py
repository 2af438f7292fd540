"""How long to wait before trying again.

Promises: full jitter (uniform from zero to a ceiling that doubles), so that many clients do not return in step; the
ceiling falls back only when the caller has seen proof of success. Never waits by itself.
"""

from random import Random


class Backoff:
    """Delays in seconds: the n-th failure in a row waits between 0 and `first_s` * 2^n, at most `cap_s`."""

    def __init__(self, *, random: Random, first_s: float = 0.5, cap_s: float = 30.0) -> None:
        self._random = random
        self._first_s = first_s
        self._cap_s = cap_s
        self._ceiling_s = first_s

    def next_s(self) -> float:
        """The delay after one more failure."""
        delay_s = self._random.uniform(0.0, self._ceiling_s)
        self._ceiling_s = min(self._ceiling_s * 2.0, self._cap_s)
        return delay_s

    def reset(self) -> None:
        """Start over. To be called for a valid answer or frame, not for a mere connection."""
        self._ceiling_s = self._first_s
