"""The long run tells growth from noise."""

import pytest

from tests.soak.memory import Look, problems, slope_mb


def looks(rss, *, files=lambda n: 30, threads=lambda n: 5):
    return [Look(float(n), rss(n), files(n), threads(n), 50, n, n) for n in range(1, 73)]


def test_a_flat_run_is_well():
    assert problems(looks(lambda n: 100 + min(n, 24) * 3 + n % 2)) == []


def test_growth_after_windows_are_full_is_told():
    found = looks(lambda n: 100 + n * 0.1)
    slope, error = slope_mb(found)
    assert 2.39 < slope < 2.41
    assert error < 1e-6
    assert [text.split(":")[0] for text in problems(found)] == [
        "memory grows by 2.40 ± 0.00 MB a day, expected at most 1.0"
    ]


def test_a_slope_says_how_sure_it_is():
    slope, error = slope_mb(looks(lambda n: 100 + n % 2))
    assert abs(slope) < error < 0.5


@pytest.mark.parametrize(("per_day", "n"), [(0.9, 0), (1.1, 0), (1.6, 1), (3.0, 1)])
def test_growth_is_told_where_it_is_surely_too_much(per_day, n):
    assert len(problems(looks(lambda hour: 100 + hour * per_day / 24 + hour % 2))) == n


def test_too_much_and_too_many_are_told():
    found = looks(lambda n: 221.0, files=lambda n: 30 + n, threads=lambda n: 5 + n // 40)
    assert [text.split(":")[0] for text in problems(found)] == ["memory", "open files", "threads"]


def test_a_short_run_has_no_slope():
    assert slope_mb(looks(lambda n: 100.0)[:26]) is None


def test_what_one_look_sees_for_a_moment_is_no_growth():
    assert (
        problems(looks(lambda n: 100.0, files=lambda n: 30 + 9 * (n == 72), threads=lambda n: 5 + (n % 9 == 0))) == []
    )


def test_what_came_to_stay_is_growth():
    assert problems(looks(lambda n: 100.0, threads=lambda n: 5 + (n > 60))) == [
        "threads: mostly 5 after a third, 6 at the end"
    ]
