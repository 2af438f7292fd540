"""The real bot, except that it evaluates nothing while a file is there: `OIBOT_TEST_HOLD` names it (in the environment)."""

import os
from pathlib import Path

from bot.app.live import Live
from bot.cli import main

HOLD = Path(os.environ.pop("OIBOT_TEST_HOLD"))
tick = Live._tick


async def tick_unless_held(self: Live) -> None:
    if not HOLD.exists():
        await tick(self)


Live._tick = tick_unless_held

if __name__ == "__main__":
    main()
