"""Payloads of the market streams as JSON text, one string for each broadcast.

Text is put together with templates: at 950 contracts the mark-price arrays are the hot path of the simulator. Symbols
are the only free text and are escaped once. Pure functions of the market and the time.
"""

import functools

import msgspec
import numpy as np

from bot.sim import answers, names, noise
from bot.sim.market import F64, I64, Market
from bot.sim.universe import Spec


@functools.lru_cache(maxsize=4096)
def quoted(text: str) -> str:
    """Return the text as a JSON string."""
    return msgspec.json.encode(text).decode()


def is_streamed(market: Market, row: int, now_ms: int) -> bool:
    """Whether pushes speak of the contract: it is listed, or settling with a frozen price."""
    return answers.status_of(market, row) not in {"", "PENDING_TRADING"} and market.specs[row].onboard_ms <= now_ms


@functools.lru_cache(maxsize=4096)
def _mark_template(spec: Spec) -> str:
    symbol = quoted(spec.symbol).replace("%", "%%")
    rate = "%.8f" if spec.is_perpetual else "%.0s"  # the latter takes its value and writes nothing
    return (
        f'{{"e":"markPriceUpdate","E":%d,"s":{symbol},"p":"%.8f","ap":"%.8f","P":"%.8f","i":"%.8f",'
        f'"r":"{rate}","T":%d,"st":1}}'
    )


@functools.lru_cache(maxsize=16)
def _mark_array_template(specs: tuple[Spec, ...]) -> str:
    return ",".join(map(_mark_template, specs))


