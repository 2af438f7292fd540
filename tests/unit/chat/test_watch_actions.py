"""Pins and lists as people use them."""

import asyncio

import pytest

from bot.chat.asker import AT_TERMINAL, in_telegram
from bot.chat.commands import Command, parse
from bot.chat.expanding import expand
from bot.chat.telegram_html import to_plain
from bot.model.watchlists import MAX_LISTS, MAX_PINS
from bot.storage.memory_watchlists import MemoryWatchlistStore


class SlowStore(MemoryWatchlistStore):
    """Takes a turn of the loop, as a database does."""

    async def put(self, one):
        await asyncio.sleep(0)
        await super().put(one)


@pytest.fixture
def store():
    return SlowStore()


@pytest.fixture
def ask(actions):
    async def ask(text, asker=AT_TERMINAL):
        asked = parse(text)
        assert isinstance(asked, Command), asked
        return await actions.answer(asked, asker=asker)

    return ask


def commands(reply):
    return [one.command for row in reply.buttons for one in row]


async def test_a_pin_is_answered_with_its_card_and_stands_first_from_then_on(ask, lists):
    reply = await ask("/pin doge")
    assert to_plain(reply).startswith("📌 Pinned: DOGEUSDT.")
    assert "DOGEUSDT open interest" in to_plain(reply)
    assert "/unpin DOGEUSDT" in commands(reply)
    await ask("/price eth")
    page = to_plain(await ask("/oi")).split("\n")
    assert page[0] == "Open interest · pinned and recent"
    assert page[2].startswith("DOGE")
    assert page[3].startswith("ETH")
    assert lists.watched() == ("binance:DOGEUSDT",)


async def test_unpinning_shows_the_card_again(ask, lists):
    await ask("/pin btc eth")
    reply = await ask("/unpin btc")
    assert to_plain(reply).startswith("No longer pinned: BTCUSDT.")
    assert "/pin BTCUSDT" in commands(reply)
    assert to_plain(await ask("/unpin btc")).startswith("Not pinned here: BTCUSDT.")
    await ask("/unpin all")
    assert lists.pins("terminal") == ()


async def test_of_two_pins_at_once_neither_is_lost(ask, lists):
    await asyncio.gather(ask("/pin btc"), ask("/pin eth"), ask("/pin doge"))
    assert lists.pins("terminal") == ("binance:BTCUSDT", "binance:ETHUSDT", "binance:DOGEUSDT")
    await asyncio.gather(ask("/unpin btc"), ask("/unpin eth"))
    assert lists.pins("terminal") == ("binance:DOGEUSDT",)


async def test_pins_of_another_chat_are_not_seen(ask):
    await ask("/pin btc")
    assert "Nothing is pinned" in to_plain(await ask("/pins", in_telegram(5, 5, is_owner=False)))
    assert to_plain(await ask("/pins")).startswith("Pinned\n")


async def test_a_list_is_used_where_symbols_are(ask):
    assert to_plain(await ask("/watch Majors btc, eth pepe")).startswith("@majors · 3 symbols")
    for word in ("/oi @majors", "/price @MAJORS", "/funding @majors"):
        page = to_plain(await ask(word))
        assert all(base in page for base in ("BTC", "ETH", "1000PEPE"))
    assert "DOGE" in to_plain(await ask("/oi @majors doge"))
    assert to_plain(await ask("/watch more @majors doge")).startswith("@more · 4 symbols")
    assert to_plain(await ask("/watch")).split("\n") == [
        "@majors · BTCUSDT ETHUSDT 1000PEPEUSDT",
        "@more · BTCUSDT ETHUSDT 1000PEPEUSDT DOGEUSDT",
    ]


@pytest.mark.parametrize("name", ["perps", "futures"])
async def test_a_list_may_be_called_what_stands_behind_symbols_elsewhere(ask, lists, name):
    assert f"@{name}" in to_plain(await ask(f"/watch {name} BTC ETH"))
    assert list(lists.named(AT_TERMINAL.chat)) == [name]
    assert f"@{name}" in to_plain(await ask(f"/watch {name}"))
    await ask(f"/unwatch {name}")
    assert not lists.named(AT_TERMINAL.chat)


async def test_an_unknown_list_is_named_and_the_known_ones_offered(ask):
    assert "There is no list @x here. Make one" in to_plain(await ask("/oi @x"))
    await ask("/watch majors btc")
    reply = await ask("/oi @mayors")
    assert to_plain(reply) == "There is no list @mayors here. /watch shows all."
    assert commands(reply) == ["/oi @majors"]
    assert "Nothing is pinned" in to_plain(await ask("/oi @pins"))


async def test_a_list_that_is_gone_comes_back_by_undo(ask, lists):
    await ask("/watch majors btc eth")
    before = lists.named("terminal")
    reply = await ask("/unwatch @majors")
    assert lists.named("terminal") == {}
    await ask(commands(reply)[0])
    assert lists.named("terminal") == before


async def test_an_unknown_symbol_changes_nothing(ask, lists):
    reply = await ask("/watch majors btc BTCUDST")
    assert "I don't know the symbol BTCUDST." in to_plain(reply)
    assert lists.named("terminal") == {}
    reply = await ask("/pin BTCUDST")
    assert commands(reply) == ["/pin BTCUSDT"]
    assert lists.pins("terminal") == ()


async def test_bounds_are_told(ask, lists):
    await lists.pin("terminal", [f"x:{n}" for n in range(MAX_PINS)])
    full = await ask("/pin btc")
    assert full.is_refusal
    assert f"pins up to {MAX_PINS} symbols" in to_plain(full)
    for n in range(MAX_LISTS):
        await lists.name("terminal", f"l{n}", ["x:A"])
    full = await ask("/watch one_more btc")
    assert full.is_refusal
    assert f"up to {MAX_LISTS} lists" in to_plain(full)
    assert to_plain(await ask("/watch l1 btc")).startswith("@l1")
    assert "name of my own" in to_plain(await ask("/watch pins btc"))


async def test_without_symbols_the_usage_is_told(ask):
    assert "/pin BTC ETH" in to_plain(await ask("/pin"))
    assert "no lists here yet" in to_plain(await ask("/watch"))
    assert "no lists here yet" in to_plain(await ask("/unwatch"))


async def test_a_list_stands_where_several_symbols_may(ask, lists):
    """Every command that takes symbols; and what is no place of symbols stays as it was typed."""
    await ask("/watch majors btc, eth")
    keys = ("binance:BTCUSDT", "binance:ETHUSDT")
    for typed, words in (
        ("/chart @majors 4h all", (*keys, "4h", "all")),
        ("/silence oi_surge @majors 2h ask @majors", ("oi_surge", ",".join(keys), "2h", "ask", "@majors")),
        ("/silence @majors until 18:00 @bob", (",".join(keys), "until", "18:00", "@bob")),
        ("/silence @majors 1,5h ask @bob", (",".join(keys), "1,5h", "ask", "@bob")),
        ("/alert @majors oi > 5% 15m note for @bob", (",".join(keys), "oi", ">", "5%", "15m", "note", "for", "@bob")),
    ):
        found = expand(parse(typed), AT_TERMINAL, lists)
        assert isinstance(found, Command), typed
        assert found.words == words
    for typed in ("/chart @nosuch", "/silence @nosuch 2h"):
        assert "There is no list @nosuch here." in to_plain(expand(parse(typed), AT_TERMINAL, lists))
