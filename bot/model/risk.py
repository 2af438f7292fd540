"""Where a stop could stand, what size follows, what holding costs. Pure arithmetic over what is known now.

The distance starts at `BASE_ATR` usual ranges of the window and is moved by reasons that are each named: open interest,
funding, and the prices at which positions were liquidated lately. All prices are mark prices in quote units, sizes are
in base units, ratios are fractions. Anything that would make the answer a guess is refused with a sentence.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Final, Literal

from bot.model import numbers
from bot.model.instrument import Instrument
from bot.texts import say

Side = Literal["long", "short"]

BASE_ATR: Final = 1.5
MAX_PRICE_AGE_MS: Final = 60_000
MAX_OI_AGE_MS: Final = 300_000
MUCH_OI: Final = 0.03
"""A change of open interest over the window from which it counts."""
MUCH_FUNDING: Final = 0.0005
"""Per eight hours; from here one side pays a lot."""
MAX_REACH: Final = 1.5
"""A stop is moved behind the liquidations only if that takes it no further than this many times."""
BEHIND_ATR: Final = 0.1
"""How far behind the outermost liquidation, in usual ranges."""
LONG_WINDOW_MS: Final = 4 * 3_600_000
"""A usual range takes five windows, and of a day of prices there are no five longer ones."""
MIN_DISTANCE_TICKS: Final = 3
FEE_ROOM: Final = 0.001
"""Of the entry: a stop nearer than costs and spread is none."""


@dataclass(frozen=True, slots=True)
class RiskSettings:
    """What one person may lose. `leverage` caps the size and places the liquidation price."""

    equity: float
    """In quote units."""
    risk_ratio: float = 0.01
    """Of the equity, lost when the stop is touched."""
    leverage: float = 5.0


@dataclass(frozen=True, slots=True)
class RiskFigures:
    """What is known of the instrument. None means unknown."""

    price: float | None
    price_age_ms: int | None
    atr: float | None
    """Usual range of one window, in quote units."""
    window_ms: int
    oi_change: float | None = None
    """Over the window."""
    oi_age_ms: int | None = None
    funding: float | None = None
    """Per interval; above zero longs pay."""
    funding_interval_h: float = 8.0
    liquidated_low: float | None = None
    """Lowest and highest price at which much was liquidated lately."""
    liquidated_high: float | None = None
    maintenance_ratio: float = 0.01
    """Of the notional, kept by the venue; its lowest bracket where it does not say."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why there is no answer, in words for people."""

    text: str


@dataclass(frozen=True, slots=True)
class StopIdea:
    """One answer."""

    side: Side
    entry: float
    stop: float
    """Rounded to the tick, away from the entry."""
    distance: float
    """From entry to stop, in quote units; above zero."""
    distance_ratio: float
    n_atr: float
    """The distance in usual ranges of the window."""
    reasons: tuple[str, ...]
    """What moved the distance, in words."""
    size: float | None = None
    """Rounded down to the step; None without settings or where none fits."""
    notional: float | None = None
    at_risk: float | None = None
    """What is lost from entry to stop, without fees, in quote units."""
    multiple: float | None = None
    """Notional over equity."""
    capped_by: str = ""
    """What made the size smaller than the risk alone would."""
    why_no_size: str = ""
    cost_per_day: float | None = None
    """Paid (above zero) or earned for holding at the present funding, in quote units."""
    liquidation: float | None = None
    """Where the venue would close it at the leverage, about."""


def stop_idea(
    instrument: Instrument,
    figures: RiskFigures,
    side: Side,
    *,
    entry: float | None = None,
    settings: RiskSettings | None = None,
) -> StopIdea | Refused:
    """Compute it.

    Args:
        instrument: Gives tick, step and smallest notional.
        figures: What is known now.
        side: The direction of the position.
        entry: Price of the entry; None for the price now.
        settings: Whose; None gives a distance without a size.
    """
    refused = _refused(instrument, figures, entry, settings)
    if refused is not None:
        return refused
    assert figures.price is not None
    assert figures.atr is not None
    at = figures.price if entry is None else entry
    sign = 1 if side == "long" else -1
    reasons = list(_reasons(figures, side))
    distance = BASE_ATR * figures.atr * math.prod(factor for factor, _ in reasons)
    moved = _behind_liquidations(at, distance, figures, side)
    said = [text for _, text in reasons]
    if moved is not None:
        distance, text = moved
        said.append(text)
    stop = round_price(at - sign * distance, instrument.tick_size, up=side == "short")
    distance = sign * (at - stop)
    least = max(MIN_DISTANCE_TICKS * instrument.tick_size, FEE_ROOM * at)
    if distance < least:
        usual = numbers.percent(figures.atr / at, digits=3)
        return Refused(
            say(
                "The usual range of {window} is only {usual}: too near for a stop.",
                window=numbers.window(figures.window_ms),
                usual=usual,
            )
        )
    if stop <= 0:
        return Refused(say("The usual range is larger than the price itself; no stop makes sense here."))
    idea = StopIdea(side, at, stop, distance, distance / at, distance / figures.atr, tuple(said))
    return idea if settings is None else _sized(idea, instrument, figures, settings)


