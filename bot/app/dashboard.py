"""The `DashboardReader` port over a running bot: columns of the last tick, stored firings, rules as they lie on the disk."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bot import log
from bot.app.background import in_background
from bot.app.charting import EXTRAS
from bot.app.chat_rules import ChatRules
from bot.app.live import Live
from bot.app.rehearsals import Rehearser
from bot.chat import why_text
from bot.chat.symbols import NotFound, SymbolBook
from bot.engine import whole_market
from bot.engine.cards import Cards
from bot.engine.engine import Engine
from bot.model.alert import State, short_id
from bot.model.cards import BotStatus
from bot.model.chart_ports import ChartReader
from bot.model.charts import ChartData, NoPicture
from bot.model.chat_alert import is_alert_id
from bot.model.chat_alert_ports import ChatAlertStore
from bot.model.dashboard import (
    Firing,
    FiringStore,
    MarketTable,
    RuleLine,
    RuleList,
    ToldAlert,
    Tried,
    WhyLine,
    WhyPage,
)
from bot.model.explanation import Explanation, Glance
from bot.model.instrument import MARKET
from bot.model.numbers import quantity
from bot.model.overview import Overview, OverviewReader
from bot.model.ports import WhyReader
from bot.model.scorecard import HORIZONS_MS
from bot.model.scorecard_ports import ScoreStore
from bot.rules.ast import text
from bot.rules.forms import number_of, with_number
from bot.rules.loader import RuleSet, load_folder
from bot.rules.meter import Meter
from bot.rules.problems import render
from bot.rules.schema import Rule

DAY_MS: Final = 86_400_000
MAX_OWN: Final = 1_000
"""Alerts made in one chat."""
SPARKS_FOR_MS: Final = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The parts of a bot that pages are made of."""

    engine: Engine
    live: Live
    cards: Cards
    overview: OverviewReader
    why: WhyReader
    charts: ChartReader | None
    rehearser: Rehearser
    firings: FiringStore
    scores: ScoreStore
    chat_alerts: ChatAlertStore
    chat_rules: ChatRules
    rules_dir: Path
    destinations: Callable[[], Sequence[str]]
    """Names that rules may notify."""


def why_page(found: Explanation) -> WhyPage:
    """In the words of `/why`."""
    value = "" if found.value is None else f"{found.value_text} = {quantity(found.value, found.unit)}"
    return WhyPage(
        heading=why_text.heading(found),
        rule_id=found.rule_id,
        at_ms=found.at_ms,
        phase=found.alert.phase,
        state=why_text.alert_text(found.alert, found.unit, found.at_ms),
        value=value,
        notes=(*found.why, *(why_text.hush_text(hush, found.at_ms) for hush in found.hushed)),
        next=found.alert.next,
        lines=tuple(WhyLine(o.depth, o.verdict, o.text, o.details) for o in why_text.tree(found.when)),
        ends=WhyLine(0, found.clear.verdict, found.clear.text),
        history=tuple(why_text.transition_text(t, found) for t in found.history),
    )


