"""Asking the bot that runs on the data folder of the settings, over its control socket."""

import msgspec

from bot import settings
from bot.app.data_dir import DataDir
from bot.chat.local import Answer, Request, ask
from bot.errors import BotError, ConfigError


def ask_bot(request: Request, *, command: str, hint: str = "") -> Answer:
    """Blocks. Raises `BotError` that says why there is no answer, `hint` behind what to do where no bot runs."""
    folder = settings.load().data_dir
    path = DataDir(folder).control
    try:
        return ask(path, request)
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
