"""How often each contract pays its funding, which only REST tells."""

from collections.abc import Iterable

from bot import log
from bot.errors import PayloadError
from bot.feeds.binance import rest
from bot.feeds.binance.constants import DEFAULT_FUNDING_INTERVAL_H
from bot.feeds.client import Priority, RestClient
from bot.feeds.gate import Failure
from bot.model.instrument import Instrument

_log = log.get("feed")


async def ask_intervals(client: RestClient) -> dict[str, float]:
    """Hours by symbol, of those whose interval is not the usual one; empty without a usable answer."""
    body = await client.get(rest.funding_info(), priority=Priority.POLL)
    if isinstance(body, Failure):
        return {}
    try:
        return rest.parse_funding_intervals(body)
    except PayloadError as error:
        _log.warning("answer.unreadable", path="fundingInfo", error=str(error))
        return {}


def intervals_of(instruments: Iterable[Instrument]) -> dict[str, float]:
    """Hours by symbol as they were known of these, without the usual ones."""
    hours = ((i.symbol, i.funding_interval_h) for i in instruments)
    return {symbol: h for symbol, h in hours if h != DEFAULT_FUNDING_INTERVAL_H}
