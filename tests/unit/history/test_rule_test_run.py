"""Rule tests find what the engine does: what is met is met, and what is not is told with what was found instead."""

import textwrap

import numpy as np
import pytest

from bot.history.rule_test_run import rules_of, rules_that_matter, run_rule_test
from bot.rules.loader import load_text
from bot.rules.rule_test_reader import read_rule_tests

RULES = """\
rules:
  - {id: surge, name: OI surge, when: 'pct(oi, 15m) >= 5%', clear: 'pct(oi, 15m) < 2.5%', for: 1m, cooldown: 30m}
"""
SURGE = "{BTCUSDT: {oi: 100x20 106x19, price: 50x40}}"


@pytest.fixture
def run():
    def run(body, *, series=SURGE, rules=RULES, interval="1m"):
        keys = textwrap.indent(textwrap.dedent(body), "    ")
        text = f"rule_files: r.yaml\ninterval: {interval}\ntests:\n  - name: one\n    series: {series}\n{keys}\n"
        file, problems = read_rule_tests("t.yaml", text.encode(), lambda _: load_text("r.yaml", rules))
        assert problems == ()
        return run_rule_test(file, file.tests[0])

    return run


def states(*rows):
    return "expect: [" + ", ".join(f"{{at: {at}, rule: surge, {what}}}" for at, what in rows) + "]"


def test_what_is_met_is_met_with_what_was_found(run):
    outcome = run(
        states(
            ("20m", "state: inactive, value: 0%"),
            ("21m", "state: pending"),
            ("22m", "state: firing"),
            ("36m", "state: cooling"),
        )
    )
    assert outcome.passed
    assert [(met.expected.at_ms // 60_000, met.symbol, met.found) for met in outcome.met] == [
        (20, "BTCUSDT", "inactive, value 0.00%"),
        (21, "BTCUSDT", "pending, value +6.00%"),
        (22, "BTCUSDT", "firing, value +6.00%"),
        (36, "BTCUSDT", "cooling and inactive, value 0.00%"),
    ]
    assert [(t.state.value, t.at_ms - outcome.start_ms) for t in outcome.transitions] == [
        ("pending", 21 * 60_000),
        ("firing", 22 * 60_000),
        ("resolved", 36 * 60_000),
    ]
    assert [(m.at_ms // 60_000, m.kind, m.first_line) for m in outcome.told] == [
        (22, "fire", "🟠 BTCUSDT · OI surge  00:22 UTC"),
        (36, "end", "✅ ended after 14m · peak +6.0%"),
    ]


@pytest.mark.parametrize(
    ("at", "what", "expected", "found"),
    [
        ("21m", "state: firing", "firing", "pending, value +6.00%"),
        ("22m", "state: inactive", "inactive", "firing, value +6.00%"),
        ("22m", "state: unknown", "unknown", "firing, value +6.00%"),
        ("5m", "state: inactive", "inactive", "unknown"),
        ("22m", "value: 5%", "value 5%", "firing, value +6.00%"),
        ("22m", "state: firing, value: 6.01%", "firing, value 6.01%", "firing, value +6.00%"),
        ("5m", "value: 0%", "value 0%", "unknown"),
        ("60m", "state: firing", "firing", "cooling and unknown"),
    ],
)
def test_what_is_not_met_is_told_with_what_was_found(run, at, what, expected, found):
    (failure,) = run(states((at, what))).failures
    assert (failure.line, failure.at_ms, failure.about) == (6, int(at[:-1]) * 60_000, "surge BTCUSDT")
    assert (failure.expected, failure.found) == (expected, found)
    assert failure.explanation.when.text == "pct(oi, 15m) >= 5%"


def test_a_failure_shows_the_series_that_the_rule_looks_at_around_its_window(run):
    (failure,) = run(states(("22m", "state: inactive"))).failures
    (strip,) = failure.strips
    assert (strip.symbol, strip.series, strip.step_ms) == ("BTCUSDT", "oi", 60_000)
    assert (strip.first, strip.at, strip.window) == (2, 22, 15)
    np.testing.assert_array_equal(strip.values, [100] * 19 + [106] * 7)
    (strip,) = run(states(("38m", "state: inactive, value: 1"))).failures[0].strips
    np.testing.assert_array_equal(strip.values, [100] * 3 + [106] * 20 + [np.nan] * 3)


def test_without_a_symbol_every_instrument_counts(run):
    series = "{A: {oi: 100x20 106x9}, B: {oi: 100x30}}"
    (failure,) = run(states(("22m", "state: firing")), series=series).failures
    assert failure.about == "surge B"
    assert run(states(("22m", "state: firing, symbol: A")), series=series).passed


# -- messages ----------------------------------------------------------------------------------------------------------

FIRE = "{at: 22m, rule: surge, symbol: BTCUSDT, kind: fire}"
END = "{at: 36m, kind: end, text: peak}"


@pytest.mark.parametrize(
    "messages",
    [
        "1",
        f"[{FIRE}, {END}]",
        f"[{FIRE}]",
        "[{}]",
        "[{first_line: '🟠  BTCUSDT · OI surge 00:22 UTC', text: [OI +6.00% in 15m]}]",
    ],
)
def test_messages_are_compared_as_far_as_they_are_given(run, messages):
    assert run(f"expect_messages: {messages}").failures == ()


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ("0", [("0 messages", "1:\n  22m fire: 🟠 BTCUSDT · OI surge  00:22 UTC")]),
        ("2", [("2 messages", "1:\n  22m fire: 🟠 BTCUSDT · OI surge  00:22 UTC")]),
        ("[]", [("no other message", "22m fire: 🟠 BTCUSDT · OI surge  00:22 UTC")]),
        (f"[{END}]", [("no other message", "22m fire: 🟠 BTCUSDT · OI surge  00:22 UTC")]),
        (f"[{FIRE}, {FIRE}]", [("22m fire surge BTCUSDT", "36m end: ✅ ended after 14m · peak +6.0%")]),
        (f"[{END}, {END}]", None),
        (f"[{END}, {FIRE}]", None),
        ("[{at: 23m}]", [("23m fire", "22m fire: 🟠 BTCUSDT · OI surge  00:22 UTC")]),
        ("[{first_line: OI surge}]", [('fire: "OI surge"', "22m fire: 🟠 BTCUSDT · OI surge  00:22 UTC")]),
        ("[{kind: escalate}]", None),
    ],
)
def test_messages_that_differ_are_told(run, messages, told):
    failures = run(f"expect_messages: {messages}").failures
    assert failures
    if told is not None:
        assert [(f.expected, f.found) for f in failures] == told


