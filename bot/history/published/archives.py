"""What is inside a file: plain text, gzip (also several in a row) or zip, whole or cut short.

A cut archive gives what could be unpacked of it. One whose checksum is wrong gives nothing: any figure in it may be wrong.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MAX_BYTES: Final = 192 << 20
"""Of one file unpacked: a month of minutes has 5 MB. More is a bomb or no dump."""
GZIP: Final = b"\x1f\x8b"
ZIP: Final = b"PK\x03\x04"
_EMPTY_ZIP: Final = b"PK\x05\x06"
_LOCAL: Final = struct.Struct("<4sHHHHHLLLHH")
_DEFLATED: Final = 8
_STORED: Final = 0


@dataclass(frozen=True, slots=True)
class Member:
    """One text of a file."""

    name: str
    """As people are told it: `a.zip/b.csv` inside an archive."""
    content: bytes
    problem: str = ""
    """Why there is no content: `expected …, found …`."""
    is_cut: bool = False
    """Whether it goes on in what is missing of the archive."""


def is_text(name: str) -> bool:
    """Whether a file inside an archive may be a table."""
    return name.lower().endswith((".csv", ".txt", ".log"))


def members(name: str, raw: bytes) -> Iterator[Member]:
    """The texts of a file called `name`."""
    if raw.startswith(GZIP):
        yield _gunzipped(name, raw)
    elif raw.startswith((ZIP, _EMPTY_ZIP)):
        yield from _unzipped(name, raw)
    elif len(raw) > MAX_BYTES:
        yield Member(name, b"", _too_large(len(raw)))
    else:
        yield Member(name, raw)


def _too_large(n_bytes: int) -> str:
    return f"expected at most {MAX_BYTES >> 20} MB, found {n_bytes >> 20} MB or more; cut it into parts"


def _gunzipped(name: str, raw: bytes) -> Member:
    whole = bytearray()
    rest = raw
    while rest:
        unpacker = zlib.decompressobj(31)
        try:
            whole += unpacker.decompress(rest, MAX_BYTES + 1 - len(whole))
        except zlib.error as error:
            # What follows a whole gzip may be padding.
            if whole and not rest.startswith(GZIP):
                break
            return Member(name, b"", f"expected a sound gzip, found damage ({error}); fetch it again")
        if len(whole) > MAX_BYTES:
            return Member(name, b"", _too_large(len(whole)))
        if not unpacker.eof:
            return Member(name, bytes(whole), is_cut=True)
        rest = unpacker.unused_data
    return Member(name, bytes(whole))


def _unzipped(name: str, raw: bytes) -> Iterator[Member]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(raw))
    except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError):
        yield from _without_directory(name, raw)
        return
    with archive:
        inside = [i for i in archive.infolist() if is_text(i.filename)]
        if not inside:
            found = ", ".join(i.filename for i in archive.infolist()[:3]) or "nothing"
            yield Member(name, b"", f"expected a CSV file inside, found {found}")
        left = MAX_BYTES
        for info in inside:
            member = _member(f"{name}/{info.filename}", archive, info, left)
            left -= len(member.content)
            yield member


def _member(name: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> Member:
    if info.flag_bits & 1:
        return Member(name, b"", "expected a file without a password, found an encrypted one")
    try:
        with archive.open(info) as file:
            content = file.read(most + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        return Member(name, b"", f"expected a sound zip, found damage ({error}); fetch it again")
    return Member(name, content) if len(content) <= most else Member(name, b"", _too_large(len(content)))


def _without_directory(name: str, raw: bytes) -> Iterator[Member]:
    """The directory stands at the end of a zip, so that of a cut one only the files themselves tell what they are."""
    at, n_found = 0, 0
    while raw.startswith(ZIP, at) and len(raw) - at >= _LOCAL.size:
        head = _LOCAL.unpack_from(raw, at)
        method, checksum, n_packed, n_name, n_extra = head[3], head[6], head[7], head[9], head[10]
        flags = head[2]
        begin = at + _LOCAL.size + n_name + n_extra
        inside = raw[at + _LOCAL.size : at + _LOCAL.size + n_name].decode("utf-8", "replace")
        full = f"{name}/{inside}"
        n_found += 1
        if flags & 1 or method not in {_DEFLATED, _STORED} or (method == _STORED and flags & 8):
            yield Member(full, b"", "expected a whole zip, found one that is cut short; fetch it again")
            return
        if method == _STORED:
            content, end = raw[begin : begin + n_packed], begin + n_packed
            is_cut = len(content) < n_packed
        else:
            unpacker = zlib.decompressobj(-15)
            try:
                content = unpacker.decompress(raw[begin:], MAX_BYTES + 1)
            except zlib.error as error:
                yield Member(full, b"", f"expected a sound zip, found damage ({error}); fetch it again")
                return
            is_cut, end = not unpacker.eof, len(raw) - len(unpacker.unused_data)
        if len(content) > MAX_BYTES:
            yield Member(full, b"", _too_large(len(content)))
            return
        is_known = not flags & 8
        if not is_cut and is_known and zlib.crc32(content) != checksum:
            yield Member(full, b"", "expected a sound zip, found another checksum; fetch it again")
        elif is_text(inside):
            yield Member(full, content, is_cut=is_cut)
        if is_cut:
            return
        following = raw.find(ZIP, end)
        at = following if following >= 0 else len(raw)
    if n_found == 0:
        yield Member(name, b"", "expected a sound zip, found damage; fetch it again")
