"""The order in which a bot stops, and how long each part may take."""

import asyncio
from collections.abc import Sequence
from typing import Final

from bot.app.committer import Committer
from bot.app.live import Live
from bot.app.snapshots import Snapshots
from bot.app.supervisor import Supervisor
from bot.delivery.lanes import Lanes
from bot.storage.database import Database

# Nine seconds in all, with the two that the last commit may take: a stop must be over within ten, whatever hangs.
STOP_FEEDS_S: Final = 1.5
STOP_ENGINE_S: Final = 1.0
STOP_COMMIT_S: Final = 0.5
STOP_LANES_S: Final = 2.0
STOP_REST_S: Final = 1.0
CLOSE_S: Final = 1.0


async def end(
    supervisor: Supervisor,
    *,
    first: Sequence[str],
    database: Database,
    live: Live,
    snapshots: Snapshots,
    committer: Committer,
    lanes: Lanes | None,
) -> None:
    """Stop the parts in order, each within its time. `first`: what asks and answers; `lanes`: None where nothing is told."""
    database.hurry(STOP_REST_S)
    await supervisor.stop(*first, "rules", "feed", "stops", within_s=STOP_FEEDS_S)
    await supervisor.stop("engine", within_s=STOP_ENGINE_S)
    await live.store(live.closing())
    snapshots.finish()
    await committer.drain(STOP_COMMIT_S)
    if lanes is not None:
        await asyncio.gather(lanes.drain(STOP_LANES_S), snapshots.written(STOP_LANES_S))
    else:
        await snapshots.written(STOP_LANES_S)
    await supervisor.stop("delivery", "committer", within_s=STOP_REST_S)
