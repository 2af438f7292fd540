"""Rule files -> rules, and all their problems at once.

A bad rule never stops the others, a bad file never stops the other files, and nothing in a file can raise, hang or
exhaust memory. Reads files and nothing else: no clock, no network.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from bot.model.instrument import Kind
from bot.rules.ast import DAY_MS, MINUTE_MS, Expr, Number
from bot.rules.check import Vocabulary
from bot.rules.lint import lint_rule
from bot.rules.nodes import MAX_BYTES, Mapping, Node, Scalar, read_nodes
from bot.rules.problems import Problem
from bot.rules.readers import Reader
from bot.rules.schema import (
    DEFAULT_COOLDOWN_MS,
    DEFAULT_NOTIFY,
    ID_FORM,
    KEYS_WITHOUT_EFFECT,
    KINDS,
    MAX_NAME_LENGTH,
    SEVERITIES,
    VENUES,
    Per,
    Rule,
    Scope,
    Severity,
    TopBy,
)

MAX_RULES: Final = 2_000
MAX_FILES: Final = 200
OTHER_FILES: Final = frozenset({"destinations.yaml", "destinations.yml"})
"""Files of the rules folder that hold no rules."""

_TOP_KEYS: Final = ("version", "defaults", "rules")
_DEFAULT_KEYS: Final = ("for", "cooldown", "repeat", "severity", "notify", "tags", "silent", "chart")
_RULE_KEYS: Final = (
    "id", "name", "enabled", "scope", "per", "when", "clear", "for", "cooldown", "repeat", "escalate", "value", "once",
    "severity", "notify", "tags", "silent", "chart", "message", "inhibits",
)  # fmt: skip
_SCOPE_KEYS: Final = (
    "symbols", "exclude", "venues", "types", "quotes", "top", "by", "min_oi_usd", "min_volume_24h",
)  # fmt: skip


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
    path: Path, *, destinations: Collection[str] | None = None, vocabulary: Vocabulary | None = None
) -> RuleSet:
    """Rules of all `*.yaml` and `*.yml` of a folder in the order of their names, without folders inside it.

    `destinations` are the names that `notify` may use; None where they are not known.
    """
    loading = _Loading(destinations, vocabulary or Vocabulary())
    loading.read_folder(path)
    return loading.result()


def rule_files(folder: Path) -> list[Path]:
    """The rule files of a folder, sorted by name; raises `OSError` where it cannot be read."""
    return sorted(
        entry for entry in folder.iterdir() if entry.suffix in {".yaml", ".yml"} and entry.name not in OTHER_FILES
    )


def load_files(
    paths: Iterable[Path], *, destinations: Collection[str] | None = None, vocabulary: Vocabulary | None = None
) -> RuleSet:
    """Rules of these files, and of the files in these folders; ids are unique over all of them."""
    loading = _Loading(destinations, vocabulary or Vocabulary())
    for path in paths:
        if path.is_dir():
            loading.read_folder(path)
        else:
            loading.read_file(path)
    return loading.result()


def load_text(
    file: str,
    content: bytes | str,
    *,
    destinations: Collection[str] | None = None,
    vocabulary: Vocabulary | None = None,
) -> RuleSet:
    """Rules of one file's content; `file` is only named in problems."""
    loading = _Loading(destinations, vocabulary or Vocabulary())
    loading.read(file, content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    return loading.result()


class _Loading:
    """What is common to all files of one load."""

    def __init__(self, destinations: Collection[str] | None, vocabulary: Vocabulary) -> None:
        self.problems: list[Problem] = []
        self._rules: list[Rule] = []
        self._places: dict[str, Problem] = {}
        self._n_rules = 0
        self._destinations = destinations
        self._vocabulary = vocabulary

    def result(self) -> RuleSet:
        return RuleSet(tuple(self._rules), tuple(sorted(self.problems)))

    def read_folder(self, folder: Path) -> None:
        try:
            paths = rule_files(folder)
        except OSError as error:
            self.problems.append(Problem(str(folder), 1, 1, "E115", f"cannot read the folder: {error.strerror}"))
            return
        if not paths:
            self.problems.append(Problem(str(folder), 1, 1, "W306", "there are no rule files in this folder"))
        for path in paths[:MAX_FILES]:
            self.read_file(path)
        if len(paths) > MAX_FILES:
            self.problems.append(Problem(str(folder), 1, 1, "E108", f"more than {MAX_FILES} rule files"))

    def read_file(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except OSError as error:
            self.problems.append(Problem(str(path), 1, 1, "E115", f"cannot read the file: {error.strerror}"))
        else:
            self.read(str(path), content)

    def read(self, file: str, content: bytes) -> None:
        source, root, problems = read_nodes(file, content)
        self.problems.extend(problems)
        if root is None or (isinstance(root, Scalar) and not root.text):
            if not problems:
                self.problems.append(Problem(file, 1, 1, "W306", "there are no rules in this file"))
            return
        reader = Reader(source, self._vocabulary)
        self._read_file(reader, root)
        self.problems.extend(reader.problems)

    def _read_file(self, reader: Reader, root: Node) -> None:
        top = reader.entries(root, _TOP_KEYS, what="a rule file", required=("rules",))
        if top is None:
            return
        if "version" in top and reader.word(top["version"][1], "version") not in {"1", None}:
            reader.tell(top["version"][1], "E113", "this version of the rule language is not known", "write 1")
            return
        defaults = _Defaults()
        if "defaults" in top:
            defaults = _read_defaults(reader, top["defaults"][1], self._destinations)
        items = reader.items(top["rules"][1], what='"rules"') if "rules" in top else None
        if items is not None and not items:
            reader.tell(top["rules"][1], "W306", "there are no rules in this file")
        for item in items or ():
            self._n_rules += 1
            if self._n_rules > MAX_RULES:
                reader.tell(item, "E108", f"more than {MAX_RULES:,} rules")
                return
            self._read_rule(reader, item, defaults)

    def _read_rule(self, reader: Reader, node: Node, defaults: "_Defaults") -> None:
        n_problems = len(reader.problems)
        entries = reader.entries(node, _RULE_KEYS, what="a rule", required=("id", "when"))
        if entries is None:
            return
        nodes = {name: value for name, (_, value) in entries.items()}
        rule_id = self._new_id(reader, nodes["id"]) if "id" in nodes else None
        rule = _RuleReader(reader, nodes, defaults, self._destinations).read(rule_id)
        _warn_of_keys_without_effect(reader, entries.values())
        is_sound = all(part.is_sound for part in (node, *nodes.values()) if isinstance(part, Mapping))
        if rule is None or not is_sound or any(problem.is_error for problem in reader.problems[n_problems:]):
            return
        odd = lint_rule(rule, reader.source, nodes)
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
        place = reader.source.at(node, "E110", "")
        first = self._places.setdefault(word, place)
        if first is not place:
            reader.tell(node, "E110", f'the id "{word}" is taken; first in {first.file}:{first.line}')
            return None
        return word


@dataclass(frozen=True, slots=True)
class _Defaults:
    """Values for the keys that a rule leaves out."""

    for_ms: int = 0
    cooldown_ms: int = DEFAULT_COOLDOWN_MS
    repeat_ms: int | None = None
    severity: Severity = "warning"
    notify: tuple[str, ...] = DEFAULT_NOTIFY
    tags: tuple[str, ...] = ()
    silent: bool = False
    chart: bool = True


def _read_defaults(reader: Reader, node: Node, destinations: Collection[str] | None) -> _Defaults:
    entries = reader.entries(node, _DEFAULT_KEYS, what='"defaults"')
    if entries is None:
        return _Defaults()
    nodes = {name: value for name, (_, value) in entries.items()}
    _warn_of_keys_without_effect(reader, entries.values())
    return _RuleReader(reader, nodes, _Defaults(), destinations).defaults()


def _warn_of_keys_without_effect(reader: Reader, entries: Iterable[tuple[Scalar, Node]]) -> None:
    for key, value in entries:
        as_it_is = isinstance(value, Scalar) and value.text.lower() == "false"
        if key.text in KEYS_WITHOUT_EFFECT and not as_it_is:
            reader.tell(key, "W302", f'"{key.text}" has no effect yet', KEYS_WITHOUT_EFFECT[key.text])


class _RuleReader:
    """Reads the keys of one rule. Keys that are wrong keep their default, so that the rest is still checked."""

    def __init__(
        self, reader: Reader, nodes: dict[str, Node], defaults: _Defaults, destinations: Collection[str] | None
    ) -> None:
        self._reader = reader
        self._nodes = nodes
        self._defaults = defaults
        self._destinations = destinations

    def read(self, rule_id: str | None) -> Rule | None:
        """The rule, or None without an id or a sound `when`; every problem is told either way."""
        reader, nodes = self._reader, self._nodes
        per: Per = "symbol"
        if "per" in nodes:
            per = cast("Per", reader.choice(nodes["per"], "per", ("symbol", "market")) or "symbol")
        when = self._expression("when", per)
        clear = self._expression("clear", per)
        value = self._expression("value", per, wants_condition=False)
        common = self.defaults()
        name = self._name() or rule_id or ""
        scope = self._scope()
        escalate = self._escalate()
        enabled, once = self._boolean("enabled", default=True), self._boolean("once", default=False)
        message, inhibits = self._word("message"), self._words("inhibits")
        if rule_id is None or when is None:
            return None
        return Rule(
            id=rule_id, when=when, name=name, enabled=enabled, scope=scope, per=per, clear=clear, for_ms=common.for_ms,
            cooldown_ms=common.cooldown_ms, repeat_ms=common.repeat_ms, escalate=escalate.value if escalate else None,
            value=value, once=once, severity=common.severity, notify=common.notify, tags=common.tags,
            silent=common.silent, chart=common.chart, message=message, inhibits=inhibits,
        )  # fmt: skip

    def defaults(self) -> _Defaults:
        """The keys that a `defaults` block may hold too."""
        nodes, common = self._nodes, self._defaults
        severity: Severity = common.severity
        if "severity" in nodes:
            chosen = self._reader.choice(nodes["severity"], "severity", SEVERITIES)
            severity = cast("Severity", chosen) if chosen else severity
        return _Defaults(
            for_ms=self._duration("for", common.for_ms, 0, DAY_MS),
            cooldown_ms=self._duration("cooldown", common.cooldown_ms, 0, 30 * DAY_MS),
            repeat_ms=self._repeat(),
            severity=severity,
            notify=self._notify(),
            tags=self._words("tags") or common.tags,
            silent=self._boolean("silent", default=common.silent),
            chart=self._boolean("chart", default=common.chart),
        )

    def _name(self) -> str | None:
        name = self._word("name")
        if name is not None and len(name) > MAX_NAME_LENGTH:
            self._reader.tell(self._nodes["name"], "E114", f"a name has at most {MAX_NAME_LENGTH} characters")
        return name

    def _expression(self, key: str, per: Per, *, wants_condition: bool = True) -> Expr | None:
        if key not in self._nodes:
            return None
        return self._reader.expression(self._nodes[key], key, per=per, wants_condition=wants_condition)

    def _word(self, key: str) -> str | None:
        return self._reader.word(self._nodes[key], key) if key in self._nodes else None

    def _words(self, key: str) -> tuple[str, ...]:
        return (self._reader.words(self._nodes[key], key) or ()) if key in self._nodes else ()

    def _boolean(self, key: str, *, default: bool) -> bool:
        found = self._reader.boolean(self._nodes[key], key) if key in self._nodes else None
        return default if found is None else found

    def _duration(self, key: str, default: int, least_ms: int, most_ms: int) -> int:
        if key not in self._nodes:
            return default
        found = self._reader.duration_ms(self._nodes[key], key, least_ms=least_ms, most_ms=most_ms)
        return default if found is None else found

    def _is_off(self, key: str) -> bool:
        node = self._nodes.get(key)
        return isinstance(node, Scalar) and node.text == "off"

    def _repeat(self) -> int | None:
        if "repeat" not in self._nodes:
            return self._defaults.repeat_ms
        if self._is_off("repeat"):
            return None
        return self._reader.duration_ms(self._nodes["repeat"], "repeat", least_ms=MINUTE_MS, most_ms=30 * DAY_MS)

    def _escalate(self) -> Number | None:
        if "escalate" not in self._nodes or self._is_off("escalate"):
            return None
        node = self._nodes["escalate"]
        found = self._reader.number(node, "escalate", least=0, most=1e15, example="3%")
        if found is not None and found.value == 0:
            self._reader.tell(node, "E114", '"escalate" is more than zero', "write off to switch it off")
        return found

    def _notify(self) -> tuple[str, ...]:
        if "notify" not in self._nodes:
            return self._defaults.notify
        node = self._nodes["notify"]
        if self._destinations is None:
            return self._reader.words(node, "notify") or ()
        names = self._reader.words(node, "notify") or ()
        nodes = [node] if isinstance(node, Scalar) else getattr(node, "items", [])
        for name, item in zip(names, nodes, strict=False):
            if name not in self._destinations:
                known = ", ".join(sorted(self._destinations)) or "none"
                self._reader.tell(item, "E112", f'no destination is called "{name[:40]}"; there are: {known}')
        return names

    def _scope(self) -> Scope:
        if "scope" not in self._nodes:
            return Scope()
        reader = self._reader
        entries = reader.entries(self._nodes["scope"], _SCOPE_KEYS, what='"scope"')
        nodes = {name: value for name, (_, value) in (entries or {}).items()}
        within = _RuleReader(reader, nodes, self._defaults, self._destinations)
        types, quotes = Scope().types, Scope().quotes
        by: TopBy = "oi_usd"
        if "types" in nodes:
            types = cast("tuple[Kind, ...]", reader.choices(nodes["types"], "type", KINDS) or types)
        if "quotes" in nodes:
            quotes = within._words("quotes") or quotes
        if "by" in nodes:
            by = cast("TopBy", reader.choice(nodes["by"], "by", ("oi_usd", "volume_24h")) or by)
        return Scope(
            symbols=within._words("symbols"),
            exclude=within._words("exclude"),
            venues=(reader.choices(nodes["venues"], "venue", VENUES) or ()) if "venues" in nodes else (),
            types=types,
            quotes=quotes,
            top=reader.whole(nodes["top"], "top", least=1, most=10_000) if "top" in nodes else None,
            by=by,
            min_oi_usd=reader.amount(nodes["min_oi_usd"], "min_oi_usd") if "min_oi_usd" in nodes else None,
            min_volume_24h=reader.amount(nodes["min_volume_24h"], "min_volume_24h")
            if "min_volume_24h" in nodes
            else None,
        )
