"""Why and why not: every function, every reason, every state, always with the numbers of the tick itself."""

from dataclasses import replace

import numpy as np
import pytest

from bot.engine.explaining import explain, glances
from bot.engine.inputs import Coverage, Listed, Samples
from bot.model.instrument import Instrument
from bot.model.numbers import duration
from bot.model.updates import Bars, InstrumentChange, InstrumentList, Liquidations, MarkPrices
from bot.rules.language import CROSSINGS, FUNCTIONS
from bot.rules.parse import parse_condition, parse_value
from bot.rules.schema import Rule, Scope

T0 = 1_767_225_600_000


def rule(when: str, *, per: str = "symbol", name: str = "r", clear: str | None = None, **more) -> Rule:
    def read(source: str):
        parsed = parse_condition(source, per=per)
        assert parsed.expr is not None, parsed.faults
        return parsed.expr

    return Rule(id=name, when=read(when), clear=read(clear) if clear else None, per=per, **more)


def nodes(node):
    yield node
    for part in node.parts:
        yield from nodes(part)


def find(explanation, text):
    return next(n for n in nodes(explanation.when) if n.text == text)


@pytest.fixture
def lively(feed, perpetual):
    """A market in which everything moves and everything is known, for `seconds`."""

    def make(rules, *, seconds: int = 120, bases: str = "ABCDEFG", upto=None, step: float = 1.0, **options):
        f = feed(rules, *bases, **options)
        n = len(bases)
        rows = np.arange(n, dtype=np.int32)
        rng = np.random.default_rng(7)
        f.engine.consume(Coverage("liquidations", live=True, at_ms=f.now - 90_000_000))
        for second in range(seconds):
            price = 100.0 * (1 + rows) * (1 + 0.01 * rng.standard_normal(n))
            at = np.full(n, f.now, dtype=np.int64)
            f.engine.consume(
                MarkPrices(rows, price, price * 1.001, np.full(n, 1e-4), np.zeros(n, np.int64), at, received_ms=0.0)
            )
            if second % 5 == 0:
                for base in bases:
                    f.oi(f"{base}USDT", 1_000.0 * (1 + 0.02 * rng.standard_normal()))
                f.engine.consume(Samples("long_short", rows, at, 1 + rng.random(n), 450_000, 300_000))
                f.engine.consume(Samples("volume_24h", rows, at, 1e7 * (1 + rng.random(n)), 3_600_000, 60_000))
            close = f.now // 60_000 * 60_000
            if second % 60 == 0 or step >= 60:
                bars = np.full(n, close, dtype=np.int64)
                f.engine.consume(Bars(rows, bars, 1e5 * (1 + rng.random(n)), 5e4 * rng.random(n), 60_000, 0.0))
            both = np.concatenate([rows, rows])
            usd, longs = 1e4 * rng.random(2 * n) + 1, np.arange(2 * n) < n
            f.engine.consume(Liquidations(both, np.concatenate([at, at]) - 5, usd, longs, 0.0))
            if upto is not None and second == seconds - 1:
                upto(f)
            f.tick(seconds=step)
        return f

    return make


# -- every function --------------------------------------------------------------------------------------------------

EXPRESSIONS = [
    "price", "index", "basis", "funding", "funding_8h", "oi", "oi_usd", "volume_24h", "taker_buy", "long_short",
    "volume", "liq_long", "liq_short",
    "pct(price, 30s)", "pct(oi, 30s)", "pct(oi_usd, 30s)", "delta(oi, 30s)", "avg(price, 1m)", "min(oi, 1m)",
    "max(oi_usd, 1m)", "std(price, 1m)", "zscore(price, 1m)", "percentile(oi, 1m)", "slope(price, 1m)",
    "corr(price, oi, 1m)", "sum(liq_long, 1m)", "ratio(liq_short, 15m)", "abs(pct(price, 30s))", "age(oi)",
    "-pct(price, 30s)", "price / max(price, 1m) - 1", "2 * price", "median(pct(price, 30s))",
    "pct(price, 30s) - median(pct(price, 30s))", "rank(oi_usd)", "total(oi_usd)",
]  # fmt: skip


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_each_value_is_the_one_that_the_tick_computed(lively, expression):
    zero = "0s" if expression.startswith("age") else "0"
    watched = rule(f"{expression} != {zero}")
    f = lively([watched])

    for row, base in enumerate("ABCDEFG"):
        seen = explain(f.engine, "r", f"binance:{base}USDT")
        parsed = parse_value(expression, per="symbol")
        want = f.engine.values(parsed.expr)[row]
        in_block = np.broadcast_to(f.engine.last.evaluation.number(parsed.expr, watched.scope)[-1], 7)[row]

        assert seen.when.text == f"{expression} != {zero}"
        assert (seen.when.value, seen.when.parts[0].value) == (want, want) == (in_block, in_block)
        assert (
            seen.verdict
            == seen.when.verdict
            == {0: "false", 2: "true"}[int(f.engine.last.truth(watched).when[-1, row])]
        )
        for node in nodes(seen.when):
            if node.value is not None and node.verdict is None and node.scope is None:
                expr = parse_value(node.text, per="symbol").expr
                assert node.value == f.engine.values(expr)[row], node.text


