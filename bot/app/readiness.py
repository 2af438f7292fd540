"""The judgement: from ages and states to reasons. Pure; `/readyz`, the dead-man ping and `oibot health` all use it.

It asks whether prices come, rules are evaluated, open interest is polled, changes are stored, destinations take messages
and chat is heard. What holds up one destination of several, or one coin of many, is a note and no reason: the bot as a
whole does its work, and the owner was told.
"""

from dataclasses import dataclass
from typing import Final

from bot.model import numbers
from bot.model.readiness import Readiness, Reason

MAX_PRICE_AGE_S: Final = 10.0
MAX_TICK_AGE_S: Final = 10.0
MAX_LATENESS: Final = 2.0
"""Times the interval at which open interest is polled; at 2.5 it stops counting as known."""
MAX_FAILING_S: Final = 300.0
"""For a destination that takes nothing, a lane that does not turn, and chat that does not answer."""


@dataclass(frozen=True, slots=True)
class Way:
    """One destination and its lane."""

    name: str
    dead_reason: str | None
    failing_s: float
    turned_s: float | None


@dataclass(frozen=True, slots=True)
class Vitals:
    """What is judged. Ages in clock seconds; None where there was nothing yet."""

    uptime_s: float
    price_age_s: float | None
    tick_age_s: float | None
    is_swept: bool
    """Open interest of everything was polled once."""
    lateness: float | None
    n_polled: int
    storage: str
    """Why nothing can be stored; empty when it can."""
    ways: tuple[Way, ...]
    has_chat: bool
    chat_age_s: float | None
    chat_stopped: str | None
    progress: str
    """What a start is busy with."""


def judge(now: Vitals) -> Readiness:
    """All reasons against being ready, the most basic first."""
    reasons: list[Reason] = []
    notes: list[str] = []
    _judge_market(now, reasons)
    if now.storage:
        reasons.append(Reason("storage", f"nothing can be stored: {now.storage}"))
    _judge_delivery(now, reasons, notes)
    _judge_chat(now, reasons)
    return Readiness(tuple(reasons), tuple(notes))


def _judge_market(now: Vitals, reasons: list[Reason]) -> None:
    if now.price_age_s is None:
        reasons.append(Reason("starting", "no prices have come yet"))
        return
    if now.price_age_s > MAX_PRICE_AGE_S:
        reasons.append(Reason("price", f"the newest prices are {_age(now.price_age_s)} old"))
    if now.tick_age_s is None or now.tick_age_s > MAX_TICK_AGE_S:
        told = "not yet" if now.tick_age_s is None else f"last {_age(now.tick_age_s)} ago"
        reasons.append(Reason("evaluation", f"rules are not evaluated: {told}"))
    if not now.is_swept:
        detail = f" ({now.progress})" if now.progress else ""
        reasons.append(Reason("starting", f"open interest has not been asked for everywhere yet{detail}"))
    elif now.lateness is not None and now.lateness > MAX_LATENESS:
        late = f"a fifth of {now.n_polled} contracts is over {MAX_LATENESS:g} polling intervals old"
        reasons.append(Reason("open_interest", f"open interest is late: {late}"))


def _judge_delivery(now: Vitals, reasons: list[Reason], notes: list[str]) -> None:
    dead = [way for way in now.ways if way.dead_reason is not None]
    for way in now.ways:
        if way.dead_reason is not None:
            told = f"{way.name} takes no messages any more: {way.dead_reason}"
            if len(dead) < len(now.ways):
                notes.append(told)
            else:
                reasons.append(Reason("delivery", told))
        elif way.failing_s > MAX_FAILING_S:
            reasons.append(Reason("delivery", f"{way.name} has taken nothing for {_age(way.failing_s)}"))
        elif (now.uptime_s if way.turned_s is None else way.turned_s) > MAX_FAILING_S:
            reasons.append(Reason("delivery", f"nothing is being sent to {way.name}: its lane stands still"))


def _judge_chat(now: Vitals, reasons: list[Reason]) -> None:
    if not now.has_chat:
        return
    if now.chat_stopped is not None:
        reasons.append(Reason("chat", f"commands are not answered any more: {now.chat_stopped}"))
        return
    silent_s = now.uptime_s if now.chat_age_s is None else now.chat_age_s
    if silent_s > MAX_FAILING_S:
        reasons.append(Reason("chat", f"Telegram has not answered for {_age(silent_s)}"))


def _age(seconds: float) -> str:
    return numbers.duration(seconds * 1000)
