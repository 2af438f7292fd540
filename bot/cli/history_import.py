"""`oibot history import`: files of the exchange's public data, and logs of open interest, into the store.

Exit code 0; 1 where nothing could be read; 130 where Ctrl-C ended it, with all that was read until then in the store.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from bot import log, settings
from bot.cli.history_store import clock_of, opened
from bot.cli.progress import WarmStart
from bot.cli.stop_flag import INTERRUPTED, StopFlag
from bot.cli.times import time_text
from bot.errors import ConfigError
from bot.history.importing import FileReport, Importer, Summary, faults, files_in, look
from bot.history.published.layouts import Told
from bot.history.published.names import FORMS, span_of
from bot.history.published.table import symbol_of
from bot.history.store import Store
from bot.model.updates import Progress

EXIT_NOTHING: Final = 1
MAX_SHOWN: Final = 40
"""Faults on the screen; `--json` has the first of every file."""
TASK: Final = "files"


def import_files(
    paths: Annotated[list[Path], typer.Argument(help="Files, and folders with all that is in them.")],
    symbol: Annotated[
        str | None, typer.Option("--symbol", help="Contract, where neither name nor rows of a file tell it.")
    ] = None,
    form: Annotated[str | None, typer.Option("--form", help=f"What the files are: {', '.join(FORMS)}.")] = None,
    time_column: Annotated[
        str | None, typer.Option("--time-column", help="Logs: the column with the time, where several might be it.")
    ] = None,
    oi_column: Annotated[
        str | None, typer.Option("--oi-column", help="Logs: the column with open interest in base units.")
    ] = None,
    lag: Annotated[
        str | None, typer.Option("--lag", help="Logs: how much older a value is than the time beside it, such as 5m.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and report; change nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a report of every file as JSON.")] = False,
) -> None:
    """Take in klines, metrics and fundings as Binance publishes them, and logs of open interest. Each file once."""
    log.set_up(level="WARNING")
    told = told_of(symbol=symbol, form=form, time_column=time_column, oi_column=oi_column, lag=lag)
    missing = [str(p) for p in paths if not p.exists()]
    if missing:
        raise ConfigError(f"history import: no such file or folder: {', '.join(missing)}")
    files = list(files_in(paths))
    if not files:
        raise ConfigError(
            f"history import: expected .csv, .csv.gz or .zip files, found none in {', '.join(map(str, paths))}"
        )
    notes = Console(stderr=True)
    bars = WarmStart(notes)
    n_done = 0

    def tell(_: FileReport) -> None:
        nonlocal n_done
        n_done += 1
        bars.take(Progress(TASK, n_done, len(files)))

    with StopFlag() as is_stopped:
        try:
            summary = run(files, told, tell=tell, is_stopped=is_stopped, dry_run=dry_run, notes=notes)
        finally:
            bars.close()
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(as_plain(summary, dry_run=dry_run)), indent=2).decode())
    else:
        show(summary, Console(), dry_run=dry_run)
    if summary.is_stopped:
        notes.print(
            f"Stopped after {len(summary.reports)} of {len(files)} files; the same command goes on from there.",
            style="yellow",
            highlight=False,
        )
        raise typer.Exit(INTERRUPTED)
    if summary.reports and summary.count("unread") == len(summary.reports):
        raise typer.Exit(EXIT_NOTHING)


def run(
    files: Sequence[Path],
    told: Told,
    *,
    tell: Callable[[FileReport], None],
    is_stopped: Callable[[], bool],
    dry_run: bool,
    notes: Console,
) -> Summary:
    """Import files into the store of the settings, or only look at them."""
    if dry_run:
        return look(files, told=told, tell=tell, is_stopped=is_stopped)
    config = settings.load()
    with opened(config, makes_folder=True) as store:
        store.recover()
        found = Importer(store, told=told, now_ms=clock_of(config).wall_ms, is_stopped=is_stopped).run(files, tell=tell)
        if not found.is_stopped and found.count("taken"):
            put_together(store, notes)
        return found


def put_together(store: Store, notes: Console) -> None:
    """Everything but what the bot saw goes to its place; where another process is at it, that one does so."""
    with notes.status("putting bars in their places"):
        store.compact(before_ms=0)


def told_of(
    *, symbol: str | None, form: str | None, time_column: str | None, oi_column: str | None, lag: str | None
) -> Told:
    """What was typed; raises `ConfigError` for what means nothing."""
    name = symbol_of(symbol) if symbol is not None else None
    if symbol is not None and name is None:
        raise ConfigError(f"--symbol: expected a contract such as BTCUSDT, found {symbol!r}")
    known = next((f for f in FORMS if f == form), None)
    if form is not None and known is None:
        raise ConfigError(f"--form: expected one of {', '.join(FORMS)}, found {form!r}")
    lag_ms = span_of(lag) if lag is not None else 0
    if lag is not None and not lag_ms:
        raise ConfigError(f"--lag: expected a time such as 30s or 5m, found {lag!r}")
    return Told(name, known, time_column, oi_column, lag_ms)


def as_plain(summary: Summary, *, dry_run: bool) -> dict[str, object]:
    """The summary as JSON has it."""
    return {
        "dry_run": dry_run,
        "stopped": summary.is_stopped,
        "files": {state: summary.count(state) for state in ("taken", "known", "unread")},
        "rows": summary.n_rows,
        "instruments": summary.keys,
        "faults": dict(faults(summary.reports)),
        "reports": [msgspec.to_builtins(r) for r in summary.reports],
    }


def show(summary: Summary, console: Console, *, dry_run: bool) -> None:
    """The summary for people."""
    taken = [r for r in summary.reports if r.state == "taken"]
    table = Table("what", "files", "instruments", "bars", "from", "to", box=None, pad_edge=False)
    for form in FORMS:
        mine = [r for r in taken if form in r.forms]
        if mine:
            keys = {key for r in mine for key in r.keys}
            first, last = min(r.first_ms for r in mine), max(r.last_ms for r in mine)
            times = (time_text(ms) for ms in (first, last))
            table.add_row(form, str(len(mine)), str(len(keys)), f"{sum(r.n_rows for r in mine):,}", *times)
    if taken:
        console.print(table)
    if n_covered := sum(r.n_covered for r in taken):
        console.print(
            f"{n_covered:,} bars longer than a minute left out: there are minutes of that time", highlight=False
        )
    verb = "would be taken in" if dry_run else "taken in"
    parts = [f"{len(taken)} files {verb}"]
    parts += [f"{n} there already"] if (n := summary.count("known")) else []
    parts += [f"{n} not readable"] if (n := summary.count("unread")) else []
    console.print("; ".join(parts), highlight=False)
    _show_faults(summary, console)


_FAULTS: Final = (
    ("bad", "rows left out"),
    ("unknown", "fields left out of rows that were taken"),
    ("empty", "fields empty"),
    ("repeated", "rows said twice in one file"),
    ("differing", "rows that contradict an earlier one of their file, which stays"),
)


def _show_faults(summary: Summary, console: Console) -> None:
    counts = faults(summary.reports)
    for name, text in _FAULTS:
        if counts[name]:
            console.print(f"{counts[name]:,} {text}", style="yellow", highlight=False)
    lines = [line for r in summary.reports for line in (*r.problems, *r.named)]
    for line in lines[:MAX_SHOWN]:
        console.print(f"  {line}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    n_named = sum(len(r.named) for r in summary.reports)
    n_more = len(lines) - MAX_SHOWN if len(lines) > MAX_SHOWN else 0
    n_more += counts["bad"] + counts["unknown"] + counts["differing"] - n_named
    if n_more > 0:
        console.print(f"  … and {n_more:,} more", style="yellow", highlight=False)
