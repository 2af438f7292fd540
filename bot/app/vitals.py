"""The bot's parts as whoever looks at its condition sees them, and what is judged of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bot.app.committer import Committer
from bot.app.history import LiveHistory
from bot.app.live import Live
from bot.app.readiness import Vitals, Way, judge
from bot.app.snapshots import Snapshots
from bot.app.storage_watch import HUNG, HUNG_S, StorageWatch
from bot.app.supervisor import Supervisor
from bot.clock import Clock
from bot.delivery.lanes import Lanes
from bot.engine.engine import Engine
from bot.feeds.binance.feed import BinanceFeed
from bot.market.mailbox import Mailbox
from bot.model.outbox_ports import Outbox
from bot.model.readiness import Readiness
from bot.rules.loader import RuleSet
from bot.storage.database import Database


class Chat(Protocol):
    """A chat that is polled."""

    last_poll_ok_ms: float | None
    stopped_reason: str | None


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that has figures. Nothing here is asked before somebody looks."""

    clock: Clock
    engine: Engine
    live: Live
    mailbox: Mailbox
    feed: BinanceFeed
    committer: Committer
    lanes: Lanes
    outbox: Outbox
    database: Database
    watch: StorageWatch
    snapshots: Snapshots
    history: LiveHistory
    supervisor: Supervisor
    chat: Chat | None
    rules: Callable[[], RuleSet]
    warming: Callable[[], str]
    started_ms: float
    """`Clock.monotonic_ms`."""

    def age_s(self, at_ms: float | None) -> float | None:
        """How long ago something was; None where it never was."""
        return None if at_ms is None else max(0.0, (self.clock.monotonic_ms() - at_ms) / 1000)

    def vitals(self) -> Vitals:
        poller = self.feed.poller
        health = poller.health()
        storage = self.watch.reason() or (HUNG if self.committer.behind_s >= HUNG_S else "")
        ways = tuple(Way(s.name, s.dead_reason, s.failing_s, s.turned_s) for s in self.lanes.status())
        return Vitals(
            uptime_s=self.age_s(self.started_ms) or 0.0,
            price_age_s=self.age_s(self.live.last_push_ms),
            tick_age_s=self.age_s(self.live.ticked_ms),
            is_swept=poller.swept.is_set(),
            lateness=health.lateness,
            n_polled=health.n_polled,
            storage=storage,
            ways=ways,
            has_chat=self.chat is not None,
            chat_age_s=None if self.chat is None else self.age_s(self.chat.last_poll_ok_ms),
            chat_stopped=None if self.chat is None else self.chat.stopped_reason,
            progress=self.warming(),
        )

    def readiness(self) -> Readiness:
        return judge(self.vitals())
