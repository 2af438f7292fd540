"""What chats put aside: kept, bounded, stored."""

import pytest

from bot.chat.watchlists import MAX_CHATS, Watchlists, list_name
from bot.errors import StorageError
from bot.model.watchlists import MAX_RECENT, MAX_WATCHED


class Failing:
    async def put(self, one):
        raise StorageError("the disk is full")

    async def all(self):
        return []


async def test_pins_and_lists_are_those_of_their_chat_and_survive(lists, store, clock):
    await lists.pin("a", ["x:B", "x:A", "x:B"])
    await lists.name("a", "majors", ["x:A"])
    await lists.pin("b", ["x:C"])
    again = await Watchlists.load(store, clock)
    for one in (lists, again):
        assert one.pins("a") == ("x:B", "x:A")
        assert one.named("a") == {"majors": ("x:A",)}
        assert one.find("a", "@Majors") == ("x:A",)
        assert one.find("b", "@majors") is None
        assert one.find("a", "@pins") == ("x:B", "x:A")
    await lists.name("a", "majors", [])
    assert (await Watchlists.load(store, clock)).named("a") == {}


async def test_what_cannot_be_stored_has_not_happened(clock):
    lists = Watchlists(Failing(), clock)
    with pytest.raises(StorageError):
        await lists.pin("a", ["x:A"])
    assert lists.pins("a") == ()


async def test_looks_are_remembered_the_latest_first_bounded_and_stored_later(lists, store, clock):
    for n in range(MAX_RECENT + 3):
        lists.looked_at("a", [f"x:{n}"])
    lists.looked_at("a", ["x:5", "x:6"])
    assert lists.recent("a")[:3] == ("x:6", "x:5", "x:10")
    assert len(lists.recent("a")) == MAX_RECENT
    assert await store.all() == []
    await lists.store_looks()
    assert (await Watchlists.load(store, clock)).recent("a") == lists.recent("a")


async def test_looks_that_cannot_be_stored_are_tried_again(clock, store):
    lists = Watchlists(Failing(), clock)
    lists.looked_at("a", ["x:A"])
    await lists.store_looks()
    lists._store = store
    await lists.store_looks()
    assert [one.instruments for one in await store.all()] == [("x:A",)]


async def test_of_too_many_chats_the_one_that_looked_longest_ago_is_forgotten(lists, store):
    for n in range(MAX_CHATS + 1):
        lists.looked_at(f"c{n}", ["x:A"])
        if n == 0:
            await lists.store_looks()
    assert lists.recent("c0") == ()
    assert lists.recent("c1") == ("x:A",)
    await lists.store_looks()
    assert "c0" not in {one.chat for one in await store.all()}


async def test_the_pins_of_all_chats_are_watched_and_bounded(lists, clock):
    for n in range(MAX_WATCHED // 20 + 2):
        await lists.pin(f"c{n}", [f"x:{n}-{k}" for k in range(20)])
        await clock.advance(1)
    found = lists.watched()
    assert len(found) == MAX_WATCHED
    assert "x:0-0" not in found
    assert f"x:{MAX_WATCHED // 20 + 1}-0" in found


async def test_lists_follow_a_chat_that_became_another(lists):
    await lists.pin("a", ["x:A"])
    lists.looked_at("a", ["x:B"])
    lists.moved("a", "b")
    assert (lists.pins("a"), lists.pins("b"), lists.recent("b")) == ((), ("x:A",), ("x:B",))


def test_names_of_lists():
    assert list_name("@Majors_2") == "majors_2"
    assert [list_name(word) for word in ("pins", "@recent", "ALL", "a b", "", "é", "x" * 21)] == [None] * 7
