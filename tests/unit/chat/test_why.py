"""/why and /why not, as people read it."""

import math

import pytest

from bot.chat import why_pages
from bot.chat.asker import AT_TERMINAL, in_telegram
from bot.chat.commands import parse
from bot.chat.reply import Button, Reply
from bot.chat.telegram_html import keyboard, to_html, to_plain
from bot.chat.why import Why
from bot.chat.why_text import distance_text, moment
from bot.model.alert import State, Transition, alert_key, short_id
from bot.model.chat_alert import AlertAdded, ChatAlert
from bot.model.explanation import AlertSeen, Distance, Glance, Hush, RuleName

NOW_MS = 1_767_225_600_000


@pytest.fixture
def ask(actions):
    async def ask(text):
        return await actions.answer(parse(text), asker=AT_TERMINAL)

    return ask


def make_alert(why, **more) -> None:
    values = {"id": "a-7q4mk2px", "chat": "terminal", "user": "terminal", "instrument": "binance:BTCUSDT"}
    condition = {"measure": "price", "op": ">=", "level": 150.0, "is_ratio": False, "created_ms": 0}
    alert = ChatAlert(**{**values, **condition, **more})
    why.alerts.append(alert)
    why.engine.consume(AlertAdded(alert))
    why.engine.tick(why.engine.now_ms + 1)


def firing(rule_id="oi_surge", n=0, **more) -> Transition:
    values = {"venue": "binance", "symbol": "BTCUSDT", "state": State.FIRING, "at_ms": NOW_MS + n, "value": 0.06}
    values["key"] = alert_key(rule_id, "binance:BTCUSDT", NOW_MS + n)
    return Transition(rule_id=rule_id, **{**values, **more})


async def test_alone_it_explains_itself(ask):
    text = to_plain(await ask("/why"))
    assert text.startswith("/why\n/why BTC · all rules that look at it")
    assert "● firing" in text


async def test_all_rules_of_a_contract_the_nearest_first(ask):
    reply = await ask("/why btc")
    assert (
        to_html(reply)
        == """\
<b>BTCUSDT</b> · rules, nearest first

● <b>high</b> firing since 00:00:00, told once, peak 102.00 · 102.00
○ <b>cheap</b> 102.00 · 22.00 to go (28%)
○ <b>oi_surge</b> +3.80% · 1.20 points to go (24%)
○ <b>breadth</b> 0 · 2 to go (100%)"""
    )
    assert keyboard(reply)[0] == (Button("high", "/why BTCUSDT high"), Button("cheap", "/why BTCUSDT cheap"))


async def test_alerts_of_the_chat_stand_among_the_rules(ask, why):
    make_alert(why)
    make_alert(why, id="a-00000000", chat="telegram:8")
    reply = await ask("/why btc")
    assert "○ <b>a-7q4mk2px</b> price &gt;= 150 · 102.00 · 48.00 to go (32%)" in to_html(reply)
    assert "a-00000000" not in to_html(reply)
    assert Button("a-7q4mk2px", "/why BTCUSDT a-7q4mk2px") in sum(keyboard(reply), ())


EITHER = """
- {id: either, when: "pct(oi, 10s) >= 5% or price >= 100"}
- {id: together, when: "price >= 103 and (pct(oi, 10s) >= 1% or oi > 9)"}
"""


async def test_old_firings_are_told_in_the_unit_of_what_they_fired_with(ask, why, engine_of):
    why.engine = engine_of(EITHER)
    old = firing("either", -9_000, value=1_038.0)
    record = why.engine.book("either").look(0)
    now = firing("either", at_ms=record.fired_ms, value=102.0, key=record.key)
    why.transitions = [now, old]
    said = to_plain(await ask("/why btc either")).splitlines()
    assert said[-2:] == [f"00:00:00 firing 102.00 #{now.id}", f"Wed 31 Dec 23:59:51 firing #{old.id}"]
    assert said[1].startswith("● firing since 00:00:00, told once, peak 102.00")
    said = to_plain(await ask(f"/why #{old.id}"))
    assert f"firing #{old.id}" in said


async def test_what_has_to_be_true_first_is_what_all_its_firings_followed(ask, why, engine_of):
    why.engine = engine_of(EITHER)
    why.transitions = [firing("together", -9_000, value=104.0)]
    assert "firing 104.00 #" in to_plain(await ask("/why btc together"))


async def test_of_a_rule_that_is_gone_no_figure_is_told_in_no_unit(ask, why):
    why.transitions = [gone := firing("gone", value=0.06)]
    assert f"firing #{gone.id}" in to_plain(await ask(f"/why #{gone.id}"))


