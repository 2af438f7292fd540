"""Engine, outbox, SQLite and scorecard together: what is scored, when it is told, and what a restart changes."""

import asyncio
import contextlib

import numpy as np
import pytest

from bot.app.committer import Committer
from bot.app.live import Live
from bot.app.mutes import Mutes
from bot.app.routing import Routes
from bot.app.score_desk import LATE_MS, WEEK_MS, WEEKLY_KEY, Manner, ScoreDesk
from bot.clock import ManualClock
from bot.delivery.layout import compose
from bot.delivery.markup import plain_text
from bot.engine.aftermath import RingAftermath
from bot.engine.engine import Engine
from bot.history.scorecard import Scorer
from bot.market.mailbox import Mailbox
from bot.model.outbox import Delivered, Layout, Message
from bot.model.scorecard import HORIZONS_MS, N_DRAWS, Moment, Quadrant, Score
from bot.model.updates import InstrumentList, MarkPrices, OpenInterest
from bot.storage.alerts import SqliteAlertStore
from bot.storage.database import open_database
from bot.storage.key_values import SqliteKeyValues
from bot.storage.outbox import SqliteOutbox
from bot.storage.scores import SqliteScoreStore
from tests.support.middle import RunningMiddle

T0 = 1_767_225_600_000
MINUTE_MS = 60_000
RULES = "- {id: level, name: Level, when: price >= 100, clear: price < 50, cooldown: 0s}\n"
CHAT, NAME = "telegram:7", "telegram:7"


