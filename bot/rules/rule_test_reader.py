"""Files of rule tests -> tests, and all problems at once, as precise as those of rule files.

A test with a problem is left out, the others run. The rule files that a file names are read beside it; what is wrong
there is told at its place there. Nothing is expanded or run before its size is known to be allowed.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bot.rules.files import TESTS, read_folder, read_rule_file
from bot.rules.limits import MAX_PROBLEMS, Budget
from bot.rules.loader import RuleSet, load_files
from bot.rules.nodes import Mapping, Node, Scalar, read_nodes
from bot.rules.problems import Problem, without_secrets
from bot.rules.readers import Reader
from bot.rules.rule_test import RuleTest, RuleTestFile
from bot.rules.rule_test_items import DAY_MS, MINUTE_MS, FileGrid, ItemReader

TOP_KEYS: Final = ("version", "rule_files", "interval", "start", "tests")
MAX_TESTS: Final = 500
MAX_RULE_FILES: Final = 50
DEFAULT_START_MS: Final = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""
MAX_INTERVAL_MS: Final = 60 * MINUTE_MS
_FIRST_MS: Final = 31 * DAY_MS
_LAST_MS: Final = 4_102_444_800_000
"""The year 2100."""

ReadRules = Callable[[Sequence[str]], RuleSet]
"""From the names in `rule_files` to their rules; what cannot be read is a problem E115 of that name."""


@dataclass(frozen=True, slots=True)
class RuleTests:
    """All tests that are sound, and everything there is to say about the files."""

    files: tuple[RuleTestFile, ...]
    problems: tuple[Problem, ...]
    """Sorted by file, line and column; those of rule files that the tests name among them."""
    read: tuple[Path, ...] = ()
    """Files and folders that were looked at, for who waits for their change."""

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.is_error)


def load_rule_tests(paths: Iterable[Path]) -> RuleTests:
    """Tests of these files, and of the `*.yaml` and `*.yml` in these folders, in the order of their names."""
    budget = Budget()
    files: list[RuleTestFile] = []
    problems: set[Problem] = set()
    looked: dict[Path, None] = {}
    for path in paths:
        looked[path] = None
        for file, content in _contents(path, problems):
            looked[file] = None
            if isinstance(content, Problem):
                problems.add(content)
                continue
            found, told = read_rule_tests(str(file), content, _beside(file, looked), budget)
            problems.update(told)
            if found is not None:
                files.append(found)
    return RuleTests(tuple(files), tuple(map(without_secrets, sorted(problems)[:MAX_PROBLEMS])), tuple(looked))


def _contents(path: Path, problems: set[Problem]) -> Iterable[tuple[Path, bytes | Problem]]:
    if not path.is_dir():
        return [(path, read_rule_file(path))]
    content = read_folder(path)
    if content.problem is not None:
        problems.add(content.problem)
    elif not content.rules:
        problems.add(Problem(str(path), 1, 1, "W501", "there are no tests in this folder"))
    return content.rules.items()


def _beside(file: Path, looked: dict[Path, None]) -> ReadRules:
    """Reads rule files whose names are relative to the folder of a test file."""

    def read(names: Sequence[str]) -> RuleSet:
        paths = [_straight(file.parent / name) for name in names]
        looked.update(dict.fromkeys(paths))
        return load_files(paths)

    return read


def _straight(path: Path) -> Path:
    """Without `..`, where that leads to the same file: people read it."""
    short = Path(os.path.normpath(path))
    try:
        return short if short.samefile(path) else path
    except (OSError, ValueError):
        return path


def read_rule_tests(
    file: str, content: bytes, read_rules: ReadRules, budget: Budget | None = None
) -> tuple[RuleTestFile | None, tuple[Problem, ...]]:
    """Tests of one file's content; `file` is only named in problems."""
    budget = budget or Budget()
    if over := budget.spend_bytes(len(content)):
        return None, (Problem(file, 1, 1, "E108", f"{over}; this one is not read"),)
    source, root, problems = read_nodes(file, content, budget)
    if root is None or (isinstance(root, Scalar) and not root.text):
        return None, tuple(problems) or (Problem(file, 1, 1, "W501", "there are no tests in this file"),)
    reader = Reader(source, budget)
    found = _FileReader(file, reader, read_rules).read(root)
    return found, (*problems, *reader.problems)