@pytest.mark.parametrize("typed", ["/why A-7q4m", "/why btc a-7q4mk2px", "/why a-7q4mk2px btc"])
async def test_an_alert_of_the_chat_is_explained_as_a_rule_is(ask, why, typed):
    make_alert(why)
    reply = await ask(typed)
    assert (
        to_html(reply)
        == """\
<b>BTCUSDT · price &gt;= 150</b>
○ inactive · as of 00:00:19 UTC
Fires when price &gt;= 150

<code>✗ price &gt;= 150</code>
    102.00, 48.00 to go (32%)
    now: price 102.00, sample of 00:00:19, fresh"""
    )
    assert keyboard(reply) == (
        (
            Button("↻ Refresh", "/why a-7q4mk2px"),
            Button("All rules", "/why BTCUSDT"),
            Button("‹ Alert", "/alerts a-7q4mk2px"),
        ),
    )


async def test_what_an_alert_still_lacks(ask, why):
    make_alert(why)
    text = to_plain(await ask("/whynot a-7q4m"))
    assert text.startswith("BTCUSDT · price >= 150\n✗ price >= 150 · 102.00, 48.00 to go (32%)")


async def test_an_alert_that_is_not_there_is_no_riddle(ask):
    reply = await ask("/why A-17j89b57")
    assert to_plain(reply).startswith("No alert of this chat begins with a-17j89b57, or nothing is known of it yet.")
    assert keyboard(reply) == ((Button("Alerts", "/alerts"),),)
    assert reply.is_refusal


async def test_a_rule_with_a_value_of_its_own_shows_that(ask, why, rules_of):
    told = why_pages.glance_line(glance(value=-0.08, unit="ratio", distance=Distance(2_100.0, 0.02, "amount")))
    assert to_plain(Reply((told,))) == "○ oi_top −8.00% · 2% to go"


def glance(**more) -> Glance:
    values = {
        "rule_id": "oi_top",
        "title": "New high",
        "per_market": False,
        "phase": "inactive",
        "verdict": "false",
        "value": 1.0,
        "unit": "number",
        "distance": None,
        "nearness": 0.02,
        "why": "",
        "alert": AlertSeen("inactive"),
        "at_ms": NOW_MS,
    }
    return Glance(**{**values, **more})


async def test_false_although_a_part_is_unknown(ask):
    assert (
        to_plain(Reply((why_pages.glance_line(glance(value=None, nearness=math.inf)),)))
        == "○ oi_top false, as far as it is known"
    )


async def test_a_symbol_with_a_mark_of_any_kind_is_that_symbol(ask):
    said = to_plain(await ask("/why btc"))
    for typed in ("/why BTC?", "/why did btc fire?", "/why #btc", "/why $BTC!", "/why ＢＴＣ"):
        assert to_plain(await ask(typed)) == said


async def test_what_is_unknown_says_why(ask):
    text = to_plain(await ask("/why eth"))
    assert "? oi_surge no open interest has come yet, 19 s after it was first watched" in text
    assert "? small no price has come yet" in text


@pytest.mark.parametrize(
    "typed",
    [
        *("/why btc oi_surge", "/w BTC/USDT OI-Surge", "/why oi_surge btc", "/why bitcoin oi_surge"),
        *("/why OI surge btc", "/why btc oi surge?", "/why did OI surge fire btc", "/why #btc oi_surge"),
    ],
)
async def test_one_rule_in_full(ask, typed):
    reply = await ask(typed)
    assert (
        to_html(reply)
        == """\
<b>BTCUSDT · OI surge</b>
○ inactive · as of 00:00:19 UTC
Fires when pct(oi, 10s) &gt;= 5% has held for 5 s

<code>✗ pct(oi, 10s) &gt;= 5%</code>
    +3.80%, 1.20 points to go (24%)
    00:00:09 to 00:00:19
    then: oi 1.00k, sample of 00:00:09, fresh
    now: oi 1.04k, sample of 00:00:19, fresh"""
    )
    assert keyboard(reply) == ((Button("↻ Refresh", "/why BTCUSDT oi_surge"), Button("All rules", "/why BTCUSDT")),)


async def test_a_firing_alert_says_what_ends_it_and_what_happened(ask, why):
    why.transitions = [firing("high", value=100.0)]
    text = to_plain(await ask("/why btc high"))
    assert "● firing since 00:00:00, told once, peak 102.00" in text
    assert "Ends when price >= 100 is no longer true" in text
    assert "Ends: ✗ not price >= 100" in text
    assert f"00:00:00 firing 100.00 #{why.transitions[0].id}" in text


async def test_data_that_is_missing_stands_first(ask):
    lines = to_plain(await ask("/why eth oi_surge")).splitlines()
    assert lines[2] == "⚠️ no open interest has come yet, 19 s after it was first watched"
    assert lines.count("    no open interest has come yet, 19 s after it was first watched") == 1


