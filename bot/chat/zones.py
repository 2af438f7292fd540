"""Names of time zones as people type them."""

from functools import cache
from typing import Final
from zoneinfo import available_timezones

from bot.rules.language import did_you_mean

_UTC: Final = "UTC"


@cache
def _zones() -> dict[str, str]:
    return {name.casefold(): name for name in {*available_timezones(), _UTC}}


def known_zone(typed: str) -> str | None:
    """The canonical name of a zone, or of the only one whose last part is that: `berlin`."""
    lowered = typed.casefold()
    if lowered in _zones():
        return _zones()[lowered]
    ends = {name for low, name in _zones().items() if low.rpartition("/")[2] == lowered}
    return ends.pop() if len(ends) == 1 else None


def near_zone(typed: str) -> str | None:
    lowered = typed.casefold()
    near = did_you_mean(lowered, set(_zones()))
    if near is None:
        cities = {low.rpartition("/")[2]: low for low in sorted(_zones())}
        near = cities.get(did_you_mean(lowered, set(cities)) or "")
    return _zones()[near] if near is not None else None
