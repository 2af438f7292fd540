"""The figures of messages, read for all alerts of a tick at once.

A storm tells a thousand alerts at one tick. So everything is computed once per tick, for all instruments or for those
that are told, and an alert only picks its own.
"""

from collections.abc import Iterable
from dataclasses import replace
from math import isfinite
from typing import Final

import numpy as np
import numpy.typing as npt

from bot.market.market import Market
from bot.market.ranges import usual_ranges
from bot.market.series import DAY_MS, HOUR_MS, MINUTE_MS, Leaf
from bot.market.unusual import smaller_share
from bot.market.view import View
from bot.model.updates import F64
from bot.model.view import Breadth, Member, Move, Shown
from bot.rules.numbers import Mask

OTHER_WINDOWS_MS: Final = (HOUR_MS, DAY_MS)
"""Besides the window of the rule."""
MIN_KNOWN: Final = 5
MAX_MEMBERS: Final = 10

Column = list[float | None]
"""One number per instrument; None is unknown."""


def number(value: float) -> float | None:
    """A finite number, or None."""
    return float(value) if isfinite(value) else None


def move(view: View, series: str, window_ms: int, t: int, row: int) -> Move:
    """The change of a series over a window at one tick, for one instrument alone."""
    change, then = view.change(series, window_ms)
    return Move(window_ms, number(change[t, row]), number(then[t, row]), number(view.value(series)[t, row]))


def column(values: F64) -> Column:
    known: Column = np.where(np.isfinite(values), values, 0.0).tolist()
    for row in np.flatnonzero(~np.isfinite(values)).tolist():
        known[row] = None
    return known


class _Now:
    """The newest values of all instruments at one tick."""

    def __init__(self, market: Market, view: View, t: int) -> None:
        self.price, self.oi, self.oi_usd, self.funding, self.volume_24h = (
            column(view.value(name)[t]) for name in ("price", "oi", "oi_usd", "funding", "volume_24h")
        )
        self.price_age, self.oi_age = (view.age(name)[t].astype(np.int64).tolist() for name in ("price", "oi"))
        self.interval_h: list[float] = market.funding_interval_h.tolist()
        self.next_funding_ms: list[int] = market.next_funding_ms.tolist()


class _Ends:
    """The change of a series over a window, and where it began, of all instruments at one tick."""

    def __init__(self, view: View, series: str, window_ms: int, t: int, now: Column) -> None:
        change, then = view.change(series, window_ms)
        self._window_ms = window_ms
        self.change, self._then, self._now = column(change[t]), column(then[t]), now

    def move(self, row: int) -> Move:
        return Move(self._window_ms, self.change[row], self._then[row], self._now[row])


class _Fold:
    """What is folded away, of all instruments at one tick."""

    def __init__(self, market: Market, view: View, window_ms: int, t: int, rows: "npt.NDArray[np.intp]") -> None:
        self.place, self.n_ranked = _places(view.value("oi_usd")[t], market.is_trading)
        self.change_place, self.n_changes = _places(view.change("oi", window_ms)[0][t], market.is_trading)
        self.volume_ratio: Column = [None] * market.n_rows
        # A rule has to look at volume over a day for its bars to be held.
        if market.needs.flow_ms("volume") >= DAY_MS and MINUTE_MS <= window_ms < DAY_MS:
            self.volume_ratio = column(view.leaf(Leaf("ratio", "volume", window_ms))[t])
        self.oi_unusual, self.price_unusual = (
            _unusual(market, view, series, window_ms, t, rows) for series in ("oi", "price")
        )
        self.usual_range = _usual_range(market, view, window_ms, t, rows)


def _places(values: F64, trading: Mask) -> tuple[list[int], int]:
    """Place of each instrument, the largest first, 0 for unknown ones; and how many have one."""
    known = np.flatnonzero(np.isfinite(values) & trading)
    order = known[np.lexsort((known, -values[known]))]
    place = np.zeros(len(values), dtype=np.int64)
    place[order] = np.arange(1, len(order) + 1)
    return place.tolist(), len(order)


def _unusual(market: Market, view: View, series: str, window_ms: int, t: int, rows: "npt.NDArray[np.intp]") -> Column:
    shares = np.full(market.n_rows, np.nan)
    change = view.change(series, window_ms)[0][t, rows]
    shares[rows] = smaller_share(market, series, window_ms, int(view.now_ms[t]), rows, change)
    return column(shares)


def _usual_range(market: Market, view: View, window_ms: int, t: int, rows: "npt.NDArray[np.intp]") -> Column:
    shares = np.full(market.n_rows, np.nan)
    price = view.value("price")[t, rows]
    shares[rows] = usual_ranges(market, window_ms, int(view.now_ms[t]), rows, price) / price
    return column(shares)


