"""What a series and its windows looked at as of a tick, and why they gave no answer.

Reads the market and changes nothing. Right after a tick, before anything else is consumed, what it says of samples is
what the tick saw.
"""

import math
from typing import Final

import numpy as np

from bot.market.gauges import NEVER_MS
from bot.market.market import Market
from bot.market.quantiles import THEN_SHARE
from bot.market.series import DAY_MS, ENDS, FLOWS, INDEX, MINUTE_MS, PARTS, Leaf
from bot.market.sums import KNOWN_SHARE
from bot.market.tier import Tier
from bot.market.trends import MIN_POINTS
from bot.market.view import View
from bot.model.explanation import SampleSeen, WindowSeen
from bot.model.numbers import clock_time, duration, window
from bot.model.updates import F64
from bot.texts import mark, say

NAMES: Final = {
    "price": mark("the price"),
    "index": mark("the index"),
    "basis": mark("the basis"),
    "funding": mark("the funding rate"),
    "funding_8h": mark("the funding rate"),
    "oi": mark("open interest"),
    "oi_usd": mark("open interest in dollars"),
    "volume_24h": mark("the 24-hour volume"),
    "taker_buy": mark("the takers' share of the volume"),
    "long_short": mark("the long/short ratio"),
    "volume": mark("the volume"),
    "liq_long": mark("the liquidation stream"),
    "liq_short": mark("the liquidation stream"),
}
_WITH_PRICE: Final = {
    "index": mark("index"),
    "basis": "index",
    "funding": mark("funding rate"),
    "funding_8h": mark("funding rate"),
}
"""What comes in one message with the price, where the venue has it."""


def share_text(share: float) -> str:
    """Whole percent, cut: 79.9 % that do not suffice are not shown as 80."""
    return f"{int(share * 100)} %"


def _bare(series: str) -> str:
    return say(NAMES[series]).removeprefix("the ")


