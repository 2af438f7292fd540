"""Lists over the whole market, against the obvious way to make them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.cards import Cards
from bot.engine.polling import WithPins
from bot.engine.ranking import strongest
from bot.model.updates import MarkPrices


def moved(feed):
    """Five minutes: A grows, B shrinks, C is small, D pays most, E has no open interest."""
    f = feed((), "A", "B", "C", "D", "E")
    rates = {"AUSDT": 1e-4, "BUSDT": -3e-4, "CUSDT": 5e-3, "DUSDT": 2e-3, "EUSDT": 9e-3}
    for second in range(0, 301, 5):
        share = second / 300
        prices = [100 * (1 + 0.01 * share), 100 * (1 - 0.08 * share), 1.0, 100.0, 100.0]
        f.engine.consume(
            MarkPrices(
                rows=np.array([f.row(s) for s in rates], dtype=np.int32),
                price=np.array(prices),
                index=np.array(prices),
                funding=np.array(list(rates.values())),
                next_funding_ms=np.full(5, f.now + 60_000) + np.arange(5),
                event_ms=np.full(5, f.now, dtype=np.int64),
                received_ms=0.0,
            )
        )
        for symbol, size, growth in (
            ("AUSDT", 1e6, 0.1),
            ("BUSDT", 2e6, -0.2),
            ("CUSDT", 10, 5.0),
            ("DUSDT", 1e6, 0.0),
        ):
            f.oi(symbol, size * (1 + growth * share))
        f.tick(seconds=5)
    return f, Cards(f.engine)


def test_changes_rank_by_size_either_way_and_small_contracts_are_left_out(feed):
    _, cards = moved(feed)
    found = cards.top("oi", 300_000, offset=0, n=10)
    assert [row.symbol for row in found.rows] == ["BUSDT", "AUSDT"]
    assert found.n == 2
    assert found.rows[0].oi_change == pytest.approx(-0.2, abs=0.01)
    assert found.rows[0].price_change == pytest.approx(-0.08, abs=0.01)
    assert [row.symbol for row in cards.top("price", 300_000, offset=0, n=1).rows] == ["BUSDT"]


def test_gainers_and_losers_are_one_side_each(feed):
    _, cards = moved(feed)
    both, up, down = (cards.top(by, 300_000, offset=0, n=10).rows for by in ("price", "gainers", "losers"))
    assert [row.symbol for row in up] == [row.symbol for row in both if row.price_change > 0] != []
    assert {cards.top(by, 300_000, offset=0, n=1).n_known for by in ("price", "gainers", "losers")} == {3}
    assert cards.top("gainers", 3_600_000, offset=0, n=1).n_known == 0, "an hour is not known yet"
    assert [row.symbol for row in down] == [row.symbol for row in both if row.price_change < 0] == ["BUSDT"]


def test_pages_follow_each_other_and_end(feed):
    _, cards = moved(feed)
    pages = [cards.top("funding", 300_000, offset=n, n=1) for n in range(4)]
    assert [row.symbol for page in pages for row in page.rows] == ["DUSDT", "BUSDT", "AUSDT"]
    assert {page.n for page in pages} == {3}


def test_funding_has_two_ends_a_middle_and_the_large(feed):
    f, cards = moved(feed)
    found = cards.funding(5)
    assert [row.symbol for row in found.highest] == ["DUSDT", "AUSDT"]
    assert [row.symbol for row in found.lowest] == ["BUSDT"]
    assert found.median_8h == pytest.approx(1e-4)
    assert found.n == 3
    assert [row.symbol for row in found.largest] == ["BUSDT", "AUSDT"]
    assert found.next_funding_ms == f.now - 5_000 + 60_000


def test_before_anything_is_known_lists_are_empty(feed):
    cards = Cards(feed((), "A").engine)
    assert cards.top("oi", 900_000, offset=0, n=10).rows == ()
    assert cards.funding(5).median_8h is None
    assert cards.largest(5) == []


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.floats(width=32), st.booleans()), max_size=40))
def test_the_strongest_are_those_of_a_plain_sort(cells):
    sizes = np.array([size for size, _ in cells], dtype=np.float64)
    counts = np.array([counted for _, counted in cells], dtype=np.bool_)
    plain = sorted(
        (row for row, (size, counted) in enumerate(cells) if counted and not math.isnan(size) and size > 0),
        key=lambda row: -sizes[row],
    )
    assert strongest(sizes, counts).tolist() == plain


def test_pins_count_as_watched_and_unknown_ones_do_nothing(feed):
    f, _ = moved(feed)
    pins: list[str] = []
    plan = WithPins(f.engine, lambda: pins, row_of=f.engine.market.universe.row)
    assert not any(need.watched for need in plan.needs())
    pins += ["binance:CUSDT", "binance:GONEUSDT", "bybit:AUSDT"]
    assert [need.symbol for need in plan.needs() if need.watched] == ["CUSDT"]
