"""What alerts would have done lately, and the nearest level at which one would have been calm."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bot.chat import alert_tuning
from bot.chat.alert_pages import Rehearsal
from bot.chat.alert_text import AlertWish, extras_text
from bot.model.chat_alert import PREFIX, ChatAlert
from bot.model.chat_rule import PREFIX as RULE_PREFIX
from bot.model.chat_rule import ChatRule
from bot.model.rehearsal import Rehearsals, Rehearsed
from bot.rules.ast import Compare, Number, text

_ZEROS: Final = "0" * 7
"""Ids of alerts that are tried only: these and a digit behind the prefix."""


async def of_alert(rehearsals: Rehearsals, alert: ChatAlert) -> Rehearsal:
    """Of one."""
    steps = alert_tuning.harder(alert)
    others = [replace(alert_tuning.at_level(alert, x), id=f"{PREFIX}{_ZEROS}{n}") for n, x in enumerate(steps)]
    return _judged(await rehearsals.rehearse([alert, *others], [alert.instrument]), steps)


async def of_alerts(rehearsals: Rehearsals, alerts: Sequence[ChatAlert]) -> Rehearsal:
    """Of the same for several instruments, taken together; what is not known of one is not counted."""
    found = [one for one in await rehearsals.rehearse(alerts, [a.instrument for a in alerts]) if one is not None]
    if not found:
        return Rehearsal(None)
    last = max(found, key=lambda one: one.last_ms or 0)
    n_fired, n_symbols = sum(one.n_fired for one in found), sum(one.n_fired > 0 for one in found)
    return _judged([replace(last, n_fired=n_fired, n_symbols=n_symbols)], ())


async def of_rule(
    rehearsals: Rehearsals, rule: ChatRule, wish: AlertWish, keys: Sequence[str]
) -> tuple[Rehearsal, str]:
    """Of a condition over some instruments, and the command that makes a calm one; empty where there is none to offer."""
    steps = alert_tuning.harder(_as_alert(rule, wish)) if wish.threshold is not None else ()
    whens = [text(replace(wish.condition, right=Number(x, "%"))) for x in steps if isinstance(wish.condition, Compare)]
    others = [replace(rule, id=f"{RULE_PREFIX}{_ZEROS}{n}", when=when) for n, when in enumerate(whens)]
    past = _judged(await rehearsals.rehearse([rule, *others], keys), steps)
    if past.calm_level is None:
        return past, ""
    whom = f"top{rule.top}" if rule.top is not None else ",".join(rule.symbols)
    return past, f"/alert {whom} when {whens[steps.index(past.calm_level)]} {extras_text(rule)}".rstrip()


def _as_alert(rule: ChatRule, wish: AlertWish) -> ChatAlert:
    """Its comparison, as if it were for one instrument."""
    one = wish.threshold
    assert one is not None
    return ChatAlert(f"{PREFIX}{_ZEROS}0", rule.chat, rule.user, "", one.measure, one.op, one.level, one.is_ratio, 0)


def _judged(found: Sequence[Rehearsed | None], steps: Sequence[float]) -> Rehearsal:
    """The first is what is asked about, the others are for the steps."""
    own = found[0] if found else None
    if own is None or own.per_day <= alert_tuning.NOISY_PER_DAY:
        return Rehearsal(own)
    calm = (x for x, past in zip(steps, found[1:], strict=True) if past and past.per_day <= alert_tuning.CALM_PER_DAY)
    return Rehearsal(own, next(calm, None), is_noisy=True)
