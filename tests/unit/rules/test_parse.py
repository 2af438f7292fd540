"""Expressions are read with the right precedence, and slips are told at their place with what was meant."""

import pytest

from bot.rules.ast import And, BinaryOp, Call, Compare, Neg, Not, Number, Or, Series
from bot.rules.parse import MAX_LENGTH, MAX_NODES, parse_condition, parse_value

PRICE, OI = Series("price"), Series("oi")


def faults(source, **options):
    return [(fault.start, fault.code, fault.message, fault.hint) for fault in parse_condition(source, **options).faults]


def test_precedence_is_that_of_arithmetic_then_comparison_then_not_and_or():
    parsed = parse_condition("not price > 1 + 2 * oi and oi > 1 or stale(oi)").expr
    assert parsed == Or(
        (
            And(
                (
                    Not(Compare(">", PRICE, BinaryOp("+", Number(1), BinaryOp("*", Number(2), OI)))),
                    Compare(">", OI, Number(1)),
                )
            ),
            Call("stale", (OI,)),
        )
    )


def test_equal_operators_group_from_the_left():
    parsed = parse_value("price - oi - 1").expr
    assert parsed == BinaryOp("-", BinaryOp("-", PRICE, OI), Number(1))


def test_a_minus_before_a_number_is_part_of_it():
    assert parse_value("-price * -5%").expr == BinaryOp("*", Neg(PRICE), Number(-0.05, "%"))


def test_spans_point_at_the_text():
    source = "oi > 1 and  pct(price, 15m) >= 5%"
    parsed = parse_condition(source).expr
    second = parsed.items[1]
    assert source[second.span.start : second.span.end] == "pct(price, 15m) >= 5%"
    assert source[second.left.span.start : second.left.span.end] == "pct(price, 15m)"


@pytest.mark.parametrize(
    ("source", "start", "word", "hint"),
    [
        ("pct(oi, 15m => 5%", 12, "=", 'write ">=" instead of "=>"'),
        ("oi =< 5", 3, "=", 'write "<=" instead of "=<"'),
        ("oi <> 5", 4, ">", 'write "!=" instead of "<>"'),
        ("oi = 5", 3, "=", 'write "==", or ">=" or "<="'),
        ("oi ≥ 5", 3, "≥", 'write ">="'),
        ("oi > 5 && oi < 9", 7, "&", 'write "and"'),
        ("oi > 5 || oi < 9", 7, "|", 'write "or"'),
        ("! oi > 5", 0, "!", 'write "not"'),
        ("oi > 5 AND oi < 9", 7, "AND", 'write "and"'),
        ("pct(oi, 15 min) > 5%", 11, "min", "write the number and its unit together, such as 15m"),
        ("pct(oi, 15m) > 5 %", 17, "%", "write the number and % without a space, such as 5%"),
        ("pct('oi', 15m) > 5%", 4, "'", "names are written without quotes"),
        ("1 < oi < 5", 7, "<", 'compare two sides at a time and join with "and": 1% < x and x < 5%'),
        ("oi > −5", 5, "−", 'write "-"'),
        ("oi.__class__ > 5", 2, ".", ""),
        ("oi[0] > 5", 2, "[", 'write "("'),
    ],
)
def test_the_usual_slips_are_told_with_what_was_meant(source, start, word, hint):
    ((found_start, code, message, found_hint),) = faults(source)
    assert (found_start, code, found_hint) == (start, "E201", hint)
    assert message.startswith(f'unexpected "{word}"; expected ')


def test_what_is_expected_is_said_in_words():
    assert faults("pct(oi, 15m => 5%")[0][2] == (
        'unexpected "="; expected ")" or "," or "and" or "or" or a comparison (> < >= <=)'
    )
    assert faults("oi > ")[0][:3] == (
        4,
        "E201",
        "the expression ends too early; expected a number, a series or a function",
    )
    assert faults("  ")[0][:3] == (0, "E201", "the expression is empty; expected a number, a series or a function")
    assert faults("oi > 5)")[0][2:] == ('unexpected ")"; expected the end', 'there is one ")" too many')
    assert faults("(oi > 5")[0][2] == 'the expression ends too early; expected ")"'


def test_a_wrong_unit_is_told_once():
    assert faults("pct(oi, 15min) > 5%") == [
        (8, "E202", '"15min" is not a number; write one such as 5%, 15m, 2.5k or 20_000_000', "write 15m")
    ]


def test_all_faults_are_told_at_once():
    assert [fault[:2] for fault in faults("ptc(oi, 15m) < -5% and pct(pirce, 15m) < 5x")] == [
        (0, "E203"),
        (27, "E204"),
        (41, "E202"),
    ]


def test_an_expression_with_a_warning_is_still_one():
    parsed = parse_condition("pct(oi, 15m) > 5")
    assert parsed.expr is not None
    assert [fault.code for fault in parsed.faults] == ["W301"]


@pytest.mark.parametrize(
    "source",
    [
        "(" * 51 + "oi" + ")" * 51 + " > 1",
        "oi > " + "9" * MAX_LENGTH,
        "not " * (MAX_NODES + 1) + "stale(oi)",
        "-" * (MAX_LENGTH - 10) + "oi > 1",
        "oi > 1" + " + oi" * MAX_NODES,
    ],
)
def test_what_is_too_large_is_refused(source):
    parsed = parse_condition(source)
    assert parsed.expr is None
    assert [fault.code for fault in parsed.faults] == ["E211"]


def test_all_blanks_of_unicode_are_blanks():
    assert parse_condition("oi\u00a0>\u30005\u2028\x0b\n").expr == Compare(">", OI, Number(5))


def test_fifty_parentheses_are_allowed():
    assert parse_condition("(" * 50 + "oi" + ")" * 50 + " > 1").expr == Compare(">", OI, Number(1))
