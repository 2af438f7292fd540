"""From a wish to an alert as it is stored. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from bot.chat.alert_text import AlertWish, Options, Threshold, condition_text
from bot.chat.asker import Asker
from bot.model.chat_alert import ChatAlert, alert_id
from bot.model.chat_rule import ChatRule
from bot.model.instrument import Instrument
from bot.model.silence import next_local_ms
from bot.rules.ast import text
from bot.rules.schema import DEFAULT_COOLDOWN_MS


def made_at(alert: ChatAlert, created_ms: int) -> ChatAlert:
    return replace(
        alert, id=alert_id(alert.chat, f"{alert.instrument} {condition_text(alert)}", created_ms), created_ms=created_ms
    )


def alike(alert: ChatAlert, threshold: Threshold, options: Options) -> bool:
    same = ("measure", "op", "level")
    given = ("for_ms", "repeat_ms", "once", "silent", "note")
    return (
        all(getattr(alert, name) == getattr(threshold, name) for name in same)
        and all(getattr(alert, name) == getattr(options, name) for name in given)
        and alert.cooldown_ms == cooldown_of(options)
        and alert.ends_ms is None
        and options.life_ms is None
        and options.until_min is None
    )


def alike_rule(rule: ChatRule, wish: AlertWish, symbols: Sequence[str]) -> bool:
    """Whether a condition is what somebody wants, with the same options."""
    options = wish.options
    given = ("for_ms", "repeat_ms", "once", "silent", "note")
    return (
        (tuple(rule.symbols), rule.top, rule.when) == (tuple(symbols), wish.top, text(wish.condition))
        and all(getattr(rule, name) == getattr(options, name) for name in given)
        and rule.cooldown_ms == cooldown_of(options)
        and rule.ends_ms is None
        and options.life_ms is None
        and options.until_min is None
    )


def cooldown_of(options: Options) -> int:
    return DEFAULT_COOLDOWN_MS if options.cooldown_ms is None else options.cooldown_ms


def ends_at(options: Options, zone: str, now_ms: int) -> int | None:
    """Wall time at which it ends; None for one that lives on."""
    if options.life_ms is not None:
        return now_ms + options.life_ms
    return None if options.until_min is None else next_local_ms(options.until_min, zone, now_ms)


def alert_from(
    threshold: Threshold, options: Options, instrument: Instrument, asker: Asker, created_ms: int, ends_ms: int | None
) -> ChatAlert:
    return ChatAlert(
        id=alert_id(asker.chat, f"{instrument.key} {condition_text(threshold)}", created_ms),
        chat=asker.chat,
        user=asker.user,
        instrument=instrument.key,
        measure=threshold.measure,
        op=threshold.op,
        level=threshold.level,
        is_ratio=threshold.is_ratio,
        created_ms=created_ms,
        cooldown_ms=cooldown_of(options),
        for_ms=options.for_ms,
        repeat_ms=options.repeat_ms,
        once=options.once,
        silent=options.silent,
        note=options.note,
        ends_ms=ends_ms,
    )