class Run(RunningMiddle):
    """One run of the bot's middle over a database, with its scorecard."""

    def __init__(self, clock, path, rules, instruments, replies="quiet"):
        self.clock, self.path, self.rules, self.instruments = clock, path, rules, instruments
        self.manner = Manner(replies=replies, weekly=True, keep_days=90)

    async def __aenter__(self):
        opened = await open_database(self.path, now_ms=self.clock.wall_ms())
        self.database = opened.database
        self.outbox, self.store = SqliteOutbox(self.database), SqliteScoreStore(self.database)
        self.values, alerts = SqliteKeyValues(self.database), SqliteAlertStore(self.database)
        mutes = await Mutes.load(self.database)
        self.mailbox, self.engine = Mailbox(), Engine(self.rules, records=await alerts.load())
        self.committer = committer = Committer(alerts, self.clock)
        self.live = Live(
            engine=self.engine,
            mailbox=self.mailbox,
            clock=self.clock,
            committer=committer,
            routes=Routes.of([NAME], chats={CHAT: NAME}),
            on_rows=lambda _: None,
            muting=mutes.muting,
        )
        self.desk = ScoreDesk(
            store=self.store,
            outbox=self.outbox,
            values=self.values,
            scorer=lambda started_ms: Scorer(RingAftermath(self.engine), started_ms=started_ms),
            live=self.live,
            manner=self.manner,
            names=lambda: {NAME},
            rule_ids=lambda: {"level"},
            clock=self.clock,
        )
        self.tasks = [asyncio.create_task(self.live.run()), asyncio.create_task(committer.run())]
        self.mailbox.put(InstrumentList("binance", tuple(self.instruments)))
        return self

    async def push(self, *prices):
        self.put_prices(*prices)
        for row, price in enumerate(prices):
            at_ms, heard_ms = self.clock.wall_ms(), self.clock.monotonic_ms()
            self.mailbox.put(OpenInterest(row, 1_000.0 + price, at_ms, 60_000, heard_ms))
        await self.settle(0.03)

    async def until(self, minute, *prices):
        """A push at each whole minute up to that one, and shortly after it; then the scorecard looks."""
        at_ms = self.clock.wall_ms()
        while (at_ms := (at_ms // MINUTE_MS + 1) * MINUTE_MS) <= T0 + minute * MINUTE_MS:
            await self.clock.advance((at_ms - self.clock.wall_ms()) / 1000)
            await self.push(*prices)
        await self.clock.advance(4.0)
        await self.push(*prices)
        await self.desk.look()

    async def fire(self, *, before=(99.0, 99.0), after=(101.0, 99.0)):
        """Fires at minute 2."""
        await self.until(1, *before)
        await self.until(2, *after)

    async def rows(self, kind):
        found = await self.outbox.waiting(NAME, now_ms=1 << 50, limit=99)
        return [row for row in found if row.kind == kind]

    async def deliver(self, kind="fire", name="m-1", layout=Layout.ALERT):
        ids = tuple(row.id for row in await self.rows(kind))
        assert ids
        message = Message(name, NAME, ids, 0, layout=layout)
        await self.outbox.begin(message)
        await self.outbox.settle(message, Delivered("77"), now_ms=self.clock.wall_ms())

    async def cards(self):
        return [plain_text(compose([row], fire=None, edit=False)) for row in await self.rows("score")]

    async def own(self):
        keys = [one.moment.key for one in await self.store.open(since_ms=0)]
        return {s.horizon_ms: s for one in await self.store.own(keys) for s in one.scores}


@pytest.fixture
def run(tmp_path, rules_of, perpetual):
    clock = ManualClock(wall_ms=T0)
    coins = [perpetual(base) for base in ("A", "B")]

    @contextlib.asynccontextmanager
    async def start(**options):
        async with Run(clock, tmp_path / "oibot.db", rules_of(RULES), coins, **options) as made:
            yield made

    start.clock = clock
    return start


QUARTER, HOUR, _ = HORIZONS_MS


async def test_an_alert_is_scored_after_15_minutes_and_told_under_its_message(run):
    async with run() as bot:
        await bot.fire()
        await bot.deliver()
        await bot.until(10, 104.0, 99.0)
        await bot.until(16, 103.0, 99.0)
        assert await bot.cards() == []
        await bot.until(17, 102.0, 99.0)
        score = (await bot.own())[QUARTER]
        assert score.price == pytest.approx(102 / 101 - 1, rel=1e-5)
        assert score.high == pytest.approx(104 / 101 - 1, rel=1e-5)
        assert score.low == 0.0
        assert score.oi is not None
        [row] = await bot.rows("score")
        [text] = await bot.cards()
        assert text.startswith("📊 AUSDT · Level  15m after 00:02 UTC")
        assert "+0.99%" in text
        assert row.view.silent
        assert row.view.answers == (await bot.store.open(since_ms=0))[0].moment.key
        # Nothing more is said until there is more to say.
        await bot.until(18, 102.0, 99.0)
        assert len(await bot.cards()) == 1


async def test_an_alert_told_before_a_restart_is_scored_after_it(run):
    async with run() as bot:
        await bot.fire()
        await bot.deliver()
        await bot.until(6, 101.0, 99.0)
    async with run() as bot:
        await bot.until(7, 101.0, 99.0)
        await bot.until(16, 105.0, 99.0)
        await bot.until(17, 103.0, 99.0)
        assert await bot.cards() == [], "what lies on the way may still come in"
        await bot.until(24, 150.0, 99.0)
        score = (await bot.own())[QUARTER]
        # From the price that was told before the restart to that of the minute which was due, not to that of now.
        assert score.price == pytest.approx(103 / 101 - 1, rel=1e-5)
        assert (score.high, score.low) == (None, None), "too much of the way was missed"
        [text] = await bot.cards()
        assert "+1.98%" in text
        assert "highest" not in text


async def test_a_moment_missed_while_the_bot_was_down_is_unknown_and_no_later_price_takes_its_place(run):
    async with run() as bot:
        await bot.fire()
        await bot.deliver()
    await run.clock.advance(30 * 60.0)
    async with run() as bot:
        await bot.until(34, 150.0, 99.0)
        assert QUARTER not in await bot.own()
        await bot.until(50, 150.0, 99.0)
        score = (await bot.own())[QUARTER]
        assert (score.price, score.oi, score.high, score.low) == (None, None, None, None)
        [text] = await bot.cards()
        assert "15m  price not known  OI not known" in text
        await bot.until(62, 120.0, 99.0)
        await bot.until(65, 150.0, 99.0)
        score = (await bot.own())[HOUR]
        assert score.price == pytest.approx(120 / 101 - 1, rel=1e-5)
        assert score.high is None


async def test_an_alert_that_fired_just_before_a_crash_is_found_in_the_outbox(run):
    async with run() as bot:
        await bot.until(1, 99.0, 99.0)
        await bot.clock.advance(50.0)
        await bot.push(101.0, 99.0)
        assert len(await bot.rows("fire")) == 1
        assert await bot.store.open(since_ms=0) == [], "nobody had looked"
    async with run() as bot:
        await bot.until(3, 101.0, 99.0)
        [found] = await bot.store.open(since_ms=0)
        assert (found.moment.instrument, found.moment.price) == ("binance:AUSDT", pytest.approx(101.0))


async def test_stale_prices_at_the_end_are_no_outcome(run):
    async with run() as bot:
        await bot.fire()
        await bot.deliver()
        await bot.until(14, 101.0, 99.0)
        # Only B is told of from here on.
        await bot.clock.advance(2 * 60.0)
        for minute in (17, 18, 19, 20):
            await bot.clock.advance((T0 + minute * MINUTE_MS - bot.clock.wall_ms()) / 1000)
            bot.mailbox.put(
                MarkPrices(
                    rows=np.array([1], dtype=np.int32),
                    price=np.array([99.0]),
                    index=np.array([99.0]),
                    funding=np.zeros(1),
                    next_funding_ms=np.zeros(1, dtype=np.int64),
                    event_ms=np.array([bot.clock.wall_ms()], dtype=np.int64),
                    received_ms=bot.clock.monotonic_ms(),
                )
            )
            await bot.settle(0.03)
            await bot.desk.look()
        # After the patience for what is under way a fresh price would be at hand.
        await bot.until(21, 140.0, 99.0)
        await bot.until(24, 140.0, 99.0)
        score = (await bot.own())[QUARTER]
        assert (score.price, score.oi) == (None, None)


async def test_alerts_of_one_message_are_scored_in_one(run):
    async with run() as bot:
        await bot.fire(after=(101.0, 102.0))
        await bot.deliver(layout=Layout.DIGEST)
        await bot.until(17, 103.0, 99.0)
        [text] = await bot.cards()
        assert text.startswith("📊 2 coins: Level  15m after")
        assert "price higher in 1, lower in 1" in text


@pytest.mark.parametrize("symbols", [("AUSDT", "BUSDT"), ("BUSDT", "AUSDT")])
async def test_alerts_of_one_message_stand_in_the_order_of_their_firing(run, symbols):
    is_first = [symbol == symbols[0] for symbol in ("AUSDT", "BUSDT")]
    async with run() as bot:
        await bot.until(1, 99.0, 99.0)
        await bot.until(2, *(101.0 if first else 99.0 for first in is_first))
        await bot.until(3, 101.0, 101.0)
        await bot.deliver(layout=Layout.DIGEST)
        await bot.until(18, 103.0, 103.0)
        await bot.until(19, 103.0, 103.0)
        text = (await bot.cards())[-1]
        assert text.startswith("📊 2 coins: Level  15m after 00:02 UTC")
        assert text.index(symbols[0]) < text.index(symbols[1])
        [(minute, symbol)] = {
            (row.view.fired_ms // MINUTE_MS, row.view.scored[0].symbol) for row in await bot.rows("score")
        }
        assert (minute - T0 // MINUTE_MS, symbol) == (2, symbols[0])


async def test_a_score_waits_for_a_message_that_is_late_but_not_for_ever(run):
    async with run() as bot:
        await bot.fire()
        await bot.until(17, 103.0, 99.0)
        await bot.until(19, 103.0, 99.0)
        assert await bot.cards() == []
        await bot.deliver()
        await bot.until(21, 103.0, 99.0)
        [text] = await bot.cards()
        assert "15m  price" in text
    late_ms = QUARTER + LATE_MS
    assert late_ms < HORIZONS_MS[-1]


async def test_what_was_stored_and_not_told_is_told_after_a_crash_and_once(run):
    async with run() as bot:
        await bot.fire()
        await bot.deliver()
        [found] = await bot.store.open(since_ms=0)
        await bot.store.settle([Score(found.moment.key, 0, QUARTER, 0.01, 0.01, 0.02, 0.0)])
    async with run() as bot:
        await bot.until(18, 103.0, 99.0)
        assert len(await bot.cards()) == 1
        await bot.database.write("t", lambda tx: tx.execute("UPDATE scores SET is_told = 0", ()))
    async with run() as bot:
        await bot.until(20, 103.0, 99.0)
        assert len(await bot.cards()) == 1, "told again it is the same row"


async def test_each_chat_decides_whether_it_hears_of_scores(run):
    async with run(replies="off") as bot:
        await bot.fire()
        await bot.deliver()
        await bot.until(17, 103.0, 99.0)
        assert await bot.cards() == []
        assert await bot.desk.replies_of(NAME) == ("off", False)
        await bot.desk.set_replies(NAME, "on")
        [found] = await bot.store.open(since_ms=0)
        await bot.store.settle([Score(found.moment.key, 0, HOUR, 0.01, 0.01, 0.02, 0.0)])
    async with run(replies="off") as bot:
        await bot.until(19, 103.0, 99.0)
        [row] = await bot.rows("score")
        assert not row.view.silent
        assert "15m  price" in (await bot.cards())[0], "what was known before is told with it"
        await bot.desk.forget(CHAT)
        assert await bot.desk.replies_of(NAME) == ("off", False)


async def test_a_fault_of_our_own_ends_nothing(run, monkeypatch, caplog):
    async with run() as bot:
        await bot.fire()
        looks = []

        async def faulty():
            looks.append(bot.clock.wall_ms())
            raise ValueError("odd")

        monkeypatch.setattr(bot.desk, "look", faulty)
        task = asyncio.create_task(bot.desk.run())
        await bot.settle(130.0)
        assert not task.done()
        task.cancel()
        assert len(looks) == 2
        assert "scores.failed" in caplog.text


def idle_alerts(now_ms):
    """A rule after whose alerts prices move as at other times."""
    moments, scores = [], []
    for n in range(60):
        key = f"{n:064x}"
        at_ms = now_ms - (n + 2) * 24 * HOUR
        moments.append(Moment(key, "level", "Level", "binance:AUSDT", at_ms, 1.0, 1.0, Quadrant.FLAT))
        for draw in range(N_DRAWS + 1):
            change = 0.01 * ((draw + n) % (N_DRAWS + 1))
            scores += [Score(key, draw, horizon_ms, change, None, None, None) for horizon_ms in HORIZONS_MS]
    return moments, scores


async def test_once_a_week_it_is_said_which_rules_add_nothing(run):
    async with run() as bot:
        moments, scores = idle_alerts(T0)
        await bot.store.add(moments)
        await bot.store.settle(scores)
        await bot.until(1, 99.0, 99.0)
        assert await bot.rows("fire") == [], "the first comes a week after the first start"
        await bot.values.put(WEEKLY_KEY, str(T0 - WEEK_MS))
    async with run() as bot:
        await bot.until(2, 99.0, 99.0)
        [row] = await bot.rows("fire")
        assert "Level adds nothing." in row.view.report
        assert [offer.command for offer in row.view.offers] == ["/rules off level", "/score"]
        await bot.until(4, 99.0, 99.0)
        assert len(await bot.rows("fire")) == 1
        assert await bot.desk.title_of("level") == "Level"
        assert (await bot.desk.totals(symbol="AUSDT")).n_alerts == 60
        assert [one.rule_id for one in await bot.desk.rules()] == ["level"]
    # News of the bot are no alerts of a contract.
    async with run() as bot:
        await bot.until(6, 99.0, 99.0)
        assert await bot.store.open(since_ms=T0) == []
