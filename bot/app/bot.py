"""One running bot: starts its parts in order, watches them, and stops them in order.

Start: data folder, rules, database, engine with its stored alerts and windows, then delivery, feed and chat.
Stop: chat and feed, then the engine's last changes, then delivery and the snapshot (bounded), then the database. What was
not sent stays in the outbox.
"""

import asyncio
import contextlib
import random
from collections.abc import Sequence

from bot import log
from bot.app import risk_desk
from bot.app.committer import Committer
from bot.app.data_dir import DataDir
from bot.app.desk import Desk
from bot.app.destinations import Builder, plan_of
from bot.app.explainer import Explainer
from bot.app.fronts import telegram_chat
from bot.app.heartbeat import beat
from bot.app.keeping import Keeping, findings
from bot.app.live import Live
from bot.app.mutes import Mutes
from bot.app.notices import Notice, tell_directly
from bot.app.opening import open_patiently
from bot.app.options import Options, load_rules
from bot.app.overviews import Overviews
from bot.app.recording import open_journal
from bot.app.sending import Sending, open_sending
from bot.app.snapshots import Snapshots
from bot.app.status import Status
from bot.app.supervisor import Policy, Supervisor
from bot.chat.actions import Actions
from bot.chat.alert_actions import AlertActions
from bot.chat.claims import Claims
from bot.chat.dead_letters import DeadLetters
from bot.chat.local import LocalChat
from bot.chat.looking import Looking
from bot.chat.terminal import TerminalChat
from bot.chat.why import Why
from bot.clock import Clock, SystemClock
from bot.delivery.lanes import Lanes
from bot.engine.cards import Cards
from bot.engine.engine import Engine
from bot.feeds.binance.feed import BinanceFeed
from bot.history.journal import JournalWriter
from bot.market.holes import Holes
from bot.market.mailbox import Mailbox
from bot.market.market import DAY_MS
from bot.model.chat_alert import AlertAdded
from bot.model.members import Member
from bot.model.updates import FeedStatus, Progress
from bot.settings import Settings
from bot.storage.alerts import SqliteAlertStore
from bot.storage.chat_alerts import SqliteChatAlertStore
from bot.storage.database import Database, Opened
from bot.storage.key_values import SqliteKeyValues
from bot.storage.members import SqliteMemberStore
from bot.storage.outbox import SqliteOutbox
from bot.storage.outbox_care import SqliteOutboxCare

# Nine seconds in all, with the two that the last commit may take: a stop must be over within ten, whatever hangs.
STOP_FEEDS_S = 1.5
STOP_ENGINE_S = 1.0
STOP_COMMIT_S = 0.5
STOP_LANES_S = 2.0
STOP_REST_S = 1.0
CLOSE_S = 1.0
VENUE = "binance"


