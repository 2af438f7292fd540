"""Many alerts at once: three go at once, the rest in digests; storms are one card; ends and updates find their place."""

import re

import pytest

from bot.delivery.destination import Form, TargetGone
from bot.delivery.manners import Manners
from bot.delivery.markup import to_plain
from bot.model.outbox import Delivered, Rejected, RetryLater
from bot.model.view import Move

ID = re.compile(r"#([0-9a-hjkmnp-tv-z]{8})")


def text_of(order):
    return to_plain(order.composed())


def ids_of(order):
    return ID.findall(text_of(order))


@pytest.fixture
def storm(make):
    """So many firings of different coins."""

    def made(n, *, first=0, kind="fire", **changes):
        return [make.row(kind, symbol=f"C{i:03}USDT", base=f"C{i:03}", **changes) for i in range(first, first + n)]

    return made


@pytest.fixture
def told_ids(room):
    return lambda: [one for order in room.main.orders for one in ids_of(order)]


async def test_three_go_at_once_and_the_others_together_at_the_end_of_ten_seconds(room, storm, told_ids):
    rows = storm(8)
    await room.commit(*rows)
    assert [len(o.rows) for o in room.main.orders] == [1, 1, 1]
    await room.clock.advance(9.9)
    assert len(room.main.orders) == 3
    await room.clock.advance(0.2)
    assert [len(o.rows) for o in room.main.orders] == [1, 1, 1, 5]
    assert sorted(told_ids()) == sorted(row.view.short_id for row in rows)
    text = text_of(room.main.orders[3])
    assert text.startswith("🟠 5 coins: OI surge (15m)  14:31 UTC")
    assert "C003USDT  OI +6.06% · price +0.89%  #" in text
    assert (await room.outbox.counts())["delivered"] == 8


async def test_a_storm_that_goes_on_is_one_digest_per_window(room, storm):
    for second in range(30):
        await room.commit(*storm(4, first=4 * second))
        await room.clock.advance(1)
    await room.clock.advance(10)
    assert len(room.main.orders) <= 3 + 4 + 4, "three alone, a digest every ten seconds, none too long"
    assert (await room.outbox.counts())["delivered"] == 120


async def test_after_a_quiet_time_alerts_go_at_once_again(room, storm):
    await room.commit(*storm(3))
    await room.clock.advance(60)
    await room.commit(*storm(3, first=3))
    assert len(room.main.orders) == 6


async def test_the_only_one_that_was_gathered_is_told_as_an_alert(room, storm):
    await room.commit(*storm(4))
    await room.clock.advance(10)
    assert "Rule oi_surge" in text_of(room.main.orders[3])
    assert room.main.orders[3].card is None


async def test_critical_alerts_and_alerts_from_chat_are_never_in_a_digest(room, make, storm):
    critical = [make.row(symbol=f"K{n}USDT", severity="critical") for n in range(5)]
    asked_for = [make.row(symbol=f"A{n}USDT", rule_id="a-7q4mk2px") for n in range(5)]
    await room.commit(*storm(9), *asked_for, *critical)
    assert [o.rows[0].view.symbol for o in room.main.orders[:5]] == [f"K{n}USDT" for n in range(5)], "critical first"
    assert len(room.main.orders) == 13
    assert all(len(o.rows) == 1 for o in room.main.orders)


async def test_no_digest_hides_an_id(room, storm, told_ids):
    rows = storm(203)
    await room.commit(*rows)
    await room.clock.advance(20)
    assert sorted(told_ids()) == sorted(row.view.short_id for row in rows)
    assert all(len(text_of(o)) < 4_000 for o in room.main.orders)


async def test_a_digest_is_grouped_by_rule_the_most_severe_first(room, make, storm):
    weak = [make.row(symbol=f"W{n}USDT", rule_id="drift", title="Drift", severity="info") for n in range(4)]
    await room.commit(*storm(3), *weak, *storm(2, first=3))
    await room.clock.advance(10)
    lines = text_of(room.main.orders[3]).split("\n")
    assert lines[0].startswith("🟠 6 alerts: 4 Drift, 2 OI surge")
    assert lines.index("OI surge") < lines.index("Drift")


