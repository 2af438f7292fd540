"""Updates, lost data, gaps and what was already true: how a lane tells them, and in which words."""

from dataclasses import replace

import msgspec
import pytest

from bot.delivery import console, detail, digest, embed, layout, markup
from bot.delivery.destination import Form, Order, TargetGone
from bot.delivery.planning import next_message
from bot.model.outbox import Delivered, Layout
from bot.model.view import Affected, AlertView, Breadth, Move

NEW_FIELDS = {
    "gap_ms", "is_already_true", "oi_moves", "price_moves", "volume_ratio", "volume_window_ms", "oi_rank", "oi_change_rank",
    "n_ranked", "oi_unusual", "price_unusual", "breadth", "feed", "affected", "n_affected",
}  # fmt: skip


def html(*rows, **options):
    return markup.telegram_html(layout.compose(rows, **({"fire": None, "edit": False} | options)))


def printed(*rows):
    return console.block(Order(rows=rows)).plain


def feed_row(make, kind, **changes):
    view = make.view(
        kind=kind, rule_id="feed:open interest", symbol="*", base="", value=None, value_text="", price=None, oi=None,
        condition="", feed="open interest", **changes,
    )  # fmt: skip
    return make.row(kind, view=view)


# -- updates ---------------------------------------------------------------------------------------------------------


async def test_an_update_edits_what_the_firing_said_and_the_newest_counts(room, make):
    await room.commit(make.row())
    await room.commit(make.row("update", n=1, after_s=60), make.row("update", n=2, after_s=120))
    assert room.main.told == [("fire", "new", None), ("update", "edit", "101")]
    assert len(room.main.orders[-1].rows) == 2
    assert (await room.outbox.counts())["delivered"] == 3


async def test_an_escalation_between_updates_is_an_answer(room, make):
    await room.commit(make.row())
    await room.commit(make.row("update", n=1), make.row("escalate", n=1), make.row("update", n=2))
    assert room.main.told[1:] == [("update", "edit", "101"), ("escalate", "reply", "101"), ("update", "edit", "101")]


@pytest.mark.parametrize("answer", [Delivered(None), None])
async def test_without_a_message_to_edit_an_update_is_dropped(room, make, answer):
    room.main.script = [answer or Delivered("7"), *([] if answer else [TargetGone("it was deleted")])]
    await room.commit(make.row())
    await room.commit(make.row("update", n=1))
    await room.commit(make.row("end", after_s=60))
    kinds = [kind for kind, _, _ in room.main.told]
    assert kinds == (["fire", "end"] if answer else ["fire", "update", "end"])
    assert room.lanes.status()[0].buried == 0


async def test_an_end_tells_updates_that_wait(room, make):
    await room.commit(make.row())
    await room.commit(make.row("update", n=1), make.row("end"))
    assert room.main.told[1:] == [("end", "edit", "101")]


def test_an_update_is_the_firing_with_new_figures_and_says_since_when(make):
    view = make.view(kind="update", value=0.081, value_before=0.0606, at_ms=make.FIRED_MS + 180_000)
    text = html(make.row("update", view=view), fire=make.view(), edit=True)
    assert text.startswith("🟠 <b>BTCUSDT · OI surge</b>  14:31 UTC\n")
    assert "\nupdated 14:34 UTC, was +6.1%\n" in text
    made = embed.payload([make.row("update", view=view)], fire=make.view(), edit=True)["embeds"][0]
    assert made["description"].endswith("\nupdated 14:34 UTC, was +6.1%")
    assert made["fields"]


# -- lost data -------------------------------------------------------------------------------------------------------


async def test_lost_data_and_its_return_are_messages_of_their_own(room, make):
    await room.commit(feed_row(make, "lost"))
    await room.commit(feed_row(make, "back"))
    assert room.main.told == [("lost", "new", None), ("back", "new", None)]


def test_what_is_back_before_anybody_was_told_is_one_message(make):
    rows = [feed_row(make, "lost"), feed_row(make, "back")]
    plan = next_message(rows)
    assert (plan.rows, plan.form) == (tuple(rows), Form.NEW)


def test_lost_data_is_never_called_resolved(make):
    affected = (Affected("OI <surge>", "BTCUSDT", "7q4mk2px"), Affected("All", "*", "1kd93mfa"))
    lost = feed_row(make, "lost", at_ms=make.FIRED_MS + 612_000, affected=affected, n_affected=25)
    assert html(lost) == (
        "📡 <b>Open interest: no data for 10m</b>  since 14:31 UTC\n\n"
        "25 alerts stand still until it is back, neither going on nor over:\n"
        "BTCUSDT · OI &lt;surge&gt;  <code>#7q4mk2px</code>\n"
        "Market · All  <code>#1kd93mfa</code>\n"
        "and 23 more\n\n"
        "<code>#7q4mk2px</code>"
    )
    assert printed(lost).split("\n")[0] == "▌ 📡 Open interest: no data for 10m  since 14:31 UTC"
    made = embed.payload([lost], fire=None, edit=False)["embeds"][0]
    assert made["title"] == "📡 Open interest: no data for 10m  since 14:31 UTC"
    assert "fields" not in made
    assert "url" not in made
    back = feed_row(make, "back", at_ms=make.FIRED_MS + 2_000_000)
    assert html(back).startswith("📡 <b>Open interest: data is back</b> after 33m\n")
    for text in (html(lost), html(back)):
        assert "resolved" not in text
        assert layout.ENDED not in text


# -- already true ----------------------------------------------------------------------------------------------------


