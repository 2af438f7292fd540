"""Parts as Parquet files: the only module that knows pyarrow, and that only workers and commands load.

Rows stand by instrument and then by time, in groups that are read alone: several instruments of a day, or a week of one
instrument. Which instruments and times stand in which group is said in the footer, with everything else that the index knows of
the part, so that the index can be made anew. Numbers are kept exactly as they came. Other tools can read the files as they are.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bot.history.content import Digest, spans_of
from bot.history.painting import Sorted
from bot.model.history import BAR_MS, COLUMNS, BarRows
from bot.model.history_ports import PartInfo, Spans
from bot.model.updates import F64, I64

GROUP_ROWS: Final = 20_000
"""A group of rows ends with the instrument that makes it so long."""
RUN_ROWS: Final = 10_080
"""A week; longer stretches of one instrument are cut."""
_META: Final = b"oibot"
_INTEGERS: Final = {"oi_ms": pa.int64(), "oi_valid_ms": pa.int64()}
_REPEATING: Final = ("instrument", "funding", "liq_long", "liq_short", "long_short", "oi_valid_ms")
_SCHEMA: Final = pa.schema(
    [
        ("instrument", pa.dictionary(pa.int32(), pa.string())),
        ("close_ms", pa.int64()),
        *((name, _INTEGERS.get(name, pa.float64())) for name in COLUMNS),
    ]
)
_ENCODING: Final = {
    "close_ms": "DELTA_BINARY_PACKED",
    "oi_ms": "DELTA_BINARY_PACKED",
    **{name: "BYTE_STREAM_SPLIT" for name in COLUMNS if name not in {*_REPEATING, "oi_ms"}},
}


class DamagedPartError(Exception):
    """A file is no part, or not a whole one."""


class _Run(msgspec.Struct, frozen=True, array_like=True):
    key: str
    n_rows: int
    first_ms: int
    last_ms: int


class _Footer(msgspec.Struct, frozen=True):
    source: str
    place: str
    digest: str
    spans: Spans
    groups: tuple[tuple[_Run, ...], ...]


@dataclass(frozen=True, slots=True)
class Written:
    """What the index has to know of a file that was written."""

    keys: tuple[str, ...]
    spans: Spans
    n_rows: int
    digest: str


def write(path: Path, pieces: Iterable[Sorted], *, source: str, place: str = "") -> Written | None:
    """Write a file and bring it to the disk. Raises `OSError`.

    Args:
        path: Of the file, which is not there yet.
        pieces: Instruments ascending over all of them, no instrument in two.
        source: As in `PartInfo`.
        place: As in `PartInfo`.

    Returns:
        What was written; None, and no file, where there are no rows.
    """
    groups: list[tuple[_Run, ...]] = []
    digest = Digest()
    spans: list[I64] = []
    keys: list[str] = []
    n_rows = 0
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "wb") as file:
        with pq.ParquetWriter(
            file,
            _SCHEMA,
            compression="zstd",
            compression_level=3,
            use_dictionary=list(_REPEATING),
            column_encoding=_ENCODING,
            write_page_checksum=True,
            write_statistics=["close_ms"],
            store_schema=False,
        ) as writer:
            for piece in pieces:
                digest.update(piece)
                keys.extend(piece.keys)
                n_rows += piece.n
                spans.append(np.unique(piece.minute))
                for start, stop in _cuts(piece):
                    writer.write_table(_table(piece, start, stop), row_group_size=stop - start)
                    groups.append(_runs(piece, start, stop))
            written = Written(tuple(keys), spans_of(np.concatenate([*spans, _NOTHING])), n_rows, digest.text())
            footer = _Footer(source, place, written.digest, written.spans, tuple(groups))
            writer.add_key_value_metadata({_META: msgspec.json.encode(footer)})
        file.flush()
        os.fsync(file.fileno())
    if n_rows:
        return written
    path.unlink()
    return None


_NOTHING: Final = np.zeros(0, dtype=np.int64)


def info(path: Path) -> PartInfo:
    """What the footer says. Raises `DamagedPartError`, `OSError`."""
    with _damage_told(path), pq.ParquetFile(path) as file:
        footer = _footer(file)
        keys = tuple(sorted({run.key for group in footer.groups for run in group}))
        n_rows = int(file.metadata.num_rows)
    return PartInfo(
        path.name, footer.source, keys, footer.spans, n_rows, path.stat().st_size, footer.digest, footer.place
    )


def read(
    path: Path, *, keys: frozenset[str] | None, after_ms: int, until_ms: int, columns: Iterable[str]
) -> Iterator[BarRows]:
    """Bars with a close in (after_ms, until_ms], by groups of rows. Of no instrument but `keys`; None: of all.

    Raises `DamagedPartError`, `OSError`.
    """
    names = list(columns)
    with _damage_told(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        held = set(file.schema_arrow.names)
        wanted = ["close_ms", *(name for name in names if name in held)]
        for number, runs in enumerate(_footer(file).groups):
            is_wanted = [
                (keys is None or run.key in keys) and run.last_ms > after_ms and run.first_ms <= until_ms
                for run in runs
            ]
            if not any(is_wanted):
                continue
            table = file.read_row_group(number, columns=wanted, use_threads=False)
            close_ms = table.column("close_ms").to_numpy()
            row = np.repeat(np.arange(len(runs), dtype=np.int32), [run.n_rows for run in runs])
            found = {name: _numbers(table.column(name)) for name in wanted[1:]}
            keep = (close_ms > after_ms) & (close_ms <= until_ms)
            if not all(is_wanted):
                keep &= np.repeat(is_wanted, [run.n_rows for run in runs])
            if not keep.all():
                row, close_ms = row[keep], close_ms[keep]
                found = {name: column[keep] for name, column in found.items()}
            yield BarRows(tuple(run.key for run in runs), row, close_ms, found)


def _numbers(column: Any) -> F64:
    found: F64 = column.to_numpy().astype(np.float64, copy=False)
    return found


class _damage_told:  # noqa: N801, a context manager
    """What pyarrow says of broken files comes in several kinds; only errors of the system have a number."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None):
            return
        if isinstance(error, (pa.ArrowException, OSError, msgspec.DecodeError, KeyError, ValueError, TypeError)):
            raise DamagedPartError(f"{self._path.name}: {str(error).splitlines()[0][:200]}") from error


