"""Telling that the data of firing alerts is missing, and that it comes again.

Unknown moves nothing: an alert whose data is gone stands as it was, which must not look like "still true". After ten
minutes of silence each place that was told of such an alert hears it, once per feed, and once more when the data is
back. That is worked out from the samples themselves: a feed may be connected and silent.

What was told is kept as records beside those of alerts, one for each feed and name in `notify`, so that it is stored
together with the message, and a restart neither repeats the loss nor forgets to tell its end.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from bot.engine.result import Result
from bot.market.market import Market
from bot.market.series import PARTS
from bot.market.view import View
from bot.model.alert import AlertRecord, Notice, State, TellKind, Transition, alert_key, short_id
from bot.model.instrument import MARKET
from bot.model.truth import TRUE
from bot.model.view import Affected, AlertView
from bot.rules.leaves import leaves_of
from bot.rules.numbers import Mask
from bot.rules.program import exprs_of
from bot.rules.schema import Rule, Severity

LOST_MS: Final = 600_000
LOOK_EVERY_MS: Final = 10_000
MAX_NAMED: Final = 20
PREFIX: Final = "feed:"
"""Of the rule ids of its records; no rule's id has a colon."""
FEED_OF: Final = {
    "price": "mark price",
    "index": "mark price",
    "basis": "mark price",
    "funding": "mark price",
    "funding_8h": "mark price",
    "oi": "open interest",
    "volume_24h": "ticker",
    "volume": "klines",
    "taker_buy": "klines",
    "liq_long": "liquidations",
    "liq_short": "liquidations",
    "long_short": "long/short",
}
"""Which feed brings each series that has samples of its own."""
_RANK: Final[dict[Severity, int]] = {"critical": 0, "warning": 1, "info": 2}


def is_feed_record(record: AlertRecord) -> bool:
    return record.rule_id.startswith(PREFIX)


@dataclass(frozen=True, slots=True)
class _Alert:
    """One that fires."""

    rule: Rule
    instrument: str
    key: str


@dataclass(slots=True)
class _Lost:
    """A feed of which was told that it is lost."""

    key: str
    since_ms: int
    """When it was last heard."""
    told_ms: int
    names: dict[str, None] = field(default_factory=dict)
    """What the alerts say in `notify`."""


@dataclass(slots=True)
class _Found:
    """What one look found of a feed."""

    lost: list[_Alert] = field(default_factory=list)
    heard_ms: int = 0
    """Of the lost: the earliest time at which one was last heard."""
    is_waited_for: bool = False
    """A firing alert uses it that is not lost, and was not heard since it was told either."""


