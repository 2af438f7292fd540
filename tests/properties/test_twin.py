"""The reading of expressions that the engine is held to, itself held to cases small enough to see."""

import math
import random

import pytest

from bot.model.instrument import MARKET
from bot.model.truth import FALSE, TRUE, UNKNOWN
from bot.rules.ast import text
from bot.rules.loader import load_text
from tests.properties.streams import T0, conditions, expressions, value_of
from tests.properties.twin import Lives, Ranked, Twin, everybody, is_of_market

NAN = math.nan


def condition(source, per="symbol"):
    found = load_text("t.yaml", f"version: 1\nrules:\n- {{id: a, per: {per}, when: '{source}'}}")
    assert not found.errors
    return found.rules[0].when


def market(prices, when=None, *, now_ms=T0):
    twin = Twin([(when, everybody)] if when else [], dtype="float64")
    for symbol, price in prices.items():
        twin.listing(symbol, T0)
        twin.mark(symbol, now_ms, price, NAN, NAN)
    twin.tick(now_ms)
    return twin


@pytest.mark.parametrize(
    ("source", "want"),
    [
        ("price > 1 and index > 1", UNKNOWN),
        ("price < 1 and index > 1", FALSE),
        ("price > 1 or index > 1", TRUE),
        ("not (index > 1)", UNKNOWN),
        ("price / (price - 5) > 1", UNKNOWN),
        ("price * price * price > 1", TRUE),
        ("stale(index)", FALSE),
        ("price != 5", FALSE),
    ],
)
def test_three_values(source, want):
    assert market({"A": 5.0}).truth(condition(source), "A") == want


def test_what_leaves_the_finite_numbers_is_unknown():
    assert market({"A": 1e200}).truth(condition("price * price > 1"), "A") == UNKNOWN


@pytest.mark.parametrize(
    ("source", "want"),
    [
        # 1 2 3 known, one unknown, one halted: T of "price >= 2" is 2, U is 2.
        ("count(price >= 2) >= 2", TRUE),
        ("count(price >= 2) >= 3", UNKNOWN),
        ("count(price >= 2) >= 5", FALSE),
        ("count(price >= 2) < 5", TRUE),
        ("count(price >= 2) < 2", FALSE),
        ("count(price >= 2) >= 40%", TRUE),
        ("count(price >= 2) > 40%", UNKNOWN),
        ("count(price >= 2) > 80%", FALSE),
        ("count(price >= 2) == 1", FALSE),
        ("count(price >= 2) != 3", UNKNOWN),
    ],
)
def test_a_count_is_an_interval(source, want):
    twin = market({"A": 1.0, "B": 2.0, "C": 3.0, "D": NAN, "E": 9.0})
    twin.listing("E", T0, is_trading=False)
    assert twin.truth(condition(source, "market"), MARKET) == want


def test_nothing_can_be_said_of_nobody():
    assert Twin().truth(condition("count(price > 1) < 3", "market"), MARKET) == UNKNOWN


def test_what_is_over_the_scope():
    twin = market({"A": 1.0, "B": 4.0, "C": 4.0, "D": 6.0, "E": 7.0, "F": NAN})
    assert twin.value(value_of("median(price)"), "A") == 4.0
    assert twin.value(value_of("total(price)"), "F") == 22.0
    ranks = [twin.value(value_of("rank(price)"), symbol) for symbol in "ABCDE"]
    assert ranks == [5, 3, 3, 2, 1]
    assert math.isnan(twin.value(value_of("rank(price)"), "F"))
    twin.listing("G", T0)
    assert math.isnan(twin.value(value_of("median(price)"), "A")), "five of seven are less than 80 %"
    assert twin.value(value_of("median(price)"), "A", lambda symbol: symbol != "G") == 4.0


def test_a_ranked_scope_is_taken_anew_each_hour_with_slack():
    scope = Ranked(top=2, by="volume_24h")
    twin = Twin([(value_of("price"), scope)], dtype="float64")

    def volumes(at_ms, **found):
        for symbol, volume in found.items():
            twin.listing(symbol, at_ms)
            twin.ticker(symbol, at_ms, volume)
        twin.tick(at_ms)
        return [symbol for symbol in twin.instruments if scope(symbol)] if scope.is_known else None

    hour = 3_600_000
    assert volumes(T0, A=5.0, B=4.0, C=NAN) is None
    assert volumes(T0 + 1_000, C=3.0) == ["A", "B"]
    assert volumes(T0 + 2_000, C=6.0) == ["A", "B"], "the hour has not changed"
    assert volumes(T0 + hour, A=5.0, B=4.0, C=6.0) == ["A", "C"], "third of two is past 1.2 N"


def test_sides_are_remembered_over_equality_and_gaps():
    when = condition("crosses_above(price, 2)")
    twin = market({"A": 1.0}, when)
    rule = Lives("r", when)
    fired = []
    for k, price in enumerate((1.0, 2.0, 3.0, NAN, 1.0, 2.0, NAN, 5.0)):
        twin.mark("A", T0 + k * 60_000, price, NAN, NAN)
        twin.tick(T0 + k * 60_000)
        fired += [(k, state) for _, _, state, _ in rule.step(twin)]
    assert fired == [(2, "firing"), (2, "resolved"), (7, "firing"), (7, "resolved")]


def test_a_halted_instrument_is_unknown_and_remembers():
    when = condition("crosses(price, 2)")
    twin = market({"A": 1.0}, when)
    twin.listing("A", T0, is_trading=False)
    twin.mark("A", T0 + 1_000, 3.0, NAN, NAN)
    twin.tick(T0 + 1_000)
    assert twin.truth(when, "A") == UNKNOWN
    twin.listing("A", T0)
    twin.tick(T0 + 2_000)
    assert twin.truth(when, "A") == TRUE


@pytest.mark.parametrize("step_ms", [1_000, 60_000])
def test_what_is_drawn_is_the_language(step_ms):
    for seed in range(30):
        dice = random.Random(seed)
        assert all(text(value_of(text(e))) == text(e) for e in expressions(dice, 20, step_ms=step_ms))
        for source, per in conditions(dice, 20, step_ms=step_ms):
            assert (per == "market") <= is_of_market(condition(source, per))