def _refused(
    instrument: Instrument, figures: RiskFigures, entry: float | None, settings: RiskSettings | None
) -> Refused | None:
    if not instrument.is_trading:
        return Refused(
            say(
                "{symbol} does not trade now ({status}).",
                symbol=instrument.symbol,
                status=instrument.status.lower() or say("unknown"),
            )
        )
    if figures.price is None or figures.price_age_ms is None:
        return Refused(say("The price is not known yet. Try again in a minute."))
    if figures.price_age_ms > MAX_PRICE_AGE_MS:
        return Refused(
            say(
                "The price is {duration} old. I give no stop on old prices.",
                duration=numbers.duration(figures.price_age_ms),
            )
        )
    if figures.atr is None:
        window, longest = numbers.window(figures.window_ms), numbers.window(LONG_WINDOW_MS)
        if figures.window_ms > LONG_WINDOW_MS:
            return Refused(
                say(
                    "I hold prices of about a day, too few for the usual range of {window}. Up to {longest} it is known.",
                    window=window,
                    longest=longest,
                )
            )
        return Refused(
            say("I do not know the usual range of {window} yet. Try a shorter window, or later.", window=window)
        )
    if figures.atr <= 0:
        return Refused(say("The price did not move at all lately, so I cannot say how far a stop should be."))
    if entry is not None and not (math.isfinite(entry) and entry > 0):
        return Refused(say("I expected an entry price above zero."))
    if entry is not None and not figures.price / 2 <= entry <= figures.price * 2:
        return Refused(
            say("The entry is far from the price, {price}. Is it the right symbol?", price=numbers.price(figures.price))
        )
    if settings is not None and not (settings.equity > 0 and 0 < settings.risk_ratio <= 1 and settings.leverage >= 1):
        return Refused(say("Equity and risk must be above zero, and leverage at least 1."))
    return None


def _reasons(figures: RiskFigures, side: Side) -> Iterator[tuple[float, str]]:
    """Factors on the distance, each with its sentence."""
    oi, window = figures.oi_change, numbers.window(figures.window_ms)
    if oi is not None and figures.oi_age_ms is not None and figures.oi_age_ms <= MAX_OI_AGE_MS:
        if oi >= MUCH_OI:
            factor = min(1.3, 1 + 2 * oi)
            yield (
                factor,
                say(
                    "wider by {share}: open interest rose {size} in {window}, swings tend to be larger",
                    share=_by(factor),
                    size=_size(oi),
                    window=window,
                ),
            )
        elif oi <= -MUCH_OI:
            factor = max(0.85, 1 + oi)
            yield (
                factor,
                say(
                    "tighter by {share}: open interest fell {size} in {window}, the move loses fuel",
                    share=_by(factor),
                    size=_size(oi),
                    window=window,
                ),
            )
    if figures.funding is None or figures.funding_interval_h <= 0:
        return
    per_8h = figures.funding * 8 / figures.funding_interval_h
    payers = "longs" if per_8h > 0 else "shorts"
    if abs(per_8h) >= MUCH_FUNDING:
        pays = f"{abs(per_8h):.2%}"
        if payers == f"{side}s":
            yield (
                1.1,
                say("wider by 10%: longs pay {rate} per 8h, a crowded side is shaken out more often", rate=pays)
                if per_8h > 0
                else say("wider by 10%: shorts pay {rate} per 8h, a crowded side is shaken out more often", rate=pays),
            )
        else:
            yield (
                0.95,
                say("tighter by 5%: longs pay {rate} per 8h, the crowd is on the other side", rate=pays)
                if per_8h > 0
                else say("tighter by 5%: shorts pay {rate} per 8h, the crowd is on the other side", rate=pays),
            )


def _by(factor: float) -> str:
    return f"{abs(factor - 1):.0%}"


def _size(change: float) -> str:
    return f"{abs(change):.1%}"


