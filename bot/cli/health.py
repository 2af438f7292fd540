"""`oibot health`: is the pipeline of the bot on this data folder moving? For container health checks and scripts."""

from typing import Annotated

import typer

from bot import settings
from bot.app.data_dir import DataDir
from bot.clock import SystemClock

STALE_MS = 30_000


def health(
    max_age_s: Annotated[float, typer.Option(help="How old the newest price may be.")] = STALE_MS / 1000,
) -> None:
    """Exit 0 when prices are arriving and being evaluated, 1 with the reason otherwise."""
    config = settings.load()
    path = DataDir(config.data_dir).heartbeat
    clock = SystemClock(speed=config.clock.speed, epoch_ms=config.clock.epoch_ms)
    try:
        written_ms, age_ms, n_ticks = (int(x) for x in path.read_text(encoding="ascii").split())
    except (OSError, ValueError):
        print(f"not running: no heartbeat in {config.data_dir}")
        raise typer.Exit(1) from None
    silent_ms = clock.wall_ms() - written_ms
    if silent_ms > max_age_s * 1000:
        print(f"not running: the last heartbeat is {silent_ms // 1000} s old")
        raise typer.Exit(1)
    if age_ms < 0 or age_ms > max_age_s * 1000:
        print("no prices: none has arrived yet" if age_ms < 0 else f"no prices: the newest is {age_ms // 1000} s old")
        raise typer.Exit(1)
    print(f"ok: newest price {age_ms / 1000:.1f} s old, {n_ticks} evaluations")
