"""What windows remember between ticks, found again when they are laid out anew for other rules.

Sums and extrema over long windows take long to compute afresh. What is about the same windows of the same rings goes on.
"""

from collections.abc import Callable, Hashable
from typing import TypeVar

from bot.market.tier import Tier

T = TypeVar("T")


class Shelf:
    """What one layout of windows holds."""

    def __init__(self, before: "Shelf | None" = None) -> None:
        """`before`: of the layout that this one takes the place of."""
        self._before = {} if before is None else before.held
        self.held: dict[Hashable, object] = {}

    def get(self, kind: type[T], tier: Tier, about: Hashable, make: Callable[[], T]) -> T:
        """What is held of that kind about windows of a tier; made where there is none or the rings moved."""
        key = (kind, id(tier), tier.n_laid_out, about)
        found = self._before.get(key)
        held = found if isinstance(found, kind) else make()
        self.held[key] = held
        return held

    def close(self) -> None:
        """Let go of what is not used any more."""
        self._before = {}
