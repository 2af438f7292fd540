"""When alerts are told one by one and when together. Pure: time is an argument.

The first alert opens a window; the first three in it go at once, the others wait for its end and go together. What goes
together opens the next window, so that a storm is one digest per window and not three messages and a digest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.delivery.manners import Manners


@dataclass(frozen=True, slots=True)
class AtOnce:
    """This one may go."""

    key: str


@dataclass(frozen=True, slots=True)
class Together:
    """All of these go together, in as few messages as hold them."""

    keys: tuple[str, ...]


class Gathering:
    """The window of one destination."""

    def __init__(self, manners: Manners) -> None:
        self._at_once = manners.at_once
        self._window_ms = manners.gather_s * 1000
        self._opened_ms: float | None = None
        self._n_told = 0
        self._some_wait = False
        self._closing: set[str] = set()
        self.hurries = False
        """The bot stops: what was gathered goes now."""

    def next(self, keys: Sequence[str], now_ms: float) -> AtOnce | Together | float:
        """What may go of the waiting alerts, which are at least one; else the seconds until something may."""
        rest = tuple(key for key in keys if key in self._closing)
        if rest:
            return Together(rest)
        self._closing.clear()
        is_over = self._opened_ms is not None and now_ms - self._opened_ms >= self._window_ms
        if self._some_wait and (is_over or self.hurries):
            self._closing, self._some_wait = set(keys), False
            self._opened_ms, self._n_told = now_ms, len(keys)
            return Together(tuple(keys))
        if is_over:
            self._opened_ms = None
        if self._opened_ms is None:
            self._opened_ms, self._n_told = now_ms, 0
        if self._n_told < self._at_once:
            return AtOnce(keys[0])
        self._some_wait = True
        return 0.001 if self.hurries else max(0.001, (self._opened_ms + self._window_ms - now_ms) / 1000)

    def told(self) -> None:
        """One went at once."""
        self._n_told += 1

    def forget(self, keys: Sequence[str]) -> None:
        """They are told in another way."""
        self._closing.difference_update(keys)
