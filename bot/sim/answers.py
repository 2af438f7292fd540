"""Bodies of the REST answers, in the venue's own words: numbers as strings, times in milliseconds, keys as published.

Pure functions of the market and the time. Checks of parameters and limits happen before, in `bot.sim.rest`.
"""

import numpy as np

from bot.sim import noise
from bot.sim.market import F64, I64, Bars, Market
from bot.sim.universe import DAY_MS, MINUTE_MS, PERPETUAL_END_MS, Spec

Row = dict[str, object]

HISTORY_DAYS = 30
PUBLISH_LAG_MS = 2000
"""A 5-minute row can be read this long after its time."""

_ORDER_TYPES = ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"]


def status_of(market: Market, row: int) -> str:
    return market.status.get(row, "TRADING")


def is_shown(market: Market, row: int, now_ms: int) -> bool:
    """Whether the venue speaks of this contract at all."""
    return status_of(market, row) != "" and market.specs[row].onboard_ms <= now_ms + DAY_MS


def decimal(value: float, places: int) -> str:
    return f"{value:.{places}f}"


def exchange_info(market: Market, now_ms: int) -> Row:
    symbols = [_symbol(market, row, spec) for row, spec in enumerate(market.specs) if is_shown(market, row, now_ms)]
    assets = [{"asset": a, "marginAvailable": True, "autoAssetExchange": "-10000"} for a in ("USDT", "USDC", "BTC")]
    limits = [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400},
        {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
    ]
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": limits,
        "exchangeFilters": [],
        "assets": assets,
        "symbols": symbols,
    }


def _symbol(market: Market, row: int, spec: Spec) -> Row:
    tick, step = decimal(spec.tick, spec.decimals), decimal(spec.step, spec.step_decimals)
    most = decimal(max(1.0, 5e6 / spec.price), spec.step_decimals)
    filters: list[Row] = [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": tick,
            "maxPrice": decimal(spec.price * 100, spec.decimals),
            "tickSize": tick,
        },
        {"filterType": "LOT_SIZE", "minQty": step, "maxQty": most, "stepSize": step},
        {"filterType": "MARKET_LOT_SIZE", "minQty": step, "maxQty": most, "stepSize": step},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
        {"filterType": "MIN_NOTIONAL", "notional": decimal(spec.min_notional, 0)},
        {"filterType": "PERCENT_PRICE", "multiplierUp": "1.0500", "multiplierDown": "0.9500", "multiplierDecimal": "4"},
        {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
    ]
    return {
        "symbol": spec.symbol,
        "pair": spec.pair,
        "contractType": spec.contract,
        "deliveryDate": market.delivery_ms.get(row, spec.delivery_ms),
        "onboardDate": spec.onboard_ms,
        "status": status_of(market, row),
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": spec.base,
        "quoteAsset": spec.quote,
        "marginAsset": spec.quote,
        "pricePrecision": min(spec.decimals + 1, 8),
        "quantityPrecision": spec.step_decimals,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": spec.underlying,
        "underlyingSubType": ["TradFi"] if spec.contract == "TRADIFI_PERPETUAL" else ["Layer-1"],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10000,
        "permissionSets": ["GRID", "COPY"],
        "filters": filters,
        "orderTypes": _ORDER_TYPES,
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
    }


