"""How many points of windows are known, for windows without sums."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bot.market.sums import KNOWN_SHARE, MAX_STEPS
from bot.market.tier import Tier
from bot.model.updates import F64


class Counts:
    """How many past points of windows are known, for windows without sums."""

    def __init__(self, tier: Tier, pairs: Sequence[tuple[int, int]]) -> None:
        self._tier = tier
        self._pairs = sorted(set(pairs))
        self._where = {pair: i for i, pair in enumerate(self._pairs)}
        self._gauge = np.array([g for g, _ in self._pairs])
        self._n = np.array([n for _, n in self._pairs])
        # A row that leaves has to be in the ring still.
        self._reach = min(MAX_STEPS, int((tier.slots[self._gauge] - self._n).min()) - 1)
        self._count = np.zeros((len(self._pairs), 0), dtype=np.int32)
        self._enough = np.zeros((len(self._pairs), 0), dtype=np.bool_)
        self.all_enough = False
        self._at: int | None = None
        self._seen = -1

    def places(self, pairs: Sequence[tuple[int, int]]) -> "npt.NDArray[np.int64]":
        return np.array([self._where[pair] for pair in pairs])

    def catch_up(self, n_rows: int, dirty: dict[int, set[int]]) -> None:
        tier = self._tier
        newest = tier.newest
        if newest is None:
            return
        if (
            self._at is None
            or self._seen != tier.n_rebuilt
            or newest - self._at > self._reach
            or self._count.shape[1] != n_rows
        ):
            self._count = np.zeros((len(self._pairs), n_rows), dtype=np.int32)
            self._at, self._seen = newest, tier.n_rebuilt
            for i in range(len(self._pairs)):
                self._recount(i, np.arange(n_rows))
            self._judge()
            return
        changed = False
        for number in range(self._at + 1, newest + 1):
            entering = tier.base[self._gauge] + (number - 1) % tier.slots[self._gauge]
            leaving = tier.base[self._gauge] + (number - self._n) % tier.slots[self._gauge]
            if not (tier.whole[entering].all() and tier.whole[leaving].all()):
                self._count += np.isfinite(tier.value[entering])
                self._count -= np.isfinite(tier.value[leaving])
                changed = True
        self._at = newest
        for i, (gauge, _) in enumerate(self._pairs):
            if columns := dirty.get(gauge):
                self._recount(i, np.array(sorted(columns)))
                changed = True
        if changed:
            self._judge()

    def _recount(self, i: int, columns: "npt.NDArray[np.intp]") -> None:
        gauge, n = self._pairs[i]
        assert self._at is not None
        for some, past in self._tier.blocks(gauge, self._at - n + 1, n - 1, columns):
            self._count[i, some] = np.isfinite(past).sum(axis=0)

    def _judge(self) -> None:
        self._enough = self._count + 1 >= KNOWN_SHARE * self._n[:, None]
        self.all_enough = bool(self._enough.all())

    def unknown(self, places: "npt.NDArray[np.int64]", now: F64) -> "npt.NDArray[np.bool_]":
        """Cells where now or too many points are unknown."""
        unknown: npt.NDArray[np.bool_] = np.isnan(now) | ~self._enough[places]
        return unknown
