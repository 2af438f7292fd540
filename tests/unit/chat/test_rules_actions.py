"""`/rules` as people read it."""

from dataclasses import replace

import pytest

from bot.chat.asker import AT_TERMINAL
from bot.chat.commands import Command, parse
from bot.chat.telegram_html import to_html, to_plain
from bot.model.rules_seen import RuleSeen, RulesSeen

SURGE = RuleSeen(
    "oi_surge", "OI surge", True, "pct(oi, 15m) >= 5%", 30_000, "warning", False, 3, ("binance:BTCUSDT",), 2
)  # fmt: skip
SQUEEZE = replace(
    SURGE, id="squeeze_setup", title="Short squeeze set-up", is_on=False, n_today=0, firing=(), n_pending=0
)
BREADTH = replace(SURGE, id="breadth", title="Broad OI surge", per_market=True, firing=("*",), n_today=1, for_ms=0)


@pytest.fixture
def ask(actions):
    async def ask(text):
        asked = parse(text)
        assert isinstance(asked, Command), asked
        return await actions.answer(asked, asker=AT_TERMINAL)

    return ask


async def test_the_list_shows_what_is_on_what_fires_and_what_could_not_be_read(ask, rules):
    rules.now = RulesSeen((SURGE, SQUEEZE, BREADTH), ("my.yaml:8:12: unknown key `whn`",))
    reply = await ask("/rules")
    assert (
        to_html(reply)
        == """\
<b>Rules · 2 on · 1 off</b>
⚠️ my.yaml:8:12: unknown key `whn`
<pre>                     now today
 1 ✅ OI surge         1     3
 2 ☐  Short squeeze… off
 3 ✅ Broad OI surge   1     1</pre>"""
    )
    assert [one.command for row in reply.buttons for one in row] == [
        "/rules oi_surge", "/rules squeeze_setup", "/rules breadth", "/rules 1",
    ]  # fmt: skip


async def test_one_rule(ask, rules):
    rules.now = RulesSeen((SURGE, SQUEEZE, BREADTH), ())
    reply = await ask("/rules OI surge")
    assert (
        to_plain(reply)
        == """\
OI surge · oi_surge
Fires when pct(oi, 15m) >= 5% has held for 30 s
Warning, for each contract of its scope.

1 firing · 2 pending · 3 today"""
    )
    assert [one.command for row in reply.buttons for one in row] == ["/why binance:BTCUSDT oi_surge", "/rules"]
    assert "switched off: its file says enabled: false" in to_plain(await ask("/rules squeeze_setup"))
    assert [one.command for one in (await ask("/rules breadth")).buttons[0]] == ["/why breadth"]


async def test_pages_of_ten(ask, rules):
    rules.now = RulesSeen(tuple(replace(SURGE, id=f"r{n}", title=f"R{n}") for n in range(25)), ())
    assert "page 3 of 3" in to_plain(await ask("/rules 3"))
    assert "25 ✅ R24" in to_plain(await ask("/rules 99"))
    assert [one.label for one in (await ask("/rules 2")).buttons[-1]] == ["‹ Back", "↻", "Next ›"]


async def test_an_unknown_rule_offers_the_nearest(ask, rules):
    rules.now = RulesSeen((SURGE, SQUEEZE), ())
    reply = await ask("/rules oi_surg")
    assert to_plain(reply) == "I don't know the rule oi_surg."
    assert reply.buttons[0][0].command == "/rules oi_surge"
    assert (await ask("/rules zzz")).buttons[0][0].command == "/rules"


async def test_no_rules_and_many_problems(ask, rules):
    rules.now = RulesSeen((), tuple(f"a.yaml:{n}:1: bad" for n in range(9)))
    text = to_plain(await ask("/rules"))
    assert text.count("⚠️") == 3
    assert "… and 6 more: oibot lint shows them all." in text
    assert text.endswith("No rules are loaded.")
