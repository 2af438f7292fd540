"""The `RulesReader` port over a running bot."""

from collections.abc import Callable, Sequence
from typing import Final

from bot.app.live import Live
from bot.engine.engine import Engine
from bot.errors import StorageError
from bot.model.alert import State
from bot.model.ports import AlertStore
from bot.model.rules_seen import RuleSeen, RulesSeen
from bot.rules.ast import text
from bot.rules.schema import Rule

DAY_MS: Final = 86_400_000
MAX_TRANSITIONS: Final = 10_000


class RulesShelf:
    """Rules with what they did today."""

    def __init__(
        self,
        *,
        engine: Engine,
        live: Live,
        alerts: AlertStore,
        loaded: Callable[[], Sequence[Rule]],
        problems: Callable[[], Sequence[str]],
    ) -> None:
        """`loaded`: all rules of the files, those that are switched off too. `problems`: what is wrong with the files."""
        self._engine = engine
        self._live = live
        self._alerts = alerts
        self._loaded = loaded
        self._problems = problems

    async def rules_seen(self) -> RulesSeen:
        today_ms = self._live.venue_now() // DAY_MS * DAY_MS
        problems = list(self._problems())
        n_today: dict[str, int] = {}
        try:
            for one in await self._alerts.transitions(since_ms=today_ms, limit=MAX_TRANSITIONS):
                if one.state is State.FIRING:
                    n_today[one.rule_id] = n_today.get(one.rule_id, 0) + 1
        except StorageError as error:
            problems.append(f"What is stored cannot be read: {error}. Counts of today are missing.")
        return RulesSeen(tuple(self._seen(rule, n_today.get(rule.id, 0)) for rule in self._loaded()), tuple(problems))

    def _seen(self, rule: Rule, n_today: int) -> RuleSeen:
        book = self._engine.book(rule.id)
        found = [] if book is None else [book.look(row) for row in book.rows_in(State.FIRING)]
        found.sort(key=lambda record: -(record.fired_ms or 0))
        return RuleSeen(
            id=rule.id,
            title=rule.title,
            is_on=rule.enabled,
            condition=text(rule.when),
            for_ms=rule.for_ms,
            severity=rule.severity,
            per_market=rule.per == "market",
            n_today=n_today,
            firing=tuple(record.instrument for record in found),
            n_pending=0 if book is None else len(book.rows_in(State.PENDING)),
        )
