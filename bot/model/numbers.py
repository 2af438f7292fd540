"""How numbers and times are written for people. Pure text: no colour, no markup, no escaping needed.

Every function takes None or a value that is not finite and answers `–`. Nothing is ever written in scientific
notation; a negative number carries the real minus `−` (U+2212), so that `−0.02%` and `+0.02%` are equally wide.
Ratios are fractions (0.05 is 5 %), times UTC epoch milliseconds, durations milliseconds.
"""

import math
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

from bot.texts import mark, say

UNKNOWN = "–"
MINUS = "−"

PRICE_DEAD_ZONE = 0.0015
"""Below this share a price change counts as flat."""
USUAL_SHARE = 0.25
"""Below this share of its usual range too."""
OI_DEAD_ZONE = 0.01
"""Below this share a change of open interest counts as flat."""

_SECOND_MS = 1_000
_MINUTE_MS = 60_000
_HOUR_MS = 3_600_000
_DAY_MS = 86_400_000
_MOST_MORE = 5
_SUFFIXES = ("", "k", "M", "B", "T")
_READINGS = {
    (1, 1): mark("Price up + OI up: new longs are opening."),
    (1, 0): mark("Price up + OI flat: few new positions behind this move."),
    (1, -1): mark("Price up + OI down: shorts are closing; the move may tire."),
    (0, 1): mark("Price flat + OI up: positions build, no direction yet."),
    (0, -1): mark("Price flat + OI down: positions close quietly."),
    (-1, 1): mark("Price down + OI up: new shorts are opening."),
    (-1, 0): mark("Price down + OI flat: few new positions behind this move."),
    (-1, -1): mark("Price down + OI down: longs are closing or being liquidated."),
}


def _known(x: float | None) -> float | None:
    return x if x is not None and math.isfinite(x) else None


def _fixed(x: float, digits: int) -> str:
    """Fixed notation with thousands separators; zero has no sign."""
    text = f"{abs(x):,.{digits}f}"
    return MINUS + text if x < 0 and text.strip("0.,") else text


def _strip(text: str, keep: int) -> str:
    """Drop trailing zeros but keep that many decimals."""
    whole, point, decimals = text.partition(".")
    decimals = decimals.rstrip("0").ljust(keep, "0")
    return whole + point + decimals if decimals else whole


def _decimals_of(tick: float) -> int:
    exponent = Decimal(repr(tick)).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def price(x: float | None, tick: float = 0, *, more: int = 0) -> str:
    """A price as traders read it: `92,361`, `4,012.35`, `0.00001234`. With a tick size, its number of decimals; else `more`
    than usual.
    """
    known = _known(x)
    if known is None:
        return UNKNOWN
    if tick > 0 and math.isfinite(tick):
        return _fixed(known, min(_decimals_of(tick), 16))
    size = abs(known)
    if size >= 10_000:
        return _fixed(known, more)
    if size >= 100 or size == 0:
        return _fixed(known, 2 + more)
    if size >= 1:
        return _strip(_fixed(known, 4 + more), 2)
    leading_zeros = -math.floor(math.log10(size)) - 1
    return _strip(_fixed(known, min(leading_zeros + 4 + more, 20)), 2)


def amount(x: float | None, *, more: int = 0) -> str:
    """A quantity in three digits, or in `more` than that: `93.6k`, `8.72B`, `512`, `0.0135`."""
    known = _known(x)
    if known is None:
        return UNKNOWN
    size = abs(known)
    if size < 999.5:
        if size == 0:
            return "0"
        digits = max(0, 2 + more - math.floor(math.log10(size)))
        return _strip(_fixed(known, min(digits, 12)), 0)
    step = 0
    while size >= 999.5 and step < len(_SUFFIXES) - 1:
        size /= 1000
        known /= 1000
        step += 1
    digits = 2 if size < 9.995 else 1 if size < 99.95 else 0
    return _fixed(known, digits + more) + _SUFFIXES[step]


def usd(x: float | None) -> str:
    """An amount of dollars: `$8.72B`, `−$1.30M`."""
    text = amount(x)
    if text == UNKNOWN:
        return text
    return f"{MINUS}${text[1:]}" if text.startswith(MINUS) else f"${text}"


def percent(ratio: float | None, *, sign: bool = True, digits: int | None = None) -> str:
    """A fraction as percent: `+6.06%`, `−0.0081%`. Without `digits`, as many as its size asks for."""
    value = _known(None if ratio is None else ratio * 100)
    if value is None:
        return UNKNOWN
    if digits is None:
        size = abs(value)
        digits = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 0.1 or size == 0 else 4
    text = _fixed(value, digits)
    plus = "+" if sign and value > 0 and text.strip("0.,") else ""
    return f"{plus}{text}%"


def rough_percent(ratio: float | None) -> str:
    """A share in whole percents, finer where those would be none: `24%`, `0.41%`. Without a sign."""
    known = _known(ratio)
    return percent(known, sign=False, digits=None if known is not None and 0 < abs(known) < 0.005 else 0)


def quantity(x: float | None, unit: str, *, sign: bool = True) -> str:
    """A value in its unit: `ratio`, `price`, `usd`, `amount`, `duration`, `count`, or a plain number."""
    known = _known(x)
    if known is None:
        return UNKNOWN
    match unit:
        case "ratio":
            return percent(known, sign=sign)
        case "price":
            return price(known)
        case "usd":
            return usd(known)
        case "duration":
            return duration(known)
        case "count":
            return _strip(_fixed(known, 3), 0)
        case _:
            return amount(known)


