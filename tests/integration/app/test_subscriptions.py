"""Chats choose their rules: engine, extra rules, routing, SQLite and commands together, over restarts and reloads."""

import asyncio
import contextlib

import numpy as np
import pytest

from bot.app.committer import Committer
from bot.app.extra_rules import ExtraRules
from bot.app.followed import Followed
from bot.app.live import Live
from bot.app.loading import load
from bot.app.moves import Moves
from bot.app.rule_desk import RuleShelf
from bot.app.subscribing import Subscribing
from bot.chat.actions import Actions
from bot.chat.asker import in_telegram
from bot.chat.commands import parse
from bot.chat.front import answer_safely
from bot.chat.rule_actions import RuleActions
from bot.chat.telegram_html import to_plain
from bot.clock import ManualClock
from bot.engine.engine import Engine
from bot.history.recorded_rules import rules_of as recorded_rules
from bot.market.mailbox import Mailbox
from bot.model.updates import InstrumentList, MarkPrices
from bot.settings import Settings
from bot.storage.alerts import SqliteAlertStore
from bot.storage.chat_moves import SqliteChatMoves
from bot.storage.database import open_database
from bot.storage.key_values import SqliteKeyValues
from bot.storage.outbox import SqliteOutbox
from bot.storage.subscriptions import SqliteSubscriptionStore

T0 = 1_767_225_600_000
MINE, GROUP, MEMBER = 71, -1001, 72
LEVEL = "- {id: level, name: Level, when: price >= 100, clear: price < 50, cooldown: 0s, tags: [whale], notify: [mine, group]}\n"
OTHER = "- {id: other, when: price >= 1000, cooldown: 0s, notify: [mine]}\n"
PLACES = f"""destinations:
  mine: {{kind: telegram, chat: {MINE}, default: true}}
  group: {{kind: telegram, chat: {GROUP}}}
"""


class Places:
    """Stands in for what sends: notes the destinations that are added and taken out."""

    def __init__(self):
        self.names = []

    async def add(self, described):
        self.names.append(described.name)

    def remove(self, name):
        self.names = [one for one in self.names if one != name]


