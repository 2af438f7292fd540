"""What a service manager such as systemd is told: that the bot is up, how it fares, that it is not stuck, and that it stops.

Spoken over the datagram socket that `NOTIFY_SOCKET` names; without that variable nobody listens and nothing is said.
Nothing here ever waits for the manager, raises for what it does, or costs an alert.

Up means prices came and every contract's open interest was asked once. While that lasts the manager is asked for more
time, up to `PATIENCE_S`; afterwards the bot counts as up, though it may still wait for the exchange: a restart would help
nothing and would forget how long the exchange told it to wait. The watchdog is fed by turns of the engine's loop: a bot
whose event loop, engine or commit is stuck is not fed.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Self

from bot import log
from bot.app.bot import Bot
from bot.clock import Clock
from bot.model import numbers
from bot.model.cards import BotStatus

BEAT_S: Final = 5.0
EXTEND_S: Final = 60.0
"""How much more time a beat asks for while the bot is not up."""
PATIENCE_S: Final = 300.0
STATUS_EVERY_S: Final = 30.0
MAX_STATUS_CHARS: Final = 300

_log = log.get("service manager")


class Notifier:
    """Datagrams to the manager."""

    def __init__(self, address: str, *, watchdog_s: float | None = None) -> None:
        """`address` as `NOTIFY_SOCKET` gives it: a path, or a name after `@`. `watchdog_s`: how often it must be fed."""
        self.watchdog_s = watchdog_s
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self._is_failing = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], *, pid: int) -> Self | None:
        """None where nobody listens, or the address is of a kind that a container or this machine does not have."""
        address = environment.get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")) or len(address) < 2:
            return None
        return cls(address, watchdog_s=_watchdog_s(environment, pid))

    def send(self, *lines: str) -> bool:
        """Send lines such as `READY=1` in one datagram; whether it left."""
        try:
            self._socket.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            if not self._is_failing:
                _log.warning("service_manager.unreachable", reason=error.strerror)
            self._is_failing = True
            return False
        self._is_failing = False
        return True

    def close(self) -> None:
        self._socket.close()


def _watchdog_s(environment: Mapping[str, str], pid: int) -> float | None:
    meant_for = environment.get("WATCHDOG_PID", "")
    if meant_for and meant_for != str(pid):
        return None
    with contextlib.suppress(ValueError):
        micros = int(environment.get("WATCHDOG_USEC", ""))
        return micros / 1e6 if micros > 0 else None
    return None


@dataclass(frozen=True, slots=True)
class Watched:
    """What is looked at in a bot that has started."""

    n_turns: Callable[[], int]
    """How often the engine's loop has come round."""
    missing: Callable[[], str]
    """What is still waited for before the bot is up; empty when nothing is."""
    status: Callable[[], Awaitable[BotStatus]]


class Voice:
    """`run` speaks for one bot from before its database is open until it is told to stop."""

    def __init__(self, notifier: Notifier, clock: Clock) -> None:
        self._notifier = notifier
        self._clock = clock
        quarter_s = BEAT_S if notifier.watchdog_s is None else notifier.watchdog_s / 4
        # The manager counts real seconds, whatever the bot's clock does.
        self._beat_s = min(BEAT_S, quarter_s) * clock.speed
        self._watched: Watched | None = None
        self._n_turns = -1
        self._is_up = False
        self._told = ""
        self._status_ms = float("-inf")

    def started(self, watched: Watched) -> None:
        """The parts of the bot run from now on."""
        self._watched = watched
        self._status_ms = float("-inf")

    async def run(self, stop: asyncio.Event) -> None:
        """Beat until `stop` is set, then say that the bot stops."""
        began_ms = self._clock.monotonic_ms()
        try:
            while not stop.is_set():
                self._beat(self._clock.monotonic_ms() - began_ms)
                await self._tell_status()
                with contextlib.suppress(TimeoutError):
                    async with self._clock.timeout(self._beat_s):
                        await stop.wait()
        finally:
            self._notifier.send("STOPPING=1", "STATUS=stopping")
            self._notifier.close()

    def _beat(self, since_ms: float) -> None:
        lines = ["WATCHDOG=1"] if self._has_moved() else []
        if not self._is_up:
            waited_s = since_ms / 1000 / self._clock.speed
            if not self._missing() or waited_s >= PATIENCE_S:
                self._is_up = True
                lines.append("READY=1")
                _log.info("service_manager.ready", after_s=round(waited_s, 1), missing=self._missing())
            elif lines:
                lines.append(f"EXTEND_TIMEOUT_USEC={int(EXTEND_S * 1e6)}")
        if lines:
            self._notifier.send(*lines)

    def _has_moved(self) -> bool:
        """Whether the engine's loop came round since the last beat. Before there is one, this very call shows life."""
        if self._watched is None:
            return True
        n_turns = self._watched.n_turns()
        has_moved = n_turns != self._n_turns
        self._n_turns = n_turns
        return has_moved

    def _missing(self) -> str:
        return "the database" if self._watched is None else self._watched.missing()

    async def _tell_status(self) -> None:
        now_ms = self._clock.monotonic_ms()
        every_s = STATUS_EVERY_S if self._is_up else 0.0
        if now_ms - self._status_ms < every_s * 1000 * self._clock.speed:
            return
        self._status_ms = now_ms
        try:
            text = await self._text()
        except Exception:  # noqa: BLE001, a line for people must never starve the watchdog
            _log.warning("service_manager.no_status", exc_info=True)
            return
        if text != self._told and self._notifier.send(f"STATUS={text}"):
            self._told = text

    async def _text(self) -> str:
        missing = self._missing()
        waiting = f"waiting for {missing}; " if missing else ""
        if self._watched is None:
            return waiting.removesuffix("; ")
        return (waiting + status_line(await self._watched.status()))[:MAX_STATUS_CHARS]


def status_line(status: BotStatus) -> str:
    """`532 symbols, OI 41 s, 14 alerts today`, after what is wrong."""
    wrong = [f"{feed.feed} lost ({feed.reason})" for feed in status.feeds if not feed.live]
    wrong += [f"nothing goes to {dead}" for dead in status.dead_destinations]
    wrong += status.troubles
    oi = "no OI yet" if status.oi_slowest_ms is None else f"OI {numbers.duration(status.oi_slowest_ms)}"
    alerts = f"{status.n_alerts_today} alert{'' if status.n_alerts_today == 1 else 's'} today"
    figures = f"{status.n_price_fresh} symbols, {oi}, {alerts}"
    return log.redact(" ".join("; ".join([*wrong, figures]).split()))


def watched_of(bot: Bot) -> Watched:
    """For a bot that has started."""

    def missing() -> str:
        waited_for = [] if bot.live.first_push_ms is not None else ["prices"]
        waited_for += [] if bot.feed.poller.swept.is_set() else ["open interest"]
        return " and ".join(waited_for)

    return Watched(n_turns=lambda: bot.live.n_turns, missing=missing, status=bot.status.status)


def voice_of(clock: Clock) -> Voice | None:
    """A voice where a service manager started this process, else None."""
    notifier = Notifier.from_environment(os.environ, pid=os.getpid())
    return None if notifier is None else Voice(notifier, clock)


@contextlib.asynccontextmanager
async def speaking(voice: Voice | None, stop: asyncio.Event) -> AsyncIterator[None]:
    """The voice speaks while the body runs, from before the bot has a supervisor until after."""
    if voice is None:
        yield
        return
    task = asyncio.create_task(voice.run(stop), name="service manager")  # noqa: TID251, see above
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
