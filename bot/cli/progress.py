"""Progress bars of the warm start: on a terminal they move, elsewhere each task says once that it is done."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from bot.model.updates import Progress as Step


class WarmStart:
    """Shows `Progress` updates until all tasks are complete."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._tasks: dict[str, TaskID] = {}
        self._told: set[str] = set()
        self._bars: Progress | None = None

    def take(self, step: Step) -> None:
        if step.total <= 0 or step.task in self._told:
            return
        if self._console.is_terminal:
            self._draw(step)
        if step.done >= step.total:
            self._told.add(step.task)
            if not self._console.is_terminal:
                self._console.print(f"{step.task}: {step.total} done", style="dim", highlight=False)
            elif self._bars is not None and set(self._tasks) <= self._told:
                self.close()

    def close(self) -> None:
        """Remove the bars; what is printed afterwards scrolls as usual."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
            self._tasks.clear()

    def _draw(self, step: Step) -> None:
        if self._bars is None:
            self._bars = Progress(
                SpinnerColumn(),
                TextColumn("{task.description:<24}"),
                BarColumn(bar_width=32),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=self._console,
                transient=True,
            )
            self._bars.start()
        if step.task not in self._tasks:
            self._tasks[step.task] = self._bars.add_task(step.task, total=step.total)
        self._bars.update(self._tasks[step.task], completed=step.done, total=step.total)
