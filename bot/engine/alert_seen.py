"""Where the alert of a rule stands as of the last tick, and what would change it, in words."""

from bot.alerts.lifecycle import is_confirmed
from bot.engine.tick_values import TickValues
from bot.market.validity import DEFAULT_OI_INTERVAL_MS
from bot.model.alert import FOREVER_MS, AlertRecord, State, short_id
from bot.model.explanation import AlertPhase, AlertSeen, Verdict
from bot.model.numbers import duration
from bot.rules.ast import text
from bot.rules.schema import Rule
from bot.texts import say


def alert_of(seen: TickValues, rule: Rule, row: int | None, verdict: Verdict) -> AlertSeen:
    """The alert of a rule on an instrument, or of the rule on its whole scope. `verdict`: of its condition there."""
    engine = seen.engine
    book = engine.book(rule.id)
    assert book is not None
    record = book.look(0 if rule.per == "market" or row is None else row)
    left_ms = record.cooldown_until_ms - engine.now_ms
    is_over = record.state is not State.FIRING and record.cooldown_until_ms >= FOREVER_MS
    cooling = left_ms if left_ms > 0 and not is_over else None
    waits = False
    if row is not None and rule.per == "symbol":
        waits = waits_for_poll(seen, row, record, rule.for_ms, uses_oi=book.policy.uses_oi)
    phase = phase_of_record(record, engine.now_ms)
    since_ms = {"firing": record.fired_ms, "pending": record.pending_since_ms}.get(phase)
    return AlertSeen(
        phase=phase,
        short_id=short_id(record.key) if record.key else "",
        since_ms=since_ms,
        held_ms=record.held_ms,
        for_ms=rule.for_ms,
        waits_for_poll=waits,
        n_told=record.n_told + 1 if record.key else 0,
        value=record.value,
        peak=record.peak,
        cooling_left_ms=cooling,
        is_over=is_over,
        next=next_of(
            rule,
            rule.for_ms,
            record,
            cooling,
            is_over=is_over,
            waits=waits,
            is_event=book.policy.is_event,
            is_known=verdict != "unknown",
        ),
    )


def waits_for_poll(seen: TickValues, row: int, record: AlertRecord, for_ms: int, *, uses_oi: bool) -> bool:
    """Whether a pending alert lacks another sample of open interest."""
    if record.state is not State.PENDING:
        return False
    interval_ms = int(seen.engine.market.oi_interval_ms[row]) or DEFAULT_OI_INTERVAL_MS
    oi_ms = int(seen.view.sample_ms("oi")[0, row])
    return not is_confirmed(for_ms, record.pending_since_ms, oi_ms, interval_ms, uses_oi=uses_oi)


def phase_of(seen: TickValues, rule: Rule, row: int) -> AlertPhase:
    """Where it stands, in a word."""
    book = seen.engine.book(rule.id)
    assert book is not None
    return phase_of_record(book.look(0 if rule.per == "market" else row), seen.engine.now_ms)


def phase_of_record(record: AlertRecord, now_ms: int) -> AlertPhase:
    """Where the state of an alert stands, in a word. What fires one time only, and has, is pending for nothing."""
    if record.state is State.FIRING:
        return "firing"
    if record.state is State.PENDING and record.cooldown_until_ms < FOREVER_MS:
        return "pending"
    return "cooling" if now_ms < record.cooldown_until_ms < FOREVER_MS else "inactive"


def next_of(
    rule: Rule,
    for_ms: int,
    record: AlertRecord,
    cooling: int | None,
    *,
    is_over: bool,
    waits: bool = False,
    is_event: bool = False,
    is_known: bool = True,
) -> str:
    """What would change the alert, in words; empty where only its data is missing. `waits`: for the next poll; `is_event`:
    it is of a moment, and holds for none; `is_known`: whether its condition is known.
    """
    if is_over:
        return say("it fires only once, and has fired")
    if record.state is State.FIRING:
        end = (
            f"{text(rule.clear)}"
            if rule.clear is not None
            else say("{condition} is no longer true", condition=text(rule.when))
        )
        return say("ends when {end}", end=end)
    again = say("may fire again in {duration}", duration=duration(cooling)) if cooling is not None else ""
    if record.state is State.PENDING:
        parts = []
        if record.held_ms < for_ms:
            parts.append(say("held {held} of {needed}", held=duration(record.held_ms), needed=duration(for_ms)))
        if waits:
            parts.append(say("waits for the next open-interest poll"))
        waited = ", ".join([*parts, *([again] if again else [])])
        return waited or (say("fires at the next tick") if is_known else "")
    if again:
        return again
    held = say(" has held for {duration}", duration=duration(for_ms)) if for_ms and not is_event else ""
    return say("fires when {condition}{held}", condition=text(rule.when), held=held)
