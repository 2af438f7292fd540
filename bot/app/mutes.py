"""What keeps alerts quiet, put together: the muting with what is stored, and the commands over it."""

from collections.abc import Callable, Sequence

from bot import log
from bot.alerts.muting import Muting, Subject
from bot.app.live import Live
from bot.chat.silence_actions import SilenceActions
from bot.engine.engine import Engine
from bot.model.chat_alert import ChatAlert
from bot.model.chat_alert_ports import ChatAlertStore
from bot.model.chat_rule import ChatRule
from bot.model.explanation import Hush, RuleName
from bot.model.outbox_ports import Outbox
from bot.model.ports import MarketReader
from bot.storage.database import Database
from bot.storage.outbox import SqliteOutbox
from bot.storage.silences import SqliteSilenceStore


class Mutes:
    """The muting of one run and its store. Made by `load`."""

    def __init__(self, muting: Muting, store: SqliteSilenceStore, outbox: Outbox) -> None:
        self.muting = muting
        self.store = store
        self._outbox = outbox

    @classmethod
    async def load(cls, database: Database) -> "Mutes":
        """With all that was stored, and all that was kept when the bot stopped."""
        store, outbox = SqliteSilenceStore(database), SqliteOutbox(database)
        muting = Muting(silences=await store.all(), acks=await store.acks(), quiet=await store.quiet_hours())
        async for rows in outbox.kept():
            muting.restore(rows)
        if muting.n_kept:
            log.get("muting").info("muting.restored", kept=muting.n_kept)
        return cls(muting, store, outbox)

    def zone_of(self, destination: str | None, otherwise: str = "UTC") -> str:
        """The time zone of a destination: that of its quiet hours, else what else is known."""
        quiet = None if destination is None else self.muting.quiet_of(destination)
        return quiet.zone if quiet is not None else otherwise

    def hush_of(self, one: ChatAlert | ChatRule, destination: str | None, now_ms: int) -> Hush | None:
        """The silence that keeps an alert of a chat quiet where it is told; the one that lasts longest."""
        symbol = one.instrument.partition(":")[2] if isinstance(one, ChatAlert) else ""
        severity = one.severity if isinstance(one, ChatAlert) else "warning"
        subject = Subject(one.id, symbol, (), severity, destination or "")
        found = [hush for hush in self.muting.hushes([subject], "", now_ms) if hush.kind == "silence"]
        return max(found, key=lambda hush: hush.until_ms or 0, default=None)

    def actions(
        self,
        market: MarketReader,
        chat_alerts: ChatAlertStore,
        engine: Engine,
        live: Live,
        destinations: Callable[[], Sequence[str]],
        zone_of_chat: Callable[[str], str],
    ) -> SilenceActions:
        """The commands."""
        return SilenceActions(
            market=market,
            store=self.store,
            outbox=self._outbox,
            chat_alerts=chat_alerts,
            mutes=self.muting,
            rules=lambda: [RuleName(rule.id, rule.title) for rule in engine.rules if not rule.base],
            destination_of=lambda chat: live.routes.by_chat.get(chat),  # noqa: PLW0108, routes change
            destinations=destinations,
            venue_now=live.venue_now,
            zone_of_chat=zone_of_chat,
        )