class Bot:
    """One process's worth of bot."""

    def __init__(self, settings: Settings, options: Options) -> None:
        self._settings = settings
        self._options = options
        self._log = log.get("bot")
        self.clock: Clock = SystemClock(speed=settings.clock.speed, epoch_ms=settings.clock.epoch_ms)
        self.stop = asyncio.Event()
        plan = options.plan if options.plan is not None else plan_of(settings, asks_secrets=options.delivers)
        self._plan = plan.require_sound()
        self.rules = load_rules(settings, plan)
        self._for_s: float | None = None
        self.claimed: Member | None = None
        """The owner for whom the bot has to begin anew: what is told where depends on it."""
        self._progress: dict[str, Progress] = {}
        self.engine: Engine
        self.cards: Cards
        self.live: Live
        self.snapshots: Snapshots
        self.feed: BinanceFeed
        self.status: Status
        self.keeping: Keeping
        self.desk: risk_desk.Desk
        self._alerts: SqliteAlertStore
        self._chat_alerts: SqliteChatAlertStore
        self._database: Database
        self._mutes: Mutes

    async def run(self, *, for_s: float | None = None) -> int:
        """Run until `stop` is set or, when given, for so many clock seconds; returns the exit code."""
        self._for_s = for_s
        for problem in self.rules.problems:
            say = self._log.error if problem.is_error else self._log.warning
            say("rules.problem", at=f"{problem.file}:{problem.line}:{problem.column}", text=problem.message)
        if self.rules.errors:
            self._options.console.print(
                f"Errors in the rules: {len(self.rules.errors)}; rules that watch: {len(self.rules.rules)}. "
                "`oibot lint` shows what is wrong.",
                style="yellow",
                highlight=False,
                markup=False,
            )
        with DataDir(self._settings.data_dir) as data_dir:
            opened = await open_patiently(
                data_dir.database, backups=data_dir.backups, clock=self.clock, stop=self.stop, say=self._say_directly
            )
            if opened is None:
                return 0
            try:
                if await self._knows_another_owner(opened.database):
                    return 0
                return await self._run(data_dir, opened)
            finally:
                # A statement that hangs on the disk must not hang the stop: what it held is not acknowledged.
                with contextlib.suppress(TimeoutError):
                    async with self.clock.timeout(CLOSE_S):
                        await opened.database.close()

    async def _knows_another_owner(self, database: Database) -> bool:
        """As when a backup took the place of a database that could not be read before."""
        if self._options.is_claimable and self._settings.telegram.owner_id is None:
            self.claimed = await SqliteMemberStore(database).owner()
        return self.claimed is not None

    async def _say_directly(self, notice: Notice) -> None:
        """Before there are lanes."""
        self._print(notice)
        if self._options.delivers:
            async with contextlib.AsyncExitStack() as stack:
                builder = Builder(self._settings, clock=self.clock, console=self._options.console, stack=stack)
                made = [d for d in await builder.all(self._plan) if d.name != self._plan.console]
                await tell_directly(made, notice, at_ms=self.clock.wall_ms())

    def _print(self, notice: Notice) -> None:
        self._options.console.print(f"{notice.title}. {notice.text}", style="red", highlight=False, markup=False)

    async def _run(self, data_dir: DataDir, opened: Opened) -> int:
        database = opened.database
        self._alerts, outbox = SqliteAlertStore(database), SqliteOutbox(database)
        self._database, store = database, SqliteKeyValues(database)
        committer = Committer(self._alerts, self.clock)
        self._mutes = await Mutes.load(database)
        mailbox = Mailbox()
        self.engine = Engine(self.rules.rules, records=await self._alerts.load())
        await self._load_chat_alerts(database)
        self.cards = Cards(self.engine)
        async with contextlib.AsyncExitStack() as stack:
            sending = await open_sending(
                self._settings,
                Builder(self._settings, clock=self.clock, console=self._options.console, stack=stack, store=store),
                self._plan if self._options.delivers else None,
                clock=self.clock,
                outbox=outbox,
                store=store,
                venue_now=lambda: self.live.venue_now(),  # noqa: PLW0108, `live` is made below
                n_instruments=lambda: len(self.engine.market.universe),
            )
            lanes = sending.lanes
            journal = self._journal(data_dir, stack)
            self.snapshots = Snapshots(self.engine, data_dir.snapshot, self.clock, journal=journal)
            await self.snapshots.load()
            self.live = Live(
                engine=self.engine,
                mailbox=mailbox,
                clock=self.clock,
                committer=committer,
                routes=self._plan.routes,
                on_rows=sending.tell,
                on_progress=self._take_progress,
                on_feed=self._take_feed,
                on_reset=lambda: self.feed.windows_emptied(),  # noqa: PLW0108, `feed` is made below
                on_grown=lambda series: self.feed.history.refill_longer(series),  # noqa: PLW0108, `feed` is made below
                muting=self._mutes.muting,
                personal=lambda rows: self.desk.personal(rows),  # noqa: PLW0108, `desk` is made below
                recorder=journal,
                keeper=self.snapshots,
            )
            self.desk = await self._risk_desk(database, sending)
            self.feed = self._feed(mailbox, store)
            self.keeping = self._keeping(data_dir, opened, committer, lanes)
            self.status = Status(
                engine=self.engine,
                live=self.live,
                feed=self.feed,
                alerts=self._alerts,
                outbox=outbox,
                clock=self.clock,
                data_dir=data_dir.path,
                warming=self._warming,
                dead=lambda: tuple(f"{lane.name}: {lane.dead_reason}" for lane in lanes.status() if lane.dead_reason),
                muting=self._mutes.muting,
                troubles=lambda: (*self.keeping.troubles(), *self.engine.faults.lines()),
                backup=self.keeping.upkeep.text,
            )
            return await self._supervise(data_dir, committer, sending, store)

    async def _risk_desk(self, database: Database, sending: Sending) -> risk_desk.Desk:
        return await risk_desk.open_desk(
            database,
            self.engine,
            routes=lambda: self._plan.routes,
            tell=sending.tell,
            clock=self.clock,
            venue_now=self.live.venue_now,
        )

    async def _load_chat_alerts(self, database: Database) -> None:
        self._chat_alerts = SqliteChatAlertStore(database)
        async for batch in self._chat_alerts.all():
            for alert in batch:
                self.engine.consume(AlertAdded(alert))
        self.engine.alerts_loaded()

    def _keeping(self, data_dir: DataDir, opened: Opened, committer: Committer, lanes: Lanes) -> Keeping:
        told_by_a_lane = self._options.delivers and self._plan.console is not None
        keeping = Keeping.of(
            opened,
            committer,
            lanes,
            preferred=self._plan.of_chat(self._settings.telegram.owner_id or 0),
            backups=data_dir.backups,
            keep=self._settings.backup.keep,
            clock=self.clock,
            venue_now=self.live.venue_now,
        )
        keeping.tell(findings(opened), aloud=None if told_by_a_lane else self._print)
        return keeping

    def _journal(self, data_dir: DataDir, stack: contextlib.AsyncExitStack) -> JournalWriter | None:
        if not (self._settings.record.enabled or self._options.records):
            return None
        journal = open_journal(data_dir.journal, self._settings, self.engine, self._plan.names, self.clock)
        stack.callback(journal.close)
        return journal

    def _feed(self, mailbox: Mailbox, store: SqliteKeyValues) -> BinanceFeed:
        return BinanceFeed(
            rest_url=self._settings.binance.rest_url,
            stream_url=self._settings.binance.stream_url,
            weight_share=self._settings.binance.weight_share,
            clock=self.clock,
            rows=self.engine.market.universe.venue(VENUE),
            plan=self.engine,
            sink=mailbox,
            store=store,
            rng=random.Random(),  # noqa: S311, jitter
            venue_now=self.live.venue_now,
            lookback_ms=lambda need: DAY_MS if self.cards.pinned(need) else self.engine.price_lookback_ms,
            missing_ms=Holes(self.engine.market).missing_ms,
        )

    def _answering(self, data_dir: DataDir, lanes: Lanes) -> tuple[Actions, LocalChat]:
        """What answers people, and the front for this machine's own commands."""
        why = Explainer(
            engine=self.engine,
            live=self.live,
            alerts=self._alerts,
            chat_alerts=self._chat_alerts,
            loaded=lambda: self.rules.rules,
        )
        routes = self._plan.routes
        silences = self._mutes.actions(self.cards, self._chat_alerts, self.engine, self.live, routes, lanes.names)
        families = (
            Looking(market=self.cards, status=self.status, clock=self.clock),
            Why(self.cards, why),
            AlertActions(
                market=self.cards,
                store=self._chat_alerts,
                desk=Desk(self.engine, self.live),
                clock=self.clock,
                max_per_chat=self._settings.alerts.max_per_chat,
            ),
            silences,
            self.desk.actions(self.cards),
            DeadLetters(SqliteOutboxCare(self._database)),
        )
        actions = Actions(*(family.handlers for family in families))
        overview = Overviews(engine=self.engine, live=self.live, status=self.status, lanes=lanes.status)
        return actions, LocalChat(
            path=data_dir.control, market=self.cards, why=why, overview=overview, clock=self.clock
        )

    async def _supervise(
        self, data_dir: DataDir, committer: Committer, sending: Sending, store: SqliteKeyValues
    ) -> int:
        lanes = sending.lanes
        supervisor = Supervisor(self.clock)
        actions, local = self._answering(data_dir, lanes)
        fronts = ["control"]
        async with asyncio.TaskGroup() as group:
            supervisor.start(group, "committer", committer.run, Policy.RESTART)
            supervisor.start(group, "engine", self.live.run, Policy.RESTART)
            supervisor.start(group, "heartbeat", lambda: beat(data_dir, self.live, self.clock), Policy.RESTART)
            for name, run in self.keeping.components.items():
                supervisor.start(group, name, run, Policy.RESTART)
            if self._options.delivers:
                supervisor.start(group, "delivery", lanes.run, Policy.RESTART)
            supervisor.start(group, "feed", self.feed.run, Policy.RESTART)
            supervisor.start(group, "stops", self.desk.run, Policy.RESTART)
            supervisor.start(group, "control", local.run, Policy.DEGRADE)
            chat = telegram_chat(
                self._settings,
                self._plan,
                sending,
                actions=actions,
                store=store,
                clock=self.clock,
                claims=Claims(SqliteMemberStore(self._database), self.clock) if self._options.is_claimable else None,
                on_claimed=self._take_owner,
            )
            if chat is not None and self._options.delivers:
                supervisor.start(group, "telegram", chat.run, Policy.RESTART)
                fronts.append("telegram")
            if self._options.reads_terminal:
                terminal = TerminalChat(
                    actions=actions, clock=self.clock, console=self._options.console, on_quit=self.stop.set
                )
                supervisor.start(group, "terminal", terminal.run, Policy.DEGRADE)
                fronts.append("terminal")
            self._log.info("bot.started", rules=len(self.engine.rules), destinations=list(lanes.names))
            self._options.on_ready(self)
            # Its time being over is one way to be told to stop.
            with contextlib.suppress(TimeoutError):
                async with self.clock.timeout(self._for_s):
                    await self.stop.wait()
            self.stop.set()
            self._log.info("bot.stopping")
            self._options.on_stop()
            await self._end(supervisor, committer, lanes, fronts)
        self._log.info("bot.stopped")
        return 0

    async def _end(self, supervisor: Supervisor, committer: Committer, lanes: Lanes, fronts: Sequence[str]) -> None:
        """Stop the parts in order, each within its time."""
        self._database.hurry(STOP_REST_S)
        await supervisor.stop(*fronts, "feed", "stops", within_s=STOP_FEEDS_S)
        await supervisor.stop("engine", "heartbeat", *self.keeping.components, within_s=STOP_ENGINE_S)
        await self.live.store(self.live.closing())
        self.snapshots.finish()
        await committer.drain(STOP_COMMIT_S)
        if self._options.delivers:
            await asyncio.gather(lanes.drain(STOP_LANES_S), self.snapshots.written(STOP_LANES_S))
        else:
            await self.snapshots.written(STOP_LANES_S)
        await supervisor.stop("delivery", "committer", within_s=STOP_REST_S)

    def _take_owner(self, owner: Member) -> None:
        self.claimed = owner
        self.stop.set()

    def _take_progress(self, progress: Progress) -> None:
        self._progress[progress.task] = progress
        self._options.on_progress(progress)

    def _take_feed(self, status: FeedStatus) -> None:
        self._options.on_feed(status)
        # In the terminal `on_feed` has said it already.
        if self._options.delivers and any(d.name != self._plan.console for d in self._plan.described):
            self.keeping.feeds.take(status)

    def _warming(self) -> str:
        parts = [f"{p.task} {p.done}/{p.total}" for p in self._progress.values() if p.done < p.total]
        if self.engine.plan.warming:
            parts.append("rules waiting for sizes: " + ", ".join(self.engine.plan.warming))
        return "; ".join(parts)