class Run:
    """One run of the bot's middle over a database."""

    def __init__(self, clock, folder, instruments):
        self.clock, self.folder, self.instruments = clock, folder, instruments
        self.changes = []

    async def __aenter__(self):
        opened = await open_database(self.folder / "oibot.db", now_ms=self.clock.wall_ms())
        self.database = opened.database
        self.settings = Settings(
            rules_dir=self.folder,
            telegram={"token": "1:a", "owner_id": MINE, "chats": [GROUP]},
            _env_file=None,
        )
        self.loaded = load(self.settings)
        assert self.loaded.errors == ()
        self.extra = ExtraRules(self.loaded)
        self.alerts, self.outbox = SqliteAlertStore(self.database), SqliteOutbox(self.database)
        moves = await Moves.load(SqliteKeyValues(self.database), SqliteChatMoves(self.database))
        followed = Followed(await self.alerts.followed())
        moves.followers.append(followed.rename)
        self.subscribing = await Subscribing.load(SqliteSubscriptionStore(self.database), self.extra, followed=followed)
        self.engine = Engine(self.extra.rules, records=await self.alerts.load())
        self.mailbox = Mailbox()
        committer = self.committer = Committer(self.alerts, self.clock)
        self.live = Live(
            engine=self.engine,
            mailbox=self.mailbox,
            clock=self.clock,
            committer=committer,
            routes=self.loaded.plan.routes,
            on_rows=lambda _: None,
            rows=self.subscribing.rows,
        )
        self.extra.connect(self._consume, lambda: None)
        self.places = Places()
        shelf = RuleShelf(
            self.subscribing,
            engine=self.engine,
            live=self.live,
            sending=self.places,
            rules=self.extra.of_files,
            rename=moves.rename,
            fired=self.alerts.fired,
        )
        self.actions = Actions(RuleActions(shelf, lambda _: None).handlers, language_of=self.subscribing.language_of)
        self.tasks = [asyncio.create_task(self.live.run()), asyncio.create_task(committer.run())]
        self.mailbox.put(InstrumentList("binance", tuple(self.instruments)))
        return self

    def _consume(self, change):
        self.changes.append(change)
        self.live.consume(change)

    async def __aexit__(self, *_):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.database.close()

    def reload(self, text):
        (self.folder / "rules.yaml").write_text(text, encoding="utf-8")
        self.loaded = load(self.settings)
        self.extra.reloaded(self.loaded)
        self.live.routes = self.loaded.plan.routes

    async def ask(self, text, chat=MINE, user=MINE, topic=None):
        asker = in_telegram(chat, user, is_owner=user == MINE, topic=topic)
        return to_plain(await answer_safely(self.actions, parse(text), asker=asker, clock=self.clock))

    async def push(self, price):
        one = np.array([float(price)])
        self.mailbox.put(
            MarkPrices(
                rows=np.zeros(1, dtype=np.int32),
                price=one,
                index=one,
                funding=np.zeros(1),
                next_funding_ms=np.zeros(1, dtype=np.int64),
                event_ms=np.full(1, self.clock.wall_ms(), dtype=np.int64),
                received_ms=self.clock.monotonic_ms(),
            )
        )
        n_ticks = self.live.n_ticks
        await self.clock.advance(1.0)
        async with asyncio.timeout(30):
            while self.live.n_ticks == n_ticks or self.committer.n_waiting:
                await asyncio.sleep(0.002)
                await self.clock.advance(0.01)
        for _ in range(5):
            await asyncio.sleep(0.002)
            await self.clock.advance(0)

    async def told(self, *prices):
        """Who was told what in answer to these prices."""
        before = await self._rows()
        for price in prices:
            await self.push(price)
        return (await self._rows())[len(before) :]

    async def _rows(self):
        rows = [
            row
            for name in ("mine", "group", "group/7", "group/8")
            for row in await self.outbox.waiting(name, now_ms=1 << 50, limit=99)
        ]
        return [
            (r.destination, r.kind.value, r.view.rule_id)
            for r in sorted(rows, key=lambda r: (r.created_ms, r.destination))
        ]


@pytest.fixture
def run(tmp_path, perpetual):
    clock = ManualClock(wall_ms=T0)
    (tmp_path / "rules.yaml").write_text("rules:\n" + LEVEL + OTHER, encoding="utf-8")
    (tmp_path / "destinations.yaml").write_text(PLACES, encoding="utf-8")

    @contextlib.asynccontextmanager
    async def start():
        async with Run(clock, tmp_path, [perpetual("A")]) as made:
            yield made

    return start


BOTH = [("group", "fire", "level"), ("mine", "fire", "level")]


async def test_a_rule_that_is_off_is_not_told_in_that_chat(run):
    async with run() as bot:
        assert await bot.told(99, 101) == BOTH
        assert "not told here any more" in await bot.ask("/rules off level")
        assert await bot.told(40) == [("group", "end", "level"), ("mine", "end", "level")], (
            "whoever was told hears the end"
        )
        assert await bot.told(101, 40) == [("group", "fire", "level"), ("group", "end", "level")]
        assert "1 firings were not told here" in await bot.ask("/rules level")
    async with run() as bot:
        assert await bot.told(99, 101, 40) == [("group", "fire", "level"), ("group", "end", "level")]
        assert "Told here as its file says" in await bot.ask("/rules on level")
        assert await bot.told(101) == BOTH


async def test_what_was_not_told_is_remembered_until_its_end(run):
    async with run() as bot:
        await bot.ask("/rules off level")
        for _ in range(3):
            await bot.told(99, 101)
            assert len(bot.subscribing._untold) == 1
            assert await bot.told(40) == [("group", "end", "level")]
        assert len(bot.subscribing._untold) == 0


