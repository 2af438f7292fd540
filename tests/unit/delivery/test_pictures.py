"""Pictures follow alerts: after the text, behind everything else, once or not at all."""

import dataclasses

import pytest

from bot.delivery.pictures import MAX_AGE_MS, MAX_WAITING
from bot.model.outbox import Delivered, Rejected, RetryLater


class Desk:
    """Draws when it is told to."""

    def __init__(self):
        self.wanted = []

    def want(self, view, on_ready):
        self.wanted.append((view, on_ready))

    def finish(self, png=b"png", at=0):
        self.wanted[at][1](png)


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
async def gallery(rooms, desk):
    """A room whose destination takes pictures."""
    room = rooms(desk=desk)
    add_pictures(room)
    room.restart()
    async with room.running() as found:
        yield found


def add_pictures(room):
    class Pictures(type(room.main)):
        def __init__(self, name):
            super().__init__(name)
            self.attached = []
            self.answers = []

        async def attach(self, order, png):
            self.attached.append((order.target, str(order.rows[-1].kind), png))
            return self.answers.pop(0) if self.answers else Delivered(order.target)

    room.destinations["main"] = Pictures("main")


def fire(make, symbol="BTCUSDT", **changes):
    return make.row(symbol=symbol, chart=True, **changes)


async def test_the_text_goes_at_once_and_the_picture_when_it_is_ready(gallery, desk, make):
    await gallery.commit(fire(make))
    assert gallery.main.told == [("fire", "new", None)]
    assert gallery.main.attached == []
    desk.finish()
    await gallery.clock.advance(1)
    assert gallery.main.attached == [("101", "fire", b"png")]
    await gallery.clock.advance(600)
    assert len(gallery.main.attached) == 1


async def test_a_rule_may_do_without(gallery, desk, make):
    await gallery.commit(make.row())
    assert desk.wanted == []


async def test_a_destination_that_takes_none_is_not_drawn_for(rooms, desk, make):
    async with rooms(desk=desk).running() as room:
        await room.commit(fire(make))
        assert desk.wanted == []


async def test_updates_replies_and_digests_get_none(gallery, desk, make):
    await gallery.commit(*(fire(make, symbol=f"C{n}USDT") for n in range(6)))
    await gallery.clock.advance(15)
    assert len(gallery.main.orders) == 4
    assert len(desk.wanted) == 3
    await gallery.commit(make.row("escalate", symbol="C0USDT", after_s=80, chart=True, value_before=0.06))
    await gallery.clock.advance(100)
    assert len(desk.wanted) == 3


async def test_what_is_to_be_told_goes_first(gallery, desk, make):
    await gallery.commit(fire(make))
    gallery.main.wait_s = 5.0
    await gallery.commit(fire(make, symbol="ETHUSDT"))
    desk.finish()
    gallery.main.wait_s = 0.0
    await gallery.clock.advance(30)
    assert [target for target, _, _ in gallery.main.attached] == ["101"]
    assert len(gallery.main.orders) == 2


async def test_the_words_are_those_of_the_last_edit(gallery, desk, make):
    await gallery.commit(fire(make))
    await gallery.commit(make.row("end", after_s=60))
    assert gallery.main.told[-1] == ("end", "edit", "101")
    desk.finish()
    await gallery.clock.advance(1)
    assert gallery.main.attached == [("101", "end", b"png")]


async def test_it_waits_for_a_slot_like_all_else(gallery, desk, make):
    await gallery.commit(fire(make))
    gallery.main.wait_s = 3.0
    desk.finish()
    await gallery.clock.advance(2)
    assert gallery.main.attached == []
    gallery.main.wait_s = 0.0
    await gallery.clock.advance(5)
    assert len(gallery.main.attached) == 1


async def test_an_old_picture_is_no_news(gallery, desk, make):
    await gallery.commit(fire(make))
    await gallery.clock.advance(MAX_AGE_MS / 1000 + 40)
    desk.finish()
    await gallery.clock.advance(60)
    assert gallery.main.attached == []


async def test_without_a_picture_nothing_more_happens(gallery, desk, make):
    await gallery.commit(fire(make))
    desk.finish(None)
    await gallery.clock.advance(60)
    assert gallery.main.attached == []


async def test_too_many_waiting_cost_the_oldest(gallery, desk, make):
    n = MAX_WAITING + 2
    for k in range(n):
        await gallery.commit(fire(make, symbol=f"C{k}USDT", severity="critical"))
        await gallery.clock.advance(1)
    assert len(desk.wanted) == n
    for k in range(n):
        desk.finish(at=k)
    await gallery.clock.advance(20)
    assert [target for target, _, _ in gallery.main.attached] == [str(101 + k) for k in range(2, n)]


@pytest.mark.parametrize("answer", [Rejected("no photos here"), RetryLater(3.0, "a pause")])
async def test_a_refused_picture_is_not_tried_again_and_harms_nothing(gallery, desk, make, answer):
    gallery.main.answers = [answer]
    await gallery.commit(fire(make))
    desk.finish()
    await gallery.clock.advance(60)
    assert len(gallery.main.attached) == 1
    await gallery.commit(make.row("end", after_s=60))
    await gallery.clock.advance(60)
    assert gallery.main.told[-1][:2] == ("end", "edit")


async def test_a_pause_that_the_chat_asks_for_is_kept(gallery, desk, make):
    gallery.main.answers = [RetryLater(30.0, "a pause")]
    await gallery.commit(fire(make))
    desk.finish()
    await gallery.clock.advance(1)
    await gallery.commit(make.row(symbol="ETHUSDT", severity="critical"))
    await gallery.clock.advance(20)
    assert len(gallery.main.orders) == 1
    await gallery.clock.advance(20)
    assert len(gallery.main.orders) == 2


async def test_a_crash_while_attaching_costs_the_picture_alone(gallery, desk, make):
    async def crash(order, png):
        raise ValueError("boom")

    gallery.main.attach = crash
    await gallery.commit(fire(make))
    desk.finish()
    await gallery.clock.advance(30)
    await gallery.commit(dataclasses.replace(make.row(symbol="ETHUSDT")))
    assert len(gallery.main.orders) == 2
