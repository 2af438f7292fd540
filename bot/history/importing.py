"""Files of market data into the store: each once, many together, and again where it was left off.

Rows of many files are put down in one part. Only then are the files noted as taken, so whatever ends an import between the two
costs work and nothing else: the same rows a second time change nothing.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np

from bot.history.published.findings import Findings
from bot.history.published.layouts import Told
from bot.history.published.names import FormName, named
from bot.history.published.reading import Parsed, parse
from bot.history.store import Store
from bot.model.history import BAR_MS, BarRows
from bot.model.history_ports import TakenFile

ENDINGS: Final = (".csv", ".csv.gz", ".zip", ".txt", ".txt.gz", ".log", ".log.gz")
"""What is looked at in a folder; a file that is named is always looked at."""
CHECKSUM: Final = ".CHECKSUM"
BATCH_ROWS: Final = 400_000
"""Of one part: 40 MB of columns."""
MAX_FILE_BYTES: Final = 256 << 20
_DIGEST_CHARS: Final = 64
_SHA256: Final = re.compile(rb"[0-9A-Fa-f]{64}")

State = Literal["taken", "known", "unread"]
"""In the store now; it was before; not readable."""


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file."""

    file: str
    state: State
    forms: tuple[FormName, ...] = ()
    keys: tuple[str, ...] = ()
    n_rows: int = 0
    """Bars and samples."""
    first_ms: int = 0
    last_ms: int = 0
    """Closes; 0 without rows."""
    n_bad: int = 0
    n_unknown: int = 0
    n_empty: int = 0
    n_repeated: int = 0
    n_differing: int = 0
    n_covered: int = 0
    """Bars longer than a minute that were left out, as there are minutes of that time."""
    named: tuple[str, ...] = ()
    """Faults, `file:line: expected …, found …`: the first of each file."""
    problems: tuple[str, ...] = ()
    """Why it, or a part of it, could not be read, or was cut short."""


@dataclass(slots=True)
class Summary:
    """What became of all files."""

    reports: list[FileReport] = field(default_factory=list)
    is_stopped: bool = False
    """Whether there would have been more."""

    def count(self, state: State) -> int:
        return sum(r.state == state for r in self.reports)

    @property
    def n_rows(self) -> int:
        return sum(r.n_rows for r in self.reports if r.state == "taken")

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(sorted({key for r in self.reports for key in r.keys}))

    @property
    def n_bad(self) -> int:
        return sum(r.n_bad for r in self.reports)


def files_in(paths: Iterable[Path]) -> Iterator[Path]:
    """Files that were named, and those of folders with all that is in them, in an order that is always the same."""
    seen: set[Path] = set()
    for path in paths:
        inside = sorted(p for p in path.rglob("*") if p.name.lower().endswith(ENDINGS)) if path.is_dir() else [path]
        for file in inside:
            if file.is_file() and file not in seen:
                seen.add(file)
                yield file


class Importer:
    """Use `run` once. Raises `StorageError` where the store cannot be written."""

    def __init__(
        self, store: Store, *, told: Told, now_ms: Callable[[], int], is_stopped: Callable[[], bool] = lambda: False
    ) -> None:
        """`is_stopped` is asked between files; what was read until then is put down."""
        self._store = store
        self._told = told
        self._now_ms = now_ms
        self._is_stopped = is_stopped
        self._batch: list[BarRows] = []
        self._waiting: list[TakenFile] = []
        self._n_batch = 0

    def run(self, files: Sequence[Path], *, tell: Callable[[FileReport], None] = lambda _: None) -> Summary:
        """Import; `tell` is called after each file."""
        summary = Summary()
        for path in files:
            if self._is_stopped():
                summary.is_stopped = True
                break
            report = self._file(path)
            summary.reports.append(report)
            tell(report)
            if self._n_batch >= BATCH_ROWS:
                self._put_down()
        self._put_down()
        return summary

    def _file(self, path: Path) -> FileReport:
        raw, problem = content_of(path)
        if problem:
            return FileReport(path.name, "unread", problems=(problem,))
        digest = digest_of(path, raw, self._told)
        if (known := self._store.index.taken(digest)) is not None:
            return FileReport(path.name, "known", n_rows=known.n_rows, n_bad=known.n_bad)
        parsed = list(parse(path, raw, self._told))
        report = report_of(path, parsed)
        if report.state == "taken":
            n_covered = sum(self._take(part) for part in parsed if part.n_rows)
            report = replace(report, n_rows=report.n_rows - n_covered, n_covered=n_covered)
            self._waiting.append(TakenFile(digest, path.name, self._now_ms(), report.n_rows, report.n_bad))
        return report

    def _take(self, part: Parsed) -> int:
        """How many of its bars are not taken."""
        rows = part.rows
        if part.span_ms > BAR_MS:
            self._put_down()
            rows = without_minutes(self._store, rows)
        if len(rows.row):
            self._batch.append(rows)
            self._n_batch += len(rows.row)
        return len(part.rows.row) - len(rows.row)

    def _put_down(self) -> None:
        if self._batch:
            # Of two files the later counts, whether they are put down together or not.
            self._store.add(together(self._batch), source="import", latest_counts=True)
        for file in self._waiting:
            self._store.index.take(file)
        self._batch, self._waiting, self._n_batch = [], [], 0