async def test_a_rule_of_another_place_can_be_told_here(run):
    async with run() as bot:
        await bot.ask("/rules on other", chat=GROUP)
        assert await bot.told(99, 1_001) == sorted([*BOTH, ("group", "fire", "other"), ("mine", "fire", "other")])


async def test_another_number_makes_a_form_of_the_rule_for_one_chat(run):
    async with run() as bot:
        assert "price >= 160" in await bot.ask("/rules fewer level")
        assert await bot.told(99, 101) == BOTH[:1]
        assert await bot.told(161) == [("mine", "fire", "level")]
        assert await bot.told(79) == [("mine", "end", "level")], "what ends it is moved in proportion"
        assert await bot.told(161) == [("mine", "fire", "level")]
        assert "its file says 100" in await bot.ask("/rules set level 70")
        assert bot.changes[-1].rules == recorded_rules(bot.changes[-1].files, bot.changes[-1].destinations)
    async with run() as bot:
        assert [rule.base for rule in bot.engine.rules] == ["", "", "level"]
        bot.reload("rules:\n" + LEVEL.replace("price >= 100", "price >= 120"))
        assert "price >= 70" in await bot.ask("/rules level")
        assert await bot.told(60) == [("group", "close", "level"), ("mine", "close", "level")]
        assert await bot.told(71) == [("mine", "fire", "level")]
        assert await bot.told(121) == [("group", "fire", "level")]
        await bot.ask("/rules reset level")
        assert [rule.id for rule in bot.engine.rules] == ["level"]
        assert await bot.told(121) == [("mine", "close", "level")]
        assert await bot.told(40) == [("group", "end", "level")], "who was not told it hears nothing of its end"


async def test_a_number_of_which_no_form_can_be_made_is_refused_and_not_kept(run):
    async with run() as bot:
        bot.reload("rules:\n" + LEVEL.replace("price >= 100, clear: price < 50", "'percentile(price, 1h) >= 95'"))
        assert await bot.ask("/rules set level 152") == (
            "Level cannot be told so: level: expected a number between 0.95 and 100, found 152"
        )
        assert bot.subscribing.wish("telegram:71", "level").number is None
        assert "its file says 95" in await bot.ask("/rules set level 99")


async def test_nothing_is_rarer_than_the_first_rank(run):
    async with run() as bot:
        bot.reload("rules:\n" + LEVEL.replace("price >= 100, clear: price < 50", "rank(price) <= 1"))
        assert await bot.ask("/rules fewer level") == (
            "Level cannot be told less often: beyond 1 it would never be true."
        )
        assert "never true" in await bot.ask("/rules set level 0.5")
        await bot.ask("/rules fewer")
        assert [rule.id for rule in bot.engine.rules] == ["level"]
        await bot.ask("/rules more level")
        assert "rank(price) <= 2" in await bot.ask("/rules level")


async def test_a_restart_in_the_middle_of_a_form_ends_nothing(run):
    async with run() as bot:
        await bot.ask("/rules more")
        assert await bot.told(60, 71) == [("mine", "fire", "level")]
    async with run() as bot:
        assert await bot.told(71, 71) == []
        assert await bot.told(34) == [("mine", "end", "level")]


async def test_a_form_follows_its_rule_when_the_file_changes(run):
    async with run() as bot:
        await bot.ask("/rules fewer")
        bot.reload("rules:\n" + LEVEL.replace("price >= 100", "price >= 200"))
        assert "price >= 320" in await bot.ask("/rules level")
        bot.reload("rules:\n" + OTHER)
        assert [rule.base for rule in bot.engine.rules] == ["", "other"]


