"""`/whynot`: only what is missing."""

import pytest

from bot.chat.asker import AT_TERMINAL
from bot.chat.commands import Command, parse
from bot.chat.telegram_html import to_plain
from bot.chat.why_not import missing
from bot.model.explanation import Node, RuleName


@pytest.fixture
def ask(actions):
    async def ask(text):
        asked = parse(text)
        assert isinstance(asked, Command), asked
        return await actions.answer(asked, asker=AT_TERMINAL)

    return ask


def commands(reply):
    return [one.command for row in reply.buttons for one in row]


async def test_what_is_missing_is_told_with_how_much(ask):
    reply = await ask("/whynot btc oi_surge")
    lines = to_plain(reply).split("\n")
    assert lines[0] == "BTCUSDT · OI surge"
    assert lines[1] == "✗ pct(oi, 10s) >= 5% · +3.80%, 1.20 points to go (24%)"
    assert "Nearer or next:" in lines
    assert commands(reply) == ["/whynot BTCUSDT oi_surge", "/why BTCUSDT oi_surge", "/whynot BTCUSDT"]
    assert await ask("/whynot oi_surge btc") == reply


async def test_one_that_fires_says_so(ask):
    assert "It fires right now." in to_plain(await ask("/whynot btc high"))


async def test_data_that_is_missing_is_named(ask):
    assert "?" in to_plain(await ask("/whynot eth oi_surge")).split("\n")[2] or "⚠️" in to_plain(
        await ask("/whynot eth oi_surge")
    )


async def test_a_symbol_alone_gives_what_comes_next(ask):
    reply = await ask("/whynot btc")
    text = to_plain(reply)
    assert text.startswith("BTCUSDT · what comes next")
    assert "high firing" not in text
    assert "1 fires already: /why BTCUSDT" in text
    assert "/whynot BTCUSDT oi_surge" in commands(reply)


async def test_a_rule_about_the_market_needs_no_symbol(ask):
    assert "count(pct(price, 10s) >= 3%) >= 2" in to_plain(await ask("/whynot breadth"))
    assert "looks at each contract" in to_plain(await ask("/whynot oi_surge"))


async def test_what_is_not_known_is_offered_or_refused(ask, why):
    assert commands(await ask("/whynot BTCUDST oi_surge")) == ["/whynot BTCUSDT oi_surge"]
    assert "I don't know the rule zzz" in to_plain(await ask("/whynot btc zzz"))
    why.off.append(RuleName("sleeping", "Sleeping", is_on=False))
    assert "switched off" in to_plain(await ask("/whynot btc sleeping"))
    assert to_plain(await ask("/whynot")).startswith("/whynot")


def test_of_a_tree_the_smallest_conditions_that_keep_it_from_being_true():
    a, b, c = Node("a > 1", "true"), Node("b > 1", "false"), Node("c > 1", "unknown")
    both = Node("a > 1 and b > 1", "false", parts=(a, b))
    either = Node("b > 1 or c > 1", "unknown", parts=(b, c))
    negated = Node("not a > 1", "false", parts=(a,))
    assert list(missing(both)) == [b]
    assert list(missing(either)) == [b, c]
    assert list(missing(negated)) == [negated]
    assert list(missing(Node("x", "false", parts=(both, negated)))) == [b, negated]
    # A `not` that stands first is only a part of what is joined.
    holds = Node("not b > 1", "true", parts=(b,))
    assert list(missing(Node("not b > 1 and b > 1", "false", parts=(holds, b)))) == [b]
    assert list(missing(a)) == []
