"""Message templates are refused with a place, or render for every view; nothing in them can run, loop or grow."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.delivery.template import FILTERS, MAX_LENGTH, MAX_OUTPUT, VARIABLES, render_message, template_faults
from bot.delivery.text import utf16_length
from bot.model.view import AlertView, Breadth, Member, Move


def view(**fields):
    given_fields = {
        "rule_id": "oi_surge", "title": "OI surge", "symbol": "BTCUSDT", "venue": "binance", "base": "BTC",
        "severity": "warning", "short_id": "7k2m9q4x", "kind": "fire", "at_ms": 1_767_277_860_000,
        "fired_ms": 1_767_276_540_000, "condition": "pct(oi, 15m) >= 5%", "value_text": "pct(oi, 15m)", "value": 0.0606,
        "value_is_ratio": True,
    }  # fmt: skip
    return AlertView(**(given_fields | fields))


FULL = view(
    value_before=0.03, peak=0.0921, window_ms=900_000, price=Move(900_000, 0.0089, 92_361.0, 93_183.0),
    oi=Move(900_000, 0.0606, 88_300.0, 93_600.0), oi_usd=8.72e9, funding=0.000081, volume_24h=2.1e10, n_members=100,
    n_true=14, members=tuple(Member(f"C{n}USDT", 0.06 - n / 100, None, None) for n in range(7)), reason="gone",
)  # fmt: skip
BARE = view(value=None, value_is_ratio=False)


def faults(template):
    return [(fault.start, fault.code, fault.length, fault.message) for fault in template_faults(template)]


@pytest.mark.parametrize(
    ("template", "shown"),
    [
        ("{{ symbol }}: OI {{ value }} in {{ window }}", "BTCUSDT: OI +6.06% in 15m"),
        ("{{ base }} {{ price }} {{ price_change }}", "BTC 93,183 +0.89%"),
        ("{{ oi }} {{ oi_usd }} {{ oi_change }} {{ funding }}", "93.6k $8.72B +6.06% +0.0081%"),
        ("{{ before }} {{ peak }} {{ lasted }} {{ time }} {{ fired }}", "+3.00% +9.21% 22m 14:31 UTC 14:09 UTC"),
        ("{{ n_true }} of {{ n_members }}: {{ members }}",
         "14 of 100: C0USDT +6.00%, C1USDT +5.00%, C2USDT +4.00%, C3USDT +3.00%, C4USDT +2.00%"),
        ("{{ value | percent(0) }} {{ value | round(3) }} {{ oi | amount }} {{ price | usd }}", "+6% 0.061 93.6k $93.2k"),
        ("{% if value > 0.05 %}large{% else %}small{% endif %}", "large"),
        ("{% if value > 0.1 %}huge{% elif value >= 0.06 %}large{% endif %} {{ 'up' if price_change > 0 else 'down' }}", "large up"),
        ("{% if symbol in ['BTCUSDT', 'ETHUSDT'] and not severity == 'info' %}big{% endif %}", "big"),
        ("{{ title | upper }} {{ reason | default('none') }} {{ -0.5 | abs }}", "OI SURGE gone 0.5"),
        ("a\n\n  b  c\n{# a remark #}", "a\n\nb c"),
        ("{{ value > 0.01 }}", "yes"),
        ("no variable at all", "no variable at all"),
    ],
)  # fmt: skip
def test_what_is_shown(template, shown):
    assert template_faults(template) == ()
    assert render_message(template, FULL) == shown


RICH = replace(
    FULL, volume_ratio=2.5, volume_window_ms=900_000, funding_interval_h=4.0, next_funding_ms=FULL.at_ms + 3_600_000,
    oi_rank=1, oi_change_rank=3, n_ranked=532, oi_unusual=0.973, price_unusual=1.0, oi_age_ms=61_000, price_age_ms=900,
    oi_moves=(Move(3_600_000, 0.064, None, None),), price_moves=(Move(86_400_000, -0.012, None, None),), gap_ms=720_000,
    is_already_true=True, breadth=Breadth(96, 81, 12, 0.0121, 0.0084, 1.24e9, 0.0184, 2.31e9, 6.86e10),
)  # fmt: skip


@pytest.mark.parametrize(
    ("template", "shown", "bare"),
    [
        ("{{ volume_ratio }} the usual, 24h {{ volume_24h }}", "2.5× the usual, 24h $21.0B", "– the usual, 24h –"),
        ("{{ funding_8h }} in {{ next_funding }}", "+0.0162% in 1h", "– in –"),
        ("#{{ oi_rank }} of {{ n_ranked }}, #{{ oi_change_rank }}", "#1 of 532, #3", "#– of –, #–"),
        ("{{ oi_unusual }} {{ price_unusual }}", "97% 99%", "– –"),
        ("{{ oi_age }} {{ price_age }} {{ gap }}", "1m 0 s 12m", "– – –"),
        ("{{ oi_moves }} / {{ price_moves }}", "+6.1% 15m · +6.4% 1h / +0.9% 15m · −1.2% 24h", "/"),
        ("{{ reading }}", "Price up + OI up: new longs are opening.", ""),
        ("{{ already_true | default('no') }}", "yes", "no"),
        ("{{ oi_up }}/{{ oi_down }} {{ oi_median }} {{ price_median }} {{ opened }}", "81/12 +1.21% +0.84% +$1.24B", "–/– – – –"),
        ("{% if oi_unusual > 0.95 and volume_ratio > 2 %}rare{% else %}usual{% endif %}", "rare", "usual"),
    ],
)  # fmt: skip
def test_what_messages_show_further_down_can_be_named_too(template, shown, bare):
    assert template_faults(template) == ()
    assert render_message(template, RICH) == shown
    assert render_message(template, BARE) == bare


def test_unknown_values_are_a_dash_and_no_comparison_with_one_is_true():
    assert render_message("{{ value }} {{ oi_usd }} {{ value | percent }} {{ price | abs }}", BARE) == "– – – –"
    assert render_message("{{ oi_usd | default('unknown') }}", BARE) == "unknown"
    assert render_message("{{ oi_usd | usd | default('unknown') }} {{ 0.0000001 }}", BARE) == "unknown 0.0000001"
    for op in ("<", "<=", ">", ">=", "==", "!="):
        assert render_message(f"{{{{ 'yes' if value {op} 1 else 'no' }}}}", BARE) == "no"
        assert render_message(f"{{{{ 'yes' if 1 {op} value else 'no' }}}}", BARE) == "no"
        assert render_message(f"{{{{ 'yes' if value {op} oi else 'no' }}}}", FULL if op == "x" else BARE) == "no"


def test_values_in_their_own_unit():
    plain = view(value=3.4, value_is_ratio=False)
    assert render_message("{{ value }} {{ id }}", view(value=93_183.0, value_text="price", value_is_ratio=False)) == (
        "93,183 #7k2m9q4x"
    )
    assert render_message("{{ value }} {{ value | abs }}", plain) == "3.4 3.4"
    assert render_message("{{ value | abs }}", view(value=-0.05)) == "+5.00%"
    assert render_message("{{ value }}", view(value=301_000.0, value_text="age(oi)", value_is_ratio=False)) == "5m"
    assert render_message("{{ symbol }}", view(symbol="*")) == "Market"


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("OI {{ valeu }}", (6, "E402", 5, 'unknown variable "valeu"')),
        ("OI {{ value | precent }}", (14, "E402", 7, 'unknown filter "precent"')),
        ("{{ value", (3, "E401", 5, "the template ends too early")),
        ("{% if value > 5 %}a", (18, "E401", 1, "the template ends too early")),
        ("{# a", (2, "E401", 1, "the comment is not closed")),
        ("{{ value value }}", (9, "E401", 5, "this does not belong between the braces")),
        ("{% include 'x' %}", (3, "E403", 7, "another file cannot stand in a message template")),
        ("{% for x in members %}{{ x }}{% endfor %}", (3, "E403", 3, "a loop cannot stand in a message template")),
        ("{% set x = 5 %}", (3, "E403", 3, "an assignment cannot stand in a message template")),
        ("{% macro m() %}{% endmacro %}", (3, "E403", 5, "a macro cannot stand in a message template")),
        ("{{ symbol.__class__ }}", (9, "E403", 1, "an attribute cannot stand in a message template")),
        ("{{ symbol['x'] }}", (9, "E403", 1, "an index cannot stand in a message template")),
        ("{{ range(9) }}", (8, "E403", 1, "a call cannot stand in a message template")),
        ("{{ 9 ** 9 }}", (3, "E403", 1, "arithmetic cannot stand in a message template")),
        ("{{ 'a' ~ 'b' }}", (3, "E403", 3, '"~" cannot stand in a message template')),
        ("{{ value is defined }}", (9, "E403", 2, 'a test with "is" cannot stand in a message template')),
        ("{{ value > 'a' }}", (11, "E404", 3, "a number is not compared with a text")),
        ("{{ value in 5 }}", (12, "E404", 1, '"in" looks into a text or a list, and this is a number')),
        ("{{ (value > 5) == 1 }}", (18, "E404", 1, "a condition is not compared; join it with and, or, not")),
        ("{{ value | upper }}", (11, "E404", 5, 'the filter "upper" takes a text, and this is a number')),
        ("{{ value | percent(symbol) }}", (19, "E404", 6, 'the filter "percent" takes a literal number here')),
        ("{{ value | percent(1, 2) }}", (11, "E403", 7, 'the filter "percent" does not take these arguments')),
        ("{{ 'a' if value }}", (3, "E403", 3, 'an "if" between the braces needs an "else"')),
        ("{{ 'a' if value else 5 }}", (21, "E404", 1, "one side is a text, the other a number")),
        ("{{ 1e400 }}", (3, "E403", 5, "this is no value for a template")),
        ("{{ " + "(" * 50, (11, "E403", 1, "brackets are nested deeper than 10")),
        ("{{ " + "not " * 200 + "value }}", (123, "E403", 3, "an expression is nested deeper than 30")),
        ("{% if value %}" * 6 + "{% endif %}" * 6, (73, "E403", 2, '"if" is nested deeper than 5')),
        ("x" * 1_001, (0, "E403", 1, "the template has 1,001 characters; at most 1,000 are allowed")),
    ],
)
def test_what_is_refused(template, fault):
    assert faults(template) == [fault]
    with pytest.raises(ValueError, match="not checked"):
        render_message(template, FULL)


def test_all_mistakes_are_told_at_once_in_their_order():
    assert [code for _, code, _, _ in faults("{{ x }} {{ value | y }} {{ symbol.z }}")] == ["E402", "E402", "E403"]
    assert template_faults("{{ symbl }}")[0].hint == 'did you mean "symbol"?'


def test_what_comes_from_outside_cannot_paint_or_grow_the_message():
    hostile = view(symbol="A\u202eB\x1b[31m{{ 9 }}" + "x" * 5_000, title="t\n\n\nt")
    shown = render_message("{{ symbol }}|{{ title }}" * 20, hostile)
    assert utf16_length(shown) <= MAX_OUTPUT
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "{{ 9 }}" in shown
    assert render_message("{{ title }}", hostile) == "t t"


WORDS = st.lists(
    st.sampled_from(
        ["{{", "}}", "{%", "%}", "{#", "#}", "if", "elif", "else", "endif", "and", "or", "not", "in", "is", "(", ")", "[", "]",
         "{", "}", "|", "==", "<", ">=", "!=", "+", "-", "*", "**", "~", ".", ",", ":", "5", "0.05", "1e308", "'a'", '"', "true",
         "none", "for", "set", "raw", "endraw", "x", "\n", " ", "é", "\x00", "\u2028", *VARIABLES, *FILTERS]
    ),
    max_size=30,
).map(" ".join)  # fmt: skip
TEXTS = st.sampled_from(["symbol", "title", "reason", "'BTC'", "(value | percent)", "(oi | default('-'))"])
NUMBERS = st.sampled_from(["value", "oi_usd", "lasted", "0.05", "-3", "(price | abs)"])
OPS = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
TESTS = st.recursive(
    st.one_of(
        st.builds("{} {} {}".format, NUMBERS, OPS, NUMBERS),
        st.builds("{} {} {}".format, TEXTS, OPS, TEXTS),
        st.builds("{} in [{}, {}]".format, TEXTS, TEXTS, TEXTS),
        st.builds("{} not in {}".format, TEXTS, TEXTS),
        NUMBERS,
        TEXTS,
    ),
    lambda part: st.one_of(
        st.builds("not ({})".format, part),
        st.builds("({}) and ({})".format, part, part),
        st.builds("({}) or ({})".format, part, part),
    ),
    max_leaves=4,
)
SOUND = st.recursive(
    st.one_of(
        TEXTS.map("{{{{ {} }}}}".format),
        NUMBERS.map("{{{{ {} }}}}".format),
        TESTS.map("{{{{ {} }}}}".format),
        st.builds("{{{{ {} if {} else {} }}}}".format, TEXTS, TESTS, TEXTS),
        st.just("text\n"),
    ),
    lambda part: st.builds("{{% if {} %}}{}{{% else %}}{}{{% endif %}}".format, TESTS, part, part),
    max_leaves=3,
)


@given(st.one_of(st.text(max_size=200), WORDS))
@example("{{ x }" * 160)
@example("{{" + "-" * 990 + "1}}")
@example("{{" + "[" * 9 + "]" * 9 + "}}")
@example("{{ '" + "\\" * 900)
@example("{{ symbol" + "|upper" * 160 + " }}")
@example("{% if value %}" + "{% elif value %}" * 50 + "{% endif %}")
@example("{{ value" + " or value" * 100 + " }}")
@example("\ud800{{ '\ud800' }}")
def test_any_text_is_refused_inside_itself_or_renders(template):
    found = template_faults(template)
    assert list(found) == sorted(found, key=lambda fault: (fault.start, fault.code))
    for fault in found:
        assert 0 <= fault.start <= len(template)
        assert fault.length >= 1
        assert len(fault.message) < 200
    if not found:
        for shown in (FULL, BARE):
            assert utf16_length(render_message(template, shown)) <= MAX_OUTPUT


@given(SOUND)
def test_every_template_of_the_allowed_form_is_sound_and_renders(template):
    if len(template) > MAX_LENGTH:
        return
    assert template_faults(template) == ()
    for shown in (FULL, BARE):
        assert isinstance(render_message(template, shown), str)
