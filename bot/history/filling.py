"""Which stretches of the past are missing and can be asked for, in pieces of one call each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from bot.history.store import Store
from bot.model.history import BAR_MS

Series = Literal["price", "volume", "oi", "long_short"]
STEP_MS: Final[dict[Series, int]] = {"price": BAR_MS, "volume": BAR_MS, "oi": 300_000, "long_short": 300_000}
COLUMN: Final[dict[Series, str]] = {"price": "close", "volume": "volume", "oi": "oi", "long_short": "long_short"}


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows after `after_ms` up to `until_ms`."""

    series: Series
    after_ms: int
    until_ms: int

    @property
    def n_rows(self) -> int:
        return (self.until_ms - self.after_ms) // STEP_MS[self.series]


def missing(store: Store, key: str, after_ms: int, until_ms: int, most: dict[Series, int]) -> list[Piece]:
    """Pieces of which not everything is known, the newest first. `most`: rows of one call, by series that is wanted."""
    grid = store.grid([key], after_ms, until_ms, [COLUMN[series] for series in most])
    found: list[Piece] = []
    for series, n_most in most.items():
        step_ms = STEP_MS[series]
        known = np.isfinite(grid.columns[COLUMN[series]][:, 0])
        found += _pieces(series, known, grid.close_ms.tolist(), step_ms, n_most)
    return found


def _pieces(
    series: Series, known: "np.typing.NDArray[np.bool_]", closes: Sequence[int], step_ms: int, n_most: int
) -> Iterator[Piece]:
    if not closes:
        return
    # A step is known where any of its minutes is: open interest of the bot's own comes when it comes.
    steps = np.array([-(-close // step_ms) for close in closes], dtype=np.int64)
    numbers, first = np.unique(steps, return_index=True)
    is_known = np.logical_or.reduceat(known, first)
    # The last one may not be over, and is then nowhere to be had.
    wanted = numbers[~is_known & (numbers * step_ms <= closes[-1])]
    at = len(wanted)
    while at > 0:
        until = int(wanted[at - 1])
        begin = int(np.searchsorted(wanted, until - n_most, side="right"))
        yield Piece(series, (int(wanted[begin]) - 1) * step_ms, until * step_ms)
        at = begin
