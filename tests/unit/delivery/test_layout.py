"""Golden texts: what people read, word for word, in each destination."""

import io
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from bot.delivery import console, embed, layout, markup, wording
from bot.delivery.destination import Form, Order
from bot.delivery.text import Card, Span, line, utf16_length
from bot.delivery.webhook_body import body_of
from bot.model.alert import TellKind
from bot.model.outbox import OutboxRow
from bot.model.view import Affected, AlertView, Breadth, HeldBack, Member, Missed, Move
from bot.sim.chat_discord import problem
from bot.sim.chat_html import parse


def telegram(*rows, fire=None, edit=False):
    return markup.telegram_html(layout.compose(rows, fire=fire, edit=edit))


def printed(*rows, width=120):
    out = io.StringIO()
    Console(file=out, width=width).print(console.block(Order(rows=rows)), highlight=False)
    return out.getvalue().rstrip("\n")


def test_a_firing_in_telegram(make):
    row = make.row(view=make.view())
    assert telegram(row) == (
        "🟠 <b>BTCUSDT · OI surge</b>  14:31 UTC\n"
        "\n"
        "OI <b>+6.06%</b> in 15m   88.3k → 93.6k BTC  ($8.72B)\n"
        "Price <b>+0.89%</b> in 15m   92,361 → 93,183\n"
        "\n"
        "📖 Price up + OI up: new longs are opening.\n"
        "\n"
        "<blockquote expandable>Volume 24h $21.3B\n"
        "Funding +0.0081% / 8h · next in 1h 29m\n"
        "Rule <code>oi_surge</code> · <code>pct(oi, 15m) &gt;= 5%</code></blockquote>\n"
        "\n"
        "<code>#7q4mk2px</code> · data, not advice"
    )


def test_a_difference_from_the_market_is_not_called_open_interest(make):
    beyond = make.view(value_text="pct(oi, 15m) - median(pct(oi, 15m))", value=0.0452)
    assert wording.value_name(beyond) == "pct(oi, 15m) - median(pct(oi, 15m))"
    assert wording.value_name(make.view()) == "OI"
    assert wording.value_name(make.view(value_text="pct(price, 5m)")) == "Price"


def test_an_age_is_told_as_a_length_of_time(make):
    old = make.view(value_text="age(oi)", value=301_000.0, value_is_ratio=False)
    assert wording.value_text(old, old.value) == "5m"
    assert "age(oi) = 5m" in markup.plain_text(layout.compose([make.row(view=old)], fire=None, edit=False))
    share = make.view(value_text="age(oi) / age(price)", value=30.0, value_is_ratio=False)
    assert wording.value_text(share, share.value) == "30"


def test_a_firing_in_plain_text(make):
    card = layout.compose([make.row(view=make.view())], fire=None, edit=False)
    assert markup.plain_text(card) == (
        "🟠 BTCUSDT · OI surge  14:31 UTC\n"
        "\n"
        "OI +6.06% in 15m   88.3k → 93.6k BTC  ($8.72B)\n"
        "Price +0.89% in 15m   92,361 → 93,183\n"
        "\n"
        "📖 Price up + OI up: new longs are opening.\n"
        "\n"
        "Volume 24h $21.3B\n"
        "Funding +0.0081% / 8h · next in 1h 29m\n"
        "Rule oi_surge · pct(oi, 15m) >= 5%\n"
        "\n"
        "#7q4mk2px · data, not advice"
    )


def test_a_firing_in_discord(make):
    assert embed.payload([make.row(view=make.view())], fire=None, edit=False) == {
        "content": "",
        "embeds": [
            {
                "title": "BTCUSDT · OI surge",
                "url": "https://www.tradingview.com/chart/?symbol=BINANCE:BTCUSDT.P",
                "color": 0xF59E0B,
                "description": (
                    "**OI +6.06%** in 15m · price **+0.89%**\n"
                    "Price up + OI up: new longs are opening.\n"
                    "`pct(oi, 15m) >= 5%`"
                ),
                "fields": [
                    {"name": "OI", "value": "88.3k → 93.6k BTC ($8.72B)", "inline": True},
                    {"name": "Price", "value": "92,361 → 93,183", "inline": True},
                    {"name": "Funding", "value": "+0.0081% / 8h · next in 1h 29m", "inline": True},
                    {"name": "Volume", "value": "24h $21.3B", "inline": True},
                ],
                "footer": {"text": "oi_surge · #7q4mk2px · data, not advice"},
                "timestamp": "2026-11-23T14:31:00+00:00",
            }
        ],
        "allowed_mentions": {"parse": []},
    }


