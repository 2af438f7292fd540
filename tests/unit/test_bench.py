"""The parts of the benchmarks that judge: goals, figures, the picture, and the reference that engines must equal."""

import math
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from tests.bench.harness import Context, Result, ratio, rounds
from tests.bench.reference import agrees
from tests.bench.report import figure, goal, picture, used


@pytest.mark.parametrize(
    ("value", "at_least", "met"), [(1.0, False, True), (1.1, False, False), (0.9, True, False), (1.0, True, True)]
)
def test_a_goal_is_a_ceiling_or_a_floor(value, at_least, met):
    result = Result("1", "x", value, 1.0, "J", at_least=at_least)
    assert result.met is met
    assert (used(result) <= 1) is met


def test_what_was_not_measured_is_neither_met_nor_missed():
    assert Result("1", "x", None, 1.0, "J").met is None
    assert used(Result("1", "x", None, 1.0, "J")) is None


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "–"), (0, "0 J"), (0.0012, "0.0012 J"), (2.2, "2.20 J"), (1234.5, "1,234 J")]
)
def test_figures_are_short(value, shown):
    assert figure(value, "J") == shown


def test_the_goal_says_its_direction():
    assert goal(Result("1", "x", 1.0, 2.2, "J")) == "≤ 2.2 J"
    assert goal(Result("1", "x", 1.0, 25, "x", at_least=True)) == "≥ 25 x"


def test_the_picture_is_svg_with_one_bar_per_judged_line():
    results = [
        Result("1", "a <b> & c", 0.5, 1.0, "J"),
        Result("2", "over", 9.0, 1.0, "J"),
        Result("3", "nothing", None, 1.0, "J"),
    ]
    root = ET.fromstring(picture(results))
    bars = [e for e in root.iter() if e.tag.endswith("rect") and e.get("class") in {"met", "over"}]
    assert [b.get("class") for b in bars] == ["met", "over"]
    assert float(bars[1].get("width")) == pytest.approx(300)


def test_rounds_time_every_candidate_once_a_round_and_leave_out_the_warm_up():
    calls = []
    context = Context(3, is_quick=False, rows=frozenset())
    times = rounds(context, lambda k: {"a": lambda: calls.append(("a", k)), "b": lambda: calls.append(("b", k))})
    assert calls == [(name, k) for k in range(5) for name in "ab"]
    assert {name: len(spent) for name, spent in times.items()} == {"a": 3, "b": 3}


def test_a_ratio_is_the_median_of_the_rounds_own_ratios():
    assert ratio([1.0, 10.0, 3.0], [1.0, 2.0, 1.0]) == 3.0


def test_values_that_are_off_or_unknown_elsewhere_do_not_agree():
    want = np.array([1.0, math.nan, -2.0])
    assert agrees("avg", want * (1 + 1e-9), want)
    assert not agrees("avg", want * (1 + 1e-5), want)
    assert not agrees("pct", want * (1 + 1e-12), want)
    assert not agrees("avg", np.array([1.0, 2.0, -2.0]), want)
