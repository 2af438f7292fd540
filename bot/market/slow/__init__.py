"""The meaning of samples, windows, flows and time as plain loops: the oracle that the fast code is held to.

Never imported by the bot, and imports none of the fast code. It keeps every sample it was ever given, asks for one
instrument at a time, and looks at all points of a window each time.
"""

from bot.market.slow.flows import SlowCoverage, SlowLiquidations, SlowVolume
from bot.market.slow.market import SlowMarket
from bot.market.slow.samples import SlowProduct, SlowSeries
from bot.market.slow.windows import SlowWindows, corr, percentile_of_pct, zscore_of_pct

__all__ = [
    "SlowCoverage",
    "SlowLiquidations",
    "SlowMarket",
    "SlowProduct",
    "SlowSeries",
    "SlowVolume",
    "SlowWindows",
    "corr",
    "percentile_of_pct",
    "zscore_of_pct",
]