SLOW = ["pct(price, 4h)", "sum(volume, 2h)", "ratio(volume, 2h)", "zscore(pct(price, 5m), 2h)",
        "percentile(pct(price, 5m), 2h)", "zscore(price, 2h)"]  # fmt: skip


@pytest.mark.parametrize("expression", SLOW)
def test_windows_on_coarser_grids_too(lively, expression):
    f = lively([rule(f"{expression} != 0")], seconds=24 * 60 + 10, step=60.0, bases="AB", step_ms=60_000)

    seen = explain(f.engine, "r", "binance:BUSDT")

    leaf = seen.when.parts[0]
    want = f.engine.values(parse_value(expression, per="symbol").expr)[1]
    assert np.isfinite(want)
    assert leaf.value == want
    assert leaf.window.end_ms == f.engine.now_ms
    if "pct" in expression and leaf.parts:
        assert leaf.parts[0].text == "pct(price, 5m)"
        assert leaf.parts[0].value == pytest.approx(
            f.engine.values(parse_value("pct(price, 5m)", per="symbol").expr)[1]
        )


def test_every_function_of_the_language_is_covered_here():
    named = " ".join([*EXPRESSIONS, *SLOW])
    conditions = {"count", "stale", *CROSSINGS}
    assert [n for n in FUNCTIONS if f"{n}(" not in named and n not in conditions] == []


# -- what a window looked at -----------------------------------------------------------------------------------------


def test_a_change_shows_the_two_samples_it_compared(feed):
    f = feed([rule("pct(oi, 30s) >= 5%")], "A")
    for second in range(40):
        if second in {2, 17, 33}:
            f.oi("AUSDT", 1_000.0 + second)
        f.prices({"AUSDT": 100.0})
        f.tick()

    leaf = explain(f.engine, "r", "binance:AUSDT").when.parts[0]

    assert leaf.window.begin_ms == T0 + 9_000
    assert leaf.window.end_ms == f.engine.now_ms == T0 + 39_000
    then, now = leaf.window.ends
    assert (then.series, then.point_ms, then.sample_ms, then.age_ms, then.value) == (
        "oi",
        T0 + 9_000,
        T0 + 2_000,
        7_000,
        1_002.0,
    )
    assert (now.point_ms, now.sample_ms, now.age_ms, now.value) == (T0 + 39_000, T0 + 33_000, 6_000, 1_033.0)
    assert leaf.value == pytest.approx(1_033 / 1_002 - 1)
    assert leaf.window.known_share is None


def test_a_product_shows_the_samples_of_both_factors(lively):
    f = lively([rule("pct(oi_usd, 30s) >= 5%")])
    leaf = explain(f.engine, "r", "binance:AUSDT").when.parts[0]
    assert [s.series for s in leaf.window.ends] == ["price", "oi", "price", "oi"]


