"""What bars amount to, however they are cut: when there are any, and a digest of them."""

import hashlib
from typing import Final

import numpy as np

from bot.history.painting import Sorted
from bot.model.history import BAR_MS
from bot.model.history_ports import Spans
from bot.model.updates import I64

MAX_SPANS: Final = 64
GAP_MS: Final = 600_000
"""From here on a time without bars is a gap; five-minute sources have none."""


def spans_of(minutes: I64) -> Spans:
    """Stretches without a gap; where there are too many, the shortest gaps are passed over."""
    if not len(minutes):
        return ()
    closes = np.unique(minutes) * BAR_MS
    steps = np.diff(closes)
    gaps = np.flatnonzero(steps > GAP_MS)
    if len(gaps) >= MAX_SPANS:
        gaps = np.sort(gaps[np.argsort(steps[gaps], kind="stable")[-(MAX_SPANS - 1) :]])
    firsts, lasts = [0, *(gaps + 1).tolist()], [*gaps.tolist(), len(closes) - 1]
    return tuple((int(closes[a]), int(closes[b])) for a, b in zip(firsts, lasts, strict=True))


class Digest:
    """Of the content, however it is cut between instruments."""

    def __init__(self) -> None:
        self._whole = hashlib.sha256()

    def update(self, piece: Sorted) -> None:
        """Take further instruments."""
        ends = [*(np.flatnonzero(np.diff(piece.row)) + 1).tolist(), piece.n]
        start = 0
        for end in ends:
            if end > start:
                self._whole.update(f"{piece.keys[int(piece.row[start])]}\n{end - start}\n".encode())
                self._whole.update(piece.minute[start:end].tobytes())
                for name, column in piece.columns.items():
                    values = column[start:end]
                    if not np.isnan(values).all():
                        self._whole.update(name.encode())
                        self._whole.update(values.tobytes())
            start = end

    def text(self) -> str:
        """Of what was taken."""
        return self._whole.hexdigest()
