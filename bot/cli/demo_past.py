"""What makes `/backtest` of use in a demo: a few days of some contracts, asked of the simulated exchange the ordinary way.

`oibot history fill` runs beside the bot as it would beside a real one, within its part of the limits and behind everything else on
the machine, and only when the bot has told its first alert. Where it fails, the demo goes on without a past.
"""

import asyncio
import contextlib
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from rich.console import Console

from bot.app.bot import Bot
from bot.app.options import Options
from bot.charts.studio import KEPT
from bot.model.instrument import Instrument

PATIENCE_S: Final = 90.0
"""For the first alert; then it begins without one."""
_LOOK_S: Final = 1.0
N_CONTRACTS: Final = 5
DAYS: Final = 3
_NICE: Final = 10
_END_S: Final = 3.0


class Past:
    """Remembers the bot it watches, and fills its history."""

    def __init__(self, console: Console, *, folder: Path, rest_url: str) -> None:
        """`folder`: of the data, in which no settings lie."""
        self._console = console
        self._folder = folder.resolve()
        self._rest_url = rest_url
        self._bot: Bot | None = None

    def watch(self, options: Options) -> Options:
        def on_ready(bot: Bot) -> None:
            self._bot = bot
            options.on_ready(bot)

        return replace(options, on_ready=on_ready)

    async def fill(self) -> None:
        """Until it is done or cancelled; then nothing of it runs any more."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while self._bot is None or not self._bot.live.told:
                    await asyncio.sleep(_LOOK_S)
        chosen = [] if self._bot is None else contracts(self._bot)
        if chosen and await self._filled(chosen):
            names = ", ".join(instrument.base for instrument in chosen)
            text = f"● {DAYS} days of {names} are in the history: try /backtest oi_bottom {DAYS}d"
            self._console.print(text, style="dim", highlight=False, markup=False)

    async def _filled(self, chosen: list[Instrument]) -> bool:
        symbols = [instrument.symbol for instrument in chosen]
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "history", "fill", *symbols, "--days", str(DAYS)),
            cwd=self._folder,
            env={**kept, "OIBOT_DATA_DIR": str(self._folder), "OIBOT_BINANCE__REST_URL": self._rest_url},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            # Ctrl-C is for the bot, with which this ends.
            start_new_session=True,
        )
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
        try:
            return await process.wait() == 0
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_END_S):
                        await process.wait()


def contracts(bot: Bot) -> list[Instrument]:
    """The first perpetuals that the exchange lists."""
    listed = (instrument for _, instrument in bot.engine.market.universe.items())
    return [one for one in listed if one.kind == "perpetual" and one.quote == "USDT"][:N_CONTRACTS]
