"""`oibot backtest`: the rules over the stored history, what they would have told, and what prices did afterwards.

Exit code 0 where something was run, 1 with an error.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bot import log, settings
from bot.app.drawing import draw_once
from bot.app.history_store import open_store
from bot.cli.times import parse_time
from bot.clock import SystemClock
from bot.errors import BotError, ConfigError
from bot.history.asking import Wanted, only, settle, solved, swept
from bot.history.backtest import Backtest
from bot.history.backtest import backtest as run
from bot.history.backtest_picture import picture_of
from bot.history.backtest_text import csv_of, json_of, lines_of, solved_row, sweep_lines, sweep_rows, target_lines
from bot.history.chance import SEED
from bot.history.outcomes import DAY_MS
from bot.history.playing import Asked
from bot.history.surveying import Bars
from bot.history.sweep import read_sweep, read_target
from bot.model.charts import BacktestChart, NoPicture
from bot.model.history import BAR_MS
from bot.rules.forms import number_of, with_number
from bot.rules.literals import parse_duration_ms
from bot.rules.loader import load_folder
from bot.rules.problems import render_all
from bot.rules.schema import Rule


def backtest(
    rule: Annotated[
        list[str] | None, typer.Option("--rule", help="Ids of rules; all that are on when left out.")
    ] = None,
    symbols: Annotated[
        list[str] | None, typer.Option("--symbols", help="Such as BTC,ETH or 'BTC*'; all in the history when left out.")
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", help="Begin, such as 2026-02-01 or 2026-02-01T12:00 (UTC).")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", help="End, in the same form.")] = None,
    days: Annotated[float | None, typer.Option("--days", min=0.01, max=36_500, help="Days up to the end.")] = None,
    rules: Annotated[Path | None, typer.Option("--rules", help="Folder of rule files; yours when left out.")] = None,
    sweep: Annotated[
        str | None, typer.Option("--sweep", help="Numbers to try, such as 'pct(oi,15m)=3%..10%' or '… by 0.5%'.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", help="How often a rule is to fire, such as '5 per day': says with which number."),
    ] = None,
    step: Annotated[
        str | None, typer.Option("--step", help="Length of the bars; the finest there are when left out.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the draws behind the intervals.")] = SEED,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write settings and every firing to this file.")
    ] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write every firing to this file.")] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Draw firings and outcomes to this PNG file.")
    ] = None,
) -> None:
    """Run rules over the stored history and say what came of it."""
    if from_ is not None and days is not None:
        raise ConfigError("backtest: expected --from or --days, found both; leave one out")
    log.set_up(level="WARNING")
    config = settings.load()
    wanted = Wanted(
        symbols=tuple(word for text in symbols or () for word in text.replace(",", " ").split()),
        from_ms=None if from_ is None else parse_time(from_, "--from"),
        to_ms=None if to is None else parse_time(to, "--to"),
        days=days,
        step_ms=_step(step),
        seed=seed,
    )
    notes = Console(stderr=True)
    chosen = only(_load(rules or config.rules_dir, notes), rule or ())
    with open_store(config.data_dir / "history") as history:
        asked, bars, said = settle(history, wanted)
        for text in said:
            notes.print(text, style="dim", highlight=False)
        job = Job(bars, asked, notes)
        if sweep is not None or target is not None:
            found, more = job.tried(_one(chosen), sweep, target)
        else:
            found, more = job.ran(chosen), {}
        chart = None if picture is None else picture_of(found, bars)
    _write(json_file, lambda: json_of(found, **more).encode(), notes)
    _write(csv_file, lambda: csv_of(found).encode(), notes)
    _write(picture, lambda: _drawn(chart, config.data_dir / "charts"), notes)


class Job:
    """Runs, with a bar on the terminal, and prints."""

    def __init__(self, bars: Bars, asked: Asked, notes: Console) -> None:
        self._bars = bars
        self._asked = asked
        self._notes = notes

    def ran(self, rules: Sequence[Rule]) -> Backtest:
        """Rules as they are."""
        with self._progress("backtest") as progress:
            found = run(self._bars, rules, self._asked, progress=progress)
        print("\n".join(lines_of(found)))
        return found

    def tried(self, rule: Rule, sweep: str | None, target: str | None) -> tuple[Backtest, dict[str, Any]]:
        """One rule with other numbers."""
        numbers = None if sweep is None else read_sweep(sweep)
        if target is None:
            assert numbers is not None
            with self._progress("sweep") as progress:
                found = swept(self._bars, rule, numbers, self._asked, progress=progress)
            print("\n".join(sweep_lines(numbers, found)))
            return found, {"sweep": sweep_rows(numbers, found)}
        wanted = read_target(target)
        measure = None if numbers is None else numbers.measure
        with self._progress("search") as progress:
            answer = solved(self._bars, rule, wanted, self._asked, measure=measure, progress=progress)
        moved = number_of(rule, measure)
        assert moved is not None
        print("\n".join([*target_lines(rule.id, moved.measure, wanted.text, answer), ""]))
        found = self.ran([with_number(rule, answer.number.value, measure)])
        return found, {"target": solved_row(moved.measure, wanted.text, answer)}

    @contextlib.contextmanager
    def _progress(self, what: str) -> Iterator[Callable[[float], None]]:
        columns = TextColumn("{task.description}"), BarColumn(bar_width=32), TimeElapsedColumn()
        with Progress(*columns, console=self._notes, transient=True, disable=not self._notes.is_terminal) as bar:
            task = bar.add_task(what, total=1.0)
            yield lambda share: bar.update(task, completed=share)


def _one(rules: Sequence[Rule]) -> Rule:
    if len(rules) != 1:
        raise ConfigError(f"backtest: expected one rule to try numbers for, found {len(rules)}; name it with --rule")
    return rules[0]


def _step(text: str | None) -> int | None:
    if text is None:
        return None
    found = parse_duration_ms(text)
    if not found or found % BAR_MS or DAY_MS % found:
        raise ConfigError(f"--step: expected whole minutes that divide a day, such as 5m or 1h, found {text!r}")
    return found


def _load(folder: Path, notes: Console) -> tuple[Rule, ...]:
    if not folder.is_dir():
        raise ConfigError(f"--rules: expected a folder with rule files, found none at {folder}")
    found = load_folder(folder)
    if found.errors:
        notes.print(render_all(found.errors, style="text", colour=False), markup=False, highlight=False)
    if not found.rules:
        raise ConfigError(f"{folder}: no rule could be loaded")
    return found.rules


def _drawn(chart: BacktestChart | None, folder: Path) -> bytes:
    if chart is None:
        raise ConfigError("--picture: expected a rule that could be run, found none")
    made = asyncio.run(draw_once(chart, clock=SystemClock(), folder=folder))
    if isinstance(made, NoPicture):
        raise BotError(f"--picture: {made.reason}")
    return made.png


def _write(path: Path | None, content: Callable[[], bytes], notes: Console) -> None:
    if path is None:
        return
    try:
        path.write_bytes(content())
    except OSError as error:
        raise BotError(f"backtest: cannot write {path}: {error.strerror}") from None
    notes.print(f"{path}", style="dim", highlight=False)
