"""Bytes of a rule file -> a tree of nodes with places. Hostile files are refused before anything is built from them.

YAML 1.2, but only its syntax: scalars stay text, so `no`, `010` and `12:30` mean what is written, and the key decides
what a value is. The parser's events are counted while they come (depth, nodes, aliases); each event costs the same, so
the time is bounded by the size. No tags, no merge keys, one document.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from bot.rules.check import Fault
from bot.rules.limits import MAX_TOTAL_ALIASES, MAX_TOTAL_NODES, Budget
from bot.rules.problems import Problem

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 20
MAX_NODES: Final = 20_000
"""What fits into a readable file of the largest size; pure-Python YAML takes up to 0.1 ms for each."""
MAX_ALIASES: Final = 100


@dataclass(frozen=True, slots=True)
class Scalar:
    """One word or text. `start` and `end` are its place in the source, quotes included."""

    text: str
    start: int
    end: int
    style: str = ""
    """Empty for plain text, else the quote or block indicator."""


@dataclass(slots=True)
class Sequence:
    """A list."""

    start: int
    end: int
    items: "list[Node]" = field(default_factory=list)


@dataclass(slots=True)
class Mapping:
    """Keys and values in file order; keys are unique."""

    start: int
    end: int
    entries: "list[tuple[Scalar, Node]]" = field(default_factory=list)
    is_sound: bool = True
    """False where a key was told to be wrong and left out, such as a duplicate."""

    def get(self, key: str) -> "Node | None":
        return next((value for name, value in self.entries if name.text == key), None)


Node = Scalar | Sequence | Mapping


class Source:
    """The text of one file, and how to speak of places in it."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self._line, self._line_text = 0, ""
        self._line_starts = [0, *(i + 1 for i, char in enumerate(text) if char == "\n")]

    def problem(self, code: str, message: str, hint: str = "", *, start: int = 0, end: int | None = None) -> Problem:
        """A problem at the characters `start` to `end`; the mark stays on the line of `start`."""
        start = min(max(0, start), len(self.text))
        line = bisect_right(self._line_starts, start)
        first = self._line_starts[line - 1]
        last = self._line_starts[line] - 1 if line < len(self._line_starts) else len(self.text)
        length = max(1, min(end if end is not None else start + 1, last) - start)
        if line != self._line:
            # Many problems of one long line share its text.
            self._line, self._line_text = line, self.text[first:last].rstrip()
        source_line = self._line_text
        return Problem(self.file, line, start - first + 1, code, message, length, hint, source_line)

    def at(self, node: Node, code: str, message: str, hint: str = "") -> Problem:
        return self.problem(code, message, hint, start=node.start, end=node.end)

    def in_expression(self, scalar: Scalar, fault: Fault) -> Problem:
        """A fault inside a scalar, at its true place also in quoted and folded text."""
        places = _places(scalar, self.text)
        start = places[min(fault.start, len(places) - 1)]
        end = places[min(fault.start + fault.length - 1, len(places) - 1)] + 1
        return self.problem(fault.code, fault.message, fault.hint, start=start, end=end)


def _places(scalar: Scalar, source: str) -> list[int]:
    """For each character of the scalar's value, and one past it, where it stands in the source."""
    raw, value = scalar.start, scalar.text
    if scalar.style in {"|", ">"}:
        raw = source.find("\n", raw, scalar.end) + 1 or scalar.start
    elif scalar.style:
        raw += 1
    places: list[int] = []
    for char in value:
        if not char.isspace():
            while raw < scalar.end and (skipped := _blank_length(source, raw, scalar.style)):
                raw += skipped
        places.append(min(raw, scalar.end))
        if char.isspace():
            # Folded line ends stand for one space; the next word finds its own place.
            raw += raw < scalar.end and source[raw] in " \t"
        else:
            raw += _raw_length(source, raw, scalar.style)
    places.append(min(raw, scalar.end))
    return places


def _blank_length(source: str, raw: int, style: str) -> int:
    """Length of a blank at this place of the source, which may be an escape; 0 where there is none."""
    if style == '"' and source[raw] == "\\" and source[raw + 1 : raw + 2] in set("ntr \n\tNLP_fv"):
        return 2
    return int(source[raw].isspace())


_ESCAPED_DIGITS: Final = {"x": 2, "u": 4, "U": 8}