def from_to(then: float | None, now: float | None, unit: str, *, sign: bool = True) -> tuple[str, str]:
    """Two values that stand beside each other, in as many digits as it takes to tell them apart: `100.0k`, `100.5k`.
    `unit`, `sign`: as of `quantity`; what is neither an amount nor a price is written as there.
    """
    write = {"price": price, "amount": amount, "number": amount}.get(unit)
    if write is None:
        return quantity(then, unit, sign=sign), quantity(now, unit, sign=sign)
    for more in range(_MOST_MORE):
        texts = write(then, more=more), write(now, more=more)
        if texts[0] != texts[1]:
            return texts
    return write(then), write(now)


def duration(ms: float | None) -> str:
    """A length of time in at most two units: `12 s`, `15m`, `1h 29m`, `2d 3h`. Parts below the second unit are cut."""
    known = _known(ms)
    if known is None:
        return UNKNOWN
    size = int(abs(known))
    mark = MINUS if known <= -_SECOND_MS else ""
    if size < _MINUTE_MS:
        return f"{mark}{size // _SECOND_MS} s"
    for unit_ms, name, sub_ms, sub_name in ((_DAY_MS, "d", _HOUR_MS, "h"), (_HOUR_MS, "h", _MINUTE_MS, "m")):
        if size >= unit_ms:
            rest = size % unit_ms // sub_ms
            return f"{mark}{size // unit_ms}{name}" + (f" {rest}{sub_name}" if rest else "")
    return f"{mark}{size // _MINUTE_MS}m"


def window(ms: float | None) -> str:
    """A window as rules write it: `15m`, `4h`, `1d`, `90s`: the largest unit that divides it."""
    known = _known(ms)
    if known is None:
        return UNKNOWN
    size = int(known)
    for unit_ms, name in ((_DAY_MS, "d"), (_HOUR_MS, "h"), (_MINUTE_MS, "m")):
        if size >= unit_ms and size % unit_ms == 0:
            return f"{size // unit_ms}{name}"
    return f"{_strip(_fixed(size / _SECOND_MS, 3), 0)}s"


def clock_time(ms: float | None, *, seconds: bool = False, zone: str = "", is_named: bool = True) -> str:
    """A time of day: `14:31 UTC`, or `14:31:05 UTC`; `15:31 CET` in a zone (an IANA name), `14:31` where that is not named."""
    known = _known(ms)
    if known is None:
        return UNKNOWN
    form = ("%H:%M:%S" if seconds else "%H:%M") + (" %Z" if is_named else "")
    try:
        return datetime.fromtimestamp(known / 1000, zone_of(zone)).strftime(form)
    except (ValueError, OverflowError, OSError):
        return UNKNOWN


def other_day(ms: float, at_ms: float) -> str:
    """`Fri 27 Nov `, where that is another day than that of `at_ms`; empty for times that no calendar knows."""
    try:
        then, now = (datetime.fromtimestamp(t / 1000, UTC) for t in (ms, at_ms))
    except (ValueError, OverflowError, OSError):
        return ""
    return "" if then.date() == now.date() else f"{then:%a} {then.day} {then:%b} "


def zone_of(name: str) -> tzinfo:
    """The time zone of that name; UTC for none, and for one that this machine does not know (its table changed)."""
    if name in {"", "UTC"}:
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        return UTC


def ago(ms: float | None) -> str:
    """An age: `12 s ago`, `15m ago`, `just now` under a second."""
    known = _known(ms)
    if known is None:
        return UNKNOWN
    return say("just now") if known < _SECOND_MS else say("{duration} ago", duration=duration(known))


def _direction(change: float, dead_zone: float) -> int:
    if abs(change) < dead_zone:
        return 0
    return 1 if change > 0 else -1


def price_dead_zone(usual_range: float | None) -> float:
    """Below this the price counts as flat: a quarter of its usual range over the window, but never less than 0.15 %."""
    return max(PRICE_DEAD_ZONE, USUAL_SHARE * (_known(usual_range) or 0.0))


def directions(
    price_change: float | None, oi_change: float | None, *, usual_range: float | None = None
) -> tuple[int, int] | None:
    """1 up, -1 down, 0 within the dead zone: of price and of open interest; None when either is unknown.

    `usual_range`: mean true range of the price over windows of this length, as a share of it; None where it is not known.
    """
    price_ratio, oi_ratio = _known(price_change), _known(oi_change)
    if price_ratio is None or oi_ratio is None:
        return None
    return _direction(price_ratio, price_dead_zone(usual_range)), _direction(oi_ratio, OI_DEAD_ZONE)


def reading(price_change: float | None, oi_change: float | None, *, usual_range: float | None = None) -> str | None:
    """What price and open interest together usually mean, in one line; None when either is unknown or both are flat.

    `usual_range`: as of `directions`.

    Open interest cannot show who is behind a move, so the line states the usual reading and no bet.
    """
    quadrant = directions(price_change, oi_change, usual_range=usual_range)
    if quadrant is None:
        return None
    text = _READINGS.get(quadrant)
    return say(text) if text else None
