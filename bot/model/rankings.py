"""Lists over the whole market: what moves most, who pays most. Values as of one tick; chat lays them out."""

from dataclasses import dataclass
from typing import Final, Literal, Protocol

TopBy = Literal["oi", "price", "gainers", "losers", "funding", "volume"]

MIN_OI_USD: Final = 20_000_000.0
"""Smaller contracts jump at nothing, and are left out of lists."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """One instrument of a list. None means unknown."""

    key: str
    symbol: str
    base: str
    quote: str
    price_change: float | None
    """Ratio over the window of the list, as is `oi_change`."""
    oi_change: float | None
    funding_8h: float | None
    """Ratio per eight hours, whatever the contract's own interval."""
    oi_usd: float | None
    volume_24h: float | None
    """In quote units."""


@dataclass(frozen=True, slots=True)
class TopList:
    """One page of a list."""

    at_ms: int
    by: TopBy
    window_ms: int
    offset: int
    n: int
    """Instruments in the whole list."""
    rows: tuple[Ranked, ...]
    n_known: int = 0
    """Instruments of which is known what the list is made of, whether they belong to it or not."""


@dataclass(frozen=True, slots=True)
class FundingTable:
    """Funding of the whole market. Windows do not apply: the changes in its rows are unknown."""

    at_ms: int
    next_funding_ms: int | None
    """The soonest of all; None where none is known."""
    n: int
    """Instruments whose rate is known."""
    median_8h: float | None
    highest: tuple[Ranked, ...]
    """The highest first; those that pay nothing or receive are not among them."""
    lowest: tuple[Ranked, ...]
    """The lowest first; below zero all of them."""
    largest: tuple[Ranked, ...]
    """Of the instruments with a known rate those with the largest open interest."""


class RankReader(Protocol):
    """What chat may ask about the whole market, as of the last tick."""

    def top(self, by: TopBy, window_ms: int, *, offset: int, n: int) -> TopList:
        """Trading instruments with at least `MIN_OI_USD`: strongest changes, either way, of open interest or price, or
        one way alone of price; highest funding per 8 h, either way; largest volume. `window_ms` is one of `CARD_WINDOWS_MS`.
        """
        ...

    def funding(self, n: int) -> FundingTable:
        """At most `n` at each end, of trading instruments of at least `MIN_OI_USD`."""
        ...
