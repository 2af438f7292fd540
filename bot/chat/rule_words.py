"""Rules among words: their names may be of several, and stand anywhere. Pure."""

from collections.abc import Sequence
from typing import Final

from bot.chat.why import SUGGESTION_SCORE, find_rule, rule_score
from bot.model.explanation import RuleName

MAX_NAME_WORDS: Final = 8

Run = tuple[int, int]
"""Where it begins and ends among words; the end is not of it."""


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
