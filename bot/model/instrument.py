"""Instruments: one tradable contract at a venue."""

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["perpetual", "tradfi", "delivery"]
"""`perpetual` is a crypto perpetual, `tradfi` a perpetual on a stock, metal or commodity, `delivery` a dated future."""

MARKET = "*"
"""Stands in for the symbol where an alert speaks of the whole scope of its rule (`per: market`)."""

_QUOTES = ("USDT", "USDC", "BUSD", "USD", "BTC")
_MULTIPLIER = re.compile(r"^(1(?:0{3,}|M))(?=\D)")


@dataclass(frozen=True, slots=True)
class Instrument:
    """One contract. Open interest of it is counted in base units, prices in quote units per base unit."""

    venue: str
    symbol: str
    """The venue's own spelling; any Unicode."""
    kind: Kind
    base: str
    quote: str
    status: str
    """The venue's word; only `TRADING` trades."""
    contract_size: float = 1.0
    """Base units per contract."""
    tick_size: float = 0.0
    step_size: float = 0.0
    min_notional: float = 0.0
    onboard_ms: int = 0
    delivery_ms: int | None = None
    """When it ends; None for a perpetual without an announced end."""
    funding_interval_h: float = 8.0

    @property
    def key(self) -> str:
        """Unique over venues."""
        return f"{self.venue}:{self.symbol}"

    @property
    def is_trading(self) -> bool:
        return self.status == "TRADING"

    @property
    def multiplier(self) -> int:
        """How many coins one base unit stands for: 1000 for `1000PEPE`, 1,000,000 for `1MBABYDOGE`, else 1."""
        found = _MULTIPLIER.match(self.base)
        if not found:
            return 1
        return 1_000_000 if found[1] == "1M" else int(found[1])

    @property
    def coin(self) -> str:
        """The base without its multiplier, for people: `PEPE`."""
        return _MULTIPLIER.sub("", self.base) or self.base


def by_symbol(venue: str, symbol: str, *, kind: Kind | None = None, funding_interval_h: float = 8.0) -> Instrument:
    """A trading instrument of which only the symbol is known; what can be told from that is filled in."""
    kind = kind or ("delivery" if "_" in symbol else "perpetual")
    pair = symbol.partition("_")[0]
    quote = next((q for q in _QUOTES if pair.endswith(q) and pair != q), "USDT")
    base = pair.removesuffix(quote)
    return Instrument(venue, symbol, kind, base, quote, "TRADING", funding_interval_h=funding_interval_h)