class Lookback:
    """Answers for one market as of its last tick."""

    def __init__(self, market: Market, view: View) -> None:
        """`view` has one moment."""
        self._market = market
        self._view = view
        self._now_ms = int(view.now_ms[0])

    # -- samples -------------------------------------------------------------------------------------------------

    def newest(self, series: str, row: int) -> tuple[SampleSeen, ...]:
        """The newest sample of each series that one is made of."""
        return tuple(self._newest(part, row) for part in PARTS.get(series, (series,)))

    def _newest(self, series: str, row: int) -> SampleSeen:
        age_ms = int(self._view.age(series)[0, row])
        value = _number(self._view.value(series)[0, row])
        if series in {"liq_long", "liq_short"}:
            return SampleSeen(series, self._now_ms, self._now_ms - age_ms, age_ms, value)
        seen_ms = int(self._view.sample_ms(series)[0, row])
        if seen_ms <= NEVER_MS:
            return SampleSeen(series, self._now_ms, None, None, None)
        return SampleSeen(series, self._now_ms, seen_ms, age_ms, value)

    def _at(self, tier: Tier, series: str, number: int, row: int) -> SampleSeen:
        """The sample that spoke at a grid point."""
        point_ms = number * tier.step_ms
        if series not in tier.names:
            return SampleSeen(series, point_ms, None, None, None)
        values, ages = tier.ends(INDEX[series], np.array([number]))
        age_ms = int(ages[0, row])
        if age_ms > tier.max_age_ms:
            return SampleSeen(series, point_ms, None, None, None)
        return SampleSeen(series, point_ms, point_ms - age_ms, age_ms, _number(values[0, row]))

    # -- windows -------------------------------------------------------------------------------------------------

    def window(self, leaf: Leaf, row: int) -> WindowSeen | None:
        """What a function over a window looked at; None for a bare series, and for a window without any point."""
        if leaf.series in FLOWS:
            return self._flow_window(leaf, row)
        if not leaf.window_ms:
            return None
        if leaf.function in ENDS:
            tier = self._market.ends_tier(leaf.window_ms)
            number = self._now_ms // tier.step_ms - leaf.window_ms // tier.step_ms
            then = tuple(self._at(tier, part, number, row) for part in PARTS[leaf.series])
            return WindowSeen(number * tier.step_ms, self._now_ms, (*then, *self.newest(leaf.series, row)))
        tier = self._market.tier_of(leaf)
        n = leaf.window_ms // tier.step_ms
        points = self._view.points(leaf, row)
        if points is None:
            return None
        known = np.isfinite(points)
        first = self._now_ms // tier.step_ms - n + 1
        oldest: tuple[SampleSeen, ...] = ()
        if known[:-1].any():
            number = first + int(np.argmax(known))
            oldest = tuple(self._at(tier, part, number, row) for s in _series_of(leaf) for part in PARTS[s])
        newest = tuple(sample for s in _series_of(leaf) for sample in self.newest(s, row))
        return WindowSeen(
            first * tier.step_ms, self._now_ms, (*oldest, *newest), self._known_share(leaf, points, row), KNOWN_SHARE
        )

    def _known_share(self, leaf: Leaf, points: F64, row: int) -> float:
        known = np.isfinite(points)
        if leaf.function != "corr":
            return float(known.mean())
        other = self._view.points(Leaf("corr", leaf.other, leaf.window_ms, other=leaf.series), row)
        if other is None or len(points) < 2:
            return 0.0
        sound = known & np.isfinite(other)
        nonzero = (points[:-1] != 0) & (other[:-1] != 0)
        return float((sound[1:] & sound[:-1] & nonzero).mean())

    def _flow_window(self, leaf: Leaf, row: int) -> WindowSeen | None:
        length_ms = leaf.window_ms or (0 if leaf.series == "volume" else MINUTE_MS)
        if not length_ms:
            return None
        share, needed = self._flow_share(leaf.series, length_ms, row)
        begin_ms = self._now_ms - length_ms
        return WindowSeen(begin_ms, self._now_ms, self.newest(leaf.series, row), share, needed)

    def _flow_share(self, series: str, length_ms: int, row: int) -> tuple[float, float]:
        """How much of the time is known, and how much has to be."""
        if series == "volume":
            return float(self._market.volume.known_share(length_ms, self._now_ms)[row]), KNOWN_SHARE
        alive_ms = self._now_ms - int(self._market.liquidations_since_ms()[row])
        return min(max(alive_ms / length_ms, 0.0), 1.0), 1.0

    # -- reasons -------------------------------------------------------------------------------------------------

    def why(self, leaf: Leaf, row: int) -> str:
        """Why a leaf is unknown, in words."""
        if leaf.series in FLOWS:
            return self._why_flow(leaf, row)
        for series in _series_of(leaf):
            missing = self.why_now(series, row)
            if missing:
                return missing
        if leaf.function in ENDS:
            return self._why_then(leaf.series, leaf.window_ms, row)
        return self._why_points(leaf, row) if leaf.window_ms else ""

    def why_now(self, series: str, row: int) -> str:
        """Why a series has no value now; empty where it has one."""
        for part in PARTS.get(series, (series,)):
            sample = self._newest(part, row)
            if sample.value is not None:
                continue
            if sample.age_ms is None:
                return self._why_never(part, row)
            valid_ms = int(self._market.gauges.expiry_ms[INDEX[part], row]) - int(sample.sample_ms or 0)
            return say(
                "{series} is {age} old, valid for {validity}",
                series=say(NAMES[part]),
                age=duration(sample.age_ms),
                validity=duration(valid_ms),
            )
        return ""

    def _why_never(self, series: str, row: int) -> str:
        price = self._newest("price", row)
        if series in _WITH_PRICE and price.age_ms is not None:
            return say("the venue gives no {series} for it", series=say(_WITH_PRICE[series]))
        waited_ms = self._now_ms - int(self._market.subscribed_ms[row])
        return say(
            "no {series} has come yet, {duration} after it was first watched",
            series=_bare(series),
            duration=duration(waited_ms),
        )

    def _why_then(self, series: str, window_ms: int, row: int) -> str:
        tier = self._market.ends_tier(window_ms)
        if window_ms < tier.step_ms:
            return _too_short(window_ms, tier)
        number = self._now_ms // tier.step_ms - window_ms // tier.step_ms
        begin = say("its begin, {time}", time=clock_time(number * tier.step_ms, seconds=True))
        for part in PARTS[series]:
            sample = self._at(tier, part, number, row)
            if sample.age_ms is None:
                return say("the window is filling: no {series} is known at {begin}", series=_bare(part), begin=begin)
            if sample.age_ms * THEN_SHARE > window_ms:
                oldest = duration(window_ms / THEN_SHARE)
                return say(
                    "{series} was {age} old at {begin}; at most {oldest} counts",
                    series=say(NAMES[part]),
                    age=duration(sample.age_ms),
                    begin=begin,
                    oldest=oldest,
                )
            if sample.value is None:
                return say(
                    "{series} was {age} old at {begin}, and no longer valid",
                    series=say(NAMES[part]),
                    age=duration(sample.age_ms),
                    begin=begin,
                )
        return say(
            "{series} was 0 at {begin}, and of nothing no percentage can be taken",
            series=say(NAMES[series]),
            begin=begin,
        )

    def _why_points(self, leaf: Leaf, row: int) -> str:
        tier = self._market.tier_of(leaf)
        points = self._view.points(leaf, row)
        if points is None:
            return (
                _too_short(leaf.window_ms, tier)
                if leaf.window_ms < tier.step_ms
                else say("it is not kept that far back")
            )
        if leaf.inner_ms and math.isnan(points[-1]):
            return self._why_then(leaf.series, leaf.inner_ms, row)
        known = np.isfinite(points)
        share = self._known_share(leaf, points, row)
        if share < KNOWN_SHARE:
            first = int(np.argmax(known))
            how = say("is filling") if known[first:].all() and leaf.function != "corr" else say("has gaps")
            what = say("changes") if leaf.function == "corr" else say("points")
            needed = share_text(KNOWN_SHARE)
            return say(
                "the window {how}: {share} of its {things} are known, {needed} needed",
                how=how,
                share=share_text(share),
                things=what,
                needed=needed,
            )
        match leaf.function:
            case "zscore" | "corr":
                return say("the series is flat: it has no deviation to compare with")
            case "percentile":
                return say("no past point of the window is known")
            case "slope" if int(known.sum()) < MIN_POINTS:
                return say(
                    "{n} points of the window are known, {n_needed} needed",
                    n=int(known.sum()),
                    n_needed=MIN_POINTS,
                )
            case "slope":
                return say("its mean is 0, and of nothing no share can be taken")
        return say("the result is no finite number")

    def _why_flow(self, leaf: Leaf, row: int) -> str:
        lengths = [leaf.window_ms] if leaf.window_ms else []
        if leaf.function == "ratio":
            lengths.append(DAY_MS)
        if leaf.series != "volume":
            return self._why_liquidations(leaf, lengths or [MINUTE_MS], row)
        sample = self._newest("volume", row)
        if sample.age_ms is None:
            return say(
                "no bar has come yet, {duration} after a start",
                duration=duration(self._now_ms - int(self._market.subscribed_ms[row])),
            )
        for length_ms in lengths:
            share, needed = self._flow_share("volume", length_ms, row)
            if share < needed:
                return say(
                    "the window is filling: bars cover {share} of {window}, {needed} needed",
                    share=share_text(share),
                    window=window(length_ms),
                    needed=share_text(needed),
                )
        if lengths:
            return say("nothing was traded in the 24 hours that it is compared with")
        valid_ms = int(self._market.volume.expiry_ms[row]) - int(sample.sample_ms or 0)
        return say(
            "the newest bar is {age} old, valid for {validity}",
            age=duration(sample.age_ms),
            validity=duration(valid_ms),
        )

    def _why_liquidations(self, leaf: Leaf, lengths: list[int], row: int) -> str:
        since_ms = int(self._market.liquidations_since_ms()[row])
        if since_ms > self._now_ms:
            log = self._market.liquidations
            lost = any(lost_ms is not None for lost_ms in log.lost_ms.values())
            age = duration(self._newest(leaf.series, row).age_ms)
            return (
                say("the liquidation stream is lost, for {age}", age=age)
                if lost
                else say("the liquidation stream is not alive")
            )
        alive_ms = self._now_ms - since_ms
        for length_ms in lengths:
            if alive_ms < length_ms:
                return say(
                    "the liquidation stream has been alive for {duration} only, {window} needed",
                    duration=duration(alive_ms),
                    window=window(length_ms),
                )
        return say("nothing was liquidated in the 24 hours that it is compared with")


def _series_of(leaf: Leaf) -> tuple[str, ...]:
    return (leaf.series, leaf.other) if leaf.other else (leaf.series,)


def _too_short(window_ms: int, tier: Tier) -> str:
    return say(
        "a window of {window} is shorter than the step of this run, {step}",
        window=window(window_ms),
        step=window(tier.step_ms),
    )


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
