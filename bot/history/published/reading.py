"""A file of market data -> bars.

A kline row is a bar at its close (opening time and one interval). A row of metrics, of fundings or of a log is a sample at
its own time, in the minute bar whose close is the first at or after it; of several samples in one bar the newest stands.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

import numpy as np

from bot.errors import PayloadError
from bot.history.published.archives import Member, members
from bot.history.published.findings import Findings
from bot.history.published.layouts import BOM, VENUE, Form, Told, form_of
from bot.history.published.names import FormName, named
from bot.history.published.table import Table, read
from bot.model.history import BAR_MS, BarRows
from bot.model.updates import F64, I32, I64

METRICS_VALID_MS: Final = 450_000
PUBLISHED_VALID_SHARE: Final = 1.5
"""A row of a published series speaks for one and a half of its steps."""
POLLED_VALID_SHARE: Final = 2.5
"""What a program polled, for two and a half of its rounds."""
BARS: Final = frozenset({"klines", "mark", "index"})
_PUBLISHED_STEPS_MS: Final = (
    300_000,
    900_000,
    1_800_000,
    3_600_000,
    7_200_000,
    14_400_000,
    21_600_000,
    43_200_000,
    86_400_000,
)


@dataclass(frozen=True, slots=True, eq=False)
class Parsed:
    """What one table held."""

    name: str
    """As people are told it."""
    form: FormName | None
    """None where it could not be read."""
    rows: BarRows
    n_rows: int
    """Bars and samples in `rows`."""
    findings: Findings
    problem: str = ""
    """Why it could not be read, or not whole: `NAME: expected …, found …`."""
    span_ms: int = 0
    """Of its bars; 0 where it holds samples."""


def parse(path: PurePath, raw: bytes, told: Told) -> Iterator[Parsed]:
    """Every table of a file; raises nothing."""
    for member in members(path.name, raw):
        yield _parse(path, member, told)


def _parse(path: PurePath, member: Member, told: Told) -> Parsed:
    findings = Findings(member.name)
    if member.problem:
        return _unread(member.problem, findings)
    content = member.content.removeprefix(BOM)
    about = named(path, member.name.partition("/")[2])
    if about.problem and told.form is None:
        return _unread(about.problem, findings)
    if not content.strip():
        return _unread("expected rows, found an empty file", findings)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _unread("expected text in UTF-8, found UTF-16; save it as CSV in UTF-8", findings)
    try:
        form = form_of(content, about, told)
        table = read(content, form.layout, findings, is_cut=member.is_cut)
        if not len(table.time_ms):
            return _unread(f"expected rows of {form.name}, found none that can be read", findings)
        keep = _distinct(table, findings)
        span_ms = (about.span_ms or _span_of(table.time_ms[keep])) if form.name in BARS else 0
        rows = _rows(form, table, keep, span_ms=span_ms, lag_ms=told.lag_ms)
    except PayloadError as error:
        return _unread(str(error), findings)
    problem = "expected a whole archive, found one that is cut short; what it holds was taken" if member.is_cut else ""
    told_of = f"{member.name}: {problem}" if problem else ""
    return Parsed(member.name, form.name, rows, len(rows.row), findings, told_of, span_ms)


def _unread(problem: str, findings: Findings) -> Parsed:
    empty = BarRows((), np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int64), {})
    return Parsed(findings.name, None, empty, 0, findings, f"{findings.name}: {problem}")


def _rows(form: Form, table: Table, keep: I64, *, span_ms: int, lag_ms: int) -> BarRows:
    time_ms, row = table.time_ms[keep], table.symbol_row[keep]
    values = {name: column[keep] for name, column in table.values.items()}
    keys = tuple(f"{VENUE}:{symbol}" for symbol in table.symbols)
    if span_ms:
        return BarRows(keys, row, time_ms + span_ms, _bar_columns(form, values))
    if form.name == "oi":
        time_ms = time_ms - lag_ms
    close_ms = -(-time_ms // BAR_MS) * BAR_MS
    # `_distinct` sorts by instrument and time, so the newest sample of a bar is the last of its run.
    newest = np.ones(len(time_ms), dtype=np.bool_)
    newest[:-1] = (close_ms[1:] != close_ms[:-1]) | (row[1:] != row[:-1])
    if "oi" in values:
        valid = np.full(len(time_ms), float(METRICS_VALID_MS)) if form.name == "metrics" else _valid_ms(time_ms, row)
        is_known = ~np.isnan(values["oi"])
        values["oi_ms"] = np.where(is_known, time_ms.astype(np.float64), np.nan)
        values["oi_valid_ms"] = np.where(is_known, valid, np.nan)
    return BarRows(keys, row[newest], close_ms[newest], {name: column[newest] for name, column in values.items()})


def _distinct(table: Table, findings: Findings) -> I64:
    """Places of rows with a time of their own, by instrument and time; of several with one time the first of the file."""
    order = np.lexsort((table.line, table.time_ms, table.symbol_row)).astype(np.int64)
    time_ms, row = table.time_ms[order], table.symbol_row[order]
    is_again = np.zeros(len(order), dtype=np.bool_)
    is_again[1:] = (time_ms[1:] == time_ms[:-1]) & (row[1:] == row[:-1])
    if is_again.any():
        first = np.maximum.accumulate(np.where(is_again, 0, np.arange(len(order))))
        for k in np.flatnonzero(is_again).tolist():
            _tell_again(table, int(order[first[k]]), int(order[k]), findings)
    return order[~is_again]


def _tell_again(table: Table, first: int, again: int, findings: Findings) -> None:
    for name, column in table.values.items():
        if column[first] != column[again] and not (np.isnan(column[first]) and np.isnan(column[again])):
            expected = f"{name} {column[first]:g} as in line {table.line[first]} of the same time"
            findings.differing(int(table.line[again]), expected, f"{column[again]:g}")
            return
    findings.n_repeated += 1


def _span_of(open_ms: I64) -> int:
    """Of bars whose file's name does not tell it: the usual step from one to the next."""
    steps = np.diff(np.unique(open_ms))
    if not len(steps):
        raise PayloadError(
            "expected two bars or a name that tells their length, such as LINKUSDT-1m-2026-02.csv, found one"
        )
    lengths, counts = np.unique(steps, return_counts=True)
    return int(lengths[np.argmax(counts)])