def test_a_window_over_points_says_how_much_of_it_is_known(feed):
    f = feed([rule("avg(price, 1m) > 1")], "A")
    for second in range(61 + 30):
        if not 70 <= second < 80:
            f.prices({"AUSDT": 100.0})
        f.tick()

    window = explain(f.engine, "r", "binance:AUSDT").when.parts[0].window

    assert (window.begin_ms, window.end_ms) == (f.engine.now_ms - 59_000, f.engine.now_ms)
    assert window.needed_share == 0.8
    # A price speaks for ten seconds: of the hole of ten the last second is empty.
    assert window.known_share == pytest.approx(59 / 60)
    assert [s.sample_ms for s in window.ends] == [f.engine.now_ms - 59_000, f.engine.now_ms]


# -- distances -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "absolute", "relative", "unit"),
    [
        ("price >= 110", 10, 10 / 110, "price"),
        ("price > 80", -20, -20 / 80, "price"),
        ("price <= 50", 50, 1.0, "price"),
        ("price < 200", -100, -0.5, "price"),
        ("oi_usd >= 200_000", 100_000, 0.5, "usd"),
        ("oi >= 2_000", 1_000, 0.5, "amount"),
        ("pct(price, 10s) >= 5%", 0.05, 1.0, "ratio"),
        ("pct(price, 10s) >= 0", 0.0, None, "ratio"),
        ("funding < -0.01%", 0.0002, 2.0, "ratio"),
        ("age(oi) > 1m", 60_000, 1.0, "duration"),
        ("0.97 * price >= 194", 97, 0.5, "price"),
    ],
)
def test_the_distance_to_the_threshold_is_in_the_unit_of_the_value(feed, when, absolute, relative, unit):
    f = feed([rule(when)], "A")
    for _ in range(15):
        f.oi("AUSDT", 1_000.0)
        f.prices({"AUSDT": 100.0})
        f.tick()

    distance = explain(f.engine, "r", "binance:AUSDT").when.distance

    assert distance.absolute == pytest.approx(absolute, abs=1e-9)
    assert distance.relative == (None if relative is None else pytest.approx(relative))
    assert distance.unit == unit


# -- reasons ---------------------------------------------------------------------------------------------------------


def why(f, symbol="AUSDT", name="r"):
    return explain(f.engine, name, f"binance:{symbol}").why


def test_a_sample_that_is_too_old(feed):
    f = feed([rule("oi > 1")], "A")
    f.oi("AUSDT", 1_000.0, interval_ms=120_000)
    for _ in range(7 * 60 + 1):
        f.prices({"AUSDT": 100.0})
        f.tick()
    assert why(f) == ("open interest is 7m old, valid for 5m",)


def test_nothing_has_come_yet(feed):
    f = feed([rule("oi > 1 and price > 1 or funding > 1 and index > 1")], "A")
    f.tick(seconds=90)
    f.tick()
    assert why(f)[0] == "no open interest has come yet, 1m after it was first watched"


def test_the_venue_gives_no_index(feed):
    f = feed([rule("basis > 1%"), rule("index > 1", name="index")], "A")
    row = np.zeros(1, dtype=np.int32)
    f.engine.consume(
        MarkPrices(row, np.array([5.0]), np.zeros(1), np.zeros(1), np.zeros(1, np.int64), np.array([f.now]), 0.0)
    )
    f.tick()
    assert why(f) == ("the venue gives no index for it",)
    assert why(f, name="index") == ("the venue gives no index for it",)


def test_a_window_that_is_filling(feed):
    f = feed([rule("avg(price, 1m) > 1"), rule("pct(price, 1m) > 1%", name="ends")], "A")
    for _ in range(26):
        f.prices({"AUSDT": 100.0})
        f.tick()
    assert why(f) == ("the window is filling: 43 % of its points are known, 80 % needed",)
    assert why(f, name="ends") == ("the window is filling: no price is known at its begin, 23:59:25 UTC",)


def test_a_window_with_gaps(feed):
    f = feed([rule("avg(price, 1m) > 1")], "A")
    for second in range(90):
        if not 40 <= second < 80:
            f.prices({"AUSDT": 100.0})
        f.tick()
    assert why(f) == ("the window has gaps: 48 % of its points are known, 80 % needed",)


