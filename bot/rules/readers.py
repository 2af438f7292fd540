"""Nodes of a rule file -> values of the right kind, or a problem at their place.

Each reader returns the value, or None after it has added exactly one problem. Nothing is guessed: `yes` is no
boolean and `15` no duration; the message says what to write instead.
"""

from collections.abc import Collection
from collections.abc import Mapping as MappingOf
from typing import Final

from bot.delivery.template import template_faults
from bot.rules.ast import Expr, Number, number_text, walk
from bot.rules.check import Fault
from bot.rules.language import did_you_mean
from bot.rules.limits import Budget
from bot.rules.literals import parse_duration_ms, parse_number
from bot.rules.nodes import Mapping, Node, Scalar, Sequence, Source
from bot.rules.parse import parse_condition, parse_value
from bot.rules.problems import Problem
from bot.rules.schema import MAX_GLOB_LENGTH, MAX_GLOB_WILDCARDS, Per

MAX_WORDS: Final = 1_000
MAX_CHOICES: Final = 20
MAX_KEYS: Final = 100
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})


class Reader:
    """Reads the values of one file and gathers its problems."""

    def __init__(self, source: Source, budget: Budget) -> None:
        self.source = source
        self._budget = budget
        self.problems: list[Problem] = []

    def template(self, node: Node, key: str) -> str | None:
        """A message template; checked here, so that none can fail when an alert is told."""
        if isinstance(node, Mapping) and self.source.text.startswith("{", node.start):
            self.tell(node, "E107", f'"{key}" takes a text, not a mapping', "a text that begins with { needs quotes")
            return None
        word = self.word(node, key)
        if word is None or not isinstance(node, Scalar):
            return None
        if over := self._budget.spend_characters(len(word)):
            self.tell(node, "E108", over)
            return None
        for found in template_faults(word):
            fault = Fault(found.start, found.code, found.length, found.message, found.hint)
            self.problems.append(self.source.in_expression(node, fault))
        return word

    def tell(self, node: Node, code: str, message: str, hint: str = "") -> None:
        self.problems.append(self.source.at(node, code, message, hint))

    def entries(
        self, node: Node, known: Collection[str], *, what: str, required: Collection[str] = ()
    ) -> MappingOf[str, tuple[Scalar, Node]] | None:
        """The known keys of a mapping with their values; unknown and missing keys are told."""
        if not isinstance(node, Mapping):
            self.tell(node, "E107", f"{what} is a mapping: keys and values, one per line")
            return None
        if len(node.entries) > MAX_KEYS:
            self.tell(node, "E108", f"{what} has {len(node.entries):,} keys; at most {MAX_KEYS} are read")
            return None
        found: dict[str, tuple[Scalar, Node]] = {}
        meant_keys: set[str] = set()
        for key, value in node.entries:
            if key.text in known:
                found[key.text] = (key, value)
                continue
            meant = _RENAMED.get(key.text) if _RENAMED.get(key.text) in known else None
            meant = meant or did_you_mean(key.text, frozenset(known))
            if meant:
                meant_keys.add(meant)
            hint = f'did you mean "{meant}"?' if meant else ""
            self.tell(key, "E102", f'unknown key "{_short(key.text)}"', hint)
        for name in required:
            # A near miss was told already; both messages would speak of one slip.
            if name not in found and name not in meant_keys:
                self.problems.append(self.source.problem("E104", f'{what} has no "{name}"', start=node.start))
        return found

    def items(self, node: Node, *, what: str) -> list[Node] | None:
        if isinstance(node, Sequence):
            return node.items
        self.tell(node, "E107", f"{what} is a list: one item per line, each after a dash")
        return None

    def word(self, node: Node, key: str) -> str | None:
        """Any text that is not empty."""
        if not isinstance(node, Scalar):
            self.tell(
                node, "E107", f'"{key}" takes one value, not a {"list" if isinstance(node, Sequence) else "mapping"}'
            )
            return None
        if not node.style and node.text in _NULLS:
            self.tell(node, "E106", f'"{key}" has no value')
            return None
        return node.text

    def words(self, node: Node, key: str, *, most: int = MAX_WORDS) -> tuple[str, ...] | None:
        """A list of at most so many words; one word alone counts as a list of one."""
        if isinstance(node, Mapping):
            self.tell(node, "E107", f'"{key}" takes a list of words, such as [one, two]')
            return None
        nodes = node.items if isinstance(node, Sequence) else [node]
        if len(nodes) > most:
            self.tell(node, "E108", f'"{key}" lists {len(nodes):,} words; at most {most:,} are read')
            return None
        if over := self._budget.spend_words(len(nodes)):
            self.tell(node, "E108", over)
            return None
        found = [self.word(item, key) for item in nodes]
        return tuple(word for word in found if word is not None) if None not in found else None

    def patterns(self, node: Node, key: str) -> tuple[str, ...] | None:
        """A list of symbols with wildcards."""
        words = self.words(node, key)
        if words is None:
            return None
        if over := self._budget.spend_patterns(len(words)):
            self.tell(node, "E108", over)
            return None
        for word, item in zip(words, node.items if isinstance(node, Sequence) else [node], strict=True):
            if len(word) > MAX_GLOB_LENGTH or sum(char in "*?[" for char in word) > MAX_GLOB_WILDCARDS:
                message = f"a pattern has at most {MAX_GLOB_LENGTH} characters and {MAX_GLOB_WILDCARDS} wildcards"
                self.tell(item, "E114", message)
        return words

    def choices(self, node: Node, key: str, choices: Collection[str]) -> tuple[str, ...] | None:
        """A list of words out of a few."""
        if self.words(node, key, most=MAX_CHOICES) is None:
            return None
        nodes = node.items if isinstance(node, Sequence) else [node]
        found = [self.choice(item, key, choices) for item in nodes]
        return tuple(word for word in found if word is not None) if None not in found else None

    def choice(self, node: Node, key: str, choices: Collection[str]) -> str | None:
        """One word out of a few."""
        word = self.word(node, key)
        if word is None or word in choices:
            return word
        meant = did_you_mean(word, frozenset(choices))
        listed = ", ".join(choices)
        hint = f'did you mean "{meant}"?' if meant else ""
        self.tell(node, "E106", f'"{_short(word)}" is no {key}; choose one of {listed}', hint)
        return None

    def boolean(self, node: Node, key: str) -> bool | None:
        word = self.word(node, key)
        if word in {"true", "True", "TRUE"}:
            return True
        if word in {"false", "False", "FALSE"}:
            return False
        if word is not None:
            meant = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(word.lower())
            hint = f"write {meant}" if meant else ""
            self.tell(node, "E106", f'"{key}" takes true or false, not "{_short(word)}"', hint)
        return None

    def duration_ms(self, node: Node, key: str, *, least_ms: int, most_ms: int) -> int | None:
        word = self.word(node, key)
        if word is None:
            return None
        found = parse_duration_ms(word)
        if found is None:
            message = f'"{_short(word)}" is not a duration; write a number and s, m, h or d, such as 15m'
            self.tell(node, "E105", message)
        elif not least_ms <= found <= most_ms:
            least, most = (number_text(Number(ms, "duration")) for ms in (least_ms, most_ms))
            self.tell(node, "E114", f'"{key}" lies between {least} and {most}')
        else:
            return found
        return None

    def number(self, node: Node, key: str, *, least: float, most: float, example: str) -> Number | None:
        """A number or percentage from `least` to `most`; both are plain values, so 5% is 0.05."""
        word = self.word(node, key)
        if word is None:
            return None
        found = parse_number(word)
        if found is None or found.unit == "duration":
            self.tell(node, "E106", f'"{_short(word)}" is no number for "{key}"; write one such as {example}')
        elif not least <= found.value <= most:
            low, high = number_text(Number(least)), number_text(Number(most))
            self.tell(node, "E114", f'"{key}" lies between {low} and {high}')
        else:
            return found
        return None

    def amount(self, node: Node, key: str) -> float | None:
        """A positive number without unit."""
        found = self.number(node, key, least=0, most=1e15, example="20M or 20_000_000")
        if found is not None and found.unit:
            self.tell(node, "E106", f'"{key}" takes an amount such as 20M, no percentage')
            return None
        return found.value if found else None

    def whole(self, node: Node, key: str, *, least: int, most: int) -> int | None:
        found = self.number(node, key, least=least, most=most, example=str(least))
        if found is not None and (found.unit or found.value != int(found.value)):
            self.tell(node, "E106", f'"{key}" takes a whole number')
            return None
        return int(found.value) if found else None

    def expression(self, node: Node, key: str, *, per: Per, wants_condition: bool = True) -> Expr | None:
        """A condition, or a value; its problems stand at their true places."""
        word = self.word(node, key)
        if word is None or not isinstance(node, Scalar):
            return None
        parse = parse_condition if wants_condition else parse_value
        if over := self._budget.spend_characters(len(word)):
            self.tell(node, "E108", over)
            return None
        parsed = parse(word, per=per)
        if parsed.expr is not None and (over := self._budget.spend_parts(sum(1 for _ in walk(parsed.expr)))):
            self.tell(node, "E108", over)
            return None
        self.problems.extend(self.source.in_expression(node, fault) for fault in parsed.faults)
        return parsed.expr


_RENAMED: Final = {
    "hold": "for",
    "expr": "when",
    "condition": "when",
    "if": "when",
    "throttle": "cooldown",
    "realert": "cooldown",
    "repeat_interval": "repeat",
    "title": "name",
    "description": "name",
    "receivers": "notify",
    "alert": "notify",
    "symbol": "symbols",
    "pairs": "symbols",
}
"""What people who know other tools write."""


def _short(word: str) -> str:
    return word if len(word) <= 40 else f"{word[:40]}…"
