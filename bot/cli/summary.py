"""What a demo prints at its end: what the bot did, and how the exchange's limits fared."""

from collections import Counter
from dataclasses import replace
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

from bot.app.bot import Bot
from bot.app.options import Options
from bot.app.status import rss_mb


class Summary:
    """Remembers the bot it watches; prints once it has stopped."""

    def __init__(self, console: Console, rest_url: str) -> None:
        self._console = console
        self._rest_url = rest_url
        self._bot: Bot | None = None

    def watch(self, options: Options) -> Options:
        def on_ready(bot: Bot) -> None:
            self._bot = bot

        return replace(options, on_ready=on_ready)

    async def print(self) -> None:
        bot = self._bot
        if bot is None:
            return
        venue = await self._venue()
        table = Table(title="What happened", title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
        told = Counter[str]()
        for (rule, _), n in bot.live.n_fired.items():
            told[rule] += n
        table.add_row("alerts fired", ", ".join(f"{n} × {rule}" for rule, n in told.most_common()) or "none")
        table.add_row("evaluations", f"{bot.live.n_ticks:,} of {len(bot.engine.rules)} rules")
        table.add_row("instruments", f"{len(bot.engine.market.universe):,}")
        table.add_row("memory of the bot", f"{rss_mb():.0f} MB")
        if venue:
            table.add_row("weight used at most", f"{venue['max_used_weight']:,} of 2,400 a minute")
            table.add_row("refusals by the exchange", f"{venue['n_429']} × 429, {venue['n_418']} × 418")
        self._console.print()
        self._console.print(table, highlight=False)

    async def _venue(self) -> dict[str, Any] | None:
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self._rest_url}/sim/stats") as answer:
                stats: dict[str, Any] = await answer.json()
                return stats
        except aiohttp.ClientError:
            return None
