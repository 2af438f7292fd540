"""What makes `/backtest` of use in a demo: a few days of some contracts, asked of the simulated exchange the ordinary way.

`oibot history fill` runs beside the bot as it would beside a real one, within its part of the limits and behind everything else on
the machine, and only when the bot has told its first alert. Where it fails, the demo goes on without a past.
"""

import contextlib
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from rich.console import Console

from bot.app.bot import Bot
from bot.app.options import Options
from bot.model.instrument import Instrument
from bot.worker import environment

PATIENCE_LOOKS: Final = 90
"""For the first alert; then it begins without one."""
_LOOK_S: Final = 1.0
N_CONTRACTS: Final = 5
DAYS: Final = 3
_NICE: Final = 10


class Past:
    """Fills the history of the bot it watches, in a thread while it is entered; nothing of it runs afterwards."""

    def __init__(self, console: Console, *, folder: Path, rest_url: str) -> None:
        """`folder`: of the data, in which no settings lie."""
        self._console = console
        self._folder = folder.resolve()
        self._rest_url = rest_url
        self._bot: Bot | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="past", daemon=True)

    def watch(self, options: Options) -> Options:
        def on_ready(bot: Bot) -> None:
            self._bot = bot
            options.on_ready(bot)

        return replace(options, on_ready=on_ready)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        for _ in range(PATIENCE_LOOKS):
            if self._over.wait(_LOOK_S):
                return
            if self._bot is not None and self._bot.live.fired_ms:
                break
        chosen = [] if self._bot is None else contracts(self._bot)
        if chosen and self._fill(chosen):
            names = ", ".join(instrument.base for instrument in chosen)
            text = f"● {DAYS} days of {names} are in the history: try /backtest oi_bottom {DAYS}d"
            self._console.print(text, style="dim", highlight=False, markup=False)

    def _fill(self, chosen: list[Instrument]) -> bool:
        symbols = [instrument.symbol for instrument in chosen]
        with subprocess.Popen(  # noqa: S603, our own interpreter and names from our own exchange
            [sys.executable, "-m", "bot", "history", "fill", *symbols, "--days", str(DAYS)],
            cwd=self._folder,
            env={**environment(), "OIBOT_DATA_DIR": str(self._folder), "OIBOT_BINANCE__REST_URL": self._rest_url},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Ctrl-C is for the bot, with which this ends.
            start_new_session=True,
        ) as process:
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
            while process.poll() is None:
                if self._over.wait(_LOOK_S / 4):
                    process.kill()
                    return False
        return process.returncode == 0


def contracts(bot: Bot) -> list[Instrument]:
    """The first perpetuals that the exchange lists."""
    listed = (instrument for _, instrument in bot.engine.market.universe.items())
    return [one for one in listed if one.kind == "perpetual" and one.quote == "USDT"][:N_CONTRACTS]
