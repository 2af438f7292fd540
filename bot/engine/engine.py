"""The engine: consume inputs, tick, and say what changed.

Several ticks may be gathered and evaluated as one block (`n_block` > 1, on history); the changes are the same as tick by
tick. Whoever feeds it must store the returned records together with what is told of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

import numpy as np

from bot.alerts.book import Change, RuleBook
from bot.alerts.threshold_columns import Facts
from bot.engine.faults import Faults
from bot.engine.feeds_lost import is_feed_record
from bot.engine.inhibiting import Inhibiting
from bot.engine.inputs import Coverage, Input, Listed, Placed, Reset, RulesChanged, Samples, times_of
from bot.engine.news import News
from bot.engine.polling import poll_needs
from bot.engine.reading import ticks_of, values_of
from bot.engine.reloading import RuleChange, rebook
from bot.engine.restoring import Restoring, closing, idle
from bot.engine.result import NOTHING, Result, transition_of
from bot.engine.subscriptions import Heard, Subscriptions, measured, rule_of
from bot.engine.telling import Teller
from bot.engine.walking import Walker, book_of
from bot.market.market import Market
from bot.market.series import DAY_MS
from bot.market.universe import GONE, Diff
from bot.market.view import View
from bot.model.alert import AlertRecord, State
from bot.model.chat_alert import AlertAdded, AlertRemoved, is_alert_id
from bot.model.instrument import MARKET, Instrument
from bot.model.ports import PollNeed
from bot.model.updates import F64, Bars, History, InstrumentList, Liquidations, MarkPrices, Tickers
from bot.rules.ast import Expr
from bot.rules.numbers import Mask
from bot.rules.plan import Plan, PlanResult
from bot.rules.program import Block
from bot.rules.schema import Rule
from bot.texts import mark


class Engine:
    """Market, rules and alerts of one run."""

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        step_ms: int = 1_000,
        n_block: int = 1,
        dtype: str = "float32",
        records: Iterable[AlertRecord] = (),
    ) -> None:
        stored = tuple(records)
        records = tuple(r for r in stored if not is_feed_record(r))
        self.faults = Faults()
        self.market = Market(step_ms=step_ms, n_block=n_block, dtype=dtype)
        self.plan = Plan(rules, self.market)
        self.subscriptions = Subscriptions(records, step_ms=step_ms)
        self.grown: set[str] = set()
        """Series whose rings were made longer while running: their past has to come from the venue."""
        self._step_ms = step_ms
        self._n_block = n_block
        self._block = Block(n_block)
        self._n_gathered = 0
        self._rules = {r.id: r for r in self.plan.rules}
        self._books = {r.id: book_of(r, self.plan, step_ms) for r in self.plan.rules}
        self._restoring = Restoring((r for r in records if not is_alert_id(r.rule_id)), self._books)
        self._walker = Walker(self.plan, self._books, self.market, self.faults)
        self._teller = Teller(self.market, self.faults)
        self.inhibiting = Inhibiting(self.plan.rules, self.market.universe, records)
        self._news = News(self._rules, self._books, self.market, self.subscriptions, stored, self.members, self.faults)
        self._owed = NOTHING
        self._last: PlanResult | None = None
        self.now_ms = 0

    # -- in ------------------------------------------------------------------------------------------------------

    def consume(self, item: Input) -> None:
        """Take one input. Changes it causes by itself (a delisting) come with the next tick."""
        if self._n_gathered and self._disturbs(item):
            self._owed += self._evaluate()
        market = self.market
        match item:
            case MarkPrices():
                market.apply_marks(item)
            case Tickers():
                market.apply_tickers(item)
            case Placed():
                market.apply_open_interest(
                    item.row, item.amount, at_ms=item.at_ms, venue_ms=item.venue_ms, interval_ms=item.interval_ms
                )
            case Samples(series=series, valid_ms=valid_ms, interval_ms=interval_ms):
                market.apply_samples(
                    series, item.rows, item.time_ms, item.value, valid_ms=valid_ms, interval_ms=interval_ms
                )
            case History():
                market.apply_history(item)
            case Bars():
                market.apply_bars(item)
            case Liquidations():
                market.apply_liquidations(item)
            case Coverage():
                if item.feed == "liquidations":
                    market.liquidations.cover(item.venue, live=item.live, at_ms=item.at_ms)
            case AlertAdded(alert=alert):
                row = market.universe.row(alert.instrument)
                self.subscriptions.add(alert, {} if row is None else {alert.instrument: row})
            case AlertRemoved():
                heard = Heard()
                heard.take(self.subscriptions.remove(item))
                self._owed += self._told(heard)
            case RulesChanged(rules=rules):
                self._change_rules(RuleChange.between(self.rules, rules))
            case Listed():
                self._list(item)
            case Reset():
                self._reset(item.at_ms)

    def _disturbs(self, item: Input) -> bool:
        """Whether an input could reach rows that gathered ticks still have to read: late, or so far ahead that they make room."""
        times = times_of(item)
        if times is None:
            return True
        if not len(times):
            return False
        return int(times.min()) <= self.now_ms or not self._block.reaches(int(times.max()), self.market.fine_ms)

    def tick(self, now_ms: int) -> Result:
        """Let time be `now_ms` (never less than before) and evaluate, or gather until the block is full."""
        self.now_ms = max(self.now_ms, now_ms)
        if self._n_gathered and not self._block.reaches(self.now_ms, self.market.fine_ms):
            self._owed += self._evaluate()
        if self._restoring.orphans:
            self._owed += self._close_orphans()
        self.prepare()
        self.market.advance(self.now_ms)
        if self.market.n_rows:
            if not self._n_gathered:
                self._block.begin()
            self.plan.add_tick(self._block, self.market, self.now_ms)
            self._n_gathered += 1
        return NOTHING if 0 < self._n_gathered < self._n_block else self.flush()

    def prepare(self) -> None:
        """Hold what rules and chat alerts look at; a tick does so by itself."""
        if self.subscriptions.is_stale:
            self._replan()

    def flush(self) -> Result:
        """Evaluate what was gathered."""
        result = self._owed + self._evaluate()
        self._owed = NOTHING
        return self._news.finish(self.now_ms, self.inhibiting.stamp_result(result, self._record))

    # -- evaluation ----------------------------------------------------------------------------------------------

    def _evaluate(self) -> Result:
        block = self._block
        if not self._n_gathered:
            return NOTHING
        self._n_gathered = 0
        result = self._last = self.plan.evaluate(block)
        view = View(self.market, block.moments)
        changes = self._walker.walk(block, result, partial(ticks_of, self.market, view), self._name)
        heard = Heard()
        if len(self.subscriptions):
            ticks, trading = ticks_of(self.market, view), self.market.is_trading
            heard = self.subscriptions.tick(result.evaluation, self.plan.program, ticks, trading)
        changes += self._news.look(result, self.plan.program, view, changes, heard)
        if not (changes or heard.records or heard.changes or self.inhibiting.is_due):
            return NOTHING
        # Order of time first; within a tick rules come before what people asked for.
        merged = sorted([*changes, *heard.changes], key=lambda c: c.at_ms)
        self._teller.look(view, merged)
        told = self._result(merged, result, view, heard.facts)
        return Result(told.transitions, told.notices, (*told.records, *heard.records))

    def _told(self, heard: Heard) -> Result:
        """Changes that come from elsewhere than a tick."""
        told = self._result(heard.changes, None, None, heard.facts)
        return Result(told.transitions, told.notices, (*told.records, *heard.records))

    def _change_rules(self, change: RuleChange) -> None:
        for rule_id, reason in change.ended.items():
            book = self._books[rule_id]
            closed = self._result(book.close(book.rows(), self.now_ms, reason), None, None)
            records = tuple(idle(book.record(row)) for row in book.rows())
            self._owed += Result(closed.transitions, closed.notices, records)
        self._rules.clear()
        self._rules.update({r.id: r for r in change.rules})
        self._replan(change)
        self._restoring.drop_rules(self._books)
        self.inhibiting.follow(change.rules, self.records())
        self._news.follow(change)
        self._teller.follow()

    def _replan(self, change: RuleChange | None = None) -> None:
        """Compute what the rules and chat alerts of now measure; everything that is remembered stays."""
        if self._n_gathered:
            self._owed += self._evaluate()
        plan = self.plan
        self.plan = Plan(
            plan.rules if change is None else change.rules,
            self.market,
            crossings=plan.program.crossings,
            trackers=plan.trackers,
            numbers=self.subscriptions.compile(),
        )
        self.grown |= self.plan.grown
        if change is not None:
            rebook(self._books, change, {r.id: book_of(r, self.plan, self._step_ms) for r in change.rules})
        self._walker = Walker(self.plan, self._books, self.market, self.faults)
        self._last = None

    def _name(self, row: int) -> str:
        instrument = self.market.universe.at(row)
        assert instrument is not None
        return instrument.key

    def _result(
        self,
        changes: Sequence[Change],
        result: PlanResult | None,
        view: View | None,
        facts: Mapping[str, Facts] = MappingProxyType({}),
    ) -> Result:
        """What changes of rules, and of the chat alerts that `facts` tell of, mean for everyone else."""
        transitions = []
        notices = []
        records: dict[tuple[str, int], AlertRecord] = {}
        now = None if view is None else (0, int(view.now_ms[0]))
        for sifted in self.inhibiting.sift(changes, now):
            change = sifted.change
            if change.state is not None and change.state is not State.INACTIVE:
                transitions.append(transition_of(change))
            about = facts.get(change.rule_id)
            if about is not None:
                if change.tell is not None:
                    asked = rule_of(change.rule_id, about)
                    notices.append(self._teller.asked(change, asked, measured(change, about), result, view))
                continue
            rule = self._rules[change.rule_id]
            if change.tell is not None:
                notices.append(self._teller.told(sifted, rule, self._books[rule.id], result, view, self._news))
            records[change.rule_id, change.row] = self._books[change.rule_id].record(change.row)
        return Result(tuple(transitions), tuple(notices), tuple(records.values()))

    def checkpoint(self) -> Result:
        """What moves without a transition: the `for` clocks of pending alerts and new peaks of firing ones."""
        records = [b.record(row) for b in self._books.values() for row in b.unsaved()]
        return Result(records=(*self.inhibiting.stamp(records), *self.subscriptions.book.checkpoint()))

    def records(self) -> Sequence[AlertRecord]:
        """The state of all alerts, those of instruments not seen yet included."""
        placed = [b.record(row) for b in self._books.values() for row in b.rows()]
        found = (*placed, *self._restoring.waiting, *self.subscriptions.records())
        return (*self.inhibiting.stamp_all(found, self._record), *self._news.records())

    def _record(self, rule_id: str, instrument: str) -> AlertRecord:
        book = self._books.get(rule_id)
        row = 0 if instrument == MARKET else self.market.universe.row(instrument)
        if book is not None and row is not None and book.has(row):
            return book.record(row)
        fresh = AlertRecord(rule_id, instrument, "" if book is None else book.condition, State.INACTIVE)
        return self._restoring.record(rule_id, instrument) or fresh

    # -- instruments ---------------------------------------------------------------------------------------------

    def _list(self, item: Listed) -> None:
        diff = self.market.apply_instruments(item.update, item.at_ms)
        self.now_ms = max(self.now_ms, item.at_ms)
        for row, _ in diff.removed:
            self.plan.clear(row)
            self._owed += self._close_row(row)
        self._owed += self._told(self.subscriptions.unlist([i for _, i in diff.removed], self.now_ms))
        self._place(diff)
        if isinstance(item.update, InstrumentList):
            listed = frozenset(i.key for i in item.update.instruments if i.status not in GONE)
            self._owed += self._told(self.subscriptions.drop_absent(item.update.venue, listed, self.now_ms))
            gone = self._restoring.gone(item.update, GONE)
            self._owed += self._close_stored(gone, mark("the instrument left the venue while the bot was down"))

    def _close_row(self, row: int) -> Result:
        books = [b for b in self._books.values() if not b.per_market and b.has(row)]
        changes = [c for b in books for c in b.close([row], self.now_ms, mark("the instrument left the venue"))]
        told = self._result(changes, None, None)
        records = tuple(idle(b.record(row)) for b in books)
        for book in books:
            book.forget(row)
        return Result(told.transitions, told.notices, records)

    def alerts_loaded(self, orphans: Sequence[AlertRecord] = ()) -> None:
        """All stored chat alerts have come: what is stored of others belongs to alerts that are gone. `orphans`: more
        such lives.
        """
        self._restoring.orphans.extend((*orphans, *self.subscriptions.take_lost()))

    def load(self, instruments: Sequence[tuple[int, Instrument]], at_ms: int = 0) -> None:
        """Take instruments at the rows they had in another process, as at the head of a journal."""
        self.market.load(instruments, at_ms)
        self._place(Diff(added=tuple(row for row, _ in instruments)))

    def _place(self, diff: Diff) -> None:
        added = [(row, found) for row in diff.added if (found := self.market.universe.at(row)) is not None]
        for row, instrument in added:
            self._restoring.place(row, instrument, self._books.values())
        self.subscriptions.book.place([(row, instrument.key) for row, instrument in added])
        if diff:
            self._walker.refresh()

    def _close_orphans(self) -> Result:
        """Stored alerts of rules that are gone, disabled or changed."""
        orphans, self._restoring.orphans = self._restoring.orphans, []
        return self._close_stored(orphans, mark("its rule was removed, disabled or changed"))

    def _close_stored(self, stored: Sequence[AlertRecord], reason: str) -> Result:
        """Alerts that have no place: those that were firing are closed and told."""
        changes = [closing(r, reason, self.now_ms) for r in stored if r.state is State.FIRING]
        notices = [
            self._teller.closing(s.change, self._rules.get(s.change.rule_id), s.held_back)
            for s in self.inhibiting.sift(changes)
            if s.change.tell is not None
        ]
        return Result(tuple(transition_of(c) for c in changes), tuple(notices), tuple(idle(r) for r in stored))

    def _reset(self, at_ms: int) -> None:
        self.market.reset(at_ms)
        self.plan.reset()
        self.now_ms = at_ms
        records = [b.record(row) for b in self._books.values() for row in b.turn_back(at_ms)]
        self._walker.refresh()
        self._owed += Result(records=(*records, *self.subscriptions.book.turn_back(at_ms)))

    # -- looking -------------------------------------------------------------------------------------------------

    @property
    def rules(self) -> Sequence[Rule]:
        return tuple(self._rules.values())

    @property
    def price_lookback_ms(self) -> int:
        """The longest window over the price that a rule uses."""
        return min(self.market.needs.lookback_ms("price"), DAY_MS)

    def members(self, rule: Rule) -> Mask | None:
        """Who is in the scope of a rule as of the last tick, shape (n_rows,); None while that is not decided. What was listed
        since is not in it yet.
        """
        tracker = self.plan.trackers.get(rule.scope)
        if tracker is None or tracker.is_warming or not len(tracker.members):
            return None
        more = self.market.n_rows - len(tracker.members)
        return np.pad(tracker.members, (0, more)) if more else tracker.members

    @property
    def last(self) -> PlanResult | None:
        """What the last tick found; None before the first. Of a block it is the whole block."""
        return self._last

    def book(self, rule_id: str) -> RuleBook | None:
        """The alerts of a rule, to look at."""
        return self._books.get(rule_id)

    def values(self, expr: Expr, *, at_hand: bool = False) -> F64:
        """A number over all instruments as of the last tick; NaN is unknown. Shape (n_rows,).

        For functions over the scope those count that do for the alerts of chats. `at_hand`: for people, as `View.at_hand`.
        """
        return values_of(expr, self.market, self.now_ms, self._last, at_hand=at_hand)

    def count(self, state: State) -> int:
        """How many alerts are in a state."""
        return sum(len(b.rows_in(state)) for b in self._books.values()) + self.subscriptions.book.count(state)

    def view(self) -> View:
        """The market as of the last tick."""
        return View(self.market, [self.market.moment(self.now_ms)])

    def needs(self) -> Sequence[PollNeed]:
        """What the feeds should know: sizes, who matters, what the rules look at and how fresh they want it."""
        if not self.market.n_rows:
            return []
        members = [(r, m) for r in self._rules.values() if (m := self.members(r)) is not None]
        watched = {
            row
            for book in self._books.values()
            if not book.per_market
            for row in book.rows_in(State.FIRING, State.PENDING)
        }
        watched.update(self.subscriptions.book.rows_in(State.FIRING, State.PENDING))
        return poll_needs(self.market, self.view(), members, watched)
