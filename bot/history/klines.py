"""Closing prices of published kline files, for a replay.

A bar becomes one sample at its close. How such files are read is told in `bot.history.published`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bot.errors import PayloadError
from bot.history.published.layouts import Told
from bot.history.published.names import named
from bot.history.published.reading import parse
from bot.model.updates import F64, I64

VALID_SHARE: Final = 1.5
"""A bar speaks for one and a half intervals."""


@dataclass(frozen=True, slots=True, eq=False)
class Klines:
    """Closes of one symbol, ascending."""

    symbol: str
    close_ms: I64
    close: F64
    interval_ms: int
    bad_rows: tuple[str, ...]
    """What was wrong with rows that were left out: the first few, by file and line."""
    n_bad: int


def symbol_of(path: Path) -> str | None:
    """Symbol from a published file's name, `LINKUSDT-1m-2026-02.csv.gz`."""
    return named(path).symbol


def read_klines(path: Path, symbol: str) -> Klines:
    """Read one file. Raises `PayloadError` when nothing in it is a bar, and `OSError`."""
    # Trades or mark prices, futures or spot: whoever replays a file means its prices.
    found = list(parse(path, path.read_bytes(), Told(symbol=symbol, form="mark")))
    bars = [p for p in found if "close" in p.rows.columns]
    if not bars:
        raise PayloadError("; ".join(p.problem for p in found) or f"{path}: expected klines, found none")
    series = [
        Klines(
            symbol,
            p.rows.close_ms,
            p.rows.columns["close"],
            p.span_ms,
            (*p.findings.named, *([p.problem] if p.problem else [])),
            p.findings.n_bad,
        )
        for p in bars
    ]
    return merge(series)[0]


def merge(files: Sequence[Klines]) -> list[Klines]:
    """Several files of one symbol (months) as one series."""
    merged = []
    for symbol in dict.fromkeys(k.symbol for k in files):
        parts = [k for k in files if k.symbol == symbol]
        times = np.concatenate([k.close_ms for k in parts])
        closes = np.concatenate([k.close for k in parts])
        unique, first = np.unique(times, return_index=True)
        merged.append(
            Klines(
                symbol,
                unique,
                closes[first],
                min(k.interval_ms for k in parts),
                tuple(line for k in parts for line in k.bad_rows),
                sum(k.n_bad for k in parts),
            )
        )
    return merged
