"""What feeds tell the engine: columnar batches for the frequent things, frozen objects for the rare ones.

Columns share one length n. `rows` are positions in the universe (see `Rows`), so nothing downstream looks up a name.
Times are epoch milliseconds of the venue unless called `received_ms`, which is `Clock.monotonic_ms` at arrival.
NaN means "not given".
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bot.model.instrument import Instrument

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
I32 = npt.NDArray[np.int32]

HISTORY_SERIES = ("price", "oi")


@dataclass(frozen=True, slots=True, eq=False)
class MarkPrices:
    """One message of the mark-price stream (or one answer of its REST stand-in)."""

    rows: I32
    price: F64
    """Mark price, quote per base; only positive values."""
    index: F64
    funding: F64
    """Funding rate per interval, a fraction."""
    next_funding_ms: I64
    """0 where there is none."""
    event_ms: I64
    received_ms: float


@dataclass(frozen=True, slots=True, eq=False)
class Tickers:
    """Quote volume of the last 24 hours."""

    rows: I32
    volume_24h: F64
    event_ms: I64
    received_ms: float


@dataclass(frozen=True, slots=True)
class OpenInterest:
    """One polled sample. It is placed at the venue time of its arrival; `venue_ms` is kept for messages."""

    row: int
    amount: float
    """Base units."""
    venue_ms: int
    interval_ms: int
    """The interval at which this instrument is polled now; the sample speaks for 2.5 of them."""
    received_ms: float


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Past samples of one series of one instrument, ascending in time, each valid for `valid_ms`."""

    row: int
    series: str
    """One of `HISTORY_SERIES`."""
    time_ms: I64
    value: F64
    valid_ms: int


@dataclass(frozen=True, slots=True)
class InstrumentList:
    """The venue's full list: what is not in it is gone."""

    venue: str
    instruments: tuple[Instrument, ...]


@dataclass(frozen=True, slots=True)
class InstrumentChange:
    """News of one contract between two lists: a listing, a halt, a settlement."""

    instrument: Instrument


@dataclass(frozen=True, slots=True)
class VenueTime:
    """The venue's own clock, asked once at the start, before the first push tells it."""

    venue_ms: int
    received_ms: float


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """A feed came alive or was lost. `reason` is for people."""

    feed: str
    """`mark price`, `ticker`, `open interest`, `contract info`."""
    live: bool
    reason: str
    received_ms: float


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the warm start is, for progress bars. It never reaches the engine's state."""

    task: str
    done: int
    total: int
    note: str = field(default="")


Update = (
    MarkPrices
    | Tickers
    | OpenInterest
    | History
    | InstrumentList
    | InstrumentChange
    | VenueTime
    | FeedStatus
    | Progress
)
