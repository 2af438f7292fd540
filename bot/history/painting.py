"""Bars from several places laid over each other: which one counts in a cell, and how rows get onto a grid.

Sources are painted in the order of their rank, so that the last one counts. Columns that only mean something together
come from one source: the four prices of a bar, and an open interest with its times. Where the first of such a group (close,
`oi`) is unknown, the group is not there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from bot.model.history import BAR_MS, COLUMNS, OI_COLUMNS, PRICE_COLUMNS, BarRows
from bot.model.updates import F64, I64

ANCHORS: Final = {**dict.fromkeys(PRICE_COLUMNS, "close"), **dict.fromkeys(OI_COLUMNS, "oi")}
"""The column that says whether a group is there; of all others it is themselves."""


def with_anchors(columns: Iterable[str]) -> tuple[str, ...]:
    """What has to be read so that these can be painted."""
    wanted = set(columns)
    return tuple(name for name in COLUMNS if name in wanted | {ANCHORS.get(name, name) for name in wanted})


def paint(onto: Mapping[str, F64], where: I64, columns: Mapping[str, F64]) -> None:
    """Lay cells over what is there.

    Args:
        onto: Flat arrays, by column.
        where: Place in them of each row. Of rows with the same place the later one counts.
        columns: Rows; what is not in `onto` is left out.
    """
    known: dict[str, tuple[I64, np.typing.NDArray[np.bool_] | slice]] = {}
    for name, target in onto.items():
        anchor = ANCHORS.get(name, name)
        mask = columns.get(anchor)
        if mask is None:
            continue
        if anchor not in known:
            is_known = np.isfinite(mask)
            known[anchor] = (where, slice(None)) if is_known.all() else (where[is_known], is_known)
        places, rows = known[anchor]
        values = columns.get(name)
        target[places] = np.nan if values is None else values[rows]


@dataclass(frozen=True, slots=True, eq=False)
class Sorted:
    """Rows by instrument and then by time, each pair once."""

    keys: tuple[str, ...]
    """Ascending; each has rows."""
    row: I64
    minute: I64
    """Close in minutes since the epoch."""
    columns: Mapping[str, F64]
    """By the order of `COLUMNS`; only those in which something is known."""

    @property
    def n(self) -> int:
        return len(self.minute)


def sorted_rows(pieces: Iterable[BarRows], *, first_counts: bool = False) -> Sorted:
    """Put rows in order; of cells that stand several times the last counts, or the first. Rows in which nothing is known are
    left out. Raises `ValueError` where a close is no whole minute.
    """
    given = list(pieces)
    keys = tuple(sorted({key for piece in given for key in piece.keys}))
    place = {key: at for at, key in enumerate(keys)}
    rows, minutes, names = [], [], dict.fromkeys(name for piece in given for name in piece.columns)
    for piece in given:
        if (odd := piece.close_ms % BAR_MS != 0).any():
            raise ValueError(
                f"expected closes at whole minutes, found {int(odd.sum())} others, the first at {piece.close_ms[odd][0]} ms"
            )
        at = np.array([place[key] for key in piece.keys], dtype=np.int64)
        rows.append(at[piece.row])
        minutes.append(piece.close_ms // BAR_MS)
    row = np.concatenate([*rows, np.zeros(0, dtype=np.int64)])
    minute = np.concatenate([*minutes, np.zeros(0, dtype=np.int64)])
    first = int(minute.min(initial=1 << 40))
    span = int(minute.max(initial=first)) - first + 1
    code, where = np.unique(row * span + (minute - first), return_inverse=True)
    out: dict[str, F64] = {name: np.full(len(code), np.nan) for name in COLUMNS if name in names}
    ends = np.cumsum([len(piece.close_ms) for piece in given])
    order = list(zip(given, np.split(where, ends[:-1]) if given else [], strict=True))
    for piece, places in reversed(order) if first_counts else order:
        step = -1 if first_counts else 1
        paint(out, places[::step], {name: column[::step] for name, column in piece.columns.items()})
    return _without_the_unknown(keys, code // span, code % span + first, out)


def _without_the_unknown(keys: tuple[str, ...], row: I64, minute: I64, columns: dict[str, F64]) -> Sorted:
    finite = {name: np.isfinite(column) for name, column in columns.items()}
    has_any = np.zeros(len(row), dtype=np.bool_)
    for mask in finite.values():
        has_any |= mask
    if not has_any.all():
        row, minute = row[has_any], minute[has_any]
        columns = {name: column[has_any] for name, column in columns.items()}
    used, row = np.unique(row, return_inverse=True)
    return Sorted(
        tuple(keys[at] for at in used.tolist()),
        row.astype(np.int64),
        minute,
        {name: column for name, column in columns.items() if finite[name].any()},
    )
