"""What every `Outbox` promises."""

import pytest

from bot.model.outbox import Delivered, Message, Rejected, RetryLater


def message(*rows, name="m1", **changes):
    values = {"destination": rows[0].destination, "row_ids": tuple(r.id for r in rows), "attempts": 0} | changes
    return Message(id=name, **values)


async def test_rows_come_back_as_they_were_committed(ports, make):
    row = make.row()
    await ports.alerts.commit(make.commit(rows=[row]))
    assert await ports.outbox.waiting("main", now_ms=0, limit=9) == [row]
    assert await ports.outbox.waiting("other", now_ms=0, limit=9) == []
    assert await ports.outbox.next_due_ms("main") == 0
    assert await ports.outbox.next_due_ms("other") is None
    assert await ports.outbox.row_of(row.key, "fire", "main") == row
    assert await ports.outbox.row_of(row.key, "end", "main") is None


async def test_critical_comes_first_then_the_oldest_and_alerts_stay_together(ports, make):
    first, second, critical = make.row(1), make.row(2), make.row(3, severity="critical")
    end_of_first, end_of_critical = make.row(1, "end"), make.row(3, "end", severity="info")
    rows = [first, second, end_of_first, critical, end_of_critical]
    await ports.alerts.commit(make.commit(rows=rows))
    assert await ports.outbox.waiting("main", now_ms=0, limit=9) == [
        critical,
        end_of_critical,
        first,
        end_of_first,
        second,
    ]
    assert await ports.outbox.waiting("main", now_ms=0, limit=1) == [critical]


async def test_a_row_under_way_is_not_handed_out_again_and_neither_is_what_follows_it(ports, make):
    fire, end, other = make.row(1), make.row(1, "end"), make.row(2)
    await ports.alerts.commit(make.commit(rows=[fire, end, other]))
    await ports.outbox.begin(message(fire))
    assert await ports.outbox.waiting("main", now_ms=10**15, limit=9) == [other]
    assert (await ports.outbox.counts())["sending"] == 1


async def test_a_failed_row_is_due_again_at_its_time_and_its_end_waits_with_it(ports, make):
    fire, end = make.row(1), make.row(1, "end")
    await ports.alerts.commit(make.commit(rows=[fire, end]))
    await ports.outbox.begin(message(fire))
    await ports.outbox.settle(message(fire), RetryLater(2.5, "busy"), now_ms=1000)
    assert await ports.outbox.waiting("main", now_ms=3499, limit=9) == []
    assert await ports.outbox.next_due_ms("main") == 3500
    assert await ports.outbox.waiting("main", now_ms=3500, limit=9) == [fire, end]
    assert await ports.outbox.counts() == {"waiting": 2, "sending": 0, "delivered": 0, "buried": 0}


async def test_a_delivered_message_is_found_by_its_alert(ports, make):
    fire, end = make.row(1), make.row(1, "end")
    await ports.alerts.commit(make.commit(rows=[fire, end]))
    assert await ports.outbox.message_of(fire.key, "fire", "main") is None
    await ports.outbox.begin(message(fire))
    assert await ports.outbox.message_of(fire.key, "fire", "main") is None, "under way is not delivered"
    await ports.outbox.settle(message(fire), Delivered("77"), now_ms=1000)
    assert await ports.outbox.message_of(fire.key, "fire", "main") == message(fire, attempts=1, provider_id="77")
    assert await ports.outbox.message_of(fire.key, "fire", "other") is None
    assert await ports.outbox.waiting("main", now_ms=1000, limit=9) == [end], "the end may go now"


async def test_attempts_are_counted_over_begins(ports, make):
    fire = make.row(1)
    await ports.alerts.commit(make.commit(rows=[fire]))
    for _ in range(3):
        await ports.outbox.begin(message(fire))
        await ports.outbox.settle(message(fire), RetryLater(0, "busy"), now_ms=0)
    await ports.outbox.settle(message(fire), Delivered("7"), now_ms=0)
    assert (await ports.outbox.message_of(fire.key, "fire", "main")).attempts == 3


