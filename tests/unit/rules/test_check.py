"""Expressions that mean nothing are refused, each for its reason; those that mean something pass."""

import pytest

from bot.rules.ast import MINUTE_MS
from bot.rules.check import measure_of
from bot.rules.language import FLOWS, FUNCTIONS, GAUGES, SERIES, Measure, did_you_mean
from bot.rules.parse import parse_condition, parse_value

SOUND = [
    "pct(oi, 15m) >= 5%",
    "delta(oi, 15m) > 2.5k and avg(price, 1h) < min(price, 24h) * 1.01",
    "std(price, 1h) / avg(price, 1h) > 1%",
    "sum(volume, 15m) > 20M and ratio(volume, 5m) >= 4",
    "zscore(oi, 4h) > 3 and zscore(pct(oi, 15m), 24h) > 3",
    "percentile(funding, 24h) >= 95 or percentile(pct(price, 5m), 6h) < 5",
    "slope(oi, 1h) > 5% and corr(price, oi, 4h) < -0.5",
    "crosses(price, 50_000) or crosses_above(funding, 0) and pct(oi, 5m) > 1%",
    "abs(funding_8h) < 0.07%",
    "age(oi) > 5m and not stale(price)",
    "rank(oi_usd) <= 10 and pct(oi, 15m) - median(pct(oi, 15m)) > 4%",
    "oi_usd / total(oi_usd) > 20%",
    "price >= max(price, 24h) and oi <= 97% * max(oi, 24h)",
    "price / index - 1 > 0.5%",
    "zscore(oi, 7d) > 3 and percentile(pct(oi, 15m), 7d) > 99 and zscore(funding, 1445m) > 2",
    "total(oi_usd) > 10B and pct(oi, 15m) > median(pct(oi, 15m))",
    "volume > 5M and liq_long + liq_short > 1M and sum(liq_long, 90s) > 100k",
    "age(volume) > 3m and not stale(liq_long)",
    "corr(taker_buy, long_short, 90m) > 0",
    "crosses(price, avg(price, 4h)) and ratio(volume, 5m) > 2",
    "taker_buy > 60% and long_short > 2",
    "age(oi) / 2 > 30s",
    "pct(oi, 15m) > 2 * pct(price, 15m)",
    "pct(oi, 1s) > 1% and pct(oi, 3599s) > 1% and pct(oi, 61m) > 1%",
]
SOUND_FOR_MARKET = [
    "count(stale(price)) >= 5 or count(stale(oi)) >= 20%",
    "count(pct(oi, 15m) - median(pct(oi, 15m)) > 2%) >= 12",
    "median(pct(oi, 15m)) > 3% and total(oi_usd) > 10B",
    "count(rank(oi_usd) <= 5 and stale(oi)) >= 1",
    "count(oi_usd > 5% * total(oi_usd)) >= 2 and crosses_above(median(pct(oi, 15m)), 3%)",
]


@pytest.mark.parametrize("source", SOUND)
def test_what_means_something_passes(source):
    parsed = parse_condition(source)
    assert parsed.faults == ()
    assert parsed.expr is not None


@pytest.mark.parametrize("source", SOUND_FOR_MARKET)
def test_what_means_something_for_the_whole_market_passes(source):
    assert parse_condition(source, per="market").faults == ()


