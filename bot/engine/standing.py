"""Why an instrument is not in the scope of a rule, in words."""

from bot.engine.lookback import share_text
from bot.engine.tick_values import TickValues
from bot.model.instrument import Instrument
from bot.model.numbers import UNKNOWN, clock_time, usd
from bot.rules.schema import Scope
from bot.rules.scope import HOUR_MS, KNOWN_SHARE, matches
from bot.texts import say


def why_outside(seen: TickValues, scope: Scope, row: int | None) -> str:
    """Why an instrument (None: any) is not looked at, or why that is not decided yet; empty where it is."""
    engine = seen.engine
    instrument = None if row is None else engine.market.universe.at(row)
    if instrument is not None and not matches(scope, instrument):
        return say("not in the scope: {reason}", reason=_mismatch(scope, instrument))
    tracker = engine.plan.trackers[scope]
    if tracker.is_warming:
        share = share_text(tracker.known_share(seen.view))
        return say(
            "the scope is warming up: {share} of the sizes are known, {needed} needed",
            share=share,
            needed=share_text(KNOWN_SHARE),
        )
    if row is None or bool(seen.members(scope)[row]):
        return ""
    again = clock_time((engine.now_ms // HOUR_MS + 1) * HOUR_MS)
    return say("not in the scope: {reason}; looked at again at {time}", reason=_too_small(seen, scope, row), time=again)


def _mismatch(scope: Scope, instrument: Instrument) -> str:
    if instrument.kind not in scope.types:
        return say(
            "it is of the type {kind}, the rule looks at {types}",
            kind=instrument.kind,
            types=say(" and ").join(scope.types),
        )
    if instrument.quote not in scope.quotes:
        return say(
            "it is quoted in {quote}, the rule looks at {quotes}",
            quote=instrument.quote,
            quotes=say(" and ").join(scope.quotes),
        )
    if scope.venues and instrument.venue not in scope.venues:
        return say(
            "it trades at {venue}, the rule looks at {venues}",
            venue=instrument.venue,
            venues=say(" and ").join(scope.venues),
        )
    if matches(Scope(scope.symbols, types=scope.types, quotes=scope.quotes), instrument):
        return say("the rule excludes it by name")
    return say("the rule names other symbols")


def _too_small(seen: TickValues, scope: Scope, row: int) -> str:
    for series, floor in (("oi_usd", scope.min_oi_usd), ("volume_24h", scope.min_volume_24h)):
        if floor is None:
            continue
        size = float(seen.view.latest(series)[0, row])
        if not size >= floor:
            name = say("open interest") if series == "oi_usd" else say("24-hour volume")
            shown = "unknown" if usd(size) == UNKNOWN else usd(size)
            return say(
                "its {figure} is {value}, at least {least} is wanted", figure=name, value=shown, least=usd(floor)
            )
    place = seen.engine.plan.trackers[scope].place(seen.view, row)
    if scope.top is None or place is None:
        return say("its size is unknown") if place is None else say("it has grown since the last full hour")
    by = say("open interest") if scope.by == "oi_usd" else say("24-hour volume")
    if place > scope.top:
        return say("rank {place} of top {n} by {figure}", place=place, n=scope.top, figure=by)
    return say(
        "it has grown to rank {place} of top {n} by {figure} since the last full hour",
        place=place,
        n=scope.top,
        figure=by,
    )
