"""What is said of what an alert would have done. Pure."""

from dataclasses import dataclass
from typing import Final

from bot.chat import alert_tuning
from bot.chat.alert_text import figure
from bot.chat.commands import shorten
from bot.chat.reply import Line, line
from bot.model import numbers
from bot.model.chat_alert import ChatAlert
from bot.model.rehearsal import Rehearsed
from bot.texts import say, say_n

_LEAST_SPAN_MS: Final = 3_600_000
"""Less of the past says nothing."""
LEAST_STORED_MS: Final = 2 * 86_400_000
"""A history that is shorter tells no more than memory does."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What an alert would have done lately."""

    own: Rehearsed | None
    """None where nobody can tell."""
    calm_level: float | None = None
    """Where it would have been calm; None where it is calm, or nothing near is."""
    is_noisy: bool = False
    counts: tuple[tuple[float, int], ...] = ()
    """How often it would have fired with each size."""

    @property
    def is_told(self) -> bool:
        """Whether there was enough of the past to speak of it."""
        return self.own is not None and self.own.span_ms >= _LEAST_SPAN_MS

    @property
    def is_long(self) -> bool:
        """Whether it tells more than memory does."""
        return self.own is not None and self.own.span_ms >= LEAST_STORED_MS


def beside(past: Rehearsal, stored: Rehearsal | None) -> Rehearsal | None:
    """What the history says, where it knows of all that memory does: it may end a little earlier, and must not contradict."""
    if stored is None or stored.own is None or past.own is None:
        return stored
    return stored if stored.own.n_fired >= past.own.n_fired else None


def stored_line(stored: Rehearsal | None) -> list[Line]:
    """What the history says."""
    if stored is None or stored.own is None:
        return []
    span = numbers.duration(stored.own.span_ms)
    if not stored.own.n_fired:
        return [line(say("In {span} of history it would not have fired.", span=span))]
    told = say_n(
        "In {span} of history it would have fired once.",
        "In {span} of history it would have fired {n} times.",
        stored.own.n_fired,
        span=span,
    )
    return [line(told)]


def counts_line(past: Rehearsal) -> list[Line]:
    """What it would have been with each size."""
    if past.own is None or not past.is_told or len(past.counts) < 2:
        return []
    counts = ", ".join(f"{alert_tuning.words_of(level)} {n}×" for level, n in sorted(past.counts))
    return [line(say("By size, in {span}: {counts}.", span=numbers.duration(past.own.span_ms), counts=counts))]


def lately_lines(alert: ChatAlert | None, past: Rehearsal, zone: str) -> list[Line]:
    """`zone`: of the times; `alert`: tells the unit of the last value; None where it stays unsaid."""
    own = past.own
    if own is None:
        return [line(say("How often it would have fired lately cannot be told."))]
    if own.span_ms < _LEAST_SPAN_MS:
        return []
    span = numbers.duration(own.span_ms)
    if not own.n_fired:
        return [line(say("In the last {span} it would not have fired.", span=span))]
    last = say("last {time}", time=numbers.clock_time(own.last_ms, zone=zone))
    last += f", {shorten(own.last_symbol)}" if own.n_symbols > 1 else ""
    value = "" if own.last_value is None or alert is None else f", {figure(alert, own.last_value)}"
    lines = [
        line(
            say_n(
                "In the last {span} it would have fired once ({last}{value}).",
                "In the last {span} it would have fired {n} times ({last}{value}).",
                own.n_fired,
                span=span,
                last=last,
                value=value,
            )
        )
    ]
    if past.is_noisy:
        hint = say(" Try {size}?", size=alert_tuning.words_of(past.calm_level)) if past.calm_level is not None else ""
        lines.append(line(say("That is noisy.{hint}", hint=hint)))
    return lines