def _footer(file: Any) -> _Footer:
    return msgspec.json.decode(file.metadata.metadata[_META], type=_Footer)


# -- writing -----------------------------------------------------------------------------------------------------


def _cuts(piece: Sorted) -> Iterator[tuple[int, int]]:
    """Where groups of rows begin and end."""
    ends = [*(np.flatnonzero(np.diff(piece.row)) + 1).tolist(), piece.n]
    start = 0
    for end in ends:
        while end - start > GROUP_ROWS:
            yield start, start + RUN_ROWS
            start += RUN_ROWS
        if end - start >= GROUP_ROWS // 2 or (end == piece.n and end > start):
            yield start, end
            start = end


def _runs(piece: Sorted, start: int, stop: int) -> tuple[_Run, ...]:
    row, minute = piece.row[start:stop], piece.minute[start:stop]
    ends = [*(np.flatnonzero(np.diff(row)) + 1).tolist(), stop - start]
    runs, begin = [], 0
    for end in ends:
        times = int(minute[begin]) * BAR_MS, int(minute[end - 1]) * BAR_MS
        runs.append(_Run(piece.keys[int(row[begin])], end - begin, *times))
        begin = end
    return tuple(runs)


def _table(piece: Sorted, start: int, stop: int) -> Any:
    row = piece.row[start:stop]
    used, at = np.unique(row, return_inverse=True)
    instrument = pa.DictionaryArray.from_arrays(
        pa.array(at.astype(np.int32)), pa.array([piece.keys[r] for r in used.tolist()], pa.string())
    )
    columns = [instrument, pa.array(piece.minute[start:stop] * BAR_MS)]
    for name in COLUMNS:
        kind = _INTEGERS.get(name, pa.float64())
        column = piece.columns.get(name)
        if column is None:
            columns.append(pa.nulls(stop - start, kind))
            continue
        values = column[start:stop]
        unknown = np.isnan(values)
        if kind == pa.int64():
            values = np.where(unknown, 0, values).astype(np.int64)
        columns.append(pa.array(values, kind, mask=unknown))
    return pa.Table.from_arrays(columns, schema=_SCHEMA)