def test_the_other_end_of_a_change_was_too_old(feed):
    f = feed([rule("pct(oi, 1m) > 1%")], "A")
    for second in range(120):
        if second == 0 or second >= 90:
            f.oi("AUSDT", 1_000.0)
        f.prices({"AUSDT": 100.0})
        f.tick()
    # Valid for 37.5 s after its poll, and at most a third of the window old.
    assert why(f) == ("open interest was 59 s old at its begin, 00:00:59 UTC; at most 20 s counts",)


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        ("zscore(price, 1m) > 1", "the series is flat: it has no deviation to compare with"),
        ("corr(price, oi, 1m) > 1", "the series is flat: it has no deviation to compare with"),
        ("pct(basis, 10s) > 1%", "the basis was 0 at its begin, 00:01:29 UTC, and of nothing no percentage can be taken"),
        ("1 / (price - price) > 1", "it is divided by zero, or too large a number"),
        ("median(price) > 1", "the scope has 1 members, 5 needed"),
        ("ratio(liq_long, 5m) > 1", "nothing was liquidated in the 24 hours that it is compared with"),
        ("sum(volume, 5m) > 1", "no bar has come yet, 1m after a start"),
    ],
)  # fmt: skip
def test_what_cannot_be_computed_says_why(feed, when, reason):
    f = feed([rule(when)], "A")
    f.engine.consume(Coverage("liquidations", live=True, at_ms=T0 - 90_000_000))
    for _ in range(100):
        f.oi("AUSDT", 1_000.0)
        f.prices({"AUSDT": 100.0})
        f.tick()
    assert why(f) == (reason,)


def test_the_liquidation_stream(feed):
    f = feed([rule("sum(liq_long, 15m) > 1")], "A")
    f.prices({"AUSDT": 100.0})
    f.tick()
    assert why(f) == ("the liquidation stream is not alive",)

    f.engine.consume(Coverage("liquidations", live=True, at_ms=f.now))
    f.tick(seconds=180)
    f.tick()
    assert why(f) == ("the liquidation stream has been alive for 3m only, 15m needed",)

    f.engine.consume(Coverage("liquidations", live=False, at_ms=f.now))
    f.tick(seconds=30)
    f.tick()
    assert why(f) == ("the liquidation stream is lost, for 30 s",)


def test_bars_that_cover_too_little(feed):
    f = feed([rule("sum(volume, 15m) > 1")], "A")
    row = np.zeros(1, dtype=np.int32)
    for minute in range(1, 7):
        close = np.array([T0 + minute * 60_000])
        f.engine.consume(Bars(row, close, np.array([5.0]), np.array([1.0]), 60_000, 0.0))
    f.now = T0 + 6 * 60_000
    f.tick()
    assert why(f) == ("the window is filling: bars cover 40 % of 15m, 80 % needed",)


def test_a_halted_instrument(feed, perpetual):
    f = feed([rule("price > 1")], "A")
    f.engine.consume(Listed(InstrumentChange(replace(perpetual("A"), status="HALT")), f.now))
    f.prices({"AUSDT": 100.0})
    f.tick()
    seen = explain(f.engine, "r", "binance:AUSDT")
    assert (seen.verdict, seen.when.verdict, seen.when.value) == ("unknown", "unknown", 100.0)
    assert seen.why == ("it is halted (HALT)",)


def test_the_rest_of_a_condition_may_be_unknown_without_a_reason(feed):
    """`false and unknown` is false: then nothing keeps it from being decided."""
    f = feed([rule("price > 1_000 and oi > 5")], "A")
    f.prices({"AUSDT": 100.0})
    f.tick()
    seen = explain(f.engine, "r", "binance:AUSDT")
    assert (seen.verdict, seen.why) == ("false", ())
    assert seen.when.parts[1].why.startswith("no open interest has come yet")


def test_crosses_unknown_until_both_sides_are(feed):
    f = feed([rule("crosses(price, oi)")], "A")
    f.prices({"AUSDT": 100.0})
    f.tick()
    assert why(f)[0].startswith("no open interest has come yet")