def test_a_firing_in_the_terminal(make):
    assert printed(make.row(view=make.view()), width=100) == (
        "▌ 🟠 BTCUSDT · OI surge  14:31 UTC  #7q4mk2px\n"
        "▌ OI +6.06% in 15m   88.3k → 93.6k BTC  ($8.72B)   Price +0.89% in 15m   92,361 → 93,183\n"
        "▌ Price up + OI up: new longs are opening.   Funding +0.0081% / 8h   pct(oi, 15m) >= 5%"
    )


def test_an_escalation(make):
    row = make.row("escalate", view=make.view(kind="escalate", value=0.092, value_before=0.061))
    assert telegram(row).split("\n")[0] == "🟠 BTCUSDT OI now <b>+9.2%</b> (was +6.1%)"
    description = embed.payload([row], fire=None, edit=False)["embeds"][0]["description"]
    assert description.split("\n")[0] == "🟠 BTCUSDT OI now **+9.2%** (was +6.1%)"
    assert printed(row).split("\n")[0] == "▌ 🟠 BTCUSDT OI now +9.2% (was +6.1%)  #7q4mk2px"


def test_a_repeat_says_how_long_it_lasts(make):
    row = make.row("repeat", view=make.view(kind="repeat", value=0.071, at_ms=make.FIRED_MS + 30 * 60_000))
    assert telegram(row).split("\n")[0] == "🟠 BTCUSDT · OI surge: still, after 30m: OI <b>+7.1%</b>"


def test_an_end_stands_above_what_the_firing_said(make):
    end = make.row("end", view=make.view(kind="end", at_ms=make.FIRED_MS + 22 * 60_000, peak=0.092, value=0.01))
    fire = make.view()
    text = telegram(end, fire=fire, edit=True)
    assert text.startswith(
        "✅ <b>ended after 22m · peak +9.2%</b>\n\n🟠 <b>BTCUSDT · OI surge</b>  14:31 UTC\n\nOI <b>+6.06%</b> in 15m"
    )
    made = embed.payload([end], fire=fire, edit=True)["embeds"][0]
    assert made["color"] == 0x22C55E
    assert made["description"].startswith("✅ **ended after 22m · peak +9.2%**\n**OI +6.06%** in 15m")


def test_an_end_of_its_own_names_the_coin_and_both_times(make):
    end = make.row("end", view=make.view(kind="end", at_ms=make.FIRED_MS + 120_000, peak=0.092))
    merged = telegram(make.row(view=make.view()), end)
    assert merged.startswith("✅ <b>BTCUSDT · OI surge</b>  fired 14:31, ended 14:33 UTC · peak +9.2%\n\nOI ")
    alone = telegram(end)
    assert alone.startswith("✅ <b>BTCUSDT · OI surge</b>  fired 14:31, ended 14:33 UTC · peak +9.2%\n\n<blockquote")
    assert printed(end) == "▌ ✅ BTCUSDT · OI surge  fired 14:31, ended 14:33 UTC · peak +9.2%  #7q4mk2px"


def test_what_fires_and_ends_in_one_step_reads_as_one_event(make):
    fire, end = make.row(view=make.view()), make.row("end", view=make.view(kind="end"))
    assert telegram(fire, end) == telegram(fire)


def test_a_closed_alert_says_why(make):
    view = make.view(
        kind="close", at_ms=make.FIRED_MS + 60_000, base="", value_text="", peak=0.09, reason="the rule was removed"
    )
    row = make.row("close", view=view)
    assert telegram(row, fire=make.view(), edit=True).startswith("⏹ <b>closed after 1m: the rule was removed</b>\n")
    assert "closed 14:32 UTC: the rule was removed" in telegram(row)


