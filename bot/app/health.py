"""Health as a whole: the judgement, who is told of it, and the watch over the loop, put together."""

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from bot import log
from bot.app.loop_watch import LoopWatch
from bot.app.metrics import Metrics
from bot.app.vitals import Parts
from bot.clock import Clock
from bot.model.readiness import Readiness, Reason
from bot.settings import Settings
from bot.settings_sections import address_of
from bot.web.ping import Pinger
from bot.web.server import Server
from bot.web.site import Site

BEAT_EVERY_S: Final = 5.0

_log = log.get("health")


class Beat(msgspec.Struct, frozen=True):
    """What `oibot health` reads."""

    wall_ms: int
    n_ticks: int
    price_age_ms: int | None = None
    reasons: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()


class Health:
    """`components` are what the supervisor runs."""

    def __init__(
        self,
        parts: Parts,
        settings: Settings,
        heartbeat: Path,
        *,
        site: Site | None = None,
        on_web: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`site`: pages beside the figures; `on_web` gets the address once it is listened on."""
        self._parts = parts
        self._heartbeat = heartbeat
        self._said = ""
        self.loop = LoopWatch(blocked_s=settings.log.blocked_ms / 1000)
        ping, web = settings.ping, settings.web
        pinger = None
        if ping.url is not None and parts.lanes.names:
            url = ping.url.get_secret_value()
            pinger = Pinger(
                url=url, style=ping.style, every_s=ping.every_s, readiness=parts.readiness, clock=parts.clock
            )
        metrics = Metrics(parts, self.loop, pinger, pinned=web.pinned)
        self._components: dict[str, Callable[[], Awaitable[None]]] = {
            "heartbeat": self.beat,
            "loop watch": self.loop.run,
        }
        if pinger is not None:
            self._components["ping"] = pinger.run
        if web.enabled:
            self._components["web"] = Server(
                host=web.host,
                port=web.port,
                hosts=web.names,
                readiness=parts.readiness,
                metrics=metrics.render,
                clock=parts.clock,
                site=site,
                on_listening=lambda port: on_web(address_of(web.host, port)),
            ).run

    @property
    def components(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """By name."""
        return self._components

    async def beat(self) -> None:
        """Write what `oibot health` reads, for ever; a full disk only makes it old."""
        while True:
            found = self._parts.readiness()
            self._say(found)
            with contextlib.suppress(OSError):
                write_beat(self._heartbeat, self._beat(found))
            await self._parts.clock.sleep(BEAT_EVERY_S)

    def _beat(self, found: Readiness) -> Beat:
        live = self._parts.live
        age_s = self._parts.age_s(live.last_push_ms)
        return Beat(
            wall_ms=self._parts.clock.wall_ms(),
            n_ticks=live.n_ticks,
            price_age_ms=None if age_s is None else int(age_s * 1000),
            reasons=found.reasons,
            notes=found.notes,
        )

    def _say(self, found: Readiness) -> None:
        """Each change once: from here on, and why not."""
        codes = ",".join(sorted(reason.code for reason in found.reasons))
        now = codes or "ready"
        if now == self._said:
            return
        if found.is_ready:
            _log.info("health.ready")
        elif not found.is_starting:
            _log.warning("health.not_ready", reason=found.text)
        self._said = now


def write_beat(path: Path, beat: Beat) -> None:
    """Raises `OSError`."""
    path.write_bytes(msgspec.json.encode(beat) + b"\n")


def read_beat(path: Path) -> Beat:
    """Raises `OSError`, or `ValueError` where it is unreadable, as while it is being written."""
    return msgspec.json.decode(path.read_bytes(), type=Beat)


def age_ms(beat: Beat, clock: Clock) -> int:
    """How long ago it was written; negative where another clock wrote it."""
    return clock.wall_ms() - beat.wall_ms
