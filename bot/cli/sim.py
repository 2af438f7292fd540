"""`oibot sim`: run the simulated venue in the foreground.

Prints two lines first, `rest URL` and `stream URL`, then serves until SIGINT or SIGTERM and exits 0.
"""

import asyncio
import signal
import sys
from typing import Annotated

import typer

from bot import log
from bot.clock import SystemClock
from bot.errors import BotError
from bot.sim.venue import serve


async def _run(
    *, host: str, port: int, seed: int, instruments: int, clock: SystemClock, script: bool, until_stdin_closes: bool
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if until_stdin_closes:
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(_watch(reader, stop))
            await serve(
                stop=stop, clock=clock, seed=seed, n_instruments=instruments, host=host, port=port, script=script
            )
            watch.cancel()
        return
    await serve(stop=stop, clock=clock, seed=seed, n_instruments=instruments, host=host, port=port, script=script)


async def _watch(reader: asyncio.StreamReader, stop: asyncio.Event) -> None:
    while await reader.read(4096):
        pass
    stop.set()


def sim(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.")] = 0,
    seed: Annotated[int, typer.Option(help="Same seed, same market.")] = 1,
    instruments: Annotated[int, typer.Option(min=8, max=950, help="How many contracts.")] = 120,
    speed: Annotated[float, typer.Option(min=0.01, max=1000.0, help="Venue seconds per real second.")] = 1.0,
    epoch_ms: Annotated[int | None, typer.Option(help="Where the fast clock begins; give the bot the same.")] = None,
    script: Annotated[bool, typer.Option(help="Plant events, a listing and a delisting after the first push.")] = True,
    until_stdin_closes: Annotated[bool, typer.Option(help="Also stop when standard input closes.")] = False,
) -> None:
    """Run a simulated venue that speaks Binance's futures protocol, for demos and tests."""
    log.set_up(level="WARNING")
    clock = SystemClock(speed=speed, epoch_ms=epoch_ms)
    try:
        asyncio.run(
            _run(
                host=host,
                port=port,
                seed=seed,
                instruments=instruments,
                clock=clock,
                script=script,
                until_stdin_closes=until_stdin_closes,
            )
        )
    except OSError as error:
        raise BotError(f"cannot listen on {host}:{port}: {error.strerror}; name another --host or --port") from error
