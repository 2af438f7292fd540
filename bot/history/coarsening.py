"""Coarser bars out of minutes: open, highest, lowest and last price, sums of flows, the last word of everything else.

A bar is there where any of its minutes is. The takers' share is that of the minutes that have one, weighted by their volume.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from bot.history.painting import with_anchors
from bot.model.history import BAR_MS, OI_COLUMNS
from bot.model.updates import F64, I64

CHUNK_CELLS: Final = 4_000_000
"""So many minutes times instruments are read at a time."""
Reader = Callable[[I64, Sequence[str]], Mapping[str, F64]]


def coarser(closes: I64, step_ms: int, names: Sequence[str], read: Reader, n_keys: int) -> dict[str, F64]:
    """Bars of `step_ms` that end at `closes`, which follow each other.

    Args:
        closes: Shape (T,).
        step_ms: A whole number of minutes.
        names: Columns wanted.
        read: Gives minutes that follow each other, each column of shape (minutes, N).
        n_keys: N.
    """
    n_minutes = step_ms // BAR_MS
    wanted = list(dict.fromkeys([*with_anchors(names), *(["volume"] if "taker_buy" in names else [])]))
    out = {name: np.full((len(closes), n_keys), np.nan) for name in names}
    n_steps = max(1, CHUNK_CELLS // max(1, n_minutes * n_keys))
    for start in range(0, len(closes), n_steps):
        stop = min(start + n_steps, len(closes))
        minutes = np.arange(int(closes[start]) - step_ms + BAR_MS, int(closes[stop - 1]) + 1, BAR_MS, dtype=np.int64)
        cells = {
            name: cell.reshape(stop - start, n_minutes, n_keys) for name, cell in read(minutes, tuple(wanted)).items()
        }
        for name in names:
            out[name][start:stop] = _reduced(name, cells)
    return out


def _reduced(name: str, cells: dict[str, F64]) -> F64:
    values = cells[name]
    known = np.isfinite(values)
    any_known = known.any(axis=1)
    if name in {"volume", "liq_long", "liq_short"}:
        return np.where(any_known, np.where(known, values, 0.0).sum(axis=1), np.nan)
    if name == "high":
        return np.where(any_known, np.where(known, values, -np.inf).max(axis=1), np.nan)
    if name == "low":
        return np.where(any_known, np.where(known, values, np.inf).min(axis=1), np.nan)
    if name == "taker_buy":
        weight = np.where(known & np.isfinite(cells["volume"]), cells["volume"], 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            share: F64 = (np.where(known, values, 0.0) * weight).sum(axis=1) / weight.sum(axis=1)
        return np.where(weight.sum(axis=1) > 0, share, np.nan)
    if name in OI_COLUMNS:
        known = np.isfinite(cells["oi"])
    at = known.argmax(axis=1) if name == "open" else known.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    picked: F64 = np.take_along_axis(values, at[:, None], axis=1)[:, 0]
    return np.where(known.any(axis=1), picked, np.nan)
