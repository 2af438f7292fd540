"""What must hold for any rule file, expression and template; used by the property tests and by the fuzzer."""

import sys
from collections.abc import Callable

from bot.delivery.template import MAX_OUTPUT, render_message, template_faults
from bot.delivery.text import utf16_length
from bot.model.view import AlertView
from bot.rules.loader import RuleSet, load_text
from bot.rules.parse import parse_condition, parse_value
from bot.rules.problems import render_all

CALLS_AT_MOST = 30_000
CALLS_PER_BYTE = 1_500
"""Function calls that reading may cost. Counted, because a clock says more about the machine than about the code."""

VIEW = AlertView(
    rule_id="a", title="t", symbol="BTCUSDT", venue="binance", base="BTC", severity="info", short_id="#1", kind="fire",
    at_ms=2_000, fired_ms=1_000, condition="oi > 1", value_text="oi", value=5.0, value_is_ratio=False,
)  # fmt: skip


def check_file(content: bytes) -> RuleSet:
    """Rules and problems, never an exception; every problem stands in the file and can be shown."""
    loaded = load_text("f.yaml", content, destinations={"main"})
    text = content.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    assert list(loaded.problems) == sorted(loaded.problems)
    for problem in loaded.problems:
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert problem.length >= 1
        assert len(problem.message) < 400
    for style in ("text", "json", "github"):
        render_all(loaded.problems, style=style)
    assert len({rule.id for rule in loaded.rules}) == len(loaded.rules)
    for rule in loaded.rules:
        if rule.message is not None:
            render_message(rule.message, VIEW)
    return loaded


def check_expression(source: str) -> None:
    """An expression or errors, each inside the text."""
    for per in ("symbol", "market"):
        for parsed in (parse_condition(source, per=per), parse_value(source, per=per)):
            assert (parsed.expr is None) == any(fault.is_error for fault in parsed.faults)
            for fault in parsed.faults:
                assert 0 <= fault.start <= len(source)
                assert fault.length >= 1


def check_template(template: str) -> None:
    """Faults inside the text, or a text of bounded length."""
    faults = template_faults(template)
    assert all(0 <= fault.start <= len(template) and fault.length >= 1 for fault in faults)
    if not faults:
        assert utf16_length(render_message(template, VIEW)) <= MAX_OUTPUT


def calls_of(work: Callable[[], object]) -> int:
    """How many functions a piece of work calls, those of libraries and of C included."""
    n_calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal n_calls
        n_calls += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return n_calls
