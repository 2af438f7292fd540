"""Rules among words: their names may be of several, and stand anywhere. Pure."""

from collections.abc import Sequence
from typing import Final

from rapidfuzz.distance import JaroWinkler

from bot.model.explanation import RuleName

SUGGESTION_SCORE: Final = 0.75
MAX_SUGGESTIONS: Final = 3
MAX_NAME_WORDS: Final = 8

Run = tuple[int, int]
"""Where it begins and ends among words; the end is not of it."""


_UNIFIED: Final = str.maketrans("- ", "__", ",\"'")


def _plain(word: str) -> str:
    return word.casefold().translate(_UNIFIED)


def find_rule(word: str, rules: Sequence[RuleName]) -> RuleName | None:
    """By its id, else by its name; case, dashes, commas and quotes do not count, and words may have spaces between."""
    wanted = _plain(word)
    by_id = next((rule for rule in rules if rule.id == wanted), None)
    return by_id or next((rule for rule in rules if _plain(rule.title) == wanted), None)


def rule_score(word: str, rule: RuleName) -> float:
    """How near a word is to the id or the name of a rule, from 0 to 1."""
    wanted = _plain(word)
    return max(JaroWinkler.similarity(wanted, name) for name in (rule.id, _plain(rule.title)))


def near_rules(word: str, rules: Sequence[RuleName]) -> tuple[RuleName, ...]:
    """What was probably meant, best first."""
    scored = sorted(((-rule_score(word, rule), rule.id, rule) for rule in rules), key=lambda s: s[:2])
    return tuple(rule for score, _, rule in scored[:MAX_SUGGESTIONS] if -score >= SUGGESTION_SCORE)


def rule_at(words: Sequence[str], start: int, rules: Sequence[RuleName]) -> tuple[RuleName, int] | None:
    """The rule that is named from there on by most words, and where its name ends."""
    for end in range(min(len(words), start + MAX_NAME_WORDS), start, -1):
        if (found := find_rule(" ".join(words[start:end]), rules)) is not None:
            return found, end
    return None


def rule_among(words: Sequence[str], rules: Sequence[RuleName]) -> tuple[RuleName, Run] | None:
    """The rule that is named by most words, and where."""
    found = [(at, start) for start in range(len(words)) if (at := rule_at(words, start, rules)) is not None]
    if not found:
        return None
    (rule, end), start = max(found, key=lambda one: one[0][1] - one[1])
    return rule, (start, end)


def near_run(words: Sequence[str], rules: Sequence[RuleName], starts: Sequence[int] | None = None) -> Run | None:
    """The words that are nearest to the name of a rule, from one of `starts` on; None where none are near."""

    def score(run: Run) -> float:
        return max((rule_score(" ".join(words[slice(*run)]), rule) for rule in rules), default=0.0)

    runs = [
        (start, end)
        for start in (range(len(words)) if starts is None else starts)
        for end in range(start + 1, min(len(words), start + MAX_NAME_WORDS) + 1)
    ]
    best = max(runs, key=score, default=None)
    return best if best is not None and score(best) >= SUGGESTION_SCORE else None


def apart(words: Sequence[str], rules: Sequence[RuleName]) -> tuple[str, ...]:
    """At most two words, as `/why` takes them: what else was typed, and the name of a rule, the latter as one word."""
    found = rule_among(words, rules)
    if found is not None:
        rule, (start, end) = found
        others = (*words[:start], *words[end:])
        if len(others) <= 1 and (others or end - start > 1):
            return (*others, rule.id)
    if len(words) <= 2:
        return tuple(words)
    start, end = near_run(words, rules) or (1, len(words))
    if len(words) - (end - start) > 1:
        start, end = 1, len(words)
    return (*words[:start], *words[end:], "_".join(words[start:end]))