def _bar_columns(form: Form, values: dict[str, F64]) -> dict[str, F64]:
    trades, volume, taker_buy = values.pop("trades", None), values.get("volume"), values.pop("taker_buy", None)
    if volume is None or form.name != "klines":
        return values
    if trades is not None and len(volume) and not volume.any() and bool((trades > 0).all()):
        raise PayloadError(
            "expected trades, found bars of a price without any volume; say with --form mark or --form index what they are"
        )
    if taker_buy is not None:
        # Nobody traded: there is no share. A share above the whole is rounding.
        with np.errstate(over="ignore"):
            share = np.divide(taker_buy, volume, out=np.full(len(volume), np.nan), where=volume > 0)
        values["taker_buy"] = np.minimum(share, 1.0)
    return values


def _valid_ms(time_ms: I64, row: I32) -> F64:
    """How long each row of a log speaks, from how often its instrument has one."""
    valid = np.full(len(time_ms), float(METRICS_VALID_MS))
    for k in np.unique(row).tolist():
        mine = row == k
        steps = np.diff(time_ms[mine])
        if not len(steps):
            continue
        # Programs poll a moment late, now more, now less.
        step = max(round(float(np.median(steps)) / 1000), 1) * 1000
        is_published = step in _PUBLISHED_STEPS_MS and bool(np.all(time_ms[mine] % step == 0))
        valid[mine] = step * PUBLISHED_VALID_SHARE if is_published else step * POLLED_VALID_SHARE
    return valid
