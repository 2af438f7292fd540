"""Conditions of chats as rules, and what ends by itself."""

from dataclasses import replace

import pytest

from bot.app.chat_rules import SOURCE, ChatRules, Endings, open_chat_rules
from bot.app.conditions import rule_of
from bot.app.extra_rules import ExtraRules
from bot.app.loading import load
from bot.clock import ManualClock
from bot.engine.engine import Engine
from bot.engine.inputs import RulesChanged
from bot.errors import StorageError
from bot.model.chat_alert import ChatAlert
from bot.model.chat_rule import ChatRule
from bot.model.chat_rule_ports import RuleLife
from bot.rules.ast import text
from bot.settings import Settings
from bot.storage.memory import MemoryAlertStore, MemoryChatAlertStore, MemoryChatRuleStore, MemoryOutbox
from tests.unit.engine.conftest import Feed

NOW_MS = 1_767_225_600_000
RULE = ChatRule("c_7q4mk2px", "telegram:1", "telegram:1", ("BTCUSDT",), None, "price > 100 and oi > 1", NOW_MS)


class World:
    def __init__(self, feed):
        self.feed = feed
        self.clock = ManualClock(wall_ms=NOW_MS)
        self.store = MemoryChatRuleStore()
        self.watched = []

    async def open(self) -> ChatRules:
        found = ChatRules(store=self.store, rules=await self.store.all(), clock=self.clock, watch=self._watch)
        found.engine = self.feed.engine
        return found

    def _watch(self, rules):
        self.watched.append([rule.id for rule in rules])
        self.feed.engine.consume(RulesChanged(tuple(rules), {}, ()))


@pytest.fixture
def world(perpetual):
    return World(Feed([], [perpetual("BTC"), perpetual("ETH")]))


def test_the_rule_says_what_was_asked():
    rule = rule_of(replace(RULE, for_ms=60_000, once=True, silent=True, note="my bag"))
    assert (rule.id, text(rule.when), rule.notify) == (RULE.id, RULE.when, ("telegram:1",))
    assert (rule.for_ms, rule.once, rule.silent, rule.title) == (60_000, True, True, f"{RULE.when} · my bag")
    assert rule_of(replace(RULE, symbols=(), top=50)).scope.top == 50
    with pytest.raises(ValueError, match="expected a condition of the rule language"):
        rule_of(replace(RULE, when="price >"))


def test_a_symbol_is_a_name_and_no_pattern(perpetual):
    feed = Feed([rule_of(replace(RULE, symbols=("B*",)))], [perpetual("BTC")])
    feed.tick()
    assert feed.engine.members(feed.engine.rules[0]).sum() == 0


def tick(world, price):
    world.feed.prices({"BTCUSDT": price, "ETHUSDT": 1.0})
    world.feed.oi("BTCUSDT", 5.0)
    return world.feed.tick()


async def test_it_watches_from_the_next_tick_on_and_is_told_in_its_chat_alone(world):
    rules = await world.open()
    tick(world, 99.0)
    assert await rules.add(RULE)
    assert not await rules.add(RULE)
    tick(world, 99.0)
    assert rules.life(RULE.id) == RuleLife((), 0, 1)
    [notice] = tick(world, 101.0).notices
    assert (notice.rule_id, notice.notify) == (RULE.id, ("telegram:1",))
    assert rules.life(RULE.id).firing == ("binance:BTCUSDT",)
    await rules.remove(RULE.id)
    [closed] = tick(world, 101.0).notices
    assert closed.kind.value == "close"
    assert (rules.count(), rules.life(RULE.id)) == (0, RuleLife())


async def test_what_is_stored_watches_again_and_others_are_not_disturbed_by_what_cannot(world):
    await world.store.add(replace(RULE, id="c_broken00", when="nonsense("))
    await world.store.add(RULE)
    rules = await world.open()
    rules.begin()
    assert world.watched == [[RULE.id]]
    assert [rule.id for rule in rules.of_chat("telegram:1")] == ["c_7q4mk2px", "c_broken00"]
    assert rules.of_chat("telegram:2") == []


async def test_a_condition_that_no_language_knows_is_not_stored(world):
    rules = await world.open()
    with pytest.raises(ValueError, match="expected a condition"):
        await rules.add(replace(RULE, when="price >"))
    assert await world.store.all() == []


