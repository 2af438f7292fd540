"""Binance kline CSV files, as published: monthly or daily, plain or gzip, with or without the header line.

A bar becomes one sample at its close (open time + one interval). Nothing is interpolated. Repeated rows count once (the
first stays), rows that cannot be read are counted and named, order in the file does not matter.
"""

import csv
import gzip
import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bot.errors import PayloadError
from bot.model.updates import F64, I64

VALID_SHARE: Final = 1.5
"""A bar speaks for one and a half intervals."""
_NAME: Final = re.compile(r"^(?P<symbol>.+?)-(?P<interval>\d+[smhdw])-\d{4}-\d{2}(-\d{2})?\.csv(\.gz)?$")
_MICROSECONDS_FROM: Final = 10**14
_LATEST_MS: Final = 10**13
"""The year 2286."""
_MAX_NAMED: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class Klines:
    """Closes of one symbol, ascending."""

    symbol: str
    close_ms: I64
    close: F64
    interval_ms: int
    bad_rows: tuple[str, ...]
    """What was wrong with rows that were left out: the first few, by line."""
    n_bad: int


def symbol_of(path: Path) -> str | None:
    """Symbol from a published file's name, `LINKUSDT-1m-2026-02.csv.gz`."""
    found = _NAME.match(path.name)
    return found["symbol"] if found else None


def read_klines(path: Path, symbol: str) -> Klines:
    """Read one file. Raises `PayloadError` when nothing in it is a bar."""
    opens: dict[int, float] = {}
    bad: list[str] = []
    n_bad = 0
    for number, row in _rows(path):
        try:
            open_ms, close = int(row[0]), float(row[4])
        except (ValueError, IndexError):
            if number == 1 and row and row[0] == "open_time":
                continue
            open_ms, close = 0, math.nan
        if open_ms >= _MICROSECONDS_FROM:
            open_ms //= 1000
        if not (0 < open_ms < _LATEST_MS and math.isfinite(close) and close > 0):
            n_bad += 1
            if len(bad) < _MAX_NAMED:
                bad.append(f"line {number}: expected open time and close price, found {','.join(row)[:60]!r}")
            continue
        opens.setdefault(open_ms, close)
    if not opens:
        raise PayloadError(f"{path}: expected kline rows (open_time,open,high,low,close,…), found none")
    times = np.array(sorted(opens), dtype=np.int64)
    interval_ms = int(np.median(np.diff(times))) if len(times) > 1 else 60_000
    return Klines(
        symbol=symbol,
        close_ms=times + interval_ms,
        close=np.array([opens[int(t)] for t in times]),
        interval_ms=interval_ms,
        bad_rows=tuple(bad),
        n_bad=n_bad,
    )


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    raw = path.read_bytes()
    try:
        content = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig")))
        yield from enumerate(reader, start=1)
    except (gzip.BadGzipFile, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise PayloadError(f"{path}: cannot read as CSV: {error}") from error


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
