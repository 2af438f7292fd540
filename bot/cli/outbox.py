"""`oibot outbox`: what waits to be told, what never will be, and changing that by hand, beside a running bot too."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Final, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot import log, settings
from bot.app.data_dir import DataDir
from bot.cli.times import time_text
from bot.clock import SystemClock
from bot.delivery.lane_memory import recall
from bot.delivery.life import wish_key
from bot.errors import ConfigError
from bot.model.alert import short_id
from bot.model.outbox import Entry
from bot.storage.database import Database, join_database
from bot.storage.key_values import SqliteKeyValues
from bot.storage.outbox_care import SqliteOutboxCare

OPEN: Final = ("waiting", "sending")
MAX_READ: Final = 100_000
MIN_ID: Final = 4
BY_HAND: Final = "given up by hand"

outbox = typer.Typer(
    help="Look after messages: those that wait, and those that could not be told.", no_args_is_help=True
)
T = TypeVar("T")

_Ids = Annotated[list[str] | None, typer.Argument(help="Ids as messages show them; four characters are enough.")]
_All = Annotated[bool, typer.Option("--all", help="All of them.")]
_To = Annotated[str | None, typer.Option("--to", help="Only those for this destination.")]


@outbox.command("list")
def show(
    to: _To = None,
    state: Annotated[str, typer.Option(help="open, buried, delivered, or all.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=MAX_READ)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One object per line.")] = False,
) -> None:
    """Show what waits and what was given up, the newest first."""
    states = _states(state)
    entries = _run(lambda care: care.entries(states, destination=to, limit=limit))
    if as_json:
        for entry in entries:
            print(json.dumps(_plain(entry), ensure_ascii=False))
        return
    console = Console()
    if not entries:
        console.print("Nothing waits, and nothing was given up." if not state else "Nothing.", highlight=False)
        return
    table = Table("id", "to", "alert", "what", "happened", "state", "tries", "why", box=None, pad_edge=False)
    for entry in entries:
        cells = (str(value) for value in _plain(entry).values())
        table.add_row(*(Text(cell, overflow="fold") for cell in cells))
    console.print(table)


@outbox.command()
def retry(ids: _Ids = None, everything: _All = False, to: _To = None) -> None:
    """Tell what was given up after all, and what waits for its next attempt now."""
    chosen = _chosen(ids, everything=everything, to=to, states=("buried", "waiting"))
    n = _run(lambda care: care.retry(chosen))
    print(f"{n} will be told within half a minute by a running bot, or at its next start" + _left(len(chosen) - n))


@outbox.command()
def bury(ids: _Ids = None, everything: _All = False, to: _To = None) -> None:
    """Give up what waits: it will not be told."""
    chosen = _chosen(ids, everything=everything, to=to, states=("waiting",))
    clock = SystemClock()
    n = _run(lambda care: care.bury(chosen, BY_HAND, now_ms=clock.wall_ms()))
    print(f"{n} given up; `oibot outbox retry` brings them back" + _left(len(chosen) - n))


@outbox.command()
def revive(name: Annotated[str, typer.Argument(help="A destination, as `oibot outbox list` names it.")]) -> None:
    """Try a destination again that takes no messages any more."""
    clock = SystemClock()
    dead = _store(lambda values: _dead_reason(values, name))
    if dead is None:
        raise typer.BadParameter(f"{name!r} is not among the destinations that take no messages any more")
    _store(lambda values: values.put(wish_key(name), str(clock.wall_ms())))
    print(f"{name} ({dead}) is tried again within a minute by a running bot, or at its next start")


async def _dead_reason(values: SqliteKeyValues, name: str) -> str | None:
    return (await recall(values, name)).dead_reason


def _left(n: int) -> str:
    return f"; {n} left as they are (told meanwhile, or something later of the same alert was)" if n else ""


def _states(state: str) -> tuple[str, ...]:
    known = {
        "": (*OPEN, "buried"),
        "open": OPEN,
        "buried": ("buried",),
        "delivered": ("delivered",),
        "all": (*OPEN, "buried", "delivered"),
    }
    if state not in known:
        raise typer.BadParameter(f"expected open, buried, delivered or all, found {state!r}")
    return known[state]


def _plain(entry: Entry) -> dict[str, str | int]:
    row = entry.row
    return {
        "id": f"#{short_id(row.key)}",
        "to": row.destination,
        "alert": f"{row.view.symbol} {row.view.title}",
        "what": row.kind.value,
        "happened": f"{time_text(row.created_ms)}Z",
        "state": entry.state,
        "tries": entry.attempts,
        "why": entry.reason,
    }


def _chosen(ids: list[str] | None, *, everything: bool, to: str | None, states: tuple[str, ...]) -> list[str]:
    """Ids of rows. Every id that was typed must name something."""
    if bool(ids) == everything:
        raise typer.BadParameter("expected ids, or --all")
    entries = _run(lambda care: care.entries(states, destination=to, limit=MAX_READ))
    entries.reverse()
    if everything:
        return [entry.row.id for entry in entries]
    chosen: dict[str, None] = {}
    for typed in ids or []:
        prefix = typed.removeprefix("#").casefold()
        found = [entry for entry in entries if short_id(entry.row.key).startswith(prefix)]
        if len(prefix) < MIN_ID or not found:
            raise typer.BadParameter(
                f"no message with the id {typed!r} is {' or '.join(states)}; see `oibot outbox list`"
            )
        if len({entry.row.key for entry in found}) > 1:
            raise typer.BadParameter(f"several ids begin with {typed!r}; type more of it")
        chosen |= dict.fromkeys(entry.row.id for entry in found)
    return list(chosen)


def _run(work: Callable[[SqliteOutboxCare], Awaitable[T]]) -> T:
    return _joined(lambda database: work(SqliteOutboxCare(database)))


def _store(work: Callable[[SqliteKeyValues], Awaitable[T]]) -> T:
    return _joined(lambda database: work(SqliteKeyValues(database)))


def _joined(work: Callable[[Database], Awaitable[T]]) -> T:
    """Beside a bot that may be running."""
    config = settings.load()
    log.set_up(level="ERROR")
    path = DataDir(config.data_dir).database
    if not config.data_dir.is_dir():
        raise ConfigError(f"OIBOT_DATA_DIR: no folder {config.data_dir}; the bot makes it when it first runs")

    async def go() -> T:
        database = await join_database(path)
        try:
            return await work(database)
        finally:
            await database.disconnect()

    return asyncio.run(go())
