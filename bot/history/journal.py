"""The journal: everything the engine consumed, in order, so that a run can be had again.

A file is a magic line and records. A record is a little-endian length, a CRC-32 and a zlib-compressed msgpack list of
entries; one record holds a tick and what came before it. A record that a crash cut short ends the file: what was
whole before it is good. Every file starts with a header (rules, instruments by row, alert state), so it can be replayed
alone; files of one run replayed in order are one run. A run that began with a snapshot keeps it beside its first file,
which names it.
"""

import contextlib
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
import numpy as np

from bot import log
from bot.engine.inputs import Coverage, Input, Listed, Placed, Reset, RulesChanged, Samples
from bot.errors import PayloadError
from bot.history.recorded_rules import rules_of
from bot.model.alert import AlertRecord
from bot.model.chat_alert import AlertAdded, AlertRemoved, ChatAlert
from bot.model.instrument import Instrument
from bot.model.updates import Bars, History, InstrumentChange, InstrumentList, Liquidations, MarkPrices, Tickers

MAGIC: Final = b"oibot journal 1\n"
SNAPSHOT_SUFFIX: Final = ".ois"
_HEAD: Final = struct.Struct("<II")
_MAX_RECORD: Final = 1 << 28
_log = log.get("journal")


@dataclass(frozen=True, slots=True)
class Header:
    """What a run started from."""

    step_ms: int
    rule_files: dict[str, str]
    """Name and text of each rule file that could be read."""
    destinations: list[str]
    """Names that the rules could notify: a rule that names another was not loaded."""
    instruments: list[tuple[int, Instrument]]
    records: list[AlertRecord]
    continues: bool
    """Whether this file goes on where another ended."""
    alerts: list[ChatAlert] = field(default_factory=list)
    """Those that lived."""