async def test_a_rule_about_the_market_with_and_without_a_contract(ask):
    text = to_plain(await ask("/why breadth"))
    assert text.startswith("the whole scope · Broad move")
    assert "true for 0 of 3, 1 unknown" in text
    assert "nearest: BTCUSDT +2.00%, 1000PEPEUSDT −12.35%" in text
    assert keyboard(await ask("/why breadth")) == ((Button("↻ Refresh", "/why breadth"),),)
    assert "    ✗ pct(price, 10s) >= 3%\n        −12.35%, 15.35 points to go (512%)" in to_plain(
        await ask("/why pepe breadth")
    )


async def test_who_is_outside_the_scope_is_told(ask):
    assert "⚠️ not in the scope: the rule names other symbols" in to_plain(await ask("/why btc small"))
    assert "small" not in to_plain(await ask("/why btc"))


async def test_misspelt_names_get_suggestions_and_nothing_is_guessed(ask):
    reply = await ask("/why btc oi_srge")
    assert to_plain(reply) == "I don't know the rule oi_srge."
    assert keyboard(reply)[0] == (Button("oi_surge", "/why BTCUSDT oi_surge"),)
    reply = await ask("/why btcusd oi_surge")
    assert to_plain(reply) == "I don't know the symbol btcusd."
    assert Button("BTCUSDT", "/why BTCUSDT oi_surge") in keyboard(reply)[0]
    for typed in ("/why oi surg btc", "/why btc oi surg", "/whynot oi surg btc"):
        assert Button("oi_surge", "/why BTCUSDT oi_surge") in sum(keyboard(await ask(typed)), ()), typed
    assert to_plain(await ask("/why qqqq zzzz")).startswith("I don't know the symbol qqqq.")
    assert to_plain(await ask("/why btc zzzz")) == "I don't know the rule zzzz. /why BTCUSDT lists them all."
    assert keyboard(await ask("/why breadht"))[0] == (Button("breadth", "/why BTC breadth"),)


async def test_a_rule_of_single_contracts_needs_one(ask):
    assert (
        to_plain(await ask("/why OI surge"))
        == to_plain(await ask("/why oi_surge"))
        == "oi_surge looks at each contract. Name one, such as /why BTC oi_surge."
    )


async def test_a_rule_that_is_switched_off_says_so(ask, why):
    why.off = [RuleName("sleepy", "sleepy", is_on=False)]
    assert to_plain(await ask("/why btc sleepy")) == "sleepy is switched off: its file says enabled: false."


async def test_an_alert_by_its_id_or_the_beginning_of_it(ask, why):
    fired = firing("high", value=100.0)
    ended = firing("high", state=State.RESOLVED, at_ms=NOW_MS + 90_000, value=99.0)
    why.transitions = [ended, fired]
    for typed in (f"/why #{fired.id}", f"/why #{fired.id[:4].upper()}", f"/why {fired.id}"):
        text = to_plain(await ask(typed))
        assert text.startswith(
            f"#{fired.id} · high · BTCUSDT\n00:00:00 firing 100.00 #{fired.id}\n00:01:30 resolved 99.00\nIt lasted 1m."
        )
        assert "● firing since" in text


async def test_what_was_on_another_day_says_which(ask, why):
    day_ms = 86_400_000
    fired = firing("high", at_ms=NOW_MS - 3 * day_ms, value=100.0)
    ended = firing("high", state=State.RESOLVED, at_ms=NOW_MS + 1_000, value=99.0)
    why.transitions = [ended, fired]
    text = to_plain(await ask(f"/why #{fired.id}"))
    assert f"Mon 29 Dec 00:00:00 firing 100.00 #{fired.id}\n00:00:01 resolved 99.00\n" in text
    why.transitions = [firing("gone")]
    assert "Thu 1 Jan 00:00:00 firing" in to_plain(await ask(f"/why #{why.transitions[0].id}"))
    since = AlertSeen("firing", since_ms=NOW_MS - 2 * day_ms, n_told=1)
    told = to_plain(Reply((why_pages.glance_line(glance(phase="firing", alert=since)),)))
    assert "firing since Tue 30 Dec 00:00:00, told once" in told


async def test_an_id_of_a_rule_that_is_gone(ask, why):
    why.transitions = [firing("gone")]
    text = to_plain(await ask(f"/why #{why.transitions[0].id}"))
    assert text.endswith("Its rule or its contract is gone.")