async def test_the_end_of_an_alert_edits_its_line(room, make, storm):
    await room.commit(*storm(6))
    await room.clock.advance(10)
    await room.commit(make.row("end", symbol="C004USDT", base="C004", after_s=1320))
    edit = room.main.orders[-1]
    assert (edit.form, edit.target) == (Form.EDIT, "104")
    ended = next(x for x in text_of(edit).split("\n") if "C004USDT" in x)
    assert ended.startswith("2 ✅ C004USDT")
    assert "ended after 22m" in ended
    assert sorted(ids_of(edit)) == sorted(ids_of(room.main.orders[3]))


async def test_ends_of_one_digest_are_shown_by_one_edit_a_minute(room, make, storm):
    await room.commit(*storm(13))
    await room.clock.advance(10)
    n = len(room.main.orders)
    for i in range(3, 13):
        await room.commit(make.row("end", symbol=f"C{i:03}USDT", after_s=60 + i))
        await room.clock.advance(1)
    assert len(room.main.orders) == n + 1
    await room.clock.advance(60)
    assert len(room.main.orders) == n + 2
    assert text_of(room.main.orders[-1]).count("ended after") == 10
    assert text_of(room.main.orders[-1]).startswith("✅ ")
    assert (await room.outbox.counts())["delivered"] == 23


async def test_an_escalation_replies_to_the_digest(room, make, storm):
    await room.commit(*storm(6))
    await room.clock.advance(10)
    await room.commit(make.row("escalate", n=1, symbol="C004USDT", after_s=20, value=0.092, value_before=0.0606))
    assert room.main.told[-2] == ("escalate", "reply", "104")
    assert text_of(room.main.orders[-2]).startswith("🟠 C004USDT OI now +9.2% (was +6.1%)")
    edit = room.main.orders[-1]
    assert (edit.form, edit.target) == (Form.EDIT, "104")
    assert "C004USDT  OI +9.20% · price +0.89%  #" in text_of(edit), "its line says so too"
    assert "C005USDT  OI +6.06% · price +0.89%  #" in text_of(edit)


async def test_new_figures_reach_the_line_of_a_digest(room, make, storm):
    await room.commit(*storm(6))
    await room.clock.advance(10)
    updates = [make.row("update", n=1, symbol=f"C00{n}USDT", base=f"C00{n}", after_s=70, value=0.07) for n in (3, 5)]
    await room.commit(*updates)
    edit = room.main.orders[-1]
    assert room.main.told[4:] == [("update", "edit", "104")], "both by one edit"
    assert text_of(edit).count("OI +7.00%") == 2
    assert len(ids_of(edit)) == 3
    await room.commit(make.row("update", n=2, symbol="C003USDT", base="C003", after_s=90, value=0.08))
    assert len(room.main.orders) == 5, "once a minute"
    await room.commit(make.row("end", symbol="C005USDT", base="C005", after_s=95))
    assert room.main.told[5:] == [("end", "edit", "104")], "an end waits for no figures, and takes them along"
    assert "OI +8.00%" in text_of(room.main.orders[-1])
    assert "ended after 1m" in text_of(room.main.orders[-1])
    assert (await room.outbox.counts())["waiting"] == 0


async def test_new_figures_of_a_digest_that_is_gone_are_dropped_and_its_ends_told(room, make, storm):
    await room.commit(*storm(6))
    await room.clock.advance(10)
    room.main.script = [TargetGone("gone")]
    await room.commit(make.row("update", n=1, symbol="C003USDT", after_s=70, value=0.07))
    assert room.main.told[-1] == ("update", "edit", "104")
    await room.clock.advance(60)
    room.main.script = [TargetGone("gone")]
    late = make.row("update", n=2, symbol="C003USDT", after_s=140, value=0.08)
    await room.commit(late, make.row("end", symbol="C005USDT", after_s=140))
    anew = room.main.orders[-1]
    assert text_of(anew).startswith("✅ C005USDT · OI surge  fired 14:31, ended 14:33 UTC  #")
    assert len(ids_of(anew)) == 1
    assert (await room.outbox.counts())["waiting"] == 0


