"""News of the bot go to one destination that lives, the owner's first; one path for all of them."""

import pytest

from bot.delivery.notices import Notice, row_of, tell_directly, worded
from bot.model import news
from bot.model.outbox import Delivered, Rejected, RetryLater

NEWS = Notice("Nothing can be stored", "Reason: the disk is full.\nI go on.")
TOLD = "Nothing can be stored: Reason: the disk is full.\nI go on."
DEAD = Rejected("blocked", destination_dead=True)
NAMES = ("telegram", "telegram:7", "discord", "telegram:of a member")


@pytest.fixture
def place(rooms):
    return rooms(NAMES, preferred=("telegram:7", "telegram", "discord"))


async def kill(room, make, *names):
    for name in names:
        room.destinations[name].script = [DEAD]
    await room.commit(*(make.row(destination=name, symbol=f"{name}-dies") for name in names))


def heard(room, text=TOLD):
    return [name for name, sink in room.destinations.items() for note in sink.notes if note == text]


@pytest.mark.parametrize(
    ("dead", "paused", "to"),
    [
        ([], None, "telegram:7"),
        (["telegram:7"], None, "telegram"),
        (["telegram:7", "telegram"], None, "discord"),
        ([], 900.0, "telegram"),
        ([], 5.0, "telegram:7"),
        (["telegram", "discord"], 900.0, "telegram:7"),
    ],
)
async def test_it_goes_to_the_first_that_lives(place, make, dead, paused, to):
    async with place.running() as room:
        await kill(room, make, *dead)
        if paused is not None:
            room.destinations["telegram:7"].script = [RetryLater(paused, "busy")]
            await room.commit(make.row(destination="telegram:7"))
        room.lanes.notices.tell(NEWS)
        await room.clock.advance(901)
        assert heard(room) == [to]


async def test_where_none_of_the_owners_lives_it_waits_and_others_hear_nothing(place, make):
    async with place.running() as room:
        await kill(room, make, "telegram", "telegram:7", "discord")
        room.lanes.notices.tell(NEWS)
        await room.clock.advance(901)
        assert heard(room) == []
        assert room.destinations["telegram:of a member"].notes == []
        room.lanes.revive("discord")
        await room.clock.advance(1)
        assert heard(room) == ["discord"]


async def test_it_waits_for_longer_than_alerts_are_told(place, make):
    async with place.running() as room:
        await kill(room, make, "telegram", "telegram:7", "discord")
        room.lanes.notices.tell(NEWS)
        await room.clock.advance(25 * 3_600)
        room.lanes.revive("discord")
        await room.clock.advance(1)
        assert heard(room) == ["discord"]


async def test_it_is_told_elsewhere_when_that_one_turns_out_to_be_dead(place, make):
    async with place.running() as room:
        sink = room.destinations["telegram:7"]
        real = sink.send

        async def refuse(_order):
            return DEAD

        sink.send = refuse
        room.lanes.notices.tell(NEWS)
        await room.clock.advance(1)
        assert heard(room) == ["telegram"]
        sink.send = real
        room.lanes.revive("telegram:7")
        await room.clock.advance(60)
        assert heard(room) == ["telegram"], "it is not told twice"


async def test_while_none_lives_it_waits_for_the_first_that_does(place, make):
    async with place.running() as room:
        await kill(room, make, *NAMES)
        room.lanes.notices.tell(NEWS)
        await room.clock.advance(7_200)
        assert heard(room) == []
        room.lanes.revive("discord")
        await room.clock.advance(1)
        assert heard(room) == ["discord"]
        notes = room.destinations["discord"].notes
        assert [n for n in notes if n.startswith("telegram takes no messages")], "and so do the deaths"
        assert not [n for n in notes if n.startswith("discord takes")], "but its own, which is over"


async def test_of_one_thing_the_owner_hears_once_an_hour(place):
    async with place.running() as room:
        for _ in range(3):
            room.lanes.notices.report(news.SecondCopy())
            room.lanes.notices.report(news.TopicGone("whales"))
            await room.clock.advance(1)
        assert len(room.destinations["telegram:7"].notes) == 2
        await room.clock.advance(3_600)
        room.lanes.notices.report(news.SecondCopy())
        await room.clock.advance(1)
        assert len(room.destinations["telegram:7"].notes) == 3


async def test_one_that_is_refused_for_good_is_given_up(place):
    async with place.running() as room:
        sink = room.destinations["telegram:7"]

        async def refuse(order):
            return Rejected("unreadable")

        sink.send = refuse
        room.lanes.notices.tell(NEWS)
        await room.clock.advance(60)
        assert heard(room) == []
        assert room.lanes.status()[1].buried == 1


@pytest.mark.parametrize(
    "one",
    [
        news.DestinationDied("main", "blocked"),
        news.MessageBuried("main", ("7q4mk2px",), "too long"),
        news.TopicGone("main"),
        news.ChatMoved(-100, -1001),
        news.SecondCopy(),
        news.TokenRefused(),
    ],
)
def test_all_of_them_have_words_and_a_topic(one):
    topic, notice = worded(one)
    assert topic
    assert notice.title
    assert notice.text.endswith(".")


async def test_without_a_destination_nothing_breaks(rooms):
    async with rooms(()).running() as room:
        room.lanes.notices.tell(NEWS)
        room.lanes.notices.look_again()


class Answers:
    def __init__(self, name, answer):
        self.name, self.answer, self.orders = name, answer, []

    async def send(self, order):
        self.orders.append(order)
        return self.answer


async def test_before_there_are_lanes_it_is_tried_once_each_until_it_arrived():
    places = [Answers("a", RetryLater(1, "down")), Answers("b", Delivered("1")), Answers("c", Delivered("2"))]
    assert await tell_directly(places, NEWS, at_ms=5)
    assert [len(p.orders) for p in places] == [1, 1, 0]
    assert places[1].orders[0].rows == (row_of(NEWS, "b", 5),)
    assert not await tell_directly(places[:1], NEWS, at_ms=5)
