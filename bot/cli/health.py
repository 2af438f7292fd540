"""`oibot health`: does the bot on this data folder do its work? For container health checks and scripts."""

from typing import Annotated

import typer

from bot import settings
from bot.app.data_dir import DataDir
from bot.app.health import age_ms, read_beat
from bot.clock import SystemClock

SILENT_S = 30.0


def health(
    max_age_s: Annotated[float, typer.Option(help="How long ago the bot may have last said how it is.")] = SILENT_S,
) -> None:
    """Exit 0 when the bot does its work, 1 with the reasons otherwise; they are those of /readyz."""
    config = settings.load()
    path = DataDir(config.data_dir).heartbeat
    clock = SystemClock(speed=config.clock.speed, epoch_ms=config.clock.epoch_ms)
    for _ in range(20):
        try:
            beat = read_beat(path)
            break
        except FileNotFoundError:
            print(f"not running: no heartbeat in {config.data_dir}")
            raise typer.Exit(1) from None
        except (OSError, ValueError):
            clock.block(0.05 * clock.speed)  # it is being written just now
    else:
        print(f"unknown: the heartbeat in {config.data_dir} cannot be read")
        raise typer.Exit(1)
    silent_ms = age_ms(beat, clock)
    if silent_ms > max_age_s * 1000:
        print(f"no sign of life for {silent_ms // 1000} s: the bot was stopped, hangs, or its disk is full")
        raise typer.Exit(1)
    # On fast time each process without a common beginning has a time of its own.
    if -silent_ms > max_age_s * 1000 and clock.speed == 1.0:
        print(
            f"unknown: the heartbeat in {config.data_dir} is {-silent_ms // 1000} s ahead of this clock, which went back or is "
            "another; look again once it has caught up, or restart the bot"
        )
        raise typer.Exit(1)
    for note in beat.notes:
        print(f"note: {note}")
    if beat.reasons:
        for reason in beat.reasons:
            print(f"not ready: {reason.text}")
        raise typer.Exit(1)
    print(f"ok: newest price {(beat.price_age_ms or 0) / 1000:.1f} s old, {beat.n_ticks} evaluations")