def test_a_market_alert_is_a_table(make):
    view = make.view(
        symbol="*",
        title="Breadth surge",
        severity="critical",
        base="",
        value=0.34,
        value_text="count(pct(oi, 15m) >= 3%)",
        oi=None,
        price=None,
        oi_usd=None,
        funding=None,
        volume_24h=None,
        n_true=34,
        n_members=100,
        members=(
            Member("BTCUSDT", 0.061, 0.061, 0.0089),
            Member("币安人生USDT", -0.1, -0.1, None),
        ),
    )
    text = telegram(make.row(view=view))
    assert text.startswith(
        "🔴 <b>Market · Breadth surge</b>  14:31 UTC\n"
        "\n"
        "<b>34 of 100 coins</b>\n"
        "\n"
        "<pre>               OI 15m  price 15m\n"
        "BTCUSDT        +6.10%     +0.89%\n"
        "币安人生USDT  −10.00%          –\n"
        "and 32 more</pre>\n"
    )
    assert "34 of 100 coins" in printed(make.row(view=view))
    assert (
        "**34 of 100 coins**" in embed.payload([make.row(view=view)], fire=None, edit=False)["embeds"][0]["description"]
    )


def test_old_data_says_its_age(make):
    row = make.row(view=make.view(oi_age_ms=61_000, price_age_ms=60_000))
    lines = telegram(row).split("\n")
    assert lines[2].endswith("($8.72B) · 1m old")
    assert "old" not in lines[3]
    assert embed.payload([row], fire=None, edit=False)["embeds"][0]["fields"][0]["value"].endswith(", 1m old")


def test_from_and_to_differ_however_small_the_move(make):
    small = Move(15 * 60_000, 0.004, 100_000.0, 100_400.0)
    row = make.row(view=make.view(oi=small, price=Move(15 * 60_000, 0.00001, 92_361.1, 92_362.0)))
    text = telegram(row)
    assert "100.0k → 100.4k BTC" in text
    assert "92,361 → 92,362" in text
    assert "100.0k → 100.4k BTC" in embed.payload([row], fire=None, edit=False)["embeds"][0]["fields"][0]["value"]


def test_a_measure_that_is_not_a_shown_change_has_its_own_line(make):
    row = make.row(view=make.view(value_text="zscore(oi, 4h)", value=3.21, value_is_ratio=False))
    assert "zscore(oi, 4h) = <b>3.21</b>" in telegram(row)
    assert "= **3.21**" in embed.payload([row], fire=None, edit=False)["embeds"][0]["description"]


def test_what_is_unknown_is_left_out(make):
    view = make.view(
        oi=None, price=None, oi_usd=None, funding=None, volume_24h=None, value=None, oi_age_ms=None, price_age_ms=None
    )
    text = telegram(make.row(view=view))
    assert "None" not in text
    assert "–" not in text
    assert text.count("\n\n") == 2
    assert printed(make.row(view=view)).split("\n") == [
        "▌ 🟠 BTCUSDT · OI surge  14:31 UTC  #7q4mk2px",
        "▌ pct(oi, 15m) >= 5%",
    ]


@pytest.mark.promise("P12")
def test_foreign_text_is_shown_and_never_obeyed(make):
    evil = "<b>@everyone</b> [bold red]x[/] `*_~\u202egnp.exe\u200b\x1b[31m\n#evil"
    row = make.row(view=make.view(title=evil, symbol="币安`<人生>USDT", base=evil, condition=evil, rule_id=evil))
    text = telegram(row)
    assert "&lt;b&gt;@everyone&lt;/b&gt;" in text
    assert parse(text), "it is valid HTML"
    made = embed.payload([row], fire=None, edit=False)
    assert made["allowed_mentions"] == {"parse": []}
    for shown in (text, str(made), printed(row)):
        assert not any(char in shown for char in "\u202e\u200b\x1b")
    assert "[bold red]x[/]" in printed(row)


OWN = "{{ base }} builds up: {{ value }} <{{ window }}>\n\nPrice {{ price_change }} *now*"


def test_a_rules_own_text_stands_between_the_first_line_and_the_id(make):
    row = make.row(view=make.view(message=OWN))
    assert telegram(row) == (
        "🟠 <b>BTCUSDT · OI surge</b>  14:31 UTC\n"
        "\n"
        "BTC builds up: +6.06% &lt;15m&gt;\n"
        "\n"
        "Price +0.89% *now*\n"
        "\n"
        "<code>#7q4mk2px</code> · data, not advice"
    )
    made = embed.payload([row], fire=None, edit=False)["embeds"][0]
    assert made["title"] == "BTCUSDT · OI surge"
    assert made["description"] == "BTC builds up: +6.06% \\<15m\\>\nPrice +0.89% \\*now\\*"
    assert "fields" not in made
    assert made["footer"]["text"] == "oi_surge · #7q4mk2px · data, not advice"
    assert printed(row) == (
        "▌ 🟠 BTCUSDT · OI surge  14:31 UTC  #7q4mk2px\n▌ BTC builds up: +6.06% <15m>\n▌ Price +0.89% *now*"
    )


