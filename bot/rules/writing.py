"""A rule -> the text of a rule file that gives exactly this rule, for rules that come from elsewhere than files."""

from typing import Final

from bot.rules.ast import Number, duration_text, functions_used, number_text, text
from bot.rules.language import CROSSINGS
from bot.rules.schema import Rule, Scope

_DEFAULT_SCOPE: Final = Scope()


def rule_text(rule: Rule) -> str:
    """A whole file with this one rule. Every default is written out, so that it does not depend on what they are."""
    lines = [
        f"id: {rule.id}",
        f"name: {_quoted(rule.title)}",
        f"enabled: {_truth(value=rule.enabled)}",
        *_scope(rule.scope),
        f"per: {rule.per}",
        f"when: {_quoted(text(rule.when))}",
        *([] if rule.clear is None else [f"clear: {_quoted(text(rule.clear))}"]),
        f"for: {duration_text(rule.for_ms)}",
        f"cooldown: {duration_text(rule.cooldown_ms)}",
        *_while_firing(rule),
        *([] if rule.value is None else [f"value: {_quoted(text(rule.value))}"]),
        f"once: {_truth(value=rule.once)}",
        f"severity: {rule.severity}",
        f"notify: {_listed(rule.notify)}",
        f"tags: {_listed(rule.tags)}",
        f"silent: {_truth(value=rule.silent)}",
        *([] if rule.ttl_ms is None else [f"ttl: {duration_text(rule.ttl_ms)}"]),
        f"chart: {_truth(value=rule.chart)}",
        *([] if rule.message is None else [f"message: {_quoted(rule.message)}"]),
        f"inhibits: {_listed(rule.inhibits)}",
        *([f"base: {rule.base}"] if rule.base else []),
    ]
    return "rules:\n- " + "\n  ".join(lines) + "\n"


def _while_firing(rule: Rule) -> list[str]:
    """A crossing is over at once, so it may not even say that it has none."""
    if functions_used(rule.when) & CROSSINGS:
        return []
    return [
        f"repeat: {'off' if rule.repeat_ms is None else duration_text(rule.repeat_ms)}",
        f"escalate: {'off' if rule.escalate is None else number_text(Number(rule.escalate))}",
    ]


def _scope(scope: Scope) -> list[str]:
    if scope == _DEFAULT_SCOPE:
        return []
    lines = [
        f"{key}: {_listed(words)}"
        for key, words in (
            ("symbols", scope.symbols),
            ("exclude", scope.exclude),
            ("venues", scope.venues),
            ("types", scope.types),
            ("quotes", scope.quotes),
        )
        if words
    ]
    lines += [f"by: {scope.by}", *([] if scope.top is None else [f"top: {scope.top}"])]
    for key, amount in (("min_oi_usd", scope.min_oi_usd), ("min_volume_24h", scope.min_volume_24h)):
        lines += [] if amount is None else [f"{key}: {number_text(Number(amount))}"]
    return ["scope:", *(f"  {line}" for line in lines)]


def _truth(*, value: bool) -> str:
    return "true" if value else "false"


def _listed(words: tuple[str, ...]) -> str:
    return f"[{', '.join(map(_quoted, words))}]"


def _quoted(value: str) -> str:
    """In double quotes; what cannot be seen is escaped."""
    return f'"{"".join(map(_escaped, value))}"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    return char if char.isprintable() else f"\\U{ord(char):08x}"