async def test_a_topic_takes_what_it_names_over_a_restart(run):
    async with run() as bot:
        assert "this is none" in await bot.ask("/here level", chat=GROUP)
        assert "tag whale" in await bot.ask("/here WHALE", chat=GROUP, topic=7)
        assert bot.places.names == ["group/7"]
        assert await bot.told(99, 101) == [("group/7", "fire", "level"), ("mine", "fire", "level")]
    async with run() as bot:
        assert [d.name for d in bot.subscribing.destinations(bot.live.routes)] == ["group/7"]
        await bot.ask("/rules on other", chat=GROUP)
        await bot.ask("/here all", chat=GROUP, topic=8)
        await bot.push(40)
        assert sorted(await bot.told(1_001)) == [
            ("group/7", "fire", "level"), ("group/8", "fire", "other"), ("mine", "fire", "level"), ("mine", "fire", "other"),
        ]  # fmt: skip
        await bot.ask("/here off", chat=GROUP, topic=7)
        assert await bot.outbox.waiting("group/7", now_ms=1 << 50, limit=9) == [], "the group tells what waited"
        assert "Nothing was told here" in await bot.ask("/here off", chat=GROUP, topic=9)


async def test_who_was_told_a_firing_hears_its_end_wherever_the_rule_leads_by_then(run):
    """Over a reload and a restart, both ways."""
    mine_alone = "rules:\n" + LEVEL.replace("[mine, group]", "[mine]")
    async with run() as bot:
        assert await bot.told(99, 101) == BOTH
        bot.reload(mine_alone)
        assert await bot.told(40) == [("group", "end", "level"), ("mine", "end", "level")]
        assert await bot.told(101) == [("mine", "fire", "level")]
        bot.reload("rules:\n" + LEVEL)
    async with run() as bot:
        assert await bot.told(101, 40) == [("mine", "end", "level")], "the group never saw it"
        assert await bot.told(101) == BOTH
        bot.reload(mine_alone)
    async with run() as bot:
        assert await bot.told(101, 40) == [("group", "end", "level"), ("mine", "end", "level")]


async def test_a_rule_that_goes_ends_where_it_was_told(run):
    """Nothing says any more whom it told: the default destination is one of others here."""
    of_group = "rules:\n" + LEVEL.replace("[mine, group]", "[group]")
    async with run() as bot:
        bot.reload(of_group)
        assert await bot.told(99, 101) == BOTH[:1]
    (bot.folder / "rules.yaml").write_text("rules:\n" + OTHER, encoding="utf-8")
    async with run() as bot:
        assert await bot.told(101, 101) == [("group", "close", "level")]


async def test_a_topic_that_is_named_while_an_alert_fires_hears_only_of_later_ones(run):
    """Though the rule has another tag by then."""
    async with run() as bot:
        await bot.ask("/here WHALE", chat=GROUP, topic=7)
        bot.reload("rules:\n" + LEVEL.replace("whale", "fish"))
        assert await bot.told(99, 101) == BOTH
        bot.reload("rules:\n" + LEVEL)
        assert await bot.told(40) == [("group", "end", "level"), ("mine", "end", "level")]
        assert await bot.told(101) == [("group/7", "fire", "level"), ("mine", "fire", "level")]
        await bot.ask("/here off", chat=GROUP, topic=7)
        assert await bot.told(40) == [("group", "end", "level"), ("mine", "end", "level")], "the group ends it"


async def test_times_and_detail_of_a_chat_are_those_of_its_settings(run):
    async with run() as bot:
        assert "Times are told here in Asia/Tokyo" in await bot.ask("/settings zone tokyo")
        assert "Detail: short" in await bot.ask("/settings detail short")
        assert "Charts off" in await bot.ask("/settings charts off")
        await bot.push(99)
        await bot.push(101)
    async with run() as bot:
        (mine,) = await bot.outbox.waiting("mine", now_ms=1 << 50, limit=9)
        (group,) = await bot.outbox.waiting("group", now_ms=1 << 50, limit=9)
        assert (mine.view.zone, mine.view.detail, mine.view.chart) == ("Asia/Tokyo", "short", False)
        assert (group.view.zone, group.view.detail, group.view.chart) == ("", "normal", True)
        assert "Time zone · Asia/Tokyo" in await bot.ask("/settings")


