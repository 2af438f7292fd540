"""Several instruments by symbol, told one sample at a time."""

import math
from dataclasses import dataclass, field
from typing import Final

from bot.market.slow.flows import SlowCoverage, SlowLiquidations, SlowVolume
from bot.market.slow.samples import Gauge, SlowProduct, SlowSeries
from bot.market.slow.windows import SlowWindows

RAW: Final = (
    "price", "index", "basis", "funding", "funding_8h", "oi", "volume_24h", "taker_buy", "long_short",
)  # fmt: skip
FLOWS: Final = ("volume", "liq_long", "liq_short")
PRICE_VALID_MS: Final = 10_000
FIRST_PRICE_MS: Final = 15_000
TICKER_VALID_MS: Final = 3_600_000
FIRST_POLL_MS: Final = 120_000
LONG_SHORT_VALID_MS: Final = 450_000
FIRST_BAR_MS: Final = 90_000


def _positive(value: float) -> bool:
    return math.isfinite(value) and value > 0


@dataclass(slots=True)
class SlowInstrument:
    """All samples of one contract since it was listed."""

    subscribed_ms: int
    coverage: SlowCoverage
    dtype: str
    interval_h: float = 8.0
    is_trading: bool = True
    oi_interval_ms: int = FIRST_POLL_MS
    oi_venue_ms: int = 0
    gauges: dict[str, SlowSeries] = field(init=False)
    volume: SlowVolume = field(init=False)
    liquidations: dict[str, SlowLiquidations] = field(init=False)

    def __post_init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Empty all windows."""
        self.gauges = {name: SlowSeries(self.dtype) for name in RAW}
        self.volume = SlowVolume()
        self.liquidations = {name: SlowLiquidations(self.coverage) for name in ("liq_long", "liq_short")}
        self.oi_venue_ms = 0

    def gauge(self, name: str) -> Gauge:
        if name == "oi_usd":
            return SlowProduct(self.gauges["price"], self.gauges["oi"])
        return self.gauges[name]

    def flow(self, name: str) -> SlowVolume | SlowLiquidations:
        return self.volume if name == "volume" else self.liquidations[name]

    def newest_ms(self, name: str, now_ms: int) -> int | None:
        """When the newest sample of a raw series stands."""
        if name == "volume":
            bar = self.volume.newest(now_ms)
            return bar[0] if bar else None
        sample = self.gauges[name].newest(now_ms)
        return sample[0] if sample else None

    def age_ms(self, name: str, now_ms: int) -> int:
        if name in self.liquidations:
            if self.coverage.alive_since_ms is not None:
                return 0
            since = self.coverage.last_good_ms
        elif name == "oi_usd":
            return max(self.age_ms("price", now_ms), self.age_ms("oi", now_ms))
        else:
            since = self.newest_ms(name, now_ms)
        return now_ms - (self.subscribed_ms if since is None else since)

    def is_stale(self, name: str, now_ms: int) -> bool:
        if name in self.liquidations:
            return self.coverage.alive_since_ms is None
        if name == "oi_usd":
            return self.is_stale("price", now_ms) or self.is_stale("oi", now_ms)
        return self.age_ms(name, now_ms) > self._next_valid_ms(name, now_ms)

    def _next_valid_ms(self, name: str, now_ms: int) -> float:
        """How long the next sample would be valid; before the first, how long it may take."""
        match name:
            case "oi":
                return 2.5 * self.oi_interval_ms
            case "volume_24h":
                return TICKER_VALID_MS
            case "long_short":
                return LONG_SHORT_VALID_MS
            case "volume":
                bar = self.volume.newest(now_ms)
                return 1.5 * bar[1] if bar else FIRST_BAR_MS
            case "taker_buy":
                sample = self.gauges[name].newest(now_ms)
                return sample[2] if sample else FIRST_BAR_MS
            case _:
                return FIRST_PRICE_MS if self.newest_ms(name, now_ms) is None else PRICE_VALID_MS


class SlowMarket:
    """What the engine is told, one symbol and one sample at a time."""

    def __init__(self, *, step_ms: int = 1_000, dtype: str = "float32") -> None:
        self.step_ms = step_ms
        self.dtype = dtype
        self.now_ms = 0
        self.instruments: dict[str, SlowInstrument] = {}
        self.coverage = SlowCoverage()

    # -- instruments and the clock -------------------------------------------------------------------------------

    def listing(self, symbol: str, now_ms: int, *, interval_h: float = 8.0, is_trading: bool = True) -> None:
        """A listing, or news of a contract that is listed: a halt, its end, another funding interval."""
        one = self.instruments.setdefault(symbol, SlowInstrument(now_ms, self.coverage, self.dtype))
        one.interval_h, one.is_trading = interval_h, is_trading

    def remove(self, symbol: str) -> None:
        self.instruments.pop(symbol, None)

    def reset(self, now_ms: int) -> None:
        """The venue's clock went back."""
        for one in self.instruments.values():
            one.forget()
            one.subscribed_ms = now_ms

    # -- samples -------------------------------------------------------------------------------------------------

    def mark(self, symbol: str, time_ms: int, price: float, index: float, funding: float) -> None:
        if not _positive(price):
            return
        one = self.instruments[symbol]
        found = {"price": price}
        if _positive(index):
            found["index"], found["basis"] = index, (price - index) / index
        if math.isfinite(funding):
            found["funding"], found["funding_8h"] = funding, funding * 8.0 / one.interval_h
        for name, value in found.items():
            one.gauges[name].put(time_ms, value, PRICE_VALID_MS)

    def ticker(self, symbol: str, time_ms: int, volume_24h: float) -> None:
        if math.isfinite(volume_24h) and volume_24h >= 0:
            self.instruments[symbol].gauges["volume_24h"].put(time_ms, volume_24h, TICKER_VALID_MS)

    def poll(self, symbol: str, time_ms: int, amount: float, *, venue_ms: int, interval_ms: int) -> None:
        """One open interest; an answer older at the venue than the last is dropped."""
        one = self.instruments[symbol]
        one.oi_interval_ms = interval_ms
        if _positive(amount) and venue_ms >= one.oi_venue_ms:
            one.oi_venue_ms = venue_ms
            one.gauges["oi"].put(time_ms, amount, interval_ms * 5 // 2)

    def sample(
        self, symbol: str, series: str, time_ms: int, value: float, *, valid_ms: int, interval_ms: int | None = None
    ) -> None:
        """One row of history, of a bar file or of a dump (`interval_ms` given)."""
        one = self.instruments[symbol]
        if series == "oi" and interval_ms is not None:
            one.oi_interval_ms = interval_ms
        if _positive(value):
            one.gauges[series].put(time_ms, value, valid_ms)

    def bar(self, symbol: str, close_ms: int, volume: float, taker_buy: float, *, span_ms: int) -> None:
        if not (math.isfinite(volume) and volume >= 0):
            return
        one = self.instruments[symbol]
        one.volume.put(close_ms, span_ms, volume)
        if volume > 0 and math.isfinite(taker_buy):
            one.gauges["taker_buy"].put(close_ms, taker_buy / volume, span_ms * 3 // 2)

    def liquidation(self, symbol: str, time_ms: int, usd: float, *, is_long: bool) -> None:
        if _positive(usd):
            self.instruments[symbol].liquidations["liq_long" if is_long else "liq_short"].put(time_ms, usd)

    def cover(self, at_ms: int, *, live: bool) -> None:
        """The stream of liquidations is alive from a time on, or lost since then."""
        self.coverage.tell(at_ms, live=live)

    # -- reading at `now_ms` -------------------------------------------------------------------------------------

    def level(self, series: str, symbol: str) -> float:
        """The bare series; NaN where it is unknown."""
        one = self.instruments[symbol]
        if series in FLOWS:
            return one.flow(series).value(self.now_ms)
        return one.gauge(series).at(self.now_ms, rounded=False)

    def largest(self, series: str, symbol: str) -> float:
        """How far from zero a gauge ever was: running sums lose digits to that, also when it is long over."""
        return self.instruments[symbol].gauge(series).largest

    def windows(self, series: str, symbol: str) -> SlowWindows:
        return SlowWindows(self.instruments[symbol].gauge(series), self.step_ms)
