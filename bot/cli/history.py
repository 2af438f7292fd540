"""`oibot history`: what lies in the store of one-minute bars, taking it out, and throwing it away; beside a running bot too."""

import csv
import gzip
import io
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated, Any, Final

import msgspec
import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from bot import settings
from bot.cli.history_fill import fill
from bot.cli.history_import import import_files
from bot.cli.history_store import clock_of, opened
from bot.cli.times import parse_time, time_text
from bot.errors import ConfigError, StorageError
from bot.history.stock import DAY_MS, Holding, Stock
from bot.history.store import Store
from bot.model import numbers
from bot.model.history import BAR_MS, COLUMNS, BarGrid
from bot.rules.literals import parse_duration_ms

CHUNK_MS: Final = 30 * DAY_MS
"""So much of one instrument is read at a time."""
FOR_EVER_MS: Final = 1 << 53
WORDS: Final = {"live": "seen by the bot", "import": "imported", "fill": "filled in by the exchange"}

history = typer.Typer(
    help="Look after the history: one-minute bars of what was seen and imported.", no_args_is_help=True
)

history.command("import")(import_files)
history.command()(fill)


# -- status ------------------------------------------------------------------------------------------------------


@history.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False) -> None:
    """Show what is there, since when, and what it takes on the disk."""
    config = settings.load()
    with opened(config) as store:
        stock = store.status()
        free = shutil.disk_usage(store.folder).free
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(_plain(stock, config.history.days, free)), indent=2).decode())
        return
    console = Console()
    if stock.holdings:
        table = Table("what", "contracts", "from", "to", "gaps", "bars", "size", "a day", box=None, pad_edge=False)
        for column in table.columns[4:]:
            column.justify = "right"
        for holding in stock.holdings:
            table.add_row(*_row(holding))
        console.print(table)
    else:
        console.print("No bars are in the store yet.", highlight=False)
    for text in _notes(stock, config.history.days, free):
        console.print(text, highlight=False, soft_wrap=True)


def _row(holding: Holding) -> tuple[str, ...]:
    per_day = holding.bytes_per_day
    return (
        WORDS[holding.kind],
        str(holding.n_instruments),
        time_text(holding.spans[0][0]),
        time_text(holding.spans[-1][1]),
        str(len(holding.spans) - 1),
        f"{holding.n_rows:,}",
        _size(holding.n_bytes),
        "" if per_day is None else _size(per_day),
    )


def _notes(stock: Stock, days: int, free: int) -> Iterator[str]:
    if stock.n_log_files:
        yield f"Not yet in parts: {_size(stock.log_bytes)} of what the bot saw last; it is read like the rest."
    live = next((holding for holding in stock.holdings if holding.kind == "live"), None)
    if not days:
        yield "OIBOT_HISTORY__DAYS=0: the bot keeps nothing of what it sees."
    elif live is not None and live.bytes_per_day is not None:
        yield (
            f"OIBOT_HISTORY__DAYS={days}: what the bot sees comes to {_size(live.bytes_per_day * days)} for {days} days; "
            f"{_size(free)} are free."
        )
    else:
        yield f"OIBOT_HISTORY__DAYS={days}: what the bot sees is kept for {days} days; {_size(free)} are free."
    if stock.n_bad:
        yield f"{stock.n_bad} damaged files were set aside, with the ending .bad; their bars are missing."


def _plain(stock: Stock, days: int, free: int) -> dict[str, Any]:
    return {
        "bytes": stock.n_bytes,
        "free_bytes": free,
        "keep_days": days,
        "log_files": stock.n_log_files,
        "log_bytes": stock.log_bytes,
        "bad_files": stock.n_bad,
        "holdings": [
            {
                "kind": h.kind,
                "instruments": h.n_instruments,
                "parts": h.n_parts,
                "loose_parts": h.n_loose,
                "rows": h.n_rows,
                "bytes": h.n_bytes,
                "bytes_per_day": h.bytes_per_day,
                "spans_ms": h.spans,
            }
            for h in stock.holdings
        ],
    }


def _size(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:,.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:,.1f} MB"


# -- export ------------------------------------------------------------------------------------------------------


@history.command()
def export(
    symbols: Annotated[list[str] | None, typer.Argument(help="Contracts, such as BTCUSDT; all when left out.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write, .csv or .csv.gz; the terminal when left out.")
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", help="Begin, such as 2026-02-01 or 2026-02-01T12:00 (UTC).")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", help="End, in the same form.")] = None,
    step: Annotated[str, typer.Option("--step", help="Length of the bars: whole minutes, such as 5m or 1h.")] = "1m",
) -> None:
    """Write bars as CSV: one row per contract and minute in which anything is known, empty where something is not."""
    step_ms = parse_duration_ms(step)
    if not step_ms or step_ms % BAR_MS:
        raise ConfigError(f"--step: expected whole minutes, such as 1m, 5m or 1h, found {step!r}")
    with opened(settings.load()) as store:
        first_ms = 0 if from_ is None else parse_time(from_, "--from")
        last_ms = FOR_EVER_MS if to is None else parse_time(to, "--to")
        keys = _keys(store, symbols, first_ms, last_ms)
        n = _written(store, keys, (first_ms, last_ms), step_ms, out)
    if out is not None:
        print(f"{out}: {n:,} bars of {len(keys)} contracts", file=sys.stderr)


