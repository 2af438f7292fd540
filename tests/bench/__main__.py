"""`make bench`, or `python -m tests.bench [ROW…] [--rounds N] [--quick]`."""

import argparse
import importlib
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tests.bench import report
from tests.bench.harness import MIN_ROUNDS, N_QUICK_ROUNDS, N_ROUNDS, Context, Group, Result

MODULES = (
    "engine_rows",
    "threshold_rows",
    "peers",
    "prometheus",
    "wire",
    "tick_rows",
    "accuracy",
    "process_rows",
    "looking_rows",
    "asking_rows",
    "history_rows",
)


def groups() -> list[Group]:
    return [group for name in MODULES for group in importlib.import_module(f"tests.bench.{name}").GROUPS]


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Speed and size against the goals.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="rows of the table, such as 5; all where none is given")
    parser.add_argument(
        "--rounds", type=int, help=f"rounds; {N_ROUNDS} where not given, at least {MIN_ROUNDS} to be stored"
    )
    parser.add_argument("--quick", action="store_true", help=f"{N_QUICK_ROUNDS} rounds, less work, nothing stored")
    parser.add_argument("--write-docs", action="store_true", help="measure nothing; put what is stored into docs/")
    found = parser.parse_args(argv)
    known = {row for group in groups() for row in group.rows}
    unknown = [row for row in found.rows if row not in known]
    if unknown:
        parser.error(f"no row {', '.join(unknown)}; there are {', '.join(sorted(known, key=report.order))}")
    return found


def measure(console: Console, args: argparse.Namespace) -> tuple[list[Result], list[Result], list[str]]:
    """Results, those of them that may be stored, and what was wrong. A group that breaks costs its own rows only."""
    chosen = [g for g in groups() if not args.rows or set(g.rows) & set(args.rows)]
    n_rounds = args.rounds or (N_QUICK_ROUNDS if args.quick else N_ROUNDS)
    results: list[Result] = []
    sound: list[Result] = []
    wrong: list[str] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        for group in chosen:
            rows = frozenset(args.rows or group.rows) & set(group.rows)
            label = f"row {', '.join(sorted(rows, key=report.order))}"
            task = progress.add_task(label, total=1.0)
            context = Context(
                n_rounds,
                args.quick,
                rows,
                say=lambda text, t=task, la=label: progress.update(t, description=f"{la}: {text}", completed=0),
                step=lambda share, t=task: progress.update(t, completed=share),
            )
            try:
                found = group.run(context)
                results += found
                sound += found if not context.wrong else []
            except Exception as error:
                wrong.append(f"{label}: {type(error).__name__}: {error}")
                console.print_exception()
            wrong += context.wrong
            progress.remove_task(task)
    return sorted(results, key=lambda r: report.order(r.row)), sound, wrong


def main(argv: Sequence[str]) -> int:
    console = Console()
    args = arguments(argv)
    if args.write_docs:
        report.write_docs()
        console.print(f"written: {report.PAGE}, {report.PICTURE}")
        return 0
    results, sound, wrong = measure(console, args)
    report.show(console, results)
    for problem in wrong:
        console.print(f"[bold red]wrong[/] {escape(problem)}")
    if sound and not args.quick and (args.rounds or N_ROUNDS) >= MIN_ROUNDS:
        report.store(sound)
        console.print(f"stored in {report.LATEST.relative_to(report.ROOT)}", style="dim")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
