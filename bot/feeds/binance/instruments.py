"""Which contracts Binance lists, and what kind each is.

Promises: the venue's words are kept as they are, so a word we have never seen raises nothing; an entry without a name,
a base or a quote is skipped and counted. Never decides what may be alerted on: that is for scopes.
"""

from typing import Final

import msgspec

from bot.errors import PayloadError
from bot.feeds.binance.constants import CRYPTO_UNDERLYINGS, NO_DELIVERY_MS, VENUE
from bot.feeds.binance.decoding import UNREADABLE, Loose, RowReader, positive, time_ms, unexpected
from bot.model.instrument import Instrument, Kind

_WHAT: Final = "the answer of exchangeInfo with an array `symbols`"


class _Filter(msgspec.Struct):
    filter_type: str = msgspec.field(name="filterType", default="")
    tick_size: Loose = msgspec.field(name="tickSize", default=None)
    step_size: Loose = msgspec.field(name="stepSize", default=None)
    notional: Loose = None


class _Contract(msgspec.Struct, rename="camel"):
    symbol: str
    base_asset: str
    quote_asset: str
    status: str = ""
    contract_type: str = ""
    underlying_type: str = ""
    delivery_date: Loose = None
    onboard_date: Loose = None
    filters: list[_Filter] = []


class _ExchangeInfo(msgspec.Struct):
    symbols: msgspec.Raw


_INFO: Final = msgspec.json.Decoder(_ExchangeInfo)
_CONTRACTS: Final = RowReader(_Contract, "`symbols` of exchangeInfo")


def kind_of(contract_type: str, underlying_type: str) -> Kind:
    """The kind behind Binance's words: anything that is not spelled as a running perpetual is a delivery contract."""
    if contract_type == "TRADIFI_PERPETUAL":
        return "tradfi"
    if contract_type == "PERPETUAL":
        return "perpetual" if underlying_type in CRYPTO_UNDERLYINGS else "tradfi"
    return "delivery"


def delivery_ms_of(value: Loose) -> int | None:
    """When a contract ends; None for the far date that stands for `never`."""
    found = time_ms(value)
    return None if found is None or found >= NO_DELIVERY_MS else found


def _filter(contract: _Contract, filter_type: str) -> _Filter:
    return next((f for f in contract.filters if f.filter_type == filter_type), _Filter())


def _instrument(contract: _Contract) -> Instrument:
    return Instrument(
        venue=VENUE,
        symbol=contract.symbol,
        kind=kind_of(contract.contract_type, contract.underlying_type),
        base=contract.base_asset,
        quote=contract.quote_asset,
        status=contract.status,
        tick_size=positive(_filter(contract, "PRICE_FILTER").tick_size) or 0.0,
        step_size=positive(_filter(contract, "LOT_SIZE").step_size) or 0.0,
        min_notional=positive(_filter(contract, "MIN_NOTIONAL").notional) or 0.0,
        onboard_ms=time_ms(contract.onboard_date) or 0,
        delivery_ms=delivery_ms_of(contract.delivery_date),
    )


def read_instruments(body: bytes) -> tuple[tuple[Instrument, ...], int]:
    """All contracts of an exchangeInfo answer in the venue's order, and how many entries were skipped.

    Raises `PayloadError` when the body is no exchangeInfo answer at all.
    """
    try:
        symbols = bytes(_INFO.decode(body).symbols)
    except UNREADABLE:
        raise unexpected(_WHAT, body) from None
    contracts, n_skipped = _CONTRACTS.many(symbols)
    named = [c for c in contracts if c.symbol and c.base_asset and c.quote_asset]
    return tuple(_instrument(c) for c in named), n_skipped + len(contracts) - len(named)


def parse_instruments(body: bytes) -> tuple[Instrument, ...]:
    """As `read_instruments`, without the count. Raises `PayloadError` also where not one contract can be read: no venue
    lists none, and whoever believed it would end every alert.
    """
    found, n_skipped = read_instruments(body)
    if not found:
        raise PayloadError(
            f"expected contracts in `symbols` of exchangeInfo, found none that can be read ({n_skipped} that cannot)"
        )
    return found
