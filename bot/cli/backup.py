"""`oibot backup` and `oibot restore`: a copy of the database, and back.

A backup may be made while the bot runs. A restore needs it stopped; it checks the file first and deletes nothing.
"""

from pathlib import Path
from typing import Annotated

import typer

from bot import settings
from bot.app.data_dir import DataDir
from bot.clock import SystemClock
from bot.errors import ConfigError, StorageError
from bot.storage import copies, preparing


def backup(
    to: Annotated[
        Path | None, typer.Option("--to", help="Write this file instead of one in the data folder's backups.")
    ] = None,
) -> None:
    """Copy the database of alerts, while the bot runs or not, and check the copy."""
    config = settings.load()
    folder = DataDir(config.data_dir)
    if not folder.database.is_file():
        raise ConfigError(
            f"OIBOT_DATA_DIR: expected a database at {folder.database.absolute()}, found none; "
            "start the bot once, or name the folder in which it runs"
        )
    if to is None:
        made = copies.back_up(
            folder.database, folder.backups, now_ms=_now_ms(config), keep=max(1, config.backup.keep)
        ).path
    else:
        made = to / folder.database.name if to.is_dir() else to
        if made.exists():
            raise ConfigError(f"--to: {made} exists already; name another file, or move it away")
        copies.copy(folder.database, made)
    print(f"Copied to {made} ({made.stat().st_size / 1e6:.1f} MB), checked and sound.")
    print(f"Back with: oibot restore {made}")


def restore(
    file: Annotated[Path, typer.Argument(help="A backup, or a database that an earlier restore moved aside.")],
) -> None:
    """Put a backup in the place of the database. The bot must be stopped; the present database is kept beside it."""
    config = settings.load()
    with DataDir(config.data_dir) as folder:
        database = folder.database
        if file.exists() and database.exists() and file.samefile(database):
            raise ConfigError(f"restore: {file} is the database itself; name a backup, such as one in {folder.backups}")
        version = copies.inspect(file)
        fresh = database.with_name(f"{database.name}.restoring")
        copies.copy(file, fresh)
        aside = preparing.move_aside(database, f"before-restore-{_now_ms(config)}")
        try:
            fresh.replace(database)
        except OSError as error:
            raise StorageError(f"{database}: cannot be put in place: {error.strerror}; it is at {fresh}") from error
        preparing.mark(database, is_open=False)
    print(f"{database} is now the copy of {file} (schema {version}).")
    if aside is not None:
        print(f"What was there before is at {aside}.")
        print(f"Undo with: oibot restore {aside}")
    print(
        "Alerts and history since the copy was made are not in it; what it still owed is told again with the same #id."
    )


def _now_ms(config: settings.Settings) -> int:
    return SystemClock(speed=config.clock.speed, epoch_ms=config.clock.epoch_ms).wall_ms()
