"""What runs in one bot: in which order its components start and stop, and how long each part of a stop may take.

What stores, decides and tells starts first and stops last. All that was started is stopped.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bot.app.committer import Committer
from bot.app.live import Live
from bot.app.snapshots import Snapshots
from bot.app.supervisor import Policy, Supervisor
from bot.delivery.lanes import Lanes
from bot.storage.database import Database

# Nine seconds in all, with the two that the last commit may take and the one for closing the database: a stop must be over
# within ten, whatever hangs.
STOP_AROUND_S: Final = 1.5
STOP_ENGINE_S: Final = 1.0
STOP_COMMIT_S: Final = 0.5
STOP_LANES_S: Final = 2.0
STOP_REST_S: Final = 1.0

Run = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Component:
    """What the supervisor runs under a name."""

    name: str
    run: Run
    policy: Policy = Policy.RESTART


def components(runs: Mapping[str, Run]) -> list[Component]:
    """All of them under the usual policy."""
    return [Component(name, run) for name, run in runs.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The components of a bot."""

    supervisor: Supervisor
    database: Database
    committer: Committer
    live: Live
    snapshots: Snapshots
    lanes: Lanes | None
    """None where nothing is told."""
    around: Sequence[Component]
    """All that feeds, watches, asks and answers."""

    def start(self, group: asyncio.TaskGroup) -> None:
        told = () if self.lanes is None else (Component("delivery", self.lanes.run),)
        core = Component("committer", self.committer.run), Component("engine", self.live.run), *told
        for one in (*core, *self.around):
            self.supervisor.start(group, one.name, one.run, one.policy)

    async def stop(self) -> None:
        """Stop the parts in order, each within its time."""
        supervisor, live, snapshots = self.supervisor, self.live, self.snapshots
        self.database.hurry(STOP_REST_S)
        await supervisor.stop(*(one.name for one in self.around), within_s=STOP_AROUND_S)
        await supervisor.stop("engine", within_s=STOP_ENGINE_S)
        await live.store(live.closing())
        snapshots.finish()
        await self.committer.drain(STOP_COMMIT_S)
        if self.lanes is not None:
            await asyncio.gather(self.lanes.drain(STOP_LANES_S), snapshots.written(STOP_LANES_S))
        else:
            await snapshots.written(STOP_LANES_S)
        await supervisor.stop("delivery", "committer", within_s=STOP_REST_S)