def mark_values(market: Market, now_ms: int) -> F64:
    """Return what fills the templates, one row per contract: time, price twice, settle price, index, rate, next time."""
    prices = market.prices(now_ms)
    index, funding = market.index_prices(prices, now_ms), market.funding(now_ms)
    funding[list(market.status)] = 0.0
    every_ms = market.funding_every_ms
    next_ms = np.where(every_ms > 0, (now_ms // np.maximum(every_ms, 1) + 1) * every_ms, 0)
    times = np.full(prices.size, float(now_ms))
    return np.column_stack((times, prices, prices, index * 1.0002, index, funding, next_ms))


def mark_row(market: Market, row: int, values: F64) -> str:
    """Return one `markPriceUpdate`."""
    return _mark_template(market.specs[row]) % tuple(values[row].tolist())


def coin_margined_rows(market: Market, prices: F64, now_ms: int) -> list[str]:
    """Return the rows of the sister market that travel along (`st` 2)."""
    found = []
    for symbol in names.COIN_MARGINED:
        row = market.rows.get(f"{symbol.split('USD')[0]}USDT")
        if row is not None:
            price = prices[row]
            next_ms = (now_ms // 28_800_000 + 1) * 28_800_000
            funding = f'"r":"0.00010000","T":{next_ms}' if symbol.endswith("PERP") else '"r":"","T":0'
            found.append(
                f'{{"e":"markPriceUpdate","E":{now_ms},"s":"{symbol}","p":"{price:.8f}","ap":"{price:.8f}",'
                f'"P":"{price:.8f}","i":"{price:.8f}",{funding},"st":2}}'
            )
    return found


def mark_arrays(market: Market, now_ms: int) -> list[str]:
    """Return the messages of one tick of `!markPrice@arr`: crypto first, everything else second."""
    values = mark_values(market, now_ms)
    first: list[int] = []
    second: list[int] = []
    for row, spec in enumerate(market.specs):
        if is_streamed(market, row, now_ms):
            (first if spec.contract == "PERPETUAL" else second).append(row)
    texts = [
        _mark_array_template(tuple(market.specs[row] for row in rows)) % tuple(values[rows].ravel().tolist())
        for rows in (first, second)
    ]
    texts[1] = ",".join([texts[1], *coin_margined_rows(market, values[:, 1], now_ms)])
    return [f"[{text}]" for text in texts]


@functools.lru_cache(maxsize=4096)
def _mini_template(spec: Spec) -> str:
    # Filled with: event time, last, open, high, low, base volume, quote volume.
    d = spec.decimals
    return (
        f'{{"e":"24hrMiniTicker","E":%d,"s":{quoted(spec.symbol).replace("%", "%%")},"c":"%.{d}f","o":"%.{d}f",'
        f'"h":"%.{d}f","l":"%.{d}f","v":"%.{spec.step_decimals}f","q":"%.2f",'
        f'"ps":{quoted(spec.pair).replace("%", "%%")},"st":1}}'
    )


def _mini(spec: Spec, columns: list[float], now_ms: int) -> str:
    last, opened, high, low, volume_usd = columns
    base = volume_usd * 2 / (high + low)
    return _mini_template(spec) % (now_ms, last, opened, high, low, base, volume_usd)


def _full(spec: Spec, columns: list[float], now_ms: int) -> str:
    last, opened, high, low, volume_usd = columns
    d = spec.decimals
    first_id, count = spec.key % 10**9 + (now_ms - 86_400_000) // 500, int(volume_usd / 900.0) + 1
    return (
        f'{{"e":"24hrTicker","E":{now_ms},"s":{quoted(spec.symbol)},"ps":{quoted(spec.pair)},"p":"{last - opened:.{d}f}",'
        f'"P":"{(last / opened - 1) * 100:.3f}","w":"{(high + low) / 2:.{d}f}","c":"{last:.{d}f}",'
        f'"Q":"{max(spec.step, 90.0 / last):.{spec.step_decimals}f}","o":"{opened:.{d}f}","h":"{high:.{d}f}",'
        f'"l":"{low:.{d}f}","v":"{volume_usd * 2 / (high + low):.{spec.step_decimals}f}","q":"{volume_usd:.2f}",'
        f'"O":{now_ms // 60_000 * 60_000 - 86_400_000},"C":{now_ms},"F":{first_id},"L":{first_id + count - 1},'
        f'"n":{count},"st":1}}'
    )


class Tickers:
    """Ticker payloads of one tick; remembers the last prices to tell which contracts traded since."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._last: dict[str, I64] = {}
        self._tick: F64 = np.empty(0)

    def _ticks(self) -> F64:
        if self._tick.size != len(self._market.specs):
            self._tick = np.array([spec.tick for spec in self._market.specs])
        return self._tick

    def columns(self, now_ms: int) -> F64:
        """Return last, open, high, low and quote volume of every contract."""
        prices = self._market.prices(now_ms)
        ranges = self._market.day_ranges(prices, now_ms)
        return np.column_stack((prices, *ranges, self._market.volumes_24h(now_ms)))

    def one(self, row: int, columns: F64, now_ms: int, *, mini: bool) -> str:
        return (_mini if mini else _full)(self._market.specs[row], columns[row].tolist(), now_ms)

    def changed(self, columns: F64, now_ms: int, *, mini: bool) -> str | None:
        """Return the array of the contracts whose last price moved since the last call, or None where none did."""
        write = _mini if mini else _full
        name = "mini" if mini else "full"
        ticks = np.round(columns[:, 0] / self._ticks()).astype(np.int64)
        seen = self._last.get(name, np.empty(0, dtype=np.int64))
        moved = np.ones(ticks.size, dtype=bool)
        moved[: seen.size] = ticks[: seen.size] != seen
        self._last[name] = ticks
        market = self._market
        found = [
            write(market.specs[row], columns[row].tolist(), now_ms)
            for row in np.flatnonzero(moved).tolist()
            if row not in market.status and is_streamed(market, row, now_ms)
        ]
        return f"[{','.join(found)}]" if found else None


def liquidations(market: Market, now_ms: int) -> list[tuple[str, str]]:
    """Return (symbol, `forceOrder`) of one second: rare in calm, one for almost each contract in a fast move.

    A fall closes longs, a rise closes shorts. However small the market, it is never silent for minutes.
    """
    prices, before = market.prices(now_ms), market.prices(now_ms - 30_000)
    moved = np.log(prices / before)
    haste = np.abs(moved) / (market.sigma * 2.5)
    rate = max(0.0006, 0.05 / moved.size) + 0.12 * np.clip(haste - 1.0, 0.0, 6.0) ** 2
    rng = noise.generator(noise.key_of(market.seed, "liquidations"), now_ms // 1000)
    hit = rng.random(len(market.specs)) < 1.0 - np.exp(-rate)
    sizes = np.exp(rng.standard_normal(len(market.specs)) * 1.3)
    found = []
    for row in np.flatnonzero(hit).tolist():
        spec = market.specs[row]
        if not is_streamed(market, row, now_ms) or market.status.get(row):
            continue
        usd = float(sizes[row]) * 4e-6 * spec.oi_usd * (1.0 + float(min(haste[row], 6.0))) + 60.0
        falling = moved[row] < 0 if haste[row] > 1 else bool(sizes[row] > 1)
        found.append((spec.symbol, _force_order(spec, usd, float(prices[row]), now_ms, falling=bool(falling))))
    return found


def _force_order(spec: Spec, usd: float, price: float, now_ms: int, *, falling: bool) -> str:
    amount = f"{max(spec.step, usd / price):.{spec.step_decimals}f}"
    limit = price * (0.992 if falling else 1.008)
    return (
        f'{{"e":"forceOrder","E":{now_ms},"o":{{"s":{quoted(spec.symbol)},"S":"{"SELL" if falling else "BUY"}",'
        f'"o":"LIMIT","f":"IOC","q":"{amount}","p":"{limit:.{spec.decimals}f}","ap":"{price:.{spec.decimals}f}",'
        f'"X":"FILLED","l":"{amount}","z":"{amount}","T":{now_ms - 5}}},"ps":{quoted(spec.pair)},"st":1}}'
    )


def closed_kline(market: Market, row: int, close_ms: int) -> str:
    """Return the one-minute bar that ended then, exactly as REST tells it."""
    open_ms = close_ms - 60_000
    bars = market.bars(row, np.array([open_ms]), 60_000, close_ms)
    columns = (bars.open[0], bars.high[0], bars.low[0], bars.close[0], bars.volume[0], bars.taker_buy[0])
    return _kline(market.specs[row], [float(x) for x in columns], open_ms, close_ms, closed=True)


class RunningKlines:
    """The bars of this minute, all contracts at once: several a second are wanted of each, so they must be cheap.

    High and low are those of the ticks so far; the closed bar knows the whole path.
    """

    def __init__(self, market: Market) -> None:
        self._market = market
        self._open_ms = -1
        self._open = self._high = self._low = np.empty(0)
        self._table: list[list[float]] = []
        self._now_ms = -1

    def tick(self, now_ms: int) -> None:
        """Move all bars on to this time."""
        market = self._market
        self._now_ms = now_ms
        prices = market.prices(now_ms)
        if now_ms // 60_000 * 60_000 != self._open_ms or self._open.size != prices.size:
            self._open_ms = now_ms // 60_000 * 60_000
            self._open = market.prices(self._open_ms)
            self._high, self._low = self._open.copy(), self._open.copy()
        np.maximum(self._high, prices, out=self._high)
        np.minimum(self._low, prices, out=self._low)
        volume = market.running_volumes(now_ms)
        moved = np.log(prices / self._open) / market.sigma
        taker = volume * market.taker_share(market.keys ^ np.uint64(9), moved, self._open_ms // 60_000)
        self._table = np.column_stack((self._open, self._high, self._low, prices, volume, taker)).tolist()

    def one(self, row: int) -> str:
        """Return the payload of one contract as of the last tick."""
        return _kline(self._market.specs[row], self._table[row], self._open_ms, self._now_ms, closed=False)


@functools.lru_cache(maxsize=4096)
def _kline_template(spec: Spec) -> str:
    # Filled with: E, t, T, f, L, o, c, h, l, v, n, x, q, V, Q.
    d, q = spec.decimals, spec.step_decimals
    symbol = quoted(spec.symbol).replace("%", "%%")
    return (
        f'{{"e":"kline","E":%d,"s":{symbol},"k":{{"t":%d,"T":%d,"s":{symbol},"i":"1m","f":%d,"L":%d,'
        f'"o":"%.{d}f","c":"%.{d}f","h":"%.{d}f","l":"%.{d}f","v":"%.{q}f","n":%d,"x":%s,'
        f'"q":"%.5f","V":"%.{q}f","Q":"%.5f","B":"0"}},"ps":{quoted(spec.pair).replace("%", "%%")},"st":1}}'
    )


def _kline(spec: Spec, columns: list[float], open_ms: int, now_ms: int, *, closed: bool) -> str:
    opened, high, low, close, volume, taker = columns
    first_id = spec.key % 10**9 + open_ms // 500
    count = int(volume / 900.0) + 1
    mean = (opened + close) / 2.0
    return _kline_template(spec) % (
        now_ms, open_ms, open_ms + 59_999, first_id, first_id + count - 1, opened, close, high, low,
        volume / mean, count, "true" if closed else "false", volume, taker / mean, taker,
    )  # fmt: skip


def trade(market: Market, row: int, price: float, now_ms: int) -> str:
    """Return one `aggTrade`."""
    spec = market.specs[row]
    draw = noise.uniform(spec.key ^ 10, [now_ms, now_ms + 1])
    amount = f"{max(spec.step, 900.0 * float(draw[0]) / price):.{spec.step_decimals}f}"
    number = now_ms // 500
    return (
        f'{{"e":"aggTrade","E":{now_ms},"a":{number},"s":{quoted(spec.symbol)},"p":"{price:.{spec.decimals}f}",'
        f'"q":"{amount}","nq":"{amount}","f":{number},"l":{number},"T":{now_ms - 3},'
        f'"m":{"true" if draw[1] < 0.5 else "false"},"st":1}}'
    )


def contract_info(market: Market, row: int, now_ms: int) -> str:
    """Return one `contractInfo`."""
    spec = market.specs[row]
    status = quoted(answers.status_of(market, row))
    return (
        f'{{"e":"contractInfo","E":{now_ms},"s":{quoted(spec.symbol)},"ps":{quoted(spec.pair)},"ct":"{spec.contract}",'
        f'"dt":{market.delivery_ms.get(row, spec.delivery_ms)},"ot":{spec.onboard_ms},"cs":{status},'
        f'"bks":[{{"bs":1,"bnf":0,"bnc":5000,"mmr":0.01,"cf":0,"mi":21,"ma":50}}],"st":1}}'
    )
