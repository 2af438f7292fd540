"""What every `Outbox` promises."""

from dataclasses import replace

import pytest

from bot.model.alert import State
from bot.model.outbox import Backlog, Delivered, Fold, Kept, Layout, Message, Rejected, RetryLater, Tried
from bot.model.outbox_ports import Commit

EMPTY = dict.fromkeys(["waiting", "sending", "delivered", "buried"], 0)


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
    assert await ports.outbox.counts() == EMPTY | {"waiting": 2}


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
    assert await ports.outbox.counts() == EMPTY | {"delivered": 2}


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


async def test_a_row_says_in_which_message_it_was_tried(ports, make):
    one, two, fresh = make.row(1), make.row(2), make.row(3)
    await ports.alerts.commit(make.commit(rows=[one, two, fresh]))
    digest = message(one, two, name="d", layout=Layout.DIGEST)
    await ports.outbox.begin(digest)
    await ports.outbox.settle(digest, RetryLater(0, "busy"), now_ms=0)
    rows = await ports.outbox.waiting("main", now_ms=0, limit=9)
    assert [row.tried for row in rows] == [Tried("d", Layout.DIGEST, False)] * 2 + [None]
    await ports.outbox.settle(digest, RetryLater(0, "no answer", ambiguous=True), now_ms=0)
    await ports.outbox.settle(digest, RetryLater(0, "busy"), now_ms=0)
    rows = await ports.outbox.waiting("main", now_ms=0, limit=9)
    assert rows[0].tried == Tried("d", Layout.DIGEST, True), "once in doubt, always in doubt"


async def test_an_attempt_that_a_stop_cut_short_is_in_doubt(ports, make):
    row = make.row(1)
    await ports.alerts.commit(make.commit(rows=[row]))
    await ports.outbox.begin(message(row))
    await ports.outbox.recover(now_ms=5)
    [found] = await ports.outbox.waiting("main", now_ms=5, limit=9)
    assert found.tried == Tried("m1", Layout.ALERT, True)


async def test_a_digest_is_found_with_its_rows_and_the_ends_of_its_alerts(ports, make):
    one, two, other = make.row(1), make.row(2), make.row(3)
    end_of_two, end_of_other = make.row(2, "end"), make.row(3, "end")
    elsewhere = [make.row(2, destination="side"), make.row(2, "end", destination="side")]
    await ports.alerts.commit(make.commit(rows=[one, two, other, end_of_two, end_of_other, *elsewhere]))
    digest = message(one, two, name="d", layout=Layout.DIGEST)
    await ports.outbox.settle(digest, Delivered("7"), now_ms=0)
    assert (await ports.outbox.message_of(two.key, "fire", "main")).layout is Layout.DIGEST
    assert await ports.outbox.rows_of("d") == [one, two]
    assert await ports.outbox.later_of("d") == [end_of_two]
    assert await ports.outbox.rows_of("unknown") == []
    assert await ports.outbox.later_of("unknown") == []


async def test_the_next_due_time_may_leave_out_what_is_due(ports, make):
    now, later = make.row(1), make.row(2)
    await ports.alerts.commit(make.commit(rows=[now, later]))
    await ports.outbox.settle(message(later), RetryLater(9, "busy"), now_ms=1000)
    assert await ports.outbox.next_due_ms("main") == 0
    assert await ports.outbox.next_due_ms("main", after_ms=1000) == 10_000
    assert await ports.outbox.next_due_ms("main", after_ms=10_000) is None


async def test_by_hand_what_was_buried_is_told_after_all(ports, make):
    gone, fresh = make.row(1), make.row(2)
    await ports.alerts.commit(make.commit(rows=[gone, fresh]))
    await ports.outbox.settle(message(gone), Rejected("too old"), now_ms=7)
    [entry] = await ports.care.entries(("buried",), limit=9)
    assert (entry.row, entry.state, entry.reason, entry.at_ms) == (gone, "buried", "too old", 7)
    assert await ports.care.retry([gone.id, "unknown"]) == 1
    rows = await ports.outbox.waiting("main", now_ms=0, limit=9)
    assert [(row.id, row.again, row.tried) for row in rows] == [(gone.id, True, None), (fresh.id, False, None)]
    assert await ports.care.entries(("buried",), limit=9) == []


async def test_by_hand_what_waits_for_its_backoff_goes_now(ports, make):
    row = make.row(1)
    await ports.alerts.commit(make.commit(rows=[row]))
    await ports.outbox.settle(message(row), RetryLater(300, "busy"), now_ms=1000)
    [entry] = await ports.care.entries(("waiting",), limit=9)
    assert (entry.reason, entry.at_ms) == ("busy", 301_000)
    assert await ports.care.retry([row.id]) == 1
    assert await ports.outbox.waiting("main", now_ms=1000, limit=9) == [row]


