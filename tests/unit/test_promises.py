"""The README's table of promises is what the tests and docs/promises.yaml give, and each row names a test."""

import pytest

from tests import promises
from tests.promises import Promise, Promises, marked, problems, put_in, table

ROWS = Promises((Promise("P1", "Nothing is lost.", "killed often"), Promise("P2", "It flies.", None)), ("magic",))
FILES = {"P1": ["tests/acceptance/test_kill.py", "tests/unit/a/test_b.py"]}


def test_the_readme_is_up_to_date():
    found = promises.read()
    tests = promises.proofs()
    assert problems(found, tests) == []
    now = promises.README.read_text(encoding="utf-8")
    assert now == put_in(now, table(found, tests)), "run `make promises`"


def test_every_promise_is_there_once_and_in_order():
    assert [row.id for row in promises.read().rows] == [f"P{n}" for n in range(1, 20)]


def test_every_proven_promise_but_those_of_pure_code_has_a_test_of_the_real_process():
    tests = promises.proofs()
    proven = [row.id for row in promises.read().rows if row.proof is not None]
    assert [p for p in proven if not any(f.startswith("tests/acceptance/") for f in tests[p])] == []


@pytest.mark.parametrize(
    "source",
    [
        '@pytest.mark.promise("P1")\ndef test(): ...',
        'pytestmark = [pytest.mark.acceptance, pytest.mark.promise("P1")]',
        'pytestmark = pytest.mark.promise("P1")',
        'x = pytest.param(1, marks=pytest.mark.promise("P1"))',
    ],
)
def test_marks_are_found_wherever_they_stand(source):
    assert marked(source) == {"P1"}


def test_other_marks_are_none():
    assert marked('@pytest.mark.acceptance\n@pytest.mark.parametrize("a", [1])\ndef promise(): ...') == set()


def test_a_row_names_its_tests_and_what_is_not_proven_has_none():
    text = table(ROWS, FILES)
    assert "| P1 | Nothing is lost. | killed often | [kill](tests/acceptance/test_kill.py) |" in text
    assert "| P2 |" not in text
    assert "Meant, and not proven yet: P2, It flies." in text
    assert text.endswith("- magic")


def test_a_proof_without_a_test_and_a_mark_without_a_promise_are_problems():
    assert problems(ROWS, FILES) == []
    assert problems(ROWS, {}) == ["docs/promises.yaml: P1 has a proof, and no test is marked with it"]
    assert "marked with P7" in problems(ROWS, {**FILES, "P7": ["tests/unit/test_a.py"]})[0]


def test_a_readme_without_the_place_is_refused():
    with pytest.raises(ValueError, match=r"README\.md: expected"):
        put_in("# oibot", "text")
