"""A table of comma-separated rows, read into columns: one time, some numbers, perhaps a symbol per row.

There are two ways through it. A table in which every field is as expected is read by pyarrow in one go; any other, row by
row, so that each fault is counted and named with its line. Both give the same columns.
"""

import csv
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from bot.history.published import numbers
from bot.history.published.findings import Findings
from bot.model.updates import F64, I32, I64

Kind = Literal["positive", "amount", "rate"]
"""A price or an open interest; a flow, from zero; any finite number."""
_WORDS: Final = {"positive": "a number above 0", "amount": "a number from 0", "rate": "a number"}
_IS_USABLE: Final[dict[Kind, Callable[[float], bool]]] = {
    "positive": lambda x: x > 0,
    "amount": lambda x: x >= 0,
    "rate": math.isfinite,
}


@dataclass(frozen=True, slots=True)
class Column:
    """One number of each row."""

    name: str
    """Ours."""
    label: str
    """The file's, for messages."""
    place: int
    kind: Kind
    is_required: bool = False
    """Whether a row without it is no row."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where what stands."""

    delimiter: str
    n_fields: int
    n_header: int
    """Lines before the first row: 0 or 1."""
    time_place: int
    time_label: str
    grid_ms: int
    """Times are whole multiples of it; 1: any."""
    columns: tuple[Column, ...]
    symbol_place: int | None = None
    symbol: str | None = None
    """What each row must say, if it says anything; None: what it says counts."""
    venue_place: int | None = None
    """Rows of other venues than `venue` are left out."""
    venue: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows that were taken, in the file's order. All of shape (n,)."""

    time_ms: I64
    line: I64
    symbols: tuple[str, ...]
    symbol_row: I32
    """Per row: its place in `symbols`."""
    values: dict[str, F64]
    """NaN: unknown."""


def read(content: bytes, layout: Layout, findings: Findings, *, is_cut: bool) -> Table:
    """The rows of a table. `is_cut`: its last line may have lost its end, so it is no row."""
    from bot.history.published.sound import read_sound  # noqa: PLC0415, it loads pyarrow, which only who reads pays for

    return (None if is_cut else read_sound(content, layout)) or _read_each(content, layout, findings, is_cut=is_cut)


# Row by row


def symbol_of(text: str) -> str | None:
    """A symbol as we write it; None where this is none."""
    symbol = text.strip().upper()
    is_one = 0 < len(symbol) <= 40 and symbol.isprintable() and not any(c.isspace() or c in ":,;*/\\" for c in symbol)
    return symbol if is_one else None


class _Rows:
    """Collects what is taken."""

    def __init__(self, layout: Layout, findings: Findings) -> None:
        self._layout = layout
        self._findings = findings
        self.time_ms: list[int] = []
        self.line: list[int] = []
        self.symbols: dict[str, int] = {}
        self.symbol_row: list[int] = []
        self.values: dict[str, list[float]] = {c.name: [] for c in layout.columns}

    def take(self, number: int, fields: list[str]) -> None:
        layout, findings = self._layout, self._findings
        if len(fields) != layout.n_fields:
            findings.bad(number, f"{layout.n_fields} fields", f"{len(fields)}: {layout.delimiter.join(fields)}")
            return
        text = fields[layout.time_place]
        when = numbers.time_of(text)
        if when is None:
            findings.bad(number, f"a time in {layout.time_label}", text)
            return
        if when % layout.grid_ms:
            findings.bad(number, f"a whole multiple of {layout.grid_ms // 1000} s in {layout.time_label}", text)
            return
        if layout.venue_place is not None and fields[layout.venue_place].strip().lower() != layout.venue:
            findings.bad(number, f"the venue {layout.venue}", fields[layout.venue_place])
            return
        symbol = self._symbol(number, fields)
        if symbol is None:
            return
        found = self._numbers(number, fields)
        if found is None:
            return
        self.time_ms.append(when)
        self.line.append(number)
        self.symbol_row.append(self.symbols.setdefault(symbol, len(self.symbols)))
        for column, value in zip(layout.columns, found, strict=True):
            self.values[column.name].append(value)

    def _symbol(self, number: int, fields: list[str]) -> str | None:
        layout = self._layout
        if layout.symbol_place is None:
            return layout.symbol or ""
        text = fields[layout.symbol_place]
        symbol = symbol_of(text)
        if symbol is None or (layout.symbol is not None and symbol != layout.symbol):
            self._findings.bad(number, f"the symbol {layout.symbol}" if layout.symbol else "a symbol", text)
            return None
        return symbol

    def _numbers(self, number: int, fields: list[str]) -> list[float] | None:
        """None: the row lacks what makes it one, which has been told."""
        found: list[float] = []
        unknown: list[Column] = []
        n_empty = 0
        for column in self._layout.columns:
            text = fields[column.place]
            value = numbers.number_of(text)
            if not _IS_USABLE[column.kind](value):
                value = math.nan
                if column.is_required:
                    self._findings.bad(number, f"{_WORDS[column.kind]} in {column.label}", text)
                    return None
                if text.strip():
                    unknown.append(column)
                else:
                    n_empty += 1
            found.append(value)
        if all(math.isnan(value) for value in found):
            labels = " or ".join(c.label for c in self._layout.columns)
            self._findings.bad(number, f"a usable number in {labels}", self._layout.delimiter.join(fields))
            return None
        for column in unknown:
            self._findings.unknown(number, f"{_WORDS[column.kind]} in {column.label}", fields[column.place])
        self._findings.n_empty += n_empty
        return found


def _read_each(content: bytes, layout: Layout, findings: Findings, *, is_cut: bool) -> Table:
    rows = _Rows(layout, findings)
    lines = content.splitlines()
    last = len(lines) if is_cut and not content.endswith((b"\n", b"\r")) else 0
    for number, raw in enumerate(lines, start=1):
        if number <= layout.n_header or not raw.strip():
            continue
        if number == last:
            findings.bad(number, "the rest of the archive", raw.decode("utf-8", "replace") + " and its end")
            break
        try:
            fields = fields_of(raw.decode(), layout.delimiter)
        except (UnicodeDecodeError, csv.Error):
            findings.bad(number, "a line of text in UTF-8", raw.decode("utf-8", "replace"))
            continue
        rows.take(number, fields)
    return Table(
        np.array(rows.time_ms, dtype=np.int64),
        np.array(rows.line, dtype=np.int64),
        tuple(rows.symbols) or (layout.symbol or "",),
        np.array(rows.symbol_row, dtype=np.int32),
        {name: np.array(column, dtype=np.float64) for name, column in rows.values.items()},
    )


def fields_of(line: str, delimiter: str) -> list[str]:
    """A line's fields; one line is one row. Raises `csv.Error`."""
    if '"' not in line:
        return line.split(delimiter)
    return next(csv.reader([line], delimiter=delimiter))
