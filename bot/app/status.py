"""The bot's own condition, gathered from everyone for people who ask."""

import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import bot
from bot.alerts.muting import Muting
from bot.app.live import Live
from bot.clock import Clock
from bot.engine.cards import fresh
from bot.engine.engine import Engine
from bot.errors import StorageError
from bot.model.alert import State
from bot.model.cards import BotStatus, FeedHealth
from bot.model.outbox_ports import AlertStore, Outbox
from bot.texts import say

DAY_MS = 86_400_000


class VenueUse(Protocol):
    """What a feed says of the venue's limits."""

    @property
    def weight_share(self) -> float | None: ...

    @property
    def banned_until_ms(self) -> int | None: ...


class Status:
    """The `StatusReader` port."""

    def __init__(
        self,
        *,
        engine: Engine,
        live: Live,
        feed: VenueUse,
        alerts: AlertStore,
        outbox: Outbox,
        clock: Clock,
        data_dir: Path,
        warming: Callable[[], str],
        dead: Callable[[], tuple[str, ...]],
        muting: Muting,
        troubles: Callable[[], tuple[str, ...]] = tuple,
        backup: Callable[[], str] = str,
        history: Callable[[], str] = str,
    ) -> None:
        self._engine = engine
        self._live = live
        self._feed = feed
        self._alerts = alerts
        self._outbox = outbox
        self._clock = clock
        self._data_dir = data_dir
        self._warming = warming
        self._dead = dead
        self._muting = muting
        self._troubles = troubles
        self._backup = backup
        self._history = history
        self._started_ms = clock.monotonic_ms()

    async def status(self) -> BotStatus:
        n_price, price_age_ms, _ = fresh(self._engine, "price")
        n_oi, _, oi_slowest_ms = fresh(self._engine, "oi")
        now_ms = self._live.venue_now()
        n_today, n_open, unread = await self._counts()
        return BotStatus(
            version=bot.__version__,
            uptime_s=(self._clock.monotonic_ms() - self._started_ms) / 1000.0,
            n_instruments=len(self._engine.market.universe),
            n_price_fresh=n_price,
            price_age_ms=price_age_ms,
            n_oi_fresh=n_oi,
            oi_slowest_ms=oi_slowest_ms,
            weight_share=self._feed.weight_share,
            banned_until_ms=self._feed.banned_until_ms,
            feeds=tuple(FeedHealth(f.feed, f.live, f.reason) for f in self._live.feeds.values()),
            n_rules=sum(not rule.base for rule in self._engine.rules),
            n_firing=self._engine.count(State.FIRING),
            n_pending=self._engine.count(State.PENDING),
            n_alerts_today=n_today,
            n_outbox=n_open,
            rss_mb=rss_mb(),
            disk_free_gb=shutil.disk_usage(self._data_dir).free / 1e9,
            warming=self._warming(),
            dead_destinations=self._dead(),
            n_silences=sum(one.is_active(now_ms) for one in self._muting.silences(now_ms)),
            quiet=tuple(q.destination for q in self._muting.quiet_hours() if q.until_ms(now_ms) is not None),
            n_kept=self._muting.n_kept,
            troubles=(*self._troubles(), *unread),
            backup=self._backup(),
            history=self._history(),
            n_chat_alerts=len(self._engine.subscriptions),
        )

    async def _counts(self) -> tuple[int, int, tuple[str, ...]]:
        """Firings today and rows to be sent; what can be told without the database where it cannot be read."""
        today_ms = self._live.venue_now() // DAY_MS * DAY_MS
        try:
            today = await self._alerts.fired(today_ms)
            counts = await self._outbox.counts()
        except StorageError as error:
            n_today = sum(at_ms >= today_ms for at_ms in self._live.fired_ms)
            return (
                n_today,
                0,
                (say("What is stored cannot be read: {error}. Counts are of this run only.", error=error),),
            )
        return sum(today.values()), counts.get("waiting", 0) + counts.get("sending", 0), ()


def rss_mb() -> float:
    """Resident memory of this process; the peak where the kernel does not tell the present."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return pages * resource.getpagesize() / 1e6
