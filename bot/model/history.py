"""History as values: rows of one-minute bars as they come, and the same bars laid out on a grid for computing.

A bar stands at its close. A sample inside it that has a time of its own (open interest) keeps that time and how long it
speaks, so that a run over bars reads it as a run over samples would.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bot.model.instrument import Instrument
from bot.model.updates import F64, I32, I64

BAR_MS: Final = 60_000
"""What is stored is a minute; coarser sources (hours) keep their own step in `valid_ms`."""
PRICE_COLUMNS: Final = ("open", "high", "low", "close")
"""Mark price where the bot saw it itself, last price where a published kline file says so."""
FLOW_COLUMNS: Final = ("volume", "taker_buy", "liq_long", "liq_short")
"""Quote amounts of the bar (`taker_buy`: the takers' share of the volume, 0..1). Liquidations are a floor."""
GAUGE_COLUMNS: Final = ("index", "funding", "long_short")
OI_COLUMNS: Final = ("oi", "oi_ms", "oi_valid_ms")
"""Base units; when the newest sample at the close was taken, and for how long it speaks."""
COLUMNS: Final = (*PRICE_COLUMNS, *FLOW_COLUMNS, *GAUGE_COLUMNS, *OI_COLUMNS)


@dataclass(frozen=True, slots=True, eq=False)
class BarRows:
    """Bars in any order, one row per instrument and close. A column that is absent, or NaN in it, is unknown."""

    keys: tuple[str, ...]
    """Instrument keys, `binance:BTCUSDT`."""
    row: I32
    """Per bar: its place in `keys`. Shape (n,), as all columns."""
    close_ms: I64
    columns: Mapping[str, F64]


@dataclass(frozen=True, slots=True, eq=False)
class BarGrid:
    """Bars of several instruments on one grid without holes: a minute without a bar is a row of NaN."""

    instruments: Sequence[Instrument]
    close_ms: I64
    """Shape (T,), ascending by exactly `step_ms`, whole multiples of it."""
    step_ms: int
    columns: Mapping[str, F64]
    """Each of shape (T, N), C-contiguous, float64. `oi*` stand in the bar in which their sample was taken, and only there."""