WRONG = [
    ("oi", "E207", "this is an amount, not a condition"),
    ("pct(oi, 15m) and stale(oi)", "E207", "this is a percentage, not a condition"),
    ("stale(oi) > 3", "E207", "this is a condition; a number is needed here"),
    ("abs(oi > 3) > 3", "E207", "this is a condition; a number is needed here"),
    ("price > 5%", "E206", "an amount does not go with a percentage"),
    ("pct(oi, 15m) > 15m", "E206", "a percentage does not go with a duration"),
    ("age(oi) > 30", "E206", "a duration does not go with a number"),
    ("zscore(oi, 4h) > 200%", "E206", "a plain number does not go with a percentage"),
    ("price + 5% > 3", "E206", "an amount does not go with a percentage"),
    ("age(oi) * age(price) > 3s", "E206", "a duration does not go with a duration"),
    ("price / age(oi) > 3", "E206", "an amount does not go with a duration"),
    ("crosses(price, 5%)", "E206", "an amount does not go with a percentage"),
    ("pct(oi) > 5%", "E205", '"pct" takes 2 arguments, not 1'),
    ("stale(oi, 5m)", "E205", '"stale" takes 1 argument, not 2'),
    ("pct(oi, 5) > 5%", "E205", '"pct" takes a window here'),
    ("pct(oi, price) > 5%", "E205", '"pct" takes a window here'),
    ("pct(oi + 1, 5m) > 5%", "E205", '"pct" takes the name of a series here'),
    ("avg(pct(oi, 5m), 1h) > 5%", "E205", '"avg" takes the name of a series here'),
    ("sum(oi, 15m) > 5", "E205", '"sum" takes a flow (liq_long, liq_short, volume); "oi" is none'),
    ("pct(volume, 15m) > 5%", "E205", '"volume" is a flow, an amount over time; "pct" does not take one'),
    ("zscore(liq_long, 4h) > 3", "E205", '"liq_long" is a flow, an amount over time; "zscore" does not take one'),
    ("corr(price, volume, 4h) > 0.5", "E205", '"volume" is a flow, an amount over time; "corr" does not take one'),
    ("zscore(pct(volume, 5m), 4h) > 3", "E205", '"volume" is a flow, an amount over time; "pct" does not take one'),
    ("ratio(price, 5m) > 2", "E205", '"ratio" takes a flow (liq_long, liq_short, volume); "price" is none'),
    ("sum(pct(oi, 5m), 15m) > 5", "E205", '"sum" takes the name of a series here'),
    ("zscore(oi, 8d) > 3", "E208", "the window is too long; at most 7d"),
    ("avg(oi, 7d) > 3", "E208", "the window is too long; at most 24h"),
    ("sum(volume, 7d) > 3", "E208", "the window is too long; at most 24h"),
    ("zscore(oi, 1441m) > 3", "E208", "a window over 24h is a whole multiple of 5m"),
    ("zscore(pct(oi, 25h), 7d) > 3", "E208", "the window is too long; at most 24h"),
    ("percentile(pct(oi, 5m), 3601s) > 3", "E208", "windows of percentile(pct(...), ...) are whole multiples of 5m"),
    ("ratio(volume, 24h) > 1", "E212", "a ratio over 24h compares the day with itself; it is always 1"),
    ("total(median(oi)) > 3", "E210", '"median" cannot stand inside "total"'),
    ("abs(crosses(price, 5)) > 3", "E207", "this is a condition; a number is needed here"),
    ("pct(oi, 0s) > 5%", "E208", "a window is longer than zero"),
    ("pct(oi, 25h) > 5%", "E208", "the window is too long; at most 24h"),
    ("pct(oi, 1.5s) > 5%", "E208", "a window is a whole number of seconds"),
    ("pct(oi, 3601s) > 5%", "E208", "a window over 1h is a whole number of minutes"),
    ("zscore(pct(oi, 7m), 6h) > 3", "E208", "windows of zscore(pct(...), ...) are whole multiples of 5m"),
    ("5 > 3", "E212", "this looks at no series, so it is the same at all times"),
    ("oi > 1 / 0", "E212", "dividing by zero is always unknown"),
    ("rank(5) > 3", "E212", "this looks at no series, so it is the same for every symbol"),
    ("crosses(3, 5)", "E212", "this looks at no series, so it is the same at all times"),
    ("count(stale(oi)) > 3", "E210", "count(...) needs per: market"),
    ("median(rank(oi)) > 3", "E210", '"rank" cannot stand inside "median"'),
    ("not crosses(price, 5)", "E213", '"crosses" is an event; it cannot stand inside "not" or a function'),
    ("pct > 5%", "E204", '"pct" is a function'),
    ("oi(15m) > 5%", "E203", '"oi" is a series, not a function'),
    ("qqqq > 5", "E204", 'unknown series "qqqq"'),
]
WRONG_FOR_MARKET = [
    ("pct(oi, 15m) > 5%", "E210", 'with per: market, "pct" has no single value'),
    ("oi > 5", "E210", 'with per: market, "oi" has no single value'),
    ("stale(oi)", "E210", 'with per: market, "stale" has no single value'),
    ("rank(oi) > 5", "E210", 'with per: market, "rank" has no single value'),
    ("count(count(stale(oi)) > 3) > 3", "E210", '"count" cannot stand inside "count"'),
    ("5 < count(stale(oi))", "E210", "count(...) stands on the left of a comparison with a number or a share"),
    ("count(stale(oi))", "E210", "count(...) stands on the left of a comparison with a number or a share"),
    ("count(stale(oi)) * 2 > 3", "E210", "count(...) stands on the left of a comparison with a number or a share"),
    ("count(stale(oi)) > 120%", "E210", "count(...) is compared with a number or a share, such as 12 or 20%"),
    ("count(stale(oi)) > median(oi)", "E210", "count(...) is compared with a number or a share, such as 12 or 20%"),
    ("count(crosses(price, 5)) > 3", "E213", '"crosses" is an event; it cannot stand inside "not" or a function'),
    ("count(oi) > 3", "E207", "this is an amount, not a condition"),
    ("ratio(volume, 5m) > 4", "E210", 'with per: market, "ratio" has no single value'),
    ("crosses(price, 5)", "E210", 'with per: market, "price" has no single value'),
]


