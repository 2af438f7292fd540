"""News of the bot go to one destination that lives, the owner's first."""

from dataclasses import dataclass, field

import pytest

from bot.app.notices import Notice, Notices, row_of, tell_directly
from bot.clock import ManualClock
from bot.delivery.lanes import LaneStatus
from bot.model.histogram import WAIT_S, Histogram
from bot.model.outbox import Delivered, RetryLater

NEWS = Notice("Nothing can be stored", "Reason: the disk is full.\nI go on.")


@dataclass
class HandLanes:
    dead: set = field(default_factory=set)
    paused: dict = field(default_factory=dict)
    names: tuple = ("telegram", "telegram:7", "discord")
    offered: list = field(default_factory=list)

    def status(self):
        return tuple(
            LaneStatus(
                n,
                "gone" if n in self.dead else None,
                self.paused.get(n, 0.0),
                0,
                0,
                0,
                0,
                0,
                0.0,
                None,
                Histogram(WAIT_S),
            )
            for n in self.names
        )

    def offer(self, rows):
        self.offered += rows

    @property
    def to(self):
        return [row.destination for row in self.offered]


@pytest.fixture
def lanes():
    return HandLanes()


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def notices(lanes, clock):
    return Notices(lanes, preferred=("telegram:7", "telegram"), clock=clock, venue_now=clock.wall_ms)


@pytest.mark.parametrize(
    ("dead", "paused", "to"),
    [
        ([], {}, "telegram:7"),
        (["telegram:7"], {}, "telegram"),
        (["telegram:7", "telegram"], {}, "discord"),
        ([], {"telegram:7": 900.0}, "telegram"),
        ([], {"telegram:7": 5.0}, "telegram:7"),
        (["telegram", "discord"], {"telegram:7": 900.0}, "telegram:7"),
        (["telegram", "discord", "telegram:7"], {}, "telegram:7"),
    ],
)
def test_it_goes_to_the_first_that_lives(notices, lanes, dead, paused, to):
    lanes.dead, lanes.paused = set(dead), paused
    notices.tell(NEWS)
    assert lanes.to == [to]


async def test_it_is_told_elsewhere_when_that_one_turns_out_to_be_dead(notices, lanes, clock):
    notices.tell(NEWS)
    notices.look_again()
    lanes.dead = {"telegram:7"}
    for _ in range(3):
        notices.look_again()
    assert lanes.to == ["telegram:7", "telegram"]
    assert len({row.key for row in lanes.offered}) == 1, "recognisable as the same"
    await clock.advance(301)
    lanes.dead |= {"telegram"}
    notices.look_again()
    assert len(lanes.offered) == 2, "old news are not told again"


def test_without_a_destination_nothing_breaks(clock):
    lanes = HandLanes(names=())
    Notices(lanes, preferred=("telegram",), clock=clock, venue_now=clock.wall_ms).tell(NEWS)
    assert lanes.offered == []


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