def test_markup_in_an_own_text_has_no_effect(make):
    row = make.row(view=make.view(message="<b>bold</b> [red]x[/] @everyone **y**"))
    assert "&lt;b&gt;bold&lt;/b&gt; [red]x[/] @everyone **y**" in telegram(row)
    assert "[red]x[/]" in printed(row)
    shown = embed.payload([row], fire=None, edit=False)["embeds"][0]["description"]
    assert shown == "\\<b\\>bold\\</b\\> \\[red\\]x\\[/\\] \\@everyone \\*\\*y\\*\\*"


@pytest.mark.parametrize(
    "message", ["{% if value > 1 %}huge{% endif %}", " ", "{{ no_such_variable }}", "{% for x in y %}"]
)
def test_an_own_text_that_comes_out_empty_or_cannot_be_read_leaves_the_built_in_layout(make, message):
    plain, own = make.row(view=make.view()), make.row(view=make.view(message=message))
    assert telegram(own) == telegram(plain)
    assert embed.payload([own], fire=None, edit=False) == embed.payload([plain], fire=None, edit=False)
    assert printed(own) == printed(plain)


def test_updates_have_the_own_text_below_their_first_line(make):
    row = make.row("escalate", view=make.view(kind="escalate", value=0.092, value_before=0.061, message=OWN))
    assert telegram(row).startswith("🟠 BTCUSDT OI now <b>+9.2%</b> (was +6.1%)\n\nBTC builds up: +9.20% &lt;15m&gt;\n")
    assert "OI +6.06%" not in telegram(row)
    made = embed.payload([row], fire=None, edit=False)["embeds"][0]["description"]
    assert made.startswith("🟠 BTCUSDT OI now **+9.2%** (was +6.1%)\nBTC builds up: +9.20%")
    assert "BTC builds up: +9.20% <15m>" in printed(row)


def ending(make, **changes):
    return make.view(kind="end", at_ms=make.FIRED_MS + 22 * 60_000, peak=0.092, value=0.01, **changes)


def test_an_end_keeps_the_own_text_of_the_firing(make):
    end, fire = make.row("end", view=ending(make, message=OWN)), make.view(message=OWN)
    text = telegram(end, fire=fire, edit=True)
    assert text.startswith(
        "✅ <b>ended after 22m · peak +9.2%</b>\n\n🟠 <b>BTCUSDT · OI surge</b>  14:31 UTC\n\nBTC builds up: +6.06%"
    )
    assert "+1.00%" not in text
    made = embed.payload([end], fire=fire, edit=True)["embeds"][0]
    assert made["description"].startswith("✅ **ended after 22m · peak +9.2%**\nBTC builds up: +6.06%")
    assert "fields" not in made
    assert "BTC builds up: +6.06%" in printed(make.row(view=fire), end)
    assert printed(end).count("\n") == 0


def test_an_own_text_that_asks_for_the_kind_speaks_of_the_end_too(make):
    message = "{% if kind == 'end' %}over at {{ value }}{% else %}began at {{ value }}{% endif %}"
    end, fire = make.row("end", view=ending(make, message=message)), make.view(message=message)
    text = telegram(end, fire=fire, edit=True)
    assert "peak +9.2%</b>\n\nover at +1.00%\n\n🟠" in text
    assert "14:31 UTC\n\nbegan at +6.06%" in text
    made = embed.payload([end], fire=fire, edit=True)["embeds"][0]["description"]
    assert made == "✅ **ended after 22m · peak +9.2%**\nover at +1.00%\nbegan at +6.06%"
    assert printed(end).endswith("\n▌ over at +1.00%")
    alone = telegram(end)
    assert "over at +1.00%" in alone
    assert "began" not in alone
    assert embed.payload([end], fire=None, edit=False)["embeds"][0]["description"].endswith("\nover at +1.00%")


