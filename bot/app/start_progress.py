"""How far a start is: what the feeds fill, and which rules still wait for the sizes of contracts."""

from collections.abc import Callable

from bot.engine.engine import Engine
from bot.model.updates import Progress
from bot.texts import say


class StartProgress:
    """Follows the tasks of a start; `pass_on` is told each step."""

    def __init__(self, pass_on: Callable[[Progress], None]) -> None:
        self._pass_on = pass_on
        self._tasks: dict[str, Progress] = {}

    def take(self, progress: Progress) -> None:
        self._tasks[progress.task] = progress
        self._pass_on(progress)

    def text(self, engine: Engine) -> str:
        """For people; empty when nothing is left."""
        parts = [f"{say(p.task)} {p.done}/{p.total}" for p in self._tasks.values() if p.done < p.total]
        if engine.plan.warming:
            parts.append(say("rules waiting for sizes: ") + ", ".join(engine.plan.warming))
        return "; ".join(parts)
