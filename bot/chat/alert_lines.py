"""What is said of one alert made in chat, wherever it is shown: what it is, where it stands, what may be changed."""

from bot.chat import alert_tuning
from bot.chat.alert_text import condition_text, distance, extras_text, figure, holds, symbol_of
from bot.chat.commands import shorten
from bot.chat.rehearsal_text import Rehearsal, counts_line
from bot.chat.reply import Button
from bot.chat.silence_pages import when
from bot.model import numbers
from bot.model.chat_alert import AlertLife, AlertStage, ChatAlert
from bot.model.chat_rule import ChatRule
from bot.model.chat_rule_ports import RuleLife
from bot.texts import say


def now_text(one: ChatAlert, value: float | None) -> str:
    if value is None:
        return say("no value known now")
    to_go = "" if holds(one, value) else distance(one, value)
    return say("now {value}", value=figure(one, value)) + (f" · {to_go}" if to_go else "")


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def stage_text(alert: ChatAlert, life: AlertLife | None, *, now_ms: int) -> str:
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


def _extras(one: ChatAlert | ChatRule, zone: str) -> str:
    parts = [extras_text(one), _ends(one, zone), shorten(one.note, 60)]
    return "".join(f" · {part}" for part in parts if part)


def _ends(one: ChatAlert | ChatRule, zone: str) -> str:
    return "" if one.ends_ms is None else say("until {time}", time=when(one.ends_ms, zone, now_ms=one.created_ms))


def _whom(rule: ChatRule) -> str:
    return say("top {n}", n=rule.top) if rule.top is not None else ", ".join(shorten(s) for s in rule.symbols)


def what(one: ChatAlert | ChatRule, zone: str) -> str:
    if isinstance(one, ChatRule):
        return f" {_whom(one)} {shorten(one.when, 200)}{_extras(one, zone)}"
    return f" {shorten(symbol_of(one))} {condition_text(one)}{_extras(one, zone)}"


def standing_text(life: RuleLife) -> str:
    """Where a rule stands: `firing: BTCUSDT, ETHUSDT`, `2 true, not told yet`."""
    if life.firing:
        names = [shorten(key.partition(":")[2]) for key in life.firing]
        more = say(" and {n} more", n=len(names) - 5) if len(names) > 5 else ""
        return say("firing: {names}{more}", names=", ".join(names[:5]), more=more)
    if life.n_pending:
        return say("{n} true, not told yet", n=life.n_pending)
    return say("waiting") if life.n_members is None or life.n_members else say("nobody is in its scope now")


def tuning_buttons(alert: ChatAlert, past: Rehearsal) -> tuple[tuple[Button, ...], ...]:
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


def why_button(rule: ChatRule) -> Button:
    return Button(say("Why"), f"/why {rule.id}" if rule.top else f"/why {rule.symbols[0]} {rule.id}")