# -- scopes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "reason"),
    [
        (Scope(quotes=("USDC",)), "not in the scope: it is quoted in USDT, the rule looks at USDC"),
        (Scope(types=("delivery",)), "not in the scope: it is of the type perpetual, the rule looks at delivery"),
        (Scope(venues=("bybit",)), "not in the scope: it trades at binance, the rule looks at bybit"),
        (Scope(symbols=("B*",)), "not in the scope: the rule names other symbols"),
        (Scope(exclude=("A*",)), "not in the scope: the rule excludes it by name"),
        (Scope(top=2), "not in the scope: rank 3 of top 2 by open interest; looked at again at 01:00 UTC"),
        (Scope(min_oi_usd=150.0), "not in the scope: its open interest is $100, at least $150 is wanted; looked at again at 01:00 UTC"),
    ],
)  # fmt: skip
def test_who_is_not_in_the_scope_is_told_why(feed, scope, reason):
    f = feed([rule("price > 1", scope=scope)], "A", "B", "C")
    for base, amount in (("A", 1.0), ("B", 2.0), ("C", 3.0)):
        f.oi(f"{base}USDT", amount)
    f.prices({"AUSDT": 100.0, "BUSDT": 100.0, "CUSDT": 100.0})
    f.tick()

    seen = explain(f.engine, "r", "binance:AUSDT")

    assert seen.why == (reason,)
    assert not seen.is_member
    assert seen.when.value == 100.0
    assert (seen.verdict, seen.alert.next) == ("true", ""), "it is not looked at, so nothing fires"
    assert (
        scope.quotes != ("USDT",)
        or explain(f.engine, "r", "binance:CUSDT").is_member
        or scope.types != ("perpetual",)
        or scope.symbols
        or scope.venues
    )


def test_a_scope_that_warms_up_makes_everything_unknown(feed):
    f = feed(
        [rule("price > 1", scope=Scope(top=2)), rule("median(price) > 1", name="m", scope=Scope(top=2))], "A", "B", "C"
    )
    f.oi("AUSDT", 1.0)
    f.oi("BUSDT", 1.0)
    f.prices({"AUSDT": 100.0, "BUSDT": 100.0, "CUSDT": 100.0})
    f.tick()
    reason = "the scope is warming up: 66 % of the sizes are known, 90 % needed"
    seen = explain(f.engine, "r", "binance:AUSDT")
    assert (seen.verdict, seen.when.verdict, seen.why) == ("unknown", "true", (reason,))
    assert why(f, name="m") == (reason,)


# -- market rules ----------------------------------------------------------------------------------------------------


def test_a_count_names_who_is_nearest(feed):
    counting = rule("count(pct(price, 10s) >= 10%) >= 50%", per="market", for_ms=60_000)
    f = feed([counting], *"ABCDEF")
    # F's price stops coming, so it is unknown at the end.
    for second in range(25):
        moves = {"AUSDT": 115.0, "BUSDT": 109.0, "CUSDT": 104.0, "DUSDT": 95.0, "EUSDT": 112.0}
        now = {s: (p if second >= 15 else 100.0) for s, p in moves.items()}
        f.prices({**now, **({"FUSDT": 100.0} if second < 12 else {})})
        f.tick()

    seen = explain(f.engine, "r", "*")
    node = seen.when.parts[0]

    assert (seen.verdict, seen.per_market, seen.symbol, seen.is_member) == ("unknown", True, "*", True)
    assert (node.value, node.scope.n_members, node.scope.n_known, node.scope.n_true, node.scope.n_unknown) == (
        2,
        6,
        5,
        2,
        1,
    )
    assert [(n.symbol, n.verdict) for n in node.scope.nearest] == [
        ("BUSDT", "false"),
        ("CUSDT", "false"),
        ("DUSDT", "false"),
    ]
    assert node.scope.nearest[0].value == pytest.approx(0.09)
    assert node.scope.nearest[0].distance.absolute == pytest.approx(0.01)
    assert (seen.when.threshold, seen.when.distance.absolute, seen.when.distance.unit) == (3, 1, "count")
    assert seen.why == ("1 of 6 members are unknown",)
    assert node.parts == ()

    asked = explain(f.engine, "r", "binance:CUSDT")
    inner = asked.when.parts[0].parts[0]
    assert (asked.symbol, inner.text, inner.verdict) == ("CUSDT", "pct(price, 10s) >= 10%", "false")
    assert inner.value == pytest.approx(0.04)
    assert (
        "no price" in explain(f.engine, "r", "binance:FUSDT").when.parts[0].parts[0].why
        or "the price is" in explain(f.engine, "r", "binance:FUSDT").when.parts[0].parts[0].why
    )