@pytest.mark.parametrize("stored", [True, False], ids=["from the outbox", "from memory"])
async def test_one_that_is_refused_buries_no_other_of_its_digest(room, make, storm, stored):
    """The chat refuses every message in which one coin stands."""
    real = room.main.send
    attempts = []

    async def send(order):
        attempts.append(len(order.rows))
        if any(row.view.symbol == "C007USDT" for row in order.rows):
            return Rejected("Telegram: the message is refused")
        return await real(order)

    room.main.send = send
    rows = storm(12)
    if stored:
        await room.commit(*rows)
    else:
        room.lanes.offer(rows)
    await room.clock.advance(30)
    told = [row.view.symbol for order in room.main.orders for row in order.rows]
    assert sorted(told) == sorted(row.view.symbol for row in rows if row.view.symbol != "C007USDT"), "each once"
    assert len(attempts) <= 3 + 9, "by halves"
    if stored:
        assert [b.row.view.symbol for b in await room.outbox.buried()] == ["C007USDT"]
        assert (await room.outbox.counts())["waiting"] == 0
    assert len(room.main.notes) == 1
    assert room.lanes.status()[0].buried == 1


async def test_an_end_after_a_restart_edits_the_digest_of_before(rooms, make, storm):
    room = rooms()
    async with room.running():
        await room.commit(*storm(6))
        await room.clock.advance(10)
    room.restart()
    async with room.running():
        await room.commit(make.row("end", symbol="C005USDT", after_s=60))
    edit = room.main.orders[-1]
    assert (edit.form, edit.target, len(ids_of(edit))) == (Form.EDIT, "104", 3)


async def test_ends_of_a_digest_that_is_gone_are_a_message_of_their_own(room, make, storm):
    await room.commit(*storm(6))
    await room.clock.advance(10)
    room.main.script = [TargetGone("deleted")]
    await room.commit(make.row("end", symbol="C003USDT", after_s=60), make.row("end", symbol="C004USDT", after_s=61))
    assert room.main.orders[-1].form is Form.NEW
    assert text_of(room.main.orders[-1]).startswith("✅ 2 ended: 2 OI surge")


async def test_ends_where_messages_have_no_ids_are_told_together(room, make, storm):
    room.main.script = [Delivered(None)] * 4
    await room.commit(*storm(6))
    await room.clock.advance(10)
    await room.commit(*(make.row("end", symbol=f"C00{n}USDT", after_s=60) for n in (3, 4, 5)))
    assert len(room.main.orders) == 5
    assert text_of(room.main.orders[-1]).startswith("✅ 3 ended")


async def test_what_ended_while_it_was_gathered_is_told_as_both(room, make, storm):
    await room.commit(*storm(5))
    await room.commit(make.row("end", symbol="C004USDT", after_s=5))
    await room.clock.advance(10)
    digest = room.main.orders[3]
    assert len(digest.rows) == 3
    assert "✅ C004USDT  OI +6.06% · price +0.89% · ended after 5 s  #" in text_of(digest)
    assert (await room.outbox.counts())["waiting"] == 0


async def test_updates_come_at_most_once_a_minute_and_the_newest_counts(room, make):
    await room.commit(make.row())
    for n in range(1, 8):
        await room.commit(make.row("escalate", n=n, after_s=n * 10))
        await room.clock.advance(10)
    await room.clock.advance(60)
    assert [o.rows[-1].view.at_ms - make.FIRED_MS for o in room.main.orders] == [0, 10_000, 60_000, 70_000]
    assert (await room.outbox.counts())["delivered"] == 8


async def test_updates_of_a_critical_alert_do_not_wait(room, make):
    await room.commit(make.row(severity="critical"))
    for n in range(1, 4):
        await room.commit(make.row("escalate", n=n, after_s=n, severity="critical"))
    assert len(room.main.orders) == 4