def _keys(store: Store, symbols: Sequence[str] | None, first_ms: int, last_ms: int) -> tuple[str, ...]:
    known = store.keys(first_ms, last_ms)
    if not known:
        raise ConfigError("history export: no bars of that time are in the store; see `oibot history status`")
    if not symbols:
        return known
    found = []
    for symbol in symbols:
        mine = [key for key in known if symbol.casefold() in {key.casefold(), key.partition(":")[2].casefold()}]
        if not mine:
            raise ConfigError(f"history export: no bars of {symbol!r} are in the store at that time")
        found += mine
    return tuple(dict.fromkeys(found))


def _written(store: Store, keys: Sequence[str], span: tuple[int, int], step_ms: int, out: Path | None) -> int:
    try:
        with _opened_out(out) as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["time", "instrument", "close_ms", *COLUMNS])
            n = 0
            for key in keys:
                for grid in _grids(store, key, *span, step_ms):
                    lines = list(_lines(key, grid))
                    rows.writerows(lines)
                    n += len(lines)
            return n
    except BrokenPipeError:
        # Whoever read has seen enough.
        sys.stdout = io.StringIO()
        return 0
    except OSError as error:
        raise StorageError(f"{out}: cannot write: {error.strerror}") from error


def _opened_out(out: Path | None) -> AbstractContextManager[IO[str]]:
    if out is None:
        return nullcontext(sys.stdout)
    if out.name.endswith(".gz"):
        return gzip.open(out, "wt", encoding="utf-8", newline="")
    return out.open("w", encoding="utf-8", newline="")


def _grids(store: Store, key: str, first_ms: int, last_ms: int, step_ms: int) -> Iterator[BarGrid]:
    """What there is of an instrument, some weeks at a time."""
    length = max(1, CHUNK_MS // step_ms) * step_ms
    done_ms = first_ms
    for begin, end in store.spans([key]):
        # A span begins with its first close, and ends with its last.
        at, until = max(done_ms, (begin - 1) // step_ms * step_ms), min(last_ms, -(-end // step_ms) * step_ms)
        while at < until:
            yield store.grid([key], at, min(at + length, until), COLUMNS, step_ms=step_ms)
            at += length
        done_ms = max(done_ms, until)


def _lines(key: str, grid: BarGrid) -> Iterator[list[Any]]:
    columns = [grid.columns[name][:, 0] for name in COLUMNS]
    known = np.isfinite(np.column_stack(columns))
    for t in np.flatnonzero(known.any(axis=1)).tolist():
        close_ms = int(grid.close_ms[t])
        cells = [
            _number(float(column[t])) if is_known else "" for column, is_known in zip(columns, known[t], strict=True)
        ]
        yield [f"{datetime.fromtimestamp(close_ms / 1000, UTC):%Y-%m-%dT%H:%MZ}", key, close_ms, *cells]


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


# -- prune -------------------------------------------------------------------------------------------------------


@history.command()
def prune(
    days: Annotated[
        int | None,
        typer.Option("--days", min=0, help="Keep so many days of what the bot saw; the setting when left out."),
    ] = None,
    imported_before: Annotated[
        str | None,
        typer.Option(
            "--imported-before", help="Also throw away what was imported or filled in before, such as 2025-01-01."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Throw old bars away. The bot does so itself for what it saw; what was imported stays until you say otherwise."""
    config = settings.load()
    kept = config.history.days if days is None else days
    imported_ms = None if imported_before is None else parse_time(imported_before, "--imported-before")
    if imported_ms is not None and not yes:
        typer.confirm(f"Throw away what was imported or filled in before {time_text(imported_ms)}?", abort=True)
    if kept == 0 and not yes:
        typer.confirm("Throw away everything that the bot saw itself?", abort=True)
    with opened(config) as store:
        store.recover()
        done = store.prune(live_before_ms=clock_of(config).wall_ms() - kept * DAY_MS, imported_before_ms=imported_ms)
    print(
        f"{done.n_removed} {'file' if done.n_removed == 1 else 'files'} with {_size(done.removed_bytes)} thrown away"
        if done.n_removed
        else f"nothing is older than {numbers.duration(kept * DAY_MS)}"
    )