def _raw_length(source: str, raw: int, style: str) -> int:
    """How many characters of the source make one of the value."""
    if style == "'" and source.startswith("''", raw):
        return 2
    if style == '"' and source.startswith("\\", raw):
        return 2 + _ESCAPED_DIGITS.get(source[raw + 1 : raw + 2], 0)
    return 1


def read_nodes(file: str, content: bytes, budget: Budget | None = None) -> tuple[Source, Node | None, list[Problem]]:
    """The one document of a file; None for an empty one and for one that cannot be read (then with a problem).

    `budget` is what all files of a load may have together.
    """
    source, problem = _decode(file, content)
    if problem:
        return source, None, [problem]
    builder = _Builder(source, budget or Budget())
    root = None
    try:
        root = builder.build(_events(source.text))
    except _RefusedError as refused:
        builder.problems.append(refused.problem)
    except MarkedYAMLError as error:
        builder.problems.append(_syntax_problem(source, error))
    except Exception:  # noqa: BLE001, the YAML parser raises whatever it stumbles over, such as OverflowError
        builder.problems.append(source.problem("E101", "this is not YAML", start=builder.reached))
    return source, root, builder.problems


_NOT_TEXT: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]")


def _decode(file: str, content: bytes) -> tuple[Source, Problem | None]:
    """Text without byte-order mark, with bare newlines; or the place of the first byte that is no text."""
    if len(content) > MAX_BYTES:
        message = f"the file has {len(content) / 1024:,.0f} kB; at most {MAX_BYTES // 1024} kB are read"
        return Source(file, ""), Problem(file, 1, 1, "E108", message)
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        readable = content[: error.start].decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
        source = Source(file, readable + content[error.start :].decode("utf-8", "replace").split("\n", 1)[0])
        hint = "save the file as UTF-8" + (
            " (it looks like UTF-16)" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else ""
        )
        return source, source.problem("E109", "this byte is not UTF-8 text", hint, start=len(readable))
    source = Source(file, text.replace("\r\n", "\n").replace("\r", "\n"))
    if found := _NOT_TEXT.search(source.text):
        message = f"the character U+{ord(found[0]):04X} does not belong into a text file"
        return source, source.problem("E109", message, "delete it", start=found.start())
    return source, None


def _events(text: str) -> Iterator[Any]:
    return iter(YAML(typ="safe", pure=True).parse(text))


_SYNTAX_WORDS: Final = (
    # what the YAML parser says, what we say, what to do
    ("found character '\\t'", "a tab stands in the indentation", "indent with spaces, not with tabs"),
    ("mapping values are not allowed", 'a ": " stands where none belongs', "check the indentation, or quote the text"),
    ("expected <block end>", "this does not fit the indentation of the lines above", ""),
    ("expected '<document start>'", "this does not fit the indentation of the lines above", ""),
    ("expected ',' or ']'", 'the list that began with "[" is not closed', ""),
    ("expected ',' or '}'", 'the mapping that began with "{" is not closed', ""),
    ("found unexpected end of stream", "a quote is not closed", ""),
    ("expected chomping", "", "a text that begins with > or | needs quotes"),
    ("expected a comment or a line break", "", "a text that begins with > or | needs quotes"),
    ("expected alphabetic or numeric", "", "a text that begins with * or & needs quotes"),
    ("that cannot start any token", "", "put the text in quotes"),
)