@pytest.mark.parametrize(
    ("source", "code", "message", "per"),
    [(*row, "symbol") for row in WRONG] + [(*row, "market") for row in WRONG_FOR_MARKET],
)
def test_what_means_nothing_is_refused_once_with_its_reason(source, code, message, per):
    parsed = parse_condition(source, per=per)
    assert parsed.expr is None
    assert [(fault.code, fault.message) for fault in parsed.faults] == [(code, message)]


@pytest.mark.parametrize(
    ("source", "number", "hint"),
    [
        ("pct(oi, 15m) > 5", "5 here means 500%", "write 5%"),
        ("pct(oi, 15m) < -5", "-5 here means -500%", "write -5%"),
        ("3 < abs(pct(oi, 15m) - median(pct(oi, 15m)))", "3 here means 300%", "write 3%"),
        ("funding_8h > 1.5", "1.5 here means 150%", "write 1.5%"),
        ("crosses(pct(oi, 15m), 5)", "5 here means 500%", "write 5%"),
    ],
)
def test_a_plain_number_beside_a_percentage_is_doubted(source, number, hint):
    assert [(f.code, f.message, f.hint) for f in parse_condition(source).faults] == [("W301", number, hint)]


@pytest.mark.parametrize("source", ["pct(oi, 15m) > 0.05", "price / index > 1", "zscore(oi, 1h) > 3"])
def test_a_plain_number_is_not_doubted_where_it_is_right(source):
    assert parse_condition(source).faults == ()


def test_hints_say_what_to_write():
    hints = {source: parse_condition(source).faults[0].hint for source, _, _ in WRONG}
    assert hints["price > 5%"] == "a change in percent is pct(price, 15m)"
    assert hints["age(oi) > 30"] == "write a unit, such as 30s"
    assert hints["zscore(oi, 4h) > 200%"] == "write 200"
    assert hints["pct(volume, 15m) > 5%"] == "write sum(volume, 15m)"
    assert hints["zscore(liq_long, 4h) > 3"] == "write sum(liq_long, 4h)"
    assert hints["zscore(pct(oi, 7m), 6h) > 3"] == "write 5m"
    assert hints["zscore(oi, 1441m) > 3"] == "write 24h"
    assert hints["avg(oi, 7d) > 3"] == "only zscore and percentile take up to 7d"
    assert hints["pct(oi, 5) > 5%"] == "write 5m or 5s"
    assert hints["pct > 5%"] == "write pct(oi, 15m)"
    assert hints["count(stale(oi)) > 3"] == 'add "per: market" to the rule'


def test_a_value_is_a_number_that_looks_at_a_series():
    assert parse_value("pct(oi, 15m) - median(pct(oi, 15m))").faults == ()
    assert parse_value("count(stale(oi))", per="market").faults == ()
    assert [fault.code for fault in parse_value("5").faults] == ["E212"]
    assert [fault.code for fault in parse_value("oi > 5").faults] == ["E207"]


@pytest.mark.parametrize(
    ("source", "measure"),
    [
        ("pct(oi, 15m)", Measure.RATIO),
        ("-abs(pct(oi, 15m)) * 2", Measure.RATIO),
        ("oi_usd", Measure.QUANTITY),
        ("oi_usd * 5%", Measure.QUANTITY),
        ("zscore(oi, 1h)", Measure.SCORE),
        ("age(oi)", Measure.DURATION),
        ("price / index", Measure.ANY),
        ("funding - 1", Measure.RATIO),
    ],
)
def test_an_expression_knows_what_kind_of_number_it_is(source, measure):
    assert measure_of(parse_value(source).expr) is measure


def test_a_count_is_known_as_one():
    assert measure_of(parse_value("count(stale(oi))", per="market").expr) is Measure.COUNT


def test_every_series_is_a_gauge_or_a_flow():
    assert {"volume", "liq_long", "liq_short"} == FLOWS
    assert set(SERIES) == GAUGES | FLOWS


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_the_example_of_every_function_is_sound(name):
    usage = FUNCTIONS[name].usage
    read = parse_condition if FUNCTIONS[name].result is Measure.CONDITION else parse_value
    assert read(usage, per="market" if name == "count" else "symbol").faults == ()


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("pirce", "price"),
        ("PRICE", "price"),
        ("open_interest", "oi"),
        ("fundng", "funding"),
        ("xyzzy", None),
        ("q", None),
    ],
)
def test_near_misses_and_other_names_are_understood(word, meant):
    assert did_you_mean(word, frozenset(SERIES)) == meant


def test_words_of_older_drafts_and_other_tools_are_understood():
    functions = frozenset(FUNCTIONS)
    assert [did_you_mean(word, functions) for word in ("change", "z", "ptc", "average")] == [
        "delta",
        "zscore",
        "pct",
        "avg",
    ]


def test_windows_on_the_edges_are_allowed():
    for window in ("1s", "1h", f"{24 * 60 * MINUTE_MS // 1000 // 60}m", "24h", "1d"):
        assert parse_condition(f"pct(oi, {window}) > 1%").faults == ()
