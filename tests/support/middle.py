"""What tests of a running middle share: pushes of prices, time that passes, and an end as by kill -9."""

import asyncio

import numpy as np

from bot.model.updates import MarkPrices


class RunningMiddle:
    """A base for those that set `clock`, `mailbox`, `database`, `committer` and `tasks` when they are entered."""

    async def __aexit__(self, *_):
        """As by kill -9: nothing is flushed."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.database.close()

    def put_prices(self, *prices):
        """One push, now; the first price is that of the first row."""
        n, now_ms = len(prices), self.clock.wall_ms()
        self.mailbox.put(
            MarkPrices(
                rows=np.arange(n, dtype=np.int32),
                price=np.array(prices),
                index=np.array(prices),
                funding=np.zeros(n),
                next_funding_ms=np.zeros(n, dtype=np.int64),
                event_ms=np.full(n, now_ms, dtype=np.int64),
                received_ms=self.clock.monotonic_ms(),
            )
        )

    async def settle(self, seconds):
        """Let time pass, then SQLite's threads work for as long as they need."""
        await self.clock.advance(seconds)
        async with asyncio.timeout(60):
            for _ in range(3):
                await asyncio.sleep(0.002)
                while self.committer.n_waiting:
                    await asyncio.sleep(0.002)
                await self.clock.advance(0)