def test_tags_are_hashtags(make):
    row = make.row(
        view=make.view(tags=("breadth", "big-coins"), message="{{ tags }}{% if 'breadth' in tags %}!{% endif %}")
    )
    assert telegram(row).endswith(
        "breadth big-coins!\n\n<code>#7q4mk2px</code> · data, not advice · #breadth #big_coins"
    )
    footer = embed.payload([row], fire=None, edit=False)["embeds"][0]["footer"]["text"]
    assert footer == "oi_surge · #7q4mk2px · data, not advice · #breadth #big_coins"
    assert printed(row).split("\n")[0] == "▌ 🟠 BTCUSDT · OI surge  14:31 UTC  #7q4mk2px  #breadth #big_coins"


def test_what_is_silent_suppresses_the_notification_of_a_post_and_not_of_an_edit(make):
    quiet, loud = make.row(view=make.view(silent=True)), make.row(symbol="ETHUSDT", view=make.view())
    for more in ({}, {"plain": True}, {"card": Card(head=line("2 coins"))}):
        assert embed.body_of(Order(rows=(quiet,), **more))["flags"] == 4096
        assert "flags" not in embed.body_of(Order(rows=(quiet,), form=Form.EDIT, target="1", **more))
        assert "flags" not in embed.body_of(Order(rows=(loud,), **more))
        assert "flags" not in embed.body_of(Order(rows=(quiet, loud), **more)), "one that is not makes the sound"


def test_an_end_says_what_it_kept_quiet(make):
    held = (HeldBack("Beyond <the> market", 12, tuple("ABCDEFGHIJ"), 11), HeldBack("Funding", 1))
    said = "held back meanwhile: Beyond {} market 12 (A, B, C, D, E, F, G, H, I, J, 1 more); Funding 1"
    end = make.row("end", view=ending(make, held_back=held))
    text = telegram(end, fire=make.view(), edit=True)
    assert text.startswith(f"✅ <b>ended after 22m · peak +9.2%</b>\n\n{said.format('&lt;the&gt;')}\n\n🟠 <b>")
    made = embed.payload([end], fire=make.view(), edit=True)["embeds"][0]["description"]
    assert made.split("\n")[1].startswith("held back meanwhile: Beyond \\<the\\> market 12 (A")
    assert printed(end, width=200).split("\n")[1] == f"▌ {said.format('<the>')}"
    for alone in (telegram(end), telegram(make.row(view=make.view()), end)):
        assert said.format("&lt;the&gt;") in alone
    assert "held back" in embed.payload([end], fire=None, edit=False)["embeds"][0]["description"]


def test_a_firing_that_was_held_back_says_so(make):
    late = make.view(at_ms=make.FIRED_MS + 300_000)
    said = "held back until 14:36 UTC, while a rule that inhibits it fired"
    for view in (late, replace(late, message="mine")):
        row = make.row(view=view)
        assert said in telegram(row)
        assert said in embed.payload([row], fire=None, edit=False)["embeds"][0]["description"].split("\n")
        assert f"▌ {said}" in printed(row).split("\n")
    assert telegram(make.row(view=late)).startswith("🟠 <b>BTCUSDT · OI surge</b>  14:31 UTC")
    own_sum = replace(late, held_back=(HeldBack("OI surge", 2),))
    assert "held back before: OI surge 2" in telegram(make.row(view=own_sum))


foreign = st.text(max_size=3_000)
numbers_ = st.none() | st.floats(allow_nan=True, allow_infinity=True)
moves = st.none() | st.builds(Move, st.integers(0, 10**9), numbers_, numbers_, numbers_)


