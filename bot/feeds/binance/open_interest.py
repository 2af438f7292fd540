"""One sample of open interest over REST."""

from collections.abc import Callable

from bot.errors import PayloadError
from bot.feeds.binance import rest
from bot.feeds.client import Priority, RestClient
from bot.feeds.gate import Failure
from bot.feeds.poller import Sample


async def open_interest(client: RestClient, symbol: str, *, venue_now: Callable[[], int]) -> Sample | Failure:
    """Ask for a symbol; an answer about another one is a failure."""
    body = await client.get(rest.open_interest(symbol), priority=Priority.POLL, attempts=2)
    if isinstance(body, Failure):
        return body
    try:
        found, amount, venue_ms = rest.parse_open_interest(body)
    except PayloadError as error:
        return Failure("server", str(error))
    if found != symbol:
        return Failure("server", f"asked for {symbol}, answered for {found}")
    # A date in the future would make all answers after it older ones.
    return Sample(amount, min(venue_ms, venue_now()), venue_ms)
