"""`oibot test` shows what was expected and found, ends with the code that scripts rely on, and writes what build servers read."""

import io
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from bot import settings
from bot.cli.main import app_of
from bot.cli.rule_test_view import View, strip_lines
from bot.cli.rule_tests import mark, run_all
from bot.errors import BotError, ConfigError
from bot.history.rule_test_run import Strip
from bot.rules.rule_test_reader import load_rule_tests

RULES = """\
rules:
  - {id: surge, name: OI surge, when: 'pct(oi, 15m) >= 5%', clear: 'pct(oi, 15m) < 2.5%', for: 1m, cooldown: 30m}
  - {id: bare, when: price > 1M}
"""
HEAD = "rule_files: [../mine.yaml]\ntests:\n"
PASSES = """\
  - name: surge fires
    series: {BTCUSDT: {oi: 100x20 106x19, price: 50x40}}
    expect: [{at: 22m, rule: surge, state: firing, value: 6.00%}]
    expect_messages: [{at: 22m}]
"""
FAILS = """\
  - name: surge & <more> fires too early
    series: {BTCUSDT: {oi: 100x20 100+1x6 106x19, price: 50x40}}
    expect: [{at: 22m, rule: surge, state: firing}]
    expect_messages: [{at: 22m, text: "]]>"}]
"""
WRONG = "  - {name: wrong, series: {A: {oi: 100*20}}, expect_messages: 0}\n"
FAILURE = """\
rules/tests/a.yaml
  ✗ surge & <more> fires too early
    rules/tests/a.yaml:5 at 22m  surge BTCUSDT
      expected  firing
      found     inactive, value +1.00%
      BTCUSDT oi: 100 to 106, 2m to 27m
      ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▂▃▅▆▇█
           ├──── 15m ─────┤
      when
        ✗ pct(oi, 15m) >= 5%
            +1.00%, 4.00 points to go (80%)
            00:07:00 to 00:22:00
            then: oi 100, sample of 00:07:00, fresh
            now: oi 101, sample of 00:22:00, fresh
      next  fires when pct(oi, 15m) >= 5% has held for 1m
    rules/tests/a.yaml:6 at 22m  messages
      expected  22m fire: "]]>"
      found     27m fire: 🟠 BTCUSDT · OI surge  00:27 UTC
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("rules/tests").mkdir(parents=True)
    Path("rules/mine.yaml").write_text(RULES)

    def run(tests, *words):
        if tests is not None:
            Path("rules/tests/a.yaml").write_text(HEAD + tests)
        result = CliRunner().invoke(app_of(), ["test", *words])
        if isinstance(result.exception, BotError):
            raise result.exception
        return result

    return run


def test_the_tests_beside_the_rules_are_run_and_rules_without_one_are_named(run):
    result = run(PASSES)
    assert result.exit_code == 0
    text = re.sub(r"in [0-9.]+ s", "in 0.1 s", result.stdout)
    assert text == "rules/tests/a.yaml\n  ✓ surge fires\n\n1 passed in 0.1 s\nrules without a test: bare\n"


def test_who_picks_out_some_tests_hears_nothing_about_other_rules(run):
    assert "without a test" not in run(PASSES, "rules/tests/a.yaml").stdout
    assert "without a test" not in run(PASSES, "-k", "surge").stdout


def test_a_failure_shows_what_was_expected_and_found_and_the_series_around_the_moment(run):
    result = run(FAILS)
    assert result.exit_code == 1
    assert result.stdout.startswith(FAILURE)
    assert "                OI +6.00% in 15m" in result.stdout, "the whole message, where a part of it is missed"
    assert "\n0 passed, 1 failed in " in result.stdout
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize(
    ("tests", "words", "code", "ends"),
    [
        (PASSES + FAILS, ("rules/tests/a.yaml",), 1, "1 passed, 1 failed in"),
        (PASSES + FAILS, ("-k", "SURGE FIRES"), 0, "1 passed in"),
        (PASSES, ("-k", "none of them"), 1, "no test was run"),
        (PASSES + WRONG, (), 1, "1 passed, 1 error in the files in"),
        (WRONG, (), 1, "0 passed, 1 error in the files in"),
    ],
)
def test_the_exit_code_tells_whether_all_is_well(run, tests, words, code, ends):
    result = run(tests, *words)
    assert result.exit_code == code
    assert ends in result.stdout


def test_a_mistake_in_a_file_is_shown_with_its_place_and_a_caret(run):
    assert run(WRONG).stdout.startswith(
        """\
rules/tests/a.yaml:3:36: error[E501]: "100*20" is no part of a series
  |
3 |   - {name: wrong, series: {A: {oi: 100*20}}, expect_messages: 0}
  |                                    ^^^^^^ write 100x20