@dataclass(slots=True)
class _FileReader:
    file: str
    reader: Reader
    read_rules: ReadRules
    names: dict[str, int] = field(default_factory=dict)
    """Of tests -> the line in which they begin."""

    def read(self, root: Node) -> RuleTestFile | None:
        reader = self.reader
        if key := _key_of_rules(root):
            reader.tell(key, "E102", "these are rules, not tests of rules", f'tests lie in the folder "{TESTS}"')
            return None
        top = reader.entries(root, TOP_KEYS, what="a file of rule tests", required=("rule_files", "tests"))
        if top is None:
            return None
        nodes = {name: value for name, (_, value) in top.items()}
        if "version" in nodes and reader.word(nodes["version"], "version") not in {"1", None}:
            reader.tell(nodes["version"], "E113", "this version of the rule language is not known", "write 1")
            return None
        interval_ms = self._interval(nodes.get("interval"))
        start_ms = self._start(nodes.get("start"), interval_ms or MINUTE_MS)
        rules = self._rules(nodes["rule_files"]) if "rule_files" in nodes else None
        if interval_ms is None or start_ms is None or rules is None or "tests" not in nodes:
            return None
        grid = FileGrid(interval_ms, tuple(rule for rule in rules.rules if rule.enabled), rules)
        tests = tuple(self._tests(nodes["tests"], grid))
        return RuleTestFile(self.file, grid.rules, start_ms, interval_ms, tests)

    def _interval(self, node: Node | None) -> int | None:
        if node is None:
            return MINUTE_MS
        found = self.reader.duration_ms(node, "interval", least_ms=1_000, most_ms=MAX_INTERVAL_MS)
        if found is not None and MINUTE_MS % found and found % MINUTE_MS:
            message = "an interval is a whole part of a minute, or whole minutes"
            self.reader.tell(node, "E503", message, "write 10s, 30s, 1m or 5m")
            return None
        return found

    def _start(self, node: Node | None, interval_ms: int) -> int | None:
        if node is None:
            return DEFAULT_START_MS // interval_ms * interval_ms
        word = self.reader.word(node, "start")
        if word is None:
            return None
        try:
            read = datetime.fromisoformat(word)
        except ValueError:
            message = f'"{word[:40]}" is not a time; write a date and a time of day in UTC'
            self.reader.tell(node, "E503", message, "such as 2026-01-01T00:00:00Z")
            return None
        aware = read if read.tzinfo else read.replace(tzinfo=UTC)
        start_ms = round(aware.timestamp() * 1_000)
        if not _FIRST_MS <= start_ms <= _LAST_MS or start_ms % interval_ms:
            message = "a test starts on a whole interval, between 1971 and 2100"
            self.reader.tell(node, "E503", message, "write a whole hour, such as 2026-01-01T00:00:00Z")
            return None
        return start_ms

    def _rules(self, node: Node) -> RuleSet | None:
        names = self.reader.words(node, "rule_files", most=MAX_RULE_FILES)
        if names is None:
            return None
        items = [item for item in getattr(node, "items", [node]) if isinstance(item, Scalar)]
        found = self.read_rules(names)
        for problem in found.errors:
            place = next((item for item in items if problem.code == "E115" and problem.file.endswith(item.text)), None)
            if place is None:
                self.reader.problems.append(problem)
            else:
                self.reader.tell(place, "E115", problem.message, problem.hint)
        return found

    def _tests(self, node: Node, grid: FileGrid) -> Iterable[RuleTest]:
        items = self.reader.items(node, what='"tests"')
        if items is not None and not items:
            self.reader.tell(node, "W501", "there are no tests in this file")
        for n, item in enumerate(items or ()):
            if n >= MAX_TESTS:
                self.reader.tell(item, "E108", f"more than {MAX_TESTS} tests in one file")
                return
            n_problems = len(self.reader.problems)
            test = ItemReader(self.reader, grid, self.names).read(item)
            if test is not None and not any(p.is_error for p in self.reader.problems[n_problems:]):
                yield test


def _key_of_rules(root: Node) -> Scalar | None:
    """Where somebody named a rule file, the key that shows it."""
    keys = {key.text: key for key, _ in root.entries} if isinstance(root, Mapping) else {}
    return None if "tests" in keys else keys.get("rules")