async def test_several_alerts_of_one_beginning_are_offered(ask, why):
    """Ids whose first four characters agree, found by trying."""
    seen: dict[str, int] = {}
    for n in range(20_000):
        prefix = short_id(alert_key("high", "binance:BTCUSDT", NOW_MS + n))[:4]
        if prefix in seen:
            break
        seen[prefix] = n
    why.transitions = [firing("high", n), firing("high", seen[prefix])]
    reply = await ask(f"/why #{prefix}")
    assert to_plain(reply) == f"2 alerts begin with #{prefix}. Which one?"
    assert [row[0].command for row in keyboard(reply)] == [f"/why #{t.id}" for t in why.transitions]


@pytest.mark.parametrize("typed", ["/why #abc", "/why #uuuu", "/why #7q4mk2px", "/why #"])
async def test_an_id_that_is_unknown_or_too_short(ask, typed):
    assert "I know no alert" in to_plain(await ask(typed))


async def test_before_the_first_tick(actions, why, rules_of):
    from bot.engine.engine import Engine

    why.engine = Engine(rules_of("- {id: r, when: price > 1}\n"))
    assert "have not been evaluated yet" in to_plain(await actions.answer(parse("/why btc r"), asker=AT_TERMINAL))
    assert "only just started" in to_plain(await actions.answer(parse("/why btc"), asker=AT_TERMINAL))


async def test_a_tree_that_is_too_long_is_cut_and_counted(actions, why, rules_of):
    from bot.chat.telegram_html import utf16_units

    when = " or ".join(f"(price > {n} and pct(price, 10s) > {n}%)" for n in range(200, 221))
    more = rules_of(f"- {{id: huge, when: '{when}'}}\n")
    engine = type(why.engine)(more)
    engine.load([(0, i) for _, i in why.engine.market.universe.items()][:1])
    engine.tick(NOW_MS)
    why.engine = engine
    html = to_html(await actions.answer(parse("/why btc huge"), asker=AT_TERMINAL))
    assert utf16_units(html) <= 4_096
    assert "… and " in html
    assert html.endswith("more lines.")


@pytest.mark.parametrize(
    ("distance", "text"),
    [
        (Distance(0.012, 0.24, "ratio"), "1.20 points to go (24%)"),
        (Distance(-0.012, -0.24, "ratio"), "past it by 1.20 points (24%)"),
        (Distance(1_500_000.0, None, "usd"), "$1.50M to go"),
        (Distance(0.0, 0.0, "count"), "past it by 0 (0%)"),
        (Distance(90_000.0, 1.5, "duration"), "1m to go (150%)"),
    ],
)
def test_distances_are_read_in_the_unit_of_the_value(distance, text):
    assert distance_text(distance) == text


HUSHED = (
    Hush("silence", "telegram:7", NOW_MS + 3_600_000, "", "s-7q4mk2px", "moving house"),
    Hush("silence", "telegram:8", NOW_MS + 90_000_000, "discord", "s-1kd93mfa"),
    Hush("acknowledged", "Ann", None, "telegram"),
    Hush("quiet hours", "telegram:7", NOW_MS + 60_000, "telegram"),
    Hush("inhibited", "oi_flush"),
)


async def test_what_keeps_it_quiet_is_told_with_who_and_until_when(ask, why):
    why.hushed = HUSHED
    text = to_plain(await ask("/why btc high"))
    assert [one for one in text.split("\n") if one.startswith("🔕")] == [
        "🔕 silence s-7q4mk2px by telegram:7 until 01:00 UTC, everywhere: moving house",
        "🔕 silence s-1kd93mfa by telegram:8 until Fri 2 Jan 01:00 UTC, at discord",
        "🔕 acknowledged by Ann until it ends, at telegram",
        "🔕 quiet hours by telegram:7 until 00:01 UTC, at telegram",
        "🔕 inhibited while oi_flush fires",
    ]


async def test_what_keeps_it_quiet_elsewhere_is_the_owners_to_know(why, market):
    why.hushed = HUSHED
    family = Why(market, why, destination_of={"telegram:-5": "telegram"}.get)
    for asker, places in (
        (in_telegram(-5, 9, is_owner=False), {"everywhere", "telegram"}),
        (in_telegram(-6, 9, is_owner=False), {"everywhere"}),
        (in_telegram(-5, 9, is_owner=True), {"everywhere", "telegram", "discord"}),
    ):
        text = to_plain(await family.answer(parse("/why btc high"), asker))
        assert {
            place for place in ("everywhere", "telegram", "discord") if f", at {place}" in text or f", {place}" in text
        } == places
        assert "inhibited while oi_flush fires" in text


@pytest.mark.parametrize("ms", [-62_135_596_800_001, 10**17, -(10**17)])
def test_a_time_that_no_calendar_knows_is_told_without_its_day(ms):
    assert moment(ms, 0) == "–"
    assert moment(0, ms) == "00:00:00"