@settings(deadline=None)
@given(
    view=st.builds(
        AlertView,
        rule_id=foreign,
        title=foreign,
        symbol=foreign | st.just("*"),
        venue=foreign,
        base=foreign,
        severity=st.sampled_from(["info", "warning", "critical", "?"]),
        short_id=foreign,
        kind=st.sampled_from(["fire", "update", "escalate", "repeat", "end", "close", "lost", "back"]),
        at_ms=st.integers(0, 2**53),
        fired_ms=st.integers(0, 2**53),
        condition=foreign,
        value_text=foreign | st.just("pct(oi, 15m)"),
        value=numbers_,
        value_is_ratio=st.booleans(),
        value_before=numbers_,
        peak=numbers_,
        price=moves,
        oi=moves,
        oi_usd=numbers_,
        funding=numbers_,
        n_true=st.none() | st.integers(0, 10**6),
        n_members=st.none() | st.integers(0, 10**6),
        members=st.lists(st.builds(Member, foreign, *[numbers_] * 4), max_size=12).map(tuple),
        reason=foreign,
        message=st.none() | st.sampled_from([OWN, "{{ title }}\n{{ condition }}", "{{ kind }}{{ reason }}"]) | foreign,
        tags=st.lists(st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True), max_size=20).map(tuple),
        silent=st.booleans(),
        held_back=st.lists(
            st.builds(HeldBack, foreign, st.integers(1, 10**6), st.lists(foreign, max_size=10).map(tuple), st.just(11)),
            max_size=12,
        ).map(tuple),
        report=foreign | st.just(""),
        gap_ms=st.integers(0, 2**40),
        is_already_true=st.booleans(),
        oi_moves=st.lists(moves.filter(bool), max_size=2).map(tuple),
        price_moves=st.lists(moves.filter(bool), max_size=2).map(tuple),
        volume_ratio=numbers_,
        volume_window_ms=st.integers(0, 10**9),
        oi_rank=st.none() | st.integers(0, 10**6),
        oi_change_rank=st.none() | st.integers(0, 10**6),
        n_ranked=st.integers(0, 10**6),
        oi_unusual=st.none() | st.floats(0, 1),
        price_unusual=st.none() | st.floats(0, 1),
        breadth=st.none() | st.builds(Breadth, *[st.integers(0, 10**4)] * 3, *[numbers_] * 6),
        feed=foreign,
        affected=st.lists(st.builds(Affected, foreign, foreign, foreign), max_size=20).map(tuple),
        n_affected=st.integers(0, 10**6),
    ),
    edit=st.booleans(),
)
def test_whatever_is_in_it_every_limit_holds(view, edit):
    row = OutboxRow("r", "k", TellKind(view.kind), "main", view.severity, view.at_ms, view)
    card = layout.compose([row], fire=view, edit=edit)
    text = parse(markup.telegram_html(card))
    assert 0 < utf16_length(text) <= 4096
    assert 0 < utf16_length(markup.plain_text(card)) <= 4096
    order = Order(rows=(row,), fire=view, form=Form.EDIT if edit else Form.NEW, target="1")
    for made in (embed.body_of(order), embed.body_of(replace(order, plain=True))):
        assert problem(made) is None
    assert printed(row)


CARDS = [
    Card(head=line("🟠 ", Span("9 coins: *OI* surge", "bold")), body=(line("BTC_USDT <b>"), (), line("x"))),
    Card(head=line("✅ all"), body=tuple(line("x" * 200 + str(n)) for n in range(60)), details=(line("#7q4mk2px"),)),
    Card(head=line("⚠️ a note")),
]


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("plain", [False, True])
def test_a_card_of_many_alerts_is_sound_everywhere(card, plain):
    order = Order(rows=(), card=card, plain=plain, repeated=True)
    assert problem(embed.body_of(order)) is None
    parse(markup.telegram_html(order.composed()))
    out = io.StringIO()
    Console(file=out, width=100).print(console.card_block(order), highlight=False)
    assert out.getvalue().startswith("▌ ")


def test_a_digest_in_discord_shows_its_text_as_it_is():
    [found] = embed.body_of(Order(rows=(), card=CARDS[0]))["embeds"]
    assert found["title"] == "🟠 9 coins: *OI* surge"
    assert found["description"] == "BTC\\_USDT \\<b\\>\n\nx"


def summary_of(make):
    missed = (
        Missed("OI surge", 3, (("BTC", "7q4mk2px"), ("<b>", "7q4mk2py"))),
        Missed("OI flush", 4, (), "held back"),
        Missed("2", 5, (), "rest"),
    )
    view = make.view(
        kind="summary", symbol="*", venue="", title="While muted", n_true=8, missed=missed, reason="silence s-7q4mk2px",
        condition="", value=None, value_text="", oi=None, price=None, funding=None, volume_24h=None,
    )  # fmt: skip
    return make.row("summary", view=view)


