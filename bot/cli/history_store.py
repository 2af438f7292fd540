"""The store of the settings, as commands open it."""

from contextlib import AbstractContextManager

from bot import log
from bot.app.data_dir import DataDir
from bot.app.history_store import open_store
from bot.clock import SystemClock
from bot.errors import ConfigError
from bot.history.store import Store
from bot.settings import Settings


def opened(config: Settings, *, makes_folder: bool = False) -> AbstractContextManager[Store]:
    """Open it. Raises `ConfigError` where there is no data folder, unless it may be made."""
    log.set_up(level="WARNING")
    if not makes_folder and not config.data_dir.is_dir():
        raise ConfigError(f"OIBOT_DATA_DIR: no folder {config.data_dir}; the bot makes it when it first runs")
    return open_store(DataDir(config.data_dir).history, clock=clock_of(config))


def clock_of(config: Settings) -> SystemClock:
    """The bot's."""
    return SystemClock(speed=config.clock.speed, epoch_ms=config.clock.epoch_ms)
