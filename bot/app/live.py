"""The main loop: mailbox -> engine -> commit.

Two awaits and nothing else between the edges: `mailbox.wait()` on the way in, `committer.commit()` on the way out. A
push is all mark-price messages of one second: after the first the loop waits at most 20 ms for its siblings, then
ticks once. In silence it ticks once a second, so that data ages and clocks run.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeVar

from bot import log
from bot.alerts.muting import Muting
from bot.app.committer import Committer
from bot.app.routing import Routes
from bot.clock import Clock, machine_s
from bot.engine.engine import Engine
from bot.engine.inputs import Coverage, Input, Listed, Placed, Reset
from bot.engine.result import NOTHING, Result
from bot.market.dates import KEPT_MS, Ahead
from bot.market.mailbox import Mailbox
from bot.market.venue_time import FAR_MS, Anchor, VenueTime
from bot.model.alert import Notice, State, Transition
from bot.model.chat_alert import is_alert_id
from bot.model.histogram import WAIT_S, WORK_S, Histogram
from bot.model.outbox import OutboxRow
from bot.model.outbox_ports import Commit
from bot.model.updates import (
    Bars,
    FeedStatus,
    History,
    InstrumentChange,
    InstrumentList,
    Liquidations,
    MarkPrices,
    OpenInterest,
    Progress,
    Tickers,
    Update,
)
from bot.model.updates import VenueTime as VenueTimeAnswer
from bot.rules.schema import CHAT_PREFIX

SIBLINGS_S: Final = 0.02
IDLE_TICK_S: Final = 1.0
MAX_FIRED: Final = 10_000
COVERED: Final = "liquidations"
"""The feed of events whose gaps the engine has to know."""
CHECKPOINT_MS: Final = 5_000
"""How often the clocks of pending alerts are stored."""

MISSED_MS: Final = 30_000
"""A jump of the venue's time by more than this is more than a network catching up: it leaves a hole."""

T = TypeVar("T")


class Recorder(Protocol):
    """Where a journal goes. Called in the loop, so it must be quick; `flush` before transitions commit."""

    def record(self, item: Input) -> None: ...

    def tick(self, now_ms: int) -> None: ...

    def flush(self) -> None: ...


class Keeper(Protocol):
    """Who keeps what the engine knows. Called in the loop, so it must be quick."""

    def time_known(self, now_ms: int) -> None:
        """Before anything is consumed."""
        ...

    def ticked(self, now_ms: int) -> None: ...


class Keepers:
    """Several as one, in their order."""

    def __init__(self, *keepers: Keeper) -> None:
        self._keepers = keepers

    def time_known(self, now_ms: int) -> None:
        for keeper in self._keepers:
            keeper.time_known(now_ms)

    def ticked(self, now_ms: int) -> None:
        for keeper in self._keepers:
            keeper.ticked(now_ms)