def test_a_market_wide_median_is_decided_although_an_instrument_is_halted(feed, perpetual):
    f = feed([rule("median(price) > 90", per="market", name="r")], *"ABCDEFG")
    f.engine.consume(Listed(InstrumentChange(replace(perpetual("A"), status="HALT")), f.now))
    f.prices({f"{b}USDT": 100.0 for b in "ABCDEFG"})
    f.tick()

    seen = explain(f.engine, "r", "*")

    assert f.states() == [("r", "*", "firing")]
    assert (seen.verdict, seen.value, seen.when.parts[0].scope.n_known) == ("true", 100.0, 6)
    assert seen.alert.phase == "firing"


def test_a_rank_says_how_many_are_known(lively):
    f = lively([rule("rank(oi_usd) <= 2")])
    node = explain(f.engine, "r", "binance:GUSDT").when.parts[0]
    assert (node.value, node.unit, node.scope.n_known, node.scope.n_members, node.scope.n_needed) == (
        1,
        "number",
        7,
        7,
        6,
    )
    assert node.parts[0].text == "oi_usd"


# -- events and data -------------------------------------------------------------------------------------------------


def test_a_crossing_tells_what_it_remembers(feed):
    f = feed([rule("crosses_above(price, 100)")], "A")
    for price in (90.0, 91.0, 110.0, 110.0, 111.0):
        f.prices({"AUSDT": price})
        f.tick()
        last = explain(f.engine, "r", "binance:AUSDT")
        side = last.when.crossing
        want = ("below", T0) if price < 100 else ("above", T0 + 2_000)
        assert (side.side, side.since_ms, side.known_ms) == (*want, f.engine.now_ms)
        assert last.verdict == ("true" if f.engine.now_ms == T0 + 2_000 else "false")
    assert last.when.value == 111.0
    assert last.when.threshold == 100.0
    assert (last.alert.phase, last.alert.n_told) == ("cooling", 1)


def test_a_crossing_that_has_seen_nothing_remembers_nothing(feed):
    f = feed([rule("crosses(price, 100)")], "A")
    f.tick()
    side = explain(f.engine, "r", "binance:AUSDT").when.crossing
    assert (side.side, side.since_ms, side.known_ms) == ("none", None, None)


def test_a_crossing_of_the_whole_market_tells_its_side(feed):
    f = feed([rule("crosses_above(median(price), 100)", per="market")], *"ABCDE")
    for price in (90.0, 110.0, 110.0):
        f.prices({f"{base}USDT": price for base in "ABCDE"})
        f.tick()
    seen = explain(f.engine, "r", "*")
    assert (seen.verdict, seen.when.value, seen.when.crossing.side) == ("false", 110.0, "above")
    assert seen.when.crossing.since_ms == T0 + 1_000


def test_stale_shows_the_age_that_it_judges(feed):
    f = feed([rule("stale(oi)")], "A")
    f.oi("AUSDT", 1.0, interval_ms=20_000)
    f.tick(seconds=60)
    f.tick()
    seen = explain(f.engine, "r", "binance:AUSDT")
    assert (seen.verdict, seen.when.sample.age_ms) == ("true", 60_000)


# -- the alert -------------------------------------------------------------------------------------------------------


def alert(f, symbol="AUSDT"):
    return explain(f.engine, "r", f"binance:{symbol}").alert


def test_the_clock_of_a_pending_alert_and_what_comes_next(feed):
    watched = rule("oi >= 100", clear="oi < 50", for_ms=10_000, cooldown_ms=60_000)
    f = feed([watched], "A")
    f.oi("AUSDT", 10.0, interval_ms=30_000)
    f.tick()
    assert (alert(f).phase, alert(f).next) == ("inactive", "fires when oi >= 100 has held for 10 s")

    f.oi("AUSDT", 120.0, interval_ms=30_000)
    f.tick()
    started = f.engine.now_ms
    for _ in range(6):
        f.tick()
    a = alert(f)
    assert (a.phase, a.since_ms, a.held_ms, a.for_ms) == ("pending", started, 6_000, 10_000)
    assert a.waits_for_poll
    assert a.next == "held 6 s of 10 s, waits for the next open-interest poll"

    for _ in range(10):
        f.tick()
    assert alert(f).next == "waits for the next open-interest poll"

    f.oi("AUSDT", 130.0, interval_ms=30_000)
    f.tick()
    a = alert(f)
    assert (a.phase, a.since_ms, a.n_told, a.value, a.peak) == ("firing", f.engine.now_ms, 1, 130.0, 130.0)
    assert a.short_id == f.transitions[-1].id
    assert a.next == "ends when oi < 50"

    f.oi("AUSDT", 20.0, interval_ms=30_000)
    f.tick(seconds=10)
    f.tick()
    a = alert(f)
    assert (a.phase, a.cooling_left_ms, a.next) == ("cooling", 50_000, "may fire again in 50 s")

    f.oi("AUSDT", 200.0, interval_ms=30_000)
    f.tick()
    assert alert(f).next.endswith(f"may fire again in {duration(49_000)}")