def test_a_text_that_is_missing_shows_the_whole_message(run):
    (failure,) = run("expect_messages: [{text: '+7%'}]").failures
    assert failure.expected == 'fire: "+7%"'
    assert "\nOI +6.00% in 15m" in failure.found


def test_lost_data_is_a_message_where_a_test_asks_for_it(run):
    series = "{BTCUSDT: {oi: 100x20 106x3 _x20 106x5, price: 50x60}}"
    lost = "{at: 34m, kind: lost, first_line: '📡 Open interest: no data for 10m  since 00:24 UTC'}"
    assert run(f"expect_messages: [{{at: 22m}}, {lost}, {{at: 45m, kind: back}}]", series=series).failures == ()
    assert run("expect_messages: [{at: 22m}]", series=series).failures == ()


def test_messages_of_rules_that_a_test_does_not_name_are_none_of_its_business(run):
    rules = RULES + "  - {id: low, when: 'pct(oi, 15m) >= 1%'}\n"
    assert run("expect_messages: [{rule: surge}]", rules=rules).failures == ()
    assert run("expect: [{at: 22m, rule: low, state: firing}]\nexpect_messages: 1", rules=rules).failures == ()
    assert [f.found[:2] for f in run("expect_messages: 1", rules=rules).failures] == ["2:"]


