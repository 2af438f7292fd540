"""What feeds tell the engine: columnar batches for the frequent things, frozen objects for the rare ones.

Columns share one length n. `rows` are positions in the universe (see `Rows`), so nothing downstream looks up a name.
Times are epoch milliseconds of the venue unless called `received_ms`, which is `Clock.monotonic_ms` at arrival.
NaN means "not given".
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bot.model.instrument import Instrument
from bot.texts import mark

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
I32 = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

FEEDS = (
    mark("mark price"),
    mark("ticker"),
    mark("open interest"),
    mark("contract info"),
    mark("liquidations"),
    mark("klines"),
    mark("long/short"),
)
"""Their names, which are said to people."""
HISTORY_SERIES = ("price", "oi", "long_short")


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


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Closed bars of traded volume: one message of the stream, or the history of one instrument. A row may stand more
    than once, then ascending in `close_ms`. A bar that comes twice counts once.
    """

    rows: I32
    close_ms: I64
    """End of the bar, exclusive: a whole multiple of `span_ms`."""
    volume: F64
    """Quote amount traded; 0 where nobody traded."""
    taker_buy: F64
    """The part of `volume` in which the buyer was the taker, a quote amount."""
    span_ms: int
    """Length of each bar."""
    received_ms: float


@dataclass(frozen=True, slots=True, eq=False)
class Liquidations:
    """Forced orders as the venue tells them; it does not tell all, so sums over them are a floor."""

    rows: I32
    event_ms: I64
    usd: F64
    """Quote amount that was closed; only positive values."""
    is_long: Mask
    """True where a long position was closed (a forced sell), False for a short one."""
    received_ms: float


@dataclass(frozen=True, slots=True)
class OpenInterest:
    """One polled sample. It is placed at the venue time of its arrival; `venue_ms` is kept for messages, and to see where that
    time is not known any more.
    """

    row: int
    amount: float
    """Base units."""
    venue_ms: int
    interval_ms: int
    """The interval at which this instrument is polled now; the sample speaks for 2.5 of them."""
    received_ms: float


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Past samples of one gauge of one instrument, ascending in time, each valid for `valid_ms`. Flows come as `Bars`."""

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
    """One of `FEEDS`."""
    live: bool
    reason: str
    received_ms: float
    since_ms: float = 0.0
    """Monotonic. Of a lost feed: when it was last known to be good, which may be long before it was noticed. 0: now."""


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
    | Bars
    | Liquidations
    | OpenInterest
    | History
    | InstrumentList
    | InstrumentChange
    | VenueTime
    | FeedStatus
    | Progress
)
