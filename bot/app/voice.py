"""News said without lanes: before there are any, and in the terminal."""

import contextlib
from collections.abc import Callable

from bot.app.destinations import Builder, Plan
from bot.app.options import Options
from bot.app.sending import owners_of
from bot.clock import Clock
from bot.delivery.notices import Notice, tell_directly
from bot.settings import Settings


class Voice:
    """Says each piece of news once; nothing is stored."""

    def __init__(self, settings: Settings, options: Options, clock: Clock, plan: Callable[[], Plan]) -> None:
        self._settings = settings
        self._options = options
        self._clock = clock
        self._plan = plan

    async def directly(self, notice: Notice) -> None:
        """Before there are lanes."""
        self._print(notice)
        if self._options.delivers:
            plan = self._plan()
            async with contextlib.AsyncExitStack() as stack:
                builder = Builder(self._settings, clock=self._clock, console=self._options.console, stack=stack)
                made = {d.name: d for d in await builder.all(plan)}
                owners = [made[name] for name in owners_of(plan, self._settings) if name != plan.console]
                await tell_directly(owners, notice, at_ms=self._clock.wall_ms())

    @property
    def aloud(self) -> Callable[[Notice], None] | None:
        """Says what no lane says in the terminal."""
        return None if self._options.delivers and self._plan().console is not None else self._print

    def _print(self, notice: Notice) -> None:
        self._options.console.print(f"{notice.title}. {notice.text}", style="red", highlight=False, markup=False)
