"""A file that tells `oibot health` how old the pipeline is: the wall time, and the age of the last fresh prices."""

import contextlib
from typing import Final

from bot.app.data_dir import DataDir
from bot.app.live import Live
from bot.clock import Clock

EVERY_S: Final = 5.0


async def beat(data_dir: DataDir, live: Live, clock: Clock) -> None:
    """Write it for ever; a full disk only makes it old."""
    while True:
        last = live.last_push_ms
        age_ms = -1 if last is None else int(clock.monotonic_ms() - last)
        with contextlib.suppress(OSError):
            data_dir.heartbeat.write_text(f"{clock.wall_ms()} {age_ms} {live.n_ticks}\n", encoding="ascii")
        await clock.sleep(EVERY_S)
