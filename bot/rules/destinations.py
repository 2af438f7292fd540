"""`destinations.yaml` -> destinations, and all problems of the file at once.

The same YAML, limits and messages as rule files. Secrets are named, never written: what looks like one is told without
being shown. Whether a named secret is there is asked of `Means`, where those are known.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, get_args

from bot.model import addresses
from bot.model.destinations import (
    KINDS,
    AppriseTarget,
    ConsoleTarget,
    Described,
    DiscordTarget,
    Kind,
    Secret,
    Source,
    Target,
    TelegramTarget,
    Use,
    WebhookTarget,
)
from bot.rules.files import OTHER_FILES, read_rule_file
from bot.rules.limits import MAX_PROBLEMS, Budget
from bot.rules.nodes import Mapping, Node, Scalar, read_nodes
from bot.rules.problems import Problem, without_secrets
from bot.rules.readers import Reader
from bot.rules.rule_reader import parts
from bot.rules.schema import MAX_TAGS, SEVERITIES, TAG_FORM

MAX_DESCRIBED: Final = 50
TOP_KEYS: Final = ("version", "destinations")
COMMON_KEYS: Final = ("kind", "default", "severities", "min_severity", "tags")
KIND_KEYS: Final[dict[Kind, tuple[str, ...]]] = {
    "telegram": ("chat", "topic", "token"),
    "discord": ("webhook", "thread"),
    "webhook": ("url", "secret", "private"),
    "apprise": ("url",),
    "console": (),
}
REQUIRED_KEYS: Final[dict[Kind, tuple[str, ...]]] = {
    "telegram": ("chat",),
    "discord": (),
    "webhook": ("url", "secret"),
    "apprise": ("url",),
    "console": (),
}
KEYS_OF_LATER: Final = frozenset({"quiet_hours", "max_per_hour", "max_per_day", "digest", "silent", "expires"})
"""What people will look for here and this version does not do; refused, because it would be believed."""
NAME_FORM: Final = re.compile(r"[a-z0-9_-]{1,40}")
CHAT_FORM: Final = re.compile(r"-?[1-9][0-9]{0,15}")
THREAD_FORM: Final = re.compile(r"[1-9][0-9]{0,19}")
SECRET_FORM: Final = re.compile(rf"({'|'.join(get_args(Source))}):([A-Za-z_][A-Za-z0-9_]{{0,99}})")
MAIN: Final = "main"


@dataclass(frozen=True, slots=True)
class Means:
    """What there is to send with. `fault` says why a secret (None: that of the settings) cannot be used, or None."""

    fault: Callable[[Secret | None, Use], str | None]


@dataclass(frozen=True, slots=True)
class DestinationFile:
    """All sound destinations in file order, and everything there is to say about the file."""

    described: tuple[Described, ...]
    names: frozenset[str]
    """Also of those that are not sound, so that a rule that names one is not told to be wrong."""
    problems: tuple[Problem, ...]
    """Sorted by line and column."""

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.is_error)


def destination_file(folder: Path) -> Path | None:
    """The file of a rules folder; None where there is none. Of two, the first by name, which then tells of the other."""
    return next(
        (folder / name for name in sorted(OTHER_FILES) if (folder / name).is_symlink() or (folder / name).exists()),
        None,
    )


def load_destinations(path: Path, *, means: Means | None = None) -> DestinationFile:
    """Destinations of a file; `means` are not asked where they are None."""
    twins = [path.with_name(name) for name in sorted(OTHER_FILES - {path.name}) if path.name in OTHER_FILES]
    there = [path, *(twin for twin in twins if twin.exists())]
    return load_destinations_content(path, read_rule_file(path), twins=there[1:], means=means)


def load_destinations_content(
    path: Path, content: bytes | Problem, *, twins: Iterable[Path] = (), means: Means | None = None
) -> DestinationFile:
    """The same of what was read of it before; `twins`: files beside it that would mean the same."""
    if isinstance(content, Problem):
        return DestinationFile((), frozenset(), (content,))
    found = load_destinations_text(str(path), content, means=means)
    for twin in twins:
        message = f"there is also {path.name}, which is read; keep one of them"
        found = replace(found, problems=(*found.problems, Problem(str(twin), 1, 1, "E115", message)))
    return found


def load_destinations_text(file: str, content: bytes | str, *, means: Means | None = None) -> DestinationFile:
    """Destinations of a file's content; `file` is only named in problems."""
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    budget = Budget()
    source, root, problems = read_nodes(file, data, budget)
    loading = _Loading(Reader(source, budget), means)
    if root is not None and not (isinstance(root, Scalar) and not root.text):
        loading.read(root)
    elif not problems:
        problems = [Problem(file, 1, 1, "E104", 'the file has no "destinations"')]
    problems = _without_secrets([*problems, *loading.reader.problems])
    return DestinationFile(
        tuple(loading.described), frozenset(loading.names), tuple(sorted(set(problems))[:MAX_PROBLEMS])
    )


