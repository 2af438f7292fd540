"""The rules that a journal was recorded with."""

from collections.abc import Collection, Mapping

from bot.rules.loader import load_texts
from bot.rules.schema import Rule


def rules_of(rule_files: Mapping[str, str], destinations: Collection[str]) -> tuple[Rule, ...]:
    """Read as they were then, by names and texts of files; what could not be loaded then is not loaded now either."""
    return load_texts(rule_files, destinations=destinations).rules
