"""One-minute bars of what the market saw, for the history: gathered tick by tick, given out after each whole minute.

A bar ends at a whole minute; a sample at that very time belongs to it. Prices are those of the pushes between the ends, and
there are none where the last push was too old at the end to speak. Amounts and ratios come later than the minute that
they are of: they are given out with a later minute, at their own time.
"""

from typing import Any, Final

import numpy as np

from bot.market.gauges import NEVER_MS
from bot.market.market import Market
from bot.market.series import INDEX, OI, PRICE
from bot.market.validity import PRICE_VALID_MS
from bot.model.history import BAR_MS, OI_COLUMNS, BarRows
from bot.model.instrument import Instrument
from bot.model.updates import F64, I64, Mask

GRACE_MS: Final = 5_000
"""So long after its end a minute is given out even though no later price has come."""
_MARKS: Final = {"close": PRICE, "index": INDEX["index"], "funding": INDEX["funding"]}
_BAR_VALID_MS: Final = BAR_MS * 3 // 2


class Minutes:
    """Follows a market. Call `ticked` after each tick."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._generation = -1
        self._instruments: tuple[Instrument, ...] = ()
        self._rows: I64 = np.zeros(0, dtype=np.int64)
        """Of the market, per instrument."""
        self._keys_by_row: list[str | None] = []
        self._close_ms: int | None = None
        self._looked_ms = NEVER_MS
        self._cells: dict[str, F64] = {}
        self._late: dict[str, F64] = {}
        """Open interest of the minute before, that came after its end."""
        self._seen_ms: I64 = np.zeros(0, dtype=np.int64)
        self._told_ms: dict[str, I64] = {}
        """Up to which sample ratios were given out, and volumes taken."""
        self._volumes: list[tuple[I64, I64, F64, F64]] = []
        """Taken and not given out: row of the market, close, amount, share of the takers. Of one minute some come before it
        is given out and some after, so two of one instrument may wait.
        """

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """Those to whom the rows that were given out last belong."""
        return self._instruments

    def ticked(self, now_ms: int) -> list[BarRows] | None:
        """Take what is new; the bars of a minute when it is over."""
        market = self._market
        if not market.n_rows:
            return None
        self._follow()
        newest_ms = int(market.gauges.time_ms[PRICE].max())
        is_news, self._looked_ms = newest_ms != self._looked_ms, newest_ms
        done = None
        if self._close_ms is None or max(newest_ms, now_ms) <= self._close_ms - BAR_MS:
            # The first one, or the venue's clock went back: then all there is has come since.
            if self._close_ms is not None:
                self._told_ms["oi"] = np.full(market.n_rows, NEVER_MS, dtype=np.int64)
            self._begin(max(newest_ms, now_ms - BAR_MS))
        elif newest_ms > self._close_ms or now_ms > self._close_ms + GRACE_MS:
            self._take_volume()
            done = self._finished()
            self._begin(max(newest_ms, self._close_ms + 1))
        if is_news:
            self._take_marks()
        self._take_oi()
        self._take_volume()
        return done

    def _follow(self) -> None:
        """Rows may belong to others than before."""
        market = self._market
        if market.universe.generation == self._generation and len(self._seen_ms) == market.n_rows:
            return
        self._generation = market.universe.generation
        found = list(market.universe.items())
        keys: list[str | None] = [None] * market.n_rows
        for row, instrument in found:
            keys[row] = instrument.key
        more = market.n_rows - len(self._seen_ms)
        self._seen_ms = np.pad(self._seen_ms, (0, more), constant_values=NEVER_MS)
        self._cells, self._late = (
            {n: np.pad(c, (0, more), constant_values=np.nan) for n, c in cells.items()}
            for cells in (self._cells, self._late)
        )
        self._told_ms = {n: np.pad(t, (0, more), constant_values=NEVER_MS) for n, t in self._told_ms.items()}
        before = [*self._keys_by_row, *[None] * more]
        others = [row for row, key in enumerate(keys) if key != before[row]]
        waiting, self._volumes = self._volumes, []
        for rows, closes, amount, share in waiting:
            same = ~np.isin(rows, others)
            self._volumes.append((rows[same], closes[same], amount[same], share[same]))
        for row in others:
            self._seen_ms[row] = NEVER_MS
            for cells in (*self._cells.values(), *self._late.values()):
                cells[row] = np.nan
            for times in self._told_ms.values():
                times[row] = NEVER_MS
        self._keys_by_row = keys
        self._instruments = tuple(instrument for _, instrument in found)
        self._rows = np.array([row for row, _ in found], dtype=np.int64)

    def _begin(self, at_ms: int) -> None:
        """The minute in which this time lies."""
        self._close_ms = -(-at_ms // BAR_MS) * BAR_MS
        n = self._market.n_rows
        self._cells = {name: np.full(n, np.nan) for name in ("open", "high", "low", *_MARKS, *OI_COLUMNS)}
        self._late = {name: np.full(n, np.nan) for name in OI_COLUMNS}
        self._seen_ms = np.full(n, NEVER_MS, dtype=np.int64)

    def _within(self, time_ms: I64, before_ms: int = 0) -> Mask:
        assert self._close_ms is not None
        close_ms = self._close_ms - before_ms
        found: Mask = (time_ms > close_ms - BAR_MS) & (time_ms <= close_ms)
        return found

    def _take_marks(self) -> None:
        gauges, cells = self._market.gauges, self._cells
        fresh = self._within(gauges.time_ms[PRICE])
        if not fresh.any():
            return
        price = np.where(fresh, gauges.value[PRICE], np.nan)
        np.copyto(cells["open"], price, where=np.isnan(cells["open"]))
        np.fmax(cells["high"], price, out=cells["high"])
        np.fmin(cells["low"], price, out=cells["low"])
        np.copyto(self._seen_ms, gauges.time_ms[PRICE], where=fresh)
        for name, gauge in _MARKS.items():
            same = fresh if gauge == PRICE else fresh & (gauges.time_ms[gauge] == gauges.time_ms[PRICE])
            np.copyto(cells[name], gauges.value[gauge], where=same)

    def _take_oi(self) -> None:
        gauges = self._market.gauges
        time_ms = gauges.time_ms[OI]
        # What windows bring along over a restart was given out before it, or something newer of the same minute was.
        told_ms = self._told_ms.setdefault("oi", time_ms.copy())
        for cells, before_ms in ((self._cells, 0), (self._late, BAR_MS)):
            fresh = self._within(time_ms, before_ms) & (time_ms > told_ms)
            np.copyto(cells["oi"], gauges.value[OI], where=fresh)
            np.copyto(cells["oi_ms"], time_ms, where=fresh)
            np.copyto(cells["oi_valid_ms"], gauges.expiry_ms[OI] - time_ms, where=fresh)

    def _take_volume(self) -> None:
        volume, gauges, taker = self._market.volume, self._market.gauges, INDEX["taker_buy"]
        is_new = self._news("volume", volume.close_ms) & (volume.expiry_ms - volume.close_ms == _BAR_VALID_MS)
        rows = self._rows[is_new[self._rows]]
        if len(rows):
            closes = volume.close_ms[rows]
            share = np.where(gauges.time_ms[taker, rows] == closes, gauges.value[taker, rows], np.nan)
            self._volumes.append((rows, closes, volume.newest_amount[rows], share))

    # -- giving out ----------------------------------------------------------------------------------------------

    def _finished(self) -> list[BarRows]:
        assert self._close_ms is not None
        silent = self._seen_ms <= self._close_ms - PRICE_VALID_MS
        for name in ("open", "high", "low", *_MARKS):
            self._cells[name][silent] = np.nan
        closes = np.full(self._market.n_rows, self._close_ms, dtype=np.int64)
        late = self._bars(closes - BAR_MS, self._late, np.isfinite(self._late["oi"]))
        for cells in (self._late, self._cells):
            np.copyto(
                self._told_ms["oi"], np.nan_to_num(cells["oi_ms"]), where=~np.isnan(cells["oi_ms"]), casting="unsafe"
            )
        known = np.isfinite(self._cells["close"]) | np.isfinite(self._cells["oi"])
        pieces = [
            self._bars(closes, self._cells, known),
            late,
            self._liquidations(),
            self._volume(),
            self._long_short(),
        ]
        return [piece for piece in pieces if piece is not None and len(piece.row)]

    def _bars(self, closes: I64, columns: dict[str, F64], where: Mask | None = None) -> BarRows:
        chosen = np.arange(len(self._rows)) if where is None else np.flatnonzero(where[self._rows])
        rows = self._rows[chosen]
        found = {name: column[rows] for name, column in columns.items()}
        return BarRows(tuple(i.key for i in self._instruments), chosen.astype(np.int32), closes[rows], found)

    def _liquidations(self) -> BarRows | None:
        """Of the minute before: the last orders of a minute are told after its end."""
        log = self._market.liquidations
        if not log.length_ms:
            return None
        assert self._close_ms is not None
        before_ms = self._close_ms - BAR_MS
        since_ms = self._market.liquidations_since_ms()
        found = {flow: log.sum(flow, BAR_MS, before_ms, since_ms) for flow in ("liq_long", "liq_short")}
        closes = np.full(self._market.n_rows, before_ms, dtype=np.int64)
        return self._bars(closes, found, np.isfinite(found["liq_long"]))

    def _volume(self) -> BarRows | None:
        if not self._volumes:
            return None
        rows, closes, amount, share = (np.concatenate(column) for column in zip(*self._volumes, strict=True))
        self._volumes.clear()
        keys, places = tuple(i.key for i in self._instruments), np.searchsorted(self._rows, rows)
        return BarRows(keys, places.astype(np.int32), closes, {"volume": amount, "taker_buy": share})

    def _long_short(self) -> BarRows | None:
        gauges, ratio = self._market.gauges, INDEX["long_short"]
        time_ms = gauges.time_ms[ratio]
        closes: I64 = -(-time_ms // BAR_MS) * BAR_MS
        return self._bars(closes, {"long_short": gauges.value[ratio]}, self._news("long_short", time_ms))

    def _news(self, name: str, time_ms: I64) -> Mask:
        """Where there is a sample that was not given out, from now on given out."""
        told: Any = self._told_ms.get(name)
        new: Mask = time_ms > (NEVER_MS if told is None else told)
        self._told_ms[name] = time_ms.copy()
        return new