class Dashboard:
    """One per bot. Between two ticks everyone who looks gets the same table."""

    def __init__(self, sources: Sources) -> None:
        self._from = sources
        self._table: MarketTable | None = None
        self._sparks: tuple[int, Mapping[str, Sequence[float | None]]] = (-SPARKS_FOR_MS, {})

    def table(self) -> MarketTable:
        engine, table = self._from.engine, self._table
        if table is None or table.at_ms != engine.now_ms or not table.symbols:
            table = self._table = whole_market.table(engine)
        return table

    def sparks(self) -> Mapping[str, Sequence[float | None]]:
        now_ms = self._from.engine.now_ms
        if now_ms - self._sparks[0] >= SPARKS_FOR_MS or not self._sparks[1]:
            self._sparks = now_ms, whole_market.sparks(self._from.engine)
        return self._sparks[1]

    def key_of(self, symbol: str) -> str | None:
        found = SymbolBook(self._from.cards.instruments()).resolve(symbol)
        return None if isinstance(found, NotFound) else found.key

    async def status(self) -> BotStatus:
        return await self._from.overview.status()

    async def overview(self, window_ms: int, n: int) -> Overview:
        return await self._from.overview.overview(window_ms, n)

    async def chart(self, key: str, span_ms: int) -> ChartData | NoPicture:
        if self._from.charts is None:
            return NoPicture("the bot has only just started")
        return await self._from.charts.chart(key, span_ms, extra=frozenset(EXTRAS))

    async def glances(self, key: str, *, chat: str) -> tuple[Sequence[Glance], int]:
        return await self._from.why.glances(key, chat=chat)

    async def why(self, rule_id: str, key: str, *, chat: str) -> WhyPage | None:
        if is_alert_id(rule_id):
            found = await self._from.why.explain_alert(rule_id, chat)
        else:
            found = await self._from.why.explain(rule_id, key, chat=chat)
        return None if found is None else why_page(found)

    # -- alerts --------------------------------------------------------------------------------------------------

    async def alerts(self, *, limit: int, chat: str, symbol: str = "") -> Sequence[ToldAlert]:
        alerts = await self._from.chat_alerts.of_chat(chat, limit=MAX_OWN)
        own = [*(one.id for one in alerts), *(one.id for one in self._from.chat_rules.of_chat(chat))]
        found = await self._from.firings.firings(limit=limit, own=own, symbol=symbol)
        names = {rule.id: rule for rule in self._from.engine.rules}
        scored = await self._from.scores.own([one.fired.key for one in found])
        scores = {one.moment.key: {score.horizon_ms: score.price for score in one.scores} for one in scored}
        return [self._told(one, names.get(one.fired.rule_id), scores.get(one.fired.key, {})) for one in found]

    def _told(self, one: Firing, rule: Rule | None, prices: Mapping[int, float | None]) -> ToldAlert:
        fired, ended = one.fired, one.ended
        # What was kept from everyone left no message that says it.
        options = () if rule is None else Meter(rule, lambda _: None).options
        measured = options[0] if options else None
        key = MARKET if fired.symbol == MARKET else f"{fired.venue}:{fired.symbol}"
        return ToldAlert(
            short_id=short_id(fired.key),
            rule_id=fired.rule_id,
            title=one.title or (rule.title if rule is not None else fired.rule_id),
            key=key,
            symbol=fired.symbol,
            severity=one.severity or (rule.severity if rule is not None else "info"),
            fired_ms=fired.at_ms,
            ended_ms=None if ended is None else ended.at_ms,
            value_text=one.value_text or ("" if measured is None else measured.text),
            value=fired.value,
            is_ratio=one.is_ratio or (not one.value_text and measured is not None and measured.is_ratio),
            reason="" if ended is None else ended.reason,
            receipts=one.receipts,
            later=tuple(prices.get(horizon_ms) for horizon_ms in HORIZONS_MS),
        )

    # -- rules ---------------------------------------------------------------------------------------------------

    async def _on_disk(self) -> RuleSet:
        """As they lie there now, sound or not."""
        folder, names = self._from.rules_dir, tuple(self._from.destinations())
        return await in_background("rules on disk", lambda: load_folder(folder, destinations=names))

    async def rules(self) -> RuleList:
        found = await self._on_disk()
        now_ms = self._from.engine.now_ms
        day = await self._from.firings.counts(since_ms=now_ms - DAY_MS)
        week = await self._from.firings.counts(since_ms=now_ms - 7 * DAY_MS)
        watching = {rule.id: rule for rule in self._from.engine.rules if not rule.base}
        lines = [self._line(watching.get(rule.id, rule), day, week) for rule in found.rules]
        return RuleList(tuple(lines), tuple(log.redact(render(problem)) for problem in found.problems))

    def _line(self, rule: Rule, day: Mapping[str, int], week: Mapping[str, int]) -> RuleLine:
        book = self._from.engine.book(rule.id)
        number = number_of(rule) if rule.per == "symbol" else None
        return RuleLine(
            id=rule.id,
            title=rule.title,
            condition=text(rule.when),
            severity=rule.severity,
            is_on=book is not None,
            n_firing=0 if book is None else len(book.rows_in(State.FIRING)),
            n_pending=0 if book is None else len(book.rows_in(State.PENDING)),
            n_fired_day=day.get(rule.id, 0),
            n_fired_week=week.get(rule.id, 0),
            number=None if number is None else number.number.value,
            is_ratio=number is not None and number.number.unit == "%",
        )

    async def tried(self, rule_id: str, number: float, key: str) -> Tried | None:
        rules = {rule.id: rule for rule in (*(await self._on_disk()).rules, *self._from.engine.rules) if not rule.base}
        rule = rules.get(rule_id)
        if rule is None or number_of(rule) is None:
            return None
        try:
            moved = with_number(rule, number)
        except ValueError:
            return None
        found = await self._from.rehearser.rehearse_rule(moved, key)
        condition = text(moved.when)
        if found is None:
            return Tried(number, condition, None, 0, None)
        return Tried(number, condition, found.n_fired, found.span_ms, found.last_ms)

    def log_tail(self, n: int) -> Sequence[str]:
        return log.recent()[-n:]
