"""What is said of alerts made in chat. Pure, as `pages`."""

from collections.abc import Sequence
from typing import Final

from bot.chat.alert_text import AlertWish, condition_text, extras_text
from bot.chat.commands import shorten
from bot.chat.reply import BLANK, Button, Line, Reply, bold, code, line, refusal
from bot.model import numbers
from bot.model.chat_alert import DIRECTIONS, AlertLife, AlertStage, ChatAlert
from bot.model.instrument import Instrument

PAGE: Final = 10
_PRICES: Final = frozenset({"price", "index"})
_MONEY: Final = frozenset({"oi_usd", "volume_24h"})

Listed = tuple[ChatAlert, AlertLife | None]


def symbol_of(alert: ChatAlert) -> str:
    return alert.instrument.partition(":")[2]


def holds(one: AlertWish | ChatAlert, value: float) -> bool:
    """Whether its condition is true at a value."""
    if value == one.level:
        return one.op in {">=", "<="}
    return (value > one.level) is (DIRECTIONS[one.op] > 0)


def figure(one: AlertWish | ChatAlert, value: float) -> str:
    """A value in the unit of what is measured."""
    if one.is_ratio:
        return numbers.percent(value)
    if one.measure in _PRICES:
        return numbers.price(value)
    return numbers.usd(value) if one.measure in _MONEY else numbers.amount(value)


def distance(one: AlertWish | ChatAlert, value: float) -> str:
    """How far the value still has to go: points between percentages, else a share of the value."""
    if one.is_ratio:
        return f"{abs(one.level - value) * 100:.2f} points to go"
    if value == 0:
        return ""
    return f"{numbers.percent(abs(one.level / value - 1), sign=False)} to go"


def _now(one: AlertWish | ChatAlert, value: float | None) -> str:
    if value is None:
        return "no value known now"
    to_go = "" if holds(one, value) else distance(one, value)
    return f"now {figure(one, value)}" + (f" · {to_go}" if to_go else "")


def _stage(alert: ChatAlert, life: AlertLife | None, *, now_ms: int) -> str:
    if life is None:
        return "not watched yet"
    match life.stage:
        case AlertStage.ABSENT:
            return "its symbol is not listed now"
        case AlertStage.UNARMED:
            if life.value is None:
                return "waits for data"
            return "already true: waits for the first false" if holds(alert, life.value) else "waiting"
        case AlertStage.COOLING:
            return f"cooling, {numbers.duration(max(0, life.until_ms - now_ms))} left"
        case AlertStage.PENDING:
            return "true, not told yet"
        case AlertStage.FIRING:
            return "firing"
        case AlertStage.DONE:
            return "told once, over"
        case _:
            return "waiting"


def _what(alert: ChatAlert) -> str:
    extras = extras_text(alert)
    return f" {shorten(symbol_of(alert))} {condition_text(alert)}" + (f" · {extras}" if extras else "")


def created(alert: ChatAlert, instrument: Instrument, value: float | None, *, assumed_window: bool) -> Reply:
    """What was understood, canonically, and where the figure stands."""
    is_true = value is not None and holds(alert, value)
    if is_true:
        state = f"Already true ({_now(alert, value)}): it waits for the first false."
    elif value is None:
        state = "No value is known now: it waits for the first one, and for the first false."
    else:
        state = f"N{_now(alert, value)[1:]}"
    again = "Told once." if alert.once else f"Again at the earliest {numbers.window(alert.cooldown_ms)} after its end."
    blocks = [line("🔔 ", code(alert.id), bold(_what(alert)))]
    blocks += [line("No window was given: I took 15m.")] if assumed_window else []
    blocks += [line(state), line(again)]
    if not instrument.is_trading:
        blocks.append(line(f"Not trading now ({shorten(instrument.status)}): it waits until it does."))
    return Reply(tuple(blocks), ((Button("Alerts", "/alerts"), Button("Delete", f"/delete {alert.id}")),))


def known_already(alert: ChatAlert) -> Reply:
    return Reply(
        (line("That alert is there already: ", code(alert.id), _what(alert)),), ((Button("Alerts", "/alerts"),),)
    )


def full(max_per_chat: int) -> Reply:
    text = f"This chat has {max_per_chat} alerts, as many as it may. Delete one first."
    return Reply((line(text),), ((Button("Alerts", "/alerts"),),), is_refusal=True)


def listing(listed: Sequence[Listed], *, page: int, n: int, now_ms: int) -> Reply:
    """One page of a chat's alerts, each with its state."""
    n_pages = -(-n // PAGE)
    of = f" · page {page} of {n_pages}" if n_pages > 1 else ""
    blocks: list[Line] = [line(bold(f"Alerts of this chat ({n}){of}"))]
    for alert, life in listed:
        value = life.value if life is not None else None
        state = _stage(alert, life, now_ms=now_ms)
        tail = f" · {_now(alert, value)}" if value is not None else ""
        blocks += [BLANK, line(code(alert.id), _what(alert)), line(state + tail)]
    turns = [Button("‹", f"/alerts {page - 1}")] if page > 1 else []
    turns += [Button("›", f"/alerts {page + 1}")] if page < n_pages else []
    return Reply(tuple(blocks), (tuple(turns),) if turns else ())


NONE_YET: Final = Reply(
    (line("No alerts of this chat yet. Try /alert BTC oi > 5% 15m."),),
    ((Button("Alert me of BTC", "/alert BTC oi > 5% 15m"),),),
)


def no_page(n_pages: int) -> Reply:
    return Reply((line(f"There {'is 1 page' if n_pages == 1 else f'are {n_pages} pages'}."),))


def not_found(typed: str) -> Reply:
    return Reply(
        (line("No alert of this chat begins with ", code(shorten(typed)), ". /alerts lists them."),),
        ((Button("Alerts", "/alerts"),),),
        is_refusal=True,
    )


def ambiguous(typed: str, found: Sequence[ChatAlert]) -> Reply:
    names = " and ".join(alert.id for alert in found)
    return refusal("More than one alert begins with ", code(shorten(typed)), f": {names}. Write more of it.")


NOT_YOURS: Final = refusal("Only who made an alert, or my owner, may delete it.")


def deleted(alert: ChatAlert) -> Reply:
    return Reply((line("Deleted ", code(alert.id), _what(alert)),), ((Button("Alerts", "/alerts"),),))


def deleted_all(n: int, n_left: int) -> Reply:
    kept = f" {n_left} made by others stay." if n_left else ""
    return Reply((line(f"Deleted {n} alert{'' if n == 1 else 's'}.{kept}"),))
