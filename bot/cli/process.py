"""One bot as a process: its exit code, and what a person sees besides the alerts."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace

from rich.console import Console

from bot import log
from bot.app.bot import Bot
from bot.app.destinations import Plan
from bot.app.lifetime import Lifetime
from bot.app.memory import keep_small
from bot.app.options import Options
from bot.app.service_manager import Voice, speaking, voice_of, watched_of
from bot.app.supervisor import ComponentError
from bot.cli.progress import WarmStart
from bot.cli.stopping import StopSignals
from bot.model.members import Member
from bot.model.updates import FeedStatus
from bot.settings import Settings

_log = log.get("process")


class FeedVoice:
    """Says once when a feed is lost and once when it is back, in plain words."""

    def __init__(self, console: Console, *, hint: str = "") -> None:
        self._console = console
        self._hint = hint
        self._lost: dict[str, str] = {}

    def __call__(self, status: FeedStatus) -> None:
        if status.live:
            if self._lost.pop(status.feed, None) is not None:
                self._console.print(f"● {status.feed}: back", style="green", highlight=False, markup=False)
            return
        if self._lost.get(status.feed) != status.reason:
            self._lost[status.feed] = status.reason
            text = f"● {status.feed}: {status.reason}"
            self._console.print(text, style="yellow", highlight=False, markup=False)
            if self._hint:
                self._console.print(self._hint, style="dim", highlight=False, markup=False)
                self._hint = ""


Again = Callable[[Member], tuple[Settings, Options]]
"""How to begin anew with an owner."""


async def serve(
    settings: Settings,
    options: Options,
    signals: StopSignals,
    *,
    for_s: float | None = None,
    again: Again | None = None,
) -> int:
    """Run a bot until a signal or, when given, for so many clock seconds; returns the exit code.

    `again`: when somebody has become the owner, the bot stops in order and begins with these settings.
    """
    keep_small()
    voice: Voice | None = None

    def begun(settings: Settings, options: Options) -> Lifetime:
        def on_ready(started: Bot) -> None:
            if voice is not None:
                voice.started(watched_of(started))
            options.on_ready(started)

        return Lifetime(settings, replace(options, on_ready=on_ready))

    life = begun(settings, options)
    voice = voice_of(life.clock)

    stopping = asyncio.Event()

    def on_stop() -> None:
        stopping.set()
        life.stop.set()

    def on_hang_up() -> None:
        life.reload_soon()

    # A terminal that is closed sends it too: what reads commands there ends with it.
    signals.call(on_stop, on_hang_up=None if options.reads_terminal else on_hang_up)
    started_ms = life.clock.monotonic_ms()
    code = 1
    try:
        async with speaking(voice, stopping):
            code = await life.run(for_s=for_s)
            while life.claimed is not None and again is not None and not stopping.is_set():
                _log.info("bot.beginning_anew", reason="there is a new owner")
                left_s = None if for_s is None else for_s - (life.clock.monotonic_ms() - started_ms) / 1000
                if left_s is not None and left_s <= 0:
                    break
                life = begun(*again(life.claimed))
                for_s, started_ms = left_s, life.clock.monotonic_ms()
                code = await life.run(for_s=left_s)
    except* ComponentError as group:
        for error in group.exceptions:
            _log.critical("bot.failed", reason=str(error))
    return code


def options_for(
    console: Console,
    *,
    hint: str = "",
    reads_terminal: bool,
    delivers: bool = True,
    plan: Plan | None = None,
    is_claimable: bool = False,
    reread: Callable[[], Settings] | None = None,
) -> Options:
    """Progress bars, feed news and typed commands, as the console allows."""
    bars = WarmStart(console)
    return Options(
        console=console,
        reads_terminal=reads_terminal,
        delivers=delivers,
        records=not delivers,
        plan=plan,
        is_claimable=is_claimable,
        reread=reread,
        on_progress=bars.take,
        on_feed=FeedVoice(console, hint=hint),
        on_stop=bars.close,
    )


def is_interactive() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
