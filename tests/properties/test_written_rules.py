"""The text that stands for a rule from chat is read back as exactly that rule."""

from hypothesis import given
from hypothesis import strategies as st

from bot.rules.loader import load_chat_text
from bot.rules.parse import parse_condition, parse_value
from bot.rules.schema import Rule, Scope
from bot.rules.writing import rule_text

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=80)
ratios = st.floats(1e-6, 1e6, allow_nan=False)
whole_s = st.integers(0, 86_400).map(lambda s: s * 1_000)


@st.composite
def rules(draw):
    number = draw(ratios)
    return Rule(
        id="c_" + draw(st.text("abcxyz0189_", min_size=1, max_size=38)),
        when=parse_condition(f"pct(oi, 15m) >= {number:.6f}% or price <= {number:.3f}").expr,
        name=draw(names),
        enabled=draw(st.booleans()),
        scope=draw(
            st.builds(
                Scope,
                symbols=st.lists(st.sampled_from(["BTC*", "ETHUSDT", "[*]X?"]), max_size=3).map(tuple),
                types=st.sampled_from([("perpetual",), ("perpetual", "tradfi", "delivery")]),
                quotes=st.sampled_from([("USDT",), ("USDT", "USDC")]),
                top=st.none() | st.integers(1, 10_000),
                by=st.sampled_from(["oi_usd", "volume_24h"]),
                min_oi_usd=st.none() | st.floats(1, 1e15),
            )
        ),
        clear=draw(st.none() | st.just(parse_condition("price < 1").expr)),
        for_ms=draw(whole_s),
        cooldown_ms=draw(whole_s),
        repeat_ms=draw(st.none() | st.just(3_600_000)),
        escalate=draw(st.none() | ratios),
        value=draw(st.none() | st.just(parse_value("pct(oi, 1h)").expr)),
        once=draw(st.booleans()),
        severity=draw(st.sampled_from(["info", "warning", "critical"])),
        notify=draw(st.sampled_from([("telegram:-1001234",), ("terminal",)])),
        tags=draw(st.lists(st.sampled_from(["whale", "no", "1-2"]), max_size=3).map(tuple)),
        silent=draw(st.booleans()),
        chart=draw(st.booleans()),
        message=draw(st.none() | st.sampled_from(["{symbol}: {value}", 'say "it" \\ \t twice\n'])),
        inhibits=draw(st.sampled_from([(), ("low", "high")])),
        base=draw(st.sampled_from(["", "oi_surge"])),
    )


@given(rules())
def test_a_rule_is_read_back_from_its_text(rule):
    found = load_chat_text("chat/x.yaml", rule_text(rule))
    assert found.errors == ()
    assert found.rules == (rule,)
