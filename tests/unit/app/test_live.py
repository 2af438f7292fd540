"""The main loop on a manual clock: when it ticks, what time it takes, what it stores."""

import asyncio
import contextlib
from dataclasses import replace

import numpy as np
import pytest

from bot.alerts.muting import Muting
from bot.app.committer import Committer
from bot.app.explainer import Explainer
from bot.app.live import Live
from bot.app.routing import Routes
from bot.clock import ManualClock
from bot.engine.engine import Engine
from bot.engine.inputs import Coverage, Reset, RulesChanged
from bot.market.mailbox import Mailbox
from bot.market.series import INDEX, Leaf, Needs
from bot.model.alert import State, Transition, alert_key, short_id
from bot.model.chat_alert import AlertAdded, ChatAlert
from bot.model.explanation import Hush
from bot.model.outbox_ports import Commit
from bot.model.silence import Silence
from bot.model.updates import (
    Bars,
    FeedStatus,
    History,
    InstrumentList,
    Liquidations,
    MarkPrices,
    OpenInterest,
    Tickers,
    VenueTime,
)
from bot.storage.memory import MemoryAlertStore, MemoryChatAlertStore, MemoryOutbox

T0 = 1_767_225_600_000
HOUR_MS = 3_600_000
RULES = "- {id: level, when: price >= 100}\n- {id: slow, when: price >= 100, for: 1m}\n"


class World:
    """A live loop over memory stores."""

    def __init__(self, rules, instruments, *, recorder=None, keeper=None):
        self.clock = ManualClock(wall_ms=T0)
        self.mailbox = Mailbox()
        self.outbox = MemoryOutbox()
        self.alerts = MemoryAlertStore(self.outbox)
        self.committer = Committer(self.alerts, self.clock)
        self.engine = Engine(rules)
        self.woken = []
        self.resets = 0
        self.live = Live(
            engine=self.engine,
            mailbox=self.mailbox,
            clock=self.clock,
            committer=self.committer,
            routes=Routes.of(["console"]),
            on_rows=self.woken.append,
            on_reset=self.reset,
            recorder=recorder,
            keeper=keeper,
        )
        self.instruments = instruments
        self.venue_ahead_ms = 0

    def reset(self):
        self.resets += 1

    @property
    def venue_ms(self) -> int:
        return T0 + self.venue_ahead_ms + int(self.clock.monotonic_ms())

    def list(self):
        self.mailbox.put(InstrumentList("binance", tuple(self.instruments)))

    def push(self, *prices: float, event_ms: int | None = None):
        n = len(prices)
        self.mailbox.put(
            MarkPrices(
                rows=np.arange(n, dtype=np.int32),
                price=np.array(prices),
                index=np.array(prices),
                funding=np.zeros(n),
                next_funding_ms=np.zeros(n, dtype=np.int64),
                event_ms=np.full(n, self.venue_ms if event_ms is None else event_ms, dtype=np.int64),
                received_ms=self.clock.monotonic_ms(),
            )
        )

    async def transitions(self):
        return [(t.rule_id, t.state.value) for t in reversed(await self.alerts.transitions(limit=1_000))]


@pytest.fixture
async def world(rules_of, perpetual):
    made = World(rules_of(RULES), [perpetual("A"), perpetual("B")])
    async with running(made):
        yield made


