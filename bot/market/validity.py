"""Which samples can be true, and how long each speaks for its instrument."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from bot.model.updates import F64

PRICE_VALID_MS: Final = 10_000
"""A mark price speaks for ten seconds: the stream sends one each second."""
BAR_VALID_MS: Final = 90_000
"""Of one-minute bars, which are expected before any has come."""
POLLS_VALID: Final = 2.5
"""An open-interest sample speaks for this many of its polling intervals."""
DEFAULT_OI_INTERVAL_MS: Final = 120_000
"""Assumed before an instrument's first poll: the slowest tier."""
_VALID_MS: Final[Mapping[str, int]] = {
    # The ticker stream only sends what changed; the full table is asked each half hour.
    "volume_24h": 3_600_000,
    # Five-minute rows.
    "long_short": 450_000,
}


def valid_for_ms(series: str) -> int:
    """Of a series whose samples all speak for as long."""
    return _VALID_MS.get(series, PRICE_VALID_MS)


def is_sound(series: str, value: F64) -> "npt.NDArray[np.bool_]":
    """Samples that can be true: finite, and above zero but for rates and amounts."""
    if series in {"basis", "funding", "funding_8h"}:
        return np.isfinite(value)
    sound: npt.NDArray[np.bool_] = np.isfinite(value) & (
        value >= 0 if series in {"volume_24h", "taker_buy"} else value > 0
    )
    return sound
