"""Who runs under whom: the one task group, a name and a policy for every task.

A component that crashes is restarted with a growing pause, given up (`DEGRADE`), or takes the process down (`STOP`).
Five crashes of one component in ten minutes end the process, so that the service manager starts it afresh: never a
silent dead task.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from enum import Enum

from bot import log
from bot.clock import Clock

MAX_CRASHES = 5
CRASH_WINDOW_S = 600.0
_PAUSES_S = (0.5, 2.0, 5.0, 15.0)


class Policy(Enum):
    """What follows when a component ends by an error."""

    RESTART = "restart"
    DEGRADE = "degrade"
    STOP = "stop"


class ComponentError(Exception):
    """A component crashed too often, or one without which the bot makes no sense crashed."""


class Supervisor:
    """Runs components until `stop` is called or one of them fails for good."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._log = log.get("supervisor")
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.n_crashes: dict[str, int] = {}

    def start(
        self, group: asyncio.TaskGroup, name: str, run: Callable[[], Awaitable[None]], policy: Policy
    ) -> asyncio.Task[None]:
        """Start a component under its policy."""
        self.n_crashes.setdefault(name, 0)
        task = group.create_task(self._watch(name, run, policy), name=name)
        self._tasks[name] = task
        return task

    async def stop(self, *names: str, within_s: float) -> None:
        """Cancel components and wait for them; name those that did not stop in time."""
        tasks = [self._tasks[n] for n in names if n in self._tasks and not self._tasks[n].done()]
        for task in tasks:
            task.cancel()
        if not tasks:
            return
        try:
            async with self._clock.timeout(within_s):
                # Not gather: cancelled by the timeout, that would itself wait for the stuck ones.
                await asyncio.wait(tasks)
        except TimeoutError:
            stuck = [t.get_name() for t in tasks if not t.done()]
            self._log.warning("component.not_stopped", components=stuck, within_s=within_s)

    async def _watch(self, name: str, run: Callable[[], Awaitable[None]], policy: Policy) -> None:
        crashes: deque[float] = deque()
        """Those of the last ten minutes."""
        while True:
            try:
                await run()
                return
            except (Exception, asyncio.CancelledError) as error:
                is_stopped = _is_being_stopped()
                if is_stopped and isinstance(error, asyncio.CancelledError):
                    raise
                self.n_crashes[name] += 1
                now_s = self._clock.monotonic_ms() / 1000.0
                while crashes and now_s - crashes[0] > CRASH_WINDOW_S:
                    crashes.popleft()
                crashes.append(now_s)
                self._log.error("component.crashed", name=name, policy=policy.value, exc_info=True)
                if is_stopped:
                    return
                if policy is Policy.STOP:
                    raise ComponentError(f"{name} crashed: {type(error).__name__}") from error
                if policy is Policy.DEGRADE:
                    return
                if len(crashes) == MAX_CRASHES:
                    raise ComponentError(f"{name} crashed {MAX_CRASHES} times in ten minutes") from error
            await self._clock.sleep(_PAUSES_S[len(crashes) - 1])


def _is_being_stopped() -> bool:
    """Else a component that was cancelled waited for something that others gave up, and would be gone without a word."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
