"""Bars for tests of the history, and what a store of them must answer, the slow way."""

import numpy as np

from bot.model.history import BAR_MS, COLUMNS, OI_COLUMNS, PRICE_COLUMNS, BarRows
from bot.model.history_ports import KINDS, kind_of

DAY_MS = 86_400_000
T0 = 1_767_225_600_000
"""2026-01-01T00:00Z"""
ANCHORS = {**dict.fromkeys(PRICE_COLUMNS, "close"), **dict.fromkeys(OI_COLUMNS, "oi")}


def rows_of(cells):
    """Rows from `{(key, close_ms): {column: value}}`, in that order."""
    keys = tuple(dict.fromkeys(key for key, _ in cells))
    names = dict.fromkeys(name for bar in cells.values() for name in bar)
    return BarRows(
        keys,
        np.array([keys.index(key) for key, _ in cells], dtype=np.int32),
        np.array([close_ms for _, close_ms in cells], dtype=np.int64),
        {n: np.array([bar.get(n, np.nan) for bar in cells.values()]) for n in names},
    )


def bar(value, **more):
    """All four prices, and what else is said."""
    return {"open": value, "high": value + 1, "low": value - 1, "close": value + 0.5, **more}


def minutes(key, first, n, value=100.0, **more):
    """Bars of one instrument from the minute `first` of `T0` on."""
    return {(key, T0 + (first + k) * BAR_MS): bar(value + k, **more) for k in range(n)}


class Slow:
    """What was added, and what stands in a cell by the rule: the strongest kind, then the latest."""

    def __init__(self):
        self.added = []

    def add(self, cells, source):
        self.added.append((KINDS.index(kind_of(source)), len(self.added), cells))

    def cells(self):
        """Every cell that is known."""
        found = {}
        for _, _, cells in sorted(self.added, key=lambda one: one[:2]):
            for place, said in cells.items():
                bar = found.setdefault(place, {})
                for name in COLUMNS:
                    anchor = ANCHORS.get(name, name)
                    if not np.isnan(said.get(anchor, np.nan)):
                        bar[name] = said.get(name, np.nan)
        known = {place: {n: v for n, v in bar.items() if not np.isnan(v)} for place, bar in found.items()}
        return {place: bar for place, bar in known.items() if bar}


def known_cells(store, keys=None, first_ms=T0 - 40 * DAY_MS, last_ms=T0 + 40 * DAY_MS):
    """Every cell that a store knows, by way of its grid."""
    grid = store.grid(keys, first_ms, last_ms, COLUMNS)
    found = {}
    for at, instrument in enumerate(grid.instruments):
        known = {name: np.flatnonzero(~np.isnan(grid.columns[name][:, at])) for name in COLUMNS}
        for name, steps in known.items():
            for t in steps.tolist():
                place = instrument.key, int(grid.close_ms[t])
                found.setdefault(place, {})[name] = float(grid.columns[name][t, at])
    return found
