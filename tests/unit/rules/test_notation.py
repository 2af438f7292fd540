"""Series of rule tests are read as they are written, and what cannot be read is told at its place."""

import math

import numpy as np
import pytest

from bot.rules.notation import MAX_LENGTH, MAX_STEPS, MAX_WORDS, read_series

NAN = math.nan


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("100", [100]),
        ("100x3", [100, 100, 100, 100]),
        ("100x0", [100]),
        ("100+0.6x3", [100, 100.6, 101.2, 101.8]),
        ("100-50x3", [100, 50, 0, -50]),
        ("-1+1x2", [-1, 0, 1]),
        ("_", [NAN]),
        ("_x3", [NAN, NAN, NAN]),
        ("_x0 5", [5]),
        ("1 2x1  3,4", [1, 2, 2, 3, 4]),
        ("1\n2", [1, 2]),
        ("2.5k 20M 1B 1e3", [2_500, 20_000_000, 1e9, 1_000]),
        ("0.01%x1 -0.03%", [0.0001, 0.0001, -0.0003]),
        ("1%+0.5%x2", [0.01, 0.015, 0.02]),
        ("100_000+6_00x1", [100_000, 100_600]),
        (".5", [0.5]),
    ],
)
def test_words_become_values(text, values):
    read = read_series(text)
    assert read.faults == ()
    np.testing.assert_array_equal(read.values, values)


def test_steps_are_added_in_decimals():
    assert read_series("100+0.6x9").values[-1] == 105.4


@pytest.mark.parametrize(
    ("text", "places", "message"),
    [
        ("100x20 10O+1x3", [(7, 7)], '"10O+1x3" is no part of a series'),
        ("100*20", [(0, 6)], "is no part of a series"),
        ("1 NaN 2 null", [(2, 3), (8, 4)], "is no part of a series"),
        ("100+5", [(0, 5)], "does not say how many steps"),
        ("", [(0, 1)], "there are no values"),
        ("  ", [(0, 1)], "there are no values"),
        ("1 1e99", [(2, 4)], "is no number between"),
        (f"1x5 2x{MAX_STEPS}", [(4, 7)], "longer than 20,160 steps"),
        ("1x999999999", [(0, 11)], "longer than"),
        ("1x9999999999", [(0, 12)], "is no part of a series"),
        ("+", [(0, 1)], "is no part of a series"),
        ("١", [(0, 1)], "is no part of a series"),
    ],
)
def test_what_cannot_be_read_is_told_at_its_place(text, places, message):
    read = read_series(text)
    assert [(fault.start, fault.length) for fault in read.faults] == places
    assert all(fault.code == "E501" for fault in read.faults)
    assert message in read.faults[0].message
    assert len(read.values) == 0


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("100*20", "write 100x20"),
        ("100X20", "write 100x20"),
        ("100×20", "write 100x20"),
        ("nan", "write _"),
        ("null", "write _"),
        ("100+5", "write 100+5x10 for ten more"),
        ("fast", "write a value (100), a value and how often more (100x20), steps (100+0.6x10), or _ for none"),
    ],
)
def test_what_was_probably_meant_is_named(typed, hint):
    assert [fault.hint for fault in read_series(typed).faults] == [hint]


def test_the_longest_series_is_read():
    assert len(read_series(f"1x{MAX_STEPS - 1}").values) == MAX_STEPS


@pytest.mark.parametrize("text", ["1" * (MAX_LENGTH + 1), "1 " * (MAX_WORDS + 1)])
def test_a_flood_is_refused_before_it_is_read(text):
    (fault,) = read_series(text).faults
    assert "a series has at most" in fault.message
