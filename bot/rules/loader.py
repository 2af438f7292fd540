"""Rule files -> rules, and all their problems at once.

A bad rule never stops the others, a bad file never stops the other files, and nothing in a file can raise, hang or
exhaust memory. Reads files and nothing else: no clock, no network.
"""

from collections import abc
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bot.rules.files import MAX_FILES, TESTS, FolderContent, read_folder, read_rule_file
from bot.rules.language import did_you_mean
from bot.rules.limits import MAX_PROBLEMS, Budget
from bot.rules.lint import lint_rule
from bot.rules.nodes import Mapping, Node, Scalar, read_nodes
from bot.rules.problems import Problem, without_secrets
from bot.rules.readers import Reader
from bot.rules.rule_reader import CHAT_KEYS, RULE_KEYS, Defaults, RuleReader, parts, read_defaults
from bot.rules.schema import CHAT_PREFIX, ID_FORM, MAX_INHIBITED, Rule
from bot.rules.surroundings import Surroundings, lint_surroundings

MAX_RULES: Final = 2_000
MAX_GUESSED_IDS: Final = 200
"""Above, an unknown id gets no suggestion: comparing with each would take long in a file made for that."""
TOP_KEYS: Final = ("version", "defaults", "rules")
CHAT_FILES: Final = "chat/"
"""Begins the names of the files that stand for rules that come from chat; no file of a folder has such a name."""


