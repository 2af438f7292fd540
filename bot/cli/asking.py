"""Asking the bot that runs on the data folder of the settings, over its control socket."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bot import settings
from bot.app.data_dir import DataDir
from bot.chat.local_asking import Answer, Request, answers, ask
from bot.errors import BotError, ConfigError

WAIT_S = 600.0
"""For what a job says later."""


def ask_bot(request: Request, *, command: str, hint: str = "") -> Answer:
    """Blocks. Raises `BotError` that says why there is no answer, `hint` behind what to do where no bot runs."""
    folder = settings.load().data_dir
    with _told_plainly(folder, command, hint):
        return ask(DataDir(folder).control, request)


def follow_bot(request: Request, *, command: str) -> Iterator[Answer]:
    """As `ask_bot`, what it says as it comes: each takes the place of the one before."""
    folder = settings.load().data_dir
    with _told_plainly(folder, command, ""):
        yield from answers(DataDir(folder).control, request)


@contextlib.contextmanager
def _told_plainly(folder: Path, command: str, hint: str) -> Iterator[None]:
    path = DataDir(folder).control
    try:
        yield
    except (FileNotFoundError, ConnectionRefusedError):
        raise ConfigError(
            f"{command}: no bot is running on {folder}; start it with `oibot run`, set OIBOT_DATA_DIR to the folder of "
            f"the one that runs{hint}"
        ) from None
    except PermissionError:
        raise ConfigError(f"{command}: {path} belongs to another user; ask as the user who runs the bot") from None
    except TimeoutError:
        raise BotError(
            f"{command}: the bot at {path} did not answer in time; `oibot health` says whether it moves"
        ) from None
    except (OSError, msgspec.DecodeError) as error:
        raise BotError(
            f"{command}: the bot at {path} gave no answer that this version reads ({error}); it may be of another version"
        ) from None