"""
    )


def test_what_passes_is_shown_where_somebody_asks(run):
    text = run(PASSES, "-v").stdout
    assert "\n      22m surge BTCUSDT  firing, value +6.00%\n" in text
    assert "\n      21m surge BTCUSDT: pending" in text
    assert "\n      22m fire: 🟠 BTCUSDT · OI surge  00:22 UTC\n" in text


def test_without_any_test_it_says_what_to_read(run):
    with pytest.raises(ConfigError, match=r"no such file or folder: nowhere; docs/rule-tests.md"):
        run(None, "nowhere")


# -- JUnit -------------------------------------------------------------------------------------------------------------


def test_build_servers_get_tests_failures_and_errors_in_files(run):
    other = "  - {name: c, series: {A: {oi: 1}}, expect_messages: 0}\n"
    Path("rules/tests/c.yaml").write_text(HEAD + other)
    result = run(PASSES + FAILS + WRONG, "--junit", "out.xml")
    assert result.exit_code == 1
    root = ET.fromstring(Path("out.xml").read_text(encoding="utf-8"))
    assert (root.tag, root.get("tests"), root.get("failures"), root.get("errors")) == ("testsuites", "4", "1", "1")
    assert [(suite.get("name"), suite.get("tests"), suite.get("failures"), suite.get("errors")) for suite in root] == [
        ("rules/tests/a.yaml", "2", "1", "0"),
        ("rules/tests/c.yaml", "1", "0", "0"),
        ("rules/tests/a.yaml", "1", "0", "1"),
    ]
    sound, failed, wrong = root[0][0], root[0][1], root[2][0]
    assert (sound.get("name"), sound.get("classname"), sound.get("line"), len(sound)) == (
        "surge fires",
        "rules/tests/a.yaml",
        "3",
        0,
    )
    assert [case.get("name") for case in failed.iter("testcase")] == ["surge & <more> fires too early"]
    (failure,) = failed
    assert failure.get("message") == "at 22m surge BTCUSDT: expected firing, found inactive, value +1.00% (and 1 more)"
    assert "BTCUSDT oi: 100 to 106, 2m to 27m\n" in failure.text
    assert 'expected  22m fire: "]]>"' in failure.text
    (error,) = wrong
    assert (error.tag, error.get("type"), wrong.get("name")) == ("error", "E501", "E501 in line 11")
    assert "^^^^^^ write 100x20" in error.text
    assert all(float(element.get("time")) >= 0 for element in root.iter() if element.get("time"))


def test_a_report_that_cannot_be_written_is_told(run):
    with pytest.raises(ConfigError, match=r"--junit: cannot write no/such/out.xml"):
        run(PASSES, "--junit", "no/such/out.xml")


# -- terminals ---------------------------------------------------------------------------------------------------------


def shown(width):
    """As a terminal gets it."""
    screen = io.StringIO()
    console = Console(
        width=width, highlight=False, soft_wrap=True, file=screen, force_terminal=True, color_system="standard"
    )
    run_all(load_rule_tests([Path("rules/tests")]).files, "", View(console, verbose=False).show)
    return screen.getvalue()


@pytest.mark.parametrize(("width", "longest"), [(30, 24), (200, 72), (5, 16)])
def test_a_narrow_terminal_gets_narrower_series(run, width, longest):
    series = "{BTCUSDT: {oi: 100x200 101x100}}"
    run(f"  - {{name: long, series: {series}, expect: [{{at: 150m, rule: slow, state: firing}}]}}\n")
    Path("rules/mine.yaml").write_text("rules: [{id: slow, when: 'pct(oi, 2h) > 5%'}]")
    run(None)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown(width)).splitlines()
    head = next(n for n, line in enumerate(lines) if "BTCUSDT oi: 100, 25m to 155m" in line)
    assert longest // 2 < len(lines[head + 1].strip()) <= longest
    assert lines[head + 2].endswith("┤")
    assert len(lines[head + 2].strip()) <= longest


def test_colours_come_only_where_they_are_wanted(run, monkeypatch):
    run(FAILS)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[32mfiring" in shown(80)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", shown(80))


def test_a_file_cannot_paint_the_terminal(run):
    result = run(PASSES.replace("surge fires", '"a\\e[31m[red]b"'))
    assert "✓ a�[31m[red]b" in result.stdout


NAN = float("nan")


@pytest.mark.parametrize(
    ("values", "at", "window", "lines"),
    [
        ([1, 2, 3], 2, 2, ("A oi: 1 to 3, 0m to 2m", "▁▅█", "├─┤")),
        ([100_000, 100_250, 100_500], 2, 0, ("A oi: 100.0k to 100.5k, 0m to 2m", "▁▅█", "  ▲")),
        ([1, 1, 1], 1, 0, ("A oi: 1, 0m to 2m", "▄▄▄", " ▲")),
        ([NAN] * 3, 1, 1, ("A oi: no value, 0m to 2m", "···", "├┤")),
        ([NAN, 5, 6], 0, 9, ("A oi: 5 to 6, 0m to 2m", "·▁█", "▲")),
        ([*range(16)], 15, 15, ("A oi: 0 to 15, 0m to 15m", "▁▁▃▅▇█", "├────┤")),
        ([*range(16)], 13, 6, ("A oi: 0 to 15, 0m to 15m", "▁▂▃▆▇█", "   ├┤")),
        ([1] * 9 + [9] + [1] * 6, 15, 0, ("A oi: 1 to 9, 0m to 15m", "▁▁▁█▁▁", "     ▲")),
    ],
)
def test_series_are_drawn_with_their_window_and_no_spike_is_lost(values, at, window, lines):
    strip = Strip("A", "oi", 0, np.array(values, dtype=np.float64), at, 60_000, window)
    assert strip_lines(strip, 8) == lines


# -- watching ----------------------------------------------------------------------------------------------------------


def test_a_change_of_any_file_is_noticed(run):
    run(PASSES)
    paths = load_rule_tests([Path("rules/tests")]).read
    before = mark(paths)
    assert mark(paths) == before
    Path("rules/mine.yaml").write_text(RULES + "\n")
    changed = mark(paths)
    assert changed != before
    Path("rules/tests/b.yaml").write_text(HEAD)
    assert mark(paths) != changed
    Path("rules/mine.yaml").unlink()
    assert len({before, changed, mark(paths)}) == 3


def test_it_is_a_command_of_the_bot():
    assert (settings.shipped_rules() / "tests").is_dir()
    assert " test " in CliRunner().invoke(app_of(), ["--help"]).output
