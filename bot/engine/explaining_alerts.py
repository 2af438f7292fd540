"""Why alerts made in chat fire, and why not: the same answers as for rules, over the comparison that each of them is."""

from bot.engine.alert_seen import next_of, phase_of_record, waits_for_poll
from bot.engine.engine import Engine
from bot.engine.explaining import RuleHere
from bot.engine.one_place import OnePlace
from bot.engine.subscriptions import rule_of, uses_oi
from bot.engine.tick_values import TickValues
from bot.model.alert import AlertRecord, State, short_id
from bot.model.chat_alert import AlertLife, AlertStage, ChatAlert
from bot.model.explanation import AlertSeen, Explanation, Glance, UnitsThen, Verdict
from bot.rules.program import EVERYWHERE
from bot.rules.schema import Rule
from bot.texts import say


def explain_alert(engine: Engine, alert: ChatAlert) -> Explanation | None:
    """As of the last tick. None before the first one, and where the engine has neither the alert nor its instrument."""
    found = _placed(engine, alert)
    if found is None:
        return None
    seen, row, life, rule = found
    here = RuleHere(seen, rule, row)
    when = here.node(rule.when, row)
    venue, _, symbol = alert.instrument.partition(":")
    return Explanation(
        rule_id=alert.id,
        title=rule.title,
        per_market=False,
        venue=venue,
        symbol=symbol,
        at_ms=engine.now_ms,
        verdict=when.verdict or "unknown",
        when=when,
        clear=here.node(rule.end, row),
        is_member=True,
        why=here.reasons(when),
        value_text=alert.measure,
        value=when.value,
        unit=when.unit,
        then=UnitsThen(when.unit, when.unit),
        alert=_seen_of(seen, row, alert, rule, life, when.verdict),
    )


def alert_glance(engine: Engine, alert: ChatAlert) -> Glance | None:
    """In one line, as of the last tick; None as above."""
    found = _placed(engine, alert)
    if found is None:
        return None
    seen, row, life, rule = found
    here = RuleHere(seen, rule, row)
    near = here.near(rule.when, row)
    alert_seen = _seen_of(seen, row, alert, rule, life, near.verdict)
    return Glance(
        rule_id=alert.id,
        title=rule.title,
        per_market=False,
        phase=alert_seen.phase,
        verdict=near.verdict,
        value=near.value,
        unit=near.unit,
        distance=near.distance,
        nearness=OnePlace(seen, row).far(rule.when, EVERYWHERE),
        why=next(iter(here.reasons(here.node(rule.when, row))), "") if near.verdict == "unknown" else "",
        alert=alert_seen,
        at_ms=engine.now_ms,
    )


def _placed(engine: Engine, alert: ChatAlert) -> tuple[TickValues, int, AlertLife, Rule] | None:
    facts, life = engine.subscriptions.facts(alert.id), engine.subscriptions.life(alert.id, engine.now_ms)
    row = engine.market.universe.row(alert.instrument)
    seen = TickValues.of(engine)
    if seen is None or facts is None or life is None or row is None or life.stage is AlertStage.ABSENT:
        return None
    return seen, row, life, rule_of(alert.id, facts)


def _seen_of(
    seen: TickValues, row: int, alert: ChatAlert, rule: Rule, life: AlertLife, verdict: Verdict | None
) -> AlertSeen:
    engine = seen.engine
    record = life.record or AlertRecord(alert.id, alert.instrument, alert.id, State.INACTIVE)
    phase = phase_of_record(record, engine.now_ms)
    left_ms = record.cooldown_until_ms - engine.now_ms
    is_over = life.stage is AlertStage.DONE
    cooling = left_ms if left_ms > 0 and not is_over else None
    waits = waits_for_poll(seen, row, record, alert.for_ms, uses_oi=uses_oi(alert.measure))
    if life.stage is AlertStage.UNARMED and life.value is not None:
        then = say("it waits until its condition was false once")
    else:
        is_known = verdict in {"true", "false"}
        then = next_of(rule, alert.for_ms, record, cooling, is_over=is_over, waits=waits, is_known=is_known)
    return AlertSeen(
        phase=phase,
        short_id=short_id(record.key) if record.key else "",
        since_ms={"firing": record.fired_ms, "pending": record.pending_since_ms}.get(phase),
        held_ms=record.held_ms,
        for_ms=alert.for_ms,
        waits_for_poll=waits,
        n_told=record.n_told + 1 if record.key else 0,
        value=record.value,
        peak=record.peak,
        cooling_left_ms=cooling,
        is_over=is_over,
        next=then,
    )
