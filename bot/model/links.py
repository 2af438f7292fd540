"""Addresses of other people's pages that messages point to. Pure text."""

from urllib.parse import quote

MAX_SYMBOL_CHARS = 60


def tradingview(venue: str, symbol: str) -> str | None:
    """TradingView's chart of a perpetual, for venues whose naming is known. None for dated futures, which it names otherwise."""
    if not venue.startswith("binance") or "_" in symbol or not symbol:
        return None
    name = symbol[:MAX_SYMBOL_CHARS].encode("utf-8", "ignore").decode()
    return f"https://www.tradingview.com/chart/?symbol=BINANCE:{quote(name, safe='')}.P"
