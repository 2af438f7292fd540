"""The columns of a page that shows everything, against the values that cards and rules have."""

import pytest

from bot.engine import whole_market
from bot.engine.cards import Cards
from bot.engine.engine import Engine
from bot.model.dashboard import TABLE_WINDOWS_MS

RULE = "- {id: level, when: price > 104, cooldown: 0s}\n"
MINUTE_MS = 60_000


@pytest.fixture
def market(feed, rules_of):
    made = feed(rules_of(RULE), "A", "B", "C")
    for n in range(40):
        made.prices({"AUSDT": 100.0 + n / 8, "BUSDT": 50.0})
        made.oi("AUSDT", 1_000.0 + 10 * n)
        made.tick(seconds=60)
    return made


def test_each_column_has_what_a_card_has(market):
    table, cards = whole_market.table(market.engine), Cards(market.engine)
    assert table.at_ms == market.engine.now_ms
    assert table.symbols == ("AUSDT", "BUSDT", "CUSDT")
    assert set(table.columns) == {"price", "oi_usd", "volume_24h", "funding_8h",
                                  *(f"{s}_{w}" for s in ("price", "oi") for w in TABLE_WINDOWS_MS)}  # fmt: skip
    for n, key in enumerate(table.keys):
        card = cards.card(key)
        assert table.columns["price"][n] == card.price
        assert table.columns["oi_usd"][n] == card.oi_usd
        for move in (*card.oi_moves, *card.price_moves):
            name = f"{'oi' if move in card.oi_moves else 'price'}_{move.window_ms}"
            if name in table.columns:
                expected = None if move.change is None else pytest.approx(move.change, abs=1e-6)
                assert table.columns[name][n] == expected, name
    assert table.columns["oi_900000"][0] > 0
    assert table.columns["price"][2] is None


def test_what_fires_is_named(market):
    assert whole_market.table(market.engine).firing == {"AUSDT"}


def test_breadth_counts_what_is_known(market):
    table = whole_market.table(market.engine)
    assert table.share_up(900_000) == 1.0
    assert table.share_up(86_400_000) is None


def test_small_lines_end_with_the_newest_minute(market):
    found = whole_market.sparks(market.engine)
    assert len(found["binance:AUSDT"]) == 24
    assert found["binance:AUSDT"][-1] == pytest.approx(1_390.0, rel=0.02)
    assert set(found["binance:BUSDT"]) == {None}


def test_before_there_is_a_market_there_is_an_empty_table(rules_of):
    engine = Engine(rules_of(RULE))
    assert whole_market.table(engine).symbols == ()
    assert whole_market.sparks(engine) == {}
