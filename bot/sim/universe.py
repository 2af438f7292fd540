"""The instruments of the simulated venue: what they are called, how they trade, and how each one moves.

A universe is a pure function of (seed, count). Rows are append-only: a listing adds one, a delisting only changes a
status, so a row number stays valid for the life of the venue.
"""

import functools
import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bot.sim import names, noise

MINUTE_MS = 60_000
DAY_MS = 86_400_000
PERPETUAL_END_MS = 4_133_404_800_000
"""What the venue writes as the delivery date of a contract without an end."""

MIN_INSTRUMENTS = 8
MAX_INSTRUMENTS = 950

Contract = Literal["PERPETUAL", "TRADIFI_PERPETUAL", "CURRENT_QUARTER", "NEXT_QUARTER"]


@dataclass(frozen=True, slots=True, eq=False)
class Spec:
    """One contract and the parameters of its motion. Ratios are fractions, money is in USD."""

    symbol: str
    pair: str
    base: str
    quote: str
    contract: Contract
    underlying: str
    onboard_ms: int
    delivery_ms: int
    price: float
    """The level its price reverts to."""
    tick: float
    step: float
    min_notional: float
    oi_usd: float
    minute_volume_usd: float
    beta: float
    """How much of the common factor it takes."""
    sigma: float
    """Deviation of its own one-minute return."""
    oi_sigma: float
    """Deviation of its one-minute change of open interest."""
    funding_h: int
    funding_sigma: float
    key: int
    """Root of its noise."""
    price_key: int
    """Root of its price noise: contracts on one coin share it."""

    @property
    def is_crypto_perpetual(self) -> bool:
        return self.contract == "PERPETUAL" and self.underlying == "COIN"

    @property
    def is_perpetual(self) -> bool:
        return self.contract in {"PERPETUAL", "TRADIFI_PERPETUAL"}

    @property
    def decimals(self) -> int:
        """Decimals of its prices."""
        return _decimals(self.tick)

    @property
    def step_decimals(self) -> int:
        """Decimals of its quantities."""
        return _decimals(self.step)


@functools.cache
def _decimals(smallest: float) -> int:
    return max(0, -math.floor(math.log10(smallest) + 0.5))


def _tick(base: str, price: float) -> float:
    return 0.1 if base == "BTC" else float(10.0 ** (math.floor(math.log10(price)) - 4))


def _step(price: float) -> float:
    return float(10.0 ** min(0, math.ceil(1.0 - math.log10(price))))


def make(seed: int, base: str, price: float, rank: int, *, onboard_ms: int, quote: str = "USDT") -> Spec:
    """Return a crypto perpetual of that rank (0 is the largest) with seeded habits."""
    symbol = f"{base}{quote}"
    key = noise.key_of(seed, symbol)
    draw = noise.uniform(key, np.arange(8))
    oi_usd = 8e9 * (rank + 1) ** -1.2 * (0.9 + 0.25 * draw[0])
    oi_15m = 0.0022 if rank < 20 else 0.0032 if rank < 110 else 0.006
    return Spec(
        symbol=symbol,
        pair=symbol,
        base=base,
        quote=quote,
        contract="PERPETUAL",
        underlying="COIN",
        onboard_ms=onboard_ms,
        delivery_ms=PERPETUAL_END_MS,
        price=price,
        tick=_tick(base, price),
        step=_step(price),
        min_notional={"BTC": 50.0, "ETH": 20.0}.get(base, 5.0),
        oi_usd=float(oi_usd),
        minute_volume_usd=float(oi_usd * (0.8 + 1.6 * draw[1]) / 1440.0),
        beta=float(1.0 if rank == 0 else 0.8 + 0.9 * draw[2]),
        sigma=float(0.00012 if rank == 0 else 0.0003 + 0.0005 * draw[3] + (0.0003 if rank > 100 else 0.0)),
        oi_sigma=float(oi_15m / math.sqrt(15.0) * (0.8 + 0.4 * draw[4])),
        funding_h=8 if rank < 30 or draw[5] < 0.45 else 4 if draw[5] < 0.96 else 1,
        funding_sigma=float((0.00004 if rank < 30 else 0.00009) * (1.0 + 6.0 * draw[6] ** 8)),
        key=key,
        price_key=noise.key_of(seed, "price", base),
    )