async def test_by_hand_a_firing_is_not_told_after_its_end(ports, make):
    fire, end = make.row(1), make.row(1, "end")
    await ports.alerts.commit(make.commit(rows=[fire, end]))
    await ports.outbox.settle(message(fire), Rejected("refused"), now_ms=0)
    await ports.outbox.settle(message(end, name="m2"), Delivered("7"), now_ms=0)
    assert await ports.care.retry([fire.id]) == 0
    assert (await ports.outbox.counts())["buried"] == 1


async def test_by_hand_what_waits_is_given_up_and_its_neighbours_in_a_digest_are_not(ports, make):
    one, two = make.row(1), make.row(2)
    await ports.alerts.commit(make.commit(rows=[one, two]))
    digest = message(one, two, name="d", layout=Layout.DIGEST)
    await ports.outbox.settle(digest, RetryLater(0, "busy"), now_ms=0)
    assert await ports.care.bury([one.id, "unknown"], "by hand", now_ms=9) == 1
    assert await ports.outbox.waiting("main", now_ms=0, limit=9) == [two]
    [entry] = await ports.care.entries(("buried",), limit=9)
    assert (entry.row, entry.reason) == (one, "by hand")
    assert await ports.care.retry([one.id]) == 1
    assert len(await ports.outbox.waiting("main", now_ms=0, limit=9)) == 2


async def test_by_hand_a_dropped_update_is_not_among_what_was_given_up(ports, make):
    """A terminal cannot edit, so there are as many of them as anybody likes."""
    refused, dropped, waits = make.row(1), make.row(2, "update"), make.row(3, "update")
    await ports.alerts.commit(make.commit(rows=[refused, dropped, waits]))
    await ports.outbox.settle(message(refused), Rejected("refused"), now_ms=0)
    await ports.outbox.settle(message(dropped, name="m2"), Rejected("out of date"), now_ms=0)
    assert [entry.row for entry in await ports.care.entries(("waiting", "buried"), limit=9)] == [waits, refused]
    assert await ports.care.bury([waits.id], "by hand", now_ms=9) == 1
    assert [entry.row for entry in await ports.care.entries(("buried",), limit=9)] == [waits, refused]


async def test_entries_are_the_newest_first_and_of_one_destination_where_asked(ports, make):
    rows = [make.row(1), make.row(2, destination="side"), make.row(3)]
    await ports.alerts.commit(make.commit(rows=rows))
    found = await ports.care.entries(("waiting", "buried"), limit=2)
    assert [entry.row for entry in found] == [rows[2], rows[1]]
    assert [entry.row for entry in await ports.care.entries(("waiting",), destination="side", limit=9)] == [rows[1]]


async def kept_rows(ports, batch=1_000):
    return [one.row async for found in ports.outbox.kept(batch=batch) for one in found]


def muted(*rows):
    return tuple(Kept(row, "silence s-1", 9_000) for row in rows)


@pytest.mark.parametrize("batch", [1, 2, 1_000])
async def test_a_kept_row_is_stored_but_belongs_to_no_lane(ports, make, batch):
    rows = [make.row(n) for n in (3, 1, 2)]
    await ports.alerts.commit(Commit((), (), (), kept=muted(*rows)))
    await ports.alerts.commit(Commit((), (), (rows[0],), kept=muted(rows[1])))  # known: both change nothing

    assert await ports.outbox.waiting("main", now_ms=9_999, limit=9) == []
    assert await ports.outbox.next_due_ms("main") is None
    assert await kept_rows(ports, batch) == rows
    assert [one async for found in ports.outbox.kept(batch=batch) for one in found] == list(muted(*rows))
    assert await ports.outbox.counts() == EMPTY | {"muted": 3}
    assert await ports.outbox.row_of(rows[0].key, "fire", "main") == rows[0]


async def test_a_released_row_waits_since_its_release_and_before_what_came_later(ports, make):
    fire, other = make.row(1000), make.row(2000)
    await ports.alerts.commit(Commit((), (), (), kept=muted(fire)))
    await ports.alerts.commit(Commit((), (), (other,)))
    freed = replace(fire, created_ms=8_000)
    for _ in range(2):  # a commit may be repeated
        await ports.alerts.commit(Commit((), (), (), released=(freed,)))

    assert await ports.outbox.waiting("main", now_ms=8_000, limit=9) == [freed, other]
    assert await kept_rows(ports) == []