def test_a_summary_names_rules_coins_and_ids(make):
    row = summary_of(make)
    assert telegram(row) == (
        "🔕 <b>While muted (silence s-7q4mk2px): 8 alerts fired and ended</b>\n"
        "\n"
        "<b>OI surge 3</b>: BTC <code>#7q4mk2px</code>, &lt;b&gt; <code>#7q4mk2py</code> and 1 more\n"
        "<b>OI flush, held back by these: 4</b>\n"
        "<b>2 more rules 5</b>\n"
        "\n"
        f"<code>#{row.view.short_id}</code> · data, not advice"
    )
    assert printed(row).splitlines() == [
        f"▌ 🔕 While muted (silence s-7q4mk2px): 8 alerts fired and ended  #{row.view.short_id}",
        "▌ OI surge 3: BTC #7q4mk2px, <b> #7q4mk2py and 1 more",
        "▌ OI flush, held back by these: 4",
        "▌ 2 more rules 5",
    ]
    body = embed.payload([row], fire=None, edit=False)
    assert problem(body) is None
    assert "OI surge 3" in body["embeds"][0]["description"]
    assert "fields" not in body["embeds"][0]
    assert "url" not in body["embeds"][0]
    (event,) = json.loads(body_of(Order(rows=(row,)), message_id="m"))["events"]
    assert event["missed"][0] == {
        "title": "OI surge",
        "n": 3,
        "alerts": [{"base": "BTC", "id": "7q4mk2px"}, {"base": "<b>", "id": "7q4mk2py"}],
    }


def test_an_acknowledgement_stands_above_what_the_firing_said(make):
    fire = make.view()
    row = make.row("ack", view=make.view(kind="ack", reason="Ann <i> until 18:00 UTC"))
    edited = telegram(row, fire=fire, edit=True)
    assert edited.startswith(
        "👍 <b>Seen by Ann &lt;i&gt; until 18:00 UTC</b>\n\n🟠 <b>BTCUSDT · OI surge</b>  14:31 UTC\n"
    )
    assert "88.3k → 93.6k BTC" in edited
    assert printed(row) == "▌ 👍 BTCUSDT · OI surge  seen by Ann <i> until 18:00 UTC  #7q4mk2px"
    body = embed.payload([row], fire=fire, edit=True)
    assert problem(body) is None
    assert "Seen by Ann" in body["embeds"][0]["description"]
    assert body["embeds"][0]["fields"]


def test_news_of_the_bot_are_plain_words_without_a_coin_or_a_rule(make):
    view = make.view(
        title="Nothing can be stored",
        report="Reason: the disk is <b>full</b>.\nI go on.",
        symbol="*",
        severity="critical",
        oi=None,
        price=None,
        funding=None,
        volume_24h=None,
    )
    row = make.row(view=view)
    expected = [
        "🔴 Nothing can be stored  14:31 UTC",
        "Reason: the disk is <b>full</b>.",
        "I go on.",
        "#7q4mk2px",
    ]
    card = layout.compose([row], fire=None, edit=False)
    assert [x for x in markup.plain_text(card).split("\n") if x] == expected
    html = markup.telegram_html(card)
    assert "&lt;b&gt;full&lt;/b&gt;" in html
    assert "Rule" not in html
    [told] = embed.payload([row], fire=None, edit=False)["embeds"]
    assert told["title"] == "Nothing can be stored"
    assert told["description"] == r"Reason: the disk is \<b\>full\</b\>." + "\nI go on."
    assert "advice" not in told["footer"]["text"]
    assert "fields" not in told
    said = printed(row)
    assert "Nothing can be stored" in said
    assert "the disk is <b>full</b>.\n▌ I go on." in said


def test_a_line_of_a_file_in_a_report_keeps_its_spaces(make):
    report = 'rules.yaml:4:5: error[E102]: unknown key "whne"\n    4 |     whne:  x\n      |     ^^^^ did you mean'
    card = layout.fire_card(make.view(report=report))
    place, source, caret = (
        "".join(span.text for span in spans).replace("\N{NO-BREAK SPACE}", " ") for spans in card.body
    )
    assert place == 'rules.yaml:4:5: error[E102]: unknown key "whne"'
    assert source == "4 |     whne:  x"
    assert caret == "  |     ^^^^ did you mean"
    assert card.body[1][0].style == card.body[2][0].style == "code"


def test_a_terminal_shows_stops_and_sizes_too(make):
    view = make.view(risk=("Stop idea long 92,596, 0.63% away", "By mark price."))
    shown = printed(make.row(view=view)).splitlines()
    assert shown[-2:] == ["▌ Stop idea long 92,596, 0.63% away", "▌ By mark price."]
    assert "Stop idea" not in printed(make.row(view=view, kind=TellKind.END))