class FeedsLost:
    """Watches the data of all firing alerts of one engine."""

    def __init__(
        self,
        market: Market,
        records: Iterable[AlertRecord],
        *,
        rule_of: Callable[[str], Rule | None],
        members: Callable[[Rule], Mask | None],
    ) -> None:
        """`rule_of`: a rule, or a chat alert as one, by id; `members`: who is in its scope."""
        self._market = market
        self._rule_of = rule_of
        self._members = members
        self._firing: dict[tuple[str, str], str] = {}
        self._lost: dict[str, _Lost] = {}
        self._looked_ms = 0
        for r in records:
            if r.state is State.FIRING and is_feed_record(r):
                feed = r.rule_id.removeprefix(PREFIX)
                lost = self._lost.setdefault(feed, _Lost(r.key, r.pending_since_ms, r.told_ms))
                lost.told_ms = max(lost.told_ms, r.told_ms)
                lost.names[r.instrument] = None
            elif r.state is State.FIRING:
                self._firing[r.rule_id, r.instrument] = r.key

    def records(self) -> Sequence[AlertRecord]:
        return tuple(_record(feed, name, lost) for feed, lost in self._lost.items() for name in lost.names)

    def look(self, now_ms: int, transitions: Iterable[Transition]) -> Result:
        """Take in what changed, and tell what is due."""
        for t in transitions:
            cell = (t.rule_id, MARKET if t.symbol == MARKET else f"{t.venue}:{t.symbol}")
            if t.state is State.FIRING:
                self._firing[cell] = t.key
            elif t.state in {State.RESOLVED, State.CLOSED}:
                self._firing.pop(cell, None)
        if not (self._firing or self._lost) or not self._market.n_rows:
            return Result()
        # Backwards too, should the venue's clock have gone back.
        if abs(now_ms - self._looked_ms) < LOOK_EVERY_MS:
            return Result()
        for told in self._lost.values():
            told.told_ms = min(told.told_ms, now_ms)
        self._looked_ms = now_ms
        found = self._find(View(self._market, [self._market.moment(now_ms, copied=False)]))
        notices: list[Notice] = []
        records: list[AlertRecord] = []
        for feed in FEEDS:
            of_feed = found.get(feed, _Found())
            if of_feed.lost:
                self._tell_lost(feed, of_feed, now_ms, notices, records)
            elif feed in self._lost and not of_feed.is_waited_for:
                self._tell_back(feed, now_ms, notices, records)
        return Result((), tuple(notices), tuple(records))

    # -- looking -------------------------------------------------------------------------------------------------

    def _find(self, view: View) -> dict[str, _Found]:
        found: dict[str, _Found] = {}
        silences: dict[str, _Silence] = {}
        series: dict[str, tuple[str, ...]] = {}
        for (rule_id, instrument), key in self._firing.items():
            rule = self._rule_of(rule_id)
            rows = [] if rule is None else self._rows(rule, instrument)
            if rule is None or not rows:
                continue
            if rule_id not in series:
                series[rule_id] = series_of(rule)
            for name in series[rule_id]:
                if name not in silences:
                    silences[name] = _Silence(view, self._market, name)
                feed = FEED_OF[name]
                of_feed = found.setdefault(feed, _Found())
                self._look_at(_Alert(rule, instrument, key), rows, silences[name], of_feed, self._lost.get(feed))
        for feed, told in self._lost.items():
            if feed not in found:  # no alert uses it any more: any sample of it will do
                all_series = [_Silence(view, self._market, s) for s, f in FEED_OF.items() if f == feed]
                n_rows = self._market.n_rows
                heard = any(one.is_heard_after(row, told.told_ms) for one in all_series for row in range(n_rows))
                found[feed] = _Found(is_waited_for=not heard)
        return found

    @staticmethod
    def _look_at(alert: _Alert, rows: list[int], silence: "_Silence", of_feed: _Found, told: _Lost | None) -> None:
        # Of a market-wide alert most contracts, not the few that the venue forgot.
        lost = [row for row in rows if silence.is_lost[row]]
        if 2 * len(lost) > len(rows):
            heard_ms = int(min(silence.heard_ms[row] for row in lost))
            of_feed.heard_ms = min(of_feed.heard_ms, heard_ms) if of_feed.lost else heard_ms
            if not (of_feed.lost and of_feed.lost[-1].key == alert.key):
                of_feed.lost.append(alert)
        elif told is not None:
            n_heard = sum(silence.is_heard_after(row, told.told_ms) for row in rows)
            of_feed.is_waited_for |= 2 * n_heard <= len(rows)

    def _rows(self, rule: Rule, instrument: str) -> list[int]:
        """Rows that an alert looks at; none where nothing is traded: a halt is no loss."""
        trading = self._market.is_trading
        if instrument == MARKET:
            members = self._members(rule)
            rows: list[int] = [] if members is None else np.flatnonzero(members & trading).tolist()
            return rows
        row = self._market.universe.row(instrument)
        return [row] if row is not None and trading[row] else []

    # -- telling -------------------------------------------------------------------------------------------------

    def _tell_lost(
        self, feed: str, found: _Found, now_ms: int, notices: list[Notice], records: list[AlertRecord]
    ) -> None:
        lost = self._lost.get(feed)
        if lost is None:
            key = alert_key(PREFIX + feed, MARKET, found.heard_ms)
            lost = self._lost[feed] = _Lost(key, found.heard_ms, now_ms)
        wanted = dict.fromkeys(name for alert in found.lost for name in alert.rule.notify)
        names = tuple(name for name in wanted if name not in lost.names)
        if not names:
            return
        lost.told_ms = now_ms
        lost.names |= dict.fromkeys(names)
        told = [a for a in found.lost if set(a.rule.notify) & set(names)]
        notices.append(_notice(TellKind.LOST, feed, lost, names, told, now_ms))
        records += [_record(feed, name, lost) for name in names]

    def _tell_back(self, feed: str, now_ms: int, notices: list[Notice], records: list[AlertRecord]) -> None:
        lost = self._lost.pop(feed)
        notices.append(_notice(TellKind.BACK, feed, lost, tuple(lost.names), (), now_ms))
        records += [AlertRecord(PREFIX + feed, name, "", State.INACTIVE) for name in lost.names]


