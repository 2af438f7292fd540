"""From a change to what a message shows: the numbers as they were at that tick."""

import math
from dataclasses import replace
from typing import Final

import numpy as np

from bot.alerts.book import Change
from bot.market.market import Market
from bot.market.view import View
from bot.model.alert import AlertRecord, Notice, TellKind, short_id
from bot.model.instrument import MARKET
from bot.model.view import AlertView, Member, Move
from bot.rules.ast import text
from bot.rules.meter import Measured
from bot.rules.plan import PlanResult
from bot.rules.schema import DEFAULT_NOTIFY, Rule

DEFAULT_WINDOW_MS: Final = 900_000
"""Price and open interest are compared over this where the rule has no window of its own."""
MAX_MEMBERS: Final = 10


def number(value: float) -> float | None:
    """A finite number, or None."""
    return float(value) if math.isfinite(value) else None


def move(view: View, series: str, window_ms: int, t: int, row: int) -> Move:
    """The change of a series over a window at one tick."""
    change, then = view.change(series, window_ms)
    return Move(window_ms, number(change[t, row]), number(then[t, row]), number(view.value(series)[t, row]))


class Teller:
    """Builds notices. Needs the market only for names and funding times."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._conditions: dict[str, tuple[Rule, str]] = {}

    def _condition(self, rule: Rule) -> str:
        """Canonical text of `when`; worked out once, since a storm tells the same rule a hundred times."""
        found = self._conditions.get(rule.id)
        if found is None or found[0] is not rule:
            found = self._conditions[rule.id] = (rule, text(rule.when))
        return found[1]

    def notice(
        self, change: Change, rule: Rule, measured: Measured | None, result: PlanResult | None, view: View | None
    ) -> Notice:
        """What a change tells. `measured`, `result` and `view` are of its tick; without them only what it was is told."""
        assert change.tell is not None
        return Notice(
            key=change.key,
            kind=change.tell,
            n=change.n,
            rule_id=rule.id,
            instrument=change.instrument,
            severity=rule.severity,
            notify=rule.notify,
            at_ms=change.at_ms,
            view=self._view(change, rule, measured, result, view),
        )

    @staticmethod
    def closing(record: AlertRecord, reason: str, at_ms: int, rule: Rule | None) -> Notice:
        """Of a stored alert that ends because its rule or instrument is gone."""
        venue, _, symbol = record.instrument.rpartition(":")
        severity, notify = (rule.severity, rule.notify) if rule else ("warning", DEFAULT_NOTIFY)
        view = AlertView(
            rule_id=record.rule_id,
            title=rule.title if rule else record.rule_id,
            symbol=symbol,
            venue=venue,
            base="",
            severity=severity,
            short_id=short_id(record.key),
            kind=TellKind.CLOSE.value,
            at_ms=at_ms,
            fired_ms=record.fired_ms,
            condition=text(rule.when) if rule else "",
            value_text="",
            value=record.value,
            value_is_ratio=False,
            peak=record.peak,
            reason=reason,
            tags=rule.tags if rule else (),
        )
        return Notice(record.key, TellKind.CLOSE, 0, record.rule_id, record.instrument, severity, notify, at_ms, view)

    def _view(
        self, change: Change, rule: Rule, measured: Measured | None, result: PlanResult | None, view: View | None
    ) -> AlertView:
        venue, _, symbol = change.instrument.rpartition(":")
        instrument = None if change.instrument == MARKET else self._market.universe.at(change.row)
        window_ms = (measured.window_ms if measured else 0) or DEFAULT_WINDOW_MS
        per_market = change.instrument == MARKET
        assert change.tell is not None
        base = AlertView(
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
            condition=self._condition(rule),
            value_text=measured.text if measured else "",
            value=change.value,
            value_is_ratio=measured.is_ratio if measured else False,
            value_before=change.value_before,
            peak=change.peak,
            window_ms=window_ms,
            reason=change.reason,
            tags=rule.tags,
        )
        if view is None or result is None or measured is None:
            return base
        if per_market:
            return _with_members(base, rule, result, measured, view, self._market, change.t)
        return self._with_numbers(base, view, change.t, change.row)

    def _with_numbers(self, base: AlertView, view: View, t: int, row: int) -> AlertView:
        market = self._market
        next_funding_ms = int(market.next_funding_ms[row])
        return replace(
            base,
            price=move(view, "price", base.window_ms, t, row),
            oi=move(view, "oi", base.window_ms, t, row),
            oi_usd=number(view.value("oi_usd")[t, row]),
            funding=number(view.value("funding")[t, row]),
            funding_interval_h=float(market.funding_interval_h[row]),
            next_funding_ms=next_funding_ms or None,
            volume_24h=number(view.value("volume_24h")[t, row]),
            oi_age_ms=int(view.age("oi")[t, row]),
            price_age_ms=int(view.age("price")[t, row]),
        )


def _with_members(
    base: AlertView, rule: Rule, result: PlanResult, measured: Measured, view: View, market: Market, t: int
) -> AlertView:
    oi = view.pct("oi", base.window_ms)[t]
    price = view.pct("price", base.window_ms)[t]
    rows = result.true_members(rule, t)
    rows.sort(key=lambda row: (-abs(np.nan_to_num(oi[row])), row))
    members = []
    for row in rows[:MAX_MEMBERS]:
        instrument = market.universe.at(row)
        if instrument is not None:
            members.append(Member(instrument.symbol, number(oi[row]), number(oi[row]), number(price[row])))
    return replace(base, n_members=measured.n_members, n_true=measured.n_true, members=tuple(members))
