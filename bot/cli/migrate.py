"""`oibot migrate`: bring the database to the schema of this version, after a backup of what is there.

A start of the bot does the same; by hand it can be done, and seen, before. The bot must be stopped.
"""

import typer

from bot import log, settings
from bot.app.data_dir import DataDir
from bot.clock import SystemClock
from bot.errors import ConfigError
from bot.storage import copies, preparing
from bot.storage.schema import migrations


def migrate() -> None:
    """Bring the database to the schema of this version; a backup is made first. The bot must be stopped."""
    log.set_up(level="ERROR")
    config = settings.load()
    newest = migrations()[-1][0]
    path = DataDir(config.data_dir).database
    if not path.is_file():
        raise ConfigError(
            f"migrate: there is no database at {path.absolute()}; `oibot run` makes one of schema {newest}"
        )
    with DataDir(config.data_dir) as folder:
        now_ms = SystemClock(speed=config.clock.speed, epoch_ms=config.clock.epoch_ms).wall_ms()
        before = copies.inspect(path)
        if before == newest:
            print(f"{path} has schema {newest}, the newest there is.")
            return
        found = preparing.prepare(path, now_ms=now_ms, backups=folder.backups)
        print(f"Copied to {copies.kept_before_upgrades(folder.backups)[before]} first.")
        for trouble in (found.damage, found.doubt):
            if trouble:
                typer.echo(f"! {trouble}")
    print(f"{path}: schema {before} -> {newest}.")
