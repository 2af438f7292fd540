"""Why an instrument is not in the scope of a rule, in words."""

from bot.engine.lookback import share_text
from bot.engine.tick_values import TickValues
from bot.model.instrument import Instrument
from bot.model.numbers import UNKNOWN, clock_time, usd
from bot.rules.schema import Scope
from bot.rules.scope import HOUR_MS, KNOWN_SHARE, matches


def why_outside(seen: TickValues, scope: Scope, row: int | None) -> str:
    """Why an instrument (None: any) is not looked at, or why that is not decided yet; empty where it is."""
    engine = seen.engine
    instrument = None if row is None else engine.market.universe.at(row)
    if instrument is not None and not matches(scope, instrument):
        return f"not in the scope: {_mismatch(scope, instrument)}"
    tracker = engine.plan.trackers[scope]
    if tracker.is_warming:
        share = share_text(tracker.known_share(seen.view))
        return f"the scope is warming up: {share} of the sizes are known, {share_text(KNOWN_SHARE)} needed"
    if row is None or bool(seen.members(scope)[row]):
        return ""
    again = clock_time((engine.now_ms // HOUR_MS + 1) * HOUR_MS)
    return f"not in the scope: {_too_small(seen, scope, row)}; looked at again at {again}"


def _mismatch(scope: Scope, instrument: Instrument) -> str:
    if instrument.kind not in scope.types:
        return f"it is of the type {instrument.kind}, the rule looks at {' and '.join(scope.types)}"
    if instrument.quote not in scope.quotes:
        return f"it is quoted in {instrument.quote}, the rule looks at {' and '.join(scope.quotes)}"
    if scope.venues and instrument.venue not in scope.venues:
        return f"it trades at {instrument.venue}, the rule looks at {' and '.join(scope.venues)}"
    if matches(Scope(scope.symbols, types=scope.types, quotes=scope.quotes), instrument):
        return "the rule excludes it by name"
    return "the rule names other symbols"


def _too_small(seen: TickValues, scope: Scope, row: int) -> str:
    for series, floor in (("oi_usd", scope.min_oi_usd), ("volume_24h", scope.min_volume_24h)):
        if floor is None:
            continue
        size = float(seen.view.latest(series)[0, row])
        if not size >= floor:
            name = "open interest" if series == "oi_usd" else "24-hour volume"
            shown = "unknown" if usd(size) == UNKNOWN else usd(size)
            return f"its {name} is {shown}, at least {usd(floor)} is wanted"
    place = seen.engine.plan.trackers[scope].place(seen.view, row)
    if scope.top is None or place is None:
        return "its size is unknown" if place is None else "it has grown since the last full hour"
    by = "open interest" if scope.by == "oi_usd" else "24-hour volume"
    if place > scope.top:
        return f"rank {place} of top {scope.top} by {by}"
    return f"it has grown to rank {place} of top {scope.top} by {by} since the last full hour"
