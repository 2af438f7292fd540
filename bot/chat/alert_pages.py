"""What is said of alerts made in chat. Pure, as `pages`."""

from collections.abc import Mapping, Sequence
from typing import Final

from bot.chat import alert_tuning
from bot.chat.alert_text import condition_text, distance, extras_text, figure, holds, symbol_of
from bot.chat.commands import shorten
from bot.chat.rehearsal_text import Rehearsal, counts_line, lately_lines, stored_line
from bot.chat.reply import BLANK, Button, Line, Reply, bold, code, line, refusal, rows_of
from bot.chat.silence_pages import when
from bot.model import numbers
from bot.model.chat_alert import AlertLife, AlertStage, ChatAlert
from bot.model.chat_rule import ChatRule
from bot.model.chat_rule_ports import RuleLife
from bot.model.instrument import Instrument
from bot.texts import say, say_n

PAGE: Final = 10
Listed = tuple[ChatAlert, AlertLife | None]


def _now(one: ChatAlert, value: float | None) -> str:
    if value is None:
        return say("no value known now")
    to_go = "" if holds(one, value) else distance(one, value)
    return say("now {value}", value=figure(one, value)) + (f" · {to_go}" if to_go else "")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _stage(alert: ChatAlert, life: AlertLife | None, *, now_ms: int) -> str:
    if life is None:
        return say("not watched yet")
    match life.stage:
        case AlertStage.ABSENT:
            return say("its symbol is not listed now")
        case AlertStage.UNARMED:
            if life.value is None:
                return say("waits for data")
            return say("already true: waits until it was false once") if holds(alert, life.value) else say("waiting")
        case AlertStage.COOLING:
            return say("cooling, {duration} left", duration=numbers.duration(max(0, life.until_ms - now_ms)))
        case AlertStage.PENDING:
            return say("true, not told yet")
        case AlertStage.FIRING:
            return say("firing")
        case AlertStage.DONE:
            return say("told once, over")
        case _:
            return say("waiting")


def _extras(one: ChatAlert | ChatRule) -> str:
    parts = [extras_text(one), _ends(one), shorten(one.note, 60)]
    return "".join(f" · {part}" for part in parts if part)


def _ends(one: ChatAlert | ChatRule) -> str:
    return "" if one.ends_ms is None else say("until {time}", time=when(one.ends_ms, "UTC", now_ms=one.created_ms))


def _whom(rule: ChatRule) -> str:
    return say("top {n}", n=rule.top) if rule.top is not None else ", ".join(shorten(s) for s in rule.symbols)


def _what(one: ChatAlert | ChatRule) -> str:
    if isinstance(one, ChatRule):
        return f" {_whom(one)} {shorten(one.when, 200)}{_extras(one)}"
    return f" {shorten(symbol_of(one))} {condition_text(one)}{_extras(one)}"


def _standing(life: RuleLife) -> str:
    """Where a rule stands: `firing: BTCUSDT, ETHUSDT`, `2 true, not told yet`."""
    if life.firing:
        names = [shorten(key.partition(":")[2]) for key in life.firing]
        more = say(" and {n} more", n=len(names) - 5) if len(names) > 5 else ""
        return say("firing: {names}{more}", names=", ".join(names[:5]), more=more)
    if life.n_pending:
        return say("{n} true, not told yet", n=life.n_pending)
    return say("waiting") if life.n_members is None or life.n_members else say("nobody is in its scope now")


def _tuning_buttons(alert: ChatAlert, past: Rehearsal) -> tuple[tuple[Button, ...], ...]:
    """Sizes (with how often each would have fired), windows, ways: what changes the alert in place."""
    rows: list[tuple[Button, ...]] = []
    tune = f"/tune {alert.id}"
    levels = list(alert_tuning.steps(alert))
    if past.calm_level is not None and past.calm_level not in levels:
        levels.append(past.calm_level)
    if levels:
        counts = dict(past.counts) if counts_line(past) else {}
        words = {x: alert_tuning.words_of(x) for x in levels}
        labels = {x: f"{w} · {counts[x]}×" if x in counts else w for x, w in words.items()}
        rows.append(
            tuple(Button(f"{labels[x]} ✓" if x == alert.level else labels[x], f"{tune} {w}") for x, w in words.items())
        )
    window_ms = alert_tuning.window_ms(alert)
    if window_ms is not None:
        windows = sorted({*alert_tuning.WINDOWS_MS[:3], window_ms})
        named = [(w, alert_tuning.window_text(w)) for w in windows]
        rows.append(tuple(Button(f"{name} ✓" if w == window_ms else name, f"{tune} {name}") for w, name in named))
    both = alert_tuning.is_both_ways(alert)
    ways = [] if window_ms is None or both else [Button(say("± both ways"), f"{tune} both")]
    once = Button(say("Again and again") if alert.once else say("Once"), f"{tune} {'again' if alert.once else 'once'}")
    sound = Button(say("Loud") if alert.silent else say("Silent"), f"{tune} {'loud' if alert.silent else 'silent'}")
    rows.append((*ways, once, sound))
    return tuple(rows)