# -- storms ------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def market_room(rooms):
    async with rooms(n_instruments=lambda: 500).running() as found:
        yield found


def moved(i, *, oi, price=0.01):
    """A coin of 100 units at $10 whose open interest and price rose."""
    return {
        "value": oi,
        "oi": Move(900_000, oi, 100.0, 100.0 * (1 + oi)),
        "price": Move(900_000, price, 10.0, 10.0 * (1 + price)),
        "oi_usd": 100.0 * (1 + oi) * 10.0 * (1 + price),
        "symbol": f"C{i:03}USDT",
        "base": f"C{i:03}",
    }


async def test_a_storm_over_the_market_is_one_card_with_all_ids(market_room, make):
    changes = [0.05 + i / 10_000 for i in range(82)] + [0.5]
    rows = [make.row(**moved(i, oi=oi)) for i, oi in enumerate(changes)]
    await market_room.commit(*rows)
    await market_room.clock.advance(10)
    assert len(market_room.main.orders) == 4
    card = market_room.main.orders[3]
    text = text_of(card)
    assert len(card.rows) == 80
    assert text.startswith("🟠 Market up: OI surge on 80 coins  14:31 UTC")
    assert "80 of 500 coins (16%)" in text
    assert "Median OI +5.43% · price +1.00% in 15m" in text
    assert "Positions opened, in coins at today's prices: +$4.83k; with the price +$5.63k" in text
    assert "Most: C082 +50 (+$505)" in text
    assert "Beyond the market: C082 +44.6% (z " in text
    assert sorted(ids_of(card)) == sorted(row.view.short_id for row in rows[3:])


async def test_ends_are_counted_on_the_card(market_room, make):
    rows = [make.row(**moved(i, oi=0.06 + i / 1000)) for i in range(70)]
    await market_room.commit(*rows)
    await market_room.clock.advance(10)
    await market_room.commit(*(make.row("end", after_s=60, **moved(i, oi=0.06)) for i in range(10, 30)))
    edit = market_room.main.orders[-1]
    assert (edit.form, edit.target) == (Form.EDIT, "104")
    assert "· 20 of 67 ended" in text_of(edit)


async def test_few_or_mixed_alerts_are_no_storm(market_room, make):
    ups = [make.row(**moved(i, oi=0.06)) for i in range(40)]
    downs = [make.row(**moved(i, oi=-0.06)) for i in range(40, 80)]
    await market_room.commit(*ups, *downs)
    await market_room.clock.advance(10)
    assert not any("Market" in text_of(o) for o in market_room.main.orders)
    assert sum(len(o.rows) for o in market_room.main.orders) == 80


async def test_without_a_known_market_there_is_no_storm(room, storm):
    await room.commit(*storm(60))
    await room.clock.advance(10)
    assert not any("Market" in text_of(o) for o in room.main.orders)


async def test_ids_that_do_not_fit_on_the_card_follow_it(market_room, make):
    rows = [make.row(**moved(i, oi=0.06 + i / 10_000)) for i in range(480)]
    await market_room.commit(*rows)
    await market_room.clock.advance(10)
    texts = [text_of(o) for o in market_room.main.orders]
    assert texts[3].startswith("🟠 Market up")
    assert all("more of the same" in text for text in texts[4:])
    assert len(texts) <= 8
    told = [one for o in market_room.main.orders for one in ids_of(o)]
    assert sorted(told) == sorted(row.view.short_id for row in rows)
    assert all(len(text) < 4_000 for text in texts)


# -- late, held back, repeated -----------------------------------------------------------------------------------------


