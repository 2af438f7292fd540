"""What is odd about a rule in the world it runs in: which symbols there are, how often they are polled.

None of this is known from the file alone. Whoever knows it passes it in; what is not passed is not judged, and no
number is made up. Only warnings come from here: the world may change, the rule stays sound.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bot.feeds.schedule import FLOOR_MS
from bot.model.instrument import Instrument
from bot.rules.ast import duration_text, series_used
from bot.rules.language import did_you_mean
from bot.rules.nodes import Mapping as MappingNode
from bot.rules.nodes import Node, Scalar, Source
from bot.rules.nodes import Sequence as SequenceNode
from bot.rules.problems import Problem
from bot.rules.schema import Rule
from bot.rules.scope import matches

_POLLED: Final = frozenset({"oi", "oi_usd"})
_MAX_GUESSED: Final = 2_000


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known of the world; None where it is not."""

    instruments: Sequence[Instrument] | None = None
    """All that the venue lists now."""
    oi_interval_ms: int = FLOOR_MS
    """How often open interest is read at most; as often as the venue refreshes it, where no more is known."""


def lint_surroundings(
    rule: Rule, surroundings: Surroundings, source: Source, nodes: Mapping[str, Node]
) -> list[Problem]:
    """Warnings about one sound rule; `nodes` are the values of the keys that its file gives."""
    return [
        *_scope(rule, surroundings.instruments, source, nodes),
        *_poll(rule, surroundings.oi_interval_ms, source, nodes),
    ]


def _scope(
    rule: Rule, instruments: Sequence[Instrument] | None, source: Source, nodes: Mapping[str, Node]
) -> list[Problem]:
    if instruments is None:
        return []
    problems = []
    scope = nodes.get("scope")
    listed = scope.get("symbols") if isinstance(scope, MappingNode) else None
    items = listed.items if isinstance(listed, SequenceNode) else [listed] if listed is not None else []
    symbols = frozenset(instrument.symbol for instrument in instruments)
    for item in items:
        name = item.text if isinstance(item, Scalar) else ""
        if name and not any(char in name for char in "*?[") and name not in symbols:
            lowered = {symbol.lower(): symbol for symbol in symbols}
            meant = did_you_mean(name, frozenset(lowered)) if len(symbols) <= _MAX_GUESSED else None
            hint = f'did you mean "{lowered[meant]}"?' if meant else ""
            problems.append(source.at(item, "W311", f'the venue lists no "{name[:40]}" now', hint))
    if not problems and not any(matches(rule.scope, instrument) for instrument in instruments):
        at = scope if scope is not None else nodes["when"]
        problems.append(source.at(at, "W311", f"none of the {len(instruments):,} contracts listed now is in scope"))
    return problems


def _poll(rule: Rule, interval_ms: int, source: Source, nodes: Mapping[str, Node]) -> list[Problem]:
    node = nodes.get("for")
    if node is None or not 0 < rule.for_ms < interval_ms or not series_used(rule.when) & _POLLED:
        return []
    message = f'open interest is read every {duration_text(interval_ms)} or less often; "for" means "seen at the next poll" here'
    return [source.at(node, "W310", message)]
