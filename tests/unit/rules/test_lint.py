"""Keys that are sound alone but not together are told."""

import pytest

from bot.rules.loader import load_folder, load_text


def problems(body):
    content = "rules:\n  - id: a\n" + "".join(f"    {line}\n" for line in body.splitlines())
    loaded = load_text("f.yaml", content)
    return [(p.code, p.line, p.message, p.hint) for p in loaded.problems]


def test_a_crossing_cannot_last_end_or_grow():
    found = problems("when: crosses(price, 5)\nfor: 30s\nclear: price < 4\nrepeat: 5m\nescalate: 3")
    assert [(code, line) for code, line, *_ in found] == [("E213", 4), ("E116", 5), ("E116", 6), ("E116", 7)]
    assert problems("when: crosses(price, 5)\ncooldown: 1h\nfor: 0s") == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("when: stale(oi)\nescalate: 3%", "E116"),
        ("when: oi_usd > 5M\nescalate: 3%", "E206"),
        ("when: zscore(oi, 1h) > 3\nescalate: 5%", "E206"),
        ("when: age(oi) > 5m\nescalate: 5", "E116"),
        ("when: pct(oi, 15m) > 5%\nescalate: 3", "W301"),
    ],
)
def test_escalate_is_a_step_of_the_measured_value(body, code):
    assert [found[0] for found in problems(body)] == [code]


@pytest.mark.parametrize(
    "body",
    [
        "when: pct(oi, 15m) > 5%\nescalate: 3%",
        "when: oi_usd > 5M\nescalate: 1M",
        "when: zscore(oi, 1h) > 3\nescalate: 1",
        "when: stale(oi)\nvalue: pct(oi, 15m)\nescalate: 3%",
        "per: market\nwhen: count(stale(oi)) > 5\nescalate: 5",
        "per: market\nwhen: count(stale(oi)) > 10%\nescalate: 10%",
    ],
)
def test_escalate_in_the_unit_of_the_value_is_sound(body):
    assert problems(body) == []


def test_a_clear_that_copied_the_sign_is_doubted():
    ((code, line, message, hint),) = problems("when: pct(oi, 15m) <= -5%\nclear: pct(oi, 15m) < -2%")
    assert (code, line) == ("W304", 4)
    assert message == '"clear" looks in the same direction as "when" (<)'
    assert hint == "an alert ends on the other side: write >"
    assert problems("when: pct(oi, 15m) >= 5%\nclear: pct(oi, 1h) > 2%") == []


@pytest.mark.parametrize("symbol", ["BTC", "BTCUSDC", "[ETH]"])
def test_a_symbol_that_the_quotes_leave_out_is_doubted(symbol):
    assert [found[0] for found in problems(f"when: oi > 1\nscope: {{symbols: {symbol}}}")] == ["W303"]


@pytest.mark.parametrize(
    "scope",
    ["{symbols: BTCUSDT}", "{symbols: [BTCUSDT_260327]}", "{symbols: 'BTC*'}", "{symbols: BTCUSDC, quotes: USDC}"],
)
def test_a_symbol_that_can_be_in_scope_is_not_doubted(scope):
    assert problems(f"when: oi > 1\nscope: {scope}") == []


def test_lower_case_symbols_match_nothing():
    ((code, _, message, hint),) = problems("when: oi > 1\nscope: {symbols: ['btc*', ETHUSDT]}")
    assert (code, message, hint) == ("W303", 'symbols are written in capitals; "btc*" matches nothing', "write BTC*")


