"""Which instruments a rule looks at, and when that is decided.

The fixed part (names, kinds, quotes) follows the universe. The ranked part (`top`, `min_oi_usd`, `min_volume_24h`) is
taken anew each whole hour, with slack: a member stays while within 1.2 N and above 0.8 of the figure, so an instrument
on the edge does not come and go. Until 90 % of the candidates have their value the scope is warming up: unknown. The
newest figure counts, however old: sizes change slowly, and the largest contracts are those whose samples expire first,
since they are polled most often.
"""

from fnmatch import fnmatchcase
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from bot.market.universe import Universe
from bot.model.instrument import Instrument
from bot.model.updates import F64, I64
from bot.rules.schema import Scope

HOUR_MS: Final = 3_600_000
KNOWN_SHARE: Final = 0.9
STAY_RANK: Final = 1.2
STAY_FIGURE: Final = 0.8

Mask = npt.NDArray[np.bool_]


class Sizes(Protocol):
    """The market at one tick."""

    @property
    def now_ms(self) -> I64:
        """Shape (1,)."""
        ...

    @property
    def n_rows(self) -> int: ...

    def latest(self, series: str) -> F64:
        """The newest sample of a gauge, however old. Shape (1, n_rows)."""
        ...


def matches(scope: Scope, instrument: Instrument) -> bool:
    """The fixed part of a scope."""
    symbol = instrument.symbol
    return (
        instrument.kind in scope.types
        and instrument.quote in scope.quotes
        and (not scope.venues or instrument.venue in scope.venues)
        and (not scope.symbols or any(fnmatchcase(symbol, glob) for glob in scope.symbols))
        and not any(fnmatchcase(symbol, glob) for glob in scope.exclude)
    )


class ScopeTracker:
    """Membership of one scope over time. Feed it every tick in order."""

    def __init__(self, scope: Scope, universe: Universe) -> None:
        self._scope = scope
        self._universe = universe
        self._generation = -1
        self._candidates: Mask = np.zeros(0, dtype=np.bool_)
        self._members: Mask = np.zeros(0, dtype=np.bool_)
        self._keys: list[str | None] = []
        self._hour: int | None = None

    @property
    def is_ranked(self) -> bool:
        """Whether who is a member depends on data."""
        return self._scope.is_ranked

    @property
    def is_warming(self) -> bool:
        return self._scope.is_ranked and self._hour is None

    @property
    def members(self) -> Mask:
        """As of the last update; not to be written."""
        return self._members if self._scope.is_ranked else self._candidates

    @property
    def hour(self) -> int | None:
        """Number of the hour of the last ranking; None before the first."""
        return self._hour

    def restore(self, members: Mask, hour: int | None) -> None:
        """Go on from a membership that was decided elsewhere. Shape (n_rows,)."""
        keys: list[str | None] = [None] * len(members)
        for row, instrument in self._universe.items():
            keys[row] = instrument.key
        self._generation = -1
        self._members, self._keys, self._hour = members, keys, hour

    def update(self, sizes: Sizes) -> Mask:
        """Decide who is a member at one tick. Shape (n_rows,), not to be written; candidates while warming up."""
        self._follow_universe(sizes.n_rows)
        if not self._scope.is_ranked:
            return self._candidates
        hour = int(sizes.now_ms[0]) // HOUR_MS
        if self._hour is None or hour != self._hour:
            self._rank(sizes, hour)
        return self._candidates if self._hour is None else self._members

    def known_share(self, sizes: Sizes) -> float:
        """Share of the candidates whose size is known; 1 where no size is asked for."""
        n_candidates = int(self._candidates.sum())
        if not self._scope.is_ranked or not n_candidates:
            return 1.0
        by, floors = self._figures(sizes)
        known = np.isfinite(by)
        for values, _ in floors:
            known &= np.isfinite(values)
        return float((known & self._candidates).sum() / n_candidates)

    def place(self, sizes: Sizes, row: int) -> int | None:
        """Where an instrument stands among the candidates right now, 1 the largest; None where its size is unknown."""
        by, _ = self._figures(sizes)
        if not np.isfinite(by[row]):
            return None
        return int((by[self._candidates & np.isfinite(by)] > by[row]).sum()) + 1

    def _follow_universe(self, n_rows: int) -> None:
        if self._generation == self._universe.generation and len(self._candidates) == n_rows:
            return
        self._generation = self._universe.generation
        self._candidates = np.zeros(n_rows, dtype=np.bool_)
        for row, instrument in self._universe.items():
            self._candidates[row] = matches(self._scope, instrument)
        keys: list[str | None] = [None] * n_rows
        for row, instrument in self._universe.items():
            keys[row] = instrument.key
        kept = np.zeros(n_rows, dtype=np.bool_)
        kept[: len(self._members)] = self._members
        # A row may have another tenant now, who is no member yet.
        same = np.array([i < len(self._keys) and self._keys[i] == key for i, key in enumerate(keys)], dtype=np.bool_)
        self._members = kept & self._candidates & same
        self._keys = keys

    def _figures(self, sizes: Sizes) -> tuple[F64, list[tuple[F64, float]]]:
        """The ranking value, and each floor with its values."""
        scope = self._scope
        floors = []
        if scope.min_oi_usd is not None:
            floors.append((sizes.latest("oi_usd")[0], scope.min_oi_usd))
        if scope.min_volume_24h is not None:
            floors.append((sizes.latest("volume_24h")[0], scope.min_volume_24h))
        by = sizes.latest(scope.by)[0] if scope.top is not None else floors[0][0]
        return by, floors

    def _rank(self, sizes: Sizes, hour: int) -> None:
        by, floors = self._figures(sizes)
        known = np.isfinite(by)
        for values, _ in floors:
            known &= np.isfinite(values)
        n_candidates = int(self._candidates.sum())
        if not n_candidates or (known & self._candidates).sum() < KNOWN_SHARE * n_candidates:
            return
        inside = known & self._candidates
        enters = inside.copy()
        stays = inside.copy()
        for values, floor in floors:
            enters &= values >= floor
            stays &= values >= floor * STAY_FIGURE
        if self._scope.top is not None:
            rank = np.full(len(by), np.inf)
            order = np.flatnonzero(inside)
            order = order[np.lexsort((order, -by[order]))]
            rank[order] = np.arange(1, len(order) + 1)
            enters &= rank <= self._scope.top
            stays &= rank <= self._scope.top * STAY_RANK
        # A member whose value is missing just now has not left.
        stays |= self._candidates & ~known
        self._members = enters | (self._members & stays)
        self._hour = hour
