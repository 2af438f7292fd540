"""An explanation in words: lines that the chat and the command line share. Plain text, nothing escaped, no colour."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bot.model import numbers
from bot.model.alert import State, Transition
from bot.model.explanation import (
    AlertSeen,
    Distance,
    Explanation,
    Hush,
    Near,
    Node,
    SampleSeen,
    ScopeSeen,
    SideSeen,
    Unit,
    Verdict,
    WindowSeen,
)
from bot.texts import mark, say, say_n

_HUSHES = {
    "silence": mark("silence"),
    "acknowledged": mark("acknowledged"),
    "quiet hours": mark("quiet hours"),
    "inhibited": mark("inhibited"),
}
_STATES = {
    State.PENDING: mark("pending"),
    State.FIRING: mark("firing"),
    State.RESOLVED: mark("resolved"),
    State.CLOSED: mark("closed"),
}
MARKS: dict[Verdict | None, str] = {"true": "✓", "false": "✗", "unknown": "?", None: "="}


@dataclass(frozen=True, slots=True)
class TreeLine:
    """One expression of the tree, with what is known of it."""

    depth: int
    mark: str
    verdict: Verdict | None
    text: str
    details: tuple[str, ...]


def clock(ms: int) -> str:
    return numbers.clock_time(ms, seconds=True).removesuffix(" UTC")


def distance_text(distance: Distance, *, is_other: bool = False) -> str:
    """`1.20 points to go (24 %)`; beyond the threshold `past it by …`.

    `is_other`: it is not that of the value shown beside it, so that only the share of it says something.
    """
    if is_other and distance.relative is not None and distance.absolute > 0:
        return say("{share} to go", share=numbers.rough_percent(distance.relative))
    size = numbers.quantity(abs(distance.absolute), distance.unit, sign=False)
    if distance.unit == "ratio":
        size = say("{size} points", size=size.removesuffix("%"))
    share = "" if distance.relative is None else f" ({numbers.rough_percent(abs(distance.relative))})"
    return (
        say("{size} to go{share}", size=size, share=share)
        if distance.absolute > 0
        else say("past it by {size}{share}", size=size, share=share)
    )


def tree(node: Node, depth: int = 0) -> Iterator[TreeLine]:
    """Lines in reading order. A comparison of one number says all of it at once."""
    details = [*_value(node), *_seen(node)]
    parts = node.parts
    if node.verdict is not None and len(parts) == 1 and parts[0].verdict is None and not parts[0].parts:
        details += _seen(parts[0])
        parts = ()
    yield TreeLine(depth, MARKS[node.verdict], node.verdict, node.text, tuple(details))
    for part in parts:
        yield from tree(part, depth + 1)


def _value(node: Node) -> Iterator[str]:
    if node.why:
        yield node.why
    elif node.value is not None and (node.verdict is None or node.threshold is not None):
        value = numbers.quantity(node.value, node.unit)
        yield f"{value}, {distance_text(node.distance)}" if node.distance else value


def _seen(node: Node) -> Iterator[str]:
    if node.window is not None:
        yield from _window(node.window)
    if node.sample is not None:
        yield sample_text(say("now"), node.sample, node.sample.point_ms)
    if node.crossing is not None:
        yield _side(node.crossing)
    if node.scope is not None:
        yield from _scope(node.scope)


_UNITS: Final = {"price": "price", "index": "price", "oi": "amount"}


def sample_text(label: str, sample: SampleSeen, at_ms: int, *, beside: float | None = None) -> str:
    """`then 88.3k, sample of 14:15:58, 7 s old`. `at_ms`: as of when; of other days the day is told. `beside`: the value
    that stands below or above it, to tell it from.
    """
    unit = _UNITS.get(sample.series)
    what = "" if unit is None else f" {sample.series} {numbers.from_to(sample.value, beside, unit)[0]},"
    what = what or f" {sample.series},"
    if sample.sample_ms is None or sample.age_ms is None:
        return say("{label}:{value} no sample", label=label, value=what)
    age = say("fresh") if sample.age_ms < 1_000 else say("{duration} old", duration=numbers.duration(sample.age_ms))
    return say(
        "{label}:{value} sample of {time}, {age}",
        label=label,
        value=what,
        time=moment(sample.sample_ms, at_ms),
        age=age,
    )


def _window(window: WindowSeen) -> Iterator[str]:
    stretch = say("{begin} to {end}", begin=moment(window.begin_ms, window.end_ms), end=clock(window.end_ms))
    first = say("then")
    if window.known_share is not None and window.needed_share is not None:
        stretch += say(
            ", {known} % known ({needed} % needed)",
            known=int(window.known_share * 100),
            needed=int(window.needed_share * 100),
        )
        first = say("oldest")
    yield stretch
    for sample, other in zip(window.ends, reversed(window.ends), strict=True):
        label = say("now") if sample.point_ms == window.end_ms else first
        yield sample_text(label, sample, window.end_ms, beside=other.value if other.series == sample.series else None)


def _side(side: SideSeen) -> str:
    if side.side == "none" or side.since_ms is None:
        return say("has not been on either side yet")
    since = moment(side.since_ms, side.since_ms if side.known_ms is None else side.known_ms)
    return (
        say("above it since {time}", time=since) if side.side == "above" else say("below it since {time}", time=since)
    )


def _scope(scope: ScopeSeen) -> Iterator[str]:
    if scope.n_true is None:
        yield say(
            "{n_known} of {n} members known, {n_needed} needed",
            n_known=scope.n_known,
            n=scope.n_members,
            n_needed=scope.n_needed,
        )
        return
    unknown = say(", {n} unknown", n=scope.n_unknown) if scope.n_unknown else ""
    yield say("true for {n_true} of {n}{unknown}", n_true=scope.n_true, n=scope.n_members, unknown=unknown)
    if scope.nearest:
        yield say("nearest: ") + ", ".join(_near(near) for near in scope.nearest)


def _near(near: Near) -> str:
    return near.symbol if near.value is None else f"{near.symbol} {numbers.quantity(near.value, near.unit)}"


def moment(ms: int, at_ms: int) -> str:
    """`14:31:05`, with the day where it is another than that of `at_ms`."""
    return f"{numbers.other_day(ms, at_ms)}{clock(ms)}"


def alert_text(alert: AlertSeen, unit: str, at_ms: int) -> str:
    """`firing since 14:31:05, told 2 times, peak +9.20%`. `at_ms`: as of when."""
    since = moment(at_ms if alert.since_ms is None else alert.since_ms, at_ms)
    match alert.phase:
        case "firing":
            peak = "" if alert.peak is None else say(", peak {value}", value=numbers.quantity(alert.peak, unit))
            return say_n(
                "firing since {time}, told once{peak}",
                "firing since {time}, told {n} times{peak}",
                max(1, alert.n_told),
                time=since,
                peak=peak,
            )
        case "pending":
            return say("pending since {time}", time=since)
        case "cooling":
            return say("cooling")
    return say("over") if alert.is_over else say("inactive")


def hush_text(hush: Hush, at_ms: int) -> str:
    """`silence s-7q4mk2px by telegram:7 until 15:31 UTC, everywhere: moving house`."""
    if hush.kind == "inhibited":
        return say("inhibited while {rule} fires", rule=hush.by)
    until = (
        say(" until {time}", time=_day_and_clock(hush.until_ms, at_ms))
        if hush.until_ms is not None
        else say(" until it ends")
    )
    where = say(", at {place}", place=hush.place) if hush.place else say(", everywhere")
    comment = f": {hush.comment}" if hush.comment else ""
    by = say(" by {name}", name=hush.by) if hush.by else ""
    return f"{say(_HUSHES[hush.kind])}{f' {hush.id}' if hush.id else ''}{by}{until}{where}{comment}"


def _day_and_clock(ms: int, at_ms: int) -> str:
    return f"{numbers.other_day(ms, at_ms)}{numbers.clock_time(ms)}"


def heading(explanation: Explanation) -> str:
    symbol = say("the whole scope") if explanation.symbol == "*" else explanation.symbol
    return f"{symbol} · {explanation.title}"


def transition_text(transition: Transition, now: Explanation | None) -> str:
    """`14:31:05 firing +6.06% #7q4mk2px`. `now`: of its rule, as of when; of other days the day is told."""
    at_ms, unit = 0, None
    if now is not None:
        is_last = transition.id and transition.id == now.alert.short_id
        at_ms, unit = now.at_ms, now.then.of_last if is_last else now.then.of_others
    return f"{moment(transition.at_ms, at_ms)} {change_text(transition, unit)}"


def change_text(transition: Transition, unit: Unit | None) -> str:
    """`firing +6.06% #7q4mk2px`; without the figure where its unit is not known."""
    value = "" if transition.value is None or unit is None else f" {numbers.quantity(transition.value, unit)}"
    mark = f" #{transition.id}" if transition.id and transition.state is State.FIRING else ""
    reason = f" ({say(transition.reason)})" if transition.reason else ""
    state = say("no longer pending") if transition.state is State.INACTIVE else say(_STATES[transition.state])
    return f"{state}{value}{mark}{reason}"
