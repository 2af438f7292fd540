"""Why a rule fires for an instrument, and why not: pure questions to an engine, as of its last tick.

Changes nothing. Ask right after a tick, before anything else is consumed: then every number is the one that the tick
computed, and every sample the one that it used.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from bot.engine.alert_seen import alert_of, phase_of
from bot.engine.engine import Engine
from bot.engine.lookback import Lookback
from bot.engine.one_place import OnePlace
from bot.engine.standing import why_outside
from bot.engine.tick_values import TickValues, shown_unit, sides_of_count, unit_of
from bot.engine.units_then import unit_of_measured, units_then
from bot.model.alert import State
from bot.model.explanation import (
    AlertPhase,
    Explanation,
    Glance,
    Hush,
    Near,
    Node,
    ScopeSeen,
    SideSeen,
)
from bot.model.instrument import MARKET
from bot.model.truth import TRUE, UNKNOWN
from bot.rules.ast import And, Call, Compare, Expr, Not, Number, Or, Series, children, text
from bot.rules.language import CROSSINGS
from bot.rules.leaves import leaf_of
from bot.rules.meter import Measured
from bot.rules.numbers import MIN_MEMBERS, OVER_SCOPE, is_single
from bot.rules.program import key_of
from bot.rules.schema import Rule
from bot.rules.scope import matches
from bot.texts import say

N_NEAREST: Final = 5
N_GLANCES: Final = 40
_CONDITION: Final = (Compare, And, Or, Not)


def explain(engine: Engine, rule_id: str, instrument: str) -> Explanation | None:
    """A rule and an instrument key (`*`: the scope as a whole) as of the last tick.

    None before the first tick, and for a rule or instrument that the engine does not have.
    """
    seen = TickValues.of(engine)
    rule = next((r for r in engine.rules if r.id == rule_id), None)
    row = None if instrument == MARKET else engine.market.universe.row(instrument)
    if seen is None or rule is None or (row is None and (instrument != MARKET or rule.per != "market")):
        return None
    return RuleHere(seen, rule, row).explanation(instrument)


def _itself(rule: Rule) -> str | None:
    return rule.id


def glances(
    engine: Engine, instrument: str, *, limit: int = N_GLANCES, form_of: Callable[[Rule], str | None] = _itself
) -> tuple[tuple[Glance, ...], int]:
    """All rules that may look at an instrument, what is nearest to firing first, and how many more there are.

    `form_of`: the form in which a rule is to be shown, under its own id; None leaves it out.
    """
    seen = TickValues.of(engine)
    row = engine.market.universe.row(instrument)
    listed = None if row is None else engine.market.universe.at(row)
    if seen is None or row is None or listed is None:
        return (), 0
    rules = {rule.id: rule for rule in engine.rules}
    forms = [rules.get(form_of(rule) or "") for rule in engine.rules if not rule.base]
    ranked = sorted(
        (_order(seen, rule, row), i) for i, rule in enumerate(forms) if rule is not None and matches(rule.scope, listed)
    )
    shown = []
    for order, i in ranked[:limit]:
        form = forms[i]
        assert form is not None
        found = RuleHere(seen, form, row).glance(order[1])
        shown.append(replace(found, rule_id=form.base) if form.base else found)
    return tuple(shown), len(ranked) - len(shown)


def in_order(found: Iterable[Glance]) -> list[Glance]:
    """What is nearest to firing first."""
    return sorted(found, key=lambda one: (_PHASES.index(one.phase), one.nearness))


_PHASES: Final[tuple[AlertPhase, ...]] = ("firing", "pending", "cooling", "inactive")


def _order(seen: TickValues, rule: Rule, row: int) -> tuple[int, float]:
    phase, at = _PHASES.index(phase_of(seen, rule, row)), row if rule.per == "symbol" else seen.pivot
    halted = rule.per == "symbol" and not bool(seen.engine.market.is_trading[row])
    decided = seen.is_scope_known(rule.scope) and not halted
    return phase, OnePlace(seen, at).far(rule.when, rule.scope) if decided else math.inf


class RuleHere:
    """One rule at one instrument, or (row None) over its scope; its nodes need no alert of the rule."""

    def __init__(self, seen: TickValues, rule: Rule, row: int | None) -> None:
        self._seen = seen
        self._rule = rule
        self._scope = rule.scope
        self._asked = row
        self._at = seen.pivot if rule.per == "market" or row is None else row
        """Where the rule's own condition is read."""
        self._lookback = Lookback(seen.engine.market, seen.view)

    # -- the whole -----------------------------------------------------------------------------------------------

    def explanation(self, instrument: str) -> Explanation:
        rule, seen = self._rule, self._seen
        venue, _, symbol = instrument.rpartition(":")
        verdict = seen.rule_verdict(rule, self._at)
        when = self.node(rule.when, self._at)
        undecided = [*([outside] if (outside := self._outside()) else []), *self._halts()]
        reasons = [*undecided, *(self._unknown(when) if verdict == "unknown" else [])]
        measured, alert = self._measured(), alert_of(seen, rule, self._asked, verdict)
        is_member = self._asked is None or bool(seen.members(self._scope)[self._asked])
        if not (is_member or rule.per == "market") and alert.phase == "inactive":
            alert = replace(alert, next="")  # where nobody looks nothing fires
        return Explanation(
            rule_id=rule.id,
            title=rule.title,
            per_market=rule.per == "market",
            venue=venue,
            symbol=symbol,
            at_ms=seen.engine.now_ms,
            verdict=verdict,
            when=when,
            clear=seen.end(rule, self._at, self.node(rule.end, self._at), undecided),
            is_member=is_member,
            why=tuple(dict.fromkeys(reasons)),
            value_text=measured.text,
            value=measured.value,
            unit=unit_of_measured(seen, rule, measured),
            then=units_then(seen, rule, self._asked),
            alert=alert,
            hushed=tuple(
                Hush("inhibited", muter)
                for muter in seen.engine.inhibiting.muters(rule.id, MARKET if rule.per == "market" else instrument)
            ),
        )

    def glance(self, nearness: float) -> Glance:
        rule, seen = self._rule, self._seen
        verdict = seen.rule_verdict(rule, self._at)
        decisive = OnePlace(seen, self._at).decisive(rule.when, self._scope)
        near = None if decisive is None else self.near(rule.when, self._at)
        why = self._outside()
        if not why and verdict == "unknown":
            why = next(iter([*self._halts(), *self._unknown(self.node(rule.when, self._at))]), "")
        measured, alert = self._measured(), alert_of(seen, rule, self._asked, verdict)
        # What an alert follows is what its peak is of, whatever the condition hangs on now, and known or not.
        is_followed = self._followed() is not None and measured.option >= 0
        is_own = is_followed or (rule.value is not None and measured.value is not None)
        return Glance(
            rule_id=rule.id,
            title=rule.title,
            per_market=rule.per == "market",
            phase=alert.phase,
            verdict=verdict,
            value=measured.value if is_own or near is None else near.value,
            unit=unit_of_measured(seen, rule, measured) if is_own or near is None else near.unit,
            distance=near.distance if near else None,
            nearness=nearness,
            why=why,
            alert=alert,
            at_ms=seen.engine.now_ms,
        )

    def _followed(self) -> int | None:
        """Which of the rule's measures its alert follows; None where it fires not, and right after a restart."""
        book = self._seen.engine.book(self._rule.id)
        row = 0 if self._rule.per == "market" or self._asked is None else self._asked
        return book.option(row) if book is not None and book.state(row) is State.FIRING else None

    def _measured(self) -> Measured:
        return self._seen.result.measured(self._rule, self._seen.t, self._at, self._followed())

    def _outside(self) -> str:
        """Why the instrument is none that the rule looks at, or why that is not decided."""
        return why_outside(self._seen, self._scope, self._asked)

    def _is_halted(self, row: int) -> bool:
        return not bool(self._seen.engine.market.is_trading[row])

    def _halts(self) -> list[str]:
        return [self._halt(self._at)] if self._is_halted(self._at) else []

    def _halt(self, row: int) -> str:
        instrument = self._seen.engine.market.universe.at(row)
        return say("it is halted ({status})", status=instrument.status if instrument else say("not listed"))

    def reasons(self, when: Node) -> tuple[str, ...]:
        """What keeps it from being decided here; empty where it is."""
        if when.verdict != "unknown":
            return ()
        return tuple(dict.fromkeys([*self._halts(), *self._unknown(when)]))

    @staticmethod
    def _unknown(node: Node) -> list[str]:
        """Of the parts that are unknown themselves, in reading order."""
        return [n.why for n in _walk(node) if n.why and not any(p.why == n.why for p in n.parts)]

    # -- nodes ---------------------------------------------------------------------------------------------------

    def node(self, expr: Expr, row: int) -> Node:
        """An expression at an instrument, with all its parts."""
        if isinstance(expr, Compare):
            return self._compare(expr, row)
        if isinstance(expr, Call) and (expr.name == "stale" or expr.name in CROSSINGS):
            return self._event(expr, row)
        if isinstance(expr, _CONDITION):
            parts = tuple(self.node(part, row) for part in children(expr))
            verdict = self._seen.verdict(expr, self._scope, row)
            why = next((p.why for p in parts if p.why), "") if verdict == "unknown" else ""
            return Node(text(expr), verdict, why=why, parts=parts)
        return self._number(expr, row)

    def _compare(self, expr: Compare, row: int) -> Node:
        seen = self._seen
        verdict = seen.verdict(expr, self._scope, row)
        parts = tuple(self.node(side, row) for side in (expr.left, expr.right) if not isinstance(side, Number))
        why = ""
        if verdict == "unknown":
            unknown = next((p.why for p in parts if p.why), "")
            why = unknown or (self._halt(row) if self._is_halted(row) else self._why_count(expr))
        return Node(
            text(expr),
            verdict,
            value=seen.number(expr.left, self._scope, row),
            unit=shown_unit(expr),
            threshold=seen.threshold(expr, self._scope, row),
            why=why,
            distance=seen.distance(expr, expr.op, self._scope, row),
            parts=parts,
        )

    def _why_count(self, expr: Compare) -> str:
        count, _, _ = sides_of_count(expr)
        if count is None:
            return ""
        found = self._seen.count(count, self._scope)
        t = self._seen.t
        n_members = int(found.n_members[t, 0])
        n_unknown = int(found.high[t, 0] - found.low[t, 0])
        return (
            say("{n_unknown} of {n} members are unknown", n_unknown=n_unknown, n=n_members)
            if n_members
            else say("nobody is in the scope")
        )

    def _event(self, expr: Call, row: int) -> Node:
        seen = self._seen
        verdict = seen.verdict(expr, self._scope, row)
        halted = self._halt(row) if verdict == "unknown" and self._is_halted(row) else ""
        if expr.name == "stale":
            series = expr.args[0]
            assert isinstance(series, Series)
            samples = self._lookback.newest(series.name, row)
            oldest = max(samples, key=lambda s: math.inf if s.age_ms is None else s.age_ms)
            return Node(text(expr), verdict, why=halted, sample=oldest)
        parts = tuple(self.node(side, row) for side in expr.args if not isinstance(side, Number))
        why = halted or next((p.why for p in parts if p.why), "")
        return Node(
            text(expr),
            verdict,
            value=seen.number(expr.args[0], self._scope, row),
            unit=unit_of(expr.args[0]),
            threshold=seen.number(expr.args[1], self._scope, row),
            why=why if verdict == "unknown" else "",
            crossing=self._side(expr, row),
            parts=parts,
        )

    def _side(self, expr: Call, row: int) -> SideSeen | None:
        crossing = self._seen.engine.plan.program.crossings.get(key_of(expr, self._scope))
        row = 0 if is_single(expr) else row
        if crossing is None or row >= len(crossing.side):
            return None
        side, known_ms = int(crossing.side[row]), int(crossing.known_ms[row])
        if not side:
            return SideSeen("none", None, known_ms or None)
        return SideSeen("above" if side > 0 else "below", int(crossing.since_ms[row]), known_ms or None)

    def _number(self, expr: Expr, row: int) -> Node:
        seen = self._seen
        if isinstance(expr, Call) and expr.name == "count":
            return self._count(expr)
        if isinstance(expr, Call) and expr.name in OVER_SCOPE:
            return self._over_scope(expr, row)
        value = seen.number(expr, self._scope, row)
        base = Node(text(expr), value=value, unit=unit_of(expr))
        if isinstance(expr, Call) and expr.name == "age":
            series = expr.args[0]
            assert isinstance(series, Series)
            return replace(base, sample=self._lookback.newest(series.name, row)[0])
        leaf = leaf_of(expr)
        if leaf is not None:
            why = "" if value is not None else self._lookback.why(leaf, row)
            # The change inside a score is a number of its own; a series inside a function is not.
            parts = tuple(self.node(p, row) for p in children(expr) if isinstance(p, Call))
            sample = None if leaf.window_ms else self._lookback.newest(leaf.series, row)[0]
            return replace(base, why=why, window=self._lookback.window(leaf, row), sample=sample, parts=parts)
        parts = tuple(self.node(p, row) for p in children(expr) if not isinstance(p, Number))
        why = next((p.why for p in parts if p.why), say("it is divided by zero, or too large a number"))
        return replace(base, why=why if value is None else "", parts=parts)

    # -- over the scope ------------------------------------------------------------------------------------------

    def _inner(self, expr: Call) -> tuple[Node, ...]:
        """What is inside, at the instrument that was asked about."""
        return () if self._asked is None else (self.node(expr.args[0], self._asked),)

    def _over_scope(self, expr: Call, row: int) -> Node:
        seen = self._seen
        value = seen.number(expr, self._scope, row)
        inner = seen.numbers(expr.args[0], self._scope)
        scoped = seen.scoped(self._scope)
        n_members = int(seen.members(self._scope).sum())
        n_known = int((scoped.members & np.isfinite(inner)).sum())
        parts = self._inner(expr)
        why = ""
        if value is None:
            own = next((p.why for p in parts if p.why), "") if expr.name == "rank" else ""
            why = self._why_scope(n_known, n_members, scoped.needed) or own
        scope = ScopeSeen(n_members, n_known, math.ceil(scoped.needed))
        return Node(text(expr), value=value, unit=unit_of(expr), why=why, scope=scope, parts=parts)

    def _why_scope(self, n_known: int, n_members: int, needed: float) -> str:
        if not self._seen.is_scope_known(self._scope):
            return why_outside(self._seen, self._scope, None)
        if n_known >= needed:
            return ""
        if n_members < MIN_MEMBERS:
            return say("the scope has {n} members, {n_needed} needed", n=n_members, n_needed=MIN_MEMBERS)
        return say(
            "{n_known} of {n} members are known, {n_needed} needed",
            n_known=n_known,
            n=n_members,
            n_needed=math.ceil(needed),
        )

    def _count(self, expr: Call) -> Node:
        seen, scope = self._seen, self._scope
        condition = expr.args[0]
        members = seen.members(scope)
        truth = seen.truths(condition, scope)
        n_true, n_unknown = (int(((truth == which) & members).sum()) for which in (TRUE, UNKNOWN))
        far = np.where(members & (truth != TRUE), seen.farness(condition, scope), np.inf)
        rows = [int(r) for r in np.argsort(far, kind="stable")[:N_NEAREST] if np.isfinite(far[r])]
        n_members = int(members.sum())
        return Node(
            text(expr),
            value=float(n_true),
            unit="count",
            scope=ScopeSeen(
                n_members, n_members - n_unknown, 0, n_true, n_unknown, tuple(self.near(condition, r) for r in rows)
            ),
            parts=self._inner(expr),
        )

    def near(self, condition: Expr, row: int) -> Near:
        seen = self._seen
        instrument = seen.engine.market.universe.at(row)
        symbol = instrument.symbol if instrument else MARKET
        verdict = seen.verdict(condition, self._scope, row)
        decisive = OnePlace(seen, row).decisive(condition, self._scope)
        if decisive is None:
            return Near(symbol, verdict, None, "number", None)
        compare = decisive.compare
        count, _, _ = sides_of_count(compare)
        return Near(
            symbol,
            verdict,
            seen.number(compare.left if count is None else count, self._scope, row),
            shown_unit(compare),
            seen.distance(compare, decisive.op, self._scope, row),
        )


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for part in node.parts:
        yield from _walk(part)
