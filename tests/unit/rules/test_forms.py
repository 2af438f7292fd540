"""A rule with another number: which one is moved, what follows it, and what stays."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.rules.ast import text
from bot.rules.forms import number_of, settled, with_factor, with_number
from bot.rules.loader import load_folder
from bot.rules.parse import parse_condition
from bot.rules.schema import Rule, Scope

SHIPPED = {rule.id: rule for rule in load_folder(Path(__file__).parents[3] / "rules").rules}


def rule(when, clear=None):
    per = "market" if "count(" in when else "symbol"
    return Rule("r", parse_condition(when, per=per).expr, per=per, clear=parse_condition(clear).expr if clear else None)


@pytest.mark.parametrize(
    ("when", "clear", "fewer", "fewer_clear"),
    [
        ("pct(oi, 15m) >= 5%", "pct(oi, 15m) < 2.5%", "pct(oi, 15m) >= 8%", "pct(oi, 15m) < 4%"),
        ("pct(oi, 15m) <= -5%", "pct(oi, 15m) > -2.5%", "pct(oi, 15m) <= -8%", "pct(oi, 15m) > -4%"),
        ("price < 80", None, "price < 50", None),
        ("funding_8h > -0.16%", None, "funding_8h > -0.1%", None),
        ("5% < pct(oi, 1h)", None, "8% < pct(oi, 1h)", None),
        ("funding_8h >= 0.1% or funding_8h <= -0.1%", "abs(funding_8h) < 0.05%",
         "funding_8h >= 0.16% or funding_8h <= -0.16%", "abs(funding_8h) < 0.08%"),
        ("pct(oi, 4h) >= 8% and funding_8h <= -0.03%", None, "pct(oi, 4h) >= 12.8% and funding_8h <= -0.03%", None),
        ("count(pct(oi, 15m) >= 3%) >= 10", None, "count(pct(oi, 15m) >= 3%) >= 16", None),
        ("not oi_usd < 10M", None, "not oi_usd < 16M", None),
        ("percentile(oi, 24h) >= 95", "percentile(oi, 24h) < 80",
         "percentile(oi, 24h) >= 96.875", "percentile(oi, 24h) < 81.5789"),
        ("percentile(oi, 24h) <= 4", None, "percentile(oi, 24h) <= 2.5", None),
        ("count(pct(oi, 15m) >= 3%) >= 70%", None, "count(pct(oi, 15m) >= 3%) >= 81.25%", None),
        ("taker_buy >= 68%", "taker_buy < 50%", "taker_buy >= 80%", "taker_buy < 58.8235%"),
        ("corr(price, oi, 4h) <= -0.84", "corr(price, oi, 4h) > -0.5",
         "corr(price, oi, 4h) <= -0.9", "corr(price, oi, 4h) > -0.535714"),
        ("-percentile(oi, 24h) <= -95", None, "-percentile(oi, 24h) <= -96.875", None),
        ("pct(price, 1h) <= -80%", None, "pct(price, 1h) <= -87.5%", None),
    ],
)  # fmt: skip
def test_the_first_number_is_moved_and_its_measure_follows(when, clear, fewer, fewer_clear):
    moved = with_factor(rule(when, clear), 1.6)
    assert text(moved.when) == fewer
    assert (text(moved.clear) if moved.clear else None) == fewer_clear


def test_a_number_of_ones_own_is_taken_as_it_is():
    moved = with_number(SHIPPED["oi_surge"], 0.07)
    assert (text(moved.when), text(moved.clear)) == ("pct(oi, 15m) >= 7%", "pct(oi, 15m) < 3.5%")
    assert moved.scope == SHIPPED["oi_surge"].scope


@pytest.mark.parametrize("value", [-0.05, 0.0, 6.0, 0.0004])
def test_another_sign_or_a_number_far_off_is_refused(value):
    with pytest.raises(ValueError, match="expected a number between"):
        with_number(rule("pct(oi, 15m) >= 5%"), value)


def test_no_percentile_is_above_a_hundred():
    one = rule("percentile(oi, 24h) >= 95")
    assert text(with_number(one, 100).when) == "percentile(oi, 24h) >= 100"
    with pytest.raises(ValueError, match=r"expected a number between 0\.95 and 100, found 152"):
        with_number(one, 152)
    assert text(with_factor(one, 0.5).when) == "percentile(oi, 24h) >= 47.5"
    assert text(with_factor(rule("percentile(oi, 24h) <= 80"), 0.625).when) == "percentile(oi, 24h) <= 87.5"
    assert text(with_factor(rule("percentile(oi, 24h) <= 4"), 0.625).when) == "percentile(oi, 24h) <= 6.4"
    assert text(with_factor(rule("percentile(oi, 24h) >= 20"), 1.6).when) == "percentile(oi, 24h) >= 32"


@pytest.mark.parametrize(
    ("when", "clear", "more", "more_clear"),
    [
        ("percentile(oi, 24h) <= 75", None, "percentile(oi, 24h) <= 82.5", None),
        ("percentile(oi, 24h) <= 30", "percentile(oi, 24h) > 80",
         "percentile(oi, 24h) <= 42.8571", "percentile(oi, 24h) > 83.6735"),
        ("percentile(oi, 24h) <= 30", "percentile(oi, 24h) > 20",
         "percentile(oi, 24h) <= 42.8571", "percentile(oi, 24h) > 28.5714"),
    ],
)  # fmt: skip
def test_low_percentiles_that_are_asked_for_less_strictly_stay_below_a_hundred_too(when, clear, more, more_clear):
    moved = with_factor(rule(when, clear), 0.7)
    assert text(moved.when) == more
    assert (text(moved.clear) if moved.clear else None) == more_clear


@pytest.mark.parametrize(
    ("when", "fewer", "more"),
    [
        ("rank(oi_usd) <= 1", None, "rank(oi_usd) <= 2"),
        ("rank(oi_usd) < 2", None, "rank(oi_usd) < 3"),
        ("not rank(oi_usd) > 1", None, "not rank(oi_usd) > 2"),
        ("rank(oi_usd) <= 1 and pct(oi, 1h) > 5%", None, "rank(oi_usd) <= 2 and pct(oi, 1h) > 5%"),
        ("rank(oi_usd) <= 3", "rank(oi_usd) <= 1", "rank(oi_usd) <= 4"),
        ("rank(oi_usd) <= 2", "rank(oi_usd) <= 1", "rank(oi_usd) <= 3"),
        ("rank(oi_usd) > 1", "rank(oi_usd) > 2", None),
        ("rank(oi_usd) >= 2", "rank(oi_usd) >= 4", None),
        ("rank(oi_usd) >= 18", "rank(oi_usd) >= 19", "rank(oi_usd) >= 13"),
        ("count(stale(oi)) >= 1", "count(stale(oi)) >= 2", None),
        ("count(stale(oi)) >= 2", "count(stale(oi)) >= 4", "count(stale(oi)) >= 1"),
        ("count(stale(oi)) < 1", None, "count(stale(oi)) < 2"),
        ("count(stale(oi)) >= 15", "count(stale(oi)) >= 17", "count(stale(oi)) >= 11"),
        ("count(stale(oi)) >= 20", None, "count(stale(oi)) >= 14"),
        ("count(stale(oi)) >= 100%", None, "count(stale(oi)) >= 70%"),
        ("percentile(oi, 24h) >= 100", None, "percentile(oi, 24h) >= 70"),
        ("percentile(oi, 24h) < 100", "percentile(oi, 24h) < 62.5", None),
        ("corr(price, oi, 4h) <= -1", None, "corr(price, oi, 4h) <= -0.7"),
        ("taker_buy >= 100%", None, "taker_buy >= 70%"),
    ],
)
def test_no_rule_is_moved_beyond_the_end_of_its_scale(when, fewer, more):
    one = replace(rule(when), scope=Scope(top=20))
    for factor, expected in ((1.6, fewer), (0.7, more)):
        moved = with_factor(one, factor)
        assert text(moved.when) == (when if expected is None else expected)
        assert settled(moved) is None
        assert (moved is one) == (expected is None)


def test_what_is_settled_already_is_known():
    assert settled(rule("rank(oi_usd) <= 0.5")) == "never"
    assert settled(rule("not rank(oi_usd) >= 1 and price > 3")) == "never"
    assert settled(rule("price > 3 or 0 <= oi")) == "always"
    assert settled(rule("price > 3 or not 0 <= oi")) is None


@pytest.mark.parametrize("when", ["price >= max(price, 24h)", "stale(oi)", "price == 7", "funding_8h > 0"])
def test_a_rule_without_a_number_stays(when):
    one = rule(when)
    assert number_of(one) is None
    assert with_factor(one, 1.6) is one
    assert with_number(one, 7) is one


@given(st.sampled_from(sorted(SHIPPED)), st.floats(0.1, 10))
def test_a_rule_with_its_own_number_is_the_same_rule(name, factor):
    one = SHIPPED[name]
    assert with_factor(one, 1) is one
    found = number_of(one)
    if found is not None:
        assert with_number(one, found.number.value) is one
        there = with_factor(one, factor)
        back = with_number(there, found.number.value)
        assert number_of(back) == found