async def test_a_row_that_is_not_kept_is_not_released(ports, make, settle):
    row = make.row()
    await ports.alerts.commit(Commit((), (), (row,)))
    await settle(row)
    await ports.alerts.commit(Commit((), (), (), released=(row,), folded=(Fold(row.key, "main", "x"),)))
    assert await ports.outbox.counts() == EMPTY | {"delivered": 1}


async def test_what_is_folded_is_told_by_another_and_goes_when_it_is_old(ports, make):
    fire, end, elsewhere = make.row(1000), make.row(1000, "end"), make.row(1000, destination="other")
    summary = make.row(7000, "summary")
    await ports.alerts.commit(Commit((), (), (), kept=muted(fire, end, elsewhere)))
    await ports.alerts.commit(Commit((), (), (summary,), folded=(Fold(fire.key, "main", summary.id),)))

    assert await ports.outbox.counts() == EMPTY | {"waiting": 1, "folded": 2, "muted": 1}
    assert await ports.outbox.waiting("main", now_ms=9_000, limit=9) == [summary]
    assert await kept_rows(ports) == [elsewhere]

    await ports.alerts.commit(make.commit(records=[make.record(key=fire.key)]))
    assert await ports.alerts.prune(before_ms=9_000) == 0, "it still fires"
    await ports.alerts.commit(make.commit(records=[make.record(state=State.INACTIVE)]))
    assert await ports.alerts.prune(before_ms=9_000) == 2
    assert await ports.outbox.counts() == EMPTY | {"waiting": 1, "muted": 1}


async def test_in_one_commit_the_newest_update_is_released_and_the_others_are_folded(ports, make):
    first, second = make.row(1000, "escalate", 1), make.row(1000, "escalate", 2)
    await ports.alerts.commit(Commit((), (), (), kept=muted(first, second)))
    change = Commit((), (), (), released=(second,), folded=(Fold(first.key, "main", second.id),))
    await ports.alerts.commit(change)
    assert await ports.outbox.waiting("main", now_ms=9_000, limit=9) == [second]
    assert await ports.outbox.counts() == EMPTY | {"waiting": 1, "folded": 1}


async def test_firings_are_found_by_the_beginning_of_their_short_id(ports, make):
    fires = [make.row(n) for n in range(40)]
    await ports.alerts.commit(Commit((), (), tuple(fires)))
    one = fires[7]
    end, there = make.row(7, "end"), make.row(7, destination="there")
    await ports.alerts.commit(Commit((), (), (end,), kept=muted(there)))

    (found,) = await ports.outbox.fired(one.view.short_id, limit=9)
    assert (found.key, found.destinations, found.ended) == (one.key, ("main", "there"), True)
    assert [f.key for f in await ports.outbox.fired(one.view.short_id[:4], destination="there", limit=9)] == [one.key]
    assert await ports.outbox.fired(one.view.short_id, destination="nowhere", limit=9) == []
    for prefix in {fire.view.short_id[:1] for fire in fires}:
        expected = [fire.key for fire in reversed(fires) if fire.view.short_id.startswith(prefix)]
        keys = [f.key for f in await ports.outbox.fired(prefix, limit=99)]
        assert sorted(keys) == sorted(expected)
        assert len(await ports.outbox.fired(prefix, limit=1)) == 1
    for nothing in ("", "u", "%", "123456789"):
        assert await ports.outbox.fired(nothing, limit=9) == []


async def test_a_dropped_update_is_no_dead_letter(ports, make):
    update = make.row(kind="update", n=1)
    await ports.alerts.commit(make.commit(rows=[update]))
    await ports.outbox.begin(message(update))
    await ports.outbox.settle(message(update), Rejected("nothing to edit"), now_ms=5)
    assert await ports.outbox.buried() == []
    assert await ports.outbox.waiting("main", now_ms=5, limit=9) == []


async def test_the_backlog_is_what_is_neither_told_nor_buried(ports, make):
    first, second, told, muted = make.row(1), make.row(2), make.row(3), make.row(4)
    rows = [replace(first, created_ms=500), replace(second, created_ms=300), replace(told, created_ms=1)]
    other = replace(make.row(5), id="other", destination="other", created_ms=700)
    await ports.alerts.commit(replace(make.commit(rows=[*rows, other]), kept=(Kept(muted, "quiet", 10),)))
    await ports.outbox.begin(message(rows[0]))
    await ports.outbox.begin(message(rows[2], name="m2"))
    await ports.outbox.settle(message(rows[2], name="m2"), Delivered("7"), now_ms=1000)
    assert await ports.outbox.backlog() == [Backlog("main", 2, 300), Backlog("other", 1, 700)]