def _syntax_problem(source: Source, error: MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    start = mark.index if mark is not None else 0
    said = str(error.problem or error.context or "not YAML").splitlines()[0]
    for word, message, hint in _SYNTAX_WORDS:
        if word in said:
            return source.problem("E101", f"this is not YAML: {message or said}", hint, start=start)
    return source.problem("E101", f"this is not YAML: {said}", start=start)


class _RefusedError(Exception):
    """Inside this module only: stops the events of a file that is over a limit."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet."""

    node: Sequence | Mapping
    key: Scalar | None = None
    seen: dict[str, Scalar] = field(default_factory=dict)
    broken_key: bool = False
    """The value that comes next belongs to a key that was refused."""


class _Builder:
    """Events -> nodes, without recursion."""

    def __init__(self, source: Source, budget: Budget) -> None:
        self._budget = budget
        self.problems: list[Problem] = []
        self.reached = 0
        self._source = source
        self._open: list[_Open] = []
        self._root: Node | None = None
        self._anchors: dict[str, Node] = {}
        self._n_nodes = 0
        self._n_aliases = 0
        self._n_documents = 0

    def build(self, events: Iterator[Any]) -> Node | None:
        for event in events:
            start, end = event.start_mark.index, event.end_mark.index
            self.reached = start
            match type(event).__name__:
                case "ScalarEvent":
                    self._count(start)
                    self._refuse_tag(event, start)
                    style = event.style or ""
                    self._add(Scalar(event.value, start, self._trimmed(start, end), style), event.anchor)
                case "SequenceStartEvent":
                    self._begin(Sequence(start, end), event)
                case "MappingStartEvent":
                    self._begin(Mapping(start, end), event)
                case "SequenceEndEvent" | "MappingEndEvent":
                    self._open.pop()
                case "AliasEvent":
                    self._alias(event.anchor, start, end)
                case "DocumentStartEvent":
                    self._n_documents += 1
                    if self._n_documents > 1:
                        self._refuse("E101", "a second document begins here; a rule file has one", start)
                case _:
                    pass
        return self._root

    def _trimmed(self, start: int, end: int) -> int:
        """Plain and block scalars end before the newline and comments that follow them."""
        return start + len(self._source.text[start:end].rstrip())

    def _refuse(self, code: str, message: str, start: int, hint: str = "") -> None:
        raise _RefusedError(self._source.problem(code, message, hint, start=start))

    def _count(self, start: int) -> None:
        self._n_nodes += 1
        if self._n_nodes > MAX_NODES:
            self._refuse("E108", f"the file has more than {MAX_NODES:,} values", start)
        self._budget.n_nodes -= 1
        if self._budget.n_nodes < 0:
            self._refuse("E108", f"the rule files have more than {MAX_TOTAL_NODES:,} values together", start)

    def _refuse_tag(self, event: Any, start: int) -> None:
        if event.tag is not None and str(event.tag) not in {"!", ""}:
            self._refuse("E107", "YAML tags (words that begin with !) are not used in rule files", start)

    def _begin(self, node: Sequence | Mapping, event: Any) -> None:
        self._count(node.start)
        self._refuse_tag(event, node.start)
        if len(self._open) >= MAX_DEPTH:
            self._refuse("E108", f"lists and mappings are nested deeper than {MAX_DEPTH}", node.start)
        self._add(node, event.anchor)
        self._open.append(_Open(node))

    def _alias(self, name: str, start: int, end: int) -> None:
        self._n_aliases += 1
        if self._n_aliases > MAX_ALIASES:
            self._refuse("E108", f"the file uses more than {MAX_ALIASES} aliases", start)
        self._budget.n_aliases -= 1
        if self._budget.n_aliases < 0:
            self._refuse("E108", f"the rule files use more than {MAX_TOTAL_ALIASES} aliases together", start)
        node = self._anchors.get(name)
        if node is None:
            self._refuse(
                "E101",
                f'there is no anchor "&{name}" before this alias',
                start,
                "a text that begins with * needs quotes",
            )
        elif any(node is opened.node for opened in self._open):
            self._refuse("E101", f'the alias "*{name}" stands inside its own anchor', start)
        else:
            if isinstance(node, Scalar) and self._expects_key():
                node = Scalar(node.text, start, end, node.style)
            self._add(node, None)

    def _expects_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].node, Mapping) and self._open[-1].key is None

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor:
            self._anchors[str(anchor)] = node
        if not self._open:
            self._root = node
            return
        parent = self._open[-1]
        if isinstance(parent.node, Sequence):
            parent.node.items.append(node)
        elif parent.key is None and not parent.broken_key:
            self._take_key(parent, parent.node, node)
        else:
            if parent.key is not None:
                if isinstance(node, Scalar) and not node.text and not node.style:
                    # A value that is not there has no place of its own; the parser gives that of the next word.
                    node = Scalar("", parent.key.start, parent.key.end)
                parent.node.entries.append((parent.key, node))
            parent.key, parent.broken_key = None, False

    def _take_key(self, parent: _Open, mapping: Mapping, node: Node) -> None:
        if not isinstance(node, Scalar):
            self.problems.append(self._source.at(node, "E107", "a key is one word"))
            parent.broken_key, mapping.is_sound = True, False
        elif first := parent.seen.get(node.text):
            line = self._source.at(first, "E103", "").line
            message = f'the key "{node.text[:40]}" is given twice; first in line {line}'
            self.problems.append(self._source.at(node, "E103", message, "keep one of them"))
            parent.broken_key, mapping.is_sound = True, False
        else:
            parent.key = parent.seen[node.text] = node
