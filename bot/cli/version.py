"""`oibot version`: the version, and with `--verbose` what a report of a fault should say."""

import platform
import sqlite3
from importlib import metadata
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

import bot
from bot.errors import ConfigError
from bot.settings import load
from bot.storage.copies import peek_schema
from bot.storage.schema import migrations

LIBRARIES = (
    "aiohttp",
    "aiosqlite",
    "apprise",
    "msgspec",
    "numpy",
    "pydantic",
    "python-telegram-bot",
    "rich",
    "structlog",
    "typer",
    "websockets",
)


def version(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also Python, SQLite, libraries and the schema of the data.")
    ] = False,
) -> None:
    """Print the version."""
    if not verbose:
        print(bot.__version__)
        return
    table = Table.grid(padding=(0, 2))
    for name, value in (
        ("oibot", bot.__version__),
        ("Python", f"{platform.python_version()} ({platform.python_implementation()})"),
        ("system", f"{platform.system()} {platform.release()}, {platform.machine()}"),
        ("SQLite", sqlite3.sqlite_version),
        ("data schema", _schema()),
        *((name, _version_of(name)) for name in LIBRARIES),
    ):
        table.add_row(name, value)
    Console(highlight=False).print(table)


def _version_of(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _schema() -> str:
    newest = migrations()[-1][0]
    try:
        folder = load().data_dir
    except ConfigError:
        return f"{newest} (the settings cannot be read)"
    found = peek_schema(folder / "oibot.db")
    if found is None:
        return f"{newest} (no database in {folder})"
    return f"{newest}" if found == newest else f"{newest} (the database in {folder} has {found})"