async def test_what_was_already_true_gathers_for_ten_seconds(room, make):
    coins = ("AUSDT", "BUSDT", "CUSDT")
    await room.commit(*(make.row(symbol=s, is_already_true=True) for s in coins[:2]))
    await room.commit(make.row(symbol="NEWUSDT"), make.row(symbol="BADUSDT", is_already_true=True, severity="critical"))
    assert [len(o.rows) for o in room.main.orders] == [1, 1], "what is new or critical does not wait"
    await room.clock.advance(6)
    await room.commit(make.row(symbol=coins[2], after_s=6, is_already_true=True))
    assert len(room.main.orders) == 2
    await room.clock.advance(5)
    assert {row.view.symbol for row in room.main.orders[2].rows} == set(coins)
    assert (await room.outbox.counts())["waiting"] == 0


async def test_the_end_of_one_of_them_edits_the_card(room, make):
    await room.commit(*(make.row(symbol=s, is_already_true=True) for s in ("AUSDT", "BUSDT")))
    await room.clock.advance(11)
    await room.commit(make.row("update", symbol="AUSDT", n=1, after_s=60))
    await room.commit(make.row("end", symbol="AUSDT", after_s=90))
    assert room.main.told[1:] == [("update", "edit", "101"), ("end", "edit", "101")]
    assert len(room.main.orders[-1].card.body) == 3


async def test_they_survive_a_restart_within_the_ten_seconds(make, rooms):
    room = rooms()
    async with room.running():
        await room.commit(make.row(is_already_true=True))
        await room.clock.advance(3)
    room.restart()
    async with room.running():
        await room.clock.advance(8)
    assert len(room.main.orders) == 1


async def test_a_card_holds_thirty(room, make):
    await room.commit(*(make.row(symbol=f"C{n}USDT", is_already_true=True) for n in range(70)))
    await room.clock.advance(11)
    assert [len(order.rows) for order in room.main.orders] == [30, 30, 10]


def test_a_card_lists_all_with_their_ids_by_rule(make):
    a, b = (make.row(symbol=s, is_already_true=True, value=v) for s, v in (("AUSDT", 0.06), ("BUSDT", 0.11)))
    other = make.view(
        symbol="XUSDT", is_already_true=True, rule_id="x", title="X", severity="info", short_id="0f9z3k1q"
    )
    rows = (a, make.row("end", symbol="AUSDT", after_s=5), b, make.row(symbol="XUSDT", view=other))
    card = digest.compose(Layout.ALREADY, rows, n_instruments=0)
    assert markup.plain_text(card) == (
        "🟠 Already true: 3 alerts  when the bot began to watch · 1 ended\n\n"
        "OI surge\n"
        f"1 🟠 BUSDT  OI +11.00% · price +0.89%  #{b.view.short_id}\n"
        f"2 ✅ AUSDT  OI +6.00% · price +0.89% · ended after 5 s  #{a.view.short_id}\n\n"
        "X\n"
        "3 ⚪ XUSDT  OI +6.06% · price +0.89%  #0f9z3k1q\n\n"
        "data, not advice"
    )


def test_one_told_alone_says_it(make):
    assert "\nalready true when the bot began to watch\n" in html(make.row(is_already_true=True, severity="critical"))


# -- words -----------------------------------------------------------------------------------------------------------


def test_only_a_long_gap_is_told(make):
    assert "crossed during a gap of 12 min in the data" in html(make.row(gap_ms=12 * 60_000))
    assert "gap" not in html(make.row(gap_ms=60_000))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Price up + OI up: new longs are opening."),
        ({"funding": 0.0005}, "Price up + OI up: new longs are opening. Longs pay a lot."),
        (
            {"funding": -0.00026, "funding_interval_h": 4.0},
            "Price up + OI up: new longs are opening. Shorts pay a lot.",
        ),
        ({"volume_ratio": 4.0}, "Price up + OI up: new longs are opening. On heavy volume."),
        ({"volume_ratio": 3.9, "funding": 0.0004}, "Price up + OI up: new longs are opening."),
        ({"oi": None, "volume_ratio": 9.0}, ""),
    ],
)
def test_the_reading_has_qualifiers(make, changes, words):
    assert detail.reading_text(make.view(**changes)) == words


def test_a_small_move_of_the_price_is_flat(make):
    view = make.view()
    flat = replace(view, price=replace(view.price, change=0.001))
    assert detail.reading_text(flat) == "Price flat + OI up: positions build, no direction yet."


def test_the_largest_move_of_all_is_not_larger_than_itself(make):
    assert detail.unusual_text(make.view(oi_unusual=1.0)) == "OI larger than 99% of 15m moves in 24h"


def test_views_of_earlier_versions_can_still_be_read(make):
    old = {name: value for name, value in msgspec.to_builtins(make.view()).items() if name not in NEW_FIELDS}
    assert msgspec.json.decode(msgspec.json.encode(old), type=AlertView) == make.view()
    rich = make.view(
        breadth=Breadth(1, 1, 0, 0.1, None, 1.0, None, None, 2.0),
        oi_moves=(Move(1, 0.1, 1.0, 1.1),),
        affected=(Affected("a", "b", "c"),),
    )
    assert msgspec.json.decode(msgspec.json.encode(rich), type=AlertView) == rich


@pytest.mark.promise("P18")
async def test_what_was_already_true_does_not_wait_for_a_time_that_the_venue_took_back(rooms, make):
    room, ahead_ms = rooms(), 86_400_000
    now_ms = [make.FIRED_MS + ahead_ms]
    room.how = {"venue_now": lambda: now_ms[0]}
    room.restart()
    async with room.running():
        await room.commit(*(make.row(symbol=s, after_s=86_400, is_already_true=True) for s in ("AUSDT", "BUSDT")))
        assert room.main.orders == []
        now_ms[0] -= ahead_ms
        await room.clock.advance(31)
        assert [len(order.rows) for order in room.main.orders] == [2]
