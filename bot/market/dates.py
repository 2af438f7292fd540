"""Samples that are dated ahead of the venue's time.

Windows are written up to the newest sample: a single one from tomorrow would empty them until tomorrow. Pushes of prices are
judged by the venue's time itself, as they tell it; all else is judged here.
"""

from dataclasses import replace

from bot.model.updates import I64, Bars, History, Liquidations, Tickers

Dated = Tickers | Bars | Liquidations | History


def _dates(update: Dated) -> I64:
    match update:
        case Bars(close_ms=dates) | History(time_ms=dates):
            return dates
        case Tickers(event_ms=dates) | Liquidations(event_ms=dates):
            return dates


def not_after(update: Dated, latest_ms: int) -> Dated:
    """The update without what is dated later; itself where nothing is."""
    dates = _dates(update)
    if not len(dates) or int(dates.max()) <= latest_ms:
        return update
    keep = dates <= latest_ms
    match update:
        case Tickers():
            return replace(update, rows=update.rows[keep], volume_24h=update.volume_24h[keep], event_ms=dates[keep])
        case History():
            return replace(update, time_ms=dates[keep], value=update.value[keep])
        case Liquidations():
            rows, usd = update.rows[keep], update.usd[keep]
            return replace(update, rows=rows, event_ms=dates[keep], usd=usd, is_long=update.is_long[keep])
        case Bars():
            rows, volume, taker_buy = update.rows[keep], update.volume[keep], update.taker_buy[keep]
            return replace(update, rows=rows, close_ms=dates[keep], volume=volume, taker_buy=taker_buy)
