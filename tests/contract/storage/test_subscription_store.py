"""What people set for their chats: rules, look, topics. The same in memory and in SQLite."""

import pytest

from bot.model.subscriptions import Look, Subscription, TopicRoute

CHAT = "telegram:-1001"


@pytest.fixture
def store(ports):
    return ports.subscriptions


async def test_each_chat_has_one_wish_for_each_rule(store):
    assert await store.all() == []
    every = Subscription(CHAT, level="more", since_ms=1)
    off = Subscription(CHAT, "oi_surge", is_on=False, since_ms=2)
    number = Subscription("terminal", "oi_surge", number=0.08, since_ms=3)
    for one in (number, off, every):
        await store.put(one)
    assert await store.all() == [every, off, number]
    on = Subscription(CHAT, "oi_surge", is_on=True, level="fewer", number=-0.25, since_ms=4)
    await store.put(on)
    assert await store.all() == [every, on, number]


async def test_what_says_nothing_is_forgotten(store):
    await store.put(Subscription(CHAT, "oi_surge", is_on=False, since_ms=2))
    await store.put(Subscription(CHAT, "oi_surge", since_ms=3))
    await store.put(Subscription(CHAT, "oi_flush", since_ms=3))
    assert await store.all() == []


async def test_a_chat_is_forgotten_as_a_whole(store):
    other = Subscription("terminal", "oi_surge", is_on=False)
    for one in (Subscription(CHAT, is_on=False), Subscription(CHAT, "oi_surge", is_on=True), other):
        await store.put(one)
    assert await store.forget(CHAT) == 2
    assert await store.forget(CHAT) == 0
    assert await store.all() == [other]


async def test_the_look_of_a_chat_is_the_last_one_set(store):
    assert await store.looks() == {}
    await store.put_look(CHAT, Look("Europe/Berlin"))
    await store.put_look(CHAT, Look("Asia/Tokyo", "full", has_charts=False))
    await store.put_look("terminal", Look(language="zh"))
    assert await store.looks() == {CHAT: Look("Asia/Tokyo", "full", has_charts=False), "terminal": Look(language="zh")}


async def test_topics_keep_what_they_take_until_they_are_dropped(store):
    tag = TopicRoute(CHAT, 7, "tag:whale", 1, "telegram:5")
    rule = TopicRoute(CHAT, 7, "rule:oi_surge", 2, "telegram:5")
    other = TopicRoute(CHAT, 8, "all", 3)
    for one in (other, tag, rule):
        await store.put_topic(one)
    again = TopicRoute(CHAT, 7, "tag:whale", 9, "telegram:6")
    await store.put_topic(again)
    assert await store.topics() == [rule, again, other]
    assert await store.drop_topic(CHAT, 7) == 2
    assert await store.drop_topic(CHAT, 7) == 0
    assert await store.topics() == [other]


async def test_the_look_of_a_chat_is_forgotten(ports):
    await ports.subscriptions.put_look("telegram:1", Look(zone="Europe/Berlin"))
    await ports.subscriptions.put_look("telegram:2", Look(detail="short"))
    await ports.subscriptions.forget_look("telegram:1")
    await ports.subscriptions.forget_look("telegram:3")
    assert await ports.subscriptions.looks() == {"telegram:2": Look(detail="short")}
