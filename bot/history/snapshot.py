"""The snapshot file: the windows of a run, so that a restart has them at once.

A file is a magic line and blocks. A block is its kind, its length, a CRC-32 and a msgpack payload. The first is a head
(`H`), pieces (`P`) follow, and a mark (`M`) makes everything before it count; what stands behind the last mark was cut
short and is ignored, as is everything from the first block on whose checksum is wrong. A whole copy is written beside the
last one and put in its place when it is on the disk; what came since is appended to it.

Numbers shrink before they are written: each row is XORed with the one before, the bytes of one place stand together, and
what zlib makes smaller is kept so.
"""

import contextlib
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from bot.errors import PayloadError
from bot.market.state import Array, Head, Mark, Part, Piece, State, state_of

FAMILY: Final = b"oibot snapshot "
MAGIC: Final = FAMILY + b"1\n"
N_SET_ASIDE: Final = 2
"""Damaged files that are kept for whoever wants to look; older ones go."""
_BLOCK: Final = struct.Struct("<cII")
_MAX_BLOCK: Final = 1 << 28
_SAMPLE: Final = 16_384
_WORTH: Final = 0.9
"""Bytes whose sample does not shrink to this are written as they are: trying costs more than it saves."""


# -- arrays ------------------------------------------------------------------------------------------------------------


def _packed(array: Array) -> list[Any]:
    flat = np.ascontiguousarray(array)
    size = flat.dtype.itemsize
    bits = flat.view(f"u{size}")
    if len(bits) > 1:
        bits = np.concatenate([bits[:1], bits[1:] ^ bits[:-1]])
    lanes = np.ascontiguousarray(bits.view(np.uint8).reshape(-1, size).T) if bits.size else np.zeros((0, 0), np.uint8)
    return [flat.dtype.str, list(flat.shape), [_lane(lane.tobytes()) for lane in lanes]]


def _lane(raw: bytes) -> list[Any]:
    if len(zlib.compress(raw[:_SAMPLE], 1)) < _WORTH * min(len(raw), _SAMPLE):
        return [True, zlib.compress(raw, 1)]
    return [False, raw]


def _unpacked(content: Any) -> Array:
    kind, shape, lanes = content
    dtype = np.dtype(kind)
    if dtype.kind not in "fiub":
        raise ValueError(f"expected numbers, found {kind!r}")
    if not lanes:
        return np.zeros(shape, dtype=dtype)
    raw = [zlib.decompress(lane) if is_packed else lane for is_packed, lane in lanes]
    together = np.stack([np.frombuffer(lane, dtype=np.uint8) for lane in raw], axis=1)
    bits = together.reshape(-1).view(f"u{dtype.itemsize}").reshape(shape)
    np.bitwise_xor.accumulate(bits, axis=0, out=bits)
    return bits.view(dtype)


# -- blocks ------------------------------------------------------------------------------------------------------------


def encoded(part: Part) -> bytes:
    """One block."""
    match part:
        case Head():
            kind, content = b"H", msgspec.to_builtins(part)
        case Mark():
            kind, content = b"M", msgspec.to_builtins(part)
        case Piece():
            kind, content = b"P", [part.kind, part.name, part.first, [_packed(a) for a in part.arrays]]
    payload = msgspec.msgpack.encode(content)
    return _BLOCK.pack(kind, len(payload), zlib.crc32(payload, zlib.crc32(kind))) + payload


def _decoded(kind: bytes, payload: memoryview) -> Part:
    content = msgspec.msgpack.decode(payload)
    if kind == b"H":
        return msgspec.convert(content, Head)
    if kind == b"M":
        return msgspec.convert(content, Mark)
    name_kind, name, first, arrays = content
    return Piece(name_kind, name, tuple(_unpacked(a) for a in arrays), first)


@dataclass(frozen=True, slots=True)
class Found:
    """What a file held."""

    state: State
    digest: str
    """Of the part that counts."""
    n_ignored: int
    """Bytes behind it: an append that was cut short, or damage."""