def created(
    alert: ChatAlert,
    instrument: Instrument,
    value: float | None,
    past: Rehearsal,
    *,
    assumed_window: bool,
    was: ChatAlert | None = None,
    stored: Rehearsal | None = None,
) -> Reply:
    """What was understood, canonically, where the figure stands, and what it would have done. `stored`: by the history."""
    is_true = value is not None and holds(alert, value)
    if is_true:
        state = say("Already true ({now}): it waits until it was false once.", now=_now(alert, value))
    elif value is None:
        state = say("No value is known yet: it waits for one, and until it was false once.")
    else:
        state = _capital(_now(alert, value))
    again = (
        say("Told once.")
        if alert.once
        else say("Again at the earliest {window} after its end.", window=numbers.window(alert.cooldown_ms))
    )
    blocks = [line("🔔 ", code(alert.id), bold(_what(alert)))]
    blocks += [line(say("In the place of "), code(was.id), ".")] if was is not None else []
    blocks += [line(say("No window was given: I took 15m."))] if assumed_window else []
    blocks += [line(state), line(again), *lately_lines(alert, past)]
    judged = past if stored is None else stored
    blocks += [*stored_line(stored), *counts_line(judged)]
    if not instrument.is_trading:
        blocks.append(
            line(say("Not trading now ({status}): it waits until it does.", status=shorten(instrument.status)))
        )
    last = (Button(say("Alerts"), "/alerts"), Button(say("Undo"), f"/undo {alert.id}"))
    return Reply(tuple(blocks), (*_tuning_buttons(alert, judged), last))


def created_several(
    made: Sequence[tuple[ChatAlert, Instrument, float | None]],
    past: Rehearsal,
    *,
    n_wanted: int,
    assumed_window: bool,
    stored: Rehearsal | None = None,
) -> Reply:
    """One line for each, as they were understood."""
    blocks: list[Line] = [line(bold(say("🔔 {n} alerts", n=len(made))))]
    blocks += [line(say("No window was given: I took 15m."))] if assumed_window else []
    for alert, _, value in made:
        blocks += [line(code(alert.id), _what(alert)), line(_now(alert, value))]
    blocks += [*lately_lines(made[0][0], past), *stored_line(stored)]
    if len(made) < n_wanted:
        blocks.append(line(say("{n} were there already, or this chat has as many as it may.", n=n_wanted - len(made))))
    return Reply(tuple(blocks), ((Button(say("Alerts"), "/alerts"),),))


def rule_created(
    rule: ChatRule, past: Rehearsal, calmer: str = "", *, assumed_window: bool, stored: Rehearsal | None = None
) -> Reply:
    """What was understood, canonically, and what it would have done. `calmer`: the command that makes it at the calm level."""
    blocks = [line("🔔 ", code(rule.id), bold(_what(rule)))]
    blocks += [line(say("No window was given: I took 15m."))] if assumed_window else []
    again = (
        say("Told once for each coin.")
        if rule.once
        else say("Again at the earliest {window} after its end.", window=numbers.window(rule.cooldown_ms))
    )
    blocks += [line(again), line(say("One that is true already is told as such, not as news."))]
    blocks += [*lately_lines(None, past), *stored_line(stored)]
    why = _why_button(rule)
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


def rule_known_already(rule: ChatRule) -> Reply:
    return Reply(
        (line(say("That alert is there already: "), code(rule.id), _what(rule)),),
        ((Button(say("Alerts"), "/alerts"),),),
    )


def rules_full(n: int) -> Reply:
    text = say("This chat has {n} conditions, or all chats together as many as I take. Delete one first.", n=n)
    return Reply((line(text),), ((Button(say("Alerts"), "/alerts"),),), is_refusal=True)


def known_already(alert: ChatAlert) -> Reply:
    return Reply(
        (line(say("That alert is there already: "), code(alert.id), _what(alert)),),
        ((Button(say("Alerts"), "/alerts"),),),
    )


def full(max_per_chat: int) -> Reply:
    text = say("This chat has {n} alerts, as many as it may. Delete one first.", n=max_per_chat)
    return Reply((line(text),), ((Button(say("Alerts"), "/alerts"),),), is_refusal=True)


def full_of_yours(n: int) -> Reply:
    text = say("You have {n} alerts here, as many as you may. Delete one first.", n=n)
    return Reply((line(text),), ((Button(say("Alerts"), "/alerts"),),), is_refusal=True)


