"""The same behaviour in memory and in SQLite."""

from dataclasses import replace

from bot.model.chat_rule import ChatRule

RULE = ChatRule(
    "c_7q4mk2px", "telegram:1", "telegram:2", ("币安人生USDT", "BTCUSDT"), None, "price > 1", 2_000, once=True, note="n"
)


async def test_rules_come_back_whole_the_oldest_first_and_an_id_is_taken_once(ports):
    older = replace(RULE, id="c_00000000", symbols=(), top=50, created_ms=1_000, repeat_ms=5, ends_ms=9)
    assert await ports.chat_rules.add(RULE)
    assert await ports.chat_rules.add(older)
    assert not await ports.chat_rules.add(replace(RULE, when="price > 2"))
    assert await ports.chat_rules.all() == [older, RULE]


async def test_a_deleted_one_comes_back_until_it_is_forgotten(ports):
    await ports.chat_rules.add(RULE)
    assert await ports.chat_rules.delete(RULE.id, at_ms=5)
    assert not await ports.chat_rules.delete(RULE.id, at_ms=5)
    assert not await ports.chat_rules.add(RULE)
    assert await ports.chat_rules.all() == []
    assert await ports.chat_rules.restore("telegram:9", RULE.id) is None
    assert await ports.chat_rules.restore("telegram:1", RULE.id, user="somebody else") is None
    assert await ports.chat_rules.restore("telegram:1", RULE.id) == RULE
    await ports.chat_rules.delete(RULE.id, at_ms=5)
    assert await ports.chat_rules.prune(before_ms=5) == 0
    assert await ports.chat_rules.prune(before_ms=6) == 1
    assert await ports.chat_rules.restore("telegram:1", RULE.id) is None
