"""The `Rehearsals` port: what memory holds is copied in the loop, and run over in a thread, one at a time."""

import asyncio
from collections.abc import Sequence
from typing import Final

from bot import log
from bot.app.chat_rules import rule_of
from bot.clock import Clock
from bot.engine.engine import Engine
from bot.engine.past import past_of
from bot.engine.subscriptions import expr_of
from bot.history.rehearsal import rehearse
from bot.model.chat_alert import ChatAlert
from bot.model.chat_rule import ChatRule
from bot.model.rehearsal import Rehearsed
from bot.rules.ast import Expr, series_used
from bot.rules.parse import parse_condition

SPAN_MS: Final = 86_400_000
PATIENCE_S: Final = 5.0
MAX_WAITING: Final = 5

_log = log.get("chat")


class Rehearser:
    """One per bot."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._turn = asyncio.Semaphore(1)
        self._n_waiting = 0

    async def rehearse(
        self, ones: Sequence[ChatAlert | ChatRule], instruments: Sequence[str]
    ) -> Sequence[Rehearsed | None]:
        """As the port says; also None where too many ask at once, or it takes too long."""
        nothing: list[Rehearsed | None] = [None] * len(ones)
        if self._n_waiting >= MAX_WAITING:
            return nothing
        self._n_waiting += 1
        try:
            async with self._clock.timeout(max(PATIENCE_S, PATIENCE_S * self._clock.speed)), self._turn:
                return await self._rehearse(ones, instruments)
        except TimeoutError:
            _log.warning("rehearsal.too_slow", n=len(ones))
            return nothing
        finally:
            self._n_waiting -= 1

    async def _rehearse(
        self, ones: Sequence[ChatAlert | ChatRule], instruments: Sequence[str]
    ) -> Sequence[Rehearsed | None]:
        used = {name for one in ones for name in series_used(_condition(one))}
        pasts = [past_of(self._engine, key, used, span_ms=SPAN_MS) for key in instruments]
        known = [past for past in pasts if past is not None]
        if not known:
            return [None] * len(ones)
        symbols = tuple(dict.fromkeys(past.instrument.symbol for past in known))
        alerts = [one for one in ones if isinstance(one, ChatAlert)]
        rules = [rule_of(one, symbols=symbols) for one in ones if isinstance(one, ChatRule)]
        found = await asyncio.to_thread(rehearse, alerts, rules, known)
        return [found.get(one.id) for one in ones]


def _condition(one: ChatAlert | ChatRule) -> Expr:
    if isinstance(one, ChatAlert):
        return expr_of(one.measure)
    parsed = parse_condition(one.when)
    if parsed.expr is None:
        raise ValueError(f"{one.when!r}: expected a condition of the rule language, found {parsed.faults[0].message}")
    return parsed.expr
