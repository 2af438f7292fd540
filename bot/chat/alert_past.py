"""What alerts would have done lately, and the nearest level at which one would have been calm."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from bot.chat import alert_builder, alert_tuning
from bot.chat.alert_grammar import read_alert
from bot.chat.alert_making import alert_from
from bot.chat.alert_text import AlertWish, extras_text
from bot.chat.asker import Asker
from bot.chat.rehearsal_text import LEAST_STORED_MS, Rehearsal
from bot.chat.reply import Reply
from bot.model.chat_alert import PREFIX, ChatAlert
from bot.model.chat_rule import PREFIX as RULE_PREFIX
from bot.model.chat_rule import ChatRule
from bot.model.instrument import Instrument
from bot.model.past import PastDesk
from bot.model.rehearsal import Rehearsals, Rehearsed, merged
from bot.rules.ast import Compare, Number, text

_ZEROS: Final = "0" * 7
"""Ids of alerts that are tried only: these and a digit behind the prefix."""


class Asked(Protocol):
    """Memory, or the stored history."""

    async def rehearse(
        self, ones: Sequence[ChatAlert | ChatRule], keys: Sequence[str], /
    ) -> Sequence[Rehearsed | None]: ...


async def of_alert(rehearsals: Asked, alert: ChatAlert) -> Rehearsal:
    """Of one, and of the sizes beside its own."""
    ones = _with_steps(alert)
    return _with_counts(ones, await rehearsals.rehearse(ones, [alert.instrument]))


def with_history(
    desk: PastDesk | None, page: Callable[..., Reply], tell: Callable[[PastDesk], Awaitable[Rehearsal]]
) -> Reply:
    """A page, and the same once the stored history told more: nobody waits for that. `tell`: asks the history."""
    now = page()
    if desk is None or not desk.is_there:
        return now

    async def later() -> AsyncIterator[Reply]:
        found = await tell(desk)
        if found.is_long and (more := page(stored=found)) != now:
            yield more

    return replace(now, later=later)


def _with_steps(alert: ChatAlert) -> list[ChatAlert]:
    """The alert, and as if it had the sizes that are offered beside it; the harder ones last, nearest first."""
    harder = alert_tuning.harder(alert)
    others = [x for x in alert_tuning.steps(alert) if x != alert.level and x not in harder]
    levels = [*others, *harder]
    return [alert, *(replace(alert_tuning.at_level(alert, x), id=f"{PREFIX}{_ZEROS}{n}") for n, x in enumerate(levels))]


def _with_counts(ones: Sequence[ChatAlert], found: Sequence[Rehearsed | None]) -> Rehearsal:
    harder = set(alert_tuning.harder(ones[0]))
    past = list(zip(ones, found, strict=True))
    further = [(one.level, told) for one, told in past[1:] if one.level in harder]
    judged = _judged([found[0], *(told for _, told in further)], [level for level, _ in further])
    return replace(judged, counts=tuple((one.level, told.n_fired) for one, told in past if told is not None))


async def builder(
    rehearsals: Rehearsals, desk: PastDesk | None, words: Sequence[str], instrument: Instrument, asker: Asker
) -> Reply:
    """The next choice by buttons, with how often each would have fired; and the same once the history told more."""
    ones = _tries(words, instrument, asker)
    tried = list(ones.values())

    def page(told: Sequence[Rehearsed | None]) -> Reply:
        return alert_builder.page(words, counts={label: one for label, one in zip(ones, told, strict=True) if one})

    if not tried:
        return page(())
    now = page(await rehearsals.rehearse(tried, [instrument.key]))
    if desk is None or not desk.is_there:
        return now

    async def later() -> AsyncIterator[Reply]:
        told = await desk.rehearse(tried, [instrument.key])
        if any(one is not None and one.span_ms >= LEAST_STORED_MS for one in told):
            yield page(told)

    return replace(now, later=later)


def _tries(words: Sequence[str], instrument: Instrument, asker: Asker) -> dict[str, ChatAlert]:
    """The alerts that the next choice leads to, by what stands on their buttons."""
    found: dict[str, ChatAlert] = {}
    for label, typed in alert_builder.choices(words):
        wish = read_alert(typed)
        if isinstance(wish, AlertWish) and wish.threshold is not None:
            one = alert_from(wish.threshold, wish.options, instrument, asker, 0, None)
            found[label] = replace(one, id=f"{PREFIX}{_ZEROS}{len(found)}")
    return found


async def of_alerts(rehearsals: Asked, alerts: Sequence[ChatAlert]) -> Rehearsal:
    """Of the same for several instruments, taken together, and where all would be calm; what is not known of one is not
    counted.
    """
    steps = alert_tuning.harder(alerts[0])
    at_steps = [[_at(alert, x, f"{n}{k}") for k, alert in enumerate(alerts)] for n, x in enumerate(steps)]
    every = [*alerts, *(one for many in at_steps for one in many)]
    found = iter(await rehearsals.rehearse(every, [a.instrument for a in alerts]))
    parts = [[one for _ in alerts if (one := next(found)) is not None] for _ in range(1 + len(steps))]
    return _judged([merged(part) if part else None for part in parts], steps)


def _at(alert: ChatAlert, level: float, mark: str) -> ChatAlert:
    """As if it had another level."""
    return replace(alert_tuning.at_level(alert, level), id=f"{PREFIX}{mark:0>8}")


async def of_rule(rehearsals: Asked, rule: ChatRule, wish: AlertWish, keys: Sequence[str]) -> tuple[Rehearsal, str]:
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
