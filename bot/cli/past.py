"""Explanations of the past: a journal is run again up to a time, and its engine is asked there."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bot.chat.local import explain_named
from bot.chat.local_asking import Answer
from bot.engine.cards import Cards
from bot.engine.engine import Engine
from bot.engine.explaining import explain, glances
from bot.errors import ConfigError
from bot.history import journal
from bot.history.recorded_rules import rules_of
from bot.history.replay import engine_at
from bot.model.alert import Transition, key_range
from bot.model.explanation import Explanation, Glance, RuleName
from bot.model.instrument import MARKET
from bot.model.numbers import clock_time
from bot.rules.schema import Rule

N_HISTORY = 5


class PastWhy:
    """The `WhyReader` port over an engine that stands still."""

    def __init__(self, engine: Engine, transitions: Sequence[Transition], loaded: Sequence[Rule]) -> None:
        """`transitions`: oldest first."""
        self._engine = engine
        self._transitions = tuple(reversed(transitions))
        self._loaded = loaded

    def rules(self, chat: str | None = None) -> Sequence[RuleName]:  # noqa: ARG002, a recording is one reader's own
        # Other rules may watch by now than those that were loaded at the start.
        watching = {rule.id: RuleName(rule.id, rule.title) for rule in self._engine.rules if not rule.base}
        off = (RuleName(r.id, r.title, is_on=False) for r in self._loaded if r.id not in watching)
        return (*watching.values(), *off)

    async def explain(self, rule_id: str, instrument: str, *, chat: str | None = None) -> Explanation | None:  # noqa: ARG002, as above
        found = explain(self._engine, rule_id, instrument)
        if found is None:
            return None
        symbol = MARKET if found.per_market else found.symbol
        mine = [t for t in self._transitions if t.rule_id == rule_id and t.symbol == symbol]
        return replace(found, history=tuple(mine[:N_HISTORY]))

    async def explain_alert(self, prefix: str, chat: str) -> Explanation | None:  # noqa: ARG002, of the rules alone
        return None

    async def glances(self, instrument: str, *, chat: str | None = None) -> tuple[Sequence[Glance], int]:  # noqa: ARG002, as above
        return glances(self._engine, instrument)

    async def firing(self, prefix: str, chat: str) -> Sequence[Transition]:  # noqa: ARG002, a recording is one reader's own
        wanted = key_range(prefix)
        return [t for t in self._transitions if wanted is not None and wanted[0] <= t.key < wanted[1]]


async def explain_past(files: list[Path], rule: str, symbol: str, *, at_ms: int | None) -> Answer:
    """Run journals of one run up to a time (None: to their end) with the rules they were recorded with, and explain.

    Raises `ConfigError` where a file is missing or the time lies before the recording.
    """
    missing = [str(f) for f in files if not f.is_file()]
    if missing:
        raise ConfigError(f"explain: no such file: {', '.join(missing)}")
    header, entries = journal.read_all(files)
    loaded = rules_of(header.rule_files, header.destinations)
    engine, transitions = engine_at(header, entries, loaded, until_ms=sys.maxsize if at_ms is None else at_ms)
    if engine.last is None:
        at = "" if at_ms is None else f" at or before {clock_time(at_ms, seconds=True)} ({at_ms})"
        raise ConfigError(f"explain: the recording holds no evaluation{at}; name a later time or another file")
    why = PastWhy(engine, transitions, loaded)
    return await explain_named(rule, symbol, market=Cards(engine), why=why)
