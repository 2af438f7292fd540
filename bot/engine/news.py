"""What is told besides the changes of alerts: figures that moved, data that is lost, and what was true from the start.

None of it is part of an alert's life: transitions are the same without it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from bot.alerts.book import Change, RuleBook
from bot.engine.already_true import AlreadyTrue
from bot.engine.faults import Faults
from bot.engine.feeds_lost import FeedsLost
from bot.engine.reloading import RuleChange
from bot.engine.result import Result
from bot.engine.subscriptions import Heard, Subscriptions, rule_of
from bot.engine.updates import Updates
from bot.market.market import Market
from bot.market.view import View
from bot.model.alert import AlertRecord
from bot.model.chat_alert import is_alert_id
from bot.rules.numbers import Mask
from bot.rules.plan import PlanResult
from bot.rules.program import Program
from bot.rules.schema import Rule


class News:
    """All such news of one engine."""

    def __init__(
        self,
        rules: Mapping[str, Rule],
        books: Mapping[str, RuleBook],
        market: Market,
        subscriptions: Subscriptions,
        records: Sequence[AlertRecord],
        members: Callable[[Rule], Mask | None],
        faults: Faults,
    ) -> None:
        """`records`: everything that was stored; `members`: who is in the scope of a rule; `faults`: where it is noted that
        something of one rule could not be read, which costs the others nothing.
        """
        self._faults = faults
        self._rules = rules
        self._books = books
        self._subscriptions = subscriptions
        self._already = [AlreadyTrue(tuple(rules.values()), faults, is_fresh=not records)]
        self._updates = Updates(market.universe, map(self._comparable, records))
        self._lost = FeedsLost(market, records, rule_of=self._rule, members=members)

    def follow(self, change: RuleChange) -> None:
        """Other rules watch from now on: new ones are looked at for the first time."""
        for already in self._already:
            already.go_on(self._rules, change.ended)
        self._already.append(AlreadyTrue(change.fresh, self._faults, is_fresh=True))
        self._updates.measure_again(change.remeasured)

    def _comparable(self, record: AlertRecord) -> AlertRecord:
        """A stored alert; without what was told of a measure that its rule does not have any more."""
        book = self._books.get(record.rule_id)
        is_gone = book is not None and record.measure != "" and record.measure not in book.measures
        return replace(record, told_value=None) if is_gone else record

    def _rule(self, rule_id: str) -> Rule | None:
        """A rule, or a chat alert as one."""
        if not is_alert_id(rule_id):
            return self._rules.get(rule_id)
        facts = self._subscriptions.facts(rule_id)
        return None if facts is None else rule_of(rule_id, facts)

    def look(
        self, result: PlanResult, program: Program, view: View, changes: Iterable[Change], heard: Heard
    ) -> list[Change]:
        """Updates of this tick, besides its changes; what those of chat alerts are about is added to `heard`."""
        now_ms = view.now_ms.tolist()
        for already in self._already:
            already.look(result, now_ms)
        self._already = [already for already in self._already if not already.is_over(now_ms[0])]
        if view.n_times > 1:
            return []  # on history nobody reads messages

        def read(rule_id: str, row: int) -> float | None:
            if is_alert_id(rule_id):
                return self._subscriptions.value(rule_id, row, result.evaluation, program)
            rule, book = self._rules.get(rule_id), self._books.get(rule_id)
            # An instrument may have left and come back since: its alert is closed, and told of soon.
            if rule is None or book is None or not book.has(row):
                return None
            try:
                return result.measured(rule, 0, row, book.option(row)).value
            except Exception as error:  # noqa: BLE001, of one rule; it is noted and logged
                self._faults.note("telling of its alerts", rule_id, error)
                return None

        found = self._updates.due(view, read, {c.key for c in (*changes, *heard.changes)})
        for change in found:
            if is_alert_id(change.rule_id) and (facts := self._subscriptions.facts(change.rule_id)) is not None:
                heard.facts[change.rule_id] = facts
        return found

    def is_already_true(self, change: Change) -> bool:
        """Whether a change tells of a firing that was true when the bot first looked."""
        return any(already.is_so(change) for already in self._already)

    def finish(self, now_ms: int, result: Result) -> Result:
        """With what is told of lost data. Everything that is told passes here."""
        self._updates.told(result.notices)
        self._updates.over(result.transitions)
        return result + self._lost.look(now_ms, result.transitions)

    def records(self) -> Sequence[AlertRecord]:
        return self._lost.records()