def _without_secrets(problems: list[Problem]) -> list[Problem]:
    """Nothing is shown of a line in which a secret was found; of others, nothing that looks like one."""
    hidden = {problem.line for problem in problems if problem.code == "E118"}
    return [
        without_secrets(replace(problem, source_line="") if problem.line in hidden else problem) for problem in problems
    ]


class _Loading:
    """One file."""

    def __init__(self, reader: Reader, means: Means | None) -> None:
        self.reader = reader
        self.described: list[Described] = []
        self.names: list[str] = []
        self._means = means
        self._defaults: list[tuple[str, Node]] = []

    def read(self, root: Node) -> None:
        reader = self.reader
        top = reader.entries(root, TOP_KEYS, what="a file of destinations", required=("destinations",))
        if top is None:
            return
        if "version" in top and reader.word(top["version"][1], "version") not in {"1", None}:
            reader.tell(top["version"][1], "E113", "this version of the file is not known", "write 1")
            return
        if "destinations" not in top:
            return
        key, node = top["destinations"]
        if not isinstance(node, Mapping):
            reader.tell(node, "E107", '"destinations" is a mapping: a name and its keys for each')
            return
        if len(node.entries) > MAX_DESCRIBED:
            reader.tell(key, "E108", f"more than {MAX_DESCRIBED} destinations")
            return
        for name, value in node.entries:
            self._read_one(name, value)
        self._check_default(key)

    def _read_one(self, name: Scalar, node: Node) -> None:
        reader = self.reader
        n_problems = len(reader.problems)
        if not NAME_FORM.fullmatch(name.text):
            message = "a destination's name is made of a-z, 0-9, _ and -, and is at most 40 characters long"
            reader.tell(name, "E111", message)
        self.names.append(name.text)
        kind = self._kind(node)
        known = (*COMMON_KEYS, *(KIND_KEYS[kind] if kind else {k for keys in KIND_KEYS.values() for k in keys}))
        required = ("kind", *(REQUIRED_KEYS[kind] if kind else ()))
        entries = reader.entries(node, (*known, *KEYS_OF_LATER), what=f'"{name.text[:40]}"', required=required)
        if entries is None:
            return
        for key, _ in entries.values():
            if key.text in KEYS_OF_LATER:
                reader.tell(key, "E102", f'a destination has no "{key.text}" in this version', "leave it out")
        nodes = {key: value for key, (_, value) in entries.items()}
        is_default = bool("default" in nodes and reader.boolean(nodes["default"], "default"))
        if is_default:
            self._defaults.append((name.text, nodes["default"]))
        target = self._target(kind, nodes, name) if kind else None
        severities, tags = self._severities(nodes), self._tags(nodes)
        is_sound = all(part.is_sound for part in (node, *nodes.values()) if isinstance(part, Mapping))
        if target is not None and is_sound and not any(p.is_error for p in reader.problems[n_problems:]):
            self.described.append(Described(name.text, target, is_default, severities, tags))

    def _kind(self, node: Node) -> Kind | None:
        """Told only where there is a word that is no kind; a missing one is told as a missing key."""
        found = node.get("kind") if isinstance(node, Mapping) else None
        word = self.reader.choice(found, "kind", KINDS) if found is not None else None
        return next((kind for kind in KINDS if kind == word), None)

    def _target(self, kind: Kind, nodes: dict[str, Node], name: Scalar) -> Target | None:
        match kind:
            case "telegram":
                chat, token = self._digits("chat", nodes, CHAT_FORM), self._secret("token", nodes, "bot token", name)
                topic = (
                    self.reader.whole(nodes["topic"], "topic", least=1, most=2**31 - 1) if "topic" in nodes else None
                )
                return TelegramTarget(chat, topic, token) if chat is not None else None
            case "discord":
                webhook = self._secret("webhook", nodes, "Discord webhook", name)
                return DiscordTarget(webhook, self._digits("thread", nodes, THREAD_FORM))
            case "webhook":
                private = bool("private" in nodes and self.reader.boolean(nodes["private"], "private"))
                url = self._url(nodes, name, private=private)
                secret = self._secret("secret", nodes, "signing secret", name)
                return WebhookTarget(url, secret, private) if url is not None and secret is not None else None
            case "apprise":
                found = self._secret("url", nodes, "Apprise address", name)
                return AppriseTarget(found) if found is not None else None
            case "console":
                return ConsoleTarget()

    def _digits(self, key: str, nodes: dict[str, Node], form: re.Pattern[str]) -> int | None:
        word = self.reader.word(nodes[key], key) if key in nodes else None
        if word is None:
            return None
        if not form.fullmatch(word):
            hint = "a public name such as @channel does not do; docs/destinations.md says how to find the number"
            message = f'"{key}" takes the number of a {"chat, such as -1001234567890" if key == "chat" else "thread"}'
            self.reader.tell(nodes[key], "E106", message, hint if word.startswith("@") else "")
            return None
        return int(word)

    def _secret(self, key: str, nodes: dict[str, Node], use: Use, name: Scalar) -> Secret | None:
        """A reference; None where it is left out (the settings' secret is meant) or wrong."""
        if key not in nodes:
            if use in {"bot token", "Discord webhook"}:
                self._ask(None, use, name)
            return None
        word = self.reader.word(nodes[key], key)
        if word is None:
            return None
        found = SECRET_FORM.fullmatch(word)
        if found is None:
            message = f'"{key}" is a secret, so it is named here and not written'
            hint = f"write {key}: secret:NAME and set OIBOT_SECRETS__NAME"
            self._hide(nodes[key], message, hint)
            return None
        source = next(known for known in get_args(Source) if known == found[1])
        secret = Secret(source, found[2] if source == "env" else found[2].lower())
        self._ask(secret, use, nodes[key])
        return secret

    def _hide(self, node: Node, message: str, hint: str) -> None:
        """A problem whose line is not shown, because a secret stands in it."""
        self.reader.tell(node, "E118", message, hint)

    def _ask(self, secret: Secret | None, use: Use, place: Node) -> None:
        fault = self._means.fault(secret, use) if self._means is not None else None
        if fault is not None:
            self.reader.tell(place, "E119", fault)

    def _url(self, nodes: dict[str, Node], name: Scalar, *, private: bool) -> str | Secret | None:
        if "url" not in nodes:
            return None
        word = self.reader.word(nodes["url"], "url")
        if word is None:
            return None
        if SECRET_FORM.fullmatch(word):
            return self._secret("url", nodes, "webhook address", name)
        if "@" in word.partition("://")[2].partition("/")[0]:
            message = "a user or password stands in the address"
            self._hide(nodes["url"], message, "leave it out: the signature is what authenticates")
            return None
        fault = addresses.fault_of(word, private=private)
        if fault is not None:
            self.reader.tell(nodes["url"], "E106", f'"url": {fault}')
            return None
        return word

    def _severities(self, nodes: dict[str, Node]) -> tuple[str, ...]:
        chosen: tuple[str, ...] = ()
        if "severities" in nodes:
            chosen = tuple(dict.fromkeys(self.reader.choices(nodes["severities"], "severity", SEVERITIES) or ()))
        if "min_severity" not in nodes:
            return chosen
        least = self.reader.choice(nodes["min_severity"], "severity", SEVERITIES)
        if "severities" in nodes:
            message = '"severities" and "min_severity" say the same thing twice'
            self.reader.tell(nodes["min_severity"], "E116", message, "keep one of them")
        return SEVERITIES[SEVERITIES.index(least) :] if least in SEVERITIES else ()

    def _tags(self, nodes: dict[str, Node]) -> tuple[str, ...]:
        words = self.reader.words(nodes["tags"], "tags", most=MAX_TAGS) if "tags" in nodes else None
        for word, item in zip(words or (), parts(nodes["tags"]) if words else (), strict=False):
            if not TAG_FORM.fullmatch(word):
                message = "a tag is made of letters, digits, _ and -, and is at most 40 characters long"
                self.reader.tell(item, "E111", message)
        return words or ()

    def _check_default(self, key: Scalar) -> None:
        if not self._defaults:
            message = "none of the destinations is the default one, where alerts go whose rule names none"
            self.reader.tell(key, "E117", message, "add default: true to one of them")
        for _, node in self._defaults[1:]:
            message = f'"{self._defaults[0][0][:40]}" is the default one already; there can be only one'
            self.reader.tell(node, "E117", message, "let the others subscribe by severities or tags")
        if MAIN in self.names and self._defaults and all(name != MAIN for name, _ in self._defaults):
            node = self._defaults[0][1]
            message = f'"{MAIN}" always means the default destination, so no other one can have that name'
            self.reader.tell(node, "E117", message, f'rename "{MAIN}"')