async def test_what_was_removed_comes_back(world):
    rules = await world.open()
    await rules.add(RULE)
    await rules.remove(RULE.id)
    assert await rules.restore("telegram:2", RULE.id) is None
    assert await rules.restore("telegram:1", RULE.id) == RULE
    assert world.watched[-1] == [RULE.id]


class HandDesk:
    def __init__(self):
        self.removed = []

    def remove(self, alert_id, reason):
        self.removed.append((alert_id, reason))


async def test_what_was_asked_for_until_a_time_ends_by_itself(world):
    store, desk = MemoryChatAlertStore(MemoryAlertStore(MemoryOutbox())), HandDesk()
    plain = ChatAlert("a-7q4mk2px", "telegram:1", "telegram:1", "binance:BTCUSDT", "price", ">", 1.0, False, NOW_MS)
    await store.add(replace(plain, ends_ms=NOW_MS + 60_000))
    await store.add(replace(plain, id="a-00000000"))
    rules = await world.open()
    await rules.add(replace(RULE, ends_ms=NOW_MS + 60_000))
    endings = Endings(store=store, desk=desk, rules=rules, clock=world.clock)
    await endings.look()
    assert (desk.removed, rules.count()) == ([], 1)
    await world.clock.advance(60)
    await endings.look()
    assert desk.removed == [("a-7q4mk2px", "its time is over")]
    assert rules.count() == 0
    assert await store.count("telegram:1") == 1


def test_an_engine_without_rules_ticks(perpetual):
    assert Engine([]).tick(NOW_MS).notices == ()


class FullStore(MemoryChatRuleStore):
    async def add(self, rule):
        raise StorageError("disk full")


async def test_what_could_not_be_stored_does_not_watch(world):
    world.store = FullStore()
    rules = await world.open()
    with pytest.raises(StorageError):
        await rules.add(RULE)
    assert world.watched == [[RULE.id], []]
    assert rules.count() == 0


@pytest.mark.parametrize(
    "rule",
    [
        RULE,
        replace(
            RULE, for_ms=90_000, repeat_ms=60_000, once=True, silent=True, cooldown_ms=0, note='a "note": \u202e #x'
        ),
        replace(RULE, symbols=("币安人生USDT", "[x]*?")),
        replace(RULE, symbols=(), top=50, when="abs(pct(oi, 15m)) >= 5%"),
        replace(RULE, when="crosses(price, 4000)"),
    ],
)
def test_a_recording_can_hold_each(rule, tmp_path):
    (tmp_path / "rules.yaml").write_text("version: 1\nrules: [{id: one, when: price > 1}]\n")
    loaded = load(Settings(rules_dir=tmp_path, _env_file=None), plan=None, asks_secrets=False)
    extra = ExtraRules(loaded)
    extra.put("chat", [rule_of(rule)])
    assert [one.id for one in extra.rules] == ["one", RULE.id]


async def test_one_that_cannot_run_any_more_stays_stored_and_silent_and_stands_in_the_way_of_none(world, tmp_path):
    """As after an upgrade that knows better what can run."""
    (tmp_path / "rules.yaml").write_text("version: 1\nrules: [{id: one, when: price > 1}]\n")
    extra = ExtraRules(load(Settings(rules_dir=tmp_path, _env_file=None), plan=None, asks_secrets=False))
    other, third = replace(RULE, id="c_other"), replace(RULE, id="c_third")
    for rule in (replace(RULE, when="crosses(price, 4000)", for_ms=60_000), other):
        await world.store.add(rule)

    rules = await open_chat_rules(world.store, world.clock, extra)

    assert [one.id for one in extra.of(SOURCE)] == [other.id]
    assert [one.id for one in rules.of_chat(RULE.chat)] == [RULE.id, other.id]
    assert await rules.add(third)
    assert [one.id for one in extra.of(SOURCE)] == [other.id, third.id]
    with pytest.raises(ValueError, match="expected a sound rule"):
        await rules.add(replace(RULE, id="c_fourth", when="crosses(price, 4000)", for_ms=60_000))
    await rules.remove(RULE.id)
    assert [one.id for one in rules.of_chat(RULE.chat)] == [other.id, third.id]


async def test_a_group_that_moves_takes_its_conditions_along(world):
    rules = await world.open()
    await rules.add(replace(RULE, chat="telegram:-5"))
    rules.chat_moved(-5, -1005)
    assert [r.id for r in rules.of_chat("telegram:-1005")] == [RULE.id]
    assert world.watched[-1] == [RULE.id]
