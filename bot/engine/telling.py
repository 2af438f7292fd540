"""From a change to what a message shows: the numbers as they were at that tick."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from bot.alerts.book import Change, RuleBook
from bot.engine.faults import Faults
from bot.engine.figures import Figures
from bot.engine.inhibiting import Sifted
from bot.engine.news import News
from bot.market.market import Market
from bot.market.view import View
from bot.model.alert import Notice, TellKind, short_id
from bot.model.chat_alert import is_alert_id
from bot.model.instrument import MARKET, Instrument
from bot.model.view import AlertView, HeldBack, Shown
from bot.rules.ast import text
from bot.rules.meter import Measured
from bot.rules.plan import PlanResult
from bot.rules.schema import DEFAULT_NOTIFY, Rule

DEFAULT_WINDOW_MS: Final = 900_000
"""Price and open interest are compared over this where the rule has no window of its own."""
FULL: Final = frozenset({TellKind.FIRE, TellKind.UPDATE})
"""What tells the whole story; the others point to it."""


def window_of(measured: Measured | None) -> int:
    """Over what price and open interest are compared in a message, in ms."""
    return (measured.window_ms if measured else 0) or DEFAULT_WINDOW_MS


def as_of_now(change: Change, measured: Measured | None) -> Change:
    """A firing that is told late is told with the figures of now."""
    if change.tell is not TellKind.FIRE or change.state is not None or measured is None:
        return change
    now = change.value if measured.value is None else measured.value
    return replace(change, value=now, peak=now)


def plain_view(
    change: Change,
    rule: Rule,
    measured: Measured | None,
    condition: str,
    instrument: Instrument | None,
    shown: Shown,
) -> AlertView:
    """What a change of one alert shows. `condition`: canonical text of `when`; `shown`: the figures of the market."""
    assert change.tell is not None
    venue, _, symbol = change.instrument.rpartition(":")
    return AlertView(
        rule_id=rule.id,
        title=rule.title,
        symbol=symbol,
        venue=venue,
        base=instrument.base if instrument else "",
        severity=rule.severity,
        short_id=short_id(change.key),
        kind=change.tell.value,
        at_ms=change.at_ms,
        fired_ms=change.fired_ms,
        condition=condition,
        value_text=measured.text if measured else "",
        value=change.value,
        value_is_ratio=measured.is_ratio if measured else False,
        value_before=change.value_before,
        peak=change.peak,
        window_ms=window_of(measured),
        reason=change.reason,
        message=rule.message,
        tags=rule.tags,
        silent=rule.silent,
        ttl_ms=rule.ttl_ms,
        chart=rule.chart and change.instrument != MARKET,
        gap_ms=change.gap_ms,
        **shown.fields(),
    )


class Teller:
    """Builds notices. Needs the market only for names and funding times."""

    def __init__(self, market: Market, faults: Faults) -> None:
        self._market = market
        self._faults = faults
        self._conditions: dict[str, tuple[Rule, str]] = {}
        """Of the rules that watch."""
        self._figures: Figures | None = None

    def look(self, view: View, changes: Iterable[Change]) -> None:
        """Read the figures of a block of ticks once for all changes in it that will be told."""
        told = [(c.t, c.row) for c in changes if c.tell in FULL and c.instrument != MARKET]
        self._figures = Figures(self._market, view, told)

    def follow(self) -> None:
        """Other rules watch from now on."""
        self._conditions.clear()

    def _condition(self, rule: Rule) -> str:
        """Canonical text of `when`; of a rule worked out once, since a storm tells it a hundred times."""
        if is_alert_id(rule.id):
            return text(rule.when)
        found = self._conditions.get(rule.id)
        if found is None or found[0] is not rule:
            found = self._conditions[rule.id] = (rule, text(rule.when))
        return found[1]

    def notice(
        self,
        change: Change,
        rule: Rule,
        measured: Measured | None,
        result: PlanResult | None,
        view: View | None,
        held_back: tuple[HeldBack, ...] = (),
        *,
        is_already_true: bool = False,
    ) -> Notice:
        """What a change tells. `measured`, `result` and `view` are of its tick; without them only what it was is told."""
        kind = change.tell
        assert kind is not None
        change = as_of_now(change, measured)
        told = self._view(change, rule, measured, result, view)
        if held_back or is_already_true:
            told = replace(told, held_back=held_back, is_already_true=is_already_true)
        at = (rule.id, change.instrument)
        return Notice(change.key, kind, change.n, *at, rule.severity, rule.notify, change.at_ms, told)

    def told(
        self, sifted: Sifted, rule: Rule, book: RuleBook, result: PlanResult | None, view: View | None, news: News
    ) -> Notice:
        """What a change of a rule tells; without figures where reading them fails, as it must be told all the same."""
        change = sifted.change
        already = news.is_already_true(change)
        try:
            followed = book.option(change.row) if change.option is None else change.option
            reading = None if result is None else result.measured(rule, change.t, change.row, followed)
            about_it = (change, rule, reading, result, view, sifted.held_back)
            return self.notice(*about_it, is_already_true=already)
        except Exception as error:  # noqa: BLE001, of one message; it is noted and logged
            self._faults.note("telling of its alerts", rule.id, error)
            return self.notice(change, rule, None, None, None, sifted.held_back, is_already_true=already)

    def asked(
        self, change: Change, rule: Rule, measured: Measured, result: PlanResult | None, view: View | None
    ) -> Notice:
        """The same of an alert made in chat; `rule` is the alert as one."""
        try:
            return self.notice(change, rule, measured, result, view)
        except Exception as error:  # noqa: BLE001, of one message; it is noted and logged
            self._faults.note("telling of its alerts", rule.id, error)
            return self.notice(change, rule, measured, None, None)

    @staticmethod
    def closing(change: Change, rule: Rule | None, held_back: tuple[HeldBack, ...]) -> Notice:
        """Of a stored alert that ends because its rule or instrument is gone."""
        venue, _, symbol = change.instrument.rpartition(":")
        severity, notify = (rule.severity, rule.notify) if rule else ("warning", DEFAULT_NOTIFY)
        view = AlertView(
            rule_id=change.rule_id,
            title=rule.title if rule else change.rule_id,
            symbol=symbol,
            venue=venue,
            base="",
            severity=severity,
            short_id=short_id(change.key),
            kind=TellKind.CLOSE.value,
            at_ms=change.at_ms,
            fired_ms=change.fired_ms,
            condition=text(rule.when) if rule else "",
            value_text="",
            value=change.value,
            value_is_ratio=False,
            peak=change.peak,
            reason=change.reason,
            message=rule.message if rule else None,
            tags=rule.tags if rule else (),
            silent=rule is not None and rule.silent,
            held_back=held_back,
        )
        at = (change.rule_id, change.instrument)
        return Notice(change.key, TellKind.CLOSE, 0, *at, severity, notify, change.at_ms, view)

    def _view(
        self, change: Change, rule: Rule, measured: Measured | None, result: PlanResult | None, view: View | None
    ) -> AlertView:
        per_market = change.instrument == MARKET
        instrument = None if per_market else self._market.universe.at(change.row)
        shown = Shown()
        if view is not None and result is not None and measured is not None and not per_market:
            figures = self._figures_of(view, change)
            shown = figures.shown(window_of(measured), change.t, change.row, whole=change.tell in FULL)
        told = plain_view(change, rule, measured, self._condition(rule), instrument, shown)
        if not per_market or view is None or result is None or measured is None:
            return told
        return self._with_market(told, change, rule, measured, result, view)

    def _figures_of(self, view: View, change: Change) -> Figures:
        if self._figures is None or self._figures.view is not view:
            self.look(view, [change])
        assert self._figures is not None
        return self._figures

    def _with_market(
        self, told: AlertView, change: Change, rule: Rule, measured: Measured, result: PlanResult, view: View
    ) -> AlertView:
        figures, t = self._figures_of(view, change), change.t
        return replace(
            told,
            n_members=measured.n_members,
            n_true=measured.n_true,
            members=figures.members(result.true_members(rule, t), told.window_ms, t),
            breadth=figures.breadth(result.members(rule.scope)[t], told.window_ms, t),
        )
