"""An explanation in words: lines that the chat and the command line share. Plain text, nothing escaped, no colour."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

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
    Verdict,
    WindowSeen,
)

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


def distance_text(distance: Distance) -> str:
    """`1.20 points to go (24 %)`; beyond the threshold `past it by …`."""
    size = numbers.quantity(abs(distance.absolute), distance.unit, sign=False)
    if distance.unit == "ratio":
        size = f"{size.removesuffix('%')} points"
    share = "" if distance.relative is None else f" ({numbers.percent(abs(distance.relative), sign=False, digits=0)})"
    return f"{size} to go{share}" if distance.absolute > 0 else f"past it by {size}{share}"


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
        yield sample_text("now", node.sample)
    if node.crossing is not None:
        yield _side(node.crossing)
    if node.scope is not None:
        yield from _scope(node.scope)


def sample_text(label: str, sample: SampleSeen) -> str:
    """`then 88.3k, sample of 14:15:58, 7 s old`."""
    unit = {"price": "price", "index": "price", "oi": "amount"}.get(sample.series)
    value = "" if unit is None else f" {sample.series} {numbers.quantity(sample.value, unit)},"
    if sample.sample_ms is None or sample.age_ms is None:
        return f"{label}:{value or f' {sample.series},'} no sample"
    age = "fresh" if sample.age_ms < 1_000 else f"{numbers.duration(sample.age_ms)} old"
    return f"{label}:{value or f' {sample.series},'} sample of {clock(sample.sample_ms)}, {age}"


def _window(window: WindowSeen) -> Iterator[str]:
    stretch, first = f"{clock(window.begin_ms)} to {clock(window.end_ms)}", "then"
    if window.known_share is not None and window.needed_share is not None:
        stretch += f", {int(window.known_share * 100)} % known ({int(window.needed_share * 100)} % needed)"
        first = "oldest"
    yield stretch
    for sample in window.ends:
        yield sample_text("now" if sample.point_ms == window.end_ms else first, sample)


def _side(side: SideSeen) -> str:
    if side.side == "none" or side.since_ms is None:
        return "has not been on either side yet"
    return f"{side.side} it since {clock(side.since_ms)}"


def _scope(scope: ScopeSeen) -> Iterator[str]:
    if scope.n_true is None:
        yield f"{scope.n_known} of {scope.n_members} members known, {scope.n_needed} needed"
        return
    unknown = f", {scope.n_unknown} unknown" if scope.n_unknown else ""
    yield f"true for {scope.n_true} of {scope.n_members}{unknown}"
    if scope.nearest:
        yield "nearest: " + ", ".join(_near(near) for near in scope.nearest)


def _near(near: Near) -> str:
    return near.symbol if near.value is None else f"{near.symbol} {numbers.quantity(near.value, near.unit)}"


def alert_text(alert: AlertSeen, unit: str) -> str:
    """`firing since 14:31:05, told 2 times, peak +9.20%`."""
    match alert.phase:
        case "firing":
            times = "once" if alert.n_told <= 1 else f"{alert.n_told} times"
            peak = "" if alert.peak is None else f", peak {numbers.quantity(alert.peak, unit)}"
            return f"firing since {clock(alert.since_ms or 0)}, told {times}{peak}"
        case "pending":
            return f"pending since {clock(alert.since_ms or 0)}"
        case "cooling":
            return "cooling"
    return "over" if alert.is_over else "inactive"


def hush_text(hush: Hush, at_ms: int) -> str:
    """`silence s-7q4mk2px by telegram:7 until 15:31 UTC, everywhere: moving house`."""
    if hush.kind == "inhibited":
        return f"inhibited while {hush.by} fires"
    until = f" until {_day_and_clock(hush.until_ms, at_ms)}" if hush.until_ms is not None else " until it ends"
    where = f", at {hush.place}" if hush.place else ", everywhere"
    comment = f": {hush.comment}" if hush.comment else ""
    by = f" by {hush.by}" if hush.by else ""
    return f"{hush.kind}{f' {hush.id}' if hush.id else ''}{by}{until}{where}{comment}"


def _day_and_clock(ms: int, at_ms: int) -> str:
    then, now = (datetime.fromtimestamp(t / 1000, UTC) for t in (ms, at_ms))
    day = "" if then.date() == now.date() else f"{then:%a} {then.day} {then:%b} "
    return f"{day}{then:%H:%M} UTC"


def heading(explanation: Explanation) -> str:
    symbol = "the whole scope" if explanation.symbol == "*" else explanation.symbol
    return f"{symbol} · {explanation.title}"


def transition_text(transition: Transition, unit: str) -> str:
    """`14:31:05 firing +6.06% #7q4mk2px`."""
    value = "" if transition.value is None else f" {numbers.quantity(transition.value, unit)}"
    mark = f" #{transition.id}" if transition.id and transition.state is State.FIRING else ""
    reason = f" ({transition.reason})" if transition.reason else ""
    state = "no longer pending" if transition.state is State.INACTIVE else transition.state.value
    return f"{clock(transition.at_ms)} {state}{value}{mark}{reason}"
