"""What only the world can tell about a rule: which symbols there are, and how often they are read."""

import pytest

from bot.model.instrument import Instrument
from bot.rules.loader import load_text
from bot.rules.surroundings import Surroundings


def instrument(symbol, quote="USDT", kind="perpetual"):
    return Instrument("binance", symbol, kind, symbol.removesuffix(quote), quote, "TRADING")


LISTED = [instrument("BTCUSDT"), instrument("ETHUSDT"), instrument("BTCUSDC", "USDC")]


def problems(body, **known):
    content = "rules:\n  - id: a\n    when: pct(oi, 15m) > 5%\n" + "".join(
        f"    {line}\n" for line in body.splitlines()
    )
    loaded = load_text("f.yaml", content, surroundings=Surroundings(**known))
    assert len(loaded.rules) == 1
    return [(p.code, p.line, p.column, p.message, p.hint) for p in loaded.problems]


def test_a_symbol_that_is_not_listed_is_told_with_the_one_that_was_meant():
    found = problems("scope: {symbols: [BTCUSDT, BTCUSTD, XYZUSDT]}", instruments=LISTED)
    assert found == [
        ("W311", 4, 32, 'the venue lists no "BTCUSTD" now', 'did you mean "BTCUSDT"?'),
        ("W311", 4, 41, 'the venue lists no "XYZUSDT" now', ""),
    ]


@pytest.mark.parametrize("scope", ["{symbols: 'DOGE*'}", "{quotes: [BUSD]}", "{types: [delivery]}", "{exclude: '*'}"])
def test_a_scope_that_matches_nothing_is_told(scope):
    assert problems(f"scope: {scope}", instruments=LISTED) == [
        ("W311", 4, 12, "none of the 3 contracts listed now is in scope", "")
    ]


def test_a_scope_that_matches_something_is_not_doubted_and_without_a_list_none_is():
    assert problems("scope: {symbols: 'BTC*'}", instruments=LISTED) == []
    assert problems("", instruments=LISTED) == []
    assert problems("scope: {symbols: [XYZUSDT]}") == []
    assert [found[0] for found in problems("", instruments=[])] == ["W311"]


def test_a_for_below_the_known_poll_interval_is_told():
    ((code, line, column, message, _),) = problems("for: 30s", oi_interval_ms=120_000)
    assert (code, line, column) == ("W310", 4, 10)
    assert message == 'open interest is read every 2m or less often; "for" means "seen at the next poll" here'
    assert problems("for: 30s", oi_interval_ms=30_000) == []
