"""What lies in the store: how much, of whom, since when, and what it will come to."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bot.history import bar_log
from bot.history.content import GAP_MS
from bot.history.parts import BAD, Parts
from bot.model.history_ports import KINDS, Kind, PartInfo, Spans

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Holding:
    """Everything of one kind."""

    kind: Kind
    n_parts: int
    n_loose: int
    """Parts that wait to be put in their place."""
    n_instruments: int
    n_rows: int
    n_bytes: int
    spans: Spans
    """When there are bars of any instrument; between them are gaps."""

    @property
    def known_ms(self) -> int:
        return sum(last - first + 60_000 for first, last in self.spans)

    @property
    def bytes_per_day(self) -> float | None:
        """None where there is less than an hour to judge by."""
        return self.n_bytes / self.known_ms * DAY_MS if self.known_ms >= DAY_MS / 24 else None


@dataclass(frozen=True, slots=True)
class Stock:
    """All of it."""

    holdings: tuple[Holding, ...]
    """Of the kinds of which there is something."""
    n_log_files: int
    log_bytes: int
    """Of what the bot has seen and nobody has made parts of."""
    n_bad: int
    """Parts that were set aside."""

    @property
    def n_bytes(self) -> int:
        return self.log_bytes + sum(holding.n_bytes for holding in self.holdings)


def stock_of(parts: Parts) -> Stock:
    """From the index and the folder; no part is read."""
    known = parts.index.parts()
    holdings = [_holding(kind, mine) for kind in KINDS if (mine := [part for part in known if part.kind == kind])]
    logs = [path.stat().st_size for path in bar_log.files(parts.folder)]
    n_bad = sum(1 for _ in parts.parts_folder.glob(f"*{BAD}"))
    return Stock(tuple(holdings), len(logs), sum(logs), n_bad)


def _holding(kind: Kind, parts: list[PartInfo]) -> Holding:
    return Holding(
        kind,
        len(parts),
        sum(1 for part in parts if not part.place),
        len({key for part in parts for key in part.keys}),
        sum(part.n_rows for part in parts),
        sum(part.n_bytes for part in parts),
        joined(span for part in parts for span in part.spans),
    )


def joined(spans: Iterable[tuple[int, int]]) -> Spans:
    """Stretches that touch or overlap are one."""
    out: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if out and first - out[-1][1] <= GAP_MS:
            out[-1] = out[-1][0], max(out[-1][1], last)
        else:
            out.append((first, last))
    return tuple(out)