class Live:
    """Feeds the engine and stores what it says."""

    def __init__(
        self,
        *,
        engine: Engine,
        mailbox: Mailbox,
        clock: Clock,
        committer: Committer,
        routes: Routes,
        on_rows: Callable[[Sequence[OutboxRow]], None],
        on_progress: Callable[[Progress], None] = lambda _: None,
        on_feed: Callable[[FeedStatus], None] = lambda _: None,
        on_reset: Callable[[], None] = lambda: None,
        on_grown: Callable[[frozenset[str]], None] = lambda _: None,
        muting: Muting | None = None,
        rows: Callable[[Routes, Sequence[Notice]], Sequence[OutboxRow]] = Routes.rows,
        recorder: Recorder | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        self._engine, self._mailbox, self._clock, self._committer = engine, mailbox, clock, committer
        self.routes = routes
        """Where what comes from now on is told."""
        self._on_rows, self._on_progress, self._on_feed = on_rows, on_progress, on_feed
        self._on_reset, self._on_grown = on_reset, on_grown
        self._muting = muting if muting is not None else Muting()
        self._rows = rows
        self._recorder = recorder
        self._keeper = keeper
        self._has_begun = False
        self._log = log.get("engine")
        self._held: list[Update] = []
        self._uncovered: list[FeedStatus] = []
        self._checkpoint_ms = 0
        self._is_settled = False
        """Whether nothing was consumed since the last tick."""
        self._questions: list[Callable[[], None]] = []
        self.venue_time = VenueTime()
        self._ahead = Ahead()
        self.feeds: dict[str, FeedStatus] = {}
        self.n_ticks = 0
        self.n_turns = 0
        """How often the loop has come round: also without prices, at least once a second unless it is stuck."""
        self.n_failed = 0
        self.n_evaluated = 0
        """Rules times ticks."""
        self.ticked_ms: float | None = None
        """When the last tick began, `Clock.monotonic_ms`."""
        self.tick_s = Histogram(WORK_S)
        """How long the engine took for a tick, in seconds of the machine."""
        self.fire_s = Histogram(WAIT_S)
        """From the prices to a firing that is stored, in clock seconds."""
        self.n_fired: Counter[tuple[str, str]] = Counter()
        """Firings by rule and severity; all that was made in chat counts as the rule `chat`."""
        self.first_push_ms: float | None = None
        self.last_push_ms: float | None = None
        self.fired_ms: deque[int] = deque(maxlen=MAX_FIRED)
        """When the firings of this run began, the newest last; bounded."""

    def venue_now(self) -> int:
        """Venue time now; the machine's clock until the venue has told its own."""
        if self.venue_time.is_known:
            return self.venue_time.now(self._clock.monotonic_ms())
        return self._clock.wall_ms()

    async def run(self) -> None:
        while True:
            try:
                async with self._clock.timeout(IDLE_TICK_S):
                    await self._mailbox.wait()
            except TimeoutError:
                pass
            updates = self._mailbox.drain()
            is_push = any(isinstance(u, MarkPrices) for u in updates)
            if is_push:
                await self._clock.sleep(SIBLINGS_S)
                updates += self._mailbox.drain()
            for update in self._take_held(updates):
                self._take_safely(update, self._take)
            idle_ms = self._clock.monotonic_ms() - (-1e12 if self.ticked_ms is None else self.ticked_ms)
            if self.venue_time.is_known and (is_push or idle_ms >= IDLE_TICK_S * 1_000):
                await self._tick()
            self.n_turns += 1

    async def _tick(self) -> None:
        self.ticked_ms = self._clock.monotonic_ms()
        now_ms = self.venue_now()
        begun_s = machine_s()
        result = self._engine.tick(now_ms)
        self.tick_s.add(machine_s() - begun_s)
        self.n_ticks += 1
        self.n_evaluated += len(self._engine.rules)
        self._is_settled = True
        questions, self._questions = self._questions, []
        for ask in questions:
            ask()
        if self._recorder is not None:
            self._recorder.tick(now_ms)
        if abs(now_ms - self._checkpoint_ms) >= CHECKPOINT_MS:
            self._checkpoint_ms = now_ms
            result += self._engine.checkpoint()
        if self._engine.grown:
            self._on_grown(frozenset(self._engine.grown))
            self._engine.grown.clear()
        await self.store(result)
        if self.last_push_ms is not None and any(t.state is State.FIRING for t in result.transitions):
            self.fire_s.add((self._clock.monotonic_ms() - self.last_push_ms) / 1_000)
        if self._keeper is not None:
            self._keeper.ticked(now_ms)

    async def at_tick(self, question: Callable[[], T]) -> T:
        """Ask about the last tick: at once where nothing has come since, else at the next one, within a second.

        Raises what the question raises. Before venue time is known nothing ticks, so it is asked at once.
        """
        if self._is_settled or not self.venue_time.is_known:
            return question()
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def ask() -> None:
            if answer.done():
                return
            try:
                answer.set_result(question())
            except Exception as error:  # noqa: BLE001, it belongs to whoever asked, not to the loop of ticks
                answer.set_exception(error)

        self._questions.append(ask)
        return await answer

    def after_tick(self, call: Callable[[], None]) -> None:
        """Call it once, after the next tick: only that decides who is in the scope of a new rule."""
        self._questions.append(call)

    async def store(self, result: Result, also: Sequence[OutboxRow] = ()) -> None:
        """Commit what changed, then wake the lanes; what the database has not taken in time is handed to them as it is.

        `also`: what others have to tell; it is muted as alerts are.
        """
        if not self.venue_time.is_known:
            return
        told = self._muting.take((*self._rows(self.routes, result.notices), *also), self.venue_now())
        if not (result or told):
            return
        if self._recorder is not None and (result.transitions or told.now):
            self._recorder.flush()
        for transition in result.transitions:
            self._say(transition)
        change = Commit(result.records, result.transitions, told.now, told.kept, told.released, told.folded)
        is_stored = await self._committer.commit(change)
        # What was released comes before what is new: the end of an alert may follow its firing at once.
        rows = (*told.released, *told.now)
        if rows:
            self._on_rows(() if is_stored else rows)

    def closing(self) -> Result:
        """At stop: everything the engine still knows that the database does not."""
        return self._engine.flush() + self._engine.checkpoint() if self.venue_time.is_known else NOTHING

    def _say(self, t: Transition) -> None:
        if t.state is State.FIRING:
            self.fired_ms.append(t.at_ms)
            is_of_chat = is_alert_id(t.rule_id) or t.rule_id.startswith(CHAT_PREFIX)
            rule_id = "chat" if is_of_chat else t.rule_id
            severity = next((r.severity for r in self._engine.rules if r.id == rule_id), "")
            self.n_fired[rule_id, severity] += 1
        if t.state is not State.PENDING:
            self._log.info(f"alert.{t.state.value}", rule=t.rule_id, symbol=t.symbol, id=t.id, value=t.value)

    # -- updates -------------------------------------------------------------------------------------------------

    def _take_held(self, updates: Sequence[Update]) -> Sequence[Update]:
        """Until venue time is known only what tells it, and news without a time, can be taken."""
        if not self.venue_time.is_known:
            for update in updates:
                if isinstance(update, VenueTimeAnswer):
                    self.venue_time.start(update.venue_ms, update.received_ms)
                elif isinstance(update, MarkPrices) and len(update.event_ms):
                    self.venue_time.start(int(update.event_ms.max()), update.received_ms)
        if self.venue_time.is_known:
            if self._keeper is not None and not self._has_begun:
                self._keeper.time_known(self.venue_now())
            self._has_begun = True
            updates, self._held = [*self._held, *updates], []
            waiting, self._uncovered = self._uncovered, []
            for status in waiting:
                self._take_safely(status, self._cover)
            return updates
        free = [u for u in updates if isinstance(u, (FeedStatus, Progress))]
        self._held += [u for u in updates if not isinstance(u, (FeedStatus, Progress))]
        return free

    def _take_safely(self, update: T, take: Callable[[T], None]) -> None:
        """One update that cannot be taken must not cost those beside it."""
        try:
            take(update)
        except Exception:  # noqa: BLE001, around one message, logged and counted
            self.n_failed += 1
            self._log.error("update.failed", kind=type(update).__name__, n=self.n_failed, exc_info=True)

    def _take(self, update: Update) -> None:
        match update:
            case MarkPrices():
                self._take_push(update)
            case OpenInterest():
                self._take_open_interest(update)
            case Tickers() | History() | Bars() | Liquidations():
                now_ms = self._clock.monotonic_ms()
                self.consume(self._ahead.hold_out(update, self.venue_time.latest_ms(now_ms), now_ms))
            case InstrumentList() | InstrumentChange():
                self.consume(Listed(update, self.venue_now()))
            case VenueTimeAnswer():
                self.venue_time.start(update.venue_ms, update.received_ms)
            case FeedStatus():
                self.feeds[update.feed] = update
                say = self._log.info if update.live else self._log.warning
                say("feed.live" if update.live else "feed.lost", feed=update.feed, reason=update.reason)
                self._on_feed(update)
                if update.feed == COVERED:
                    self._cover(update)
            case Progress():
                self._on_progress(update)

    def _take_open_interest(self, update: OpenInterest) -> None:
        at_ms = self.venue_time.at(update.received_ms)
        if update.venue_ms - at_ms > MISSED_MS:
            # The machine slept, and no push has told yet: placed now, the change of hours would be one of seconds.
            self._ahead.hold(update, self._clock.monotonic_ms())
            return
        # What a clock that went back had dated ahead would make all samples after it older ones.
        venue_ms = min(update.venue_ms, at_ms)
        self.consume(Placed(update.row, update.amount, at_ms, venue_ms, update.interval_ms))

    def _cover(self, status: FeedStatus) -> None:
        """Place in venue time since when events are heard, or no more. Before that time is known it has to wait."""
        if self.venue_time.is_known:
            at_ms = self.venue_time.at(status.since_ms or status.received_ms)
            self.consume(Coverage(status.feed, status.live, at_ms))
        else:
            self._uncovered.append(status)

    def _take_push(self, update: MarkPrices) -> None:
        if not len(update.event_ms):
            return
        event_ms = int(update.event_ms.max())
        expected_ms = self.venue_time.at(update.received_ms)
        push = self.venue_time.push(event_ms, update.received_ms)
        if push.anchor is not Anchor.KEPT:
            self._log.warning("venue_time.anchored", how=push.anchor.value, event_ms=event_ms)
        if push.anchor is Anchor.RESET:
            self.consume(Reset(event_ms))
            self._on_reset()
        elif push.anchor is Anchor.JUMPED and event_ms - expected_ms > MISSED_MS:
            self._missed(expected_ms, event_ms)
        elif push.anchor is Anchor.JUMPED and event_ms - expected_ms > FAR_MS:
            self._date_anew(update.received_ms, event_ms - expected_ms)
        if push.accepted:
            self.last_push_ms = update.received_ms
            if self.first_push_ms is None:
                self.first_push_ms = update.received_ms
            self.consume(update)
        if push.anchor in {Anchor.JUMPED, Anchor.RESET}:
            held = self._ahead.taken(self._clock.monotonic_ms())
            for kept in held if push.anchor is Anchor.JUMPED else ():
                self._take_safely(kept, self._take)

    @property
    def n_held_out(self) -> int:
        """Pushes, and samples of all else, that were dated ahead of the venue's time."""
        return self.venue_time.n_held_out + self._ahead.n_held_out

    def _missed(self, from_ms: int, to_ms: int) -> None:
        """The machine slept: no clock of ours saw the time between, and no feed can have noticed."""
        status = self.feeds.get(COVERED)
        if status is not None and status.live:
            for live, at_ms in ((False, from_ms), (True, to_ms)):
                self.consume(Coverage(COVERED, live, at_ms))
        self._on_reset()

    def _date_anew(self, now_ms: float, behind_ms: int) -> None:
        """The machine stood still for some seconds: a connection made since was dated by a clock that was behind."""
        status = self.feeds.get(COVERED)
        since_ms = None if status is None or not status.live else status.since_ms or status.received_ms
        if since_ms is not None and now_ms - since_ms < KEPT_MS:
            at_ms = self.venue_time.at(since_ms)
            for live, told_ms in ((False, at_ms - behind_ms), (True, at_ms)):
                self.consume(Coverage(COVERED, live, told_ms))

    def consume(self, item: Input) -> None:
        """Give the engine something whose place in venue time is settled, and write it into the journal."""
        if self._recorder is not None:
            self._recorder.record(item)
        self._is_settled = False
        self._engine.consume(item)
