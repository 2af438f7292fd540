"""What of the past is missing: how far back a series has to be asked for, so that a restart asks for its gap alone."""

from typing import Final

import numpy as np
import numpy.typing as npt

from bot.market.market import Market
from bot.market.series import DAY_MS, INDEX
from bot.model.updates import I64

RECENT: Final = 10
"""Among the newest so many points a single unknown one counts; further back it takes `RUN` in a row."""
RUN: Final = 3

Mask = npt.NDArray[np.bool_]


def oldest_hole(known: Mask) -> I64:
    """How many points, counted from the newest, reach back to the oldest hole; 0 where there is none.

    `known` has the shape (n, n_rows), oldest first.
    """
    n = len(known)
    hole = ~known
    in_a_row = hole.copy()
    for k in range(1, RUN):
        in_a_row[: n - k] &= hole[k:]
    older = max(0, n - RECENT)
    hole[:older] = in_a_row[:older]
    return np.where(hole.any(axis=0), n - hole.argmax(axis=0), 0) if n else np.zeros(known.shape[1], dtype=np.int64)


class Holes:
    """Answers for single instruments out of one look at all."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._seen: dict[tuple[str, int], tuple[tuple[int | None, ...], I64]] = {}

    def missing_ms(self, row: int, series: str, within_ms: int) -> int:
        """From now back to the beginning of the oldest hole of a series within that time; 0 where there is none.

        `volume` stands for all that bars of volume bring. Looks at minutes up to a day, at five minutes beyond.
        """
        market = self._market
        if row >= market.n_rows:
            return within_ms
        # Emptied, or made longer, windows hold something else within the same minute.
        rebuilt = (*(tier.n_rebuilt for tier in market.tiers), market.volume.n_rebuilt)
        at = (market.coarse.newest, market.n_rows, market.universe.generation, *rebuilt)
        found = self._seen.get((series, within_ms))
        if found is None or found[0] != at:
            step_ms = market.grids.coarse_ms if within_ms <= DAY_MS else market.grids.week_ms
            known = self._known(series, step_ms, max(1, within_ms // step_ms))
            self._seen = {about: one for about, one in self._seen.items() if one[0] == at}
            found = self._seen[series, within_ms] = (at, oldest_hole(known) * step_ms)
        return int(found[1][row])

    def _known(self, series: str, step_ms: int, n: int) -> Mask:
        """The newest `n` points, as far as they are held at all."""
        if series != "volume":
            return self._known_gauge(series, step_ms, n)
        # The same bars bring both; what no rule uses is not held, and not missed.
        volume, is_used = self._market.volume, any("taker_buy" in t.names for t in self._market.tiers)
        masks = [self._known_gauge("taker_buy", step_ms, n)] if is_used else []
        if volume.is_held and volume.newest is not None and volume.step_ms == step_ms:
            numbers = np.arange(volume.newest - min(n, volume.n_slots - 1) + 1, volume.newest + 1)
            masks.append(volume.planes[1][numbers % volume.n_slots] > 0)
        shortest = min((len(mask) for mask in masks), default=0)
        if not shortest:
            return self._nothing(n)
        known: Mask = np.logical_and.reduce([mask[-shortest:] for mask in masks])
        return known

    def _known_gauge(self, gauge: str, step_ms: int, n: int) -> Mask:
        tiers = self._market.tiers
        # A gauge that only short windows look at is held on the fine grid alone.
        held = [t for t in tiers if t.step_ms <= step_ms and gauge in t.names and t.newest is not None]
        if not held:
            return self._nothing(n)
        tier = held[-1]
        assert tier.newest is not None
        n = min(n, int(tier.slots[INDEX[gauge]]) * tier.step_ms // step_ms)
        newest = tier.newest * tier.step_ms // step_ms
        numbers = np.arange(newest - n + 1, newest + 1) * step_ms // tier.step_ms
        return tier.known(INDEX[gauge], numbers)

    def _nothing(self, n: int) -> Mask:
        return np.zeros((n, self._market.n_rows), dtype=np.bool_)
