"""What the engine consumes: updates whose place in venue time is settled. This is also what a journal holds."""

from dataclasses import dataclass

import numpy as np

from bot.model.chat_alert import AlertAdded, AlertRemoved
from bot.model.updates import (
    F64,
    I32,
    I64,
    Bars,
    History,
    InstrumentChange,
    InstrumentList,
    Liquidations,
    MarkPrices,
    Tickers,
)
from bot.rules.schema import Rule


@dataclass(frozen=True, slots=True)
class Placed:
    """One polled open-interest sample at its venue time."""

    row: int
    amount: float
    at_ms: int
    venue_ms: int
    interval_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """One sample each of several instruments, as bars and dump files give them. Columns of one length."""

    series: str
    rows: I32
    time_ms: I64
    value: F64
    valid_ms: int
    interval_ms: int


@dataclass(frozen=True, slots=True)
class Listed:
    """Instruments, as of a venue time."""

    update: InstrumentList | InstrumentChange
    at_ms: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """From a venue time on a feed of events is seen, or is not: then what it would have told is unknown, not zero."""

    feed: str
    """`liquidations`; others say by their samples how fresh they are."""
    live: bool
    at_ms: int
    venue: str = "binance"


@dataclass(frozen=True, slots=True)
class Reset:
    """The venue's clock went back: all windows are emptied, pending alerts drop, firing ones stay."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class RulesChanged:
    """From the next tick on these rules watch. What it ends comes with that tick."""

    rules: tuple[Rule, ...]
    """All of them, those that are switched off too."""
    files: dict[str, str]
    """Name and text of the files that they were read from, for a journal."""
    destinations: tuple[str, ...]
    """Names that the rules could notify."""


Input = (
    MarkPrices
    | Tickers
    | Placed
    | Samples
    | History
    | Bars
    | Liquidations
    | Coverage
    | Listed
    | Reset
    | AlertAdded
    | AlertRemoved
    | RulesChanged
)


def times_of(item: Input) -> I64 | None:
    """Venue times of the samples that an input brings; None for one that changes more than samples."""
    match item:
        case MarkPrices(event_ms=times) | Tickers(event_ms=times) | Samples(time_ms=times):
            return times
        case Liquidations(event_ms=times) | Bars(close_ms=times):
            return times
        case Placed(at_ms=at_ms):
            return np.array([at_ms])
    return None