def made_up(seed: int, number: int) -> tuple[str, float]:
    """Return a name and a price for a coin past the known ones."""
    key = noise.key_of(seed, "name", number)
    picks = (noise.uniform(key, np.arange(3)) * len(names.SYLLABLES)).astype(int)
    price = 10.0 ** (float(noise.uniform(key, 9)) * 4.5 - 3.0)
    return "".join(names.SYLLABLES[p] for p in picks[: 2 + number % 2]) + ("" if number % 3 else str(number % 7)), price


def _coins(seed: int, count: int) -> list[tuple[str, float]]:
    coins = list(names.CRYPTO[:count])
    taken = {name for name, _ in names.CRYPTO}
    number = 0
    while len(coins) < count:
        name, price = made_up(seed, number)
        number += 1
        if name not in taken:
            taken.add(name)
            coins.append((name, price))
    if count < 35:
        coins[-1] = names.CRYPTO[34]
    return coins


def _tradfi(seed: int, number: int, onboard_ms: int) -> Spec:
    name, price, underlying = names.TRADFI[number % len(names.TRADFI)]
    lap = number // len(names.TRADFI)
    spec = make(seed, name if lap == 0 else f"{name}{lap}", price, 40 + number * 6, onboard_ms=onboard_ms)
    return replace(
        spec, contract="TRADIFI_PERPETUAL", underlying=underlying, beta=spec.beta * 0.15, sigma=0.0003, funding_h=8
    )


def _delivery(seed: int, base: Spec, code: str, delivery_ms: int, contract: Contract) -> Spec:
    symbol = f"{base.pair}_{code}"
    return replace(
        base,
        symbol=symbol,
        contract=contract,
        delivery_ms=delivery_ms,
        oi_usd=base.oi_usd * 0.02,
        minute_volume_usd=base.minute_volume_usd * 0.01,
        key=noise.key_of(seed, symbol),
    )


_DELIVERIES: tuple[tuple[str, int, Contract], ...] = (
    ("261225", 1_798_185_600_000, "CURRENT_QUARTER"),
    ("270326", 1_806_048_000_000, "NEXT_QUARTER"),
)


def build(seed: int, count: int, start_ms: int) -> tuple[list[Spec], dict[int, str]]:
    """Return the contracts and the rows whose status is not TRADING at the start (one, frozen, SETTLING).

    Raises:
        ValueError: the count is outside 8..950.
    """
    if not MIN_INSTRUMENTS <= count <= MAX_INSTRUMENTS:
        raise ValueError(f"expected {MIN_INSTRUMENTS} to {MAX_INSTRUMENTS} instruments, got {count}")
    n_usdc = min(max(1, count // 40), len(names.USDC))
    n_tradfi = max(1, count // 17) if count < 400 else count // 7
    n_crypto = count - n_usdc - n_tradfi - len(_DELIVERIES) - 1
    old_ms = (start_ms // DAY_MS - 400) * DAY_MS
    coins = _coins(seed, n_crypto)
    specs = [
        make(seed, name, price, rank, onboard_ms=old_ms - rank * DAY_MS) for rank, (name, price) in enumerate(coins)
    ]
    prices = dict(names.CRYPTO)
    for number, base in enumerate(names.USDC[:n_usdc]):
        twin = make(seed, base, prices[base], 60 + 8 * number, onboard_ms=old_ms, quote="USDC")
        specs.append(twin)
    specs += [_tradfi(seed, number, old_ms) for number in range(n_tradfi)]
    specs += [_delivery(seed, specs[0], code, at_ms, contract) for code, at_ms, contract in _DELIVERIES]
    specs.append(
        replace(make(seed, "FTM", 0.71, 300, onboard_ms=old_ms), delivery_ms=(start_ms // DAY_MS - 2) * DAY_MS)
    )
    return specs, {len(specs) - 1: "SETTLING"}
