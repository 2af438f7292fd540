"""Names of time zones as people type them."""

import re
from functools import cache
from typing import Final
from zoneinfo import available_timezones

from bot.rules.language import did_you_mean

_UTC: Final = "UTC"
_OFFSET: Final = re.compile(r"(?:utc|gmt)?([+-])([0-9]{1,2})(?::?([0-5][0-9]))?", re.ASCII)
"""Nobody means `Etc/GMT+3` by it, which lies three hours on the other side."""
_BY_OFFSET: Final = {
    -600: "Pacific/Honolulu", -480: "America/Los_Angeles", -420: "America/Phoenix", -360: "America/Costa_Rica", -300: "America/Bogota",
    -240: "America/Puerto_Rico", -180: "America/Sao_Paulo", 0: _UTC, 60: "Europe/Berlin", 120: "Africa/Johannesburg", 180: "Europe/Moscow",
    210: "Asia/Tehran", 240: "Asia/Dubai", 300: "Asia/Tashkent", 330: "Asia/Kolkata", 360: "Asia/Dhaka", 420: "Asia/Bangkok",
    480: "Asia/Singapore", 540: "Asia/Tokyo", 600: "Australia/Brisbane", 720: "Pacific/Auckland",
}  # fmt: skip
_ABBREVIATED: Final = {
    "msk": "Europe/Moscow", "bst": "Europe/London", "cest": "Europe/Berlin", "mez": "Europe/Berlin", "eest": "Europe/Kyiv", "trt": "Europe/Istanbul",
    "edt": "America/New_York", "cst": "America/Chicago", "cdt": "America/Chicago", "mdt": "America/Denver", "pst": "America/Los_Angeles",
    "pdt": "America/Los_Angeles", "brt": "America/Sao_Paulo", "ist": "Asia/Kolkata", "sgt": "Asia/Singapore", "hkt": "Asia/Hong_Kong",
    "jst": "Asia/Tokyo", "kst": "Asia/Seoul", "aest": "Australia/Sydney",
}  # fmt: skip


@cache
def _zones() -> dict[str, str]:
    return {name.casefold(): name for name in {*available_timezones(), _UTC}}


def known_zone(typed: str) -> str | None:
    """The canonical name of a zone, or of the only one whose last part is that: `berlin`."""
    lowered = typed.casefold()
    if lowered in _zones():
        return _zones()[lowered]
    if _OFFSET.fullmatch(lowered):
        return None
    ends = {name for low, name in _zones().items() if low.rpartition("/")[2] == lowered}
    return ends.pop() if len(ends) == 1 else None


def near_zone(typed: str) -> str | None:
    """The one that was probably meant; of an offset a place that has it for at least a part of the year."""
    lowered = typed.casefold()
    if (offset := _OFFSET.fullmatch(lowered)) is not None:
        sign, hours, minutes = offset.groups()
        return _BY_OFFSET.get((-1 if sign == "-" else 1) * (int(hours) * 60 + int(minutes or 0)))
    if lowered in _ABBREVIATED:
        return _ABBREVIATED[lowered]
    near = did_you_mean(lowered, set(_zones()))
    if near is None:
        cities = {low.rpartition("/")[2]: low for low in sorted(_zones())}
        near = cities.get(did_you_mean(lowered, set(cities)) or "")
    return _zones()[near] if near is not None else None