async def test_a_chat_is_answered_and_told_in_its_language_over_a_restart(run):
    async with run() as bot:
        assert "I speak English in this chat" in await bot.ask("/language")
        assert "我在此聊天中使用简体中文" in await bot.ask("/language zh")
        assert "此聊天的设置" in await bot.ask("/settings")
        assert "Settings of this chat" in await bot.ask("/settings", chat=GROUP)
    async with run() as bot:
        assert "语言 · 简体中文" in await bot.ask("/settings")
        routes = bot.loaded.plan.routes
        spoken = [bot.subscribing.language_at(routes, name) for name in ("mine", "mine/7", "group", "elsewhere")]
        assert spoken == ["zh", "zh", "", ""]
        assert "不会说 Klingon" in await bot.ask("/language Klingon")
        assert "I speak English" in await bot.ask("/language english")


async def test_in_a_group_only_admins_change_anything(run):
    async with run() as bot:
        for command in ("/rules off level", "/settings charts off", "/language zh", "/here all"):
            assert "Only admins may do that" in await bot.ask(command, chat=GROUP, user=MEMBER, topic=7)
        assert "Told here as its file says" in await bot.ask("/rules level", chat=GROUP, user=MEMBER)
        assert "not told in this chat" in await bot.ask("/rules", chat=-5, user=MEMBER)


async def test_what_is_not_understood_is_refused_with_what_would_be(run):
    async with run() as bot:
        assert "I don't know the rule levle" in await bot.ask("/rules levle")
        assert "I don't know the rule levle" in await bot.ask("/rules off levle")
        assert "such as 100" in await bot.ask("/rules set level 8%")
        assert "such as 100" in await bot.ask("/rules set level banana")
        assert "such as 100" in await bot.ask("/rules set level 1000000")
        assert "Write it like /rules set oi_surge 8%" in await bot.ask("/rules set level")
        assert "I don't know the time zone" in await bot.ask("/settings zone Mars")
        assert "zone, detail and charts" in await bot.ask("/settings detail huge")
        assert "neither a rule nor a tag" in await bot.ask("/here bananas", chat=GROUP, topic=7)
        assert [rule.base for rule in bot.engine.rules] == ["", ""]
        listed = await bot.ask("/rules")
        assert "✅ 1 Level · 100" in listed
        assert "☐" not in listed
        await bot.ask("/rules off all")
        assert "Rules told here · 0 of 2" in await bot.ask("/rules")
        await bot.ask("/rules on all")
        assert "Rules told here · 2 of 2" in await bot.ask("/rules")


async def test_why_names_what_the_chat_is_told(run):
    async with run() as bot:
        assert bot.subscribing.why("telegram:71", "level") == ("level", "")
        await bot.ask("/rules set level 120")
        rule_id, note = bot.subscribing.why("telegram:71", "level")
        assert next(rule for rule in bot.engine.rules if rule.id == rule_id).base == "level"
        assert "number of this chat" in note
        await bot.ask("/rules off level")
        assert bot.subscribing.why("telegram:71", "level")[0] == "level"
        assert "Switched off in this chat: 0 firings" in bot.subscribing.why("telegram:71", "level")[1]


async def test_a_group_that_moves_keeps_what_it_has_set(run):
    async with run() as bot:
        await bot.ask("/rules set level 120", chat=GROUP)
        await bot.ask("/settings detail full", chat=GROUP)
        await bot.ask("/here whale", chat=GROUP, topic=7)
        bot.live.routes.by_chat["telegram:-100777"] = "group"
        bot.subscribing._before = {"telegram:-100777": f"telegram:{GROUP}"}.get
        bot.subscribing.moved(f"telegram:{GROUP}", "telegram:-100777")
        assert [rule.notify for rule in bot.engine.rules if rule.base] == [("telegram:-100777",)]
        assert [d.name for d in bot.subscribing.destinations(bot.loaded.plan.routes)] == ["group/7"]
        assert bot.subscribing.wish("telegram:-100777", "level").number == 120
        assert bot.subscribing.look("telegram:-100777").detail == "full"
        assert [one.topic for one in bot.subscribing.topics("telegram:-100777")] == [7]
        assert bot.subscribing.topics(f"telegram:{GROUP}") == ()
