"""What the engine consumes: updates whose place in venue time is settled. This is also what a journal holds."""

from dataclasses import dataclass

from bot.model.updates import History, InstrumentChange, InstrumentList, MarkPrices, Tickers


@dataclass(frozen=True, slots=True)
class Placed:
    """One polled open-interest sample at its venue time."""

    row: int
    amount: float
    at_ms: int
    venue_ms: int
    interval_ms: int


@dataclass(frozen=True, slots=True)
class Listed:
    """Instruments, as of a venue time."""

    update: InstrumentList | InstrumentChange
    at_ms: int


@dataclass(frozen=True, slots=True)
class Reset:
    """The venue's clock went back: all windows are emptied, pending alerts drop, firing ones stay."""

    at_ms: int


Input = MarkPrices | Tickers | Placed | History | Listed | Reset
