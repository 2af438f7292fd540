"""`python -m tests.soak [kills|memory] [options]`: long runs of the real process; exit code 1 where a promise breaks.

Without a name both run. `kills --n 1000` is the loop of the tests, longer. `memory --hours 72` lets the bot watch the whole
market on fast time, closes its streams again and again, and looks at its memory, sockets, threads and tasks.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.soak.memory import watch
from tests.support.harness import Harness
from tests.support.kills import Loop, Report


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Long runs of the real process.")
    parser.add_argument("what", nargs="?", choices=("all", "kills", "memory"), default="all")
    parser.add_argument("--n", type=int, default=1_000, help="Kills.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hours", type=float, default=72.0, help="Of the market, not of yours.")
    parser.add_argument("--speed", type=float, default=60.0, help="Market seconds per second.")
    parser.add_argument("--instruments", type=int, default=950)
    parser.add_argument("--reconnects", type=int, default=1_000)
    return parser.parse_args()


async def kills(options: argparse.Namespace) -> bool:
    """The kill loop; in parts of a hundred, so that a database and its journals stay of a size."""
    total, n_left, part = Report(), options.n, 0
    counts = {"lost": 0, "unexpected": 0, "duplicates": 0, "out of order": 0, "not recomputed": 0}
    while n_left > 0:
        with tempfile.TemporaryDirectory() as folder:
            harness = Harness(Path(folder))
            try:
                report = await Loop(harness, seed=options.seed + part).run(min(100, n_left), on_kill=_tick)
            finally:
                await harness.close()
        verdict = report.verdict
        print(f"\n{report}", flush=True)
        counts["lost"] += len(verdict.lost)
        counts["unexpected"] += len(verdict.unexpected)
        counts["duplicates"] += verdict.n_duplicates
        counts["out of order"] += len(verdict.disorder)
        counts["not recomputed"] += len(report.not_recomputed) + len(report.not_committed)
        total.n_kills += report.n_kills
        total.n_held += report.n_held
        total.n_ambiguous += report.n_ambiguous
        total.n_fired += report.n_fired
        n_left -= report.n_kills
        part += 1
    told = ", ".join(f"{name} {n}" for name, n in counts.items())
    print(f"{total.n_kills} kills, {total.n_fired} firings: {told}; ambiguous {total.n_ambiguous}")
    broken = counts["lost"] + counts["unexpected"] + counts["out of order"] + counts["not recomputed"]
    return not broken and counts["duplicates"] <= total.n_ambiguous


def _tick(report: Report) -> None:
    print(
        "." if report.n_kills % 50 else f" {report.n_kills}", end="\n" if report.n_kills % 50 == 0 else "", flush=True
    )


async def memory(options: argparse.Namespace) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        harness = Harness(Path(folder))
        harness.speed = options.speed
        try:
            return await watch(
                harness, hours=options.hours, instruments=options.instruments, reconnects=options.reconnects
            )
        finally:
            await harness.close()


def main() -> int:
    options = arguments()
    began_s = time.monotonic()
    is_well = True
    if options.what in {"all", "kills"}:
        is_well &= asyncio.run(kills(options))
    if options.what in {"all", "memory"}:
        is_well &= asyncio.run(memory(options))
    print(f"{'well' if is_well else 'BROKEN'}, {(time.monotonic() - began_s) / 60:.0f} min")
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
