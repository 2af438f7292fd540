"""The `Rehearsals` port: what memory holds is copied in the loop, and run over in a thread, one at a time."""

import asyncio
import glob
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from bot import log
from bot.app.conditions import QUOTES, TYPES, rule_of
from bot.app.venue_rehearsal import completed
from bot.clock import Clock
from bot.engine.engine import Engine
from bot.engine.past import Past, past_of
from bot.engine.subscriptions import expr_of
from bot.history.rehearsal import rehearse
from bot.model.chart_ports import VenuePast
from bot.model.chat_alert import ChatAlert
from bot.model.chat_rule import ChatRule
from bot.model.rehearsal import Rehearsed
from bot.rules.ast import Expr, series_used
from bot.rules.parse import parse_condition
from bot.rules.schema import Rule, Scope

SPAN_MS: Final = 86_400_000
PATIENCE_S: Final = 8.0
MAX_ASKED: Final = 3
"""Of more contracts at once the venue is not asked."""
MAX_WAITING: Final = 5

T = TypeVar("T")

_log = log.get("chat")


class Rehearser:
    """One per bot."""

    def __init__(self, engine: Engine, clock: Clock, venue: Callable[[], VenuePast | None] = lambda: None) -> None:
        """`venue`: is asked of a few named contracts of which memory holds too little; None where it cannot be."""
        self._venue = venue
        self._engine = engine
        self._clock = clock
        self._turn = asyncio.Semaphore(1)
        self._n_waiting = 0

    async def rehearse(
        self, ones: Sequence[ChatAlert | ChatRule], instruments: Sequence[str]
    ) -> Sequence[Rehearsed | None]:
        """As the port says; also None where too many ask at once, or it takes too long."""
        found = await self._in_turn(self._rehearse(ones, instruments))
        return [None] * len(ones) if found is None else found

    async def rehearse_rule(self, rule: Rule, instrument: str) -> Rehearsed | None:
        """Of a rule that looks at each contract, on one of them; None where it cannot be told."""
        return await self._in_turn(self._rehearse_rule(rule, instrument))

    async def _in_turn(self, work: Coroutine[Any, Any, T]) -> T | None:
        if self._n_waiting >= MAX_WAITING:
            work.close()
            return None
        self._n_waiting += 1
        try:
            async with self._clock.timeout(max(PATIENCE_S, PATIENCE_S * self._clock.speed)), self._turn:
                return await work
        except TimeoutError:
            _log.warning("rehearsal.too_slow")
            return None
        finally:
            self._n_waiting -= 1
            # Where it never had its turn.
            work.close()

    async def _rehearse_rule(self, rule: Rule, instrument: str) -> Rehearsed | None:
        past = past_of(self._engine, instrument, series_used(rule.when) | series_used(rule.end), span_ms=SPAN_MS)
        if past is None or rule.per == "market":
            return None
        scope = Scope(symbols=(glob.escape(past.instrument.symbol),), types=TYPES, quotes=QUOTES)
        alone = replace(rule, scope=scope, inhibits=(), enabled=True)
        return (await asyncio.to_thread(rehearse, [], [alone], [past])).get(rule.id)

    async def _rehearse(
        self, ones: Sequence[ChatAlert | ChatRule], instruments: Sequence[str]
    ) -> Sequence[Rehearsed | None]:
        used = {name for one in ones for name in series_used(_condition(one))}
        pasts = [past_of(self._engine, key, used, span_ms=SPAN_MS) for key in instruments]
        if len(instruments) <= MAX_ASKED:
            pasts = list(
                await asyncio.gather(*(self._completed(*one, used) for one in zip(instruments, pasts, strict=True)))
            )
        known = [past for past in pasts if past is not None]
        if not known:
            return [None] * len(ones)
        symbols = tuple(dict.fromkeys(past.instrument.symbol for past in known))
        alerts = [one for one in ones if isinstance(one, ChatAlert)]
        rules = [rule_of(one, symbols=symbols) for one in ones if isinstance(one, ChatRule)]
        found = await asyncio.to_thread(rehearse, alerts, rules, known)
        return [found.get(one.id) for one in ones]

    async def _completed(self, key: str, past: Past | None, series: Collection[str]) -> Past | None:
        venue, universe = self._venue(), self._engine.market.universe
        row = universe.row(key)
        instrument = None if row is None else universe.at(row)
        if venue is None or instrument is None:
            return past
        return await completed(past, venue, instrument, series, self._engine.now_ms)


def _condition(one: ChatAlert | ChatRule) -> Expr:
    if isinstance(one, ChatAlert):
        return expr_of(one.measure)
    parsed = parse_condition(one.when)
    if parsed.expr is None:
        raise ValueError(f"{one.when!r}: expected a condition of the rule language, found {parsed.faults[0].message}")
    return parsed.expr
