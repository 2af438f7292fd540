"""`oibot history fill`: the past of contracts, asked of the exchange within its limits, beside a running bot too.

Exit code 0; 1 where the exchange refused or did not answer; 130 where Ctrl-C ended it. What was answered is in the store.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from random import Random
from typing import Annotated, Final

import typer
from rich.console import Console

from bot import settings
from bot.app.data_dir import DataDir
from bot.app.history_fill import HISTORY_DAYS, Filled, Filler
from bot.chat.symbols import NotFound, SymbolBook
from bot.cli.history_import import put_together
from bot.cli.history_store import clock_of, opened
from bot.cli.progress import WarmStart
from bot.cli.stop_flag import INTERRUPTED, StopFlag
from bot.errors import ConfigError, StorageError
from bot.history.store import Store
from bot.model.instrument import Instrument
from bot.model.ports import KeyValues
from bot.model.updates import Progress
from bot.settings import Settings
from bot.storage.database import join_database
from bot.storage.key_values import SqliteKeyValues
from bot.storage.memory import MemoryKeyValues

EXIT_REFUSED: Final = 1


def fill(
    symbols: Annotated[list[str], typer.Argument(help="Contracts, such as BTC or BTCUSDT.")],
    days: Annotated[
        float, typer.Option("--days", min=0.01, max=400, help="How far back; open interest reaches back 30 days.")
    ] = float(HISTORY_DAYS),
) -> None:
    """Ask the exchange for the past: prices, volume, open interest, funding and long/short ratio."""
    config = settings.load()
    notes = Console(stderr=True)
    with StopFlag() as is_stopped, opened(config, makes_folder=True) as store:
        store.recover()
        found = asyncio.run(_filled(config, store, symbols, days, notes, is_stopped))
        if not is_stopped() and any(one.n_rows for one in found):
            put_together(store, notes)
    for one in found:
        print(line(one))
    if is_stopped():
        notes.print("Stopped; the same command goes on from there.", style="yellow", highlight=False)
        raise typer.Exit(INTERRUPTED)
    if any(one.problem for one in found):
        raise typer.Exit(EXIT_REFUSED)


def line(one: Filled) -> str:
    """What came of one contract."""
    rows = ", ".join(f"{n:,} {name}" for name, n in one.n_rows.items() if n)
    text = f"{one.instrument.symbol}: {rows or 'nothing new'} ({one.n_calls} calls)"
    return f"{text}; ended early: {one.problem}" if one.problem else text


async def _filled(
    config: Settings, store: Store, symbols: Sequence[str], days: float, notes: Console, is_stopped: StopFlag
) -> list[Filled]:
    is_beside = DataDir(config.data_dir).is_held()
    bars = WarmStart(notes)
    found: list[Filled] = []
    async with (
        _values(config) as values,
        Filler(
            store,
            base_url=config.binance.rest_url,
            clock=clock_of(config),
            values=values,
            is_beside=is_beside,
            weight_share=config.binance.weight_share,
            random=Random(),  # noqa: S311, spreads attempts
        ) as filler,
    ):
        chosen = _chosen(await filler.instruments(), symbols)
        try:
            for instrument in chosen:
                task = f"{instrument.symbol}"
                one = await filler.fill(
                    instrument,
                    days,
                    tell=lambda done, of, task=task: bars.take(Progress(task, done, of)),  # type: ignore[misc]
                    is_stopped=is_stopped,
                )
                found.append(one)
                if one.problem:
                    break
        finally:
            bars.close()
    return found


def _chosen(listed: Sequence[Instrument], symbols: Sequence[str]) -> list[Instrument]:
    book = SymbolBook(listed)
    chosen: dict[str, Instrument] = {}
    for text in symbols:
        found = book.resolve(text)
        if isinstance(found, NotFound):
            near = " or ".join(i.symbol for i in found.suggestions)
            hint = f"; did you mean {near}?" if near else ""
            raise ConfigError(f"history fill: the exchange lists no contract {text!r}{hint}")
        chosen[found.key] = found
    return list(chosen.values())


@contextlib.asynccontextmanager
async def _values(config: Settings) -> AsyncIterator[KeyValues]:
    """What the bot knows of the limits; nothing where there is no bot yet."""
    path = DataDir(config.data_dir).database
    try:
        database = await join_database(path)
    except StorageError:
        yield MemoryKeyValues()
        return
    try:
        yield SqliteKeyValues(database)
    finally:
        await database.disconnect()