async def test_after_an_outage_what_is_old_is_told_late_and_together(room, make, storm):
    room.main.script = [RetryLater(1_200.0, "down")]
    await room.commit(*storm(40))
    await room.clock.advance(1_100)
    await room.commit(*(make.row("end", symbol=f"C{n:03}USDT", after_s=120) for n in range(30, 40)))
    await room.commit(make.row(symbol="NEWUSDT", view=make.view(symbol="NEWUSDT"), after_s=1_100))
    await room.clock.advance(200)
    texts = [text_of(o) for o in room.main.orders[1:]]
    assert texts[0].startswith("⏰ told late: 40 OI surge, fired 14:31 UTC")
    assert "C039USDT 14:31–14:33 #" in texts[0], "fired and ended before it was told"
    assert len(texts) == 2, "and the new one by itself"
    assert (await room.outbox.counts())["waiting"] == 0


async def test_a_rule_says_itself_from_which_age_on_its_firings_are_late(room, make):
    room.main.script = [RetryLater(1_200.0, "down")]
    slow = [make.row(symbol=f"S{n}USDT", rule_id="slow", title="Slow", ttl_ms=3_600_000) for n in range(2)]
    quick = [
        make.row(symbol=f"Q{n}USDT", rule_id="quick", title="Quick", ttl_ms=60_000, after_s=1_100) for n in range(2)
    ]
    await room.commit(*slow)
    await room.clock.advance(1_100)
    await room.commit(*quick)
    await room.clock.advance(200)
    told = [text_of(order).splitlines()[0] for order in room.main.orders[1:]]
    assert [line for line in told if "Slow" in line and "late" not in line], told
    assert [line for line in told if "told late: 2 Quick" in line], told


async def test_updates_that_are_out_of_date_are_dropped_and_ends_are_not(room, make):
    await room.commit(make.row())
    room.main.script = [RetryLater(1_200.0, "down")]
    await room.commit(make.row("escalate", n=1, after_s=10))
    await room.clock.advance(1_000)
    await room.commit(make.row(symbol="ETHUSDT", after_s=1_000), make.row("end", symbol="ETHUSDT", after_s=1_001))
    await room.clock.advance(1_000)
    assert [t[0] for t in room.main.told] == ["fire", "escalate", "end"]
    assert room.main.notes == [], "nobody needs to hear of that"


async def test_the_cap_of_a_minute_holds_back_and_says_what(rooms, make, storm):
    async with rooms(manners=Manners(at_once=100, per_minute=5)).running() as room:
        flush = [make.row(symbol=f"F{n}USDT", rule_id="oi_flush", title="OI flush") for n in range(3)]
        rows = [*storm(17), *flush]
        await room.commit(*rows)
        await room.clock.advance(59)
        assert len(room.main.orders) == 5
        await room.clock.advance(2)
        assert len(room.main.orders) == 6
        assert text_of(room.main.orders[5]).startswith("✋ held back 15: 12 OI surge, 3 OI flush")
        told = [one for o in room.main.orders for one in ids_of(o)]
        assert sorted(told) == sorted(row.view.short_id for row in rows)


async def test_what_was_held_back_and_then_refused_for_good_is_forgotten(rooms, storm):
    async with rooms(manners=Manners(at_once=100, per_minute=5)).running() as room:
        await room.commit(*storm(8))
        [lane] = room.lanes._lanes.values()
        assert len(lane._planner.caps.held) == 3
        room.main.script = [Rejected("refused")] * 10
        await room.clock.advance(120)
        assert len(await room.outbox.buried()) == 3
        assert lane._planner.caps.held == {}


async def test_critical_alerts_pass_the_cap_of_others_and_have_their_own(rooms, make, storm):
    manners = Manners(per_minute=2, critical_per_minute=4)
    async with rooms(manners=manners).running() as room:
        await room.commit(*storm(9))
        await room.commit(*(make.row(symbol=f"K{n}USDT", severity="critical") for n in range(9)))
        assert [o.rows[0].severity for o in room.main.orders] == ["warning"] * 2 + ["critical"] * 4
        await room.clock.advance(61)
        held = [text_of(o) for o in room.main.orders[6:]]
        assert held[0].startswith("✋ held back 5")
        assert (await room.outbox.counts())["waiting"] == 0