def next_funding_ms(spec: Spec, now_ms: int) -> int:
    every_ms = spec.funding_h * 3_600_000
    return (now_ms // every_ms + 1) * every_ms


def premium_index(market: Market, rows: list[int], now_ms: int) -> list[Row]:
    prices = market.prices(now_ms)
    index, funding = market.index_prices(prices, now_ms), market.funding(now_ms)
    return [_premium(market, row, prices, index, funding, now_ms) for row in rows]


def _premium(market: Market, row: int, prices: F64, index: F64, funding: F64, now_ms: int) -> Row:
    spec = market.specs[row]
    dated = not spec.is_perpetual
    settling = status_of(market, row) != "TRADING"
    return {
        "symbol": spec.symbol,
        "markPrice": decimal(prices[row], 8),
        "indexPrice": decimal(index[row], 8),
        "estimatedSettlePrice": decimal(index[row] * 1.0002, 8),
        "lastFundingRate": "" if dated else decimal(0.0 if settling else funding[row], 8),
        "interestRate": "" if dated else "0.00010000",
        "nextFundingTime": 0 if dated else next_funding_ms(spec, now_ms),
        "time": now_ms // 1000 * 1000,
    }


def open_interest(market: Market, row: int, now_ms: int) -> Row:
    spec = market.specs[row]
    amount = decimal(market.open_interest(row, now_ms), spec.step_decimals)
    return {"symbol": spec.symbol, "openInterest": amount, "time": now_ms}


def tickers_24h(market: Market, rows: list[int], now_ms: int) -> list[Row]:
    prices, volumes = market.prices(now_ms), market.volumes_24h(now_ms)
    opened, high, low = market.day_ranges(prices, now_ms)
    columns = np.column_stack((prices, opened, high, low, volumes))
    return [_ticker_24h(market.specs[row], columns[row].tolist(), now_ms) for row in rows]


def _ticker_24h(spec: Spec, columns: list[float], now_ms: int) -> Row:
    last, opened, high, low, volume_usd = columns
    mean = (opened + last + high + low) / 4.0
    first_id = spec.key % 10**9 + (now_ms - DAY_MS) // 500
    count = int(volume_usd / 900.0) + 1
    places = spec.decimals
    return {
        "symbol": spec.symbol,
        "priceChange": decimal(last - opened, places),
        "priceChangePercent": decimal((last / opened - 1.0) * 100.0, 3),
        "weightedAvgPrice": decimal(mean, places),
        "lastPrice": decimal(last, places),
        "lastQty": decimal(max(spec.step, 90.0 / last), spec.step_decimals),
        "openPrice": decimal(opened, places),
        "highPrice": decimal(high, places),
        "lowPrice": decimal(low, places),
        "volume": decimal(volume_usd / mean, spec.step_decimals),
        "quoteVolume": decimal(volume_usd, 2),
        "openTime": now_ms // MINUTE_MS * MINUTE_MS - DAY_MS,
        "closeTime": now_ms,
        "firstId": first_id,
        "lastId": first_id + count - 1,
        "count": count,
    }


def price_tickers(market: Market, rows: list[int], now_ms: int) -> list[Row]:
    prices = market.prices(now_ms)
    return [
        {"symbol": s.symbol, "price": decimal(prices[r], s.decimals), "time": now_ms}
        for r, s in ((r, market.specs[r]) for r in rows)
    ]


def klines(market: Market, row: int, opens: I64, interval_ms: int, now_ms: int, *, mark: bool) -> list[list[object]]:
    """Return bars; of mark prices with eight decimals and no volume, of trades in ticks with volume."""
    if opens.size == 0:
        return []
    spec = market.specs[row]
    bars = market.bars(row, opens, interval_ms, now_ms)
    places = 8 if mark else spec.decimals
    return [_kline(bars, k, spec, interval_ms, places, mark=mark) for k in range(opens.size)]


def _kline(bars: Bars, k: int, spec: Spec, interval_ms: int, places: int, *, mark: bool) -> list[object]:
    open_ms, volume = int(bars.open_ms[k]), float(bars.volume[k])
    ohlc = [decimal(float(v[k]), places) for v in (bars.open, bars.high, bars.low, bars.close)]
    close_ms = open_ms + interval_ms - 1
    if mark:
        return [open_ms, *ohlc, "0", close_ms, "0", max(1, min(60, interval_ms // 1000)), "0", "0", "0"]
    mean = float(bars.open[k] + bars.close[k]) / 2.0
    taker = float(bars.taker_buy[k])
    q = spec.step_decimals
    return [
        open_ms, *ohlc, decimal(volume / mean, q), close_ms, decimal(volume, 5), int(volume / 900.0) + 1,
        decimal(taker / mean, q), decimal(taker, 5), "0",
    ]  # fmt: skip


def open_interest_history(market: Market, row: int, times: I64) -> list[Row]:
    if times.size == 0:
        return []
    spec = market.specs[row]
    amounts, prices = market.oi_path(row, times), market.price_path(row, times)
    supply = decimal(spec.oi_usd / spec.price * 40.0, 8)
    return [
        {
            "symbol": spec.symbol,
            "sumOpenInterest": decimal(float(a), 8),
            "sumOpenInterestValue": decimal(float(a * p), 8),
            "CMCCirculatingSupply": supply,
            "timestamp": int(t),
        }
        for t, a, p in zip(times, amounts, prices, strict=True)
    ]


def long_short(market: Market, row: int, times: I64, salt: int) -> list[Row]:
    """Return rows of one of the long/short ratios; `salt` tells them apart."""
    spec = market.specs[row]
    longs = np.clip(0.55 + 0.06 * noise.smooth(spec.key ^ salt, times, 3_600_000), 0.1, 0.9)
    return [
        {
            "symbol": spec.symbol,
            "longShortRatio": decimal(float(x / (1.0 - x)), 4),
            "longAccount": decimal(float(x), 4),
            "shortAccount": decimal(float(1.0 - x), 4),
            "timestamp": int(t),
        }
        for t, x in zip(times, longs, strict=True)
    ]


def taker_ratio(market: Market, row: int, times: I64, period_ms: int) -> list[Row]:
    if times.size == 0:
        return []
    bars = market.bars(row, times - period_ms, period_ms, int(times[-1]))
    buy, sell = bars.taker_buy / bars.close, (bars.volume - bars.taker_buy) / bars.close
    return [
        {
            "buySellRatio": decimal(float(b / s), 4),
            "buyVol": decimal(float(b), 4),
            "sellVol": decimal(float(s), 4),
            "timestamp": int(t),
        }
        for t, b, s in zip(times, buy, sell, strict=True)
    ]


def funding_history(market: Market, row: int, times: I64) -> list[Row]:
    if times.size == 0:
        return []
    spec = market.specs[row]
    prices = market.price_path(row, times)
    return [
        {
            "symbol": spec.symbol,
            "fundingTime": int(t) + int(t // 1000 % 7),
            "fundingRate": decimal(float(market.funding(int(t))[row]), 8),
            "markPrice": decimal(float(p), 8),
            "rateType": "Regular",
        }
        for t, p in zip(times, prices, strict=True)
    ]


def funding_info(market: Market, now_ms: int) -> list[Row]:
    return [
        {
            "symbol": spec.symbol,
            "adjustedFundingRateCap": "0.02000000",
            "adjustedFundingRateFloor": "-0.02000000",
            "fundingIntervalHours": spec.funding_h,
            "disclaimer": False,
            "updateTime": spec.onboard_ms,
        }
        for row, spec in enumerate(market.specs)
        if spec.funding_h != 8 and spec.delivery_ms == PERPETUAL_END_MS and is_shown(market, row, now_ms)
    ]