def test_a_rule_that_mutes_one_that_is_named_runs_beside_it(run):
    rules = RULES + "  - {id: low, when: 'pct(oi, 15m) >= 1%', inhibits: [surge]}\n  - {id: other, when: price > 1}\n"
    outcome = run("expect: [{at: 22m, rule: surge, state: firing}]\nexpect_messages: 0", rules=rules)
    assert outcome.failures == ()
    named = rules_of(outcome.test)
    loaded = load_text("r.yaml", rules).rules
    assert [rule.id for rule in rules_that_matter(loaded, named)] == ["surge", "low"]
    assert rules_that_matter(loaded, frozenset()) == loaded


# -- series ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "at", "found", "series"),
    [
        ("basis > 1%", "1m", "state: firing, value: 2.0%", "{A: {price: 102x5, index: 100x5}}"),
        ("funding_8h > 0.1%", "1m", "state: firing, value: 0.2%", "{A: {funding: 0.1%x5, funding_interval: 4h}}"),
        ("oi_usd > 1k", "1m", "state: firing, value: 2k", "{A: {price: 20x5, oi: 100x5}}"),
        ("sum(volume, 5m) >= 10", "5m", "state: firing, value: 10", "{A: {volume: 2x9}}"),
        ("sum(volume, 5m) >= 10", "2m", "state: unknown", "{A: {volume: 2x9}}"),
        ("sum(volume, 5m) >= 10", "6m", "state: firing, value: 14", "{A: {volume: 2x2 _ 4x9}}"),
        ("taker_buy > 0.5", "1m", "state: firing, value: 0.6", "{A: {taker_buy: 60%x5}}"),
        ("volume_24h > 1k", "1m", "state: firing", "{A: {volume_24h: 2k}}"),
        ("long_short > 2", "1m", "state: firing, value: 2.5", "{A: {long_short: 2.5}}"),
        ("sum(liq_long, 5m) > 5k", "5m", "state: firing, value: 6k", "{A: {liq_long: 0x3 6k 0x9}}"),
        ("sum(liq_long, 5m) > 5k", "9m", "state: inactive, value: 0", "{A: {liq_long: 0x3 6k 0x9}}"),
        ("sum(liq_long, 5m) > 5k", "8m", "state: unknown", "{A: {liq_long: 0x3 _ 0x9}}"),
        ("sum(liq_long, 5m) > 5k", "9m", "state: inactive, value: 0", "{A: {liq_long: 0x3 _ 0x9}}"),
        ("sum(liq_long, 5m) < 1", "6m", "state: firing, value: 0", "{A: {liq_long: 0x9}, B: {price: 1}}"),
        ("price > 1", "1m", "state: firing", "{A: {price: 5 _}}"),
        ("price > 1", "2m", "state: firing", "{A: {price: 5 _ _}}"),
        ("stale(oi)", "2m", "state: inactive", "{A: {oi: 5 _ _ _}}"),
        ("stale(oi)", "3m", "state: firing", "{A: {oi: 5 _ _ _}}"),
    ],
)
def test_series_mean_what_the_guide_says(run, when, at, found, series):
    rules = f"rules:\n  - {{id: it, when: '{when}'}}\n"
    outcome = run(f"expect: [{{at: {at}, rule: it, symbol: A, {found}}}]", series=series, rules=rules)
    assert [(f.expected, f.found) for f in outcome.failures] == []


def test_steps_below_a_minute_add_up_to_bars(run):
    rules = "rules:\n  - {id: it, when: 'sum(volume, 1m) >= 6'}\n"
    row = "{at: 2m, rule: it, value: 6}, {at: 130s, rule: it, value: 6}, {at: 3m, rule: it, value: 12}"
    assert run(f"expect: [{row}]", series="{A: {volume: 1x12 2x6}}", rules=rules, interval="10s").failures == ()


def test_for_is_kept_between_the_steps_of_a_finer_test(run):
    series = "{BTCUSDT: {oi: 100x130 106x19, price: 50x150}}"
    rows = states(("1310s", "state: pending"), ("1360s", "state: pending"), ("1370s", "state: firing"))
    assert run(rows, series=series, interval="10s").failures == ()