FEEDS: Final = tuple(dict.fromkeys(FEED_OF.values()))


class _Silence:
    """How long each instrument has been silent in one series, as far as a process was there to hear it."""

    def __init__(self, view: View, market: Market, series: str) -> None:
        now_ms = int(view.now_ms[0])
        stale = view.stale(series)[0] == TRUE
        if series in {"liq_long", "liq_short"}:
            sample_ms = heard_ms = now_ms - view.age(series)[0]
        else:
            sample_ms = view.sample_ms(series)[0].astype(np.float64)
            heard_ms = np.maximum(sample_ms, np.maximum(market.subscribed_ms, market.resumed_ms))
        self._stale: list[bool] = stale.tolist()
        self._sample_ms: list[float] = sample_ms.tolist()
        self.heard_ms: list[float] = heard_ms.tolist()
        self.is_lost: list[bool] = (stale & (now_ms - heard_ms >= LOST_MS)).tolist()

    def is_heard_after(self, row: int, told_ms: int) -> bool:
        return not self._stale[row] and self._sample_ms[row] > told_ms


def series_of(rule: Rule) -> tuple[str, ...]:
    """Series with samples of their own whose silence makes a rule unknown; what is asked about data itself is always
    known.
    """
    used = {name for leaf in leaves_of(exprs_of(rule)) for name in (leaf.series, leaf.other) if name}
    return tuple(sorted({part for name in used for part in PARTS.get(name, (name,))}))


def _record(feed: str, name: str, lost: _Lost) -> AlertRecord:
    return AlertRecord(
        PREFIX + feed,
        name,
        "",
        State.FIRING,
        pending_since_ms=lost.since_ms,
        fired_ms=lost.told_ms,
        key=lost.key,
        told_ms=lost.told_ms,
    )


def _notice(
    kind: TellKind, feed: str, lost: _Lost, names: tuple[str, ...], alerts: Sequence[_Alert], now_ms: int
) -> Notice:
    severity = min((a.rule.severity for a in alerts), key=lambda s: _RANK[s], default="warning")
    affected = tuple(
        Affected(a.rule.title, a.instrument.rpartition(":")[2], short_id(a.key)) for a in alerts[:MAX_NAMED]
    )
    view = AlertView(
        rule_id=PREFIX + feed,
        title=f"{feed} data",
        symbol=MARKET,
        venue="",
        base="",
        severity=severity,
        short_id=short_id(lost.key),
        kind=kind.value,
        at_ms=now_ms,
        fired_ms=lost.since_ms,
        condition="",
        value_text="",
        value=None,
        value_is_ratio=False,
        feed=feed,
        affected=affected,
        n_affected=len(alerts),
    )
    return Notice(lost.key, kind, 0, PREFIX + feed, MARKET, severity, names, now_ms, view)
