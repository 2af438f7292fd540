"""What every `WatchlistStore` promises."""

from dataclasses import replace

from bot.model.watchlists import SymbolList

PINS = SymbolList("telegram:1", "pins", "", ("binance:币安人生USDT", "binance:BTCUSDT"), 1_000)
MAJORS = SymbolList("telegram:1", "named", "majors", ("binance:BTCUSDT", "binance:ETHUSDT"), 2_000)
RECENT = SymbolList("telegram:-1", "recent", "", ("binance:ETHUSDT",), 3_000)


async def test_lists_come_back_whole_and_in_order(ports):
    for one in (PINS, MAJORS, RECENT):
        await ports.watchlists.put(one)
    assert await ports.watchlists.all() == [RECENT, MAJORS, PINS]


async def test_a_list_takes_the_place_of_its_namesake_and_of_no_other(ports):
    for one in (PINS, MAJORS, replace(MAJORS, chat="telegram:2")):
        await ports.watchlists.put(one)
    later = replace(MAJORS, instruments=("binance:SOLUSDT",), changed_ms=9_000)
    await ports.watchlists.put(later)
    assert await ports.watchlists.all() == [later, PINS, replace(MAJORS, chat="telegram:2")]


async def test_an_empty_list_is_forgotten(ports):
    await ports.watchlists.put(PINS)
    await ports.watchlists.put(replace(PINS, instruments=()))
    await ports.watchlists.put(replace(RECENT, instruments=()))
    assert await ports.watchlists.all() == []
