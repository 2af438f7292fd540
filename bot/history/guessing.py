"""What a symbol says of its contract, where nobody described it: published files name nothing else."""

import re
from typing import Final

from bot.model.instrument import Instrument

_QUOTES: Final = ("USDT", "USDC", "FDUSD", "BUSD", "USD", "BTC", "ETH")
_DATED: Final = re.compile(r"^(?P<pair>.+)_(?P<date>\d{6})$")


def guessed(key: str) -> Instrument:
    """A perpetual that trades, or a dated future, with the quote that the symbol ends with; without one, in USDT."""
    venue, _, symbol = key.partition(":")
    dated = _DATED.match(symbol)
    pair = dated["pair"] if dated else symbol
    quote = next((q for q in _QUOTES if pair.endswith(q) and pair != q), "")
    base = pair.removesuffix(quote) if quote else pair
    return Instrument(venue, symbol, "delivery" if dated else "perpetual", base, quote or "USDT", "TRADING")