def test_what_is_not_known_does_not_fire_at_the_next_tick(feed):
    """Held long enough at the very tick at which its data goes missing: unknown moves nothing."""
    f = feed([rule("price >= 100", for_ms=10_000)], "A")
    f.prices({"AUSDT": 101.0})
    for _ in range(14):
        f.tick()
    a = alert(f)
    assert (a.phase, a.held_ms, a.next) == ("pending", 10_000, "")
    assert explain(f.engine, "r", "binance:AUSDT").verdict == "unknown"

    f.prices({"AUSDT": 101.0})
    f.tick()
    assert alert(f).phase == "firing"


def test_escalations_count_as_told_and_the_peak_is_kept(feed):
    f = feed([rule("price >= 100", escalate=5.0)], "A")
    for price in (100.0, 107.0, 103.0):
        f.prices({"AUSDT": price})
        f.tick()
    a = alert(f)
    assert (a.n_told, a.value, a.peak) == (2, 100.0, 107.0)
    assert a.next == "ends when price >= 100 is no longer true"


def test_a_rule_that_fires_once_says_that_it_is_over(feed):
    f = feed([rule("price >= 100", once=True)], "A")
    for price in (100.0, 90.0):
        f.prices({"AUSDT": price})
        f.tick()
    a = alert(f)
    assert (a.phase, a.is_over, a.next) == ("inactive", True, "it fires only once, and has fired")

    # Also while its condition is true again: it waits for nothing.
    f.prices({"AUSDT": 101.0})
    f.tick()
    a = alert(f)
    assert (a.phase, a.is_over, a.cooling_left_ms) == ("inactive", True, None)
    assert a.next == "it fires only once, and has fired"


def test_a_firing_alert_is_explained_by_what_it_follows(feed):
    """The other side of the `or` may be true meanwhile, in another unit."""
    f = feed([rule("funding > 1% or price >= 100", clear="price < 50")], "A")
    for price, funding in ((90.0, 0.0), (120.0, 0.0), (95.0, 0.02)):
        f.prices({"AUSDT": price}, funding=funding)
        f.tick()
    seen = explain(f.engine, "r", "binance:AUSDT")
    (glance,), _ = glances(f.engine, "binance:AUSDT")
    assert (seen.value_text, seen.value, seen.unit) == ("price", 95.0, "price")
    assert (glance.value, glance.unit) == (95.0, "price")
    assert seen.alert.peak == glance.alert.peak == 120.0


def test_the_unit_of_what_an_alert_follows_stays_while_that_is_unknown(feed):
    """Its peak is told beside the other side of the `or`, of which alone something is known."""
    f = feed([rule("oi > 100 or price >= 10")], "A")
    f.prices({"AUSDT": 12.0})
    f.oi("AUSDT", 90.0, interval_ms=60_000)
    f.tick()
    f.now += 30_000
    f.tick()
    (found,), _ = glances(f.engine, "binance:AUSDT")
    assert (found.phase, found.verdict, found.alert.peak) == ("firing", "unknown", 12.0)
    assert (found.value, found.unit) == (None, "price")


def test_looking_changes_nothing(feed):
    """A peak that was not stored yet is still news after it was looked at."""
    f = feed([rule("price >= 100")], "A")
    for price in (100.0, 107.0):
        f.prices({"AUSDT": price})
        f.tick()
    explain(f.engine, "r", "binance:AUSDT")
    glances(f.engine, "binance:AUSDT")
    assert [r.peak for r in f.engine.checkpoint().records] == [107.0]