@pytest.mark.parametrize(
    ("body", "message", "hint"),
    [
        ("when: pct(oi, 15m) >= 5%\nclear: pct(oi, 15m) > 6%", '"clear" is true only where "when" is too, so the alert never ends', "an alert ends on the other side: write <"),
        ("when: pct(oi, 15m) <= -5%\nclear: pct(oi, 15m) <= -6%", '"clear" is true only where "when" is too, so the alert never ends', "an alert ends on the other side: write >"),
        ("when: pct(oi, 15m) >= 5%\nclear: pct(oi, 15m) < 6%", '"clear" is true already while "when" is, so the alert ends at 5% and this changes nothing', "write a number below 5%"),
        ("when: pct(oi, 15m) <= -5%\nclear: pct(oi, 15m) > -6%", '"clear" is true already while "when" is, so the alert ends at -5% and this changes nothing', "write a number above -5%"),
        ("when: pct(oi, 15m) >= 5%\nclear: pct(oi, 15m) >= 5%", '"clear" is true only while "when" is, so the alert never ends', ""),
        ("when: oi > 5\nclear: oi > 5 and price > 1", '"clear" is true only while "when" is, so the alert never ends', ""),
        ("when: percentile(oi, 4h) > 95\nclear: percentile(oi, 4h) < 0", '"clear" is never true, so the alert never ends', ""),
        ("when: abs(pct(oi, 4h)) > 95%\nclear: abs(pct(oi, 4h)) >= 0", '"clear" is always true, so the alert ends as soon as "when" is false', ""),
        ("when: price > 5\nclear: crosses_below(price, 4)", "a crossing is true for one moment; if data is missing then, the alert never ends", "compare with < or > instead"),
    ],
)  # fmt: skip
def test_a_clear_that_never_ends_the_alert_is_told(body, message, hint):
    assert [(code, line, said, meant) for code, line, said, meant in problems(body)] == [("W307", 4, message, hint)]


@pytest.mark.parametrize(
    "body",
    [
        "when: pct(oi, 15m) >= 5%\nclear: pct(oi, 15m) < 5%",
        "when: pct(oi, 15m) <= -5%\nclear: pct(oi, 15m) > -2%",
        "when: funding_8h >= 0.10% or funding_8h <= -0.10%\nclear: abs(funding_8h) < 0.07%",
        "when: price > avg(price, 1h)\nclear: price < avg(price, 4h)",
    ],
)
def test_a_clear_that_ends_the_alert_is_not_doubted(body):
    assert problems(body) == []


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("percentile(oi, 24h) > 100", "this is never true: the left side is from 0 to 100"),
        ("corr(price, oi, 4h) < -1", "this is never true: the left side is from -1 to 1"),
        ("corr(price, oi, 4h) >= -1", "this is always true: the left side is from -1 to 1"),
        ("rank(oi_usd) < 1", "this is never true: the left side is 1 or more"),
        ("rank(oi_usd) >= 1", "this is always true: the left side is 1 or more"),
        ("pct(oi, 15m) < -100%", "this is never true: the left side is -100% or more"),
        ("avg(taker_buy, 15m) > 120%", "this is never true: the left side is from 0% to 100%"),
        ("abs(pct(oi, 15m)) < 0%", "this is never true: the left side is 0% or more"),
        ("-abs(funding) > 0.1%", "this is never true: the left side is at most 0%"),
        ("sum(volume, 15m) >= 0", "this is always true: the left side is 0 or more"),
        ("percentile(oi, 24h) >= 0.95", "a percentile goes from 0 to 100, not to 1"),
    ],
)
def test_a_comparison_that_cannot_be_meant_is_told(condition, message):
    assert [(code, said) for code, _, said, _ in problems(f"when: {condition}")] == [("W314", message)]
    assert [found[0] for found in problems(f"when: oi > 5 and ({condition})")] == ["W314"]


@pytest.mark.parametrize(
    "condition",
    ["percentile(oi, 24h) >= 99.5", "corr(price, oi, 4h) < -0.5", "pct(funding, 15m) < -200%", "rank(oi_usd) <= 10",
     "delta(oi, 15m) < 0", "basis < -1%", "abs(zscore(oi, 4h)) > 3", "min(price, 4h) < 5", "price / index > 1"],
)  # fmt: skip
def test_a_comparison_that_can_be_meant_is_not_doubted(condition):
    assert problems(f"when: {condition}") == []


@pytest.mark.parametrize(
    ("condition", "wait"),
    [
        ("zscore(funding_8h, 24h) > 3", "19h 12m after each start"),
        ("pct(basis, 4h) > 5%", "4h after each start"),
        ("zscore(pct(index, 1h), 5h) > 3", "5h after each start"),
        ("sum(liq_long, 4h) > 5M", "4h after each start and each break of their stream"),
        ("ratio(liq_short, 5m) > 4", "1d after each start and each break of their stream"),
        ("corr(price, index, 24h) > 0.5", "19h 12m after each start"),
    ],
)
def test_a_window_without_a_past_to_fetch_says_how_long_it_is_unknown(condition, wait):
    ((code, _, message, _),) = problems(f"when: {condition}")
    assert code == "W308"
    assert message.endswith(f"this is unknown for {wait}")


