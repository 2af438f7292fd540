"""Keys that are sound alone but not together are told."""

import pytest

from bot.rules.loader import load_text


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


def test_keys_without_effect_are_told_unless_they_say_what_happens_anyway():
    found = problems("when: oi > 1\nchart: true\nsilent: false\nmessage: hi\ninhibits: [b]\ntags: [x]")
    assert [(line, message) for _, line, message, _ in found] == [
        (4, '"chart" has no effect yet'),
        (6, '"message" has no effect yet'),
        (7, '"inhibits" has no effect yet'),
        (8, '"tags" has no effect yet'),
    ]
