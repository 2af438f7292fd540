"""`oibot backup` and `oibot restore`: a copy of the database, or of all in one archive, and back.

A backup may be made while the bot runs. A restore needs it stopped; it checks the file first and deletes nothing.
"""

from pathlib import Path
from typing import Annotated

import typer

import bot
from bot import settings
from bot.app import archives
from bot.app.data_dir import DataDir
from bot.clock import SystemClock
from bot.errors import ConfigError, StorageError
from bot.storage import belonging, copies, preparing

ENV = Path(".env")


def backup(
    to: Annotated[
        Path | None, typer.Option("--to", help="Write this file instead of one in the data folder's backups.")
    ] = None,
    with_secrets: Annotated[
        bool, typer.Option("--with-secrets", help="Into an archive: .env and credentials/ as well, which hold tokens.")
    ] = False,
) -> None:
    """Copy the database, while the bot runs or not; with --to NAME.tar.gz rules as well, all in one file."""
    if with_secrets and (to is None or not archives.is_archive(to)):
        raise ConfigError("--with-secrets: only an archive holds settings; name one with --to NAME.tar.gz")
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
        if archives.is_archive(made):
            _pack(made, config, with_secrets=with_secrets)
            return
        copies.copy(folder.database, made)
    print(f"Copied to {made} ({made.stat().st_size / 1e6:.1f} MB), checked and sound.")
    print(f"Back with: oibot restore {made}")


def _pack(target: Path, config: settings.Settings, *, with_secrets: bool) -> None:
    secrets = archives.Secrets(ENV, settings.CREDENTIALS) if with_secrets else None
    if secrets is not None and not secrets.exist():
        raise ConfigError(f"--with-secrets: there is neither {ENV} nor {settings.CREDENTIALS}/ in {Path.cwd()}")
    names = archives.pack(
        target,
        database=DataDir(config.data_dir).database,
        rules=config.rules_dir,
        secrets=secrets,
        version=bot.__version__,
        now_ms=_now_ms(config),
    )
    print(f"Packed {', '.join(names)} into {target} ({target.stat().st_size / 1e6:.1f} MB), checked and sound.")
    if with_secrets:
        print("It holds your tokens: keep it to yourself.")
    print(f"Back with: oibot restore {target}")


def restore(
    file: Annotated[
        Path, typer.Argument(help="A backup, an archive, or a database that an earlier restore moved aside.")
    ],
) -> None:
    """Put a backup in the place of the database. The bot must be stopped; the present database is kept beside it."""
    config = settings.load()
    with DataDir(config.data_dir) as folder:
        if not archives.is_archive(file):
            _put(file, folder, config)
            return
        with archives.unpacked(file, folder=folder.path) as found:
            _put(found.database, folder, config, named=file)
            said = archives.put_back(found.rules, config.rules_dir)
            said += archives.put_back_credentials(found.credentials, Path.cwd() / settings.CREDENTIALS)
            if found.env is not None:
                said += archives.put_back({ENV.name: found.env}, Path.cwd(), is_secret=True)
    for line in said:
        print(line)


def _put(file: Path, folder: DataDir, config: settings.Settings, *, named: Path | None = None) -> None:
    """`named`: what people call the file."""
    database = folder.database
    if file.exists() and database.exists() and file.samefile(database):
        raise ConfigError(f"restore: {file} is the database itself; name a backup, such as one in {folder.backups}")
    version = copies.inspect(file)
    fresh = database.with_name(f"{database.name}.restoring")
    copies.copy(file, fresh)
    belonging.as_folder(fresh, database.parent)
    aside = preparing.move_aside(database, f"before-restore-{_now_ms(config)}")
    try:
        fresh.replace(database)
    except OSError as error:
        raise StorageError(f"{database}: cannot be put in place: {error.strerror}; it is at {fresh}") from error
    preparing.mark(database, is_open=False)
    print(f"{database} is now the copy of {named or file} (schema {version}).")
    if aside is not None:
        print(f"What was there before is at {aside}.")
        print(f"Undo with: oibot restore {aside}")
    print(
        "Alerts and history since the copy was made are not in it; what it still owed is told again with the same #id."
    )


def _now_ms(config: settings.Settings) -> int:
    return SystemClock(speed=config.clock.speed, epoch_ms=config.clock.epoch_ms).wall_ms()
