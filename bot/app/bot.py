"""One bot: its parts made in order and put together.

Data folder, rules and database, engine with its stored alerts and windows, then delivery, feed and chat. `running` says in
which order they start and stop; what was not sent by then stays in the outbox.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping

from bot import log
from bot.app import risk_desk
from bot.app.answering import Answered, Answering
from bot.app.backtests import Backtests
from bot.app.chatrooms import Chatrooms
from bot.app.committer import Committer
from bot.app.data_dir import DataDir
from bot.app.desk import load_alerts
from bot.app.destinations import Builder, Plan
from bot.app.drawing import Drawing
from bot.app.feeding import binance_feed
from bot.app.fronts import telegram_chat
from bot.app.health import Health
from bot.app.history import LiveHistory
from bot.app.keeping import Keeping, findings
from bot.app.live import Keepers, Live
from bot.app.loading import Loaded
from bot.app.mutes import Mutes
from bot.app.options import Options
from bot.app.past_desk import PastReading, past_reading
from bot.app.recording import open_journal
from bot.app.reloading import Reloader
from bot.app.running import Component, Running, components
from bot.app.sending import Sending, open_sending
from bot.app.snapshots import Snapshots
from bot.app.society import Society, open_society
from bot.app.start_progress import StartProgress
from bot.app.status import Status
from bot.app.supervisor import Policy, Supervisor
from bot.app.vitals import Chat, Parts
from bot.app.voice import Voice
from bot.app.web_desk import WebDesk
from bot.chat.actions import Actions
from bot.chat.terminal import TerminalChat
from bot.clock import Clock
from bot.delivery.lanes import Lanes
from bot.engine.cards import Cards
from bot.engine.engine import Engine
from bot.feeds.binance.feed import BinanceFeed
from bot.market.mailbox import Mailbox
from bot.model.members import Member
from bot.model.updates import FeedStatus
from bot.rules.loader import RuleSet
from bot.settings import Settings
from bot.storage.alerts import SqliteAlertStore
from bot.storage.chat_alerts import SqliteChatAlertStore
from bot.storage.database import Opened
from bot.storage.key_values import SqliteKeyValues
from bot.storage.outbox import SqliteOutbox
from bot.web.site import Site


class Bot:
    """One process's worth of bot."""

    def __init__(
        self,
        settings: Settings,
        options: Options,
        loaded: Loaded,
        *,
        clock: Clock,
        stop: asyncio.Event,
        data_dir: DataDir,
        opened: Opened,
        on_claimed: Callable[[Member], None],
    ) -> None:
        """`stop` ends it; `opened`: its database; `on_claimed` gets who became the owner."""
        self._settings = settings
        self._options = options
        self.loaded = loaded
        self.clock = clock
        self.stop = stop
        self._data_dir = data_dir
        self._opened, self._database = opened, opened.database
        self._on_claimed = on_claimed
        self._log = log.get("bot")
        self._web = WebDesk(settings.web, self.clock, is_open=options.opens_dashboard, on_served=options.on_web)
        self._progress = StartProgress(options.on_progress)
        self._voice = Voice(settings, options, self.clock, lambda: self._plan)
        self.engine: Engine
        self.cards: Cards
        self.live: Live
        self.snapshots: Snapshots
        self.history: LiveHistory
        self.backtests: Backtests
        self.past: PastReading
        self.feed: BinanceFeed
        self.status: Status
        self.keeping: Keeping
        self.desk: risk_desk.Desk
        self._alerts: SqliteAlertStore
        self._chat_alerts: SqliteChatAlertStore
        self._mutes: Mutes
        self._rooms: Chatrooms
        self._society: Society
        self._mailbox = Mailbox()
        self.drawing = Drawing(settings.charts, clock=clock, folder=data_dir.charts)
        self.reloader: Reloader
        self._reload: Callable[[], None] = lambda: None

    @property
    def rules(self) -> RuleSet:
        """Those that watch, and what there was to say about their files."""
        return self.loaded.rules

    @property
    def _plan(self) -> Plan:
        return self.loaded.plan

    def reload_soon(self) -> None:
        """Take the rules folder anew; nothing before the bot is there."""
        self._reload()

    async def run(self, *, for_s: float | None) -> int:
        """Run until `stop` is set or, when given, for so many clock seconds; returns the exit code."""
        await self._recall()
        database, data_dir = self._database, self._data_dir
        outbox, committer, mailbox = SqliteOutbox(database), Committer(self._alerts, self.clock), self._mailbox
        async with contextlib.AsyncExitStack() as stack:
            sending = await open_sending(
                self._settings,
                self._builder(stack),
                self._plan if self._options.delivers else None,
                clock=self.clock,
                outbox=outbox,
                store=SqliteKeyValues(database),
                venue_now=lambda: self.live.venue_now(),  # noqa: PLW0108, `live` is made below
                n_instruments=lambda: len(self.engine.market.universe),
                desk=self.drawing.desk,
                subscribing=self._rooms.subscribing,
            )
            lanes, self._rooms.moves.report = sending.lanes, sending.lanes.notices.report
            routes = await self._rooms.routes(self._plan)
            self._society = await open_society(database, self._settings, self._rooms, sending)
            records, extra = self._options.records, self._rooms.extra
            path = data_dir.journal
            journal = open_journal(path, self._settings, self.engine, extra, self.clock, records=records, stack=stack)
            self.snapshots = Snapshots(self.engine, data_dir.snapshot, self.clock, journal=journal)
            await self.snapshots.load()
            self.history = LiveHistory(self.engine, data_dir.history, self.clock, keep_days=self._settings.history.days)
            self.backtests = Backtests(clock=self.clock, history=data_dir.history, rules_dir=self._settings.rules_dir)
            self.live = Live(
                engine=self.engine,
                mailbox=mailbox,
                clock=self.clock,
                committer=committer,
                routes=routes,
                on_rows=sending.tell,
                on_progress=self._progress.take,
                on_feed=self._take_feed,
                on_reset=lambda: self.feed.windows_emptied(),  # noqa: PLW0108, `feed` is made below
                on_grown=lambda series: self.feed.windows_grew(series),  # noqa: PLW0108, `feed` is made below
                muting=self._mutes.muting,
                rows=lambda routes, new: self.desk.personal(self._rooms.subscribing.rows(routes, new)),
                recorder=journal,
                keeper=Keepers(self.snapshots, self.history),
            )
            self.desk = await risk_desk.of_rooms(database, self.engine, self.live, self._rooms, sending)
            self.feed = binance_feed(self._settings, self.engine, self.cards, self.live, mailbox, self._rooms)
            self.past = past_reading(self._settings, data_dir, self.clock, self.live.venue_now)
            self.drawing.connect(self.engine, self.live, self.feed, self.past)
            self.keeping = self._keeping(committer, lanes)
            self._rooms.extra.connect(self.live.consume, lambda: self.live.after_tick(self.feed.needs_changed))
            self.reloader = self._reloader(sending)
            self.status = self._status(outbox, lanes)
            return await self._supervise(committer, sending, for_s)

    async def _recall(self) -> None:
        """What is stored, and the engine over it."""
        database = self._database
        self._alerts, self._chat_alerts = SqliteAlertStore(database), SqliteChatAlertStore(database)
        self._mutes = await Mutes.load(database)
        self._rooms = await Chatrooms.load(database, self.clock, self.loaded, self._settings)
        self._rooms.moves.followers.append(self._mutes.muting.rename)
        self.engine = Engine(self._rooms.extra.rules, records=await self._alerts.load())
        self._rooms.chat_rules.engine = self.engine
        await load_alerts(self._chat_alerts, self.engine, self.clock)
        self.cards = Cards(self.engine)

    def _status(self, outbox: SqliteOutbox, lanes: Lanes) -> Status:
        return Status(
            engine=self.engine,
            live=self.live,
            feed=self.feed,
            alerts=self._alerts,
            outbox=outbox,
            clock=self.clock,
            data_dir=self._data_dir.path,
            warming=lambda: self._progress.text(self.engine),
            dead=lambda: tuple(f"{name}: {reason}" for name, reason in lanes.dead().items()),
            muting=self._mutes.muting,
            troubles=self._troubles,
            backup=self.keeping.upkeep.text,
            history=self.history.text,
        )

    def _builder(self, stack: contextlib.AsyncExitStack) -> Builder:
        return Builder(
            self._settings,
            clock=self.clock,
            console=self._options.console,
            stack=stack,
            moves=self._rooms.moves,
            buttons=self._rooms.buttons,
            reread=self._options.reread,
        )

    def _keeping(self, committer: Committer, lanes: Lanes) -> Keeping:
        keeping = Keeping.of(
            self._opened,
            committer,
            lanes,
            backups=self._data_dir.backups,
            keep=self._settings.backup.keep,
            clock=self.clock,
            venue_now=self.live.venue_now,
        )
        keeping.tell(findings(self._opened), aloud=self._voice.aloud)
        return keeping

    def _reloader(self, sending: Sending) -> Reloader:
        made = Reloader(
            loaded=self.loaded,
            folder=self._settings.rules_dir,
            settings=self._options.reread or (lambda: self._settings),
            fixed=self._options.plan,
            extra=self._rooms.extra,
            live=self.live,
            sending=sending,
            settle=self._rooms.routes,
            clock=self.clock,
            delivers=self._options.delivers,
            tell=lambda notice: self.keeping.tell([notice], aloud=self._voice.aloud),
            on_taken=self._taken,
        )
        self._reload = made.ask
        return made

    def _taken(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.live.after_tick(self.feed.needs_changed)

    def _answering(self, sending: Sending) -> Answered:
        return Answering(
            engine=self.engine,
            live=self.live,
            cards=self.cards,
            status=self.status,
            clock=self.clock,
            database=self._database,
            alerts=self._alerts,
            chat_alerts=self._chat_alerts,
            settings=self._settings,
            rooms=self._rooms,
            mutes=self._mutes,
            sending=sending,
            drawing=self.drawing,
            risk=self.desk,
            society=self._society,
            reloader=self.reloader,
            data_dir=self._data_dir,
            backtests=self.backtests,
            past=self.past,
            web=self._web,
        ).answered()

    def _terminal(self, actions: Actions) -> TerminalChat:
        return TerminalChat(actions=actions, clock=self.clock, console=self._options.console, on_quit=self.stop.set)

    async def _supervise(self, committer: Committer, sending: Sending, for_s: float | None) -> int:
        supervisor = Supervisor(self.clock)
        running = Running(
            supervisor=supervisor,
            database=self._database,
            committer=committer,
            live=self.live,
            snapshots=self.snapshots,
            lanes=sending.lanes if self._options.delivers else None,
            around=self._around(committer, sending, supervisor),
        )
        async with asyncio.TaskGroup() as group:
            running.start(group)
            self._log.info("bot.started", rules=len(self.engine.rules), destinations=list(sending.lanes.names))
            self._options.on_ready(self)
            # Its time being over is one way to be told to stop.
            with contextlib.suppress(TimeoutError):
                async with self.clock.timeout(for_s):
                    await self.stop.wait()
            self.stop.set()
            self._log.info("bot.stopping")
            self._options.on_stop()
            await running.stop()
        self._log.info("bot.stopped")
        return 0

    def _around(self, committer: Committer, sending: Sending, supervisor: Supervisor) -> list[Component]:
        """All that runs around the main loop."""
        actions, local, overview, scores, site = self._answering(sending)
        chat = telegram_chat(
            self._settings,
            lambda: self._plan,
            sending,
            self._rooms,
            self._society,
            actions=actions,
            is_claimable=self._options.is_claimable,
            on_claimed=self._on_claimed,
            charts=self.drawing.studio,
            overview=overview,
        )
        told = chat if self._options.delivers else None
        watching = self._watching(committer, sending.lanes, supervisor, told, site)
        endings = self._rooms.endings(self._chat_alerts, self.engine, self.live)
        around = components({**watching, **self.drawing.components, "endings": endings.run, "scores": scores.run})
        around += components({"feed": self.feed.run, "stops": self.desk.run, "rules": self.reloader.run})
        around.append(Component("control", local.run, Policy.DEGRADE))
        if told is not None:
            around.append(Component("telegram", told.run))
        if self._options.reads_terminal:
            around.append(Component("terminal", self._terminal(actions).run, Policy.DEGRADE))
        return around

    def _watching(
        self,
        committer: Committer,
        lanes: Lanes,
        supervisor: Supervisor,
        chat: Chat | None,
        site: Site | None,
    ) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """What watches over the bot and its storage."""
        parts = Parts(
            clock=self.clock,
            engine=self.engine,
            live=self.live,
            mailbox=self._mailbox,
            feed=self.feed,
            committer=committer,
            lanes=lanes,
            outbox=SqliteOutbox(self._database),
            database=self._database,
            watch=self.keeping.watch,
            snapshots=self.snapshots,
            history=self.history,
            supervisor=supervisor,
            chat=chat,
            rules=lambda: self.rules,
            warming=lambda: self._progress.text(self.engine),
            started_ms=self.clock.monotonic_ms(),
        )
        health = Health(parts, self._settings, self._data_dir.heartbeat, site=site, on_web=self._web.served)
        own = {**self.history.components, **self.backtests.components}
        own |= {"past": self.past.run, "looks": self._rooms.lists.run}
        return {**self.keeping.components, **health.components, **own}

    def _troubles(self) -> tuple[str, ...]:
        """For `/status`."""
        found = (*self.reloader.troubles(), *self.keeping.troubles(), *self.history.troubles())
        return (*found, *self.engine.faults.lines())

    def _take_feed(self, status: FeedStatus) -> None:
        self._options.on_feed(status)
        # In the terminal `on_feed` has said it already.
        if self._options.delivers and any(d.name != self._plan.console for d in self._plan.described):
            self.keeping.feeds.take(status)