def read(path: Path) -> Found:
    """The newest whole state of a file. Raises `PayloadError` that tells what was expected and found, and `OSError`."""
    raw = path.read_bytes()
    if not raw.startswith(MAGIC):
        raise PayloadError(f"{path}: expected {_line(MAGIC)}, found {_line(raw[: len(MAGIC)])}")
    blocks = list(_blocks(raw))
    marks = [i for i, (kind, _) in enumerate(blocks) if kind == b"M"]
    if not marks or blocks[0][0] != b"H":
        raise PayloadError(f"{path}: expected a whole copy, found {len(blocks)} sound blocks of one; it is damaged")
    kept = blocks[: marks[-1] + 1]
    try:
        state = state_of(_decoded(kind, payload) for kind, payload in kept)
    except (msgspec.MsgspecError, ValueError, LookupError, TypeError, zlib.error) as error:
        raise PayloadError(f"{path}: expected parts of one state, found {error}; it is damaged") from error
    n_kept = len(MAGIC) + sum(_BLOCK.size + len(payload) for _, payload in kept)
    digest = 0
    for kind, payload in kept:
        digest = zlib.crc32(payload, zlib.crc32(kind, digest))
    return Found(state, f"{digest:08x}", len(raw) - n_kept)


def _line(raw: bytes) -> str:
    if raw.startswith(FAMILY):
        number = raw.removeprefix(FAMILY).strip().decode("ascii", "replace")
        return f"version {number} of the snapshot"
    return "a snapshot of oibot" if raw == MAGIC else "another kind of file" if raw else "an empty file"


def _blocks(raw: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Sound blocks, up to the first that is not."""
    view, at = memoryview(raw), len(MAGIC)
    while at + _BLOCK.size <= len(raw):
        kind, length, checksum = _BLOCK.unpack_from(view, at)
        at += _BLOCK.size
        payload = view[at : at + length]
        if kind not in b"HPM" or length > _MAX_BLOCK or len(payload) < length:
            return
        if zlib.crc32(payload, zlib.crc32(kind)) != checksum:
            return
        yield kind, payload
        at += length


# -- files -------------------------------------------------------------------------------------------------------------


class SnapshotFile:
    """Writes one snapshot and keeps it up to date. Blocks on the disk: not for the loop. All methods raise `OSError`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._new = path.with_name(f"{path.name}.new")
        self._file: FileIO | None = None
        """The snapshot itself, once this run has written it."""
        self._next: FileIO | None = None
        """A whole copy under way."""
        self._n_good = 0
        """Bytes of the snapshot up to its last mark."""

    def put(self, part: Part) -> None:
        """Take the next part. A head begins a whole copy; without one the parts are appended."""
        if isinstance(part, Head):
            self._begin()
        file = self._next or self._file
        if file is None:
            raise FileNotFoundError(f"{self.path}: nothing to append to")
        _write(file, encoded(part))
        if isinstance(part, Mark):
            self._finish(file)

    def _begin(self) -> None:
        self.abort()
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._new.unlink(missing_ok=True)
        number = os.open(self._new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._next = FileIO(number, "w")
        _write(self._next, MAGIC)

    def _finish(self, file: FileIO) -> None:
        os.fsync(file.fileno())
        if file is self._next:
            self._new.replace(self.path)
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
            if self._file is not None:
                self._file.close()
            self._file, self._next = file, None
        self._n_good = file.tell()

    def abort(self) -> None:
        """Drop what has no mark yet; the last whole state stays."""
        if self._next is not None:
            broken, self._next = self._next, None
            with contextlib.suppress(OSError):
                broken.close()
            self._new.unlink(missing_ok=True)
        elif self._file is not None:
            try:
                if self._file.tell() != self._n_good:
                    self._file.seek(self._n_good)
                    self._file.truncate()
            except OSError:
                # Readers ignore what has no mark; only nothing more may be appended behind it.
                broken, self._file = self._file, None
                with contextlib.suppress(OSError):
                    broken.close()

    def close(self) -> None:
        self.abort()
        if self._file is not None:
            self._file.close()
            self._file = None


def _write(file: FileIO, raw: bytes) -> None:
    """All of it: a file without a buffer takes what it likes, and an error leaves nothing behind to be written later."""
    view = memoryview(raw)
    while view:
        view = view[file.write(view) :]


def set_aside(path: Path, wall_ms: int) -> Path:
    """Move a file that cannot be used out of the way, keeping the newest few of its kind. Raises `OSError`."""
    kept = sorted(path.parent.glob(f"{path.name}.bad-*"))
    for old in kept[: max(0, len(kept) - N_SET_ASIDE + 1)]:
        old.unlink(missing_ok=True)
    aside = path.with_name(f"{path.name}.bad-{wall_ms}")
    path.replace(aside)
    return aside
