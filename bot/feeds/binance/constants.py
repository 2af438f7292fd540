"""Binance USDⓈ-M: hosts, paths, stream names, weights and limits, as published up to 2026-10.

Read from the derivatives documentation (developers.binance.com, copy of 2026-05-28), the route change notice of
2026-03-06, the CM-UM integration notice of 2026-06-10 and the official Python connector of 2026-08-21. Binance changes
these without a version: check the change log of the documentation before each release.
"""

from typing import Final

VENUE: Final = "binance"

REST_URL: Final = "https://fapi.binance.com"
REST_DEMO_URL: Final = "https://demo-fapi.binance.com"

# Streams of prices are served under /market since 2026-04-23; the bare host accepts them, acknowledges and stays silent.
STREAM_URL: Final = "wss://fstream.binance.com"
STREAM_DEMO_URL: Final = "wss://demo-fstream.binance.com"
STREAM_PATH: Final = "/market/stream"

MARK_PRICE_STREAM: Final = "!markPrice@arr@1s"
TICKER_STREAM: Final = "!miniTicker@arr"
CONTRACT_STREAM: Final = "!contractInfo"
LIQUIDATION_STREAM: Final = "!forceOrder@arr"
KLINE_SUFFIX: Final = "@kline_1m"

# Both arrays come every second. The ticker holds only what changed, so it is given longer; a dead stream is told of within 15 s.
MARK_PRICE_SILENCE_S: Final = 10.0
TICKER_SILENCE_S: Final = 14.0
FIRST_FRAME_S: Final = 10.0
# Hundreds of contracts do not go without a single forced order for this long.
LIQUIDATION_SILENCE_S: Final = 300.0
# The venue allows 1024 streams per connection; most clients stay at this, and one lost connection costs fewer.
KLINES_PER_CONNECTION: Final = 200

# A socket is closed by the venue after 24 hours (documentation, "Connect").
CONNECTION_LIFE_S: Final = 24 * 3600.0

EXCHANGE_INFO_PATH: Final = "/fapi/v1/exchangeInfo"
SERVER_TIME_PATH: Final = "/fapi/v1/time"
PREMIUM_INDEX_PATH: Final = "/fapi/v1/premiumIndex"
TICKER_24H_PATH: Final = "/fapi/v1/ticker/24hr"
OPEN_INTEREST_PATH: Final = "/fapi/v1/openInterest"
OPEN_INTEREST_HISTORY_PATH: Final = "/futures/data/openInterestHist"
TOP_POSITION_RATIO_PATH: Final = "/futures/data/topLongShortPositionRatio"
KLINES_PATH: Final = "/fapi/v1/klines"
MARK_PRICE_KLINES_PATH: Final = "/fapi/v1/markPriceKlines"
FUNDING_INFO_PATH: Final = "/fapi/v1/fundingInfo"
FUNDING_RATE_PATH: Final = "/fapi/v1/fundingRate"

# Shared by fapi and dapi since 2026-06-30, per address, reset at second 0 of each minute.
WEIGHT_PER_MINUTE: Final = 2400
# Calls under /futures/data, per address and five minutes (change log of 2023-10-19).
DATA_CALLS_PER_5_MIN: Final = 1000
# fundingRate and fundingInfo together, per address and five minutes.
FUNDING_CALLS_PER_5_MIN: Final = 500

EXCHANGE_INFO_WEIGHT: Final = 1
SERVER_TIME_WEIGHT: Final = 1
PREMIUM_INDEX_ALL_WEIGHT: Final = 10
TICKER_24H_ALL_WEIGHT: Final = 40
OPEN_INTEREST_WEIGHT: Final = 1
# (limit below, weight); the last entry is for anything longer.
KLINE_WEIGHTS: Final = ((100, 1), (500, 2), (1001, 5), (1501, 10))
KLINE_MAX_LIMIT: Final = 1500
HISTORY_MAX_LIMIT: Final = 500
FUNDING_MAX_LIMIT: Final = 1000

USED_WEIGHT_HEADER: Final = "x-mbx-used-weight-1m"

# What a perpetual without an announced end carries as its delivery date: 2100-12-25 08:00 UTC.
NO_DELIVERY_MS: Final = 4_133_404_800_000

# `st` of stream rows since the CM-UM integration: 1 is USDⓈ-M, 2 is COIN-M.
USDM_MARKET: Final = 1

# `underlyingType` of crypto perpetuals; every other word is a stock, a metal or a commodity.
CRYPTO_UNDERLYINGS: Final = frozenset({"", "COIN", "INDEX", "PREMARKET"})

DEFAULT_FUNDING_INTERVAL_H: Final = 8.0

# An automatic ban lasts "2 minutes to 3 days" (documentation, "Limits"); anything longer is a misprint.
LONGEST_BAN_S: Final = 3 * 24 * 3600.0