# -- all rules of an instrument --------------------------------------------------------------------------------------


def test_rules_come_firing_first_then_the_nearest(feed):
    watched = [
        rule("price >= 1_000", name="far"),
        rule("price >= 101", name="near"),
        rule("price >= 90", name="fires"),
        rule("price >= 95", name="waits", for_ms=60_000),
        rule("oi > 5", name="blind"),
        rule("price >= 99", name="other", scope=Scope(symbols=("B*",))),
        rule("price >= 150 or price <= 93", name="either"),
        rule("price >= 50 and price <= 80", name="both"),
        rule("not price < 140", name="negated"),
    ]
    f = feed(watched, "A", "B")
    for price in (94.0, 100.0):
        f.prices({"AUSDT": price, "BUSDT": 100.0})
        f.tick()

    found, n_left = glances(f.engine, "binance:AUSDT")

    assert [(g.rule_id, g.phase) for g in found] == [
        ("fires", "firing"), ("waits", "pending"), ("near", "inactive"), ("either", "inactive"), ("both", "inactive"),
        ("negated", "inactive"), ("far", "inactive"), ("blind", "inactive"),
    ]  # fmt: skip
    assert n_left == 0
    by_id = {g.rule_id: g for g in found}
    assert by_id["near"].distance.absolute == pytest.approx(1.0)
    assert by_id["either"].distance.absolute == pytest.approx(7.0)
    assert by_id["both"].distance.absolute == pytest.approx(20.0)
    assert by_id["negated"].distance.absolute == pytest.approx(40.0)
    assert by_id["blind"].why.startswith("no open interest has come yet")
    assert by_id["blind"].nearness == float("inf")

    cut, n_left = glances(f.engine, "binance:AUSDT", limit=3)
    assert ([g.rule_id for g in cut], n_left) == (["fires", "waits", "near"], 5)


def test_before_the_first_tick_and_for_strangers_there_is_no_answer(feed):
    f = feed([rule("price > 1"), rule("count(price > 1) > 1", per="market", name="m")], "A")
    assert explain(f.engine, "r", "binance:AUSDT") is None
    assert glances(f.engine, "binance:AUSDT") == ((), 0)
    f.tick()
    assert explain(f.engine, "r", "binance:AUSDT") is not None
    assert explain(f.engine, "nobody", "binance:AUSDT") is None
    assert explain(f.engine, "r", "binance:ZUSDT") is None
    assert explain(f.engine, "r", "*") is None
    assert explain(f.engine, "m", "*") is not None
    # Instruments that came after the tick were not seen by it.
    more = tuple(Instrument("binance", f"N{i}USDT", "perpetual", f"N{i}", "USDT", "TRADING") for i in range(70))
    f.engine.consume(Listed(InstrumentList("binance", (*f.instruments, *more)), f.now))
    assert explain(f.engine, "r", "binance:AUSDT") is None


def test_a_rule_with_a_value_of_its_own_shows_that_one(feed):
    own = parse_value("(oi / (oi + 5) - 1) * 100%").expr
    f = feed([replace(rule("price >= 100 and oi <= 90"), value=own)], "A")
    for price, oi in ((95.0, 100.0), (99.0, 95.0)):
        f.prices({"AUSDT": price})
        f.oi("AUSDT", oi)
        f.tick()
    (found,), _ = glances(f.engine, "binance:AUSDT")
    assert (found.value, found.unit) == (pytest.approx(-0.05), "ratio")
    assert found.distance.absolute == pytest.approx(5.0)
    assert found.distance.unit == "amount"


def test_a_rule_may_be_shown_in_another_form_or_not_at_all(feed):
    form = replace(rule("price >= 120", name="c_form"), base="r")
    f = feed([rule("price >= 101"), rule("price >= 150", name="hidden"), form], "A")
    f.prices({"AUSDT": 100.0})
    f.tick()
    (found,), _ = glances(f.engine, "binance:AUSDT", form_of=lambda one: "c_form" if one.id == "r" else None)
    assert (found.rule_id, found.distance.absolute) == ("r", 20.0)