def listing(
    listed: Sequence[Listed],
    *,
    rules: Sequence[tuple[ChatRule, RuleLife]] = (),
    page: int,
    n: int,
    now_ms: int,
    today: Mapping[str, int],
) -> Reply:
    """One page of a chat's alerts, each with its state. `today`: how often they fired, by id."""
    n_pages = -(-n // PAGE)
    of = say(" · page {page} of {n_pages}", page=page, n_pages=n_pages) if n_pages > 1 else ""
    blocks: list[Line] = [line(bold(say("Alerts of this chat ({n}){of}", n=n, of=of)))]
    for rule, standing in rules:
        blocks += [BLANK, line(code(rule.id), _what(rule)), line(_standing(standing) + _today(today.get(rule.id, 0)))]
    for alert, life in listed:
        value = life.value if life is not None else None
        state = _stage(alert, life, now_ms=now_ms)
        tail = f" · {_now(alert, value)}" if value is not None else ""
        tail += _today(today.get(alert.id, 0))
        blocks += [BLANK, line(code(alert.id), _what(alert)), line(state + tail)]
    ids = [*(rule.id for rule, _ in rules), *(alert.id for alert, _ in listed)]
    turns = [Button("‹", f"/alerts {page - 1}")] if page > 1 else []
    turns += [Button("›", f"/alerts {page + 1}")] if page < n_pages else []
    each = rows_of([Button(id_, f"/alerts {id_}") for id_ in ids], 3)
    return Reply(tuple(blocks), (*each, tuple(turns)) if turns else each)


def _today(n: int) -> str:
    return say(" · {n} today", n=n) if n else ""


def one(alert: ChatAlert, life: AlertLife | None, *, n_today: int, now_ms: int) -> Reply:
    """One alert, how far it is, and what may be done to it."""
    value = life.value if life is not None else None
    blocks = (
        line("🔔 ", code(alert.id), bold(_what(alert))),
        line(_capital(_stage(alert, life, now_ms=now_ms)) + f" · {_now(alert, value)}" + _today(n_today)),
    )
    chart = Button(say("Chart"), f"/chart {alert.instrument}")
    return Reply(blocks, (*_tuning_buttons(alert, Rehearsal(None)), *_care_buttons(alert.id, chart)))


def one_rule(rule: ChatRule, life: RuleLife, *, n_today: int) -> Reply:
    """One condition, where it stands, and what may be done to it."""
    blocks = (line("🔔 ", code(rule.id), bold(_what(rule))), line(_capital(_standing(life)) + _today(n_today)))
    return Reply(blocks, _care_buttons(rule.id, _why_button(rule)))


def _care_buttons(id_: str, look: Button) -> tuple[tuple[Button, ...], ...]:
    snooze = (Button("💤 1h", f"/silence {id_} 1h"), Button("💤 8h", f"/silence {id_} 8h"), look)
    return snooze, (Button(say("Delete"), f"/delete {id_}"), Button(say("‹ Alerts"), "/alerts"))


def _why_button(rule: ChatRule) -> Button:
    return Button(say("Why"), f"/why {rule.id}" if rule.top else f"/why {rule.symbols[0]} {rule.id}")


def none_yet() -> Reply:
    return Reply(
        (line(say("No alerts of this chat yet. Try /alert BTC oi > 5% 15m.")),),
        ((Button(say("Alert me of BTC"), "/alert BTC oi > 5% 15m"),),),
    )


def no_page(n_pages: int) -> Reply:
    text = say_n("There is {n} page.", "There are {n} pages.", n_pages)
    return Reply((line(text),), ((Button(say("Alerts"), "/alerts"),),), is_refusal=True)


def not_found(typed: str) -> Reply:
    return Reply(
        (line(say("No alert of this chat begins with "), code(shorten(typed)), say(". /alerts lists them.")),),
        ((Button(say("Alerts"), "/alerts"),),),
        is_refusal=True,
    )


def ambiguous(typed: str, found: Sequence[ChatAlert | ChatRule]) -> Reply:
    names = say(" and ").join(alert.id for alert in found)
    return refusal(
        say("More than one alert begins with "), code(shorten(typed)), say(": {names}. Write more of it.", names=names)
    )


def not_yours() -> Reply:
    return refusal(say("Only who made an alert, or an admin, may change it."))


def deleted(alert: ChatAlert | ChatRule) -> Reply:
    return Reply(
        (line(say("Deleted "), code(alert.id), _what(alert)),),
        ((Button(say("Undo"), f"/undo {alert.id}"), Button(say("Alerts"), "/alerts")),),
    )


def not_there() -> Reply:
    text = say("That one cannot be brought back: it is a day since, or it was never here.")
    return Reply((line(text),), ((Button(say("Alerts"), "/alerts"),),), is_refusal=True)


def restored(alert: ChatAlert | ChatRule) -> Reply:
    return Reply((line(say("Back again: "), code(alert.id), _what(alert)),), ((Button(say("Alerts"), "/alerts"),),))


def sure(n: int) -> Reply:
    """Before many go at once."""
    question = say_n(
        "Delete this alert? Each can be brought back by its id for a day.",
        "Delete these {n} alerts? Each can be brought back by its id for a day.",
        n,
    )
    return Reply(
        (line(question),),
        ((Button(say("Delete {n}", n=n), "/delete all yes"), Button(say("Keep"), "/alerts")),),
        is_personal=True,
    )


def deleted_all(n: int, n_left: int) -> Reply:
    kept = say(" {n} made by others stay.", n=n_left) if n_left else ""
    return Reply((line(say_n("Deleted {n} alert.{kept}", "Deleted {n} alerts.{kept}", n, kept=kept)),))
