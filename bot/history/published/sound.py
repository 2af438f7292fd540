"""A table in which every field is as expected, read by pyarrow in one go. Loads pyarrow: import it where it is used."""

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from bot.history.published import numbers
from bot.history.published.table import Layout, Table, symbol_of
from bot.model.updates import F64, I32, I64


def read_sound(content: bytes, layout: Layout) -> Table | None:
    """None where anything at all is not as it should be."""
    # Quotes and hexadecimal numbers are read otherwise there.
    if layout.venue_place is not None or b'"' in content or b"0x" in content or b"0X" in content:
        return None
    n_lines = content.count(b"\n") + (not content.endswith(b"\n"))
    try:
        found = _arrow(content, layout)
        time_ms = _times(found["time"])
        symbols = _symbols(found, layout)
    except (pa.ArrowException, UnicodeDecodeError):
        return None
    n = len(found)
    if n == 0 or n != n_lines - layout.n_header or time_ms is None or symbols is None:
        return None
    values: dict[str, F64] = {}
    for column in layout.columns:
        array = found[column.name]
        if array.null_count:
            return None
        values[column.name] = numpy = array.to_numpy()
        low = numpy > 0 if column.kind == "positive" else numpy >= (0 if column.kind == "amount" else -numbers.LARGEST)
        if not bool(np.all(low & (numpy <= numbers.LARGEST))):
            return None
    is_on_grid = (time_ms >= numbers.EARLIEST_MS) & (time_ms < numbers.LATEST_MS) & (time_ms % layout.grid_ms == 0)
    if not bool(is_on_grid.all()):
        return None
    line = np.arange(1 + layout.n_header, 1 + layout.n_header + n, dtype=np.int64)
    return Table(time_ms, line, *symbols, values)


def _arrow(content: bytes, layout: Layout) -> pa.Table:
    names = [f"#{k}" for k in range(layout.n_fields)]
    names[layout.time_place] = "time"
    types: dict[str, pa.DataType] = {"time": _time_type(content, layout)}
    for column in layout.columns:
        names[column.place] = column.name
        types[column.name] = pa.float64()
    if layout.symbol_place is not None:
        names[layout.symbol_place] = "symbol"
        types["symbol"] = pa.string()
    return arrow_csv.read_csv(
        pa.BufferReader(content),
        read_options=arrow_csv.ReadOptions(column_names=names, skip_rows=layout.n_header, use_threads=False),
        parse_options=arrow_csv.ParseOptions(
            delimiter=layout.delimiter, quote_char=False, newlines_in_values=False, ignore_empty_lines=False
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types=types, include_columns=list(types), null_values=[""], strings_can_be_null=True
        ),
    )


def _time_type(content: bytes, layout: Layout) -> pa.DataType:
    begin = 0 if layout.n_header == 0 else content.find(b"\n") + 1
    end = content.find(b"\n", begin)
    fields = content[begin : end if end >= 0 else None].split(layout.delimiter.encode())
    is_count = len(fields) > layout.time_place and fields[layout.time_place].strip().isdigit()
    return pa.int64() if is_count else pa.timestamp("ns")


def _times(array: pa.ChunkedArray) -> I64 | None:
    if array.null_count:
        return None
    if pa.types.is_timestamp(array.type):
        since_epoch: I64 = array.cast(pa.int64()).to_numpy()
        return since_epoch // 1_000_000
    count: I64 = array.to_numpy()
    if count.size and int(count.min()) < 0:
        return None
    limits = (numbers.SECONDS_BELOW, numbers.MILLISECONDS_BELOW, numbers.MICROSECONDS_BELOW)
    if count.size and limits[0] <= int(count.min()) and int(count.max()) < limits[1]:
        return count
    in_unit = [count * 1_000, count, count // 1_000]
    found: I64 = np.select([count < limit for limit in limits], in_unit, count // 1_000_000)
    return found


def _symbols(found: pa.Table, layout: Layout) -> tuple[tuple[str, ...], I32] | None:
    if layout.symbol_place is None:
        return (layout.symbol or "",), np.zeros(len(found), dtype=np.int32)
    array = found["symbol"]
    if array.null_count:
        return None
    encoded = array.combine_chunks().dictionary_encode()
    names = tuple(str(name) for name in encoded.dictionary.to_pylist())
    if any(name != symbol_of(name) for name in names) or (layout.symbol is not None and names != (layout.symbol,)):
        return None
    places: I32 = encoded.indices.to_numpy().astype(np.int32)
    return names, places
