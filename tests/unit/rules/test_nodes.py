"""Files become nodes with true places; what is hostile or broken is refused at its place, fast, and never raises."""

import pytest

from bot.rules.check import Fault
from bot.rules.nodes import MAX_BYTES, Mapping, Scalar, Sequence, read_nodes


def refusal(content):
    _, root, problems = read_nodes("f.yaml", content if isinstance(content, bytes) else content.encode())
    assert root is None
    (problem,) = problems
    return problem


def found(content):
    source, root, problems = read_nodes("f.yaml", content.encode())
    assert problems == []
    return source, root


def test_scalars_stay_text_and_know_their_place():
    source, root = found("a: no\nb: [010, '12:30', ~]\n")
    assert isinstance(root, Mapping)
    values = root.get("b")
    assert isinstance(values, Sequence)
    assert root.get("a").text == "no"
    assert [item.text for item in values.items] == ["010", "12:30", "~"]
    assert [source.text[item.start : item.end] for item in values.items] == ["010", "'12:30'", "~"]
    assert root.get("c") is None


WORD = "target"


@pytest.mark.parametrize(
    "content",
    [
        "k: one target two\n",
        "k: 'it''s target two'\n",
        'k: "a \\"b\\" target"\n',
        'k: "a\\x41\\u00e9 target"\n',
        'k: "a \\\n   target"\n',
        'k: "a \\t \\n target"\n',
        "k: >-\n  one\n  two\n\n  target three\n",
        "k: |  # a comment\n    one\n    target\n",
        "k: one\n   two\n   target\n",
        "k: 'one\n\n   target'\n",
        "k:   # comment\n   >\n   one\n   target\n",
    ],
)
def test_a_fault_inside_a_text_stands_at_its_true_place(content):
    source, root = found(content)
    scalar = root.get("k")
    assert isinstance(scalar, Scalar)
    fault = Fault(scalar.text.index(WORD), "E204", len(WORD), "m", "h")
    problem = source.in_expression(scalar, fault)
    start = content.index(WORD)
    line = content.count("\n", 0, start)
    assert (problem.line, problem.column) == (line + 1, start - (content.rfind("\n", 0, start) + 1) + 1)
    assert problem.length == len(WORD)
    assert problem.source_line == content.split("\n")[line].rstrip()


def test_a_fault_at_the_end_of_a_text_stands_behind_it():
    source, root = found("k: 'oi >'\n")
    problem = source.in_expression(root.get("k"), Fault(4, "E201", 1, "m"))
    assert (problem.line, problem.column) == (1, 9)


@pytest.mark.parametrize(
    ("content", "code", "line", "column"),
    [
        ("rules:\n\t- id: a\n", "E101", 2, 1),
        ("rules: [\n", "E101", 2, 1),
        ("rules: 'abc\n", "E101", 2, 1),
        ("a: b: c\n", "E101", 1, 5),
        ("a: *x\n", "E101", 1, 4),
        ("a: &a [*a]\n", "E101", 1, 8),
        ("a: 1\n---\nb: 2\n", "E101", 2, 1),
        ("%YAML 2.9\n---\na: 1\n", "E101", 1, 1),
        ('a: "\\UFFFFFFFF"\n', "E101", 1, 1),
        ("a: !!python/object:os.system x\n", "E107", 1, 4),
        ("a: !foo [1]\n", "E107", 1, 4),
        ("a:\n  b\x00: 1\n", "E109", 2, 4),
        ("a: \x1b[31m\n", "E109", 1, 4),
        (b"a: ok\nb: \xff\xfe\n", "E109", 2, 4),
        ("a: ö\n".encode("utf-16"), "E109", 1, 1),
        ("[" * 200_000, "E108", 1, 21),
        ("{" * 200_000, "E107", 1, 2),
        ("- " * 100_000, "E108", 1, 41),
        ("x: " + "y" * MAX_BYTES, "E108", 1, 1),
        ("- 1\n" * 30_000, "E108", 20_000, 3),
        ("- &a x\n" + "- *a\n" * 101, "E108", 102, 3),
    ],
)
def test_what_is_broken_or_hostile_is_refused_at_its_place(content, code, line, column):
    _, root, problems = read_nodes("f.yaml", content if isinstance(content, bytes) else content.encode())
    assert root is None
    first = min(problems)
    assert (first.code, first.line, first.column) == (code, line, column)


def test_hints_say_how_to_mend_the_usual_slips():
    assert refusal("rules:\n\t- id: a\n").hint == "indent with spaces, not with tabs"
    assert refusal("when: > 5%\n").hint == "a text that begins with > or | needs quotes"
    assert refusal("symbols: [*USDT]\n").hint == "a text that begins with * needs quotes"
    assert refusal("a: b: c\n").hint == "check the indentation, or quote the text"
    assert refusal("a: %x\n").hint == "put the text in quotes"
    assert refusal("ä: 1\n".encode("utf-16")).hint == "save the file as UTF-8 (it looks like UTF-16)"


def test_syntax_errors_speak_of_the_file_and_not_of_the_parser():
    assert refusal("rules:\n- id: a\n  x: y\n z: 1\n").message.endswith(
        "does not fit the indentation of the lines above"
    )
    assert refusal("a: [b\nc: d\n").message.endswith('the list that began with "[" is not closed')
    assert refusal("a: {b: c\n").message.endswith('the mapping that began with "{" is not closed')
    assert refusal("a: 'b\n").message.endswith("a quote is not closed")
    assert refusal('a: "\\q"\n').message.endswith("found unknown escape character 'q'")


def test_an_alias_bomb_stays_small():
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for name, before in zip("bcdefghij", "abcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join(['*' + before] * 9)}]")
    _, root, problems = read_nodes("f.yaml", "\n".join(lines).encode())
    assert problems == []
    assert len(root.entries) == 10


def test_aliases_stand_for_their_anchor():
    _, root = found("a: &x one\nb: *x\nc: &y [1]\nd: *y\n*x : 3\n")
    assert root.get("b").text == "one"
    assert root.get("d") is root.get("c")
    assert root.entries[-1][0].text == "one"


def test_duplicate_keys_are_told_and_the_first_is_kept():
    _, root, problems = read_nodes("f.yaml", b"a: 1\nb: 2\na: 3\n")
    assert [(p.code, p.line, p.column, p.message) for p in problems] == [
        ("E103", 3, 1, 'the key "a" is given twice; first in line 1')
    ]
    assert root.get("a").text == "1"
    assert [key.text for key, _ in root.entries] == ["a", "b"]


def test_byte_order_marks_and_foreign_line_ends_do_no_harm():
    source, root = found("\ufeffa: 1\r\nb: 2\r\n")
    assert [key.text for key, _ in root.entries] == ["a", "b"]
    assert source.at(root.entries[1][0], "E102", "m").line == 2
    assert source.at(root.entries[1][0], "E102", "m").source_line == "b: 2"


def test_an_empty_file_has_no_root():
    for content in ("", "# only a comment\n", "\n\n", "\ufeff"):
        assert found(content)[1] is None