TextsByName = abc.Mapping[str, str] | abc.Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Every rule that is sound, in file order, and everything there is to say about the files."""

    rules: tuple[Rule, ...]
    problems: tuple[Problem, ...]
    """Sorted by file, line and column."""

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.is_error)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if not problem.is_error)


def load_folder(
    path: Path, *, destinations: Collection[str] | None = None, surroundings: Surroundings | None = None
) -> RuleSet:
    """Rules of all `*.yaml` and `*.yml` of a folder in the order of their names, without folders inside it.

    `destinations` are the names that `notify` may use; None where they are not known. `surroundings` is what is known
    of the world the rules run in; it adds warnings and changes no rule.
    """
    return load_content(read_folder(path), destinations=destinations, surroundings=surroundings)


def load_content(
    content: FolderContent, *, destinations: Collection[str] | None = None, surroundings: Surroundings | None = None
) -> RuleSet:
    """Rules of a folder that was read before."""
    loading = _Loading(destinations, surroundings)
    loading.take_folder(content)
    return loading.result()


def load_files(
    paths: Iterable[Path], *, destinations: Collection[str] | None = None, surroundings: Surroundings | None = None
) -> RuleSet:
    """Rules of these files, and of the files in these folders; ids are unique over all of them."""
    loading = _Loading(destinations, surroundings)
    for path in paths:
        if path.is_dir():
            loading.take_folder(read_folder(path))
        else:
            loading.take_file(path, read_rule_file(path))
    return loading.result()


def load_text(
    file: str,
    content: bytes | str,
    *,
    destinations: Collection[str] | None = None,
    surroundings: Surroundings | None = None,
) -> RuleSet:
    """Rules of one file's content; `file` is only named in problems."""
    loading = _Loading(destinations, surroundings)
    loading.read(file, content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    return loading.result()


def load_texts(texts: TextsByName, *, destinations: Collection[str] | None = None) -> RuleSet:
    """Rules of the contents of several files, in the order of their names; ids are unique over all of them.

    Rules that come from chat stand behind those of files.
    """
    loading = _Loading(destinations, None)
    for file in sorted(name for name in texts if not name.startswith(CHAT_FILES)):
        content = texts[file]
        loading.read(file, content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    of_files = loading.result()
    of_chat = [load_chat_text(file, texts[file]) for file in sorted(texts) if file.startswith(CHAT_FILES)]
    return RuleSet(
        (*of_files.rules, *(rule for found in of_chat for rule in found.rules)),
        tuple(sorted([*of_files.problems, *(problem for found in of_chat for problem in found.problems)])),
    )


def load_chat_text(file: str, content: bytes | str) -> RuleSet:
    """The rule that such a file stands for. It may notify any chat, and has limits of its own."""
    loading = _Loading(None, None, is_chat=True)
    loading.read(file, content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    return loading.result()


class _Loading:
    """What is common to all files of one load."""

    def __init__(
        self, destinations: Collection[str] | None, surroundings: Surroundings | None, *, is_chat: bool = False
    ) -> None:
        self._is_chat = is_chat
        self.problems: list[Problem] = []
        self._rules: list[Rule] = []
        self._places: dict[str, Problem] = {}
        self._n_rules = 0
        self._n_files = 0
        self._inhibited: list[tuple[str, str, Problem]] = []
        """Rule id, the rule it mutes, and the place where that stands."""
        self._budget = Budget()
        self._destinations = destinations
        self._surroundings = surroundings or Surroundings()

    def result(self) -> RuleSet:
        if not self._is_chat:
            self._check_inhibited()
        problems = sorted(self.problems)
        if len(problems) > MAX_PROBLEMS:
            message = f"there are {len(problems):,} problems in all; only the first {MAX_PROBLEMS} are told"
            first = problems[MAX_PROBLEMS]
            problems[MAX_PROBLEMS:] = [Problem(first.file, first.line, first.column, "E108", message)]
        return RuleSet(tuple(self._rules), tuple(map(without_secrets, problems)))

    def take_folder(self, content: FolderContent) -> None:
        folder = str(content.folder)
        if content.problem is not None:
            self.problems.append(content.problem)
            return
        if not content.rules:
            self.problems.append(Problem(folder, 1, 1, "W306", "there are no rule files in this folder"))
        for path, found in content.rules.items():
            if self._n_files >= MAX_FILES:
                self.problems.append(Problem(folder, 1, 1, "E108", f"more than {MAX_FILES} rule files"))
                return
            self.take_file(path, found)

    def take_file(self, path: Path, content: bytes | Problem) -> None:
        self._n_files += 1
        if isinstance(content, Problem):
            self.problems.append(content)
        else:
            self.read(str(path), content)

    def read(self, file: str, content: bytes) -> None:
        budget = self._budget
        if over := budget.spend_bytes(len(content)):
            self.problems.append(Problem(file, 1, 1, "E108", f"{over}; this one is not read"))
            return
        source, root, problems = read_nodes(file, content, budget)
        self.problems.extend(problems)
        if root is None or (isinstance(root, Scalar) and not root.text):
            if not problems:
                self.problems.append(Problem(file, 1, 1, "W306", "there are no rules in this file"))
            return
        reader = Reader(source, budget)
        self._read_file(reader, root)
        self.problems.extend(reader.problems)

    def _read_file(self, reader: Reader, root: Node) -> None:
        if key := _key_of_tests(root):
            reader.tell(key, "E102", "these are tests of rules, not rules", f'move the file into the folder "{TESTS}"')
            return
        top = reader.entries(root, TOP_KEYS, what="a rule file", required=("rules",))
        if top is None:
            return
        if "version" in top and reader.word(top["version"][1], "version") not in {"1", None}:
            reader.tell(top["version"][1], "E113", "this version of the rule language is not known", "write 1")
            return
        defaults = Defaults()
        if "defaults" in top:
            defaults = read_defaults(reader, top["defaults"][1], self._destinations)
        items = reader.items(top["rules"][1], what='"rules"') if "rules" in top else None
        if items is not None and not items:
            reader.tell(top["rules"][1], "W306", "there are no rules in this file")
        for item in items or ():
            self._n_rules += 1
            if self._n_rules > MAX_RULES:
                reader.tell(item, "E108", f"more than {MAX_RULES:,} rules")
                return
            self._read_rule(reader, item, defaults)

    def _read_rule(self, reader: Reader, node: Node, defaults: "Defaults") -> None:
        n_problems = len(reader.problems)
        entries = reader.entries(
            node, CHAT_KEYS if self._is_chat else RULE_KEYS, what="a rule", required=("id", "when")
        )
        if entries is None:
            return
        nodes = {name: value for name, (_, value) in entries.items()}
        rule_id = self._new_id(reader, nodes["id"]) if "id" in nodes else None
        rule = RuleReader(reader, nodes, defaults, self._destinations).read(rule_id)
        is_sound = all(part.is_sound for part in (node, *nodes.values()) if isinstance(part, Mapping))
        self._note_inhibited(reader, rule_id, nodes)
        if rule is None or not is_sound or any(problem.is_error for problem in reader.problems[n_problems:]):
            return
        live = lint_surroundings(rule, self._surroundings, reader.source, nodes)
        # What the venue's list says of a symbol is more exact than what its name alone can tell.
        known = {(problem.line, problem.column) for problem in live if problem.code == "W311"}
        alone = lint_rule(rule, reader.source, nodes)
        odd = [problem for problem in alone if problem.code != "W303" or (problem.line, problem.column) not in known]
        odd += live
        reader.problems.extend(odd)
        if not any(problem.is_error for problem in odd):
            self._rules.append(rule)

    def _new_id(self, reader: Reader, node: Node) -> str | None:
        word = reader.word(node, "id")
        if word is None:
            return None
        if not ID_FORM.fullmatch(word):
            reader.tell(node, "E111", "an id is made of a-z, 0-9 and _, and is at most 40 characters long")
            return None
        if word.startswith(CHAT_PREFIX) and not self._is_chat:
            reader.tell(node, "E111", f"ids that begin with {CHAT_PREFIX} belong to rules that come from chat")
            return None
        place = reader.source.at(node, "E110", "")
        first = self._places.setdefault(word, place)
        if first is not place:
            reader.tell(node, "E110", f'the id "{word}" is taken; first in {first.file}:{first.line}')
            return None
        return word

    def _note_inhibited(self, reader: Reader, rule_id: str | None, nodes: dict[str, Node]) -> None:
        for item in parts(nodes["inhibits"])[:MAX_INHIBITED] if "inhibits" in nodes else ():
            if isinstance(item, Scalar) and item.text:
                self._inhibited.append((rule_id or "", item.text, reader.source.at(item, "W312", "")))

    def _check_inhibited(self) -> None:
        """Only now are all ids known."""
        for rule_id, name, place in self._inhibited:
            if name == rule_id:
                self.problems.append(replace(place, message="a rule cannot mute itself"))
            elif name not in self._places:
                meant = did_you_mean(name, frozenset(self._places)) if len(self._places) <= MAX_GUESSED_IDS else None
                message = f'no rule has the id "{name[:40]}"'
                self.problems.append(replace(place, message=message, hint=f'did you mean "{meant}"?' if meant else ""))


def _key_of_tests(root: Node) -> Scalar | None:
    """Where somebody put a file of rule tests among the rules, the key that shows it."""
    keys = {key.text: key for key, _ in root.entries} if isinstance(root, Mapping) else {}
    return None if "rules" in keys else keys.get("rule_files") or keys.get("tests")
