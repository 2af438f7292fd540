"""`oibot chart BTC 4h --out btc.png`: a chart of the running bot, as a file."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from bot import settings
from bot.app.data_dir import DataDir
from bot.chat.local_asking import Request, ask
from bot.errors import BotError, ConfigError

EXIT_NONE = 1


def chart(
    what: Annotated[
        list[str], typer.Argument(metavar="SYMBOL [SPAN] [PANELS]", help="Such as: BTC 4h, BTC 7d all, or BTC 1y.")
    ],
    out: Annotated[Path | None, typer.Option("--out", help="Where to write the PNG; SYMBOL.png when left out.")] = None,
) -> None:
    """Draw a chart of a contract with the bot that runs on the settings' data folder."""
    folder = settings.load().data_dir
    path = DataDir(folder).control
    try:
        answer = ask(path, Request("chart", symbol=" ".join(what)))
    except (FileNotFoundError, ConnectionRefusedError):
        raise ConfigError(
            f"chart: no bot is running on {folder}; start it with `oibot run`, or set OIBOT_DATA_DIR to the folder of the "
            "one that runs"
        ) from None
    except PermissionError:
        raise ConfigError(f"chart: {path} belongs to another user; ask as the user who runs the bot") from None
    except TimeoutError:
        raise BotError(f"chart: the bot at {path} did not answer in time") from None
    except (OSError, msgspec.DecodeError) as error:
        raise BotError(f"chart: the bot at {path} gave no answer that this version reads ({error})") from None
    if not answer.ok or not answer.png:
        near = f"; did you mean {' or '.join(answer.near)}?" if answer.near else ""
        print(f"oibot: {answer.error or 'the answer holds no picture'}{near}", file=sys.stderr)
        raise typer.Exit(EXIT_NONE)
    target = out if out is not None else Path(f"{_plain(what[0])}.png")
    try:
        target.write_bytes(answer.png)
    except OSError as error:
        raise BotError(f"chart: cannot write {target}: {error.strerror}") from None
    print(f"{target} ({len(answer.png) / 1024:.0f} KB)")


def _plain(symbol: str) -> str:
    """A file name without a way into other folders."""
    return "".join(c for c in symbol if c.isalnum() or c in "-_")[:40] or "chart"
