"""Expressions compare by structure, print in one spelling, and say what they use."""

import pytest

from bot.rules.ast import (
    And,
    Call,
    Compare,
    Number,
    Series,
    Span,
    comparisons,
    duration_text,
    first_comparison,
    functions_used,
    number_text,
    series_used,
    text,
    walk,
    windows_used,
)
from bot.rules.parse import parse_condition

MINUTE = 60_000


def expr(source, per="symbol"):
    parsed = parse_condition(source, per=per)
    assert parsed.expr is not None, parsed.faults
    return parsed.expr


def test_places_do_not_count_in_equality_or_hash():
    assert Series("oi", Span(0, 2)) == Series("oi", Span(7, 9))
    assert len({expr("pct(oi,15m)>5%"), expr("  pct( oi , 15m )  >  5.0%"), expr("(pct(oi, 900s)) > 5%")}) == 1


@pytest.mark.parametrize(
    ("source", "canonical"),
    [
        ("pct(oi,15m)>=5%", "pct(oi, 15m) >= 5%"),
        ("pct(oi, 60m) > 0.10%", "pct(oi, 1h) > 0.1%"),
        ("max(price, 1d) > 0.97*price", "max(price, 24h) > 0.97 * price"),
        ("oi_usd >= 20_000_000", "oi_usd >= 20M"),
        ("oi_usd >= 12_345_678", "oi_usd >= 12_345_678"),
        ("price > 93500 or price < 2.5k", "price > 93_500 or price < 2500"),
        ("age(oi) > 90s", "age(oi) > 90s"),
        ("not (price > 1 and oi > 2)", "not (price > 1 and oi > 2)"),
        ("(price > 1 or oi > 2) and oi > 3", "(price > 1 or oi > 2) and oi > 3"),
        ("price > 1 and (oi > 2 and oi > 3)", "price > 1 and oi > 2 and oi > 3"),
        ("price - (oi - 2) > -(oi + 1)", "price - (oi - 2) > -(oi + 1)"),
        ("price / (oi * 2) > - 3", "price / (oi * 2) > -3"),
    ],
)
def test_every_expression_has_one_spelling(source, canonical):
    assert text(expr(source)) == canonical
    assert expr(canonical) == expr(source)


def test_durations_are_written_in_the_largest_whole_unit():
    written = [duration_text(ms) for ms in (0, 500, 30_000, 90_000, 90 * MINUTE, 24 * 60 * MINUTE, 48 * 60 * MINUTE)]
    assert written == ["0s", "0.5s", "30s", "90s", "90m", "24h", "2d"]


def test_percentages_are_written_exactly():
    assert number_text(Number(0.07, "%")) == "7%"
    assert number_text(Number(-0.0003, "%")) == "-0.03%"


def test_an_expression_says_what_it_uses():
    condition = expr("zscore(pct(oi, 15m), 6h) > 3 and pct(price, 1h) > 1% and stale(funding)")
    assert series_used(condition) == {"oi", "price", "funding"}
    assert functions_used(condition) == {"zscore", "pct", "stale"}
    assert windows_used(condition) == {
        ("oi", 15 * MINUTE, "pct"),
        ("oi", 360 * MINUTE, "zscore"),
        ("price", 60 * MINUTE, "pct"),
    }


def test_comparisons_come_in_reading_order_and_not_from_inside_functions():
    condition = expr("count(pct(oi, 15m) >= 3%) >= 12 or not (median(price) > 5)", per="market")
    assert [text(found) for found in comparisons(condition)] == [
        "count(pct(oi, 15m) >= 3%) >= 12",
        "median(price) <= 5",
    ]
    assert first_comparison(condition) == comparisons(condition)[0]
    assert first_comparison(expr("stale(oi)")) is None


def test_comparisons_say_what_has_to_hold_with_the_literal_on_the_right():
    condition = expr("5 < price and not (10 >= oi or not (funding == 0 and basis < funding))")
    assert [text(found) for found in comparisons(condition)] == [
        "price > 5",
        "oi > 10",
        "funding == 0",
        "basis < funding",
    ]
    assert text(condition).startswith("5 < price and not (10 >= oi")


def test_walking_meets_every_part_once_before_its_own_parts():
    condition = And((Compare(">", Series("oi"), Number(1)), Call("stale", (Series("oi"),))))
    assert [type(node).__name__ for node in walk(condition)] == ["And", "Compare", "Series", "Number", "Call", "Series"]
