"""What is said of alerts made in chat. Pure, as `pages`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bot.chat import alert_tuning
from bot.chat.alert_lines import capital, now_text, tuning_buttons, what, why_button
from bot.chat.alert_text import condition_text, extras_text, figure, holds, symbol_of
from bot.chat.commands import shorten
from bot.chat.rehearsal_text import Rehearsal, beside, counts_line, lately_lines, stored_line
from bot.chat.reply import Button, Line, Reply, bold, code, line, refusal, rows_of
from bot.model import numbers
from bot.model.chat_alert import DIRECTIONS, ChatAlert
from bot.model.chat_rule import ChatRule
from bot.model.instrument import Instrument
from bot.rules.ast import Number, text
from bot.rules.language import SERIES
from bot.texts import say, say_n

_NEAR: Final = 5
_FAR: Final = 100
"""So many times the figure, or a part of it as small, is hardly what somebody waits for."""


def created(
    alert: ChatAlert,
    instrument: Instrument,
    value: float | None,
    past: Rehearsal,
    *,
    assumed_window: bool,
    was: ChatAlert | None = None,
    stored: Rehearsal | None = None,
    zone: str = "UTC",
    unknown: str = "",
) -> Reply:
    """What was understood, canonically, where the figure stands, and what it would have done. `stored`: by the history;
    `unknown`: why there is no value.
    """
    is_true = value is not None and holds(alert, value)
    if is_true:
        state = say("Already true ({now}): it waits until it was false once.", now=now_text(alert, value))
    elif value is None and unknown:
        state = say("No value is known yet ({why}): it waits for one, and until it was false once.", why=unknown)
    elif value is None:
        state = say("No value is known yet: it waits for one, and until it was false once.")
    else:
        state = capital(now_text(alert, value))
    again = (
        say("Told once.")
        if alert.once
        else say("Again at the earliest {window} after its end.", window=numbers.window(alert.cooldown_ms))
    )
    blocks = [line("🔔 ", code(alert.id), bold(what(alert, zone)))]
    blocks += [line(say("In the place of "), code(was.id), ".")] if was is not None else []
    blocks += [line(say("No window was given: I took 15m."))] if assumed_window else []
    blocks += [line(state), line(again), *lately_lines(alert, past, zone)]
    stored = beside(past, stored)
    judged = past if stored is None else stored
    blocks += [*stored_line(stored), *counts_line(judged)]
    doubts = _doubts(alert, value, instrument.multiplier)
    blocks += [line(text) for text, _ in doubts]
    if not instrument.is_trading:
        blocks.append(
            line(say("Not trading now ({status}): it waits until it does.", status=shorten(instrument.status)))
        )
    undo = f"/undo {alert.id}" if was is None else f"/undo {alert.id} {was.id}"
    last = (Button(say("Alerts"), "/alerts"), Button(say("Undo"), undo))
    others = tuple((Button(command, command),) for _, command in doubts)
    return Reply(tuple(blocks), (*others, *tuning_buttons(alert, judged), last))


def _doubts(alert: ChatAlert, value: float | None, multiplier: int) -> list[tuple[str, str]]:
    """What was perhaps meant by a level that is nowhere near the figure, and the command for it."""
    level, is_bare = abs(alert.level), alert.measure in SERIES and not alert.is_ratio
    if value is None or not is_bare or not level or not value or _FAR > abs(value) / level > 1 / _FAR:
        return []
    whom = symbol_of(alert)
    if multiplier > 1 and alert.measure in {"price", "index"} and 1 / _FAR < abs(value) / level / multiplier < _FAR:
        meant = text(Number(float(f"{alert.level * multiplier:.12g}"), ""))
        command = f"/alert {whom} {alert.measure} {alert.op} {meant}"
        return [
            (say("This contract counts {n} coins as one. Did you mean {level}?", n=multiplier, level=meant), command)
        ]
    if alert.measure in {"price", "index"} and 1 / _NEAR < abs(value) / level / 1_000 < _NEAR and level >= 1:
        meant = text(Number(alert.level * 1_000, ""))
        return [
            (
                say("A point divides. Did you mean {level}?", level=meant),
                f"/alert {whom} {alert.measure} {alert.op} {meant}",
            )
        ]
    if 0.1 <= level <= 100 < abs(value) / level:
        size = text(Number(DIRECTIONS[alert.op] * level / 100, "%"))
        command = f"/alert {whom} {alert.measure} {alert.op} {size} 15m"
        return [
            (
                say(
                    "That is far from {value}. Did you mean a change of {size}?", value=figure(alert, value), size=size
                ),
                command,
            )
        ]
    if alert.measure == "oi" and level > abs(value):
        command = f"/alert {whom} oi_usd {alert.op} {text(Number(level, ''))}"
        return [(say("oi counts coins, oi_usd counts dollars. Did you mean dollars?"), command)]
    return []


def created_several(
    made: Sequence[tuple[ChatAlert, Instrument, float | None]],
    past: Rehearsal,
    *,
    n_wanted: int,
    assumed_window: bool,
    stored: Rehearsal | None = None,
    zone: str = "UTC",
) -> Reply:
    """One line for each, as they were understood."""
    blocks: list[Line] = [line(bold(say("🔔 {n} alerts", n=len(made))))]
    blocks += [line(say("No window was given: I took 15m."))] if assumed_window else []
    for alert, _, value in made:
        blocks += [line(code(alert.id), what(alert, zone)), line(now_text(alert, value))]
    blocks += [*lately_lines(made[0][0], past, zone), *stored_line(beside(past, stored))]
    if len(made) < n_wanted:
        blocks.append(line(say("{n} were there already, or this chat has as many as it may.", n=n_wanted - len(made))))
    undo = Button(say("Undo"), " ".join(("/delete", *(alert.id for alert, _, _ in made))))
    last = (Button(say("Alerts"), "/alerts"), undo)
    if past.calm_level is None:
        return Reply(tuple(blocks), (last,))
    calm = replace(made[0][0], level=past.calm_level)
    whom = ",".join(symbol_of(alert) for alert, _, _ in made)
    command = f"/alert {whom} when {condition_text(calm)} {extras_text(calm)}".rstrip()
    size = alert_tuning.words_of(past.calm_level)
    return Reply(tuple(blocks), ((Button(say("{size} as well", size=size), command),), last))


def rule_created(
    rule: ChatRule,
    past: Rehearsal,
    calmer: str = "",
    *,
    assumed_window: bool,
    stored: Rehearsal | None = None,
    zone: str = "UTC",
) -> Reply:
    """What was understood, canonically, and what it would have done. `calmer`: the command that makes it at the calm level."""
    blocks = [line("🔔 ", code(rule.id), bold(what(rule, zone)))]
    blocks += [line(say("No window was given: I took 15m."))] if assumed_window else []
    again = (
        say("Told once for each coin.")
        if rule.once
        else say("Again at the earliest {window} after its end.", window=numbers.window(rule.cooldown_ms))
    )
    blocks += [line(again), line(say("One that is true already is told as such, not as news."))]
    blocks += [*lately_lines(None, past, zone), *stored_line(beside(past, stored))]
    why = why_button(rule)
    last = (Button(say("Alerts"), "/alerts"), why, Button(say("Delete"), f"/delete {rule.id}"))
    if not calmer or past.calm_level is None:
        return Reply(tuple(blocks), (last,))
    size = alert_tuning.words_of(past.calm_level)
    return Reply(tuple(blocks), ((Button(say("{size} as well", size=size), calmer),), last))


def unread(text: str, instead: Sequence[str]) -> Reply:
    """What could not be read, and commands like it that can be."""
    said = say("{text} Write it like {usage}.", text=text, usage=instead[0])
    each = tuple((Button(one, one),) for one in instead)
    return Reply((line(said),), (*each, (Button(say("How to"), "/help alert"),)), is_refusal=True)


def one_each(each: Sequence[str], *, is_both: bool, is_one_symbol: bool) -> Reply:
    """What was typed as one alert and is several: a command for each."""
    if is_one_symbol:
        said = say("These are {n} alerts. Make each by itself:", n=len(each))
    elif is_both:
        said = say("I cannot ask two contracts at once: an alert looks at one at a time. One for each:")
    else:
        said = say("An alert looks at one contract at a time. One for each:")
    commands = tuple((Button(one, one),) for one in each)
    blocks = (line(said), *(line(code(one)) for one in each))
    return Reply(blocks, (*commands, (Button(say("How to"), "/help alert"),)), is_refusal=True)


def rule_known_already(rule: ChatRule, zone: str) -> Reply:
    return Reply(
        (line(say("That alert is there already: "), code(rule.id), what(rule, zone)),),
        ((Button(say("Alerts"), "/alerts"),),),
    )


def rules_full(n: int) -> Reply:
    text = say("This chat has {n} conditions, or all chats together as many as I take. Delete one first.", n=n)
    return Reply((line(text),), ((Button(say("Alerts"), "/alerts"),),), is_refusal=True)


def known_already(alerts: Sequence[ChatAlert], zone: str) -> Reply:
    return Reply(
        tuple(line(say("That alert is there already: "), code(alert.id), what(alert, zone)) for alert in alerts),
        ((Button(say("Alerts"), "/alerts"),),),
    )


def full(max_per_chat: int) -> Reply:
    text = say("This chat has {n} alerts, as many as it may. Delete one first.", n=max_per_chat)
    return Reply((line(text),), ((Button(say("Alerts"), "/alerts"),),), is_refusal=True)


def full_of_yours(n: int) -> Reply:
    text = say("You have {n} alerts here, as many as you may. Delete one first.", n=n)
    return Reply((line(text),), ((Button(say("Alerts"), "/alerts"),),), is_refusal=True)


def none_yet() -> Reply:
    return Reply(
        (line(say("No alerts of this chat yet. Try /alert BTC oi > 5% 15m.")),),
        ((Button(say("Alert me of BTC"), "/alert BTC oi > 5% 15m"),),),
    )


def none_of(symbol: str) -> Reply:
    ask = f"/new {symbol}"
    return Reply(
        (line(say("No alerts of this chat about {symbol}.", symbol=symbol)),),
        ((Button(say("＋ New"), ask), Button(say("Alerts"), "/alerts")),),
    )


def no_page(n_pages: int) -> Reply:
    text = say_n("There is {n} page.", "There are {n} pages.", n_pages)
    return Reply((line(text),), ((Button(say("Alerts"), "/alerts"),),), is_refusal=True, is_gone=True)


def not_found(typed: str) -> Reply:
    return Reply(
        (line(say("No alert of this chat begins with "), code(shorten(typed)), say(". /alerts lists them.")),),
        ((Button(say("Alerts"), "/alerts"),),),
        is_refusal=True,
        is_gone=True,
    )


def ambiguous(typed: str, found: Sequence[ChatAlert | ChatRule]) -> Reply:
    names = say(" and ").join(alert.id for alert in found)
    return refusal(
        say("More than one alert begins with "), code(shorten(typed)), say(": {names}. Write more of it.", names=names)
    )


def not_yours() -> Reply:
    return refusal(say("Only who made an alert, or an admin, may change it."))


def deleted(alert: ChatAlert | ChatRule, zone: str) -> Reply:
    return Reply(
        (line(say("Deleted "), code(alert.id), what(alert, zone)),),
        ((Button(say("Undo"), f"/undo {alert.id}"), Button(say("Alerts"), "/alerts")),),
    )


def deleted_several(gone: Sequence[ChatAlert | ChatRule], zone: str) -> Reply:
    """Each can be brought back."""
    blocks = [
        line(bold(say("Deleted {n} alerts", n=len(gone)))),
        *(line(code(one.id), what(one, zone)) for one in gone),
    ]
    undo = [Button(say("Undo {id}", id=one.id), f"/undo {one.id}") for one in gone]
    return Reply(tuple(blocks), (*rows_of(undo, 2), (Button(say("Alerts"), "/alerts"),)))


def not_there() -> Reply:
    text = say("That one cannot be brought back: it is a day since, or it was never here.")
    return Reply((line(text),), ((Button(say("Alerts"), "/alerts"),),), is_refusal=True, is_gone=True)


def changed_meanwhile(before: str, alert: ChatAlert, zone: str) -> Reply:
    """`before`: the id of the one that is wanted back; `alert`: what stands in its place."""
    said = line(say("Nothing was brought back: meanwhile it was changed to "), code(alert.id), what(alert, zone))
    instead = Button(say("Put it in that place"), f"/undo {alert.id} {before}")
    return Reply((said,), ((instead, Button(say("Alerts"), "/alerts")),), is_refusal=True)


def restored(alert: ChatAlert | ChatRule, zone: str) -> Reply:
    return Reply(
        (line(say("Back again: "), code(alert.id), what(alert, zone)),), ((Button(say("Alerts"), "/alerts"),),)
    )


def sure(n: int) -> Reply:
    """Before many go at once."""
    question = say_n(
        "Delete this alert? Each can be brought back by its id for a day.",
        "Delete these {n} alerts? Each can be brought back by its id for a day.",
        n,
    )
    return Reply(
        (line(question),),
        ((Button(say("Delete {n}", n=n), f"/delete all yes {n}"), Button(say("Keep"), "/alerts")),),
        is_personal=True,
    )


def deleted_all(n: int, n_left: int) -> Reply:
    kept = say(" {n} made by others stay.", n=n_left) if n_left else ""
    return Reply((line(say_n("Deleted {n} alert.{kept}", "Deleted {n} alerts.{kept}", n, kept=kept)),))