class Figures:
    """All figures of one block of ticks."""

    def __init__(self, market: Market, view: View, told: Iterable[tuple[int, int]] = ()) -> None:
        """`told`: place of the tick, and row, of the alerts of which the whole story will be asked."""
        self.view = view
        self._market = market
        rows: dict[int, set[int]] = {}
        for t, row in told:
            rows.setdefault(t, set()).add(row)
        self._told = {t: np.array(sorted(found), dtype=np.intp) for t, found in rows.items()}
        self._now: dict[int, _Now] = {}
        self._ends: dict[tuple[str, int, int], _Ends] = {}
        self._folds: dict[tuple[int, int], _Fold] = {}

    # -- one alert -----------------------------------------------------------------------------------------------

    def _now_at(self, t: int) -> _Now:
        found = self._now.get(t)
        if found is None:
            found = self._now[t] = _Now(self._market, self.view, t)
        return found

    def _ends_of(self, series: str, window_ms: int, t: int) -> _Ends:
        found = self._ends.get((series, window_ms, t))
        if found is None:
            now = self._now_at(t)
            newest = now.price if series == "price" else now.oi
            found = self._ends[series, window_ms, t] = _Ends(self.view, series, window_ms, t, newest)
        return found

    def _fold(self, window_ms: int, t: int) -> _Fold:
        found = self._folds.get((window_ms, t))
        if found is None:
            rows = self._told.get(t, np.zeros(0, dtype=np.intp))
            found = self._folds[window_ms, t] = _Fold(self._market, self.view, window_ms, t, rows)
        return found

    def _moves(self, series: str, but_ms: int, t: int, row: int) -> tuple[Move, ...]:
        ends = [self._ends_of(series, w, t) for w in OTHER_WINDOWS_MS if w != but_ms]
        return tuple([e.move(row) for e in ends if e.change[row] is not None])

    def shown(self, window_ms: int, t: int, row: int, *, whole: bool) -> Shown:
        """Figures of one instrument at one tick; `whole`: with what a firing folds away."""
        now = self._now_at(t)
        oi = self._ends_of("oi", window_ms, t).move(row)
        plain = Shown(
            price=self._ends_of("price", window_ms, t).move(row),
            oi=oi,
            oi_usd=now.oi_usd[row],
            funding=now.funding[row],
            funding_interval_h=now.interval_h[row],
            next_funding_ms=now.next_funding_ms[row] or None,
            volume_24h=now.volume_24h[row],
            oi_age_ms=now.oi_age[row],
            price_age_ms=now.price_age[row],
        )
        if not whole:
            return plain
        fold = self._fold(window_ms, t)
        change, place, ratio = oi.change, fold.change_place[row], fold.volume_ratio[row]
        return replace(
            plain,
            oi_moves=self._moves("oi", window_ms, t, row),
            price_moves=self._moves("price", window_ms, t, row),
            volume_ratio=ratio,
            volume_window_ms=0 if ratio is None else window_ms,
            oi_rank=fold.place[row] or None,
            # Of falls the largest is the first.
            oi_change_rank=(place if change > 0 else fold.n_changes + 1 - place) if place and change else None,
            n_ranked=fold.n_ranked,
            oi_unusual=fold.oi_unusual[row],
            price_unusual=fold.price_unusual[row],
            price_usual_range=fold.usual_range[row],
        )

    # -- the market ----------------------------------------------------------------------------------------------

    def _opened(self, window_ms: int, t: int) -> F64:
        """Change of open interest at the prices of now, per instrument."""
        _, then = self.view.change("oi", window_ms)
        opened: F64 = (self.view.value("oi")[t] - then[t]) * self.view.value("price")[t]
        return opened

    def members(self, rows: list[int], window_ms: int, t: int) -> tuple[Member, ...]:
        """Those of some instruments where most was opened or closed, the most first."""
        if not rows:
            return ()
        oi, price = self.view.change("oi", window_ms)[0][t], self.view.change("price", window_ms)[0][t]
        opened = self._opened(window_ms, t)
        size, share = np.nan_to_num(np.abs(opened)), np.nan_to_num(np.abs(oi))
        ordered = sorted(rows, key=lambda row: (-size[row], -share[row], row))
        found = []
        for row in ordered[:MAX_MEMBERS]:
            instrument = self._market.universe.at(row)
            if instrument is not None:
                change = number(oi[row])
                found.append(Member(instrument.symbol, change, change, number(price[row]), number(opened[row])))
        return tuple(found)

    def breadth(self, members: Mask, window_ms: int, t: int) -> Breadth | None:
        """The members of a scope together; None where too few of them are known."""
        view = self.view
        oi, oi_then = (x[t] for x in view.change("oi", window_ms))
        price, price_then = (x[t] for x in view.change("price", window_ms))
        oi_now, price_now = view.value("oi")[t], view.value("price")[t]
        known = members & np.isfinite(oi) & np.isfinite(price) & np.isfinite(oi_now) & np.isfinite(price_now)
        n = int(known.sum())
        if n < MIN_KNOWN:
            return None
        opened = float(((oi_now - oi_then) * price_now)[known].sum())
        before = float((oi_then * price_now)[known].sum())
        held = float((oi_now * price_now)[known].sum())
        return Breadth(
            n_known=n,
            n_oi_up=int((oi[known] > 0).sum()),
            n_oi_down=int((oi[known] < 0).sum()),
            oi_median=float(np.median(oi[known])),
            price_median=float(np.median(price[known])),
            opened_usd=opened,
            opened_share=opened / before if before > 0 else None,
            oi_usd_change=held - float((oi_then * price_then)[known].sum()),
            oi_usd=held,
        )
