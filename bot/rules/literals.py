"""How numbers are written: `5%`, `15m`, `20_000_000`, `2.5k`, `20M`. One reading for rule files, chat and expressions.

Exact: `5%` is the float nearest to 0.05, not 5 / 100 in floats. Refuses what no market figure needs, so that a number
of five thousand digits costs nothing.
"""

import re
from decimal import Decimal
from typing import Final

from bot.rules.ast import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Number, Span

MAX_LENGTH: Final = 40
LARGEST: Final = Decimal(10) ** 15
SMALLEST: Final = Decimal(10) ** -12

_DURATIONS: Final = {"s": SECOND_MS, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
_MULTIPLES: Final = {"": 0, "k": 3, "K": 3, "M": 6, "B": 9}
_FORM: Final = re.compile(
    r"([+-]?)((?:[0-9]+(?:_[0-9]+)*)(?:\.[0-9]+(?:_[0-9]+)*)?|\.[0-9]+)(?:[eE]([+-]?[0-9]{1,2}))?(%|[A-Za-z]?)",
    re.ASCII,
)


def parse_number(text: str, span: Span | None = None) -> Number | None:
    """The number, or None where the text is no number or one outside 1e-12 to 1e15 (zero is inside)."""
    if len(text) > MAX_LENGTH or not (found := _FORM.fullmatch(text)):
        return None
    sign, digits, exponent, suffix = found.groups()
    value = Decimal(digits.replace("_", "")).scaleb(int(exponent or 0))
    if sign == "-":
        value = -value
    if suffix == "%":
        value, unit = value.scaleb(-2), "%"
    elif suffix in _DURATIONS:
        value, unit = value * _DURATIONS[suffix], "duration"
    elif suffix in _MULTIPLES:
        value, unit = value.scaleb(_MULTIPLES[suffix]), ""
    else:
        return None
    if value and not SMALLEST <= abs(value) <= LARGEST:
        return None
    # "+ 0.0" turns minus zero into zero, which would compare equal but be written differently.
    number = Number(float(value) + 0.0, unit)  # type: ignore[arg-type]
    return Number(number.value, number.unit, span) if span else number


def parse_duration_ms(text: str) -> int | None:
    """Whole milliseconds of a duration that is not negative; `0` needs no unit. None for anything else."""
    number = parse_number(text)
    if number is None or number.value < 0 or number.value != int(number.value):
        return None
    if number.unit != "duration" and number.value != 0:
        return None
    return int(number.value) if number.unit != "%" else None