@contextlib.asynccontextmanager
async def running(world):
    tasks = [asyncio.create_task(world.live.run()), asyncio.create_task(world.committer.run())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_both_messages_of_a_second_make_one_tick(world):
    world.list()
    world.push(99.0)
    await world.clock.advance(0.01)
    world.push(99.0, 50.0)
    await world.clock.advance(0.05)

    assert world.live.n_ticks == 1


class Recorder:
    def __init__(self):
        self.items = []

    def record(self, item):
        self.items.append(item)

    def tick(self, now_ms):
        pass

    def flush(self):
        pass


@pytest.fixture
async def recorded(rules_of, perpetual):
    made = World(rules_of(RULES), [perpetual("A"), perpetual("B")], recorder=Recorder())
    async with running(made):
        yield made


def covered(world):
    items = world.live._recorder.items
    return [(i.feed, i.live, i.at_ms - T0) for i in items if isinstance(i, Coverage)]


async def test_bars_and_liquidations_reach_the_engine_as_they_are(recorded):
    world = recorded
    world.list()
    world.push(99.0)
    one = np.array([1], dtype=np.int32)
    bars = Bars(one, np.array([T0]), np.array([5.0]), np.array([2.0]), 60_000, 1.0)
    orders = Liquidations(one, np.array([T0]), np.array([7.0]), np.array([True]), 1.0)
    for update in (bars, orders):
        world.mailbox.put(update)
    await world.clock.advance(0.5)
    assert [i for i in world.live._recorder.items if i is bars or i is orders] == [bars, orders]
    assert world.live.n_failed == 0


async def test_a_feed_of_events_covers_from_the_moment_that_it_names(recorded):
    world = recorded
    world.list()
    world.push(99.0)
    await world.clock.advance(20)
    world.mailbox.put(FeedStatus("liquidations", True, "every event is heard", 20_000.0, 4_000.0))
    world.mailbox.put(FeedStatus("mark price", True, "data is coming in", 20_000.0, 4_000.0))
    await world.clock.advance(10)
    world.mailbox.put(FeedStatus("liquidations", False, "silent", 30_000.0, 25_000.0))
    world.mailbox.put(FeedStatus("liquidations", True, "every event is heard", 30_000.0))
    await world.clock.advance(1)
    assert covered(world) == [
        ("liquidations", True, 4_000), ("liquidations", False, 25_000), ("liquidations", True, 30_000),
    ]  # fmt: skip


async def test_coverage_known_before_venue_time_is_placed_once_it_is(recorded):
    world = recorded
    world.mailbox.put(FeedStatus("liquidations", True, "every event is heard", 0.0, 0.0))
    await world.clock.advance(2)
    assert world.live.feeds["liquidations"].live
    assert covered(world) == []
    world.list()
    world.push(99.0)
    await world.clock.advance(1)
    assert covered(world) == [("liquidations", True, 0)]
    await world.clock.advance(5)
    assert len(covered(world)) == 1


async def test_open_interest_alone_does_not_tick_until_the_second_is_over(world):
    world.list()
    world.push(99.0)
    await world.clock.advance(0.1)
    for _ in range(20):
        world.mailbox.put(OpenInterest(0, 5.0, world.venue_ms, 15_000, world.clock.monotonic_ms()))
        await world.clock.advance(0.02)
    assert world.live.n_ticks == 1

    await world.clock.advance(1.2)
    assert world.live.n_ticks == 2


async def test_open_interest_dated_ahead_does_not_shut_out_what_follows(world):
    world.list()
    world.push(99.0)
    await world.clock.advance(0.1)
    for amount, ahead_ms in ((5.0, 86_400_000), (6.0, 0)):
        dated_ms = world.venue_ms + ahead_ms
        world.mailbox.put(OpenInterest(0, amount, dated_ms, 15_000, world.clock.monotonic_ms()))
        await world.clock.advance(15)
    assert world.engine.market.n_rejected == 0


@pytest.mark.parametrize("kind", [Tickers, Bars, Liquidations, History])
async def test_what_is_dated_ahead_of_the_venues_time_is_held_out(world, kind):
    world.list()
    for _ in range(60):
        world.push(90.0, 50.0)
        await world.clock.advance(1)
    wrong_ms = (world.venue_ms + 86_400_000) // 60_000 * 60_000
    rows, times, ones = np.zeros(1, np.int32), np.array([wrong_ms]), np.ones(1)
    received_ms = world.clock.monotonic_ms()
    world.mailbox.put(
        {
            Tickers: lambda: Tickers(rows, ones, times, received_ms),
            Bars: lambda: Bars(rows, times, ones, ones, 60_000, received_ms),
            Liquidations: lambda: Liquidations(rows, times, ones, ones > 0, received_ms),
            History: lambda: History(0, "price", times, ones, 90_000),
        }[kind]()
    )
    for _ in range(10):
        world.push(90.0, 50.0)
        await world.clock.advance(1)

    market = world.engine.market
    assert all(tier.newest * tier.step_ms <= world.venue_ms for tier in market.tiers)
    assert not market.liquidations._time_ms.size
    assert market.volume.newest is None or market.volume.newest * 60_000 <= world.venue_ms
    assert np.isfinite(market.tiers[0].rows(0, market.tiers[0].newest - 60, 60)[:, 0]).sum() >= 55
    assert world.live.n_failed == 0


@pytest.mark.parametrize(("still_ms", "is_taken"), [(20_000, True), (3_600_000, True), (0, False)])
async def test_what_comes_before_pushes_have_told_that_the_machine_stood_still_is_taken_when_they_have(
    world, still_ms, is_taken
):
    """By a clock that stood still it is dated ahead; a date that pushes do not confirm stays out."""
    world.list()
    for _ in range(5):
        world.push(90.0, 50.0)
        await world.clock.advance(1)
    market = world.engine.market
    market.fit(Needs.of([Leaf("sum", "liq_long", 600_000)]))
    world.venue_ahead_ms += still_ms
    rows, ones, now = np.zeros(1, np.int32), np.ones(1), np.array([world.venue_ms + (0 if still_ms else 20_000)])
    received_ms = world.clock.monotonic_ms()
    world.mailbox.put(Liquidations(rows, now, ones, ones > 0, received_ms))
    world.mailbox.put(Tickers(rows, ones, now, received_ms))
    for _ in range(5):
        world.push(90.0, 50.0)
        await world.clock.advance(1)

    assert market.liquidations._time_ms.tolist() == (now.tolist() if is_taken else [])
    assert (market.gauges.time_ms[INDEX["volume_24h"], 0] == now[0]) == is_taken
    assert world.live.n_failed == 0


async def test_silence_ticks_once_a_second(world):
    world.list()
    world.push(99.0)
    await world.clock.advance(10.5)

    assert 10 <= world.live.n_ticks <= 12


async def test_what_fires_is_stored_with_its_row_and_the_lanes_are_woken(world):
    world.list()
    world.push(101.0)
    await world.clock.advance(0.5)

    assert await world.transitions() == [("level", "firing"), ("slow", "pending")]
    rows = await world.outbox.waiting("console", now_ms=T0, limit=10)
    assert [r.view.symbol for r in rows] == ["AUSDT"]
    assert world.woken == [()]


async def test_before_venue_time_is_known_nothing_is_lost(world):
    """The list comes first, and the machine's clock is an hour ahead of the venue."""
    world.venue_ahead_ms = -3_600_000
    world.list()
    world.mailbox.put(FeedStatus("mark price", live=False, reason="refused", received_ms=0.0))
    await world.clock.advance(3)
    assert world.live.n_ticks == 0
    assert world.live.feeds["mark price"].reason == "refused"

    world.push(101.0)
    await world.clock.advance(0.5)

    assert await world.transitions() == [("level", "firing"), ("slow", "pending")]
    assert abs(world.engine.now_ms - world.venue_ms) < 1_000


async def test_a_wrong_clock_asked_first_does_not_blind_the_bot(world):
    """REST answered with a time an hour ahead; the first pushes tell otherwise."""
    world.venue_ahead_ms = 0
    world.mailbox.put(VenueTime(T0 + 3_600_000, world.clock.monotonic_ms()))
    world.list()
    await world.clock.advance(3)
    world.push(101.0)
    await world.clock.advance(0.5)
    world.push(101.0)
    await world.clock.advance(0.5)

    assert world.resets == 1
    assert ("level", "firing") in await world.transitions()


async def test_a_burst_after_a_stall_keeps_the_windows(world):
    world.list()
    for _ in range(100):
        world.push(90.0)
        await world.clock.advance(1)
    late = [world.venue_ms + k * 1_000 for k in range(14)]
    await world.clock.advance(14)
    for event_ms in late:
        world.push(90.0, event_ms=event_ms)
    await world.clock.advance(1)

    assert world.resets == 0
    ring = world.engine.market.tiers[0]
    known = np.isfinite(ring.rows(0, ring.newest - 90, 90)[:, 0]).sum()
    assert known >= 80


async def test_the_clock_of_a_pending_alert_is_stored_every_few_seconds(world):
    world.list()
    for _ in range(31):
        world.push(101.0)
        await world.clock.advance(1)

    record = next(r for r in await world.alerts.load() if r.rule_id == "slow")
    assert 24_000 <= record.held_ms <= 31_000


async def test_an_update_that_cannot_be_taken_costs_only_itself(world):
    world.list()
    world.push(99.0)
    await world.clock.advance(0.5)
    world.mailbox.put(OpenInterest(9_999, 5.0, world.venue_ms, 15_000, world.clock.monotonic_ms()))
    world.push(101.0)
    await world.clock.advance(0.5)

    assert world.live.n_failed == 1
    assert ("level", "firing") in await world.transitions()


async def test_a_slow_disk_does_not_stop_the_watching_and_its_rows_are_told_from_memory(rules_of, perpetual):
    world = World(rules_of(RULES), [perpetual("A")])
    held = asyncio.Event()
    commit = world.alerts.commit

    async def slow(change):
        await held.wait()
        await commit(change)

    world.alerts.commit = slow
    async with running(world):
        world.list()
        world.push(101.0)
        await world.clock.advance(2.5)
        n_ticks = world.live.n_ticks
        assert [r.view.symbol for r in world.woken[0]] == ["AUSDT"]
        assert world.committer.is_behind
        for _ in range(5):
            world.push(101.0)
            await world.clock.advance(1)
        assert world.live.n_ticks >= n_ticks + 5

        held.set()
        await world.clock.advance(1)
        assert ("level", "firing") in await world.transitions()
        assert not world.committer.is_behind


class FullDisk:
    """A recorder whose disk is full is `JournalWriter`'s business; this one only counts."""

    def __init__(self):
        self.calls = []

    def record(self, item):
        self.calls.append("record")

    def tick(self, now_ms):
        self.calls.append("tick")

    def flush(self):
        self.calls.append("flush")


async def test_the_journal_is_flushed_before_what_a_tick_caused_is_stored(rules_of, perpetual):
    recorder = FullDisk()
    world = World(rules_of(RULES), [perpetual("A")], recorder=recorder)
    stored_after = []
    commit = world.alerts.commit

    async def watched(change):
        stored_after.append(list(recorder.calls))
        await commit(change)

    world.alerts.commit = watched
    async with running(world):
        world.list()
        world.push(101.0)
        await world.clock.advance(0.5)

    assert stored_after[0][-2:] == ["tick", "flush"]


# -- order and time ----------------------------------------------------------------------------------------------

PROBES = "".join(
    f"- {{id: {name}, when: '{window} > -1 and price >= 500', cooldown: 1h}}\n"
    for name, window in [
        ("mean", "avg(price, 10s)"),
        ("low", "min(price, 10s)"),
        ("high", "max(price, 6s)"),
        ("spread", "std(price, 10s)"),
        ("move", "pct(price, 8s)"),
    ]
)
"""Rules that tell the value of a window at the moment at which the price is 500."""


async def probed(rules_of, perpetual, arrivals):
    """What the windows of a run say. `arrivals`: at each second the events that arrive then, as seconds."""
    world = World(rules_of(PROBES), [perpetual("A")])
    async with running(world):
        world.list()
        start_ms = world.venue_ms
        for second in range(20):
            for event_s in arrivals.get(second, [second]):
                world.push(100.0 + event_s**2 % 13, event_ms=start_ms + event_s * 1_000)
            await world.clock.advance(1)
        world.push(500.0)
        await world.clock.advance(0.5)
        found = {t.rule_id: t.value for t in await world.alerts.transitions(limit=100)}
    assert set(found) == {"mean", "low", "high", "spread", "move"}
    return found


async def test_a_push_three_seconds_ahead_is_held_out_and_counted(world):
    world.list()
    for _ in range(5):
        world.push(99.0)
        await world.clock.advance(1)

    world.push(101.0, event_ms=world.venue_ms + 3_000)
    await world.clock.advance(1)

    assert world.live.n_held_out == 1
    assert await world.transitions() == []
    assert abs(world.engine.now_ms - world.venue_ms) < 1_100
    world.push(101.0)
    await world.clock.advance(0.5)
    assert ("level", "firing") in await world.transitions()


async def test_three_pushes_ahead_that_agree_move_time_on_and_are_taken(world):
    world.list()
    for _ in range(5):
        world.push(99.0)
        await world.clock.advance(1)
    for k in range(3):
        assert await world.transitions() == [], f"{k} witnesses are not enough"
        world.push(101.0, event_ms=world.venue_ms + 60_000)
        await world.clock.advance(1)

    assert world.live.n_held_out == 2
    assert ("level", "firing") in await world.transitions()
    assert world.resets == 1, "the minute between is asked for"
    assert abs(world.engine.now_ms - world.venue_ms - 60_000) < 1_100


@pytest.mark.parametrize(("slept_ms", "missed"), [(8 * 3_600_000, 1), (20_000, 0)])
async def test_what_a_machine_that_slept_has_missed_is_asked_for(recorded, slept_ms, missed):
    """Its monotonic clock stood still meanwhile, so nothing else notices."""
    world = recorded
    world.list()
    for _ in range(5):
        world.push(99.0)
        await world.clock.advance(1)
    world.venue_ahead_ms += slept_ms
    for _ in range(5):
        world.push(99.0)
        await world.clock.advance(1)

    assert world.resets == missed
    assert sum(isinstance(item, Reset) for item in world.live._recorder.items) == 0, "the windows stay"


async def test_open_interest_that_is_polled_before_the_pushes_tell_of_a_sleep_fires_nothing(rules_of, perpetual):
    """What built up in an hour did not do so in the minute before the machine slept."""
    world = World(rules_of("- {id: surge, when: 'pct(oi, 1m) >= 5%'}\n"), [perpetual("A")])

    async def pass_(seconds, amount, *, is_connected=True):
        for n in range(seconds):
            if n % 15 == 0:
                received_ms = world.clock.monotonic_ms()
                world.mailbox.put(OpenInterest(0, amount, world.venue_ms, 15_000, received_ms))
            if is_connected:
                world.push(90.0)
            await world.clock.advance(1)

    async with running(world):
        world.list()
        await pass_(90, 100.0)
        world.venue_ahead_ms += HOUR_MS
        woken_ms = world.venue_ms
        # The old connection is given up after a while of silence; polls go on.
        await pass_(16, 110.0, is_connected=False)
        await pass_(90, 110.0)
    assert await world.transitions() == []
    assert world.live.n_failed == 0
    held = world.engine.market.tiers[0]
    numbers = np.arange(woken_ms // 1_000 + 20, world.venue_ms // 1_000 - 1)
    assert np.isfinite(held.ends(INDEX["oi"], numbers)[0][:, 0]).all(), "what was held out speaks from when it came"


async def heard(world, seconds):
    """Prices and liquidations have come for so long."""
    world.list()
    world.mailbox.put(FeedStatus("liquidations", True, "every event is heard", 0.0, 0.0))
    for _ in range(seconds):
        world.push(99.0)
        await world.clock.advance(1)


async def test_what_was_forced_while_a_machine_slept_is_unknown_and_not_nothing(recorded):
    """The stream of liquidations cannot tell: by its clock no time has passed."""
    world = recorded
    await heard(world, seconds=5)
    slept_from_ms = world.venue_ms
    world.venue_ahead_ms += 3_600_000
    woken_ms = world.venue_ms
    # A connection that is made before the prices have told the time is dated by the clock that stood still.
    world.mailbox.put(FeedStatus("liquidations", False, "closed", 5_000.0, 5_000.0))
    world.mailbox.put(FeedStatus("liquidations", True, "every event is heard", 5_100.0, 5_100.0))
    for _ in range(5):
        world.push(99.0)
        await world.clock.advance(1)

    log = world.engine.market.liquidations
    since_ms = log.alive_since_ms["binance"]
    assert woken_ms <= since_ms <= woken_ms + 5_000
    assert np.isnan(log.sum("liq_long", 1_800_000, world.venue_ms, np.array([since_ms]))).all()
    assert [live for _, live, _ in covered(world)] == [True, False, True, False, True]
    assert abs(covered(world)[3][2] + T0 - slept_from_ms) < 3_000


@pytest.mark.parametrize("is_cut", [True, False])
async def test_where_a_machine_stood_still_for_seconds_events_are_heard_since_the_connection_was_made(recorded, is_cut):
    world = recorded
    await heard(world, seconds=40)
    world.venue_ahead_ms += 20_000
    woken_ms = world.venue_ms
    if is_cut:
        world.mailbox.put(FeedStatus("liquidations", False, "closed", 40_000.0, 39_500.0))
        world.mailbox.put(FeedStatus("liquidations", True, "every event is heard", 40_100.0, 40_100.0))
    for _ in range(5):
        world.push(99.0)
        await world.clock.advance(1)
    since_ms = world.engine.market.liquidations.alive_since_ms["binance"]
    assert since_ms == (woken_ms + 100 if is_cut else T0)
    assert world.resets == 0


async def test_a_feed_of_events_that_was_lost_before_a_machine_slept_stays_lost(recorded):
    world = recorded
    world.list()
    world.push(99.0)
    await world.clock.advance(1)
    world.mailbox.put(FeedStatus("liquidations", False, "closed", 900.0, 900.0))
    world.venue_ahead_ms += 3_600_000
    for _ in range(5):
        world.push(99.0)
        await world.clock.advance(1)
    assert [live for _, live, _ in covered(world)] == [False]


async def test_pushes_that_were_late_for_a_while_cost_no_coverage(recorded):
    world = recorded
    world.list()
    world.mailbox.put(FeedStatus("liquidations", True, "every event is heard", 0.0, 0.0))
    for late_ms in [0] * 5 + [4_000] * 5 + [0] * 5:
        world.push(99.0, event_ms=world.venue_ms - late_ms)
        await world.clock.advance(1)
    assert abs(world.engine.now_ms - world.venue_ms) < 1_500
    assert [live for _, live, _ in covered(world)] == [True]


async def test_a_venue_whose_clock_goes_back_by_a_minute_starts_the_windows_again(world):
    world.list()
    for _ in range(20):
        world.push(101.0)
        await world.clock.advance(1)
    for _ in range(3):
        assert world.resets == 0
        world.push(101.0, event_ms=world.venue_ms - 60_000)
        await world.clock.advance(1)

    assert world.resets == 1
    states = await world.transitions()
    assert ("level", "firing") in states
    assert ("level", "resolved") not in states, "what fires stays"
    assert abs(world.engine.now_ms - world.venue_ms + 60_000) < 1_100

    for n in range(10):
        world.push(102.0 + n, event_ms=world.venue_ms - 60_000)
        await world.clock.advance(1)
    peak = next(r.peak for r in await world.alerts.load() if r.rule_id == "level")
    assert peak is not None
    assert peak > 105.0, "what moves without a transition is stored again within seconds"


async def test_a_straggler_goes_into_the_next_tick(world):
    world.list()
    world.push(99.0, 99.0)
    await world.clock.advance(1)
    event_ms = world.venue_ms
    world.push(99.0, event_ms=event_ms)
    await world.clock.advance(0.05)
    assert world.live.n_ticks == 2
    decided_ms = world.engine.now_ms

    world.push(99.0, 101.0, event_ms=event_ms)
    assert await world.transitions() == []
    await world.clock.advance(0.05)

    assert world.live.n_ticks == 3
    assert await world.transitions() == [("level", "firing"), ("slow", "pending")]
    (fired, *_) = await world.alerts.transitions(limit=10)
    assert fired.at_ms > decided_ms, "what was decided is not decided again"


@pytest.mark.parametrize(
    "arrivals",
    [
        {k: [k, k] for k in range(20)},
        {k: [k, k - 1, k] for k in range(1, 20)},
        {k: [k, max(k - 5, 0)] for k in range(20)},
    ],
    ids=["twice", "again a second later", "again after five seconds"],
)
async def test_messages_that_come_again_change_no_window(arrivals, rules_of, perpetual):
    assert await probed(rules_of, perpetual, arrivals) == await probed(rules_of, perpetual, {})


@pytest.mark.parametrize(
    "arrivals",
    [
        {13: [], 14: [14, 13]},
        {13: [], 14: [13, 14]},
        {12: [], 13: [], 14: [13, 14, 12]},
        {13: [], 14: [14], 15: [13, 15]},
        {13: [], 14: [14], 15: [15, 13]},
        {17: [], 18: [18], 19: [19, 17]},
    ],
    ids=["swapped", "late", "three", "after the next tick", "after the next tick, swapped", "just before"],
)
async def test_messages_in_another_order_give_the_same_windows(arrivals, rules_of, perpetual):
    assert await probed(rules_of, perpetual, arrivals) == await probed(rules_of, perpetual, {})


async def test_a_message_of_the_future_leaves_the_windows_as_they_are(rules_of, perpetual):
    arrivals = {8: [8, 12], 12: [12, 900], 15: [900, 15]}

    assert await probed(rules_of, perpetual, arrivals) == await probed(rules_of, perpetual, {})


async def test_a_message_that_never_comes_does_change_them(rules_of, perpetual):
    """Else the tests above would prove nothing."""
    plain = await probed(rules_of, perpetual, {})

    for second in (12, 13, 17):
        assert await probed(rules_of, perpetual, {second: []}) != plain


class SlowStore(MemoryAlertStore):
    """Takes its time for each commit."""

    def __init__(self, outbox, clock, seconds):
        super().__init__(outbox)
        self._clock = clock
        self._seconds = seconds

    async def commit(self, change):
        await self._clock.sleep(self._seconds)
        await super().commit(change)


async def test_a_frame_that_arrives_during_a_commit_waits_for_no_longer_than_the_commit(rules_of, perpetual):
    """Prices of 950 instruments, a tick that fires, and the next second's frame while that is being stored."""
    world = World(rules_of("- {id: level, when: price >= 100}\n"), [perpetual(f"C{i}") for i in range(950)])
    commit_s = 1.3
    store = SlowStore(world.outbox, world.clock, commit_s)
    world.committer = Committer(store, world.clock)
    world.live._committer = world.committer
    ticked = []
    real_tick = world.engine.tick
    world.engine.tick = lambda now_ms: (ticked.append((world.clock.monotonic_ms() / 1_000, now_ms)), real_tick(now_ms))[
        1
    ]
    world.list()
    async with running(world):
        world.push(*[99.0] * 950)
        await world.clock.advance(1)
        world.push(*[101.0] + [99.0] * 949)
        await world.clock.advance(1)
        world.push(*[101.0, 101.0] + [99.0] * 948)
        await world.clock.advance(3)

    (fired_s, _), (next_s, next_now_ms) = ticked[1:3]
    arrived_s = 2.0
    assert fired_s + commit_s > arrived_s, "the frame arrived while the commit was pending"
    assert next_s - arrived_s <= commit_s
    assert next_s == pytest.approx(fired_s + commit_s, abs=0.05)
    assert next_now_ms >= T0 + 2_000
    assert len(world.live.fired_ms) == 2
    assert {t.symbol for t in await store.transitions() if t.state is State.FIRING} == {"C0USDT", "C1USDT"}


class Kept:
    """Remembers when it was told what."""

    def __init__(self):
        self.seen = []

    def time_known(self, now_ms):
        self.seen.append(("known", now_ms, len(self.world.engine.market.universe)))

    def ticked(self, now_ms):
        self.seen.append(("tick", now_ms, self.world.live.n_ticks))


async def test_the_keeper_of_windows_comes_before_anything_is_consumed_and_after_each_tick(rules_of, perpetual):
    keeper = Kept()
    world = keeper.world = World(rules_of(RULES), [perpetual("A")], keeper=keeper)
    async with running(world):
        world.list()
        await world.clock.advance(3)
        assert keeper.seen == []
        world.mailbox.put(VenueTime(T0 + 50_000, world.clock.monotonic_ms()))
        await world.clock.advance(2.5)
    assert keeper.seen[0] == ("known", T0 + 50_000, 0)
    assert [(what, n) for what, _, n in keeper.seen[1:]] == [("tick", k + 1) for k in range(len(keeper.seen) - 1)]
    assert len(keeper.seen) >= 3


async def test_what_new_rules_need_is_looked_at_after_the_tick_that_decides_who_is_in_their_scope(rules_of, perpetual):
    """Right after a reload nobody is in it yet, and who looks then learns nothing for a minute."""
    before = "- {id: one, when: 'sum(volume, 1h) > 0', scope: {symbols: [A*]}}\n"
    world = World(rules_of(before), [perpetual("A"), perpetual("B")])
    looked = []

    def look():
        looked.append([need.flow_window_ms > 0 for need in world.engine.needs()])

    async with running(world):
        world.list()
        world.push(90.0, 50.0)
        await world.clock.advance(1)
        both = rules_of(before + "- {id: other, when: 'sum(volume, 1h) > 0', scope: {symbols: [B*]}}\n")
        world.live.consume(RulesChanged(both, {}, ()))
        world.live.after_tick(look)
        assert looked == []
        await world.clock.advance(5)
    assert looked == [[True, True]]


# -- questions ---------------------------------------------------------------------------------------------------------


async def test_a_question_right_after_a_tick_is_answered_at_once(world):
    world.list()
    world.push(99.0)
    await world.clock.advance(0.05)

    assert await world.live.at_tick(lambda: world.engine.now_ms) == world.engine.now_ms


async def test_where_something_came_since_the_question_waits_for_the_next_tick(world):
    """Else it would speak of samples that no decision has used yet."""
    world.list()
    world.push(99.0)
    await world.clock.advance(0.05)
    first = world.live.n_ticks
    world.mailbox.put(OpenInterest(0, 5.0, world.venue_ms, 15_000, world.clock.monotonic_ms()))
    await world.clock.advance(0.05)

    asked = asyncio.create_task(world.live.at_tick(lambda: world.live.n_ticks))
    await world.clock.advance(0.05)
    assert not asked.done()
    await world.clock.advance(1.5)

    assert await asked == first + 1


async def test_a_question_that_fails_is_told_to_who_asked_and_the_loop_goes_on(world):
    world.list()
    world.push(99.0)
    await world.clock.advance(0.05)
    world.mailbox.put(OpenInterest(0, 5.0, world.venue_ms, 15_000, world.clock.monotonic_ms()))
    await world.clock.advance(0.05)

    asked = asyncio.create_task(world.live.at_tick(lambda: 1 / 0))
    given_up = asyncio.create_task(world.live.at_tick(lambda: 1))
    await world.clock.advance(0.01)
    given_up.cancel()
    await world.clock.advance(2.0)

    with pytest.raises(ZeroDivisionError):
        await asked
    before = world.live.n_ticks
    await world.clock.advance(2.0)
    assert world.live.n_ticks > before


async def test_before_venue_time_is_known_nothing_is_waited_for(rules_of, perpetual):
    world = World(rules_of(RULES), [perpetual("A")])
    assert await world.live.at_tick(lambda: "now") == "now"


OF_CHATS = """
- {id: level, when: price >= 100}
- {id: in_mine, when: price >= 300}
- {id: in_other, when: price >= 400}
"""


def explainer(world, chat_alerts=None, loaded=(), muting=None, **more):
    return Explainer(
        engine=world.engine,
        live=world.live,
        alerts=world.alerts,
        chat_alerts=chat_alerts or MemoryChatAlertStore(world.alerts),
        loaded=lambda: [*world.engine.rules, *loaded],
        muting=muting or Muting(),
        **more,
    )


async def test_an_explanation_tells_what_keeps_it_quiet_now(world):
    world.list()
    world.push(99.0)
    await world.clock.advance(0.05)
    now_ms = world.live.venue_now()
    there = Silence("s-1", now_ms, now_ms + 60_000, "telegram:7", now_ms, symbol="A*", destination="discord")
    over = Silence("s-2", now_ms - 9, now_ms - 1, "telegram:7", now_ms - 9)
    other = Silence("s-3", now_ms, now_ms + 60_000, "telegram:7", now_ms, rule="slow")
    world.live.routes = Routes.of(["telegram", "discord"])
    why = explainer(world, muting=Muting(silences=[there, over, other]))
    found = await why.explain("level", "binance:AUSDT")
    assert found.hushed == (Hush("silence", "telegram:7", there.ends_ms, "discord", "s-1"),)


async def test_an_explanation_carries_its_newest_five_changes(world, rules_of):
    off = rules_of("- {id: off, enabled: false, when: price > 1}\n")
    why = explainer(world, loaded=off)
    world.list()
    world.push(99.0)
    await world.clock.advance(0.05)
    assert await why.explain("nobody", "binance:AUSDT") is None
    assert [(r.id, r.is_on) for r in why.rules()] == [("level", True), ("slow", True), ("off", False)]

    past = [Transition("level", "binance", "AUSDT", State.FIRING, n, 1.0, f"{n:064x}") for n in range(7)]
    await world.alerts.commit(Commit((), tuple(past), ()))
    found = await why.explain("level", "binance:AUSDT")
    assert (found.verdict, found.value) == ("false", 99.0)
    assert [t.at_ms for t in found.history] == [6, 5, 4, 3, 2]
    glances, n_more = await why.glances("binance:AUSDT")
    assert ([g.rule_id for g in glances], n_more) == (["level", "slow"], 0)


async def test_alerts_that_another_chat_made_are_not_shown(world):
    chat_alerts = MemoryChatAlertStore(world.alerts)
    mine = ChatAlert("a-7q4mk2px", "telegram:1", "telegram:9", "binance:AUSDT", "price", ">", 1.0, False, 0)
    await chat_alerts.add(mine)
    key = alert_key(mine.id, "binance:AUSDT", 5)
    fired = Transition(mine.id, "binance", "AUSDT", State.FIRING, 5, 1.0, key)
    await world.alerts.commit(Commit((), (fired,), ()))
    why = explainer(world, chat_alerts)

    assert await why.firing(short_id(key)[:5], "telegram:1") == [fired]
    assert await why.firing(short_id(key)[:5], "telegram:2") == []


async def test_what_a_silence_kept_is_handed_to_the_lanes_when_the_database_is_slow(rules_of, perpetual):
    """Rows that were released but not stored in time are told from memory, the firing before its end."""

    class Stuck(MemoryAlertStore):
        is_stuck = False

        async def commit(self, change):
            if self.is_stuck:
                await asyncio.Event().wait()
            await super().commit(change)

    world = World(rules_of("- {id: level, when: price >= 100}\n"), [perpetual("A")])
    world.alerts = Stuck(world.outbox)
    world.committer._store = world.alerts
    world.live._muting.add(Silence("s-1", T0, T0 + 10_000, "t", T0))
    async with running(world):
        world.list()
        world.push(99.0)
        await world.clock.advance(1)
        world.push(101.0)
        await world.clock.advance(1)
        assert (await world.outbox.counts())["muted"] == 1
        assert world.woken == []
        world.alerts.is_stuck = True
        await world.clock.advance(15)
        ((row,),) = [rows for rows in world.woken if rows]
        assert (row.kind, row.created_ms >= T0 + 10_000) == ("fire", True)


async def test_conditions_of_other_chats_are_nobody_elses_business(rules_of, perpetual):
    rules = [replace(rule, id=rule.id.replace("in_", "c_")) for rule in rules_of(OF_CHATS)]
    world = World(rules, [perpetual("A"), perpetual("B")])
    chat_alerts = MemoryChatAlertStore(world.alerts)
    mine = ChatAlert("a-7q4mk2px", "telegram:1", "telegram:9", "binance:AUSDT", "price", ">", 200.0, False, 0)
    for alert in (
        mine,
        replace(mine, id="a-00000000", chat="telegram:2"),
        replace(mine, id="a-11111111", instrument="binance:BUSDT"),
    ):
        await chat_alerts.add(alert)
        world.engine.consume(AlertAdded(alert))
    why = explainer(world, chat_alerts, made_in=lambda chat: {"telegram:1": ["c_mine"]}.get(chat, []))
    async with running(world):
        world.list()
        world.push(99.0)
        await world.clock.advance(0.05)
        found, _ = await why.glances("binance:AUSDT", chat="telegram:1")
        assert {one.rule_id for one in found} == {"level", "c_mine", "a-7q4mk2px"}
        assert {rule.id for rule in why.rules("telegram:1")} == {"level", "c_mine"}
        assert {rule.id for rule in why.rules()} == {"level", "c_mine", "c_other"}
        assert await why.explain("c_other", "binance:AUSDT", chat="telegram:1") is None
        assert (await why.explain("c_mine", "binance:AUSDT", chat="telegram:1")).rule_id == "c_mine"
        assert (await why.explain_alert("a-7q4m", "telegram:1")).rule_id == "a-7q4mk2px"
        assert await why.explain_alert("a-0000", "telegram:1") is None
        everything, _ = await why.glances("binance:AUSDT")
        assert {one.rule_id for one in everything} == {"level", "c_mine", "c_other"}