def look(
    files: Sequence[Path],
    *,
    told: Told,
    tell: Callable[[FileReport], None] = lambda _: None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Summary:
    """What an import would take, without a store."""
    summary = Summary()
    for path in files:
        if is_stopped():
            summary.is_stopped = True
            break
        raw, problem = content_of(path)
        report = (
            FileReport(path.name, "unread", problems=(problem,))
            if problem
            else report_of(path, list(parse(path, raw, told)))
        )
        summary.reports.append(report)
        tell(report)
    return summary


def content_of(path: Path) -> tuple[bytes, str]:
    """A file's bytes, or why it is not to be read: it cannot be, or its published checksum says that it is not whole."""
    try:
        n_bytes = path.stat().st_size
        if n_bytes > MAX_FILE_BYTES:
            most = MAX_FILE_BYTES >> 20
            return b"", f"{path.name}: expected at most {most} MB, found {n_bytes >> 20} MB; cut it into parts"
        raw = path.read_bytes()
        beside = path.with_name(path.name + CHECKSUM)
        told = _SHA256.match(beside.read_bytes()[:_DIGEST_CHARS]) if beside.is_file() else None
    except OSError as error:
        return b"", f"{path.name}: cannot be read: {error.strerror or error}"
    expected = told[0].decode().lower() if told is not None else ""
    found = hashlib.sha256(raw).hexdigest() if expected else ""
    if expected != found:
        of_both = f"expected the SHA-256 {expected[:12]}… that its {CHECKSUM} tells, found {found[:12]}…"
        return b"", f"{path.name}: {of_both}; fetch it again"
    return raw, ""


def digest_of(path: Path, raw: bytes, told: Told) -> str:
    """Of a file, with what its name and the person who imports say it is: the same bytes may be of another contract."""
    about = named(path)
    meant = (
        about.symbol,
        about.form,
        about.span_ms,
        told.symbol,
        told.form,
        told.time_column,
        told.oi_column,
        told.lag_ms,
    )
    return hashlib.sha256(hashlib.sha256(raw).digest() + repr(meant).encode()).hexdigest()


def report_of(path: Path, parsed: Sequence[Parsed]) -> FileReport:
    """What was found in the tables of one file."""
    read = [p for p in parsed if p.n_rows]
    findings = [p.findings for p in parsed]

    def total(count: Callable[[Findings], int]) -> int:
        return sum(count(f) for f in findings)

    return FileReport(
        path.name,
        "taken" if read else "unread",
        forms=tuple(dict.fromkeys(p.form for p in read if p.form is not None)),
        keys=tuple(sorted({key for p in read for key in p.rows.keys})),
        n_rows=sum(p.n_rows for p in read),
        first_ms=min((int(p.rows.close_ms.min()) for p in read), default=0),
        last_ms=max((int(p.rows.close_ms.max()) for p in read), default=0),
        n_bad=total(lambda f: f.n_bad),
        n_unknown=total(lambda f: f.n_unknown),
        n_empty=total(lambda f: f.n_empty),
        n_repeated=total(lambda f: f.n_repeated),
        n_differing=total(lambda f: f.n_differing),
        named=tuple(line for f in findings for line in f.named),
        problems=tuple(p.problem for p in parsed if p.problem),
    )


def without_minutes(store: Store, rows: BarRows) -> BarRows:
    """Bars longer than a minute, but for those of whose time there are minutes: an hour's high is none of its last minute."""
    first_ms, last_ms = int(rows.close_ms.min()), int(rows.close_ms.max())
    grid = store.grid(rows.keys, first_ms - 2 * BAR_MS, last_ms, ["close"])
    at = (rows.close_ms - int(grid.close_ms[0])) // BAR_MS
    close = grid.columns["close"]
    keep = np.isnan(close[at, rows.row]) | np.isnan(close[at - 1, rows.row])
    columns = {name: column[keep] for name, column in rows.columns.items()}
    return BarRows(rows.keys, rows.row[keep], rows.close_ms[keep], columns)


def together(pieces: Sequence[BarRows]) -> BarRows:
    """Several rows as one; a column that a piece lacks is unknown in it."""
    keys = tuple(dict.fromkeys(key for piece in pieces for key in piece.keys))
    place = {key: at for at, key in enumerate(keys)}
    row = [np.array([place[key] for key in piece.keys], dtype=np.int32)[piece.row] for piece in pieces]
    names = dict.fromkeys(name for piece in pieces for name in piece.columns)
    return BarRows(
        keys,
        np.concatenate(row),
        np.concatenate([piece.close_ms for piece in pieces]),
        {
            name: np.concatenate([piece.columns.get(name, np.full(len(piece.row), np.nan)) for piece in pieces])
            for name in names
        },
    )


def faults(reports: Iterable[FileReport]) -> Counter[str]:
    """Counts of what was wrong, by what became of it."""
    found: Counter[str] = Counter()
    for r in reports:
        found.update(bad=r.n_bad, unknown=r.n_unknown, empty=r.n_empty, repeated=r.n_repeated, differing=r.n_differing)
    return found
