"""The engine: consume inputs, tick, and say what changed.

`tick` may gather several ticks and evaluate them as one block (`n_block` > 1, on history); the changes are the same as
tick by tick. Whoever feeds it must store the returned records together with what is told of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from bot.alerts.book import Change, RuleBook, RuleTruth, Ticks, policy_gap_ms
from bot.alerts.lifecycle import Policy
from bot.engine.inputs import Input, Listed, Placed, Reset, Samples
from bot.engine.telling import Teller
from bot.market.market import DEFAULT_OI_INTERVAL_MS, Market, Moment
from bot.market.universe import GONE, Diff
from bot.market.view import View
from bot.model.alert import AlertRecord, Notice, State, Transition
from bot.model.instrument import MARKET, Instrument
from bot.model.ports import PollNeed
from bot.model.updates import History, InstrumentList, MarkPrices, Tickers
from bot.rules.ast import windows_used
from bot.rules.plan import Plan, PlanResult, needs_of
from bot.rules.schema import Rule


@dataclass(frozen=True, slots=True)
class Result:
    """What one or more ticks changed, in order of time."""

    transitions: tuple[Transition, ...] = ()
    notices: tuple[Notice, ...] = ()
    records: tuple[AlertRecord, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.transitions or self.notices or self.records)

    def __add__(self, other: "Result") -> "Result":
        return Result(self.transitions + other.transitions, self.notices + other.notices, self.records + other.records)


NOTHING = Result()


@dataclass(slots=True)
class _Gathered:
    """Ticks waiting to be evaluated as one block."""

    moments: list[Moment] = field(default_factory=list)


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
        enabled = tuple(r for r in rules if r.enabled)
        needs = needs_of(enabled)
        self.market = Market(step_ms=step_ms, needs=needs, n_block=n_block, dtype=dtype)
        self.plan = Plan(enabled, self.market)
        self._rules = {r.id: r for r in enabled}
        self._books = {r.id: self._book(r, step_ms) for r in enabled}
        self.price_lookback_ms = max(needs.fine_ms.get("price", 0), needs.coarse_ms.get("price", 0))
        """The longest window over the price that a rule uses."""
        self._teller = Teller(self.market)
        self._n_block = n_block
        self._gathered = _Gathered()
        self._owed = NOTHING
        self._last: tuple[View, PlanResult] | None = None
        self.now_ms = 0
        self._stored: dict[tuple[str, str], AlertRecord] = {}
        """Waiting for their instrument to be listed."""
        self._orphans: list[AlertRecord] = []
        """Of rules that are gone, disabled or changed."""
        for record in records:
            book = self._books.get(record.rule_id)
            if book is not None and book.condition == record.condition:
                self._stored[record.rule_id, record.instrument] = record
            else:
                self._orphans.append(record)
        self._restore_market_alerts()

    def _book(self, rule: Rule, step_ms: int) -> RuleBook:
        policy = Policy(
            for_ms=rule.for_ms,
            cooldown_ms=rule.cooldown_ms,
            repeat_ms=rule.repeat_ms,
            escalate=rule.escalate,
            once=rule.once,
            uses_oi=self.plan.uses_oi(rule),
            max_gap_ms=policy_gap_ms(step_ms),
        )
        return RuleBook(rule.id, rule.condition_hash, policy, per_market=rule.per == "market")

    # -- in ------------------------------------------------------------------------------------------------------

    def consume(self, item: Input) -> None:
        """Take one input. Changes it causes by itself (a delisting) come with the next tick."""
        if self._gathered.moments and self._is_late(item):
            self._owed += self._evaluate()
        match item:
            case MarkPrices():
                self.market.apply_marks(item)
            case Tickers():
                self.market.apply_tickers(item)
            case Placed():
                self.market.apply_open_interest(
                    item.row,
                    item.amount,
                    at_ms=item.at_ms,
                    venue_ms=item.venue_ms,
                    interval_ms=item.interval_ms,
                )
            case Samples():
                self.market.apply_samples(
                    item.series,
                    item.rows,
                    item.time_ms,
                    item.value,
                    valid_ms=item.valid_ms,
                    interval_ms=item.interval_ms,
                )
            case History():
                self.market.apply_history(item)
            case Listed():
                self._list(item)
            case Reset():
                self._reset(item.at_ms)

    def _is_late(self, item: Input) -> bool:
        """Whether an input could reach rows that gathered ticks still have to read."""
        if isinstance(item, (MarkPrices, Tickers)):
            return len(item.event_ms) > 0 and int(item.event_ms.min()) <= self.now_ms
        if isinstance(item, Samples):
            return len(item.time_ms) > 0 and int(item.time_ms.min()) <= self.now_ms
        return not isinstance(item, Placed) or item.at_ms <= self.now_ms

    def tick(self, now_ms: int) -> Result:
        """Let time be `now_ms` (never less than before) and evaluate, or gather until the block is full."""
        self.now_ms = max(self.now_ms, now_ms)
        if self._orphans:
            self._owed += self._close_orphans()
        self.market.advance(self.now_ms)
        self._gathered.moments.append(self.market.moment(self.now_ms))
        if len(self._gathered.moments) < self._n_block:
            return NOTHING
        return self.flush()

    def flush(self) -> Result:
        """Evaluate what was gathered."""
        result = self._owed + self._evaluate()
        self._owed = NOTHING
        return result

    # -- evaluation ----------------------------------------------------------------------------------------------

    def _evaluate(self) -> Result:
        moments, self._gathered = self._gathered.moments, _Gathered()
        if not moments or not self.market.n_rows:
            return NOTHING
        view = View(self.market, moments)
        result = self.plan.evaluate(view)
        interval = np.where(self.market.oi_interval_ms > 0, self.market.oi_interval_ms, DEFAULT_OI_INTERVAL_MS)
        ticks = Ticks(view.now_ms, view.sample_ms("oi"), interval)
        changes: list[Change] = []
        for truth in result.truths():
            rule = truth.rule
            measure = partial(result.measured, rule)
            walked = RuleTruth(rule.id, truth.when, truth.clear, truth.members, measure)
            changes += self._books[rule.id].walk(walked, ticks, self._name)
        self._last = (view, result)
        # Order of time first; within a tick the order of the rules, which `sort` keeps.
        changes.sort(key=lambda c: c.at_ms)
        return self._result(changes, result, view)

    def _name(self, row: int) -> str:
        instrument = self.market.universe.at(row)
        assert instrument is not None
        return instrument.key

    def _result(self, changes: Sequence[Change], result: PlanResult | None, view: View | None) -> Result:
        transitions = []
        notices = []
        records: dict[tuple[str, int], AlertRecord] = {}
        for change in changes:
            rule = self._rules[change.rule_id]
            if change.state is not None and change.state is not State.INACTIVE:
                transitions.append(_transition(change))
            if change.tell is not None:
                notices.append(self._teller.notice(change, rule, result, view))
            records[change.rule_id, change.row] = self._books[change.rule_id].record(change.row)
        return Result(tuple(transitions), tuple(notices), tuple(records.values()))

    def checkpoint(self) -> Result:
        """What moves without a transition: the `for` clocks of pending alerts and new peaks of firing ones."""
        records = [b.record(row) for b in self._books.values() for row in b.unsaved()]
        return Result(records=tuple(records))

    def records(self) -> Sequence[AlertRecord]:
        """The state of all alerts, those of instruments not seen yet included."""
        placed = [b.record(row) for b in self._books.values() for row in b.rows()]
        return (*placed, *self._stored.values())

    # -- instruments ---------------------------------------------------------------------------------------------

    def _list(self, item: Listed) -> None:
        diff = self.market.apply_instruments(item.update, item.at_ms)
        self.now_ms = max(self.now_ms, item.at_ms)
        for row, _ in diff.removed:
            for book in self._books.values():
                if not book.per_market and book.has(row):
                    self._owed += self._close_row(book, row)
        self._place(diff)
        if isinstance(item.update, InstrumentList):
            self._close_unplaced(item.update)

    def _close_row(self, book: RuleBook, row: int) -> Result:
        changes = book.close([row], self.now_ms, "the instrument left the venue")
        told = self._result(changes, None, None)
        idle = _idle(book.record(row))
        book.forget(row)
        return Result(told.transitions, told.notices, (idle,))

    def load(self, instruments: Sequence[tuple[int, Instrument]], at_ms: int = 0) -> None:
        """Take instruments at the rows they had in another process, as at the head of a journal."""
        self.market.load(instruments, at_ms)
        self._place(Diff(added=tuple(row for row, _ in instruments)))

    def _restore_market_alerts(self) -> None:
        for (rule_id, instrument), record in list(self._stored.items()):
            book = self._books.get(rule_id)
            if instrument == MARKET and book is not None and book.per_market:
                del self._stored[rule_id, instrument]
                book.restore(0, record)

    def _place(self, diff: Diff) -> None:
        for row in diff.added:
            instrument = self.market.universe.at(row)
            for book in self._books.values():
                record = self._stored.pop((book.rule_id, instrument.key), None) if instrument else None
                if record is not None and not book.per_market:
                    book.restore(row, record)

    def _close_unplaced(self, update: InstrumentList) -> None:
        """Stored alerts whose instrument is gone. One that is listed but halted has not left."""
        listed = {i.key for i in update.instruments if i.status not in GONE}
        for (rule_id, instrument), record in list(self._stored.items()):
            if not instrument.startswith(f"{update.venue}:") or instrument in listed:
                continue
            del self._stored[rule_id, instrument]
            if record.state is State.FIRING:
                self._owed += self._close_record(record, "the instrument left the venue while the bot was down")
            else:
                self._owed += Result(records=(_idle(record),))

    def _close_orphans(self) -> Result:
        """Stored alerts of rules that are gone, disabled or changed: those that were firing are closed and told."""
        result = NOTHING
        orphans, self._orphans = self._orphans, []
        for record in orphans:
            if record.state is State.FIRING:
                result += self._close_record(record, "its rule was removed, disabled or changed")
            else:
                result += Result(records=(_idle(record),))
        return result

    def _close_record(self, record: AlertRecord, reason: str) -> Result:
        venue, _, symbol = record.instrument.rpartition(":")
        transition = Transition(
            record.rule_id, venue, symbol, State.CLOSED, self.now_ms, record.value, record.key, reason
        )
        notice = self._teller.closing(record, reason, self.now_ms, self._rules.get(record.rule_id))
        return Result((transition,), (notice,), (_idle(record),))

    def _reset(self, at_ms: int) -> None:
        self.market.reset(at_ms)
        self.now_ms = at_ms
        records = [b.record(row) for b in self._books.values() for row in b.drop_pending()]
        self._owed += Result(records=tuple(records))

    # -- looking -------------------------------------------------------------------------------------------------

    @property
    def rules(self) -> Sequence[Rule]:
        return tuple(self._rules.values())

    @property
    def last(self) -> tuple[View, PlanResult] | None:
        """View and truths of the last evaluation."""
        return self._last

    def count(self, state: State) -> int:
        """How many alerts are in a state."""
        return sum(len(b.rows_in(state)) for b in self._books.values())

    def view(self) -> View:
        """The market as of the last tick."""
        return View(self.market, [self.market.moment(self.now_ms)])

    def needs(self) -> Sequence[PollNeed]:
        """What the open-interest poller should know: sizes, who matters, how fresh the rules want it."""
        if not self.market.n_rows:
            return []
        view = self.view()
        oi_usd = np.nan_to_num(view.value("oi_usd")[0])
        volume = np.nan_to_num(view.value("volume_24h")[0])
        limit = np.full(self.market.n_rows, np.inf)
        for rule in self._rules.values():
            windows = [w for series, w, _ in windows_used(rule.when) if series in {"oi", "oi_usd"}]
            if windows and self._last is not None and self._last[0].n_rows == self.market.n_rows:
                members = self._last[1].scope(rule).members[-1]
                limit[members] = np.minimum(limit[members], min(windows) / 3)
        watched = {
            row
            for book in self._books.values()
            if not book.per_market
            for row in book.rows_in(State.FIRING, State.PENDING)
        }
        return [
            PollNeed(
                row=row,
                symbol=i.symbol,
                volume_24h=float(volume[row]),
                oi_usd=float(oi_usd[row]),
                max_interval_ms=int(limit[row]) if np.isfinite(limit[row]) else None,
                watched=row in watched,
                trading=i.is_trading,
            )
            for row, i in self.market.universe.items()
        ]


def _transition(change: Change) -> Transition:
    venue, _, symbol = change.instrument.rpartition(":")
    assert change.state is not None
    return Transition(
        rule_id=change.rule_id,
        venue=venue,
        symbol=symbol,
        state=change.state,
        at_ms=change.at_ms,
        value=change.value,
        key=change.key,
        reason=change.reason,
    )


def _idle(record: AlertRecord) -> AlertRecord:
    return AlertRecord(record.rule_id, record.instrument, record.condition, State.INACTIVE)