async def test_the_cap_of_a_day_lasts_until_midnight_over_restarts(rooms, storm, keep):
    room = rooms(manners=Manners(at_once=100, per_minute=1000, per_day=10), store=keep)
    async with room.running():
        await room.commit(*storm(15))
        assert len(room.main.orders) == 10
        await room.lanes.drain(1)
    room.restart()
    async with room.running():
        await room.commit(*storm(5, first=15))
        await room.clock.advance(9 * 3_600)
        assert len(room.main.orders) == 10, "14:31 and nine hours"
        await room.clock.advance(3_600)
        assert text_of(room.main.orders[10]).startswith("✋ held back 10: 10 OI surge")


async def test_an_end_of_what_was_held_back_edits_the_notice(rooms, make, storm):
    async with rooms(manners=Manners(at_once=100, per_minute=5)).running() as room:
        await room.commit(*storm(9))
        await room.clock.advance(61)
        await room.commit(make.row("end", symbol="C008USDT", after_s=61))
        assert room.main.told[-1] == ("end", "edit", "106")
        assert "C008USDT 14:31–14:32 #" in text_of(room.main.orders[-1])


async def test_what_may_have_arrived_says_so_when_it_comes_again(room, make, storm):
    room.main.script = [RetryLater(1.0, "no answer", ambiguous=True)]
    await room.commit(make.row())
    await room.clock.advance(3)
    assert [o.repeated for o in room.main.orders] == [False, True]
    assert "perhaps told before" in text_of(room.main.orders[1])
    await room.commit(make.row("end", after_s=60))
    assert "perhaps" not in text_of(room.main.orders[2])


async def test_a_digest_that_may_have_arrived_comes_again_with_the_same_rows(rooms, storm):
    room = rooms()
    async with room.running():
        await room.commit(*storm(6))
        room.main.hang.clear()
        await room.clock.advance(10)
        await room.commit(*storm(5, first=6))
    room.main.hang.set()
    room.restart()
    async with room.running():
        await room.clock.advance(1)
    first, again = room.main.orders[3], room.main.orders[4]
    assert again.rows == first.rows
    assert again.repeated
    assert not first.repeated


async def test_at_the_stop_what_was_gathered_goes_at_once(room, storm):
    await room.commit(*storm(8))
    assert len(room.main.orders) == 3
    assert await room.lanes.drain(2.0) is True
    assert [len(o.rows) for o in room.main.orders] == [1, 1, 1, 5]


# -- seen, muted ---------------------------------------------------------------------------------------------------------


async def test_an_acknowledgement_edits_one_alert_and_answers_a_digest(room, make, storm):
    await room.commit(*storm(6))
    await room.clock.advance(10)
    await room.commit(make.row("ack", symbol="C000USDT", after_s=11, reason="Ann"))
    assert room.main.told[-1] == ("ack", "edit", "101")
    await room.commit(make.row("ack", symbol="C004USDT", after_s=12, reason="Ann"))
    assert room.main.told[-2] == ("ack", "reply", "104")
    assert text_of(room.main.orders[-2]).startswith("👍 C004USDT · OI surge  seen by Ann")
    assert "C004USDT  OI +6.06% · price +0.89% · seen by Ann  #" in text_of(room.main.orders[-1])


async def test_an_acknowledgement_that_waits_with_its_firing_stands_in_the_digest(room, make, storm):
    await room.commit(*storm(6), make.row("ack", symbol="C004USDT", after_s=1, reason="Ann"))
    await room.clock.advance(10)
    assert "C004USDT  OI +6.06% · price +0.89% · seen by Ann  #" in text_of(room.main.orders[3])
    assert len(room.main.orders) == 4


async def test_a_summary_is_a_message_of_its_own_and_waits_for_a_cap(rooms, make, storm):
    async with rooms(manners=Manners(per_minute=3)).running() as room:
        await room.commit(*storm(3))
        await room.commit(make.row("summary", symbol="*", after_s=1, n_true=8))
        assert len(room.main.orders) == 3
        await room.clock.advance(61)
        assert room.main.told[3:] == [("summary", "new", None)]