@pytest.mark.parametrize(
    "condition",
    ["zscore(oi, 7d) > 3", "percentile(pct(price, 1h), 7d) > 99", "avg(funding_8h, 1h) > 0.1%", "ratio(volume, 5m) > 4",
     "sum(liq_long, 1h) > 5M", "corr(taker_buy, long_short, 24h) > 0.5", "pct(oi_usd, 24h) > 5%"],
)  # fmt: skip
def test_a_window_that_can_be_filled_is_not_doubted(condition):
    assert problems(f"when: {condition}") == []


def test_a_volume_window_is_whole_minutes():
    ((code, _, message, hint),) = problems("when: sum(volume, 90s) > 5M")
    assert (code, hint) == ("W309", "write 2m")
    assert message == "volume comes in bars of one minute; this window is unknown part of the time"
    assert problems("when: sum(liq_long, 90s) > 5M and ratio(volume, 2m) > 3") == []


def test_a_for_below_the_poll_means_the_next_poll():
    ((code, line, message, _),) = problems("when: pct(oi, 15m) > 5%\nfor: 5s")
    assert (code, line) == ("W310", 4)
    assert message == 'open interest is read every 15s or less often; "for" means "seen at the next poll" here'
    assert problems("when: pct(oi, 15m) > 5%\nfor: 0s") == []
    assert problems("when: pct(price, 15m) > 5%\nfor: 5s") == []


def test_escalate_counts_from_what_is_compared():
    top = "when: price >= max(price, 24h)\nvalue: (oi / max(oi, 24h) - 1) * 100%\nescalate: 1%"
    ((code, line, message, _),) = problems(top)
    assert (code, line) == ("W315", 5)
    assert message == '"escalate" counts from the threshold in "when", which is an amount; "value" is a percentage'
    share = "per: market\nwhen: count(stale(oi)) > 12\nescalate: 10%"
    assert [found[2] for found in problems(share)] == ['the threshold is 12; "escalate" is a number such as 5 too']
    assert problems("per: market\nwhen: count(stale(oi)) > 20%\nescalate: 10%") == []


def test_a_rule_that_fires_once_needs_no_cooldown():
    assert [found[0] for found in problems("when: oi > 1\nonce: true\ncooldown: 5m")] == ["W305"]


def test_a_crossing_is_over_at_once_and_mutes_nothing():
    found = [code for code, *_ in problems("when: crosses(price, 100)\ninhibits: [other]")]
    assert "W305" in found
    assert "W305" not in [code for code, *_ in problems("when: price > 100\ninhibits: [other]")]


def test_a_rule_to_mute_has_to_exist_in_any_file(tmp_path):
    (tmp_path / "a.yaml").write_text("rules:\n  - {id: a, when: oi > 1, inhibits: [b, cc]}\n")
    (tmp_path / "b.yaml").write_text("rules:\n  - {id: b, when: oi > 1}\n  - {id: c1, when: oi >}\n")
    found = load_folder(tmp_path).problems
    assert [(p.code, p.message, p.hint) for p in found][:1] == [
        ("W312", 'no rule has the id "cc"', 'did you mean "c1"?')
    ]
    assert [p.code for p in found] == ["W312", "E201"]


@pytest.mark.parametrize(
    "scope", ["{}", "{top: 5}", "{symbols: ['BTC*']}", "{symbols: [A1USDT, A2USDT, A3USDT, A4USDT, A5USDT]}"]
)
def test_a_scope_of_five_is_enough_for_figures_over_it(scope):
    assert problems(f"scope: {scope}\nwhen: rank(oi) <= 1") == []


def test_a_scope_of_fewer_is_not():
    few = "scope: {symbols: [BTCUSDT, ETHUSDT]}\nwhen: pct(oi, 1h) > 5% and oi_usd > median(oi_usd)"
    ((code, line, message, _),) = problems(few)
    assert (code, line) == ("W316", 4)
    assert message == '"median" needs 5 contracts in scope; here are at most 2, so it is never known'
