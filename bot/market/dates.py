"""Samples that are dated ahead of the venue's time.

Windows are written up to the newest sample: a single one from tomorrow would empty them until tomorrow. Pushes of prices are
judged by the venue's time itself, as they tell it; all else is judged here.
"""

from collections import deque
from dataclasses import replace
from typing import Final

from bot.model.updates import I64, Bars, History, Liquidations, Mask, OpenInterest, Tickers

KEPT_MS: Final = 30_000.0
"""Three pushes come sooner, also where their connection has to be made anew."""
MAX_KEPT: Final = 2_000
"""A bar of each contract and more; the oldest are given up first."""

Dated = Tickers | Bars | Liquidations | History


def _dates(update: Dated) -> I64:
    match update:
        case Bars(close_ms=dates) | History(time_ms=dates):
            return dates
        case Tickers(event_ms=dates) | Liquidations(event_ms=dates):
            return dates


def _only(update: Dated, keep: Mask) -> Dated:
    dates = _dates(update)[keep]
    match update:
        case Tickers():
            return replace(update, rows=update.rows[keep], volume_24h=update.volume_24h[keep], event_ms=dates)
        case History():
            return replace(update, time_ms=dates, value=update.value[keep])
        case Liquidations():
            rows, usd = update.rows[keep], update.usd[keep]
            return replace(update, rows=rows, event_ms=dates, usd=usd, is_long=update.is_long[keep])
        case Bars():
            rows, volume, taker_buy = update.rows[keep], update.volume[keep], update.taker_buy[keep]
            return replace(update, rows=rows, close_ms=dates, volume=volume, taker_buy=taker_buy)


class Ahead:
    """Where what is dated ahead waits until pushes say who is right. After a machine stood still that is its clock, not the date."""

    def __init__(self) -> None:
        self._kept: deque[tuple[float, Dated | OpenInterest]] = deque(maxlen=MAX_KEPT)
        self.n_held_out = 0
        """Samples; one that is judged again, and held out again, counts again."""

    def hold_out(self, update: Dated, latest_ms: int, now_ms: float) -> Dated:
        """The update without what is dated later; itself where nothing is. `now_ms` is monotonic."""
        dates = _dates(update)
        if not len(dates) or int(dates.max()) <= latest_ms:
            return update
        late = dates > latest_ms
        self._keep(_only(update, late), int(late.sum()), now_ms)
        return _only(update, ~late)

    def hold(self, sample: OpenInterest, now_ms: float) -> None:
        """Keep one sample whose place in time is not known yet."""
        self._keep(sample, 1, now_ms)

    def _keep(self, update: Dated | OpenInterest, n: int, now_ms: float) -> None:
        while self._kept and now_ms - self._kept[0][0] > KEPT_MS:
            self._kept.popleft()
        self.n_held_out += n
        self._kept.append((now_ms, update))

    def taken(self, now_ms: float) -> list[Dated | OpenInterest]:
        """What was held out lately, in order, to be judged once more; it is kept no longer."""
        found = [update for since_ms, update in self._kept if now_ms - since_ms <= KEPT_MS]
        self._kept.clear()
        return found