@dataclass(frozen=True, slots=True)
class Tick:
    """The engine evaluated at this venue time."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class Restored:
    """The engine took up a snapshot, at a venue time."""

    at_ms: int
    file: str
    """Name of the copy beside the journal."""
    digest: str
    """Of its content, see `bot.history.snapshot`."""
    folder: Path | None = None
    """Where the journal that says so lies."""


Entry = Input | Tick | Restored


def _encode(entry: Entry) -> list[Any]:
    match entry:
        case Tick(now_ms=now_ms):
            return ["T", now_ms]
        case MarkPrices() as u:
            columns = (u.rows, u.price, u.index, u.funding, u.next_funding_ms, u.event_ms)
            return ["m", *(c.tobytes() for c in columns)]
        case Tickers() as u:
            return ["t", u.rows.tobytes(), u.volume_24h.tobytes(), u.event_ms.tobytes()]
        case Placed() as u:
            return ["o", u.row, u.amount, u.at_ms, u.venue_ms, u.interval_ms]
        case Samples() as u:
            columns3 = (u.rows.tobytes(), u.time_ms.tobytes(), u.value.tobytes())
            return ["s", u.series, *columns3, u.valid_ms, u.interval_ms]
        case History() as u:
            return ["h", u.row, u.series, u.time_ms.tobytes(), u.value.tobytes(), u.valid_ms]
        case Bars() as u:
            return ["b", *(c.tobytes() for c in (u.rows, u.close_ms, u.volume, u.taker_buy)), u.span_ms]
        case Liquidations() as u:
            return ["q", *(c.tobytes() for c in (u.rows, u.event_ms, u.usd, u.is_long))]
        case Coverage() as u:
            return ["v", u.feed, u.live, u.at_ms, u.venue]
        case AlertAdded(alert=alert):
            return ["a", msgspec.to_builtins(alert)]
        case AlertRemoved(alert_id=alert_id, at_ms=at_ms, reason=reason):
            return ["d", alert_id, at_ms, reason]
        case Listed(update=InstrumentList() as listed, at_ms=at_ms):
            return ["l", at_ms, listed.venue, msgspec.to_builtins(listed.instruments)]
        case Listed(update=InstrumentChange() as change, at_ms=at_ms):
            return ["c", at_ms, msgspec.to_builtins(change.instrument)]
        case Reset(at_ms=at_ms):
            return ["r", at_ms]
        case RulesChanged(files=files, destinations=destinations):
            return ["u", files, list(destinations)]
        case Restored():
            return ["R", entry.at_ms, entry.file, entry.digest]
    raise TypeError(f"not a journal entry: {entry!r}")


def _f64(raw: bytes) -> "np.typing.NDArray[np.float64]":
    return np.frombuffer(raw, dtype=np.float64)


def _i64(raw: bytes) -> "np.typing.NDArray[np.int64]":
    return np.frombuffer(raw, dtype=np.int64)


def _i32(raw: bytes) -> "np.typing.NDArray[np.int32]":
    return np.frombuffer(raw, dtype=np.int32)


def _instrument(raw: Any) -> Instrument:
    return msgspec.convert(raw, Instrument)


def _decode(raw: list[Any], folder: Path) -> Entry:
    match raw:
        case ["T", now_ms]:
            return Tick(now_ms)
        case ["m", rows, price, index, funding, next_ms, event_ms]:
            return MarkPrices(
                _i32(rows), _f64(price), _f64(index), _f64(funding), _i64(next_ms), _i64(event_ms), received_ms=0.0
            )
        case ["t", rows, volume, event_ms]:
            return Tickers(_i32(rows), _f64(volume), _i64(event_ms), received_ms=0.0)
        case ["o", row, amount, at_ms, venue_ms, interval_ms]:
            return Placed(row, amount, at_ms, venue_ms, interval_ms)
        case ["s", series, rows, time_ms, value, valid_ms, interval_ms]:
            return Samples(series, _i32(rows), _i64(time_ms), _f64(value), valid_ms, interval_ms)
        case ["h", row, series, time_ms, value, valid_ms]:
            return History(row, series, _i64(time_ms), _f64(value), valid_ms)
        case ["b", rows, close_ms, volume, taker_buy, span_ms]:
            return Bars(_i32(rows), _i64(close_ms), _f64(volume), _f64(taker_buy), span_ms, received_ms=0.0)
        case ["q", rows, event_ms, usd, is_long]:
            longs = np.frombuffer(is_long, dtype=np.bool_)
            return Liquidations(_i32(rows), _i64(event_ms), _f64(usd), longs, received_ms=0.0)
        case ["v", feed, live, at_ms, venue]:
            return Coverage(feed, live, at_ms, venue)
        case ["a", alert]:
            return AlertAdded(msgspec.convert(alert, ChatAlert))
        case ["d", alert_id, at_ms, reason]:
            return AlertRemoved(alert_id, at_ms, reason)
        case ["l", at_ms, venue, instruments]:
            return Listed(InstrumentList(venue, tuple(_instrument(i) for i in instruments)), at_ms)
        case ["c", at_ms, instrument]:
            return Listed(InstrumentChange(_instrument(instrument)), at_ms)
        case ["r", at_ms]:
            return Reset(at_ms)
        case ["u", files, destinations]:
            return RulesChanged(rules_of(files, destinations), files, tuple(destinations))
        case ["R", at_ms, file, digest]:
            return Restored(at_ms, Path(file).name, digest, folder)
    raise PayloadError(f"journal: expected a known entry, found {raw[:1]!r}; the file is of a newer version")


def _write(file: BinaryIO, content: Any) -> int:
    payload = zlib.compress(msgspec.msgpack.encode(content), 1)
    file.write(_HEAD.pack(len(payload), zlib.crc32(payload)))
    file.write(payload)
    return len(payload) + _HEAD.size


class JournalWriter:
    """Writes one run. `folder` is bounded by `max_bytes`: the oldest files go first."""

    def __init__(
        self,
        folder: Path,
        *,
        header: Header,
        refresh: Callable[[], Header],
        started_ms: int,
        rotate_bytes: int,
        max_bytes: int,
    ) -> None:
        self._folder = folder
        self._refresh = refresh
        self._started_ms = started_ms
        self._rotate_bytes = rotate_bytes
        self._max_bytes = max_bytes
        self._n_files = 0
        self._size = 0
        self.has_failed = False
        self._entries: list[list[Any]] = []
        folder.mkdir(parents=True, exist_ok=True)
        self._file = self._open(header)
        # Also now: many short runs would never reach the size at which a file is changed.
        with contextlib.suppress(OSError):
            self._prune()

    @property
    def path(self) -> Path:
        """The file being written."""
        return self._folder / f"{self._started_ms}-{self._n_files:04d}.oij"

    def _open(self, header: Header) -> BinaryIO:
        self._n_files += 1
        file = self.path.open("xb")
        file.write(MAGIC)
        self._size = len(MAGIC) + _write(file, msgspec.to_builtins(header))
        # A run that dies at once leaves a journal that can be read.
        file.flush()
        return file

    def record(self, item: Input) -> None:
        if not self.has_failed:
            self._entries.append(_encode(item))

    def restored(self, snapshot: Path, digest: str, at_ms: int) -> None:
        """The engine took up a snapshot: keep it, and note so. It is a link, so it takes no room of its own at first."""
        if self.has_failed:
            return
        kept = self.path.with_suffix(SNAPSHOT_SUFFIX)
        with self._recording_may_fail():
            try:
                kept.hardlink_to(snapshot)
            except OSError:
                # Not every file system knows links.
                shutil.copyfile(snapshot, kept)
            self._entries.append(_encode(Restored(at_ms, kept.name, digest)))

    def tick(self, now_ms: int) -> None:
        if self.has_failed:
            return
        self._entries.append(_encode(Tick(now_ms)))
        with self._recording_may_fail():
            self._size += _write(self._file, self._entries)
            self._entries = []
            if self._size >= self._rotate_bytes:
                self._file.close()
                self._file = self._open(self._refresh())
                self._prune()

    def flush(self) -> None:
        """Hand everything to the operating system; call before what a tick caused is stored."""
        if not self.has_failed:
            with self._recording_may_fail():
                self._file.flush()

    def close(self) -> None:
        with self._recording_may_fail():
            if self._entries and not self.has_failed:
                _write(self._file, self._entries)
            self._entries = []
            self._file.close()

    @contextlib.contextmanager
    def _recording_may_fail(self) -> Iterator[None]:
        """A full disk ends the recording, once and said; alerts go on. A journal with a hole would replay wrongly."""
        try:
            yield
        except OSError as error:
            self.has_failed = True
            self._entries = []
            _log.error("journal.stopped", reason=error.strerror, file=str(self.path))

    def _prune(self) -> None:
        files = sorted(self._folder.glob("*.oij"))
        total = sum(_size(f) for f in files)
        for file in files:
            if total <= self._max_bytes:
                break
            if file == self.path:  # not always the last by name: the clock may have been wrong
                continue
            total -= _size(file)
            file.unlink()
            file.with_suffix(SNAPSHOT_SUFFIX).unlink(missing_ok=True)


def _size(journal: Path) -> int:
    """Of a journal and the snapshot that it begins with."""
    snapshot = journal.with_suffix(SNAPSHOT_SUFFIX)
    return journal.stat().st_size + (snapshot.stat().st_size if snapshot.exists() else 0)


def is_journal(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def read(path: Path) -> tuple[Header, Iterator[Entry]]:
    """Header and entries of one file. Raises `PayloadError` where it is no journal at all."""
    records = _records(path)
    try:
        header = msgspec.convert(next(records), Header)
    except (StopIteration, msgspec.ValidationError) as error:
        raise PayloadError(f"{path}: expected a journal header, found none; the file is damaged or empty") from error
    return header, (_decode(entry, path.parent) for record in records for entry in record)


def read_all(paths: Sequence[Path]) -> tuple[Header, Iterator[Entry]]:
    """Files of one run as one run: the first header counts."""
    header, entries = read(paths[0])

    rest = [(path, *read(path)) for path in paths[1:]]
    for path, further, _ in rest:
        if not further.continues:
            raise PayloadError(f"{path}: begins another run; replay each run by itself")

    def chained() -> Iterator[Entry]:
        yield from entries
        for _, _, more in rest:
            yield from more

    return header, chained()


def _records(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise PayloadError(f"{path}: expected an oibot journal, found something else")
        while head := file.read(_HEAD.size):
            if len(head) < _HEAD.size:
                return
            length, checksum = _HEAD.unpack(head)
            payload = file.read(length) if length <= _MAX_RECORD else b""
            if len(payload) < length or zlib.crc32(payload) != checksum:
                return
            yield msgspec.msgpack.decode(zlib.decompress(payload))