async def test_rows_may_move_to_a_message_that_carries_more(ports, make):
    """The end came while the fire was still being retried: both go in one message."""
    fire, end = make.row(1), make.row(1, "end")
    await ports.alerts.commit(make.commit(rows=[fire, end]))
    await ports.outbox.begin(message(fire))
    await ports.outbox.settle(message(fire), RetryLater(1, "busy"), now_ms=0)
    both = message(fire, end, name="m2")
    await ports.outbox.begin(both)
    await ports.outbox.settle(both, Delivered("5"), now_ms=2000)
    for kind in ("fire", "end"):
        found = await ports.outbox.message_of(fire.key, kind, "main")
        assert (found.id, found.row_ids, found.provider_id) == ("m2", (fire.id, end.id), "5")
    assert await ports.outbox.counts() == {"waiting": 0, "sending": 0, "delivered": 2, "buried": 0}


async def test_what_is_rejected_is_listed_with_its_reason(ports, make):
    fire, end = make.row(1), make.row(1, "end")
    await ports.alerts.commit(make.commit(rows=[fire, end]))
    await ports.outbox.begin(message(fire))
    await ports.outbox.settle(message(fire), Rejected("text refused"), now_ms=5)
    [buried] = await ports.outbox.buried()
    assert (buried.row, buried.reason, buried.at_ms) == (fire, "text refused", 5)
    assert await ports.outbox.message_of(fire.key, "fire", "main") is None
    assert await ports.outbox.waiting("main", now_ms=5, limit=9) == [end], "a buried row holds nothing up"
    assert (await ports.outbox.counts())["buried"] == 1


async def test_an_outcome_may_be_stored_without_its_begin(ports, make):
    """The disk was full when the attempt began."""
    fire = make.row(1)
    await ports.alerts.commit(make.commit(rows=[fire]))
    await ports.outbox.settle(message(fire, attempts=1), Delivered("9"), now_ms=5)
    assert await ports.outbox.waiting("main", now_ms=5, limit=9) == []
    assert (await ports.outbox.message_of(fire.key, "fire", "main")).provider_id == "9"


async def test_recover_makes_open_attempts_due_again(ports, make):
    under_way, delivered, fresh = make.row(1), make.row(2), make.row(3)
    await ports.alerts.commit(make.commit(rows=[under_way, delivered, fresh]))
    await ports.outbox.begin(message(under_way, name="a"))
    await ports.outbox.begin(message(delivered, name="b"))
    await ports.outbox.settle(message(delivered, name="b"), Delivered("1"), now_ms=1)
    assert await ports.outbox.recover(now_ms=100) == 1
    assert await ports.outbox.waiting("main", now_ms=100, limit=9) == [under_way, fresh]
    assert await ports.outbox.recover(now_ms=100) == 0


@pytest.mark.promise("P18")
async def test_after_a_start_nothing_waits_longer_than_an_hour(ports, make):
    """The clock was a day ahead when the time was set."""
    fire = make.row(1)
    await ports.alerts.commit(make.commit(rows=[fire]))
    await ports.outbox.settle(message(fire), RetryLater(5, "busy"), now_ms=10**9)
    await ports.outbox.recover(now_ms=1000)
    assert await ports.outbox.next_due_ms("main") == 1000 + 3_600_000


@pytest.mark.parametrize("n", [50])
async def test_destinations_do_not_see_each_other(ports, make, n):
    rows = [make.row(i, destination=d) for i in range(n) for d in ("main", "side")]
    await ports.alerts.commit(make.commit(rows=rows))
    await ports.outbox.begin(message(rows[0], name="a"))
    assert len(await ports.outbox.waiting("main", now_ms=0, limit=1000)) == n - 1
    assert len(await ports.outbox.waiting("side", now_ms=0, limit=1000)) == n