def _behind_liquidations(at: float, distance: float, figures: RiskFigures, side: Side) -> tuple[float, str] | None:
    """A stop inside the range of the last liquidations stands where everybody else's stood."""
    low, high, atr = figures.liquidated_low, figures.liquidated_high, figures.atr
    if low is None or high is None or atr is None:
        return None
    sign = 1 if side == "long" else -1
    edge = low if side == "long" else high
    stop = at - sign * distance
    if not low <= stop <= high:
        return None
    needed = sign * (at - edge) + BEHIND_ATR * atr
    if not distance < needed <= MAX_REACH * distance:
        return None
    level = numbers.price(edge)
    if side == "long":
        return needed, say("moved below {price}, where positions were liquidated lately", price=level)
    return needed, say("moved above {price}, where positions were liquidated lately", price=level)


def _sized(idea: StopIdea, instrument: Instrument, figures: RiskFigures, settings: RiskSettings) -> StopIdea | Refused:
    liquidation = _liquidation(idea, figures, settings)
    sign = 1 if idea.side == "long" else -1
    if sign * (idea.stop - liquidation) <= 0:
        return Refused(
            say(
                "At {leverage:g}x the position would be liquidated near {price}, before the stop at {stop}. Use less leverage: /risk leverage {less}.",
                leverage=settings.leverage,
                price=numbers.price(liquidation),
                stop=numbers.price(idea.stop),
                less=_sane(idea, figures),
            )
        )
    wanted = settings.equity * settings.risk_ratio / idea.distance
    most = settings.equity * settings.leverage / idea.entry
    capped = "" if wanted <= most else say("your leverage limit of {leverage:g}x", leverage=settings.leverage)
    size = _floor(min(wanted, most), instrument.step_size)
    notional = size * idea.entry
    idea = replace(idea, liquidation=liquidation, capped_by=capped)
    if size <= 0 or notional < instrument.min_notional:
        least = max(instrument.min_notional, instrument.step_size * idea.entry)
        text = say("the smallest order is {amount}, more than this risk allows", amount=numbers.usd(least))
        return replace(idea, why_no_size=text)
    return replace(
        idea,
        size=size,
        notional=notional,
        at_risk=size * idea.distance,
        multiple=notional / settings.equity,
        cost_per_day=_cost_per_day(notional, figures, idea.side),
    )


def _liquidation(idea: StopIdea, figures: RiskFigures, settings: RiskSettings) -> float:
    """About where an isolated position at the full leverage is closed by the venue: where what is left of its margin is the
    maintenance of what it is worth there.
    """
    sign = 1 if idea.side == "long" else -1
    closed = idea.entry * (1 - sign / settings.leverage) / (1 - sign * figures.maintenance_ratio)
    return min(idea.entry, closed) if idea.side == "long" else max(idea.entry, closed)


def _sane(idea: StopIdea, figures: RiskFigures) -> str:
    return f"{max(1, math.floor(1 / (idea.distance_ratio * 1.1 + figures.maintenance_ratio)))}"


def _cost_per_day(notional: float, figures: RiskFigures, side: Side) -> float | None:
    if figures.funding is None or figures.funding_interval_h <= 0:
        return None
    per_day = figures.funding * 24 / figures.funding_interval_h
    return notional * per_day if side == "long" else -notional * per_day


def _floor(value: float, step: float) -> float:
    if step <= 0:
        return value
    unit = Decimal(repr(step))
    return float((Decimal(repr(value)) / unit).to_integral_value(ROUND_FLOOR) * unit)


def round_price(value: float, tick: float, *, up: bool | None = None) -> float:
    """To the tick; `up` True or False says in which direction, None the nearest."""
    if tick <= 0:
        return value
    unit = Decimal(repr(tick))
    mode = ROUND_HALF_EVEN if up is None else ROUND_CEILING if up else ROUND_FLOOR
    return float((Decimal(repr(value)) / unit).to_integral_value(mode) * unit)


@dataclass(frozen=True, slots=True)
class Trail:
    """A stop that follows the market, never away from the position's favour."""

    side: Side
    stop: float
    told: float
    """The level that was told last."""
    distance: float
    """Kept from the best price."""
    best: float
    """Best mark price since it began."""
    is_touched: bool = False

    def at(self, price: float, *, tick: float, step_ratio: float) -> tuple["Trail", Literal["", "moved", "touched"]]:
        """Take one price; say whether to tell. `step_ratio`: of the distance, how far it moves before it is told."""
        if self.is_touched:
            return self, ""
        sign = 1 if self.side == "long" else -1
        if sign * (price - self.stop) <= 0:
            return replace(self, is_touched=True), "touched"
        best = max(self.best, price) if sign > 0 else min(self.best, price)
        stop = round_price(best - sign * self.distance, tick, up=self.side == "short")
        stop = max(stop, self.stop) if sign > 0 else min(stop, self.stop)
        is_news = sign * (stop - self.told) >= step_ratio * self.distance
        return replace(self, best=best, stop=stop, told=stop if is_news else self.told), "moved" if is_news else ""
