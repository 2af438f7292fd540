"""A disk that fails for a while, in the middle of things."""

import re

import pytest

from bot.delivery.markup import to_plain
from bot.delivery.notebook import Notebook
from bot.errors import StorageError
from bot.model.outbox import Delivered, Message, Rejected, RetryLater
from bot.model.outbox_ports import Commit

ID = re.compile(r"#([0-9a-hjkmnp-tv-z]{8})")
READS = frozenset({"waiting", "message_of", "rows_of", "later_of", "row_of", "next_due_ms"})
WRITES = frozenset({"begin", "settle"})


def text_of(order):
    return to_plain(order.composed())


class Disk:
    """Between the lanes and the outbox of a room; what it refuses by name fails."""

    def __init__(self, outbox):
        self.refuses = frozenset()
        for name in READS | WRITES:
            setattr(outbox, name, self._guarded(name, getattr(outbox, name)))

    def _guarded(self, name, real):
        async def act(*args, **kwargs):
            if name in self.refuses:
                raise StorageError(f"{name}: the disk does not answer")
            return await real(*args, **kwargs)

        return act


@pytest.fixture
def disk(room):
    return Disk(room.outbox)


@pytest.fixture
def coins(make):
    """So many rows of different coins."""

    def made(n, kind="fire", *, first=0, **changes):
        return [make.row(kind, symbol=f"C{i:03}USDT", base=f"C{i:03}", **changes) for i in range(first, first + n)]

    return made


async def test_an_end_from_memory_never_overwrites_the_digest_of_its_firing(room, disk, coins):
    await room.commit(*coins(8))
    await room.clock.advance(11)
    digest, many = room.main.orders[-1], room.main.orders.copy()
    assert len(digest.rows) == 5
    disk.refuses = READS | WRITES
    room.lanes.offer(coins(1, "end", first=5, after_s=30))
    await room.clock.advance(20)
    [order] = room.main.orders[len(many) :]
    assert order.form == "new"
    assert text_of(order).startswith("✅ C005USDT · OI surge  fired 14:31, ended 14:31 UTC  #")


async def test_an_acknowledgement_overwrites_no_digest_where_reading_fails_only_at_first(room, disk, coins, rooms):
    await room.commit(*coins(8))
    await room.clock.advance(11)
    n_before = len(room.main.orders)
    # Another process, which remembers nothing; the read of what waits fails, those after it do not.
    again = rooms()
    again.outbox, again.store, again.destinations, again.clock = room.outbox, room.store, room.destinations, room.clock
    again.restart()
    disk.refuses = frozenset({"waiting"})
    async with again.running():
        again.lanes.offer(coins(1, "ack", first=5, after_s=30))
        await again.clock.advance(20)
    [order] = room.main.orders[n_before:]
    assert order.form == "reply"


@pytest.mark.parametrize("is_stored", [True, False])
async def test_new_figures_that_find_no_line_are_dropped(room, disk, coins, is_stored):
    if is_stored:
        await room.commit(*coins(8))
    else:
        room.lanes.offer(coins(8))
    await room.clock.advance(70)
    n_before = len(room.main.orders)
    disk.refuses = frozenset({"rows_of"})
    await room.commit(*coins(1, "update", first=5, after_s=60))
    await room.clock.advance(70)
    assert [text_of(order) for order in room.main.orders[n_before:]] == []
    disk.refuses = frozenset()
    await room.commit(*coins(1, "end", first=5, after_s=90))
    await room.clock.advance(70)
    assert len(room.main.orders) == n_before + 1, "and hold nothing up"


@pytest.mark.promise("P14")
async def test_with_a_full_disk_what_failed_is_tried_again_all_the_same(room, disk, make):
    disk.refuses = WRITES
    room.main.script = [RetryLater(20.0, "busy")]
    await room.commit(make.row())
    await room.clock.advance(19)
    assert len(room.main.orders) == 1
    await room.clock.advance(10)
    assert len(room.main.orders) == 2
    await room.clock.advance(120)
    disk.refuses = frozenset()
    await room.clock.advance(10)
    assert len(room.main.orders) == 2, "that it arrived is not forgotten"
    assert (await room.outbox.counts())["delivered"] == 1


async def test_outcomes_are_noted_in_the_order_in_which_they_came(room, disk, make):
    """A row that failed alone and arrived among others is not open again because its failure is noted late."""
    disk.refuses = WRITES
    btc, eth = make.row(), make.row(symbol="ETHUSDT")
    alone, both = (Message(name, "main", rows, 1) for name, rows in (("1", (btc.id,)), ("2", (btc.id, eth.id))))
    await room.store.commit(Commit((), (), (btc, eth)))
    notebook = Notebook(room.outbox, room.clock)
    now_ms = room.clock.wall_ms()
    for message, outcome in (
        (alone, RetryLater(1.0, "busy")),
        (both, RetryLater(1.0, "busy")),
        (alone, Delivered("101")),
    ):
        notebook.put(message, outcome, now_ms)
    assert notebook.sent(now_ms) == {btc.id, eth.id}
    assert notebook.sent(now_ms + 1_000) == {btc.id}
    disk.refuses = frozenset()
    await notebook.write()
    assert await room.outbox.counts() == {"waiting": 1, "sending": 0, "delivered": 1, "buried": 0}


