"""The log of bars that the bot writes each minute, until a worker makes parts of it.

A file is a magic line and blocks. A block is its length, a CRC-32 and a compressed msgpack list: who the instruments are (where
that is news), or the bars of a minute. A block that a crash cut short ends the file: what was whole before it is good. One file
is written by one process for an hour at most; the next one begins with all instruments.
"""

import contextlib
import errno
import fcntl
import os
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from bot import log
from bot.model.history import COLUMNS, BarRows
from bot.model.instrument import Instrument

FOLDER: Final = "log"
ENDING: Final = ".oib"
MAGIC: Final = b"oibot bars 1\n"
_HEAD: Final = struct.Struct("<II")
_MAX_BLOCK: Final = 1 << 26
_log = log.get("history")


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """What stands in a file."""

    instruments: tuple[Instrument, ...]
    rows: tuple[BarRows, ...]
    """In the order in which they were written."""
    n_good: int
    """Bytes up to the end of the last whole block."""
    n_cut: int
    """Bytes after it."""


def files(folder: Path) -> list[Path]:
    """The logs in a folder of history, the oldest first."""
    return sorted((folder / FOLDER).glob(f"*{ENDING}"))


class BarLog:
    """Writes one file. Raises `OSError`; nothing that was on the disk before is lost by that."""

    def __init__(self, folder: Path, started_ms: int) -> None:
        """Begin a file; `started_ms` becomes its name."""
        place = folder / FOLDER
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = place / f"{started_ms:015d}{ENDING}"
        # Under its name it is locked and has its first line: until then it could be taken for one that is complete.
        begun = place / f"{started_ms:015d}.new"
        self._file = FileIO(os.open(begun, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w")
        self._keys: tuple[str, ...] = ()
        self._n_good = 0
        self.n_bytes = 0
        self.is_broken = False
        """Whether nothing more can be appended; another file has to be begun."""
        try:
            fcntl.flock(self._file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write(self._file, MAGIC)
            self._finish()
            _name(begun, self.path)
            _sync_folder(place)
        except OSError:
            self._file.close()
            with contextlib.suppress(OSError):
                begun.unlink()
            raise

    def append(self, instruments: Sequence[Instrument], pieces: Sequence[BarRows]) -> None:
        """Bring the bars of a minute to the disk. `instruments` are those of the rows' keys, in their order."""
        keys = tuple(instrument.key for instrument in instruments)
        blocks = [] if keys == self._keys else [_block(["I", msgspec.to_builtins(list(instruments))])]
        blocks.append(_block(["B", [_plain(piece) for piece in pieces]]))
        try:
            _write(self._file, b"".join(blocks))
            self._finish()
        except OSError:
            # What came halfway must not stand before the next block.
            self.is_broken = True
            with contextlib.suppress(OSError):
                self._file.seek(self._n_good)
                self._file.truncate()
                self.is_broken = False
            raise
        self._keys = keys

    def _finish(self) -> None:
        os.fsync(self._file.fileno())
        self.n_bytes = self._n_good = self._file.tell()

    def close(self) -> None:
        self._file.close()


def _name(begun: Path, path: Path) -> None:
    """Never in the place of another file."""
    try:
        os.link(begun, path)
    except FileExistsError:
        raise
    except OSError:
        # Not every file system knows links; of this process alone are names made here.
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        begun.rename(path)
    else:
        begun.unlink()


def _sync_folder(place: Path) -> None:
    number = os.open(place, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextlib.contextmanager
def ended(path: Path) -> Iterator[bool]:
    """Whether nobody writes a file any more; nobody begins to until the end of this."""
    try:
        number = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(number)


def _write(file: FileIO, raw: bytes) -> None:
    view = memoryview(raw)
    while view:
        view = view[file.write(view) :]


def _block(content: Any) -> bytes:
    payload = zlib.compress(msgspec.msgpack.encode(content), 1)
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def _plain(piece: BarRows) -> list[Any]:
    """Positions among the instruments that were named last, closes, and the columns by name."""
    columns = {name: np.asarray(values, dtype=np.float64).tobytes() for name, values in piece.columns.items()}
    return [piece.row.astype(np.int32).tobytes(), piece.close_ms.astype(np.int64).tobytes(), columns]


def read(path: Path) -> Read:
    """Everything that is whole. Raises `OSError`."""
    raw = path.read_bytes()
    at = len(MAGIC)
    if raw[:at] != MAGIC:
        return Read((), (), 0, len(raw))
    named: dict[str, Instrument] = {}
    keys: tuple[str, ...] = ()
    rows: list[BarRows] = []
    while len(raw) - at >= _HEAD.size:
        length, checksum = _HEAD.unpack_from(raw, at)
        payload = raw[at + _HEAD.size : at + _HEAD.size + length]
        if length > _MAX_BLOCK or len(payload) < length or zlib.crc32(payload) != checksum:
            break
        try:
            kind, content = msgspec.msgpack.decode(zlib.decompress(payload))
            if kind == "I":
                instruments = msgspec.convert(content, tuple[Instrument, ...])
                keys = tuple(instrument.key for instrument in instruments)
                named |= {instrument.key: instrument for instrument in instruments}
            else:
                rows += [_bars(keys, *piece) for piece in content]
        except (msgspec.MsgspecError, zlib.error, ValueError, TypeError):
            break  # whole, and yet not ours: written by another version
        at += _HEAD.size + length
    return Read(tuple(named.values()), tuple(rows), at, len(raw) - at)


def _bars(keys: tuple[str, ...], row: bytes, close_ms: bytes, columns: Mapping[str, bytes]) -> BarRows:
    found = {name: np.frombuffer(raw, dtype=np.float64) for name, raw in columns.items() if name in COLUMNS}
    return BarRows(keys, np.frombuffer(row, dtype=np.int32), np.frombuffer(close_ms, dtype=np.int64), found)


def rows_of(folder: Path, after_ms: int, until_ms: int, keys: frozenset[str] | None = None) -> list[BarRows]:
    """Bars with a close in (after_ms, until_ms] that are in no part yet, the oldest first; of no instrument but `keys`."""
    found: list[BarRows] = []
    for path in files(folder):
        try:
            whole = read(path)
        except FileNotFoundError:
            continue  # a part by now
        for piece in whole.rows:
            keep = (piece.close_ms > after_ms) & (piece.close_ms <= until_ms)
            if keys is not None:
                keep &= np.array([key in keys for key in piece.keys], dtype=np.bool_)[piece.row]
            if keep.any():
                columns = {name: column[keep] for name, column in piece.columns.items()}
                found.append(BarRows(piece.keys, piece.row[keep], piece.close_ms[keep], columns))
    return found