async def test_with_a_full_disk_a_refused_digest_is_split_all_the_same(room, disk, coins):
    await room.commit(*coins(3))
    disk.refuses = WRITES
    await room.commit(*coins(4, first=3))
    room.main.script = [Rejected("too long"), Rejected("too long"), Rejected("a word")]
    await room.clock.advance(60)
    assert [len(order.rows) for order in room.main.orders[3:]] == [4, 2, 1, 1, 2]
    disk.refuses = frozenset()
    await room.clock.advance(10)
    assert await room.outbox.counts() == {"waiting": 0, "sending": 0, "delivered": 6, "buried": 1}


@pytest.mark.promise("P4")
async def test_an_end_from_memory_waits_while_nobody_can_read_whether_its_firing_was_told(room, disk, make):
    room.main.script = [RetryLater(30.0, "busy")]
    fire, end = make.row(), make.row("end", after_s=10)
    await room.commit(fire)
    disk.refuses = READS
    room.lanes.offer([end, *(make.row(kind, symbol="ETHUSDT", after_s=10) for kind in ("fire", "end"))])
    await room.clock.advance(60)
    assert [[str(row.kind) for row in order.rows] for order in room.main.orders] == [["fire"], ["fire", "end"]]
    disk.refuses = frozenset()
    await room.clock.advance(60)
    assert [(o.rows[-1].view.symbol, str(o.rows[-1].kind)) for o in room.main.orders[2:]] == [
        ("BTCUSDT", "fire"),
        ("BTCUSDT", "end"),
    ]


@pytest.mark.promise("P14")
async def test_an_end_that_was_told_from_memory_stays_in_its_digest(room, disk, coins):
    await room.commit(*coins(8))
    await room.clock.advance(11)
    disk.refuses = WRITES
    for end in coins(2, "end", first=5, after_s=30):
        room.lanes.offer([end])
        await room.clock.advance(70)
    first, second = room.main.orders[-2:]
    assert first.target == second.target
    assert "1 ended" in text_of(first)
    assert "2 ended" in text_of(second)


@pytest.mark.promise("P4")
@pytest.mark.parametrize("kind", ["escalate", "update"])
async def test_what_waits_is_not_told_after_an_end_from_memory(room, disk, make, kind):
    """An escalation waits for its minute, new figures for another try; the disk is full when the alert ends."""
    await room.commit(make.row(), make.row("escalate", n=1, after_s=10))
    if kind == "update":
        room.main.script = [RetryLater(1.0, "busy")] * 3
    await room.commit(make.row(kind, n=2, after_s=20))
    await room.clock.advance(7)
    n_before = len(room.main.told)
    disk.refuses = WRITES
    end = make.row("end", after_s=30)
    room.lanes.offer([end])
    await room.clock.advance(70)
    disk.refuses = frozenset()
    await room.commit(end)
    await room.clock.advance(70)
    assert room.main.told[n_before:] == [("end", "edit", "101")]
    assert await room.outbox.counts() == {"waiting": 0, "sending": 0, "delivered": 4, "buried": 0}


@pytest.mark.promise("P14")
async def test_the_end_of_what_was_told_when_the_disk_became_full_is_told_from_memory(room, disk, make):
    disk.refuses = frozenset({"settle"})
    await room.commit(make.row())
    disk.refuses = WRITES
    room.lanes.offer([make.row("end", after_s=30)])
    await room.clock.advance(60)
    assert room.main.told == [("fire", "new", None), ("end", "edit", "101")]


@pytest.mark.promise("P4")
async def test_an_end_does_not_go_before_what_failed_while_nothing_could_be_noted(room, disk, make):
    await room.commit(make.row())
    disk.refuses = WRITES
    room.main.script = [RetryLater(1.0, "busy")] * 3
    await room.commit(make.row("update", n=1, after_s=20))
    await room.clock.advance(7)
    await room.commit(make.row("end", after_s=30))
    await room.clock.advance(10)
    assert room.main.told[-1] == ("end", "edit", "101")
    disk.refuses = frozenset()
    await room.clock.advance(70)
    assert room.main.told[-1] == ("end", "edit", "101")
    assert await room.outbox.counts() == {"waiting": 0, "sending": 0, "delivered": 3, "buried": 0}
